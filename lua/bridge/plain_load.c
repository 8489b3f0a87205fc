/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <tidewire/errors.h>

#include "json.h"
#include "plain.h"
#include "plain_form.h"

typedef struct reader {
    lua_State *L;
    const uint8_t *at;
    size_t left;
} reader;

static bool load_value(reader *r, int depth);

static const uint8_t *take(reader *r, size_t len) {
    if (r->left < len) {
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += len;
    r->left -= len;
    return bytes;
}

static bool load_number(reader *r) {
    const uint8_t *bytes = take(r, 8);
    if (bytes == NULL) {
        return false;
    }
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) {
        bits |= (uint64_t)bytes[i] << (8 * i);
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    lua_pushnumber(r->L, value);
    return true;
}

static bool load_string(reader *r) {
    const uint8_t *head = take(r, 4);
    if (head == NULL) {
        return false;
    }
    size_t len = (size_t)head[0] | (size_t)head[1] << 8 |
                 (size_t)head[2] << 16 | (size_t)head[3] << 24;
    const uint8_t *bytes = take(r, len);
    if (bytes == NULL) {
        return false;
    }
    lua_pushlstring(r->L, (const char *)bytes, len);
    return true;
}

/* A key on top: one that a table can have. */
static bool is_key(lua_State *L) {
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
    case LUA_TBOOLEAN:
        return true;
    case LUA_TNUMBER:
        return lua_tonumber(L, -1) == lua_tonumber(L, -1);
    default:
        return false;
    }
}

static bool load_table(reader *r, bool is_array, int depth) {
    lua_State *L = r->L;
    if (depth >= TWL_PLAIN_MAX_DEPTH) {
        return false;
    }
    luaL_checkstack(L, 5, "nested too deep");
    lua_newtable(L);
    if (is_array) {
        twl_json_mark_array(L);
    }
    while (r->left > 0 && *r->at != PLAIN_END) {
        if (!load_value(r, TWL_PLAIN_MAX_DEPTH) || !is_key(L) ||
            !load_value(r, depth + 1)) {
            return false;
        }
        lua_rawset(L, -3);
    }
    return take(r, 1) != NULL;
}

static bool load_value(reader *r, int depth) {
    const uint8_t *tag = take(r, 1);
    switch (tag != NULL ? *tag : 0) {
    case PLAIN_FALSE:
    case PLAIN_TRUE:
        lua_pushboolean(r->L, *tag == PLAIN_TRUE);
        return true;
    case PLAIN_NULL:
        twl_json_push_null(r->L);
        return true;
    case PLAIN_NUMBER:
        return load_number(r);
    case PLAIN_STRING:
        return load_string(r);
    case PLAIN_TABLE:
    case PLAIN_ARRAY:
        return load_table(r, *tag == PLAIN_ARRAY, depth);
    default:
        return false;
    }
}

int twl_plain_load(lua_State *L, const void *data, size_t len) {
    reader r = {.L = L, .at = data, .left = len};
    int top = lua_gettop(L);
    if (len == 1 && *r.at == PLAIN_NIL) {
        lua_pushnil(L);
        return 0;
    }
    if (!load_value(&r, 0) || r.left != 0) {
        lua_settop(L, top);
        return TW_EINVALID;
    }
    return 0;
}
