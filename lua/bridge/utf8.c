/* SPDX-License-Identifier: MIT */
#include "utf8.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char byte;

static bool is_tail(byte c) {
    return (c & 0xC0) == 0x80;
}

/* The second byte's range depends on the first one: that is what keeps out
 * overlong forms (E0, F0), surrogates (ED) and what is above U+10FFFF (F4). */
static bool is_second(byte first, byte second) {
    switch (first) {
    case 0xE0:
        return second >= 0xA0 && second <= 0xBF;
    case 0xED:
        return second >= 0x80 && second <= 0x9F;
    case 0xF0:
        return second >= 0x90 && second <= 0xBF;
    case 0xF4:
        return second >= 0x80 && second <= 0x8F;
    default:
        return is_tail(second);
    }
}

size_t twl_utf8_char(const char *text, size_t len) {
    const byte *s = (const byte *)text;
    if (s[0] < 0x80) {
        return 1;
    }
    size_t size = s[0] < 0xC2   ? 0
                  : s[0] < 0xE0 ? 2
                  : s[0] < 0xF0 ? 3
                  : s[0] < 0xF5 ? 4
                                : 0;
    if (size == 0 || len < size || !is_second(s[0], s[1])) {
        return 0;
    }
    for (size_t i = 2; i < size; i++) {
        if (!is_tail(s[i])) {
            return 0;
        }
    }
    return size;
}

size_t twl_utf8_valid_prefix(const char *text, size_t len) {
    size_t at = 0;
    while (at < len) {
        /* Eight plain bytes at once: most text is. */
        uint64_t word;
        if (len - at >= sizeof word) {
            memcpy(&word, text + at, sizeof word);
            if ((word & 0x8080808080808080u) == 0) {
                at += sizeof word;
                continue;
            }
        }
        size_t size = twl_utf8_char(text + at, len - at);
        if (size == 0) {
            break;
        }
        at += size;
    }
    return at;
}

bool twl_utf8_is_valid(const char *text, size_t len) {
    return twl_utf8_valid_prefix(text, len) == len;
}

/* --- tw.utf8 ---------------------------------------------------------- */

static size_t count_chars(const char *text, size_t len) {
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += !is_tail((byte)text[i]);
    }
    return count;
}

/* The offset of the nth character (from 0), `len` when there are fewer. */
static size_t offset_of(const char *text, size_t len, size_t n) {
    size_t at = 0;
    while (n > 0 && at < len) {
        at += twl_utf8_char(text + at, len - at);
        n--;
    }
    return at;
}

static const char *check_text(lua_State *L, size_t *len) {
    const char *text = luaL_checklstring(L, 1, len);
    size_t valid = twl_utf8_valid_prefix(text, *len);
    if (valid != *len) {
        luaL_error(L, "invalid UTF-8 at byte %d", (int)valid + 1);
    }
    return text;
}

static int utf8_valid(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    lua_pushboolean(L, twl_utf8_is_valid(text, len));
    return 1;
}

static int utf8_len(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    size_t valid = twl_utf8_valid_prefix(text, len);
    if (valid != len) {
        lua_pushnil(L);
        lua_pushinteger(L, (lua_Integer)valid + 1);
        return 2;
    }
    lua_pushinteger(L, (lua_Integer)count_chars(text, len));
    return 1;
}

/* sub(s, i [, j]): as string.sub, by characters. */
static int utf8_sub(lua_State *L) {
    size_t len;
    const char *text = check_text(L, &len);
    lua_Integer first = luaL_checkinteger(L, 2);
    lua_Integer last = luaL_optinteger(L, 3, -1);
    if (first < 0 || last < 0) {
        lua_Integer count = (lua_Integer)count_chars(text, len);
        first = first < 0 ? first + count + 1 : first;
        last = last < 0 ? last + count + 1 : last;
    }
    first = first < 1 ? 1 : first;
    if (last < first) {
        lua_pushliteral(L, "");
        return 1;
    }
    size_t from = offset_of(text, len, (size_t)first - 1);
    size_t size =
        offset_of(text + from, len - from, (size_t)(last - first) + 1);
    lua_pushlstring(L, text + from, size);
    return 1;
}

void twl_utf8_open(lua_State *L) {
    static const luaL_Reg FUNCTIONS[] = {{"valid", utf8_valid},
                                         {"len", utf8_len},
                                         {"sub", utf8_sub},
                                         {NULL, NULL}};
    lua_createtable(L, 0, 3);
    luaL_setfuncs(L, FUNCTIONS, 0);
    lua_setfield(L, -2, "utf8");
}
