/* dict_value.c - values of scripts as dictionaries keep them.
 * SPDX-License-Identifier: MIT */
#include "bridge.h"
#include "dict.h"
#include "err.h"
#include "plain.h"

enum { TAG_STRING, TAG_FALSE, TAG_TRUE, TAG_PLAIN };

/* The first thing of a table that cannot be kept. */
typedef struct complaint {
    char path[128];
    const char *why;
} complaint;

static void on_dropped(const char *path, const char *why, void *arg) {
    complaint *first = arg;
    if (!first->why) {
        size_t len = strlen(path);
        len = len < sizeof first->path - 1 ? len : sizeof first->path - 1;
        memcpy(first->path, path, len);
        first->path[len] = '\0';
        first->why = why;
    }
}

/* A part of a table would be missing without a word: better none of it. */
static int read_table(lua_State *L, int index, const char *what, size_t max,
                      tw_dict_value *value) {
    complaint first = {{0}, NULL};
    twl_plain_options options = {
        .max_bytes = max, .dropped = on_dropped, .arg = &first};
    twl_bytes *bytes = twl_vm_scratch(twl_vm_of(L));
    int code = twl_plain_save(L, index, &options, bytes);
    if (first.why) {
        return twl_raise(L, "%s: %s cannot be kept: %s", what, first.path,
                         first.why);
    }
    value->tag = TAG_PLAIN;
    value->bytes = (tw_str){bytes->data, bytes->len};
    return code;
}

int twl_dict_read(lua_State *L, int index, const char *what, size_t max,
                  tw_dict_value *value) {
    *value = (tw_dict_value){.kind = TW_DICT_BYTES, .bytes = {"", 0}};
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        value->kind = TW_DICT_NUMBER;
        value->number = lua_tonumber(L, index);
        return 0;
    case LUA_TSTRING:
        value->tag = TAG_STRING;
        value->bytes.data = lua_tolstring(L, index, &value->bytes.len);
        return 0;
    case LUA_TBOOLEAN:
        value->tag = lua_toboolean(L, index) ? TAG_TRUE : TAG_FALSE;
        return 0;
    case LUA_TTABLE:
        return read_table(L, index, what, max, value);
    default:
        return twl_raise(
            L, "%s: value must be a string, number, boolean or table, not %s",
            what, lua_typename(L, lua_type(L, index)));
    }
}

void twl_dict_push(lua_State *L, const tw_dict_value *value) {
    if (value->kind == TW_DICT_NUMBER) {
        lua_pushnumber(L, value->number);
    } else if (value->tag == TAG_STRING) {
        lua_pushlstring(L, value->bytes.data, value->bytes.len);
    } else if (value->tag != TAG_PLAIN) {
        lua_pushboolean(L, value->tag == TAG_TRUE);
    } else if (twl_plain_load(L, value->bytes.data, value->bytes.len)) {
        lua_pushnil(L); /* a host's, with tags of its own */
    }
}
