/* scan.h - what a Lua file uses, without running it.
 *
 * Follows blocks and locals through the text, so that it knows which names are
 * globals; what needs to know values it leaves alone. Made for text that
 * LuaJIT compiles: of anything else it says that it does not understand. Pure.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_SCAN_H
#define TWL_SCAN_H

#include <stddef.h>

typedef enum twl_use_kind {
    TWL_USE_READ,  /* a global is read; `near` may be a local meant instead */
    TWL_USE_WRITE, /* a global is assigned */
    TWL_USE_FIELD, /* tw.NAME or tw.NAME.NAME; `name` without the "tw." */
    TWL_USE_KEY,   /* tw.OWNER(..., { NAME = ... }), at the table's top level */
    TWL_USE_REQUIRE /* require "NAME" inside of a function */
} twl_use_kind;

typedef struct twl_use {
    twl_use_kind kind;
    int line;
    const char *name;
    const char *owner; /* of a KEY: "app", "http.get"; "channel():history" of a
                          method of what tw.channel(...) gives */
    int place;         /* of a KEY: the table's among the arguments, from 1 */
    const char *near;  /* "" when no local is like it */
} twl_use;

/* Everything in it is borrowed for the call. */
typedef void (*twl_use_cb)(const twl_use *use, void *arg);

/* Calls `on_use` for each, in the order of the text. `tw` is a local that is
 * made by require "tidewire", whatever it is called, and nowhere assigned. 0;
 * TW_EINVALID: not understood, and nothing was told; TW_ENOMEM. */
int twl_scan(const char *text, size_t len, twl_use_cb on_use, void *arg);

#endif
