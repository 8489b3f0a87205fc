/* timer.h - tw.after and tw.every.
 *
 * Timers belong to their generation. Those made while the script loads start
 * at the switch to it; one with a name takes over the beat that its namesake
 * in the old generation had. A timer never overlaps itself: ticks that come
 * due while it runs are skipped and counted.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_TIMER_H
#define TWL_TIMER_H

#include "bridge.h"

int twl_timer_after(lua_State *L); /* tw.after(seconds, fn) */
int twl_timer_every(lua_State *L); /* tw.every(seconds, fn, options) */

/* The generation has become the current one; `old` may be NULL. Starts its
 * timers. Those of the old one must not have been stopped yet. */
void twl_timers_start(twl_gen *gen, const twl_gen *old);

/* No tick comes any more; a run under way goes on. */
void twl_timers_stop(twl_gen *gen);

void twl_timer_define(lua_State *L);

#endif
