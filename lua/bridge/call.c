/* The doorway. A call is a coroutine from the pool; arguments and results
 * cross on the main thread's stack, inside a protected stage, so that an
 * allocation that fails there is an error of the call and not a panic.
 * Arguments that need no allocation (twl_spec.put) go onto the coroutine at
 * once: entering the stage costs as much as entering the coroutine.
 *
 * Whatever way a call ends, has_fault decides first: a script may have caught
 * the end of its budget or the memory limit and returned before the next
 * instruction could raise it again.
 *
 * SPDX-License-Identifier: MIT */
#include "call.h"

#include <assert.h>
#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>

#include "budget_run.h"
#include "vm_alloc.h"
#include "vm_state.h"

/* Coroutines kept for reuse; more only while that many calls wait. */
enum { POOL_MAX = 64 };

/* --- the pool --------------------------------------------------------- */

static void new_coroutine(lua_State *L, twl_stage *stage) {
    twl_call *call = stage->arg;
    call->co = lua_newthread(L);
    call->co_ref = twl_ref(L);
}

static int make_coroutine(twl_call *call) {
    twl_stage stage = {.run = new_coroutine, .arg = call};
    return twl_vm_run_stage(call->vm, &stage);
}

/* A call that was stopped for its time may have left the heap full of garbage,
 * which only a collection takes away: without memory it is tried again after
 * one. */
static twl_call *create_call(twl_vm *vm) {
    twl_call *call = twl_zalloc(sizeof *call);
    if (call == NULL) {
        twl_failure_set(vm, TWL_MEMORY, "", "not enough memory", NULL);
        return NULL;
    }
    call->vm = vm;
    int status = make_coroutine(call);
    if (status == LUA_ERRMEM) {
        lua_pop(vm->L, 1);
        twl_vm_collect_all(vm);
        status = make_coroutine(call);
    }
    if (status != 0) {
        twl_failure_take(vm, "", status, NULL);
        twl_free(call);
        return NULL;
    }
    return call;
}

static twl_call *acquire(twl_vm *vm) {
    twl_call *call = vm->pool;
    if (call == NULL) {
        return create_call(vm);
    }
    vm->pool = call->next;
    vm->pool_count--;
    return call;
}

static void free_call(twl_call *call) {
    twl_unref(call->vm, call->co_ref);
    twl_free(call);
}

/* Only a coroutine that has finished in order can run again. */
static void release(twl_call *call) {
    twl_vm *vm = call->vm;
    if (vm->pool_count >= POOL_MAX || vm->is_frozen) {
        free_call(call);
        return;
    }
    call->next = vm->pool;
    vm->pool = call;
    vm->pool_count++;
}

void twl_call_free_pool(twl_vm *vm) {
    while (vm->pool != NULL) {
        twl_call *call = vm->pool;
        vm->pool = call->next;
        free_call(call);
    }
    vm->pool_count = 0;
}

/* --- the waiting ------------------------------------------------------ */

static void add_waiting(twl_call *call) {
    twl_vm *vm = call->vm;
    call->prev = NULL;
    call->next = vm->waiting;
    if (vm->waiting != NULL) {
        vm->waiting->prev = call;
    }
    vm->waiting = call;
    vm->waiting_count++;
}

static void remove_waiting(twl_call *call) {
    twl_vm *vm = call->vm;
    if (call->prev != NULL) {
        call->prev->next = call->next;
    } else {
        vm->waiting = call->next;
    }
    if (call->next != NULL) {
        call->next->prev = call->prev;
    }
    vm->waiting_count--;
}

static void abandon_wait(twl_call *call) {
    void (*cancel)(void *) = call->cancel;
    call->waits_in = NULL;
    call->cancel = NULL;
    if (cancel != NULL) {
        cancel(call->cancel_arg);
    }
}

/* --- stages ----------------------------------------------------------- */

typedef struct transfer {
    twl_call *call;
    twl_push_cb push;
    void *arg;
    int count;
} transfer;

static void push_values(lua_State *L, twl_stage *stage) {
    transfer *t = stage->arg;
    int count = t->push(L, t->arg);
    if (count < 0 || count > TWL_MAX_VALUES || count > lua_gettop(L)) {
        luaL_error(L, "a push callback returned %d", count);
    }
    lua_xmove(L, t->call->co, count);
    t->count = count;
}

static void read_values(lua_State *L, twl_stage *stage) {
    twl_call *call = stage->arg;
    int count = lua_gettop(call->co);
    lua_xmove(call->co, L, count);
    call->spec->read(L, count, call->arg);
}

