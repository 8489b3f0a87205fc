/* job.h - one call of a script on its way: a hook, a timer's tick, a task.
 *
 * A job carries what the call is about (connection, request, message), lives
 * from its start to its end through all waits, and is then reused. Handles of
 * requests name their job and its serial number, those of messages the number
 * only: once the job has ended the number differs, and using the handle raises.
 * Jobs are therefore freed with the bridge only.
 *
 *     twl_job *job = twl_job_take(gen, &kind);
 *     job->conn = conn; ...
 *     if (twl_job_start(job, fn_ref)) { it waits }
 *
 * Waiting: a binding calls twl_wait_begin, starts the operation, and returns
 * twl_wait_go; the operation's callback calls twl_job_wake.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JOB_H
#define TWL_JOB_H

#include "bridge.h"

/* A kind of job; always static. */
typedef struct twl_kind {
    twl_spec spec;   /* its callbacks get the job as `arg` */
    twl_row row;     /* where its costs are counted, under the spec's name */
    bool is_limited; /* may wait for the hook's limit only, see hook_wait_ms */
    bool is_conn;    /* a connection's hook: ends with tw_conn_done if late */
    bool is_long;    /* may run for ever: the CPU budget is that of each run
                      * between two waits, not of the whole call */
    bool may_act;    /* although it may not wait, see twl_gen_check_live */
    /* The call has ended. With TWL_FAILED the failure has been logged and
     * counted, and twl_vm_failure can be read. `job` goes afterwards. */
    void (*finish)(twl_job *job, twl_status status);
} twl_kind;

/* An operation of the core that cannot be called off: it outlives its job. */
typedef struct twl_op {
    twl_job *job; /* NULL: nobody waits for it any more */
    tw_server *server;
    uint64_t handle; /* of the connection it is about, or 0 */
    tw_http_call *call; /* what a request can be called off with */
    size_t len;
    char channel[256];
} twl_op;

struct twl_job {
    twl_link all;    /* tw_lua.all_jobs, for good */
    twl_link node;   /* gen->jobs while it waits; free_jobs while it is free */
    twl_link ready;  /* tw_lua.ready when it can go on */
    twl_link waiter; /* a task's list, while it waits for that */
    twl_link token;  /* tw_lua.tokens, while it waits with a message */
    twl_job *outer;  /* the one that it runs inside, while it runs */
    uint64_t serial;
    twl_gen *gen;
    const twl_kind *kind;
    twl_call *call; /* while it waits */

    /* What it is about; unused ones are 0. */
    tw_conn *conn;
    uint64_t handle; /* of conn */
    twl_app *app;
    tw_req *req;       /* a reference is held */
    const tw_msg *msg; /* the message: borrowed, or `copy` after a wait */
    tw_msg copy;       /* its data is ours */
    const void *input; /* borrowed, for the push callback only */
    void *owner;       /* the task, the timer, ... */
    int code;          /* on_close */
    tw_str text;       /* borrowed, for the push callback only */
    uint64_t offset;   /* the message's place in its channel; 0: none */
    tw_str key;        /* of the message; as long as that */
    const char *channel; /* of no connection's job, for the log; NULL: none */
    int refs[2];       /* into the VM, released at the end */
    bool is_answered;  /* an upgrade or request has got its answer */
    bool is_quiet;     /* cancelled on purpose: nothing to report */

    /* The wait. */
    int (*push)(lua_State *L, twl_job *job); /* what it returns on success */
    void (*cancel)(twl_job *job);            /* calls the operation off */
    twl_op *op;
    tw_timer *sleep, *limit;
    uint64_t limit_left_ms, began_ms;
    uint64_t busy;   /* ticks that the call has run for */
    uint64_t parked; /* the tick since when it waits */
    uint64_t value;
    tw_subscribed subscribed; /* or a position alone */
    void *answer;             /* one block of ours, until it has been pushed */
    int status;
    bool is_waiting; /* for an operation: between go and wake */
};

/* A clean job; NULL without memory. */
twl_job *twl_job_take(twl_gen *gen, const twl_kind *kind);

/* The serial number as a light userdata can hold it: LuaJIT has 39 bits for
 * what is no address. They suffice for 5e11 messages, and a handle would have
 * to be kept for that long to be taken for another one. Never NULL. */
#define TWL_TOKEN_MASK ((UINT64_C(1) << 39) - 1)

