/* SPDX-License-Identifier: MIT */
#include "redis_value.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "vm_alloc.h"

/* Up to here every integer is a number of Lua's. */
#define EXACT ((int64_t)1 << 53)

enum { NUMBER_TEXT = 40 };

/* ---- the copy ------------------------------------------------------------ */

/* Values first, texts behind them all: so everything is aligned. */
typedef struct place {
    tw_redis_value *values;
    char *text;
} place;

static void measure(const tw_redis_value *values, size_t count,
                    size_t *value_count, size_t *bytes) {
    *value_count += count;
    for (size_t i = 0; i < count; i++) {
        *bytes += values[i].text.len;
        measure(values[i].items, values[i].count, value_count, bytes);
    }
}

static void copy_values(place *at, tw_redis_value *to,
                        const tw_redis_value *from, size_t count) {
    for (size_t i = 0; i < count; i++) {
        to[i] = from[i];
        if (from[i].text.len > 0) {
            memcpy(at->text, from[i].text.data, from[i].text.len);
        }
        to[i].text.data = at->text;
        at->text += from[i].text.len;
        tw_redis_value *items = at->values;
        at->values += from[i].count;
        to[i].items = items;
        copy_values(at, items, from[i].items, from[i].count);
    }
}

twl_redis_answer *twl_redis_copy(const tw_redis_value *values, size_t count) {
    size_t value_count = 0, bytes = 0;
    measure(values, count, &value_count, &bytes);
    twl_redis_answer *answer = twl_malloc(
        sizeof *answer + value_count * sizeof *answer->values + bytes);
    if (answer) {
        answer->count = count;
        place at = {answer->values + count,
                    (char *)(answer->values + value_count)};
        copy_values(&at, answer->values, values, count);
    }
    return answer;
}

/* ---- to scripts ---------------------------------------------------------- */

static void push_integer(lua_State *L, int64_t integer) {
    char text[NUMBER_TEXT];
    if (integer >= -EXACT && integer <= EXACT) {
        lua_pushnumber(L, (lua_Number)integer);
        return;
    }
    snprintf(text, sizeof text, "%lld", (long long)integer);
    lua_pushstring(L, text);
}

static void push_error(lua_State *L, const tw_redis_value *value) {
    lua_pushlstring(L, value->text.data, value->text.len);
    twl_push_error(L, TW_EINVALID, lua_tostring(L, -1));
    lua_remove(L, -2);
}

static void push_array(lua_State *L, const tw_redis_value *value) {
    luaL_checkstack(L, 8, "nested too deep");
    lua_createtable(L, (int)value->count, 0);
    for (size_t i = 0; i < value->count; i++) {
        twl_redis_push_item(L, &value->items[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

void twl_redis_push_item(lua_State *L, const tw_redis_value *value) {
    switch (value->kind) {
    case TW_REDIS_NIL:
        lua_pushboolean(L, 0);
        break;
    case TW_REDIS_INTEGER:
        push_integer(L, value->integer);
        break;
    case TW_REDIS_ERROR:
        push_error(L, value);
        break;
    case TW_REDIS_ARRAY:
        push_array(L, value);
        break;
    default:
        lua_pushlstring(L, value->text.data, value->text.len);
    }
}

int twl_redis_push_result(lua_State *L, const tw_redis_value *value) {
    if (value->kind == TW_REDIS_NIL || value->kind == TW_REDIS_ERROR) {
        lua_pushnil(L);
    }
    if (value->kind == TW_REDIS_NIL) {
        return 1;
    }
    twl_redis_push_item(L, value);
    return value->kind == TW_REDIS_ERROR ? 2 : 1;
}

/* ---- from scripts -------------------------------------------------------- */

/* A whole number as one; others with what it takes to read them back. */
static void replace_number(lua_State *L, int index) {
    lua_Number number = lua_tonumber(L, index);
    char text[NUMBER_TEXT];
    bool is_whole = floor(number) == number && fabs(number) <= (double)EXACT;
    snprintf(text, sizeof text, is_whole ? "%.0f" : "%.17g", number);
    lua_pushstring(L, text);
    lua_replace(L, index);
}

tw_str twl_redis_read(lua_State *L, int index, const char *what, int number) {
    tw_str text = {NULL, 0};
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        break;
    case LUA_TNUMBER:
        replace_number(L, index);
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, index) ? "1" : "0");
        lua_replace(L, index);
        break;
    default:
        twl_raise(L,
                  "%s: argument %d must be a string, a number or a boolean, "
                  "not %s",
                  what, number, luaL_typename(L, index));
        return text;
    }
    text.data = lua_tolstring(L, index, &text.len);
    return text;
}
