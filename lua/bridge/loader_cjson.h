/* loader_cjson.h - the packaged lua-cjson, fenced in.
 *
 * lua-cjson counts its output in int and ends the process when that overflows:
 * what goes in is measured first.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_LOADER_CJSON_H
#define TWL_LOADER_CJSON_H

#include <lua.h>

/* The longest text cjson.decode takes, and the most that cjson.encode may have
 * to write (every byte of a string counts for its longest escape). */
enum {
    TWL_CJSON_DECODE_MAX_BYTES = 16 << 20,
    TWL_CJSON_ENCODE_MAX_BYTES = 256 << 20
};

/* Pushes the module. */
int twl_open_cjson(lua_State *L);

#endif
