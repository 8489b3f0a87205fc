/* plain.h - plain data: what may leave a VM.
 *
 * Strings, numbers, booleans and tables of them (string, number or boolean
 * keys) go; anything else is dropped and reported with its path. It travels as
 * bytes, so that it can go to another VM or to another process. Arrays of
 * tw.json stay arrays and tw.json.null stays null. A table met twice is copied
 * twice; a cycle is dropped and reported. Metamethods are not called.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_PLAIN_H
#define TWL_PLAIN_H

#include <lua.h>
#include <stddef.h>

#include "vm.h"
#include "vm_bytes.h"

enum { TWL_PLAIN_MAX_BYTES = 64 << 10, TWL_PLAIN_MAX_DEPTH = 64 };

/* Told of every value left out: "state.rooms[3].handler", "a function". Both
 * borrowed. Must not touch Lua. */
typedef void (*twl_plain_dropped_cb)(const char *path, const char *why,
                                     void *arg);

typedef struct twl_plain_options {
    const char *root;             /* the path's first word; NULL: "value" */
    size_t max_bytes;             /* 0: TWL_PLAIN_MAX_BYTES */
    twl_plain_dropped_cb dropped; /* may be NULL */
    void *arg;
} twl_plain_options;

/* Appends the serialised form of the value at `index` to `out`. 0; TW_EINVALID
 * when the value itself is not plain; TW_ELIMIT over max_bytes; TW_ENOMEM. On
 * failure `out` is as it was. May raise over the budget or at the memory limit:
 * `out` must survive that (twl_vm_scratch). Protected code only. */
int twl_plain_save(lua_State *L, int index, const twl_plain_options *options,
                   twl_bytes *out);

/* Pushes the value that `data` says. Every read is bounds-checked. 0, or
 * TW_EINVALID for malformed bytes (nothing pushed). Protected code only. */
int twl_plain_load(lua_State *L, const void *data, size_t len);

/* Copies what `from_ref` refers to in `from` into `to` and leaves a reference
 * to the copy in *to_ref (given; LUA_REFNIL for nil). Protects on both sides;
 * no metamethod, no script code runs. 0, TW_EINVALID, TW_ELIMIT, TW_ENOMEM. */
int twl_plain_copy(twl_vm *from, int from_ref, const twl_plain_options *options,
                   twl_vm *to, int *to_ref);

#endif
