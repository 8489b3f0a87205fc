/* presence.h - who is in a channel: channel:presence.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_PRESENCE_H
#define TWL_PRESENCE_H

#include <lua.h>
#include <tidewire/tidewire.h>

int twl_channel_presence(lua_State *L);

/* Pushes { id =, user =, info =, connections = }. */
void twl_member_push(lua_State *L, const tw_presence_member *member);

#endif
