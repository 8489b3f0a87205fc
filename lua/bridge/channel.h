/* channel.h - tw.channel(name): what can be asked of a channel.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_CHANNEL_H
#define TWL_CHANNEL_H

#include <lua.h>
#include <tidewire/tidewire.h>

int twl_channel_new(lua_State *L); /* tw.channel(name) */
void twl_channel_define(lua_State *L);

/* The name of the channel whose method `what` was called; borrowed from the
 * handle. */
tw_str twl_channel_self(lua_State *L, const char *what);

#endif
