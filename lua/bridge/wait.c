/* How a job waits and goes on.
 *
 * An operation may be done while another job runs, or while the server is
 * frozen: its job then goes on in a later turn. So scripts never run inside
 * each other, and none between freeze and commit.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <string.h>

#include "job.h"
#include "opts.h"
#include "task.h"
#include "vm_alloc.h"
#include "vm_state.h" /* a call's ticks */

static void stop_timers(twl_job *job) {
    if (job->sleep) {
        tw_timer_stop(job->sleep);
        job->sleep = NULL;
    }
    if (job->limit) {
        uint64_t waited = twl_now(job->gen->lua) - job->began_ms;
        tw_timer_stop(job->limit);
        job->limit = NULL;
        job->limit_left_ms -=
            waited < job->limit_left_ms ? waited : job->limit_left_ms;
    }
}

static int push_woken(lua_State *L, void *arg) {
    twl_job *job = arg;
    if (job->status || !job->push) {
        return twl_push_done(L, job->status);
    }
    int count = job->push(L, job);
    twl_free(job->answer);
    job->answer = NULL;
    return count;
}

static void resume(twl_job *job) {
    twl_link_remove(&job->ready);
    twl_job_enter(job);
    if (job->kind->is_long) {
        job->call->ticks = 0;
    }
    uint64_t began = tw_ticks();
    twl_status status = twl_resume(job->call, push_woken, job);
    twl_job_ran(job, began);
    twl_job_leave(job);
    if (status != TWL_WAITING) {
        twl_job_end(job, status);
    }
}

void twl_job_wake(twl_job *job, int status, uint64_t value) {
    tw_lua *lua = job->gen->lua;
    if (!job->is_waiting) {
        return;
    }
    stop_timers(job);
    job->is_waiting = false;
    job->status = status;
    job->value = value;
    if (!job->call || lua->running || lua->is_frozen) {
        twl_link_append(&lua->ready, &job->ready);
        twl_ready_post(lua);
        return;
    }
    resume(job);
}

/* ---- the next turn ------------------------------------------------------- */

static void on_ready(tw_server *server, void *arg) {
    tw_lua *lua = arg;
    (void)server;
    lua->is_posted = false;
    if (lua->is_stopped || lua->is_frozen) {
        return; /* thawing posts again */
    }
    /* What gets ready meanwhile has its turn in the next one. */
    twl_link now;
    twl_link_init(&now);
    twl_link_splice(&now, &lua->ready);
    twl_lifecycle_turn(lua);
    twl_tasks_begin(lua);
    twl_listeners_turn(lua);
    while (!twl_link_is_empty(&now)) {
        resume(TWL_OF(now.next, twl_job, ready));
    }
}

void twl_ready_post(tw_lua *lua) {
    if (!lua->is_posted && !lua->is_stopped && !lua->is_frozen) {
        lua->is_posted = tw_post(lua->server, on_ready, lua) == 0;
    }
}

/* ---- cancelling --------------------------------------------------------- */

/* Called by the doorway when nobody waits any more; also through
 * twl_job_cancel. */
static void on_cancel(void *arg) {
    twl_job *job = arg;
    stop_timers(job);
    twl_link_remove(&job->ready);
    if (job->is_waiting && job->cancel) {
        job->cancel(job);
    }
    job->is_waiting = false;
}

void twl_job_cancel(twl_job *job, const char *reason) {
    twl_job_enter(job);
    twl_job_ran(job, tw_ticks());
    twl_cancel(job->call, reason);
    twl_job_leave(job);
    twl_job_end(job, TWL_FAILED);
}

void twl_jobs_cancel(twl_gen *gen, const char *reason) {
    while (!twl_link_is_empty(&gen->jobs)) {
        twl_job_cancel(TWL_OF(gen->jobs.next, twl_job, node), reason);
    }
}

/* ---- for bindings ------------------------------------------------------- */

static void on_limit(tw_timer *timer, void *arg) {
    twl_job *job = arg;
    (void)timer;
    job->limit = NULL;
    job->limit_left_ms = 0;
    if (job->cancel) {
        job->cancel(job);
    }
    tw_server_count(job->gen->lua->server, TW_COUNTER_HOOK_TIMEOUTS, 1);
    twl_job_wake(job, TW_ETIMEOUT, 0);
}

