/* member.h - the bridge as the host of a worker (master.h).
 * SPDX-License-Identifier: MIT */
#ifndef TWL_MEMBER_H
#define TWL_MEMBER_H

#include "bridge.h"

extern const tw_member_hooks twl_member_hooks;

/* The clock that stops scripts; before anything is loaded. */
void twl_lua_start_budget(tw_lua *lua);

/* Loads the first generation of this process and gives its routes to the
 * server; begin lets timers and on_start go. */
int twl_lua_load(tw_lua *lua, tw_server *server, uint32_t number,
                 const char *snapshot, bool writes, char *report);
void twl_lua_begin(tw_lua *lua, const char *reason);

#endif
