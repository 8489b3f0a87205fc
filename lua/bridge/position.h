/* position.h - where a channel stands, as scripts write it: { epoch =, offset =
 * }. SPDX-License-Identifier: MIT */
#ifndef TWL_POSITION_H
#define TWL_POSITION_H

#include <lua.h>
#include <stdbool.h>
#include <tidewire/tidewire.h>

/* Reads the option `since` of the table at `index`: false when it is absent;
 * raises when it is no position. */
bool twl_opt_since(lua_State *L, int index, const char *what, tw_position *out);

/* Sets epoch and offset in the table on top. */
void twl_position_set(lua_State *L, const tw_position *position);

/* Pushes a table of the two. */
void twl_position_push(lua_State *L, const tw_position *position);

#endif