twl_job *twl_wait_begin(lua_State *L, const char *what) {
    twl_gen *gen = twl_gen_of(L);
    twl_call *call = twl_wait_check(L, what);
    twl_job *job = twl_call_arg(call);
    if (gen->is_retired) {
        luaL_error(L, "retired: %s cannot wait in an old generation", what);
    }
    return job->limit_left_ms ? job : NULL;
}

int twl_wait_over(lua_State *L) {
    return twl_push_done(L, TW_ETIMEOUT);
}

int twl_wait_go(lua_State *L, twl_job *job, const char *what,
                void (*cancel)(twl_job *job),
                int (*push)(lua_State *L, twl_job *job)) {
    tw_server *server = job->gen->lua->server;
    job->cancel = cancel;
    job->push = push;
    job->is_waiting = true;
    if (job->limit_left_ms != UINT64_MAX) {
        job->began_ms = tw_server_now(server);
        job->limit = tw_timer_start(server, job->limit_left_ms, on_limit, job);
    }
    return twl_wait(L, what, on_cancel, job);
}

/* ---- operations --------------------------------------------------------- */

twl_op *twl_op_create(twl_job *job, tw_str channel) {
    twl_op *op = twl_zalloc(sizeof *op);
    if (op) {
        op->job = job;
        op->server = job->gen->lua->server;
        op->len = channel.len < sizeof op->channel ? channel.len : 0;
        memcpy(op->channel, channel.data, op->len);
    }
    return op;
}

void twl_op_end(twl_op *op, int status, uint64_t value) {
    twl_job *job = op->job;
    twl_free(op);
    if (job) {
        job->op = NULL;
        twl_job_wake(job, status, value);
    }
}

void twl_op_end_subscribed(twl_op *op, int status,
                           const tw_subscribed *result) {
    if (op->job && result) {
        op->job->subscribed = *result;
    }
    twl_op_end(op, status, 0);
}

void twl_op_end_answer(twl_op *op, int status, void *answer) {
    if (op->job) {
        op->job->answer = answer;
    } else {
        twl_free(answer);
    }
    twl_op_end(op, status, 0);
}

twl_job *twl_op_begin(lua_State *L, const char *what, tw_str channel,
                      int *results) {
    twl_job *job = twl_wait_begin(L, what);
    if (!job) {
        *results = twl_wait_over(L);
        return NULL;
    }
    job->op = twl_op_create(job, channel);
    if (!job->op) {
        *results = twl_push_done(L, TW_ENOMEM);
        return NULL;
    }
    return job;
}

int twl_op_go(lua_State *L, twl_job *job, const char *what, int code,
              int (*push)(lua_State *L, twl_job *job)) {
    return code ? twl_op_refuse(L, job, code)
                : twl_wait_go(L, job, what, twl_op_leave, push);
}

int twl_op_refuse(lua_State *L, twl_job *job, int code) {
    twl_free(job->op);
    job->op = NULL;
    return twl_push_done(L, code);
}

void twl_op_leave(twl_job *job) {
    if (job->op) {
        job->op->job = NULL;
        job->op = NULL;
    }
}

static void on_slept(tw_timer *timer, void *arg) {
    twl_job *job = arg;
    (void)timer;
    job->sleep = NULL;
    twl_job_wake(job, 0, 0);
}

int twl_sleep(lua_State *L) {
    static const char what[] = "tw.sleep";
    double seconds = twl_arg_number(L, 1, what, "seconds", 0, TWL_MAX_SECONDS);
    twl_job *job = twl_wait_begin(L, what);
    if (!job) {
        return twl_wait_over(L);
    }
    job->sleep = tw_timer_start(job->gen->lua->server,
                                twl_seconds_to_ms(seconds), on_slept, job);
    if (!job->sleep) {
        return twl_push_done(L, TW_ENOMEM);
    }
    return twl_wait_go(L, job, what, NULL, NULL);
}