static inline void *twl_job_token(const twl_job *job) {
    return (void *)(uintptr_t)(job->serial & TWL_TOKEN_MASK);
}

/* Around what runs for the job: its script, its end. They nest. */
static inline void twl_job_enter(twl_job *job) {
    tw_lua *lua = job->gen->lua;
    job->outer = lua->running;
    lua->running = job;
}

static inline void twl_job_leave(twl_job *job) {
    job->gen->lua->running = job->outer;
    job->outer = NULL;
}

/* Whether a script may act on the server now, see twl_gen_check_live. */
static inline bool twl_gen_is_live(const twl_gen *gen) {
    const twl_job *job = gen->lua->running;
    return gen->phase >= TWL_LIVE &&
           !(job && job->gen == gen && job->kind->spec.no_wait &&
             !job->kind->may_act);
}

/* The job with that token that runs, or waits with a message; else NULL. */
twl_job *twl_job_find(const tw_lua *lua, const void *token);

/* The job, which had waited, has run from that tick until now. */
void twl_job_ran(twl_job *job, uint64_t began);

/* Gives back a job that was not started. */
void twl_job_drop(twl_job *job);

/* Runs the function; true when it waits, false when it has ended (and the job
 * is gone). With LUA_NOREF the kind's push pushes the function. */
bool twl_job_start(twl_job *job, int fn_ref);

/* The operation is done: the job goes on, now, or in the next turn when
 * another one runs or the server is frozen. */
void twl_job_wake(twl_job *job, int status, uint64_t value);

/* A waiting job's call has ended; what follows is done, and the job is gone. */
void twl_job_end(twl_job *job, twl_status status);

/* Ends a waiting job with a failure. */
void twl_job_cancel(twl_job *job, const char *reason);

/* Ends every waiting job of the generation. */
void twl_jobs_cancel(twl_gen *gen, const char *reason);

/* Frees all jobs; none waits. */
void twl_jobs_free(tw_lua *lua);

/* First in a binding that may wait: raises where that is impossible. NULL:
 * the hook's time is over; then `return twl_wait_over(L)`. */
twl_job *twl_wait_begin(lua_State *L, const char *what);
int twl_wait_over(lua_State *L);

/* Last: `return twl_wait_go(...)`. The operation has begun; `cancel` calls it
 * off and must not touch Lua; `push` pushes its results, NULL: true. */
int twl_wait_go(lua_State *L, twl_job *job, const char *what,
                void (*cancel)(twl_job *job),
                int (*push)(lua_State *L, twl_job *job));

/* An operation for a job; NULL without memory. Its callback calls twl_op_end,
 * which frees it and wakes the job if that still waits. */
twl_op *twl_op_create(twl_job *job, tw_str channel);
void twl_op_end(twl_op *op, int status, uint64_t value);
/* The same with what the job's push callback reads in job->subscribed (where
 * `result` is borrowed, and NULL with an error), or in job->answer (one block
 * of memory, taken). */
void twl_op_end_subscribed(twl_op *op, int status, const tw_subscribed *result);
void twl_op_end_answer(twl_op *op, int status, void *answer);
/* For bindings that wait for one operation:
 *
 *     int results;
 *     twl_job *job = twl_op_begin(L, what, channel, &results);
 *     if (!job) return results;
 *     int code = tw_...(..., callback, job->op);
 *     return twl_op_go(L, job, what, code, push);
 */
twl_job *twl_op_begin(lua_State *L, const char *what, tw_str channel,
                      int *results);
int twl_op_go(lua_State *L, twl_job *job, const char *what, int code,
              int (*push)(lua_State *L, twl_job *job));
/* The operation did not begin: `return twl_op_refuse(L, job, code)`. */
int twl_op_refuse(lua_State *L, twl_job *job, int code);
/* A cancel callback: leaves the operation to itself. */
void twl_op_leave(twl_job *job);

/* tw.sleep(seconds). */
int twl_sleep(lua_State *L);

/* Has what is ready gone on with in the next turn: jobs, tasks, on_start and
 * on_stop. While frozen nothing happens; thawing posts again. */
void twl_ready_post(tw_lua *lua);

/* The fields that every log record of a running job gets. */
size_t twl_job_log_context(twl_vm *vm, tw_log_field *fields, size_t room,
                           void *arg);

#endif
