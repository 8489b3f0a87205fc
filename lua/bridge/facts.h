/* facts.h - what scripts may ask about the server and its configuration.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_FACTS_H
#define TWL_FACTS_H

#include <lua.h>

#include <tidewire/tidewire.h>

/* The server's clocks, or the machine's where there is none. */
double twl_wall_seconds(lua_State *L);
double twl_clock_seconds(lua_State *L);

/* Pushes what tw.stats() answers. */
void twl_push_stats(lua_State *L, tw_server *server);

int twl_stats(lua_State *L);      /* tw.stats() */
int twl_wall_clock(lua_State *L); /* tw.now() */
int twl_mono_clock(lua_State *L); /* tw.clock() */
int twl_config_get(lua_State *L); /* tw.config.get(key, default) */

#endif
