/* jansson parses, and what it gives becomes Lua values.
 *
 * Its tree lives outside the VM's memory limit, at up to a hundred bytes a
 * value, and parsing cannot be interrupted: so both size and number of values
 * are bounded before it starts.
 *
 * SPDX-License-Identifier: MIT */
#include "json.h"

#include <jansson.h>
#include <lauxlib.h>

#include <tidewire/errors.h>

#include "budget.h"
#include "json_box.h"
#include "vm.h"

enum { VALUES_BETWEEN_CHECKS = 1024 };

static const char box_key;

/* --- the box ---------------------------------------------------------- */

static int free_box(lua_State *L) {
    json_t **box = lua_touserdata(L, 1);
    json_decref(*box);
    *box = NULL;
    return 0;
}

void twl_json_box_init(lua_State *L) {
    json_t **box = lua_newuserdata(L, sizeof *box);
    *box = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, free_box);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    twl_reg_set(L, &box_key);
}

/* --- bounds ----------------------------------------------------------- */

/* At least as many as there are values and keys. A text shorter than the limit
 * cannot have too many. */
static bool has_too_many_values(const char *text, size_t len) {
    if (len <= TWL_JSON_MAX_VALUES) {
        return false;
    }
    size_t values = 1;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '"') {
            in_string = !in_string;
        } else if (in_string) {
            i += c == '\\';
        } else {
            values += c == ',' || c == ':' || c == '[' || c == '{';
        }
    }
    return values > TWL_JSON_MAX_VALUES;
}

/* --- conversion ------------------------------------------------------- */

typedef struct conversion {
    lua_State *L;
    unsigned values;
} conversion;

static bool push_value(conversion *c, const json_t *value, int depth);

static bool push_array(conversion *c, const json_t *array, int depth) {
    lua_State *L = c->L;
    size_t count = json_array_size(array);
    lua_createtable(L, (int)count, 0);
    twl_json_mark_array(L);
    for (size_t i = 0; i < count; i++) {
        if (!push_value(c, json_array_get(array, i), depth)) {
            return false;
        }
        lua_rawseti(L, -2, (int)i + 1);
    }
    return true;
}

static bool push_object(conversion *c, json_t *object, int depth) {
    lua_State *L = c->L;
    lua_createtable(L, 0, (int)json_object_size(object));
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        lua_pushstring(L, key);
        if (!push_value(c, value, depth)) {
            return false;
        }
        lua_rawset(L, -3);
    }
    return true;
}

/* False when it is nested too deep. */
static bool push_value(conversion *c, const json_t *value, int depth) {
    lua_State *L = c->L;
    if (++c->values % VALUES_BETWEEN_CHECKS == 0) {
        twl_budget_check(L);
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        if (depth == TWL_JSON_MAX_DEPTH) {
            return false;
        }
        luaL_checkstack(L, 4, "nested too deep");
        return json_is_array(value)
                   ? push_array(c, value, depth + 1)
                   : push_object(c, (json_t *)value, depth + 1);
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        lua_pushnumber(L, json_number_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(value));
        break;
    default:
        twl_json_push_null(L);
    }
    return true;
}

/* --- decoding --------------------------------------------------------- */

static int refuse(lua_State *L, int err, const char *message) {
    lua_pushstring(L, message);
    return err;
}

static json_t **empty_box(lua_State *L) {
    twl_reg_get(L, &box_key);
    json_t **box = lua_touserdata(L, -1);
    lua_pop(L, 1);
    json_decref(*box);
    *box = NULL;
    return box;
}

int twl_json_decode(lua_State *L, const char *text, size_t len, bool scalars) {
    if (len > TWL_JSON_MAX_BYTES) {
        return refuse(L, TW_ELIMIT, "JSON text too long");
    }
    if (has_too_many_values(text, len)) {
        return refuse(L, TW_ELIMIT, "JSON text has too many values");
    }
    json_t **box = empty_box(L);
    json_error_t error;
    /* Integers as reals: a Lua number is one, and a long integer is no error
     * but rounded. The check of the top level is ours, for its message. */
    *box = json_loadb(
        text, len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL,
        &error);
    if (*box == NULL) {
        lua_pushfstring(L, "invalid JSON at byte %d: %s", error.position,
                        error.text);
        return TW_EINVALID;
    }
    if (!scalars && !json_is_object(*box) && !json_is_array(*box)) {
        empty_box(L);
        return refuse(L, TW_EINVALID, "JSON text is no object or array");
    }
    int top = lua_gettop(L);
    conversion c = {.L = L};
    bool fits = push_value(&c, *box, 0);
    empty_box(L);
    if (!fits) {
        lua_settop(L, top);
        return refuse(L, TW_ELIMIT, "JSON text is nested too deep");
    }
    return 0;
}
