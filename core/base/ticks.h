/* ticks.h - how long a tick of tw_ticks (tidewire/hook_stats.h) is.
 *
 * Process-wide, as the clock is; a forked process knows what its parent knew.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BASE_TICKS_H
#define TW_BASE_TICKS_H

/* Chooses the clock; the first call counts. Not from two threads at once. */
void tw__ticks_init(void);

/* The length of a tick, measured from the first tw__ticks_init on, for a
 * millisecond at least: the first call may take as long. The same number each
 * time. */
double tw__ticks_seconds(void);

#endif
