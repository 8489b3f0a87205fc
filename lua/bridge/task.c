/* SPDX-License-Identifier: MIT */
#include "task.h"

#include <lauxlib.h>
#include <string.h>

#include "err.h"
#include "handle.h"
#include "job.h"
#include "names.h"
#include "opts.h"
#include "vm_alloc.h"

typedef enum task_phase {
    SPAWNED,  /* waits for its turn */
    RUNNING,  /* runs, or waits for something */
    RETURNED, /* its results are kept */
    FAILED,   /* its message is kept */
    CANCELLED
} task_phase;

typedef struct twl_task {
    twl_link node; /* gen->spawned, then gen->tasks, until it has ended */
    twl_gen *gen;
    twl_job *job; /* RUNNING */
    task_phase phase;
    unsigned refs; /* its handle, and being not over */
    int fn;
    int results;      /* a table with `n`; or the failure's text */
    twl_link waiters; /* jobs */
} twl_task;

static const twl_name fields[] = {
    {"wait", false}, {"cancel", false}, {NULL, false}};

/* ---- the end ------------------------------------------------------------ */

static void unref(twl_task *task) {
    if (--task->refs == 0) {
        /* Else this is the closing VM's last collection. */
        if (!task->gen->is_dropped) {
            twl_unref(task->gen->vm, task->results);
        }
        twl_free(task);
    }
}

static void ended(twl_task *task, task_phase phase) {
    twl_link_remove(&task->node);
    twl_unref(task->gen->vm, task->fn);
    task->fn = LUA_NOREF;
    task->job = NULL;
    task->phase = phase;
    while (!twl_link_is_empty(&task->waiters)) {
        twl_job *job = TWL_OF(task->waiters.next, twl_job, waiter);
        twl_link_remove(&job->waiter);
        twl_job_wake(job, 0, 0);
    }
    unref(task);
}

/* ---- running ------------------------------------------------------------ */

static void read_results(lua_State *L, int count, void *arg) {
    twl_job *job = arg;
    twl_task *task = job->owner;
    lua_createtable(L, count, 1);
    for (int i = 1; i <= count; i++) {
        lua_pushvalue(L, i);
        lua_rawseti(L, -2, i);
    }
    lua_pushinteger(L, count);
    lua_setfield(L, -2, "n");
    task->results = twl_ref(L);
}

static void keep_message(lua_State *L, void *arg) {
    twl_task *task = arg;
    lua_pushstring(L, twl_vm_failure(task->gen->vm)->message);
    task->results = twl_ref(L);
}

static void finish(twl_job *job, twl_status status) {
    twl_task *task = job->owner;
    twl_gen *gen = task->gen;
    if (status != TWL_FAILED) {
        ended(task, RETURNED);
        return;
    }
    bool is_cancelled = twl_vm_failure(gen->vm)->kind == TWL_CANCELLED;
    if (!is_cancelled && task->refs > 1) {
        twl_vm_protect(gen->vm, keep_message, task);
    }
    ended(task, is_cancelled ? CANCELLED : FAILED);
}

/* Tasks may wait for ever: they are no hooks. */
static const twl_kind kind = {
    .spec = {.name = "task", .read = read_results},
    .row = TWL_ROW_TASK,
    .is_long = true,
    .finish = finish,
};

static void begin(twl_task *task) {
    twl_job *job = twl_job_take(task->gen, &kind);
    if (!job) {
        ended(task, CANCELLED);
        return;
    }
    job->owner = task;
    task->job = job;
    task->phase = RUNNING;
    twl_job_start(job, task->fn);
}

/* What these spawn in their turn waits for the next one. */
static void begin_all(twl_gen *gen) {
    twl_link now;
    twl_link_init(&now);
    twl_link_splice(&now, &gen->spawned);
    while (!twl_link_is_empty(&now)) {
        twl_task *task = TWL_OF(now.next, twl_task, node);
        twl_link_remove(&task->node);
        twl_link_append(&gen->tasks, &task->node);
        begin(task);
    }
}

void twl_tasks_begin(tw_lua *lua) {
    if (lua->old) {
        begin_all(lua->old);
    }
    if (lua->current) {
        begin_all(lua->current);
    }
}

/* On whose behalf the library's Lua calls. */
static const char *name_of(lua_State *L, const char *otherwise) {
    bool is_all = lua_type(L, 2) == LUA_TSTRING &&
                  strcmp(lua_tostring(L, 2), "tw.all") == 0;
    return is_all ? "tw.all" : otherwise;
}

