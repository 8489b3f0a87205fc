/* call.h - the one doorway from C into scripts.
 *
 * A call runs a Lua function in a reused coroutine: protected, under the CPU
 * budget, with a traceback when it fails. It may wait: then twl_call returns
 * TWL_WAITING and a handle, and the binding's completion calls twl_resume.
 * The budget covers the whole call: it goes on counting over every resume.
 *
 *     static int push(lua_State *L, void *arg) {   // protected: may raise
 *         push_conn(L, arg);
 *         return 1;
 *     }
 *     static const twl_spec spec = { .name = "on_open", .push = push };
 *     twl_call *call;
 *     switch (twl_run(vm, &spec, fn_ref, conn, &call)) { ... }
 *
 * A script cannot catch the end of its budget, the memory limit or a
 * cancellation: after its pcall has returned, the next instruction raises
 * again, in coroutines of its own too.
 *
 * Loop's thread only. Calls may nest (C called by Lua may start a call); the
 * inner one's time also counts for the outer one. Inside a call that has to
 * unwind none can start.
 *
 * The traceback of a failure that LuaJIT itself raised (an index of nil,
 * memory) shows its innermost function without a line: that line is in the
 * message.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_CALL_H
#define TWL_CALL_H

#include "vm.h"

typedef struct twl_call twl_call;

/* Arguments and results of a call, and what twl_resume hands over, are at most
 * this many; a push callback has this many free stack slots and 4 more. */
enum { TWL_MAX_VALUES = 16 };

/* Pushes arguments, or what a waiting function shall return, and returns how
 * many. Runs protected on a stack of its own (not on the script's), under the
 * call's budget; it may raise, which fails the call. Values below those it
 * returns are dropped. */
typedef int (*twl_push_cb)(lua_State *L, void *arg);

/* The same for arguments that cost nothing: on the call's own stack, above its
 * function, and unprotected, so it must neither raise nor allocate in Lua. Only
 * references, light userdata, numbers and booleans are like that. Returns how
 * many, or a negative number, nothing pushed, when that is impossible now. */
typedef int (*twl_put_cb)(lua_State *co, void *arg);

/* Reads the results, at 1 to `count`. Runs protected, under the budget; a
 * raise fails the call. */
typedef void (*twl_read_cb)(lua_State *L, int count, void *arg);

/* How a kind of call is done; usually static const. */
typedef struct twl_spec {
    const char *name;    /* "on_message": for reports; outlives the call */
    twl_push_cb push;    /* NULL: no arguments */
    twl_put_cb put;      /* asked before push, which goes without a stage of
                            its own then; NULL: push only */
    twl_read_cb read;    /* NULL: results are dropped */
    const char *no_wait; /* NULL: may wait; else the place for the message:
                            "in save", "while the script loads" */
    unsigned budget_ms;  /* 0: the VM's */
} twl_spec;

typedef enum twl_status {
    TWL_DONE,    /* read has run; the call is gone */
    TWL_WAITING, /* the handle is live until DONE, FAILED or twl_cancel */
    TWL_FAILED   /* twl_vm_failure says why; the call is gone */
} twl_status;

typedef enum twl_fault {
    TWL_RAISED,   /* an error of the script, or of a binding it called */
    TWL_BUDGET,   /* over its CPU budget */
    TWL_MEMORY,   /* the VM's memory limit */
    TWL_CANCELLED /* twl_cancel */
} twl_fault;

/* What went wrong. Texts are never NULL, cut at a sane length, UTF-8 made
 * harmless is the reader's business. */
struct twl_failure {
    twl_fault kind;
    const char *call;      /* the spec's name; "" outside a call */
    const char *message;   /* with "file:line: " in front where known */
    const char *traceback; /* "stack traceback:\n..." or "" */
    const char *code;      /* of a raised tw.error object ("denied"), or "" */
};

/* Calls the function behind `fn_ref`; with LUA_NOREF the push callback pushes
 * the function below the arguments and counts it too. `arg` goes to push and
 * read and must live as long as the call. `waiting` receives the handle with
 * TWL_WAITING, else NULL; where it is NULL, a wait fails the call. */
twl_status twl_run(twl_vm *vm, const twl_spec *spec, int fn_ref, void *arg,
                   twl_call **waiting);

/* Goes on with a waiting call: the binding that waits returns to the script
 * what `push` pushes (NULL: nothing). The wait's cancel callback is not called.
 * With TWL_WAITING the handle is the same. */
twl_status twl_resume(twl_call *call, twl_push_cb push, void *push_arg);

/* Ends a waiting call: its wait's cancel callback runs, its coroutine is
 * dropped and never resumed, read is not called. twl_vm_failure holds
 * TWL_CANCELLED, `reason` and where it waited. The handle is gone. */
void twl_cancel(twl_call *call, const char *reason);

/* The caller's own pointer on a waiting (or running) call; NULL at first. */
void twl_call_set_data(twl_call *call, void *data);
void *twl_call_data(const twl_call *call);

twl_vm *twl_call_vm(const twl_call *call);
const twl_spec *twl_call_spec(const twl_call *call);
void *twl_call_arg(const twl_call *call);
/* "tw.sleep": what it waits in. "" while it runs. */
const char *twl_call_waits_in(const twl_call *call);
/* CPU time charged so far, in ms, in steps of the 10 ms tick. */
unsigned twl_call_cpu_ms(const twl_call *call);

/* The innermost call that runs in this VM now, NULL when none does. */
twl_call *twl_call_current(const twl_vm *vm);

/* Waiting calls of this VM, and a walk over them in no order; the visitor may
 * cancel or resume the one it is given. */
size_t twl_call_count_waiting(const twl_vm *vm);
void twl_call_each_waiting(twl_vm *vm, void (*visit)(twl_call *, void *),
                           void *arg);

/* --- for bindings that wait ------------------------------------------- */

/* First thing in a binding that may wait: returns the running call, or raises
 * "<what> cannot wait <here>" where waiting is not possible: a context with
 * no_wait, a callback of gsub, table.sort or require, outside a call. */
twl_call *twl_wait_check(lua_State *L, const char *what);

/* Last statement of a binding that waits: `return twl_wait(L, what, ...)`,
 * after twl_wait_check and after the operation has begun. `cancel(arg)` is
 * called at most once, when nobody waits for the operation any more (cancel,
 * destroy, an error further out); never after twl_resume. It must not touch
 * Lua. `what` is static text. */
int twl_wait(lua_State *L, const char *what, void (*cancel)(void *arg),
             void *arg);

#endif
