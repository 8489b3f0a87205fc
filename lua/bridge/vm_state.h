/* vm_state.h - what a VM and its calls are made of. For vm, call and budget
 * only; everybody else uses vm.h and call.h.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_VM_STATE_H
#define TWL_VM_STATE_H

#include "call.h"
#include "log.h"
#include "vm.h"

enum { MAX_FAILURE_MESSAGE = 1024, MAX_FAILURE_TRACEBACK = 8192 };

/* One doorway in use, or one in the pool with its coroutine. It is in the
 * VM's list of waiting calls, in its pool, or on the chain of running ones. */
struct twl_call {
    twl_vm *vm;
    lua_State *co;
    int co_ref;
    int fn_ref;     /* what it calls, for reports; or LUA_NOREF */
    unsigned ticks; /* CPU charged so far */
    const twl_spec *spec;
    void *arg;
    void *data;
    twl_call *outer; /* the call it runs inside */
    twl_call *next;  /* in the pool or among the waiting */
    twl_call *prev;  /* among the waiting */
    bool may_wait;
    const char *waits_in; /* NULL unless a wait is pending */
    void (*cancel)(void *arg);
    void *cancel_arg;
};

/* What a protected stage (push, read, protect) works on. */
typedef struct twl_stage {
    void (*run)(lua_State *L, struct twl_stage *stage);
    void *arg;
    int values; /* taken from the main thread's stack, to be its arguments */
} twl_stage;

struct twl_vm {
    lua_State *L;
    lua_Alloc lua_alloc; /* LuaJIT's own, which ours counts for */
    void *lua_alloc_data;
    size_t used;
    size_t limit;
    size_t pressure;  /* a full collection is due above this; SIZE_MAX: it has
                         been asked for */
    size_t pace_mark; /* above this the collector gets a new pace */
    size_t mark;      /* the lower of the two */
    bool has_grace;   /* a report is being made: a little more is allowed */
    bool is_collecting;
    bool is_frozen;
    bool is_dropped;
    bool jit_on;
    int stage_ref;    /* the C function that runs stages */
    twl_stage *stage; /* the one that starts */
    twl_call *current;
    twl_call *pool;
    size_t pool_count;
    twl_call *waiting;
    size_t waiting_count;
    bool has_fault; /* the running call must unwind; failure says why */
    int collect_cycles;
    twl_failure failure;
    char failure_message[MAX_FAILURE_MESSAGE];
    char failure_traceback[MAX_FAILURE_TRACEBACK];
    char failure_code[32];
    twl_bytes scratch;
    twl_log_context_cb log_context;
    void *log_context_arg;
    twl_vm_config config;
};

/* Runs a stage protected on the main thread: 0 or LUA_ERR...; with an error
 * its value is on top of the main thread's stack, for the caller to pop. */
int twl_vm_run_stage(twl_vm *vm, twl_stage *stage);

/* A full collection, protected, not charged to anybody's budget. */
void twl_vm_collect_all(twl_vm *vm);

/* --- failure ---------------------------------------------------------- */

/* Records a failure. `traceback` may be NULL. Cuts what is too long. */
void twl_failure_set(twl_vm *vm, twl_fault kind, const char *call,
                     const char *message, const char *traceback);

/* Records the error whose value is on top of the main thread's stack and pops
 * it; the traceback is that of `co` (NULL: none). An error object whose
 * __tostring is the script's is asked through the doorway. */
void twl_failure_take(twl_vm *vm, const char *call, int status, lua_State *co);

/* Adds place and traceback, off the stack of `from`, to a failure that has
 * none; without a script function on it, the place is where the function
 * behind `fn_ref` was defined. Protected code only. */
void twl_failure_locate(lua_State *L, lua_State *from, int fn_ref);

/* --- calls ------------------------------------------------------------ */

/* Cancels every waiting call, quietly; then frees the pool too. */
void twl_call_cancel_all(twl_vm *vm, const char *reason);
void twl_call_free_pool(twl_vm *vm);

#endif
