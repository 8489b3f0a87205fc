/* SPDX-License-Identifier: MIT */
#include "strlib.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "budget.h"
#include "strlib_gsub.h"
#include "strlib_match.h"

/* --- positions -------------------------------------------------------- */

/* A Lua position (from 1, negative from the end) as an offset from 0, which
 * may lie outside. */
static ptrdiff_t offset_of(lua_Integer position, size_t len) {
    if (position > 0) {
        return position - 1;
    }
    if (position == 0) {
        return 0;
    }
    return position + (ptrdiff_t)len > 0 ? position + (ptrdiff_t)len : 0;
}

/* --- find and match --------------------------------------------------- */

static bool is_literal(const char *pattern, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (pattern[i] != '\0' && strchr("^$*+?.([%-)", pattern[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static int find_literal(lua_State *L, const char *s, size_t len, ptrdiff_t from,
                        const char *wanted, size_t wanted_len) {
    const char *at = memmem(s + from, len - (size_t)from, wanted, wanted_len);
    if (at == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, at - s + 1);
    lua_pushinteger(L, at - s + (ptrdiff_t)wanted_len);
    return 2;
}

static int search(lua_State *L, bool wants_positions) {
    size_t len, pattern_len;
    const char *s = luaL_checklstring(L, 1, &len);
    const char *pattern = luaL_checklstring(L, 2, &pattern_len);
    ptrdiff_t from = offset_of(luaL_optinteger(L, 3, 1), len);
    /* As LuaJIT: a start behind the end means the end. */
    from = from > (ptrdiff_t)len ? (ptrdiff_t)len : from;
    if (wants_positions &&
        (lua_toboolean(L, 4) || is_literal(pattern, pattern_len))) {
        return find_literal(L, s, len, from, pattern, pattern_len);
    }
    twl_match match;
    twl_match_init(&match, L, s, len, pattern, pattern_len);
    bool is_anchored = pattern_len > 0 && *pattern == '^';
    const char *row = pattern + (is_anchored ? 1 : 0);
    for (const char *at = s + from; at <= s + len; at++) {
        const char *end = twl_match_at(&match, at, row);
        if (end != NULL && wants_positions) {
            lua_pushinteger(L, at - s + 1);
            lua_pushinteger(L, end - s);
            return twl_match_push_all(&match, NULL, NULL) + 2;
        }
        if (end != NULL) {
            return twl_match_push_all(&match, at, end);
        }
        if (is_anchored) {
            break;
        }
    }
    lua_pushnil(L);
    return 1;
}

static int string_find(lua_State *L) {
    return search(L, true);
}

static int string_match(lua_State *L) {
    return search(L, false);
}

/* --- gmatch ----------------------------------------------------------- */

/* Upvalues: subject, pattern, offset of the next try. An anchor is no anchor
 * here, as in Lua 5.1. */
static int gmatch_next(lua_State *L) {
    size_t len, pattern_len;
    const char *s = lua_tolstring(L, lua_upvalueindex(1), &len);
    const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &pattern_len);
    size_t from = (size_t)lua_tointeger(L, lua_upvalueindex(3));
    twl_match match;
    twl_match_init(&match, L, s, len, pattern, pattern_len);
    for (const char *at = s + from; at <= s + len; at++) {
        const char *end = twl_match_at(&match, at, pattern);
        if (end != NULL) {
            /* An empty match moves on by one, or it would match for ever. */
            lua_pushinteger(L, end - s + (end == at ? 1 : 0));
            lua_replace(L, lua_upvalueindex(3));
            return twl_match_push_all(&match, at, end);
        }
    }
    lua_pushinteger(L, (lua_Integer)len + 1);
    lua_replace(L, lua_upvalueindex(3));
    return 0;
}

static int string_gmatch(lua_State *L) {
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, gmatch_next, 3);
    return 1;
}

/* --- rep -------------------------------------------------------------- */

/* string.rep(s, n [, sep]) through LuaJIT's own, once the size is known. */
static int string_rep(lua_State *L) {
    size_t len, sep_len = 0;
    luaL_checklstring(L, 1, &len);
    lua_Number times = luaL_checknumber(L, 2);
    luaL_optlstring(L, 3, "", &sep_len);
    if (len + sep_len == 0 || !(times >= 1)) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((lua_Number)(len + sep_len) * times > (lua_Number)TWL_REP_MAX_BYTES) {
        return luaL_error(L, "string.rep: result of more than %d bytes",
                          TWL_REP_MAX_BYTES);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

void twl_strlib_open(lua_State *L) {
    static const luaL_Reg FUNCTIONS[] = {{"find", string_find},
                                         {"match", string_match},
                                         {"gmatch", string_gmatch},
                                         {"gsub", twl_string_gsub},
                                         {NULL, NULL}};
    luaL_setfuncs(L, FUNCTIONS, 0);
    lua_pushnil(L);
    lua_setfield(L, -2, "gfind");
    lua_getfield(L, -1, "rep");
    lua_pushcclosure(L, string_rep, 1);
    lua_setfield(L, -2, "rep");
}
