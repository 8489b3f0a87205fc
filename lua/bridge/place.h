/* place.h - file and line for mistakes in tw.app{...} and tw.routes{...}.
 *
 * `return tw.app{...}` is a tail call: the frame that would tell the line is
 * gone when the table is checked. So the place is looked up in the source.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_PLACE_H
#define TWL_PLACE_H

#include <lua.h>

/* Calls `check` with the arguments of the running C function and returns what
 * it returns. A message that it raises gets its place in the script. */
int twl_place_call(lua_State *L, lua_CFunction check);

#endif
