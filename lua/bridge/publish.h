/* publish.h - tw.publish and tw.channel.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_PUBLISH_H
#define TWL_PUBLISH_H

#include <lua.h>

int twl_publish(lua_State *L);     /* tw.publish(channel, data, options) */
int twl_channel_new(lua_State *L); /* tw.channel(name) */
void twl_channel_define(lua_State *L);

#endif
