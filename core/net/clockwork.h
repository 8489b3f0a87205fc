/* clockwork.h - a timing wheel driven by the loop: one uv_timer for them all.
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_CLOCKWORK_H
#define TW_NET_CLOCKWORK_H

#include "net/loop.h"
#include "net/wheel.h"

typedef struct tw__clockwork {
    tw__loop *loop;
    tw__wheel wheel;
    uv_timer_t _timer;
    tw__turn_hook _hook;
    uint64_t _armed_ms;
    bool _paused;
} tw__clockwork;

int tw__clockwork_init(tw__clockwork *clockwork, tw__loop *loop);
void tw__clockwork_close(tw__clockwork *clockwork);

/* Fires after `delay_ms` from the loop's now; at the earliest in a later turn. */
void tw__clockwork_set(tw__clockwork *clockwork, tw__wheel_entry *entry,
                       uint64_t delay_ms);
void tw__clockwork_clear(tw__clockwork *clockwork, tw__wheel_entry *entry);

/* While paused nothing fires; what fell due fires after the resume. */
void tw__clockwork_pause(tw__clockwork *clockwork);
void tw__clockwork_resume(tw__clockwork *clockwork);

#endif
