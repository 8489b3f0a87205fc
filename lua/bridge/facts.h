/* facts.h - what scripts may ask about the server and its configuration.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_FACTS_H
#define TWL_FACTS_H

#include <lua.h>

int twl_stats(lua_State *L);      /* tw.stats() */
int twl_wall_clock(lua_State *L); /* tw.now() */
int twl_mono_clock(lua_State *L); /* tw.clock() */
int twl_config_get(lua_State *L); /* tw.config.get(key, default) */

#endif
