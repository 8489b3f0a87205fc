/* clock.h - the time of a loop: the machine's, or one that is moved by hand.
 *
 * Part of a tw__loop; whatever net/, bus/ and server/ know of time comes from
 * it. To begin with it is libuv's cached CLOCK_MONOTONIC. A held clock stands
 * still and goes where it is sent, by way of every deadline in between: at the
 * end of a turn that left no work and no event to be seen it moves to the next
 * one, and what is due there fires in the turn after. So whatever a deadline
 * sets off is done, as far as it is up to this loop, before time goes on.
 * Events still come when they come: a loop with a held clock waits for them in
 * real time.
 *
 * Belongs to the loop's thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_CLOCK_H
#define TW_NET_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"

typedef struct tw__clock tw__clock;
typedef struct tw__clock_timer tw__clock_timer;

struct tw__clock {
    uv_loop_t *_uv;
    tw__list _timers;
    uint64_t _now_ms, _target_ms; /* of a held clock */
    int64_t _wall_ahead_ms;       /* of _now_ms */
    bool _is_held, _is_moving;
};

/* One deadline; for the clockworks. Fires once, from the loop's timers, in a
 * turn after the one that started it. Must not move while it is open. */
struct tw__clock_timer {
    void (*cb)(tw__clock_timer *timer);
    tw__clock *_clock;
    tw__list _node;
    uint64_t _due_ms; /* UINT64_MAX: stopped */
    uv_timer_t _uv;
};

void tw__clock_init(tw__clock *clock, uv_loop_t *uv);

static inline uint64_t tw__clock_now(const tw__clock *clock) {
    return clock->_is_held ? clock->_now_ms : uv_now(clock->_uv);
}

/* Milliseconds since 1970; of a held clock: what the machine's wall clock said
 * when it was held, and what has passed on it since. */
int64_t tw__clock_wall(const tw__clock *clock);

/* The time stands still at `at_ms`, or at now when that is past. There is no
 * way back. */
void tw__clock_hold(tw__clock *clock, uint64_t at_ms);

/* The same at just this time, and `wall_ms` is the wall clock's: for one of
 * several loops that share a time. Before any deadline is set. */
void tw__clock_hold_from(tw__clock *clock, uint64_t now_ms, int64_t wall_ms);

/* The earliest deadline; UINT64_MAX: there is none. */
uint64_t tw__clock_next_ms(const tw__clock *clock);

/* Sends a held clock on, from where it is going already; the loop makes the
 * steps, which tw__loop_advance sees to. */
void tw__clock_advance(tw__clock *clock, uint64_t ms);

/* False once it has arrived and all that this set off is done. */
static inline bool tw__clock_is_moving(const tw__clock *clock) {
    return clock->_is_moving;
}

/* For the loop, at the end of a turn without work left: a held clock makes its
 * next step. True when another turn is due: it did, or has to wait for one. */
bool tw__clock_step(tw__clock *clock);

/* 0 or TW_EIO. Closing is for the owner of the loop's handles to do, after
 * tw__clock_timer_detach. */
int tw__clock_timer_init(tw__clock_timer *timer, tw__clock *clock,
                         void (*cb)(tw__clock_timer *timer));
void tw__clock_timer_detach(tw__clock_timer *timer);

/* Starts it anew, to fire when the clock shows `at_ms` or later. */
void tw__clock_timer_start(tw__clock_timer *timer, uint64_t at_ms);
void tw__clock_timer_stop(tw__clock_timer *timer);

#endif
