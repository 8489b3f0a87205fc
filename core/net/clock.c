/* SPDX-License-Identifier: MIT */
#include "net/clock.h"

#include <assert.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "tidewire/errors.h"

/* Under either clock a timer fires from libuv's phase of timers, so that what
 * may happen in which order does not depend on the clock. Under a held one the
 * uv_timer is started when the deadline has been reached, with no delay. */

static tw__clock_timer *timer_at(tw__list *node) {
    return TW__CONTAINER(node, tw__clock_timer, _node);
}

static int64_t real_wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void tw__clock_init(tw__clock *clock, uv_loop_t *uv) {
    memset(clock, 0, sizeof *clock);
    tw__list_init(&clock->_timers);
    clock->_uv = uv;
}

int64_t tw__clock_wall(const tw__clock *clock) {
    return clock->_is_held ? (int64_t)clock->_now_ms + clock->_wall_ahead_ms
                           : real_wall_ms();
}

static void on_uv_timer(uv_timer_t *uv) {
    tw__clock_timer *timer = TW__CONTAINER(uv, tw__clock_timer, _uv);
    timer->_due_ms = UINT64_MAX;
    timer->cb(timer);
}

/* What has not been reached is not left to the machine's clock. */
static void fire_due(tw__clock *clock) {
    for (tw__list *node = clock->_timers.next; node != &clock->_timers;
         node = node->next) {
        tw__clock_timer *timer = timer_at(node);
        if (timer->_due_ms <= clock->_now_ms) {
            uv_timer_start(&timer->_uv, on_uv_timer, 0, 0);
        } else {
            uv_timer_stop(&timer->_uv);
        }
    }
}

void tw__clock_hold(tw__clock *clock, uint64_t at_ms) {
    uint64_t now_ms = tw__clock_now(clock);
    assert(!clock->_is_held);
    clock->_now_ms = at_ms > now_ms ? at_ms : now_ms;
    clock->_target_ms = clock->_now_ms;
    clock->_wall_ahead_ms = real_wall_ms() - (int64_t)clock->_now_ms;
    clock->_is_held = true;
    fire_due(clock);
}

void tw__clock_hold_from(tw__clock *clock, uint64_t now_ms, int64_t wall_ms) {
    assert(!clock->_is_held && tw__list_is_empty(&clock->_timers));
    clock->_now_ms = clock->_target_ms = now_ms;
    clock->_wall_ahead_ms = wall_ms - (int64_t)now_ms;
    clock->_is_held = true;
}

void tw__clock_advance(tw__clock *clock, uint64_t ms) {
    assert(clock->_is_held);
    clock->_target_ms += ms;
    clock->_is_moving = true;
}

uint64_t tw__clock_next_ms(const tw__clock *clock) {
    uint64_t due_ms = UINT64_MAX;
    for (tw__list *node = clock->_timers.next; node != &clock->_timers;
         node = node->next) {
        if (timer_at(node)->_due_ms < due_ms) {
            due_ms = timer_at(node)->_due_ms;
        }
    }
    return due_ms;
}

/* What the turn wrote to a member of the same process is there already. */
static bool has_events(const tw__clock *clock) {
    struct pollfd backend = {.fd = uv_backend_fd(clock->_uv), .events = POLLIN};
    return poll(&backend, 1, 0) > 0;
}

bool tw__clock_step(tw__clock *clock) {
    if (!clock->_is_moving) {
        return false;
    }
    uint64_t due_ms = tw__clock_next_ms(clock);
    if (due_ms <= clock->_now_ms || has_events(clock)) {
        return true; /* time waits for what is to be seen to now */
    }
    if (clock->_now_ms == clock->_target_ms) {
        clock->_is_moving = false;
        return false;
    }
    clock->_now_ms = due_ms < clock->_target_ms ? due_ms : clock->_target_ms;
    fire_due(clock);
    return true;
}

int tw__clock_timer_init(tw__clock_timer *timer, tw__clock *clock,
                         void (*cb)(tw__clock_timer *timer)) {
    if (uv_timer_init(clock->_uv, &timer->_uv) != 0) {
        return TW_EIO;
    }
    timer->cb = cb;
    timer->_clock = clock;
    timer->_due_ms = UINT64_MAX;
    tw__list_push(&clock->_timers, &timer->_node);
    return 0;
}

void tw__clock_timer_detach(tw__clock_timer *timer) {
    tw__clock_timer_stop(timer);
    tw__list_remove(&timer->_node);
}

void tw__clock_timer_start(tw__clock_timer *timer, uint64_t at_ms) {
    uint64_t now_ms = tw__clock_now(timer->_clock);
    timer->_due_ms = at_ms;
    if (at_ms <= now_ms) {
        uv_timer_start(&timer->_uv, on_uv_timer, 0, 0);
    } else if (!timer->_clock->_is_held) {
        uv_timer_start(&timer->_uv, on_uv_timer, at_ms - now_ms, 0);
    }
}

void tw__clock_timer_stop(tw__clock_timer *timer) {
    timer->_due_ms = UINT64_MAX;
    uv_timer_stop(&timer->_uv);
}
