/* The values that JSON has and Lua has not, and tw.json itself.
 * SPDX-License-Identifier: MIT */
#include "json.h"

#include <lauxlib.h>
#include <string.h>

#include <tidewire/errors.h>

#include "err.h"
#include "utf8.h"
#include "vm.h"

static const char array_key;
static const char raw_key;

/* --- null, arrays, raw ------------------------------------------------ */

/* The same value as cjson.null. */
void twl_json_push_null(lua_State *L) {
    lua_pushlightuserdata(L, NULL);
}

bool twl_json_is_null(lua_State *L, int index) {
    return lua_type(L, index) == LUA_TLIGHTUSERDATA &&
           lua_touserdata(L, index) == NULL;
}

/* Begins with an address, so that no text can look like a handle. */
typedef struct raw_json {
    const void *kind;
    char text[];
} raw_json;

static bool has_metatable(lua_State *L, int index, const void *key) {
    if (!lua_getmetatable(L, index)) {
        return false;
    }
    twl_reg_get(L, key);
    bool has = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return has;
}

void twl_json_push_array_mark(lua_State *L) {
    twl_reg_get(L, &array_key);
}

void twl_json_mark_array(lua_State *L) {
    twl_json_push_array_mark(L);
    lua_setmetatable(L, -2);
}

bool twl_json_is_array(lua_State *L, int index) {
    return lua_type(L, index) == LUA_TTABLE &&
           has_metatable(L, index, &array_key);
}

bool twl_json_is_raw(lua_State *L, int index, const char **text, size_t *len) {
    if (lua_type(L, index) != LUA_TUSERDATA ||
        !has_metatable(L, index, &raw_key)) {
        return false;
    }
    *text = ((const raw_json *)lua_touserdata(L, index))->text;
    *len = lua_objlen(L, index) - sizeof(raw_json);
    return true;
}

/* --- tw.json ---------------------------------------------------------- */

static int json_encode(lua_State *L) {
    luaL_checkany(L, 1);
    twl_bytes *out = twl_vm_scratch(twl_vm_of(L));
    if (twl_json_encode(L, 1, out) != 0) {
        return twl_raise(L, "%s", lua_tostring(L, -1));
    }
    lua_pushlstring(L, out->data, out->len);
    return 1;
}

/* decode(text [, {scalars = false}]) */
static int json_decode(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    bool scalars = true;
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        lua_getfield(L, 2, "scalars");
        scalars = lua_isnil(L, -1) || lua_toboolean(L, -1);
    }
    int err = twl_json_decode(L, text, len, scalars);
    if (err == 0) {
        return 1;
    }
    return twl_nil_error(L, err, lua_tostring(L, -1));
}

static int json_raw(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    luaL_argcheck(L, len > 0, 1, "empty text is no JSON");
    luaL_argcheck(L, twl_utf8_is_valid(text, len), 1, "invalid UTF-8");
    raw_json *raw = lua_newuserdata(L, sizeof *raw + len);
    raw->kind = &raw_key;
    memcpy(raw->text, text, len);
    twl_reg_get(L, &raw_key);
    lua_setmetatable(L, -2);
    return 1;
}

static int json_array(lua_State *L) {
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getmetatable(L, 1) && !twl_json_is_array(L, 1)) {
        return twl_raise(L, "tw.json.array: the table has a metatable");
    }
    lua_settop(L, 1);
    twl_json_mark_array(L);
    return 1;
}

void twl_json_open(lua_State *L) {
    static const luaL_Reg FUNCTIONS[] = {{"encode", json_encode},
                                         {"decode", json_decode},
                                         {"raw", json_raw},
                                         {"array", json_array},
                                         {NULL, NULL}};
    lua_createtable(L, 0, 5);
    luaL_setfuncs(L, FUNCTIONS, 0);
    twl_json_push_null(L);
    lua_setfield(L, -2, "null");
    lua_setfield(L, -2, "json");
}

static void make_metatable(lua_State *L, const char *name, const void *key) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    twl_reg_set(L, key);
}

void twl_json_init(lua_State *L) {
    make_metatable(L, "tw.json.array", &array_key);
    make_metatable(L, "tw.json.raw", &raw_key);
}
