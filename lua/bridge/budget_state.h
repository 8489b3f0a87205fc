/* budget_state.h - the budget's process-wide state. For budget*.c only.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_BUDGET_STATE_H
#define TWL_BUDGET_STATE_H

#include <signal.h>
#include <sys/types.h>
#include <time.h>

#include "vm.h"

/* Read and written by the tick, on the same thread: hence volatile. */
typedef struct budget_state {
    lua_State *volatile running; /* main thread of the VM that runs a call */
    twl_vm *volatile vm;
    volatile unsigned ticks;
    volatile unsigned limit;
    volatile sig_atomic_t over; /* must unwind; the hook is set */
    volatile sig_atomic_t wants_collection;
    volatile sig_atomic_t is_paused;
    lua_State *volatile profiled;
    volatile sig_atomic_t is_profiling; /* samples are taken, see profile.h */
    bool is_located; /* the failure has its place and traceback */
    bool is_started;
    pid_t pid; /* that started it: a timer does not survive a fork */
    bool allows_jit;
    const char *report;
    int signal;
    timer_t timer;
    struct sigaction old_tick;
    struct sigaction old_profile;
} budget_state;

extern budget_state twl_budget;

void twl_budget_tick(int signal_number, siginfo_t *info, void *context);

/* Counts for L from now on; vm may be NULL (the self-test). */
void twl_budget_count(lua_State *L, twl_vm *vm, unsigned ticks, unsigned limit);

/* Moves the profiler to L; NULL: nowhere. */
void twl_budget_profile_state(lua_State *L);

#endif
