/* clockwork.h - a timing wheel driven by the loop: one timer for them all.
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_CLOCKWORK_H
#define TW_NET_CLOCKWORK_H

#include "net/loop.h"
#include "net/wheel.h"

typedef struct tw__clockwork {
    tw__loop *loop;
    tw__wheel wheel;
    tw__clock_timer _timer;
    tw__turn_hook _hook;
    uint64_t _armed_ms; /* UINT64_MAX: the timer is off */
    bool _is_stale, _is_paused;
} tw__clockwork;

/* 0 or TW_EIO. The struct must not move while it is open. */
int tw__clockwork_init(tw__clockwork *clockwork, tw__loop *loop);

/* Nothing fires any more. Asynchronous end: the memory must live until the loop
 * is closed. Entries still set may be cleared until then. */
void tw__clockwork_close(tw__clockwork *clockwork);

/* Fires after `delay_ms` from the loop's now; at the earliest in a later turn.
 * At most 1,024 entries fire in a turn, the others in the next. */
void tw__clockwork_set_node(tw__clockwork *clockwork, tw__wheel_node *node,
                            uint64_t delay_ms);

static inline void tw__clockwork_set(tw__clockwork *clockwork,
                                     tw__wheel_entry *entry,
                                     uint64_t delay_ms) {
    tw__clockwork_set_node(clockwork, &entry->node, delay_ms);
}

static inline void tw__clockwork_clear_node(tw__clockwork *clockwork,
                                            tw__wheel_node *node) {
    tw__wheel_clear_node(&clockwork->wheel, node);
}

static inline void tw__clockwork_clear(tw__clockwork *clockwork,
                                       tw__wheel_entry *entry) {
    tw__wheel_clear(&clockwork->wheel, entry);
}

/* While paused nothing fires, from the moment of the call on; what fell due
 * fires in a turn after the resume. Entries may be set and cleared. */
void tw__clockwork_pause(tw__clockwork *clockwork);
void tw__clockwork_resume(tw__clockwork *clockwork);

#endif
