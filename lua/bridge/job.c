/* SPDX-License-Identifier: MIT */
#include "job.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "vm_alloc.h"

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
        twl_link_init(&job->token);
        job->refs[0] = job->refs[1] = LUA_NOREF;
    } else {
        /* The one used last: its memory and its coroutine are warm. */
        job = TWL_OF(lua->free_jobs.prev, twl_job, node);
        twl_link_remove(&job->node);
    }
    lua->serial += (lua->serial + 1) & TWL_TOKEN_MASK ? 1 : 2;
    job->serial = lua->serial;
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
    if (job->answer) {
        twl_free(job->answer);
        job->answer = NULL;
    }
    job->call = NULL;
    job->conn = NULL;
    job->handle = 0;
    job->app = NULL;
    job->msg = NULL;
    job->offset = 0;
    job->key = (tw_str){NULL, 0};
    job->channel = NULL;
    job->input = NULL;
    job->owner = NULL;
    job->is_answered = false;
    job->is_quiet = false;
    twl_link_append(&job->gen->lua->free_jobs, &job->node);
}

void twl_jobs_free(tw_lua *lua) {
    while (!twl_link_is_empty(&lua->all_jobs)) {
        twl_job *job = TWL_OF(lua->all_jobs.next, twl_job, all);
        twl_link_remove(&job->all);
        twl_free(job);
    }
    twl_link_init(&lua->free_jobs);
}

/* ---- tokens ------------------------------------------------------------- */

static size_t list_of(const void *token) {
    return (uintptr_t)token % TWL_TOKEN_LISTS;
}

twl_job *twl_job_find(const tw_lua *lua, const void *token) {
    for (twl_job *job = lua->running; job; job = job->outer) {
        if (twl_job_token(job) == token) {
            return job;
        }
    }
    const twl_link *list = &lua->tokens[list_of(token)];
    for (twl_link *at = list->next; at != list; at = at->next) {
        twl_job *job = TWL_OF(at, twl_job, token);
        if (twl_job_token(job) == token) {
            return job;
        }
    }
    return NULL;
}

/* ---- costs -------------------------------------------------------------- */

/* What runs before its generation is switched to may be discarded with it, and
 * is counted nowhere. */
static tw_hook_row *make_row(const twl_job *job) {
    static tw_hook_row nowhere;
    twl_gen *gen = job->gen;
    tw_hook_row *row = NULL;
    if (gen->phase >= TWL_LIVE) {
        row = tw_server_hook_row(gen->lua->server, job->kind->spec.name,
                                 gen->number);
        gen->rows[job->kind->row] = row;
    }
    return row != NULL ? row : &nowhere;
}

static inline tw_hook_row *find_row(const twl_job *job) {
    tw_hook_row *row = job->gen->rows[job->kind->row];
    return row != NULL ? row : make_row(job);
}

/* Of what may run for ever each run counts by itself, as for its budget. */
static void add_busy(twl_job *job, tw_hook_row *row, uint64_t ticks) {
    uint64_t whole = job->kind->is_long ? ticks : job->busy;
    row->busy_ticks += ticks;
    if (whole > row->slowest_ticks) {
        row->slowest_ticks = whole;
    }
}

static void note_start(twl_job *job, uint64_t began) {
    tw_hook_row *row = find_row(job);
    ++*job->gen->lua->hook_calls;
    job->busy = tw_ticks_since(began);
    row->calls++;
    add_busy(job, row, job->busy);
}

void twl_job_ran(twl_job *job, uint64_t began) {
    tw_hook_row *row = find_row(job);
    uint64_t ticks = tw_ticks_since(began);
    job->busy += ticks;
    row->waiting_ticks += began > job->parked ? began - job->parked : 0;
    add_busy(job, row, ticks);
    job->parked = began + ticks;
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
        find_row(job)->errors++;
    }
    const twl_trial *trial = job->gen->lua->trial;
    if (trial && !is_ours) {
        trial->on_failure(twl_vm_failure(vm), trial->arg);
    }
    twl_log_failure(vm, is_ours ? TW_LOG_WARN : TW_LOG_ERROR,
                    is_ours ? "script call ended" : "script call failed");
}

size_t twl_job_log_context(twl_vm *vm, tw_log_field *fields, size_t room,
                           void *arg) {
    tw_lua *lua = arg;
    twl_job *job = lua->running;
    static char id[TW_ID_TEXT], generation[24];
    size_t n = 0;
    if (room >= 1) {
        snprintf(generation, sizeof generation, "%llu",
                 (unsigned long long)twl_vm_generation(vm));
        fields[n++] = (tw_log_field){"generation", generation};
    }
    if (job && job->gen->vm == vm && job->conn && room >= n + 2) {
        tw_conn_id(job->conn, id);
        fields[n++] = (tw_log_field){"conn", id};
        tw_str user = tw_conn_user(job->conn);
        if (user.data) {
            fields[n++] = (tw_log_field){"user", user.data};
        }
    } else if (job && job->gen->vm == vm && job->req && room >= n + 1) {
        fields[n++] = (tw_log_field){"path", tw_req_path(job->req).data};
    } else if (job && job->gen->vm == vm && job->channel && room >= n + 1) {
        fields[n++] = (tw_log_field){"channel", job->channel};
    }
    return n;
}

/* ---- running ------------------------------------------------------------ */

/* Behind the data, so that both are one block. */
static void keep_key(twl_job *job, char *place) {
    if (job->key.data) {
        memcpy(place, job->key.data, job->key.len);
        job->key.data = place;
    }
}

/* A hook that waits outlives the message it was given. */
static void keep_message(twl_job *job) {
    if (!job->msg || job->msg == &job->copy) {
        return;
    }
    size_t len = job->msg->len;
    char *block = twl_malloc(len + job->key.len + 1);
    if (!block) {
        job->msg = NULL; /* the handle goes stale early, and says so */
        return;
    }
    if (len > 0) {
        memcpy(block, job->msg->data, len);
    }
    keep_key(job, block + len);
    job->copy = *job->msg;
    job->copy.data = block;
    job->msg = &job->copy;
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
    if (job->msg) {
        twl_link *list = &lua->tokens[list_of(twl_job_token(job))];
        twl_link_append(list, &job->token);
    }
    lua->waiting++;
    wait_gauge(lua);
}

static void unpark(twl_job *job) {
    tw_lua *lua = job->gen->lua;
    twl_link_remove(&job->node);
    twl_link_remove(&job->ready);
    twl_link_remove(&job->token);
    lua->waiting--;
    wait_gauge(lua);
}

/* The job, which is entered, has ended: tells its kind, and the core when that
 * waits for it. */
static void end(twl_job *job, twl_status status, bool was_late) {
    tw_lua *lua = job->gen->lua;
    tw_conn *conn = was_late && job->kind->is_conn ? job->conn : NULL;
    if (status == TWL_FAILED && !job->is_quiet) {
        report_failure(job);
    }
    if (job->kind->finish) {
        job->kind->finish(job, status);
    }
    twl_job_leave(job);
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
    const twl_spec *spec = &job->kind->spec;
    uint64_t began = tw_ticks();
    twl_job_enter(job);
    twl_status status = twl_run(job->gen->vm, spec, fn_ref, job,
                                spec->no_wait ? NULL : &job->call);
    note_start(job, began);
    if (status == TWL_WAITING) {
        job->parked = began + job->busy;
        twl_job_leave(job);
        park(job);
        return true;
    }
    end(job, status, false);
    return false;
}

void twl_job_end(twl_job *job, twl_status status) {
    unpark(job);
    twl_job_enter(job);
    end(job, status, true);
}
