/* SPDX-License-Identifier: MIT */
#include "net/clockwork.h"

#include <string.h>

/* The timer is only moved to an earlier time, and at most once a turn, from
 * the turn's end. When its entry was cleared or moved away it fires for nothing
 * once, which is cheaper than restarting it with every heartbeat. */

enum { MAX_FIRED_A_TURN = 1024 };

/* Fires up to the time at which this turn's events arrived, not up to now: what
 * those events set is then never due in the same turn. One by one, since any
 * callback may pause. */
static void on_timer(tw__clock_timer *timer) {
    tw__clockwork *clockwork = TW__CONTAINER(timer, tw__clockwork, _timer);
    uint64_t turn_ms = tw__loop_turn_ms(clockwork->loop);
    bool is_more_due = true;
    clockwork->_armed_ms = UINT64_MAX;
    clockwork->_is_stale = true;
    for (int i = 0; i < MAX_FIRED_A_TURN; i++) {
        if (!is_more_due || clockwork->_is_paused) {
            break;
        }
        is_more_due = tw__wheel_advance(&clockwork->wheel, turn_ms, 1);
    }
}

static bool rearm(tw__turn_hook *hook) {
    tw__clockwork *clockwork = TW__CONTAINER(hook, tw__clockwork, _hook);
    if (!clockwork->_is_stale || clockwork->_is_paused) {
        return false;
    }
    clockwork->_is_stale = false;
    uint64_t next_ms = tw__wheel_next_ms(&clockwork->wheel);
    if (next_ms < clockwork->_armed_ms) {
        tw__clock_timer_start(&clockwork->_timer, next_ms);
        clockwork->_armed_ms = next_ms;
    }
    return false;
}

int tw__clockwork_init(tw__clockwork *clockwork, tw__loop *loop) {
    memset(clockwork, 0, sizeof *clockwork);
    int err = tw__clock_timer_init(&clockwork->_timer, &loop->clock, on_timer);
    if (err != 0) {
        return err;
    }
    clockwork->loop = loop;
    clockwork->_armed_ms = UINT64_MAX;
    tw__wheel_init(&clockwork->wheel, tw__loop_now(loop));
    tw__loop_adopt(loop, (uv_handle_t *)&clockwork->_timer._uv);
    tw__loop_add_hook(loop, &clockwork->_hook, rearm, TW__TURN_CLOSE);
    return 0;
}

void tw__clockwork_close(tw__clockwork *clockwork) {
    clockwork->_is_paused = true;
    tw__loop_remove_hook(&clockwork->_hook);
    tw__clock_timer_detach(&clockwork->_timer);
    tw__loop_close_handle((uv_handle_t *)&clockwork->_timer._uv);
}

void tw__clockwork_set_node(tw__clockwork *clockwork, tw__wheel_node *node,
                            uint64_t delay_ms) {
    uint64_t now_ms = tw__loop_now(clockwork->loop);
    uint64_t deadline_ms = now_ms + (delay_ms != 0 ? delay_ms : 1);
    if (deadline_ms < now_ms) {
        deadline_ms = UINT64_MAX;
    }
    tw__wheel_set_node(&clockwork->wheel, node, deadline_ms);
    if (deadline_ms < clockwork->_armed_ms && !clockwork->_is_paused) {
        clockwork->_is_stale = true;
        tw__loop_wake_for(clockwork->loop, TW__TURN_CLOSE); /* rearm's */
    }
}

void tw__clockwork_pause(tw__clockwork *clockwork) {
    clockwork->_is_paused = true;
    clockwork->_armed_ms = UINT64_MAX;
    tw__clock_timer_stop(&clockwork->_timer);
}

void tw__clockwork_resume(tw__clockwork *clockwork) {
    clockwork->_is_paused = false;
    clockwork->_is_stale = true;
    tw__loop_wake(clockwork->loop);
}
