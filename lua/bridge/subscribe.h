/* subscribe.h - conn:subscribe, which waits, and conn:unsubscribe.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_SUBSCRIBE_H
#define TWL_SUBSCRIBE_H

#include <lua.h>

int twl_conn_subscribe(lua_State *L);
int twl_conn_unsubscribe(lua_State *L);

#endif
