/* budget.h - how runaway Lua is stopped.
 *
 * One permanent timer on this thread's CPU clock ticks every 10 ms of CPU
 * time. A tick inside a call counts for it; over its budget the handler, on
 * the loop's own thread, sets a count hook which raises at the next
 * instruction, and pokes LuaJIT's profiler so that compiled loops leave for
 * the interpreter, where the hook lands. It goes on doing so until the call
 * has unwound, so that no pcall of the script outlives it.
 *
 * Process-wide state, because timers, signals and LuaJIT's profiler are.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_BUDGET_H
#define TWL_BUDGET_H

#include <lua.h>
#include <stdbool.h>

enum { TWL_TICK_MS = 10 };

typedef struct twl_budget_options {
    bool no_profiler; /* an embedder owns SIGPROF: then the JIT stays off */
    int signal;       /* for the tick; 0: SIGRTMIN + 3 */
} twl_budget_options;

/* Starts the timer for the calling thread, once per process, after fork (a
 * timer does not survive one). NULL: defaults. Runs the self-test: a compiled
 * loop must be stopped, else no VM will compile. A second start is harmless.
 * 0, or TW_EIO when the system refuses: then calls run without a budget. */
int twl_budget_start(const twl_budget_options *options);

/* Takes the timer away and restores the signals. No call may run, and no VM
 * may be active: nothing could stop its loops. */
void twl_budget_stop(void);

/* Whether VMs may compile: started, profiler allowed, self-test passed. */
bool twl_budget_allows_jit(void);

/* Why not, for the log; "" when they may. */
const char *twl_budget_report(void);

/* For C code that runs long on behalf of a script (every few thousand steps):
 * raises when the running call is over its budget or at its memory limit.
 * Cheap: one load when all is well. */
void twl_budget_check(lua_State *L);

#endif
