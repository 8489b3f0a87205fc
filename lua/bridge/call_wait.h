/* call_wait.h - waiting through coroutines of the script's, for the sandbox.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_CALL_WAIT_H
#define TWL_CALL_WAIT_H

#include "call.h"

/* Pushes what a coroutine of the script's yields when something in it waits.
 * Scripts cannot make this value. */
void twl_wait_push_mark(lua_State *L);

/* Lua function: yields on for the pending wait, one coroutine further out; it
 * returns what the wait gives. */
int twl_wait_outwards(lua_State *L);

/* Whether L is no coroutine of the script's. */
bool twl_wait_is_outermost(lua_State *L);

#endif
