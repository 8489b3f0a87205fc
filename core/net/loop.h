/* loop.h - one libuv loop seen as turns.
 *
 * Belongs to one thread. A turn is: events and timers are handled, then, just
 * before the loop would wait again, every registered turn hook runs in the
 * order of its rank. What a turn produced (publications, replies, link records,
 * closes) leaves at its end, in batches.
 *
 * The loop is either ours (host == NULL) or a host's uv_loop_t; then the host
 * runs it. From init to close a tw__loop keeps its uv loop alive: a host's
 * uv_run does not return just because nobody is connected.
 *
 * The struct must not move while it is open.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_LOOP_H
#define TW_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "net/clock.h"

typedef struct tw__loop tw__loop;
typedef struct tw__turn_hook tw__turn_hook;

/* The order in which the hooks of a turn's end run. The link comes before the
 * sockets: what a walk to thousands of them takes, other workers need not wait
 * for, and do their part of it at the same time. */
enum tw__turn_rank {
    TW__TURN_BUS,   /* home work, link records in and out of local queues */
    TW__TURN_LINK,  /* one write per peer */
    TW__TURN_HUB,   /* batches are encoded and walked */
    TW__TURN_WRITE, /* connections with something queued are written */
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
    tw__clock clock;
    uint64_t turns; /* turns ended, for hang detection */
    /* After all hooks; may be NULL. */
    void (*on_turn)(tw__loop *loop, void *arg);
    void *on_turn_arg;
    void (*_on_closed)(void *arg);
    void *_on_closed_arg;
    uint64_t _turn_ms;
    uv_loop_t _own;
    uv_prepare_t _prepare; /* the end of a turn */
    uv_check_t _check;     /* all its events were seen */
    uv_idle_t _idle;       /* while on, the loop does not wait */
    uv_timer_t _limit;     /* of tw__loop_run_once */
    tw__list _hooks[TW__TURN_RANKS];
    int _rank; /* whose hooks run now; TW__TURN_RANKS: nobody's */
    unsigned _open_handles;
    bool _is_own, _is_woken, _is_in_turn, _is_closing;
};

/* 0, TW_ENOMEM or TW_EIO. `host` may be NULL. */
int tw__loop_init(tw__loop *loop, uv_loop_t *host);

/* Begins closing the loop's handles; no hook runs any more and all are taken
 * out. With an own loop (never from inside of its run) it then runs the loop
 * until every handle is closed, frees it and calls `on_closed`, which may be
 * NULL. On a host's loop `on_closed` is called from a later turn, and only then
 * may the memory go. Users of the loop (pollers, mailboxes, clockworks) are
 * closed before by their owners; their memory may go at the same time. */
void tw__loop_close(tw__loop *loop, void (*on_closed)(void *arg), void *arg);

/* Runs the own loop until tw__loop_stop. A stop before the run counts. */
void tw__loop_run(tw__loop *loop);
void tw__loop_stop(tw__loop *loop);

/* What was queued leaves (the hooks run once), then waits at most `wait_ms`
 * for events and handles them; what those queue leaves with the next call. May
 * wait less, so call it until what you wait for is there. On either kind of
 * loop, from outside of its run. For tests. */
void tw__loop_run_once(tw__loop *loop, uint64_t wait_ms);

/* Milliseconds of CLOCK_MONOTONIC, so comparable between the processes of a
 * machine; read by libuv when events arrive and again before timers. Under a
 * held clock: of that. */
uint64_t tw__loop_now(const tw__loop *loop);

/* Milliseconds since 1970, for what people read. */
int64_t tw__loop_wall(const tw__loop *loop);

/* The same as it was when this turn's events arrived. */
uint64_t tw__loop_turn_ms(const tw__loop *loop);

/* Reads the clock again, after work that took long. */
void tw__loop_update_now(tw__loop *loop);

/* For tests, of the core and of scripts. From now on the loop's time stands
 * still, at `at_ms` or at now when that is past, and moves only by
 * tw__loop_advance: see clock.h. Before the first turn, or from inside of one;
 * members that share a time are held at the same. */
void tw__loop_hold(tw__loop *loop, uint64_t at_ms);

/* Sends a held clock `ms` on. It goes while the loop runs, turn by turn;
 * everything that falls due on the way is fired at its time. */
void tw__loop_advance(tw__loop *loop, uint64_t ms);

/* False once the time has come there and nothing is left to do in it. Work
 * that never ends (an idle callback that always wants more) holds time up. */
bool tw__loop_is_advancing(const tw__loop *loop);

/* `hook` is borrowed until it is removed. Hooks may add and remove any hook,
 * themselves too, and free those they removed. Within a rank they run in the
 * order of adding; one added to the rank that is running waits for the next
 * turn. */
void tw__loop_add_hook(tw__loop *loop, tw__turn_hook *hook, tw__turn_cb cb,
                       enum tw__turn_rank rank);
void tw__loop_remove_hook(tw__turn_hook *hook);

/* Makes the coming turn not wait: work was queued from outside of a turn, or by
 * a hook for one that ran before it. */
void tw__loop_wake(tw__loop *loop);

/* The same for work that the hooks of `rank` do; not needed, and not done, when
 * they are still to run in the turn's end that is under way. */
static inline void tw__loop_wake_for(tw__loop *loop, enum tw__turn_rank rank) {
    if (loop->_rank >= (int)rank) {
        tw__loop_wake(loop);
    }
}

/* For the files of net/: counts an initialised handle as a user of the loop,
 * and closes such a one. `data` of the handle is the loop's. */
void tw__loop_adopt(tw__loop *loop, uv_handle_t *handle);
void tw__loop_close_handle(uv_handle_t *handle);

#endif
