/* SPDX-License-Identifier: MIT */
#include "err.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <tidewire/errors.h>

#include "sandbox.h"
#include "vm.h"

enum { MAX_MESSAGE = 1024 };

static const char metatable_key;

/* --- making ----------------------------------------------------------- */

static void set_metatable(lua_State *L) {
    twl_reg_get(L, &metatable_key);
    lua_setmetatable(L, -2);
}

void twl_push_error(lua_State *L, int tw_code, const char *message) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, tw_err_name(tw_code));
    lua_setfield(L, -2, "code");
    lua_pushstring(L, message != NULL ? message : tw_strerror(tw_code));
    lua_setfield(L, -2, "message");
    set_metatable(L);
}

void twl_push_errorf(lua_State *L, int tw_code, const char *format, ...) {
    char message[MAX_MESSAGE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    twl_push_error(L, tw_code, message);
}

int twl_nil_error(lua_State *L, int tw_code, const char *message) {
    lua_pushnil(L);
    twl_push_error(L, tw_code, message);
    return 2;
}

bool twl_is_error(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index)) {
        return false;
    }
    twl_reg_get(L, &metatable_key);
    bool is_error = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is_error;
}

/* --- showing ---------------------------------------------------------- */

/* A field as text, whatever a script may have put there; pushes one value. */
static const char *push_raw_field(lua_State *L, int index, const char *name) {
    lua_pushstring(L, name);
    lua_rawget(L, index);
    int type = lua_type(L, -1);
    if (type == LUA_TSTRING || type == LUA_TNUMBER) {
        return lua_tostring(L, -1);
    }
    lua_pop(L, 1);
    lua_pushliteral(L, "?");
    return lua_tostring(L, -1);
}

const char *twl_push_error_text(lua_State *L, int index) {
    if (index < 0) {
        index = lua_gettop(L) + 1 + index;
    }
    int type = lua_type(L, index);
    if (type == LUA_TSTRING || type == LUA_TNUMBER) {
        lua_pushvalue(L, index);
        return lua_tostring(L, -1);
    }
    if (twl_is_error(L, index)) {
        const char *code = push_raw_field(L, index, "code");
        const char *message = push_raw_field(L, index, "message");
        lua_pushfstring(L, "%s: %s", code, message);
        lua_replace(L, -3);
        lua_pop(L, 1);
        return lua_tostring(L, -1);
    }
    return lua_pushfstring(L, "(error object is a %s value)",
                           lua_typename(L, type));
}

static int error_tostring(lua_State *L) {
    luaL_checkany(L, 1);
    twl_push_error_text(L, 1);
    return 1;
}

/* --- places ----------------------------------------------------------- */

/* A function that an allocation failed in may have no current line. */
static const char *push_place(lua_State *L, const lua_Debug *ar) {
    int line = ar->currentline > 0 ? ar->currentline : ar->linedefined;
    return line > 0 ? lua_pushfstring(L, "%s:%d: ", ar->short_src, line)
                    : lua_pushfstring(L, "%s: ", ar->short_src);
}

/* The library's own Lua: no place for a script's author to look at. */
static bool is_library(const lua_Debug *ar) {
    static const char file[] = "/tidewire/task.lua";
    size_t len = strlen(ar->source), tail = sizeof file - 1;
    return strcmp(ar->source, TWL_GLUE_NAME) == 0 ||
           (len >= tail && strcmp(ar->source + len - tail, file) == 0);
}

const char *twl_push_where(lua_State *L, lua_State *from) {
    lua_Debug ar;
    for (int level = 0; lua_getstack(from, level, &ar); level++) {
        lua_getinfo(from, "Sl", &ar);
        if (*ar.what != 'C' && !is_library(&ar)) {
            return push_place(L, &ar);
        }
    }
    lua_pushliteral(L, "");
    return lua_tostring(L, -1);
}

const char *twl_push_definition(lua_State *L) {
    lua_Debug ar;
    lua_getinfo(L, ">S", &ar);
    ar.currentline = -1;
    if (*ar.what == 'C') {
        lua_pushliteral(L, "");
        return lua_tostring(L, -1);
    }
    return push_place(L, &ar);
}

int twl_raise(lua_State *L, const char *format, ...) {
    char message[MAX_MESSAGE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    twl_push_where(L, L);
    lua_pushstring(L, message);
    lua_concat(L, 2);
    return lua_error(L);
}

/* --- tw.error --------------------------------------------------------- */

/* tw.error(code, message, fields): the fields are copied beside the two. */
static int make_error(lua_State *L) {
    luaL_checktype(L, 1, LUA_TSTRING);
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TSTRING);
    }
    if (!lua_isnoneornil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
    }
    lua_settop(L, 3);
    lua_createtable(L, 0, 2);
    if (lua_istable(L, 3)) {
        lua_pushnil(L);
        while (lua_next(L, 3) != 0) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, 4);
        }
    }
    lua_pushvalue(L, 1);
    lua_setfield(L, 4, "code");
    lua_pushvalue(L, lua_isnil(L, 2) ? 1 : 2);
    lua_setfield(L, 4, "message");
    set_metatable(L);
    return 1;
}

void twl_err_open(lua_State *L) {
    lua_pushcfunction(L, make_error);
    lua_setfield(L, -2, "error");
}

void twl_err_init(lua_State *L) {
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "tw.error");
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    twl_reg_set(L, &metatable_key);
}
