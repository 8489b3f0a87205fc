/* show.h - values as text for people, as the console prints them.
 *
 * Everything has a bound: how deep, how many fields of a table, how long a
 * string, how much in all. A table inside itself is told by that.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_SHOW_H
#define TWL_SHOW_H

#include <lua.h>
#include <stdbool.h>

#include "vm_bytes.h"

/* Appends the value at `index`. What does not fit under the limit of `out` is
 * left out; false then, and without memory. Calls __tostring, so it may raise,
 * and is to run where a script may: under a budget. */
bool twl_show(lua_State *L, int index, twl_bytes *out);

#endif
