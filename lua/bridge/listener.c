/* A listener at work: its queue, its runs, its way to another generation.
 *
 * SPDX-License-Identifier: MIT */
#include "listen.h"

#include <lauxlib.h>
#include <string.h>

#include "heard.h"
#include "job.h"
#include "log.h"
#include "msg.h"
#include "vm_alloc.h"

/* So many waiting publications of one listener run in a turn of the loop. */
enum { RUNS_A_TURN = 64 };

/* ---- life ---------------------------------------------------------------- */

void twl_listener_unref(twl_listener *listener) {
    if (--listener->refs == 0) {
        twl_free(listener);
    }
}

static void release_function(twl_listener *listener) {
    twl_unref(listener->gen->vm, listener->fn);
    twl_unref(listener->gen->vm, listener->name);
    listener->fn = listener->name = LUA_NOREF;
}

void twl_listener_stop(twl_listener *listener) {
    if (listener->is_over) {
        return;
    }
    listener->is_over = true;
    listener->gen->listener_count--;
    twl_link_remove(&listener->node);
    twl_link_remove(&listener->eager);
    if (listener->feed) {
        twl_feed_leave(listener->feed, &listener->fed);
        listener->feed = NULL;
    }
    twl_heard_clear(listener);
    if (!listener->is_running) {
        release_function(listener);
    }
    twl_listener_unref(listener);
}

/* ---- running ------------------------------------------------------------- */

static void make_eager(twl_listener *listener) {
    tw_lua *lua = listener->gen->lua;
    twl_link_remove(&listener->eager);
    twl_link_append(&lua->eager, &listener->eager);
    twl_ready_post(lua);
}

static int put_heard(lua_State *co, void *arg) {
    const twl_job *job = arg;
    const twl_listener *listener = job->owner;
    twl_msg_push(co, job);
    twl_push_ref(co, listener->name);
    return 2;
}

/* The next one starts in a turn of its own, never inside the end of this one.
 */
static void finish(twl_job *job, twl_status status) {
    twl_listener *listener = job->owner;
    (void)status;
    listener->is_running = false;
    if (listener->is_over) {
        release_function(listener);
    } else if (listener->waiting > 0) {
        make_eager(listener);
    }
    twl_listener_unref(listener);
}

static const twl_kind kind = {
    .spec = {.name = "tw.subscribe", .put = put_heard},
    .row = TWL_ROW_LISTENER,
    .is_limited = true,
    .finish = finish,
};

static twl_job *take_job(twl_listener *listener) {
    twl_job *job = twl_job_take(listener->gen, &kind);
    if (job) {
        job->owner = listener;
        job->channel = listener->channel;
    }
    return job;
}

static void start(twl_listener *listener, twl_job *job) {
    listener->is_running = true;
    listener->refs++;
    twl_job_start(job, listener->fn);
}

void twl_listener_hear(twl_listener *listener,
                       const tw_publication *publication) {
    tw_lua *lua = listener->gen->lua;
    bool is_free = !listener->is_running && listener->waiting == 0 &&
                   !lua->running && !lua->is_frozen;
    twl_job *job = is_free ? take_job(listener) : NULL;
    if (!job) {
        twl_heard_add(listener, publication);
        if (!listener->is_running) {
            make_eager(listener);
        }
        return;
    }
    tw_msg msg = {.data = publication->data,
                  .len = publication->len,
                  .binary = publication->binary};
    job->msg = &msg; /* a job that waits makes a copy */
    job->offset = publication->offset;
    job->key = publication->key;
    start(listener, job);
}

/* False when nothing more can be done in this turn. */
static bool run_waiting(twl_listener *listener) {
    if (listener->is_over || listener->is_running || listener->waiting == 0) {
        return false;
    }
    twl_job *job = take_job(listener);
    if (!job) {
        return false;
    }
    twl_heard_take(listener, job);
    start(listener, job);
    return true;
}

static void go_on(twl_listener *listener) {
    listener->refs++;
    for (int i = 0; i < RUNS_A_TURN && run_waiting(listener); i++) {
    }
    if (!listener->is_over && !listener->is_running && listener->waiting > 0) {
        make_eager(listener);
    }
    twl_listener_unref(listener);
}

/* What gets eager meanwhile has its turn in the next one. */
void twl_listeners_turn(tw_lua *lua) {
    twl_link now;
    twl_link_init(&now);
    twl_link_splice(&now, &lua->eager);
    while (!twl_link_is_empty(&now)) {
        twl_listener *listener = TWL_OF(now.next, twl_listener, eager);
        twl_link_remove(&listener->eager);
        go_on(listener);
    }
}

/* ---- generations --------------------------------------------------------- */

int twl_listener_begin(twl_listener *listener) {
    tw_str channel = {listener->channel, listener->len};
    listener->feed = twl_feed_join(listener->gen->lua, channel, &listener->fed);
    return listener->feed ? 0 : TW_ENOMEM;
}

/* The first listener of the old generation to the same channel that nobody has
 * succeeded yet: where there are several, they follow each other in order. */
static twl_listener *predecessor(const twl_listener *listener,
                                 const twl_gen *old) {
    for (twl_link *at = old->listeners.next; at != &old->listeners;
         at = at->next) {
        twl_listener *other = TWL_OF(at, twl_listener, node);
        if (!other->is_succeeded && other->len == listener->len &&
            memcmp(other->channel, listener->channel, other->len) == 0) {
            return other;
        }
    }
    return NULL;
}

static void succeed(twl_listener *listener, const twl_gen *old) {
    twl_listener *before = old ? predecessor(listener, old) : NULL;
    if (before) {
        before->is_succeeded = true;
        twl_heard_move(listener, before);
    }
    if (listener->waiting > 0) {
        make_eager(listener);
    }
}

void twl_listeners_start(twl_gen *gen, const twl_gen *old) {
    twl_link *next;
    for (twl_link *at = gen->listeners.next; at != &gen->listeners; at = next) {
        twl_listener *listener = TWL_OF(at, twl_listener, node);
        next = at->next;
        if (twl_listener_begin(listener)) {
            tw_log_field field = {"channel", listener->channel};
            twl_log_write(gen->vm, TW_LOG_ERROR, "tw.subscribe: out of memory",
                          &field, 1);
            twl_listener_stop(listener);
        } else {
            succeed(listener, old);
        }
    }
}

void twl_listeners_stop(twl_gen *gen) {
    while (!twl_link_is_empty(&gen->listeners)) {
        twl_listener_stop(TWL_OF(gen->listeners.next, twl_listener, node));
    }
}
