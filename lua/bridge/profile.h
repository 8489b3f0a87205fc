/* profile.h - where this worker's CPU time goes: Lua and C stacks.
 *
 * A profile is samples: at each tick of the budget's timer (10 ms of the
 * thread's CPU time, so a worker that waits costs and shows nothing) one stack
 * is taken. There is no second timer, and LuaJIT's profiler stays what it is,
 * the budget's means to leave compiled loops:
 *
 *   - outside of a call the tick's handler reads the C stack (stack.h), and
 *     that is the sample
 *   - inside, it reads the C functions that led into Lua, and those that Lua
 *     has called; then it pokes the profiler as the budget does, whose callback
 *     runs at the next safe point, where the Lua stack can be read. The two
 *     make one sample. Should the call end before that, its C part is it
 *
 * The callback reads with lua_getinfo, which allocates nothing: an error raised
 * there would leave the VM's hooks masked for good, and the budget with them.
 * A call that is over its budget is ended as always, profile or not.
 *
 * All that is kept has a bound (4 MiB of samples, 4096 functions); what does
 * not fit is counted. While no profile runs there is nothing but one flag that
 * is looked at.
 *
 * One per process. Loop's thread only, its signal handler included.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_PROFILE_H
#define TWL_PROFILE_H

#include "bridge.h"

/* Answers a question of the kind "profile" when its time is over: "done" with
 * the text below, "failed" with why.
 *
 *     tidewire-profile 1
 *     tick 10                  ms that a sample stands for
 *     lost 0                   samples that did not fit
 *     module 0 program PATH    m0 below; or "library"
 *     stack 3 m0+4f20;on_message app.lua:7;m1+9a0
 *
 * The stacks end the text: how often each was seen and its frames, the
 * outermost first: "m", the module, "+" and the place in its file, hexadecimal;
 * or any other text. */
void twl_profile_ask(tw_lua *lua, tw_question *question);

#endif
