/* SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

#include <tidewire/errors.h>

#include "budget.h"
#include "json.h"
#include "plain.h"
#include "plain_form.h"
#include "vm_path.h"

/* Told one by one up to here; a table of a million functions is not. */
enum { MAX_REPORTS = 32, VALUES_BETWEEN_CHECKS = 1024 };

typedef struct saver {
    lua_State *L;
    twl_bytes *out;
    size_t start;
    const twl_plain_options *options;
    unsigned reports;
    unsigned values;
    int err; /* of the bytes: ends the walk */
} saver;

/* What a value came to: kept, left out, or the end of all. */
typedef enum outcome { KEPT, DROPPED, ENDED } outcome;

/* The tables one stands in. */
typedef struct ring {
    const struct ring *outer;
    const void *table;
    int depth;
} ring;

static outcome save_value(saver *s, int index, const twl_place *place,
                          const ring *rings);

/* --- bytes ------------------------------------------------------------ */

static outcome add(saver *s, const void *data, size_t len) {
    size_t max = s->options->max_bytes != 0 ? s->options->max_bytes
                                            : TWL_PLAIN_MAX_BYTES;
    if (s->out->len - s->start + len > max) {
        s->err = TW_ELIMIT;
        return ENDED;
    }
    s->err = twl_bytes_add(s->out, data, len);
    return s->err == 0 ? KEPT : ENDED;
}

static outcome add_tag(saver *s, char tag) {
    return add(s, &tag, 1);
}

static outcome add_number(saver *s, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint8_t bytes[9] = {PLAIN_NUMBER};
    for (int i = 0; i < 8; i++) {
        bytes[i + 1] = (uint8_t)(bits >> (8 * i));
    }
    return add(s, bytes, sizeof bytes);
}

static outcome add_string(saver *s, int index) {
    size_t len;
    const char *text = lua_tolstring(s->L, index, &len);
    uint8_t head[5] = {PLAIN_STRING, (uint8_t)len, (uint8_t)(len >> 8),
                       (uint8_t)(len >> 16), (uint8_t)(len >> 24)};
    if (len > UINT32_MAX) {
        s->err = TW_ELIMIT;
        return ENDED;
    }
    outcome o = add(s, head, sizeof head);
    return o == KEPT ? add(s, text, len) : o;
}

/* --- what is left out ------------------------------------------------- */

static outcome drop(saver *s, const twl_place *place, const char *why) {
    if (s->options->dropped != NULL && s->reports < MAX_REPORTS) {
        s->reports++;
        char path[TWL_PATH_MAX];
        twl_path_write(place,
                       s->options->root != NULL ? s->options->root : "value",
                       path, sizeof path);
        s->options->dropped(path, why, s->options->arg);
    }
    return DROPPED;
}

static const char *name_type(lua_State *L, int index) {
    switch (lua_type(L, index)) {
    case LUA_TFUNCTION:
        return "a function";
    case LUA_TTHREAD:
        return "a coroutine";
    case LUA_TTABLE:
        return "a table";
    case LUA_TNIL:
        return "nil";
    default:
        return "a userdata";
    }
}

/* --- tables ----------------------------------------------------------- */

static twl_place place_of(lua_State *L, int key, const twl_place *outer) {
    twl_place place = {.outer = outer};
    if (lua_type(L, key) == LUA_TSTRING) {
        place.key = lua_tolstring(L, key, &place.key_len);
    } else if (lua_type(L, key) == LUA_TNUMBER) {
        place.index = lua_tonumber(L, key);
    } else {
        place.key = lua_typename(L, lua_type(L, key));
        place.key_len = strlen(place.key);
    }
    return place;
}

static outcome save_entry(saver *s, int key, const twl_place *outer,
                          const ring *rings) {
    lua_State *L = s->L;
    twl_place place = place_of(L, key, outer);
    int type = lua_type(L, key);
    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN) {
        return drop(s, &place, "its key is no string, number or boolean");
    }
    size_t before = s->out->len;
    outcome o = save_value(s, key, NULL, NULL);
    if (o == KEPT) {
        o = save_value(s, key + 1, &place, rings);
    }
    if (o == DROPPED) {
        s->out->len = before;
    }
    return o;
}

static bool is_inside(const ring *rings, const void *table) {
    for (; rings != NULL; rings = rings->outer) {
        if (rings->table == table) {
            return true;
        }
    }
    return false;
}

static outcome save_entries(saver *s, int index, const twl_place *place,
                            const ring *rings) {
    lua_State *L = s->L;
    luaL_checkstack(L, 5, "nested too deep");
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        int key = lua_gettop(L) - 1;
        if (save_entry(s, key, place, rings) == ENDED) {
            return ENDED;
        }
        lua_settop(L, key);
    }
    return add_tag(s, PLAIN_END);
}

static outcome save_table(saver *s, int index, const twl_place *place,
                          const ring *rings) {
    ring here = {.outer = rings,
                 .table = lua_topointer(s->L, index),
                 .depth = rings != NULL ? rings->depth + 1 : 0};
    if (is_inside(rings, here.table)) {
        return drop(s, place, "a table that contains itself");
    }
    if (here.depth == TWL_PLAIN_MAX_DEPTH) {
        return drop(s, place, "nested too deep");
    }
    bool is_array = twl_json_is_array(s->L, index);
    if (!is_array && lua_getmetatable(s->L, index)) {
        lua_pop(s->L, 1);
        drop(s, place, "its metatable");
    }
    outcome o = add_tag(s, is_array ? PLAIN_ARRAY : PLAIN_TABLE);
    return o == KEPT ? save_entries(s, index, place, &here) : o;
}

static outcome save_value(saver *s, int index, const twl_place *place,
                          const ring *rings) {
    lua_State *L = s->L;
    if (++s->values % VALUES_BETWEEN_CHECKS == 0) {
        twl_budget_check(L);
    }
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        return add_string(s, index);
    case LUA_TNUMBER:
        return add_number(s, lua_tonumber(L, index));
    case LUA_TBOOLEAN:
        return add_tag(s, lua_toboolean(L, index) ? PLAIN_TRUE : PLAIN_FALSE);
    case LUA_TTABLE:
        return save_table(s, index, place, rings);
    default:
        if (twl_json_is_null(L, index)) {
            return add_tag(s, PLAIN_NULL);
        }
        return drop(s, place, name_type(L, index));
    }
}

int twl_plain_save(lua_State *L, int index, const twl_plain_options *options,
                   twl_bytes *out) {
    static const twl_plain_options DEFAULTS;
    saver s = {.L = L,
               .out = out,
               .start = out->len,
               .options = options != NULL ? options : &DEFAULTS};
    int top = lua_gettop(L);
    if (index < 0) {
        index = top + 1 + index;
    }
    outcome o = lua_isnil(L, index) ? add_tag(&s, PLAIN_NIL)
                                    : save_value(&s, index, NULL, NULL);
    lua_settop(L, top);
    if (o == KEPT) {
        return 0;
    }
    out->len = s.start;
    return o == DROPPED ? TW_EINVALID : s.err;
}
