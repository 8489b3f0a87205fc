/* json.h - tw.json: JSON that survives a round trip.
 *
 * Integers are exact to 2^53, `[]` stays `[]` (arrays carry a metatable),
 * null is tw.json.null, text is strict UTF-8, depth and size are bounded, and
 * what JSON cannot say (NaN, functions, mixed tables) is an error with the
 * path to it. Metamethods are never called.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JSON_H
#define TWL_JSON_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "vm_bytes.h"

/* Decoding refuses what is larger, deeper or has more values than this;
 * encoding refuses what is deeper or grows larger. */
enum {
    TWL_JSON_MAX_DEPTH = 128,
    TWL_JSON_MAX_BYTES = 16 << 20,
    TWL_JSON_MAX_VALUES = 1 << 18
};

/* Decodes `len` bytes and pushes one value. Without `scalars` the top level
 * must be an object or an array. Never raises for bad input: 0, or TW_EINVALID
 * or TW_ELIMIT, and then a message (a string) is pushed instead of the value.
 * Protected code only. `text` may be borrowed from outside Lua. */
int twl_json_decode(lua_State *L, const char *text, size_t len, bool scalars);

/* Appends the JSON of the value at `index` to `out`. 0, or TW_EINVALID
 * (cannot be said in JSON), TW_ELIMIT (too deep, too large, or out's limit),
 * TW_ENOMEM: then `out` is as it was and a message is pushed. May raise over
 * the budget or at the memory limit: `out` must be owned by something that
 * survives that, as twl_vm_scratch is. Protected code only. */
int twl_json_encode(lua_State *L, int index, twl_bytes *out);

/* Whether the value is a tw.json.raw; *text and *len are borrowed from it. */
bool twl_json_is_raw(lua_State *L, int index, const char **text, size_t *len);

/* Pushes tw.json.null. */
void twl_json_push_null(lua_State *L);
bool twl_json_is_null(lua_State *L, int index);

/* Marks the table on top as an array. */
void twl_json_mark_array(lua_State *L);
/* Pushes the metatable that is the mark. */
void twl_json_push_array_mark(lua_State *L);
bool twl_json_is_array(lua_State *L, int index);

/* Sets `json` in the table on top. */
void twl_json_open(lua_State *L);

/* Makes the metatables; twl_vm_create does it. */
void twl_json_init(lua_State *L);

#endif
