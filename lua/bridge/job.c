/* SPDX-License-Identifier: MIT */
#include "job.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "log.h"
#include "opts.h"
#include "task.h"
#include "vm_alloc.h"
#include "vm_state.h" /* a call's ticks */

twl_job *twl_job_take(twl_gen *gen, const twl_kind *kind) {
    tw_lua *lua = gen->lua;
    twl_job *job;
    if (twl_link_is_empty(&lua->free_jobs)) {
        job = twl_zalloc(sizeof *job);
        if (!job) {
            return NULL;
        }
        twl_link_append(&lua->all_jobs, &job->all);
        twl_link_init(&job->ready);
        twl_link_init(&job->node);
        twl_link_init(&job->waiter);
        job->refs[0] = job->refs[1] = LUA_NOREF;
    } else {
        /* The one used last: its memory and its coroutine are warm. */
        job = TWL_OF(lua->free_jobs.prev, twl_job, node);
        twl_link_remove(&job->node);
    }
    job->serial = ++lua->serial;
    job->gen = gen;
    job->kind = kind;
    job->limit_left_ms = kind->is_limited ? lua->hook_wait_ms : UINT64_MAX;
    return job;
}

void twl_job_drop(twl_job *job) {
    twl_link_remove(&job->node);
    twl_link_remove(&job->ready);
    job->serial = 0;
    for (int i = 0; i < 2; i++) {
        if (job->refs[i] != LUA_NOREF) {
            twl_unref(job->gen->vm, job->refs[i]);
            job->refs[i] = LUA_NOREF;
        }
    }
    if (job->req) {
        tw_req_unref(job->req);
        job->req = NULL;
    }
    if (job->copy.data) {
        twl_free((void *)job->copy.data);
        job->copy.data = NULL;
    }
    job->call = NULL;
    job->conn = NULL;
    job->handle = 0;
    job->app = NULL;
    job->msg = NULL;
    job->input = NULL;
    job->owner = NULL;
    job->is_answered = false;
    job->is_quiet = false;
    twl_link_append(&job->gen->lua->free_jobs, &job->node);
}

/* ---- failures ----------------------------------------------------------- */

static void count_failure(tw_server *server, twl_fault kind) {
    switch (kind) {
    case TWL_RAISED:
    case TWL_CANCELLED:
        tw_server_count(server, TW_COUNTER_HOOK_ERRORS, 1);
        break;
    case TWL_BUDGET:
        tw_server_count(server, TW_COUNTER_HOOK_BUDGET, 1);
        break;
    case TWL_MEMORY:
        tw_server_count(server, TW_COUNTER_HOOK_MEMORY, 1);
        break;
    }
}

static void report_failure(twl_job *job) {
    twl_vm *vm = job->gen->vm;
    twl_fault kind = twl_vm_failure(vm)->kind;
    bool is_ours = kind == TWL_CANCELLED;
    if (!is_ours) {
        count_failure(job->gen->lua->server, kind);
    }
    twl_log_failure(vm, is_ours ? TW_LOG_WARN : TW_LOG_ERROR,
                    is_ours ? "script call ended" : "script call failed");
}

size_t twl_job_log_context(twl_vm *vm, tw_log_field *fields, size_t room,
                           void *arg) {
    tw_lua *lua = arg;
    twl_job *job = lua->running;
    static char id[TW_ID_TEXT];
    size_t n = 0;
    if (job && job->gen->vm == vm && job->conn && room >= 2) {
        tw_conn_id(job->conn, id);
        fields[n++] = (tw_log_field){"conn", id};
        tw_str user = tw_conn_user(job->conn);
        if (user.data) {
            fields[n++] = (tw_log_field){"user", user.data};
        }
    }
    return n;
}

/* ---- running ------------------------------------------------------------ */

/* A hook that waits outlives the message it was given. */
static void keep_message(twl_job *job) {
    if (!job->msg || job->msg == &job->copy) {
        return;
    }
    job->copy = *job->msg;
    job->copy.data = twl_memdup(job->msg->data, job->msg->len);
    /* Without memory the handle goes stale early, and says so. */
    job->msg = job->copy.data ? &job->copy : NULL;
}