int twl_task_spawn(lua_State *L) {
    const char *what = name_of(L, "tw.spawn");
    twl_gen *gen = twl_gen_of(L);
    twl_arg_function(L, 1, what, "the task");
    twl_gen_check_live(L, what);
    lua_settop(L, 1);
    twl_handle *handle = twl_handle_new(L, TWL_HANDLE_TASK, sizeof *handle);
    lua_pushvalue(L, 1);
    int fn = twl_ref(L);
    twl_task *task = twl_zalloc(sizeof *task);
    if (!task) {
        twl_unref(gen->vm, fn);
        return luaL_error(L, "out of memory");
    }
    task->gen = gen;
    task->fn = fn;
    task->results = LUA_NOREF;
    task->refs = 2;
    twl_link_init(&task->waiters);
    twl_link_append(&gen->spawned, &task->node);
    handle->pointer = task;
    twl_ready_post(gen->lua);
    return 1;
}

/* ---- waiting ------------------------------------------------------------ */

static int push_outcome(lua_State *L, twl_task *task) {
    if (task->phase == CANCELLED) {
        return twl_nil_error(L, TW_ECLOSED, "the task was cancelled");
    }
    lua_pushboolean(L, task->phase == RETURNED);
    twl_push_ref(L, task->results);
    if (task->phase == FAILED) {
        return 2;
    }
    int results = lua_gettop(L);
    lua_getfield(L, results, "n");
    int n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    /* One place is taken by `true`. */
    n = n < TWL_MAX_VALUES ? n : TWL_MAX_VALUES - 1;
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, results, i);
    }
    lua_remove(L, results);
    return n + 1;
}

static int push_waited(lua_State *L, twl_job *job) {
    twl_push_ref(L, job->refs[0]); /* the handle: it keeps the twl_task */
    twl_task *task = twl_handle_at(L, -1, TWL_HANDLE_TASK);
    lua_pop(L, 1);
    return push_outcome(L, task);
}

static void leave(twl_job *job) {
    twl_link_remove(&job->waiter);
}

static int wait(lua_State *L) {
    const char *what = name_of(L, "task:wait");
    twl_handle *handle = twl_handle_self(L, TWL_HANDLE_TASK, what);
    twl_task *task = handle->pointer;
    if (task->phase >= RETURNED) {
        twl_wait_begin(L, what);
        return push_outcome(L, task);
    }
    twl_job *job = twl_wait_begin(L, what);
    if (!job) {
        return twl_wait_over(L);
    }
    if (task->job == job) {
        return twl_raise(L, "%s: a task cannot wait for itself", what);
    }
    lua_pushvalue(L, 1);
    int ref = twl_ref(L);
    if (job->refs[0] != LUA_NOREF) {
        twl_unref(job->gen->vm, job->refs[0]);
    }
    job->refs[0] = ref;
    twl_link_append(&task->waiters, &job->waiter);
    return twl_wait_go(L, job, what, leave, push_waited);
}

void twl_task_push_wait(lua_State *L) {
    lua_pushcfunction(L, wait);
}

/* ---- cancelling --------------------------------------------------------- */

static bool cancel_task(twl_task *task) {
    if (task->phase == SPAWNED) {
        ended(task, CANCELLED);
        return true;
    }
    /* One that runs right now cannot be stopped from within. */
    if (task->phase == RUNNING && task->job && task->job->call) {
        task->job->is_quiet = true;
        twl_job_cancel(task->job, "cancelled");
        return true;
    }
    return false;
}

static int cancel(lua_State *L) {
    twl_task *task =
        twl_handle_self(L, TWL_HANDLE_TASK, "task:cancel")->pointer;
    twl_job *running = task->gen->lua->running;
    if (running && running == task->job) {
        return twl_raise(L, "task:cancel: a task cannot cancel itself");
    }
    lua_pushboolean(L, cancel_task(task));
    return 1;
}

void twl_tasks_forget(twl_gen *gen) {
    while (!twl_link_is_empty(&gen->spawned)) {
        ended(TWL_OF(gen->spawned.next, twl_task, node), CANCELLED);
    }
}

/* ---- the handle --------------------------------------------------------- */

static int collect(lua_State *L) {
    twl_task *task = twl_handle_at(L, 1, TWL_HANDLE_TASK);
    if (task) {
        unref(task);
    }
    return 0;
}

/* The methods are upvalue 1. */
static int get_field(lua_State *L) {
    twl_handle_self(L, TWL_HANDLE_TASK, "task");
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (lua_isnil(L, -1)) {
        return twl_names_raise(
            L, "task", "method", fields,
            lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?");
    }
    return 1;
}

void twl_task_define(lua_State *L) {
    int wait_index = lua_gettop(L);
    lua_createtable(L, 0, 5);
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, wait_index);
    lua_setfield(L, -2, "wait");
    lua_pushcfunction(L, cancel);
    lua_setfield(L, -2, "cancel");
    lua_pushcclosure(L, get_field, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, collect);
    lua_setfield(L, -2, "__gc");
    twl_handle_define(L, TWL_HANDLE_TASK);
    lua_pop(L, 1);
}
