/* One pass from Lua values into bytes. Where a value cannot be said, the path
 * to it is read off the chain of places on the C stack.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <tidewire/errors.h>

#include "budget.h"
#include "json.h"
#include "json_text.h"
#include "utf8.h"
#include "vm_path.h"

enum { VALUES_BETWEEN_CHECKS = 1024 };

typedef struct encoder {
    lua_State *L;
    twl_bytes *out;
    unsigned values;
    int err;
    char path[TWL_PATH_MAX];
    char why[160];
} encoder;

static bool add_value(encoder *e, int index, const twl_place *place, int depth);

/* --- failing ---------------------------------------------------------- */

static bool refuse(encoder *e, int err, const twl_place *place,
                   const char *why) {
    e->err = err;
    twl_path_write(place, "value", e->path, sizeof e->path);
    snprintf(e->why, sizeof e->why, "%s", why);
    return false;
}

static bool refuse_size(encoder *e, int err, const twl_place *place) {
    return refuse(e, err, place,
                  err == TW_ELIMIT ? "JSON text too long"
                                   : "no memory for the JSON text");
}

static inline bool add(encoder *e, const twl_place *place, const char *data,
                       size_t len) {
    int err = twl_bytes_add(e->out, data, len);
    return err == 0 || refuse_size(e, err, place);
}

static inline bool add_char(encoder *e, const twl_place *place, char c) {
    int err = twl_bytes_reserve(e->out, 1);
    if (err != 0) {
        return refuse_size(e, err, place);
    }
    twl_bytes_put(e->out, c);
    return true;
}

/* --- strings ---------------------------------------------------------- */

static bool add_escape(encoder *e, const twl_place *place, char c) {
    static const char FROM[] = "\"\\\b\f\n\r\t";
    static const char TO[] = "\"\\bfnrt";
    const char *at = c != '\0' ? strchr(FROM, c) : NULL;
    char text[8];
    if (at != NULL) {
        snprintf(text, sizeof text, "\\%c", TO[at - FROM]);
    } else {
        snprintf(text, sizeof text, "\\u%04x", (unsigned char)c);
    }
    return add(e, place, text, strlen(text));
}

/* From the first byte on that does not stand for itself; and the quote. */
static bool add_odd_string(encoder *e, const char *s, size_t len,
                           const twl_place *place) {
    size_t at = 0;
    while (at < len) {
        size_t run = twl_json_plain_run(s + at, len - at);
        if (run == 0 && (unsigned char)s[at] >= 0x80) {
            run = twl_utf8_char(s + at, len - at);
            if (run == 0) {
                return refuse(e, TW_EINVALID, place,
                              "a string that is not UTF-8");
            }
        }
        bool ok =
            run > 0 ? add(e, place, s + at, run) : add_escape(e, place, s[at]);
        if (!ok) {
            return false;
        }
        at += run > 0 ? run : 1;
    }
    return add_char(e, place, '"');
}

static bool add_string(encoder *e, const char *s, size_t len,
                       const twl_place *place) {
    int err = twl_bytes_reserve(e->out, len + 2);
    if (err != 0) {
        return refuse_size(e, err, place);
    }
    size_t run = twl_json_plain_run(s, len);
    twl_bytes_put(e->out, '"');
    twl_bytes_put_n(e->out, s, run);
    if (run < len) {
        return add_odd_string(e, s + run, len - run, place);
    }
    twl_bytes_put(e->out, '"');
    return true;
}

/* --- numbers ---------------------------------------------------------- */

static bool add_number(encoder *e, double value, const twl_place *place) {
    char text[TWL_JSON_NUMBER_MAX];
    if (!isfinite(value)) {
        return refuse(e, TW_EINVALID, place,
                      isnan(value) ? "a NaN" : "an infinity");
    }
    return add(e, place, text, twl_json_write_number(value, text));
}

/* --- tables ----------------------------------------------------------- */

static bool add_array(encoder *e, int index, const twl_place *place,
                      int depth) {
    lua_State *L = e->L;
    size_t count = lua_objlen(L, index);
    size_t keys = 0;
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TNUMBER) {
            lua_pop(L, 1);
            return refuse(e, TW_EINVALID, place,
                          "a table with both list entries and other keys");
        }
        keys++;
    }
    if (keys != count) {
        return refuse(e, TW_EINVALID, place,
                      "a list with holes, or with keys outside 1 to its "
                      "length");
    }
    if (!add_char(e, place, '[')) {
        return false;
    }
    for (size_t i = 1; i <= count; i++) {
        twl_place here = {.outer = place, .index = (double)i};
        if (i > 1 && !add_char(e, place, ',')) {
            return false;
        }
        lua_rawgeti(L, index, (int)i);
        bool ok = add_value(e, lua_gettop(L), &here, depth);
        lua_pop(L, 1);
        if (!ok) {
            return false;
        }
    }
    return add_char(e, place, ']');
}

