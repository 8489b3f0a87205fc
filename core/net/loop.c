/* SPDX-License-Identifier: MIT */
#include "net/loop.h"

#include <assert.h>
#include <string.h>

#include "tidewire/errors.h"

/* While an idle handle is active libuv does not wait; that is all it is for. */
static void on_idle(uv_idle_t *idle) {
    (void)idle;
}

static void on_limit(uv_timer_t *timer) {
    (void)timer;
}

static void set_waiting(tw__loop *loop, bool waits) {
    if (waits) {
        uv_idle_stop(&loop->_idle);
    } else {
        uv_idle_start(&loop->_idle, on_idle);
    }
}

static void detach_all(tw__list *hooks) {
    while (tw__list_shift(hooks) != NULL) {
    }
}

/* The hooks that are still to run and those that ran stand in lists of their
 * own, so that a hook can take any other out of whichever it is in, and what is
 * added meanwhile is not run. */
static bool run_rank(tw__loop *loop, tw__list *hooks) {
    tw__list waiting, done, *node;
    bool is_work_left = false;
    tw__list_init(&waiting);
    tw__list_init(&done);
    tw__list_move_all(&waiting, hooks);
    while (!loop->_is_closing && (node = tw__list_shift(&waiting)) != NULL) {
        tw__turn_hook *hook = TW__CONTAINER(node, tw__turn_hook, _node);
        tw__list_push(&done, node);
        is_work_left |= hook->cb(hook);
    }
    if (loop->_is_closing) {
        detach_all(&waiting);
        detach_all(&done);
    }
    tw__list_move_all(&done, hooks);
    tw__list_move_all(hooks, &done);
    return is_work_left;
}

static void on_prepare(uv_prepare_t *prepare) {
    tw__loop *loop = prepare->data;
    bool is_work_left = false;
    loop->_is_woken = false;
    for (int rank = 0; rank < TW__TURN_RANKS; rank++) {
        loop->_rank = rank;
        is_work_left |= run_rank(loop, &loop->_hooks[rank]);
    }
    loop->_rank = TW__TURN_RANKS;
    loop->turns++;
    loop->_is_in_turn = false;
    if (loop->on_turn != NULL && !loop->_is_closing) {
        loop->on_turn(loop, loop->on_turn_arg);
    }
    if (!loop->_is_closing) {
        bool is_quiet = !is_work_left && !loop->_is_woken;
        set_waiting(loop, is_quiet && !tw__clock_step(&loop->clock));
    }
}

static void begin_turn(tw__loop *loop) {
    if (!loop->_is_in_turn) {
        loop->_is_in_turn = true;
        loop->_turn_ms = tw__loop_now(loop);
    }
}

static void on_check(uv_check_t *check) {
    begin_turn(check->data);
}

static void init_handles(tw__loop *loop) {
    uv_prepare_init(loop->uv, &loop->_prepare);
    uv_check_init(loop->uv, &loop->_check);
    uv_idle_init(loop->uv, &loop->_idle);
    uv_timer_init(loop->uv, &loop->_limit);
    tw__loop_adopt(loop, (uv_handle_t *)&loop->_prepare);
    tw__loop_adopt(loop, (uv_handle_t *)&loop->_check);
    tw__loop_adopt(loop, (uv_handle_t *)&loop->_idle);
    tw__loop_adopt(loop, (uv_handle_t *)&loop->_limit);
    uv_prepare_start(&loop->_prepare, on_prepare);
    uv_check_start(&loop->_check, on_check);
}

int tw__loop_init(tw__loop *loop, uv_loop_t *host) {
    memset(loop, 0, sizeof *loop);
    loop->_rank = TW__TURN_RANKS;
    for (int rank = 0; rank < TW__TURN_RANKS; rank++) {
        tw__list_init(&loop->_hooks[rank]);
    }
    loop->uv = host;
    if (host == NULL) {
        int err = uv_loop_init(&loop->_own);
        if (err != 0) {
            return err == UV_ENOMEM ? TW_ENOMEM : TW_EIO;
        }
        loop->uv = &loop->_own;
        loop->_is_own = true;
    }
    uv_update_time(loop->uv); /* a host's loop may have stood still */
    loop->_turn_ms = uv_now(loop->uv);
    tw__clock_init(&loop->clock, loop->uv);
    init_handles(loop);
    return 0;
}

void tw__loop_adopt(tw__loop *loop, uv_handle_t *handle) {
    handle->data = loop;
    loop->_open_handles++;
}

