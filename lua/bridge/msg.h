/* msg.h - messages as scripts see them.
 *
 * A handle names its job and the job's serial number, so it costs no memory of
 * the message's and cannot show another one later: once the hook has returned,
 * using it raises. msg:keep() makes a handle with bytes of its own.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_MSG_H
#define TWL_MSG_H

#include "job.h"

/* Pushes the handle of the job's message. */
void twl_msg_push(lua_State *L, twl_job *job);

/* The message at `index`, borrowed; NULL when it is none; raises when its hook
 * has ended. */
const tw_msg *twl_msg_data(lua_State *L, int index, const char *what);

void twl_msg_define(lua_State *L);

#endif