static bool add_member(encoder *e, int key, const twl_place *place, int depth,
                       bool is_first) {
    lua_State *L = e->L;
    if (lua_type(L, key) != LUA_TSTRING) {
        return refuse(e, TW_EINVALID, place,
                      lua_type(L, key) == LUA_TNUMBER
                          ? "a table with both list entries and other keys"
                          : "a key that is no string");
    }
    size_t len;
    const char *name = lua_tolstring(L, key, &len);
    twl_place here = {.outer = place, .key = name, .key_len = len};
    return (is_first || add_char(e, place, ',')) &&
           add_string(e, name, len, &here) && add_char(e, place, ':') &&
           add_value(e, key + 1, &here, depth);
}

static bool add_object(encoder *e, int index, const twl_place *place,
                       int depth) {
    lua_State *L = e->L;
    if (!add_char(e, place, '{')) {
        return false;
    }
    bool is_first = true;
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        int key = lua_gettop(L) - 1;
        if (!add_member(e, key, place, depth, is_first)) {
            return false;
        }
        is_first = false;
        lua_settop(L, key);
    }
    return add_char(e, place, '}');
}

/* A list is what is marked as one or has a number as a key; an empty table
 * without a mark is an object. */
static bool is_list(lua_State *L, int index) {
    if (twl_json_is_array(L, index)) {
        return true;
    }
    lua_pushnil(L);
    if (lua_next(L, index) == 0) {
        return false;
    }
    bool is_number = lua_type(L, -2) == LUA_TNUMBER;
    lua_pop(L, 2);
    return is_number;
}

static bool add_table(encoder *e, int index, const twl_place *place,
                      int depth) {
    if (depth == TWL_JSON_MAX_DEPTH) {
        return refuse(e, TW_ELIMIT, place, "nested too deep (a cycle?)");
    }
    luaL_checkstack(e->L, 6, "nested too deep");
    return is_list(e->L, index) ? add_array(e, index, place, depth + 1)
                                : add_object(e, index, place, depth + 1);
}

/* --- values ----------------------------------------------------------- */

static bool add_other(encoder *e, int index, const twl_place *place) {
    const char *raw;
    size_t len;
    if (twl_json_is_null(e->L, index)) {
        return add(e, place, "null", 4);
    }
    if (twl_json_is_raw(e->L, index, &raw, &len)) {
        return add(e, place, raw, len);
    }
    char why[64];
    snprintf(why, sizeof why, "a %s", luaL_typename(e->L, index));
    return refuse(e, TW_EINVALID, place, why);
}

static bool add_value(encoder *e, int index, const twl_place *place,
                      int depth) {
    lua_State *L = e->L;
    if (++e->values % VALUES_BETWEEN_CHECKS == 0) {
        twl_budget_check(L);
    }
    switch (lua_type(L, index)) {
    case LUA_TSTRING: {
        size_t len;
        const char *s = lua_tolstring(L, index, &len);
        return add_string(e, s, len, place);
    }
    case LUA_TNUMBER:
        return add_number(e, lua_tonumber(L, index), place);
    case LUA_TBOOLEAN:
        return lua_toboolean(L, index) ? add(e, place, "true", 4)
                                       : add(e, place, "false", 5);
    case LUA_TTABLE:
        return add_table(e, index, place, depth);
    default:
        return add_other(e, index, place);
    }
}

int twl_json_encode(lua_State *L, int index, twl_bytes *out) {
    size_t start = out->len;
    size_t limit = out->limit;
    encoder e = {.L = L, .out = out};
    int top = lua_gettop(L);
    if (index < 0) {
        index = top + 1 + index;
    }
    if (limit == 0) {
        out->limit = start + TWL_JSON_MAX_BYTES;
    }
    bool ok = add_value(&e, index, NULL, 0);
    out->limit = limit;
    lua_settop(L, top);
    if (ok) {
        return 0;
    }
    out->len = start;
    lua_pushfstring(L, "cannot encode %s as JSON: %s", e.path, e.why);
    return e.err;
}