/* Leaves what `push` pushes on the coroutine; 0 or LUA_ERR.... */
static int push_onto(twl_call *call, twl_push_cb push, void *arg, int *count) {
    transfer t = {.call = call, .push = push, .arg = arg};
    twl_stage stage = {.run = push_values, .arg = &t};
    int status = twl_vm_run_stage(call->vm, &stage);
    *count = t.count;
    return status;
}

/* The function and its arguments; 0 or LUA_ERR.... */
static int push_arguments(twl_call *call, int *count) {
    const twl_spec *spec = call->spec;
    if (call->fn_ref != LUA_NOREF) {
        lua_rawgeti(call->co, LUA_REGISTRYINDEX, call->fn_ref);
    }
    if (spec->put != NULL) {
        *count = spec->put(call->co, call->arg);
        if (*count >= 0) {
            return 0;
        }
    }
    *count = 0;
    return spec->push != NULL ? push_onto(call, spec->push, call->arg, count)
                              : 0;
}

/* --- running ---------------------------------------------------------- */

static unsigned budget_ticks(const twl_call *call) {
    unsigned ms = call->spec->budget_ms != 0 ? call->spec->budget_ms
                                             : call->vm->config.budget_ms;
    return (ms + TWL_TICK_MS - 1) / TWL_TICK_MS;
}

/* Part of its callers, so that twl_budget_enter is called from where the script
 * is: a profile tells by that what lies below it. */
__attribute__((always_inline)) static inline void
enter(twl_call *call, twl_budget_frame *frame) {
    twl_vm *vm = call->vm;
    call->outer = vm->current;
    vm->current = call;
    vm->has_fault = false;
    twl_budget_enter(frame, vm, call->ticks, budget_ticks(call));
}

static void leave(twl_call *call, const twl_budget_frame *frame) {
    call->ticks = twl_budget_leave(frame);
    call->vm->current = call->outer;
    call->outer = NULL;
    if (call->vm->pressure == SIZE_MAX) {
        /* Asked for by the allocator, too late in the call for the hook. */
        twl_vm_collect_all(call->vm);
    }
}

/* The call is over and its failure recorded: drops the coroutine. */
static twl_status fail(twl_call *call) {
    twl_vm *vm = call->vm;
    bool is_full = vm->failure.kind == TWL_MEMORY || vm->used > vm->limit / 2;
    vm->has_fault = false;
    vm->has_grace = false;
    free_call(call);
    if (is_full) {
        twl_vm_collect_all(vm); /* what it grew is garbage now */
    }
    return TWL_FAILED;
}

static void locate_fault(lua_State *L, twl_stage *stage) {
    twl_call *call = stage->arg;
    twl_failure_locate(L, call->co, call->fn_ref);
}

/* An allocation that failed was not the place to look around. */
static void complete_fault(twl_call *call) {
    twl_vm *vm = call->vm;
    if (vm->failure.traceback[0] == '\0') {
        twl_stage stage = {.run = locate_fault, .arg = call};
        vm->has_grace = true;
        if (twl_vm_run_stage(vm, &stage) != 0) {
            lua_pop(vm->L, 1);
        }
        vm->has_grace = false;
    }
}

/* The error's value, if there is one, is on the main thread's stack. */
static twl_status finish_failed(twl_call *call, int status, lua_State *co) {
    twl_vm *vm = call->vm;
    bool has_value = status != 0 && status != LUA_YIELD;
    if (vm->has_fault) {
        lua_pop(vm->L, has_value ? 1 : 0);
        complete_fault(call);
    } else if (has_value) {
        twl_failure_take(vm, call->spec->name, status, co);
    } else {
        twl_failure_set(vm, TWL_RAISED, call->spec->name,
                        "yielded without waiting for anything", NULL);
    }
    abandon_wait(call);
    return fail(call);
}

/* After a resume: hands out results, keeps a waiting call, or reports. */
static twl_status settle(twl_call *call, twl_budget_frame *frame, int status,
                         twl_call **waiting) {
    twl_vm *vm = call->vm;
    lua_State *co = call->co;
    bool has_finished = status == 0;
    if (has_finished && !vm->has_fault && call->spec->read != NULL) {
        if (lua_gettop(co) > TWL_MAX_VALUES) {
            lua_settop(co, TWL_MAX_VALUES);
        }
        twl_stage stage = {.run = read_values, .arg = call};
        status = twl_vm_run_stage(vm, &stage);
        co = NULL;
    }
    leave(call, frame);
    if (status == 0 && !vm->has_fault) {
        if (lua_gettop(call->co) > 0) {
            lua_settop(call->co, 0);
        }
        release(call);
        return TWL_DONE;
    }
    if (status == LUA_YIELD && !vm->has_fault && call->waits_in != NULL) {
        add_waiting(call);
        *waiting = call;
        return TWL_WAITING;
    }
    if (!has_finished && status != LUA_YIELD) {
        lua_xmove(co, vm->L, 1);
    }
    return finish_failed(call, status, co);
}

