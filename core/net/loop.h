/* loop.h - one libuv loop seen as turns.
 *
 * Belongs to one thread. A turn is: events and timers are handled, then, just
 * before the loop would wait again, every registered turn hook runs in the
 * order of its rank. What a turn produced (publications, replies, link records,
 * closes) leaves at its end, in batches.
 *
 * The loop is either ours (host == NULL) or a host's uv_loop_t; then the host
 * runs it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_LOOP_H
#define TW_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"

typedef struct tw__loop tw__loop;
typedef struct tw__turn_hook tw__turn_hook;

/* The order in which the hooks of a turn's end run. */
enum tw__turn_rank {
    TW__TURN_BUS,   /* home work, link records in and out of local queues */
    TW__TURN_HUB,   /* batches are encoded and walked */
    TW__TURN_WRITE, /* connections with something queued are written */
    TW__TURN_LINK,  /* one write per peer */
    TW__TURN_CLOSE, /* what was closed in this turn is freed */
    TW__TURN_RANKS
};

/* Returns true when work is left: the loop then does not wait but begins
 * another turn after looking at its events. */
typedef bool (*tw__turn_cb)(tw__turn_hook *hook);

struct tw__turn_hook {
    tw__turn_cb cb;
    tw__list _node;
};

struct tw__loop {
    uv_loop_t *uv;
    uint64_t turns;      /* turns ended, for hang detection */
    void (*on_turn)(tw__loop *loop, void *arg); /* may be NULL; after all hooks */
    void *on_turn_arg;
    uint64_t _now_ms;
    uv_loop_t _own;
    uv_prepare_t _prepare;
    uv_idle_t _idle;
    tw__list _hooks[TW__TURN_RANKS];
    unsigned _open_handles;
    bool _is_own, _is_idle_on, _closing;
};

/* 0, TW_ENOMEM or TW_EIO. `host` may be NULL. */
int tw__loop_init(tw__loop *loop, uv_loop_t *host);

/* Begins closing the loop's handles. With an own loop it then runs the loop
 * until every handle is closed and frees it; on a host's loop `on_closed` is
 * called from a later turn, and only then may the memory go. Users of the loop
 * (pollers, mailboxes, timers) are closed before by their owners. */
void tw__loop_close(tw__loop *loop, void (*on_closed)(void *arg), void *arg);

/* Runs the own loop until tw__loop_stop. */
void tw__loop_run(tw__loop *loop);
void tw__loop_stop(tw__loop *loop);

/* One turn; does not wait longer than `wait_ms` for events. For tests. */
void tw__loop_run_once(tw__loop *loop, uint64_t wait_ms);

/* Monotonic milliseconds, read once a turn (CLOCK_MONOTONIC). */
uint64_t tw__loop_now(const tw__loop *loop);

/* Reads the clock again, after work that took long. */
void tw__loop_update_now(tw__loop *loop);

void tw__loop_add_hook(tw__loop *loop, tw__turn_hook *hook, tw__turn_cb cb,
                       enum tw__turn_rank rank);
void tw__loop_remove_hook(tw__turn_hook *hook);

/* Makes the coming turn not wait: work was queued from outside of a turn. */
void tw__loop_wake(tw__loop *loop);

#endif
