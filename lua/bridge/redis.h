/* redis.h - tw.redis(name): calls to Redis that wait.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_REDIS_H
#define TWL_REDIS_H

#include <lua.h>

int twl_redis_new(lua_State *L); /* tw.redis(name) */
void twl_redis_define(lua_State *L);

#endif
