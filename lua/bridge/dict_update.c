/* dict_update.c - dict:update, which changes what it has read.
 *
 * Nothing is locked while the script's function runs, it may even wait: what it
 * made is written only when nobody else has written meanwhile, and otherwise it
 * runs again with the newer value. The loop is in Lua so that a function that
 * waits can.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>

#include "bridge.h"
#include "dict.h"
#include "err.h"
#include "loader_cache.h"
#include "opts.h"
#include "sandbox.h"

static const char what[] = "dict:update";

/* peek(dict, key, fn) -> value, version; or nil, nil, err */
static int peek(lua_State *L) {
    tw_dict *dict;
    int code = twl_dict_self(L, what, &dict);
    tw_str key = twl_dict_key(L, what);
    twl_arg_function(L, 3, what, "fn");
    tw_dict_value value = {.version = 0};
    code = code ? code : tw_dict_get(dict, key, &value);
    if (code == TW_ENOT_FOUND) {
        lua_pushnil(L);
    } else if (code) {
        lua_pushnil(L);
        return 1 + twl_dict_done(L, code);
    } else {
        twl_dict_push(L, &value);
    }
    lua_pushnumber(L, value.version);
    return 2;
}

/* swap(dict, key, version, value, ttl) -> done, or nil, err */
static int swap(lua_State *L) {
    tw_dict *dict;
    int code = twl_dict_self(L, what, &dict);
    tw_str key = twl_dict_key(L, what);
    uint32_t version = (uint32_t)lua_tonumber(L, 3);
    uint64_t ttl_ms = TW_DICT_KEEP_TTL;
    if (!lua_isnoneornil(L, 5)) {
        ttl_ms = twl_seconds_to_ms(
            twl_arg_number(L, 5, what, "ttl", 0.001, TWL_MAX_SECONDS));
    }
    bool is_removal = lua_isnil(L, 4);
    tw_dict_value value;
    if (!code && !is_removal) {
        code =
            twl_dict_read(L, 4, what, tw_dict_max_bytes(dict, key.len), &value);
    }
    if (!code) {
        code = tw_dict_swap(dict, key, is_removal ? NULL : &value, ttl_ms,
                            version);
    }
    if (code && code != TW_EEXISTS) {
        return twl_dict_done(L, code);
    }
    lua_pushboolean(L, code == 0);
    return 1;
}

static int give_up(lua_State *L) {
    return twl_nil_error(L, TW_EOVERLOADED,
                         "busy: others changed it each time");
}

static int complain(lua_State *L) {
    return twl_raise(L,
                     "%s: fn returned nothing: return the new value, or nil to "
                     "remove the entry",
                     what);
}

static const char UPDATE[] =
    "local peek, swap, give_up, complain, select = ...\n"
    "local function count(...) return select('#', ...), ... end\n"
    "return function(dict, key, fn)\n"
    "  for _ = 1, 16 do\n"
    "    local old, version, err = peek(dict, key, fn)\n"
    "    if err then return nil, err end\n"
    "    local n, new, more = count(fn(old))\n"
    "    if n == 0 then complain() end\n"
    "    if new == nil and more ~= nil then return nil, more end\n"
    "    local done, why = swap(dict, key, version, new, more)\n"
    "    if done then return new end\n"
    "    if why then return nil, why end\n"
    "  end\n"
    "  return give_up()\n"
    "end\n";

void twl_dict_push_update(lua_State *L) {
    if (twl_cache_load(L, UPDATE, sizeof UPDATE - 1, TWL_GLUE_NAME) != 0) {
        lua_error(L);
    }
    lua_pushcfunction(L, peek);
    lua_pushcfunction(L, swap);
    lua_pushcfunction(L, give_up);
    lua_pushcfunction(L, complain);
    lua_getglobal(L, "select");
    lua_call(L, 5, 1);
}
