/* SPDX-License-Identifier: MIT */
#include "jwt_cache.h"

#include "vm.h"

/* Their addresses are the keys in the registry. */
static const char cache_keys[TWL_JWT_CACHES];

/* How many are in it: a number among strings. */
enum { COUNT = 1 };

void twl_jwt_cache_find(lua_State *L, twl_jwt_cache cache) {
    twl_reg_get(L, &cache_keys[cache]);
    if (lua_isnil(L, -1)) {
        return;
    }
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    lua_replace(L, -2);
}

/* Pushes the table with room for one more, and says how many it has. */
static int push_table(lua_State *L, twl_jwt_cache cache) {
    int count = 0;
    twl_reg_get(L, &cache_keys[cache]);
    if (!lua_isnil(L, -1)) {
        lua_rawgeti(L, -1, COUNT);
        count = (int)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    if (lua_isnil(L, -1) || count >= TWL_JWT_CACHE_MAX) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        twl_reg_set(L, &cache_keys[cache]);
        count = 0;
    }
    return count;
}

void twl_jwt_cache_add(lua_State *L, twl_jwt_cache cache) {
    int value = lua_gettop(L);
    int count = push_table(L, cache);
    lua_pushvalue(L, value - 1);
    lua_rawget(L, -2);
    count += lua_isnil(L, -1);
    lua_pop(L, 1);
    lua_pushvalue(L, value - 1);
    lua_pushvalue(L, value);
    lua_rawset(L, -3);
    lua_pushinteger(L, count);
    lua_rawseti(L, -2, COUNT);
    lua_settop(L, value);
    lua_remove(L, value - 1);
}