static void wait_gauge(tw_lua *lua) {
    tw_server_gauge(lua->server, TW_GAUGE_WAITING_HOOKS, lua->waiting);
}

static void park(twl_job *job) {
    tw_lua *lua = job->gen->lua;
    keep_message(job);
    job->input = NULL;
    job->text = (tw_str){NULL, 0};
    twl_link_append(&job->gen->jobs, &job->node);
    lua->waiting++;
    wait_gauge(lua);
}

static void unpark(twl_job *job) {
    tw_lua *lua = job->gen->lua;
    twl_link_remove(&job->node);
    twl_link_remove(&job->ready);
    lua->waiting--;
    wait_gauge(lua);
}

/* The job has ended: tells its kind, and the core when that waits for it. */
static void end(twl_job *job, twl_status status, bool was_late) {
    tw_lua *lua = job->gen->lua;
    tw_conn *conn = was_late && job->kind->is_conn ? job->conn : NULL;
    twl_job *outer = lua->running;
    lua->running = job;
    if (status == TWL_FAILED && !job->is_quiet) {
        report_failure(job);
    }
    if (job->kind->finish) {
        job->kind->finish(job, status);
    }
    lua->running = outer;
    bool is_old = job->gen == lua->old;
    twl_job_drop(job);
    if (conn) {
        tw_conn_done(conn);
    }
    if (is_old) {
        twl_reload_idle(lua);
    }
}

bool twl_job_start(twl_job *job, int fn_ref) {
    tw_lua *lua = job->gen->lua;
    twl_job *outer = lua->running;
    tw_server_count(lua->server, TW_COUNTER_HOOK_CALLS, 1);
    lua->running = job;
    twl_status status = twl_run(job->gen->vm, &job->kind->spec, fn_ref, job,
                                job->kind->spec.no_wait ? NULL : &job->call);
    lua->running = outer;
    if (status == TWL_WAITING) {
        park(job);
        return true;
    }
    end(job, status, false);
    return false;
}

/* ---- waiting ------------------------------------------------------------ */

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
    return job->push(L, job);
}

static void resume(twl_job *job) {
    tw_lua *lua = job->gen->lua;
    twl_job *outer = lua->running;
    twl_link_remove(&job->ready);
    lua->running = job;
    if (job->kind->is_long) {
        job->call->ticks = 0;
    }
    twl_status status = twl_resume(job->call, push_woken, job);
    lua->running = outer;
    if (status != TWL_WAITING) {
        unpark(job);
        end(job, status, true);
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
    while (!twl_link_is_empty(&now)) {
        resume(TWL_OF(now.next, twl_job, ready));
    }
}

void twl_ready_post(tw_lua *lua) {
    if (!lua->is_posted && !lua->is_stopped && !lua->is_frozen) {
        lua->is_posted = tw_post(lua->server, on_ready, lua) == 0;
    }
}

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
    tw_lua *lua = job->gen->lua;
    twl_job *outer = lua->running;
    lua->running = job;
    twl_cancel(job->call, reason);
    lua->running = outer;
    unpark(job);
    end(job, TWL_FAILED, true);
}

void twl_jobs_cancel(twl_gen *gen, const char *reason) {
    while (!twl_link_is_empty(&gen->jobs)) {
        twl_job_cancel(TWL_OF(gen->jobs.next, twl_job, node), reason);
    }
}

void twl_jobs_free(tw_lua *lua) {
    while (!twl_link_is_empty(&lua->all_jobs)) {
        twl_job *job = TWL_OF(lua->all_jobs.next, twl_job, all);
        twl_link_remove(&job->all);
        twl_free(job);
    }
    twl_link_init(&lua->free_jobs);
}

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
    double seconds =
        twl_arg_number(L, 1, what, "seconds", 0, TWL_MAX_SECONDS);
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
