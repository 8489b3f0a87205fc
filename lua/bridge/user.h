/* user.h - tw.user(id): all connections of a user, wherever they are.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_USER_H
#define TWL_USER_H

#include <lua.h>

int twl_user_new(lua_State *L); /* tw.user(id) */
void twl_user_define(lua_State *L);

#endif
