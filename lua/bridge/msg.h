/* msg.h - messages as scripts see them.
 *
 * The message of a hook is a light userdata: its job's serial number and
 * nothing else. It costs no allocation, and cannot show another message later:
 * once the hook has returned no job has the number any more, and using it
 * raises. msg:keep() makes a full userdata with bytes of its own.
 *
 * Of light userdata there are messages, tw.json.null, and a few addresses that
 * no script gets to see; all share one metatable, because Lua has only one.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_MSG_H
#define TWL_MSG_H

#include "job.h"

/* Pushes the handle of the job's message. Neither raises nor allocates, once
 * twl_msg_define has run. */
void twl_msg_push(lua_State *L, const twl_job *job);

/* The message at `index`, where a value of that Lua type is; borrowed; NULL
 * when it is none; raises when its hook has ended. */
const tw_msg *twl_msg_at(lua_State *L, const tw_lua *lua, int index, int type,
                         const char *what);

void twl_msg_define(lua_State *L);

#endif
