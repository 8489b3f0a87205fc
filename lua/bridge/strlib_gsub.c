/* SPDX-License-Identifier: MIT */
#include "strlib_gsub.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdbool.h>

#include "strlib_match.h"

/* %0 to %9 are captures, %% and % before anything else is that itself. */
static void add_template(const twl_match *m, luaL_Buffer *out,
                         const char *start, const char *end) {
    size_t len;
    const char *text = lua_tolstring(m->L, 3, &len);
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            luaL_addchar(out, text[i]);
            continue;
        }
        i++;
        char c = i < len ? text[i] : '\0';
        if (!isdigit((unsigned char)c)) {
            if (i < len) {
                luaL_addchar(out, c);
            }
        } else if (c == '0') {
            luaL_addlstring(out, start, (size_t)(end - start));
        } else {
            twl_match_push(m, c - '1', start, end);
            luaL_addvalue(out);
        }
    }
}

/* Pushes what the function or the table gives for the match. */
static void push_replacement(const twl_match *m, const char *start,
                             const char *end) {
    lua_State *L = m->L;
    if (lua_type(L, 3) == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        int count = twl_match_push_all(m, start, end);
        lua_call(L, count, 1);
    } else {
        twl_match_push(m, 0, start, end);
        lua_gettable(L, 3);
    }
}

static void add_replacement(const twl_match *m, luaL_Buffer *out,
                            const char *start, const char *end) {
    lua_State *L = m->L;
    int type = lua_type(L, 3);
    if (type == LUA_TSTRING || type == LUA_TNUMBER) {
        add_template(m, out, start, end);
        return;
    }
    push_replacement(m, start, end);
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, start, (size_t)(end - start));
    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
    luaL_addvalue(out);
}

int twl_string_gsub(lua_State *L) {
    size_t len, pattern_len;
    const char *s = luaL_checklstring(L, 1, &len);
    const char *pattern = luaL_checklstring(L, 2, &pattern_len);
    int type = lua_type(L, 3);
    luaL_argcheck(L,
                  type == LUA_TSTRING || type == LUA_TNUMBER ||
                      type == LUA_TFUNCTION || type == LUA_TTABLE,
                  3, "string/function/table expected");
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)len + 1);
    if (type == LUA_TNUMBER) {
        lua_tostring(L, 3);
    }
    bool is_anchored = pattern_len > 0 && *pattern == '^';
    const char *row = pattern + (is_anchored ? 1 : 0);
    twl_match match;
    twl_match_init(&match, L, s, len, pattern, pattern_len);
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    lua_Integer count = 0;
    const char *at = s;
    while (count < most) {
        const char *end = twl_match_at(&match, at, row);
        if (end != NULL) {
            count++;
            add_replacement(&match, &out, at, end);
        }
        if (end != NULL && end > at) {
            at = end;
        } else if (at < s + len) {
            luaL_addchar(&out, *at);
            at++;
        } else {
            break;
        }
        if (is_anchored) {
            break;
        }
    }
    luaL_addlstring(&out, at, (size_t)(s + len - at));
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    return 2;
}
