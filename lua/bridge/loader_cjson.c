/* SPDX-License-Identifier: MIT */
#include "loader_cjson.h"

#include <lauxlib.h>

#include "budget.h"

/* Declared by lua-cjson's own header only in newer releases. */
int luaopen_cjson(lua_State *L);

enum {
    ESCAPE_BYTES = 6,  /* "\u0000" */
    SCALAR_BYTES = 32, /* a number, with a comma */
    MAX_DEPTH = 1000,  /* cjson's own default */
    MAX_RATIO = 16,
    MAX_SAFE = 100000,
    VALUES_BETWEEN_CHECKS = 1024
};

typedef struct measure {
    lua_State *L;
    size_t bytes;
    unsigned values;
} measure;

static void measure_value(measure *m, int index, int depth);

static void measure_table(measure *m, int index, int depth) {
    lua_State *L = m->L;
    if (depth > MAX_DEPTH) {
        return; /* cjson raises here before it writes anything deeper */
    }
    luaL_checkstack(L, 3, "nested too deep");
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        int top = lua_gettop(L);
        measure_value(m, top - 1, depth);
        measure_value(m, top, depth);
        lua_settop(L, top - 1);
    }
}

static void measure_value(measure *m, int index, int depth) {
    if (++m->values % VALUES_BETWEEN_CHECKS == 0) {
        twl_budget_check(m->L);
    }
    m->bytes += SCALAR_BYTES;
    int type = lua_type(m->L, index);
    if (type == LUA_TSTRING) {
        m->bytes += lua_objlen(m->L, index) * ESCAPE_BYTES;
    }
    if (m->bytes > TWL_CJSON_ENCODE_MAX_BYTES) {
        luaL_error(m->L, "cjson.encode: result could exceed %d bytes",
                   TWL_CJSON_ENCODE_MAX_BYTES);
    }
    if (type == LUA_TTABLE) {
        measure_table(m, index, depth + 1);
    }
}

static int call_original(lua_State *L) {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int encode(lua_State *L) {
    if (lua_gettop(L) >= 1) {
        measure m = {.L = L};
        measure_value(&m, 1, 0);
    }
    return call_original(L);
}

static int decode(lua_State *L) {
    if (lua_type(L, 1) == LUA_TSTRING &&
        lua_objlen(L, 1) > TWL_CJSON_DECODE_MAX_BYTES) {
        return luaL_error(L, "cjson.decode: text of more than %d bytes",
                          TWL_CJSON_DECODE_MAX_BYTES);
    }
    return call_original(L);
}

static void wrap(lua_State *L, const char *name, lua_CFunction fn) {
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, fn, 1);
    lua_setfield(L, -2, name);
}

/* cjson.new makes an instance of its own settings, which wants the same. */
static int new_instance(lua_State *L);

/* The settings that would lift cjson's own bounds are bounded themselves. */
static int set_depth(lua_State *L) {
    luaL_argcheck(L, luaL_optinteger(L, 1, 1) <= MAX_DEPTH, 1, "too deep");
    return call_original(L);
}

static int set_sparse(lua_State *L) {
    lua_Integer ratio = luaL_optinteger(L, 2, 2);
    luaL_argcheck(L, ratio >= 1 && ratio <= MAX_RATIO, 2, "ratio not allowed");
    luaL_argcheck(L, luaL_optinteger(L, 3, 1) <= MAX_SAFE, 3, "too many");
    return call_original(L);
}

static void fence_in(lua_State *L) {
    wrap(L, "encode", encode);
    wrap(L, "decode", decode);
    wrap(L, "new", new_instance);
    wrap(L, "encode_max_depth", set_depth);
    wrap(L, "decode_max_depth", set_depth);
    wrap(L, "encode_sparse_array", set_sparse);
}

static int new_instance(lua_State *L) {
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_call(L, 0, 1);
    fence_in(L);
    return 1;
}

int twl_open_cjson(lua_State *L) {
    lua_pushcfunction(L, luaopen_cjson);
    lua_call(L, 0, 1);
    fence_in(L);
    return 1;
}
