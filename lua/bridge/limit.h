/* limit.h - rates: of anything in the whole server, and of one connection.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_LIMIT_H
#define TWL_LIMIT_H

#include <lua.h>

int twl_limit(lua_State *L);      /* tw.limit(key, options) */
int twl_conn_limit(lua_State *L); /* conn:limit(options) */

#endif