twl_status twl_run(twl_vm *vm, const twl_spec *spec, int fn_ref, void *arg,
                   twl_call **waiting) {
    twl_call *unused;
    bool may_wait = waiting != NULL && spec->no_wait == NULL;
    waiting = waiting != NULL ? waiting : &unused;
    *waiting = NULL;
    if (vm->is_dropped) {
        twl_failure_set(vm, TWL_CANCELLED, spec->name, "retired", NULL);
        return TWL_FAILED;
    }
    if (vm->current != NULL && vm->has_fault) {
        return TWL_FAILED; /* the call around it has to unwind */
    }
    twl_call *call = acquire(vm);
    if (call == NULL) {
        vm->failure.call = spec->name;
        return TWL_FAILED;
    }
    call->spec = spec;
    call->fn_ref = fn_ref;
    call->arg = arg;
    call->data = NULL;
    call->ticks = 0;
    call->may_wait = may_wait;
    twl_budget_frame frame;
    enter(call, &frame);
    int count = 0;
    int status = push_arguments(call, &count);
    if (status != 0) {
        leave(call, &frame);
        return finish_failed(call, status, NULL);
    }
    status = lua_resume(call->co, fn_ref != LUA_NOREF ? count : count - 1);
    return settle(call, &frame, status, waiting);
}

twl_status twl_resume(twl_call *call, twl_push_cb push, void *push_arg) {
    assert(call->waits_in != NULL);
    remove_waiting(call);
    call->waits_in = NULL;
    call->cancel = NULL;
    twl_budget_frame frame;
    enter(call, &frame);
    int count = 0;
    if (push != NULL) {
        int status = push_onto(call, push, push_arg, &count);
        if (status != 0) {
            leave(call, &frame);
            return finish_failed(call, status, NULL);
        }
    }
    twl_call *again;
    return settle(call, &frame, lua_resume(call->co, count), &again);
}

/* --- cancelling ------------------------------------------------------- */

static void trace_waiting(lua_State *L, twl_stage *stage) {
    twl_call *call = stage->arg;
    luaL_traceback(L, call->co, NULL, 0);
    char message[MAX_FAILURE_MESSAGE];
    snprintf(message, sizeof message, "%s", call->vm->failure.message);
    twl_failure_set(call->vm, TWL_CANCELLED, call->spec->name, message,
                    lua_tostring(L, -1));
}

void twl_cancel(twl_call *call, const char *reason) {
    twl_vm *vm = call->vm;
    assert(call->waits_in != NULL);
    remove_waiting(call);
    twl_failure_set(vm, TWL_CANCELLED, call->spec->name, reason, NULL);
    twl_stage stage = {.run = trace_waiting, .arg = call};
    if (twl_vm_run_stage(vm, &stage) != 0) {
        lua_pop(vm->L, 1);
    }
    abandon_wait(call);
    free_call(call);
}

void twl_call_cancel_all(twl_vm *vm, const char *reason) {
    while (vm->waiting != NULL) {
        twl_cancel(vm->waiting, reason);
    }
}

/* --- facts ------------------------------------------------------------ */

void twl_call_set_data(twl_call *call, void *data) {
    call->data = data;
}

void *twl_call_data(const twl_call *call) {
    return call->data;
}

twl_vm *twl_call_vm(const twl_call *call) {
    return call->vm;
}

const twl_spec *twl_call_spec(const twl_call *call) {
    return call->spec;
}

void *twl_call_arg(const twl_call *call) {
    return call->arg;
}

const char *twl_call_waits_in(const twl_call *call) {
    return call->waits_in != NULL ? call->waits_in : "";
}

unsigned twl_call_cpu_ms(const twl_call *call) {
    return call->ticks * TWL_TICK_MS;
}

twl_call *twl_call_current(const twl_vm *vm) {
    return vm->current;
}

size_t twl_call_count_waiting(const twl_vm *vm) {
    return vm->waiting_count;
}

void twl_call_each_waiting(twl_vm *vm, void (*visit)(twl_call *, void *),
                           void *arg) {
    twl_call *next;
    for (twl_call *call = vm->waiting; call != NULL; call = next) {
        next = call->next;
        visit(call, arg);
    }
}
