/* history.h - what a channel keeps: channel:history, :latest and :remove.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_HISTORY_H
#define TWL_HISTORY_H

#include <lua.h>

int twl_channel_history(lua_State *L);
int twl_channel_latest(lua_State *L);
int twl_channel_remove(lua_State *L);

#endif