/* libuv closes the handles of a turn last in, first out: the loop's own would
 * be reported before those of its users. Therefore all are counted. */
static void on_handle_closed(uv_handle_t *handle) {
    tw__loop *loop = handle->data;
    loop->_open_handles--;
    if (loop->_open_handles == 0 && loop->_is_closing && !loop->_is_own &&
        loop->_on_closed != NULL) {
        loop->_on_closed(loop->_on_closed_arg);
    }
}

void tw__loop_close_handle(uv_handle_t *handle) {
    uv_close(handle, on_handle_closed);
}

static void note_if_closing(uv_handle_t *handle, void *is_any) {
    if (uv_is_closing(handle)) {
        *(bool *)is_any = true;
    }
}

/* Handles that are open and not even closing are somebody's mistake: waiting
 * for those would take for ever. */
static bool has_closing_handles(uv_loop_t *uv) {
    bool is_any = false;
    uv_walk(uv, note_if_closing, &is_any);
    return is_any;
}

void tw__loop_close(tw__loop *loop, void (*on_closed)(void *arg), void *arg) {
    assert(!loop->_is_closing);
    loop->_is_closing = true;
    loop->_on_closed = on_closed;
    loop->_on_closed_arg = arg;
    for (int rank = 0; rank < TW__TURN_RANKS; rank++) {
        detach_all(&loop->_hooks[rank]);
    }
    tw__loop_close_handle((uv_handle_t *)&loop->_prepare);
    tw__loop_close_handle((uv_handle_t *)&loop->_check);
    tw__loop_close_handle((uv_handle_t *)&loop->_idle);
    tw__loop_close_handle((uv_handle_t *)&loop->_limit);
    if (!loop->_is_own) {
        return;
    }
    while (has_closing_handles(loop->uv)) {
        uv_run(loop->uv, UV_RUN_ONCE); /* does not wait: they are pending */
    }
    int err = uv_loop_close(loop->uv);
    assert(err == 0); /* else somebody left a handle of his own in it */
    (void)err;
    if (on_closed != NULL) {
        on_closed(arg);
    }
}

void tw__loop_run(tw__loop *loop) {
    assert(loop->_is_own);
    uv_run(loop->uv, UV_RUN_DEFAULT);
}

void tw__loop_stop(tw__loop *loop) {
    assert(loop->_is_own);
    uv_stop(loop->uv);
}

void tw__loop_run_once(tw__loop *loop, uint64_t wait_ms) {
    if (wait_ms == 0) {
        uv_run(loop->uv, UV_RUN_NOWAIT);
        return;
    }
    uv_update_time(loop->uv); /* a timer starts from the cached time */
    /* May be over before the loop waits, which must have an end then, too. */
    uv_timer_start(&loop->_limit, on_limit, wait_ms, wait_ms);
    uv_run(loop->uv, UV_RUN_ONCE);
    if (!loop->_is_closing) {
        uv_timer_stop(&loop->_limit);
    }
}

uint64_t tw__loop_now(const tw__loop *loop) {
    return tw__clock_now(&loop->clock);
}

int64_t tw__loop_wall(const tw__loop *loop) {
    return tw__clock_wall(&loop->clock);
}

uint64_t tw__loop_turn_ms(const tw__loop *loop) {
    return loop->_is_in_turn ? loop->_turn_ms : tw__loop_now(loop);
}

void tw__loop_update_now(tw__loop *loop) {
    begin_turn(loop);
    uv_update_time(loop->uv);
}

void tw__loop_hold(tw__loop *loop, uint64_t at_ms) {
    tw__clock_hold(&loop->clock, at_ms);
}

void tw__loop_advance(tw__loop *loop, uint64_t ms) {
    tw__clock_advance(&loop->clock, ms);
    tw__loop_wake(loop);
}

bool tw__loop_is_advancing(const tw__loop *loop) {
    return tw__clock_is_moving(&loop->clock);
}

void tw__loop_add_hook(tw__loop *loop, tw__turn_hook *hook, tw__turn_cb cb,
                       enum tw__turn_rank rank) {
    assert(!loop->_is_closing);
    hook->cb = cb;
    tw__list_push(&loop->_hooks[rank], &hook->_node);
}

void tw__loop_remove_hook(tw__turn_hook *hook) {
    tw__list_remove(&hook->_node);
}

void tw__loop_wake(tw__loop *loop) {
    loop->_is_woken = true;
    if (!loop->_is_closing) {
        set_waiting(loop, false);
    }
}
