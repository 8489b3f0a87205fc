/* The tick, the hook and the counting. The rules that keep it sound:
 *
 * 1. Everything happens on the loop's thread: the timer's signal is aimed at
 *    it. Hooks set from another thread disable a VM's hooks for good.
 * 2. `running` is the switch. It is cleared before anything else changes, so
 *    that a tick sees a whole call or none, and it is cleared before the hook
 *    is taken away, so that no tick can set it again for a call that is over.
 * 3. A tick that is over the budget sets the hook anew each time: LuaJIT may
 *    have been in the middle of switching its dispatch table when one landed.
 *
 * SPDX-License-Identifier: MIT */
#include "budget.h"

#include <lauxlib.h>
#include <luajit.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

#include "budget_run.h"
#include "budget_state.h"
#include "profile_sample.h"
#include "vm_state.h"

budget_state twl_budget;

/* Orders plain stores against the handler, which runs on this thread. */
static inline void fence(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* --- stopping --------------------------------------------------------- */

/* Says what happened and where, once, while there is still a stack. */
static void locate(lua_State *L, twl_vm *vm) {
    twl_budget.is_located = true;
    vm->has_grace = true;
    if (!vm->has_fault) {
        char message[64];
        snprintf(message, sizeof message, "over its CPU budget of %u ms",
                 twl_budget.limit * TWL_TICK_MS);
        twl_failure_set(vm, TWL_BUDGET, vm->current->spec->name, message, NULL);
        vm->has_fault = true;
    }
    twl_failure_locate(L, L, vm->current->fn_ref);
    vm->has_grace = false;
}

static int raise_over(lua_State *L) {
    twl_vm *vm = twl_budget.vm;
    if (vm != NULL) {
        if (!twl_budget.is_located) {
            locate(L, vm);
        }
        lua_pushstring(L, vm->failure.message);
    } else {
        lua_pushliteral(L, "over budget");
    }
    return lua_error(L);
}

static void on_count(lua_State *L, lua_Debug *ar) {
    (void)ar;
    if (twl_budget.running != NULL && twl_budget.over) {
        raise_over(L);
        return;
    }
    lua_sethook(L, NULL, 0, 0);
    if (twl_budget.wants_collection) {
        twl_budget.wants_collection = 0;
        twl_vm_collect_all(twl_vm_of(L));
    }
}

/* Puts the hook in and makes compiled loops leave for the interpreter. Safe in
 * a signal handler and in the middle of an allocation: it sets bits. */
static void poke(lua_State *L) {
    lua_sethook(L, NULL, 0, 0);
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    if (twl_budget.profiled == L) {
        raise(SIGPROF);
    }
}

void twl_budget_tick(int signal_number, siginfo_t *info, void *context) {
    (void)signal_number;
    (void)info;
    lua_State *L = twl_budget.running;
    if (twl_budget.is_profiling) {
        twl_samples_tick(context);
    }
    if (L == NULL || twl_budget.is_paused) {
        return;
    }
    twl_budget.ticks++;
    if (twl_budget.ticks >= twl_budget.limit) {
        twl_budget.over = 1;
    }
    if (twl_budget.over) {
        poke(L);
    }
}

void twl_budget_force_out(twl_vm *vm) {
    if (twl_budget.vm != vm || twl_budget.running == NULL) {
        return;
    }
    if (!vm->has_fault) {
        char message[64];
        bool is_small = vm->limit < 1 << 20;
        snprintf(message, sizeof message, "over the memory limit of %zu %s",
                 vm->limit >> (is_small ? 10 : 20), is_small ? "KiB" : "MiB");
        twl_failure_set(vm, TWL_MEMORY, vm->current->spec->name, message, NULL);
        vm->has_fault = true;
    }
    twl_budget.over = 1;
    poke(vm->L);
}

bool twl_budget_ask_collection(twl_vm *vm) {
    if (twl_budget.vm != vm || twl_budget.running == NULL) {
        return false;
    }
    twl_budget.wants_collection = 1;
    poke(vm->L);
    return true;
}

void twl_budget_check(lua_State *L) {
    if (twl_budget.over && twl_budget.running != NULL) {
        raise_over(L);
    }
}

/* --- counting --------------------------------------------------------- */

void twl_budget_count(lua_State *L, twl_vm *vm, unsigned ticks,
                      unsigned limit) {
    twl_budget.running = NULL;
    fence();
    twl_budget.vm = vm;
    twl_budget.ticks = ticks;
    twl_budget.limit = limit;
    twl_budget.over = ticks >= limit;
    twl_budget.is_located = false;
    fence();
    twl_budget.running = L;
    if (twl_budget.over) {
        poke(L);
    }
}

/* Not inlined, so that in a profile its frame tells of its caller's. */
__attribute__((noinline)) void twl_budget_enter(twl_budget_frame *outer,
                                                twl_vm *vm, unsigned ticks,
                                                unsigned limit) {
    outer->vm = twl_budget.vm;
    outer->ticks = twl_budget.ticks;
    outer->limit = twl_budget.limit;
    if (twl_budget.is_profiling) {
        outer->entry = twl_samples_enter(TWL_STACK_ENTRY());
    }
    twl_budget_count(vm->L, vm, ticks, limit);
    outer->start = ticks;
}

unsigned twl_budget_leave(const twl_budget_frame *outer) {
    lua_State *L = twl_budget.running;
    twl_budget.running = NULL;
    fence();
    if (twl_budget.over || twl_budget.wants_collection) {
        lua_sethook(L, NULL, 0, 0);
        twl_budget.over = 0;
        twl_budget.wants_collection = 0;
    }
    if (twl_budget.is_profiling) {
        twl_samples_leave(outer->entry);
    }
    unsigned ticks = twl_budget.ticks;
    if (outer->vm != NULL) {
        twl_budget_count(outer->vm->L, outer->vm,
                         outer->ticks + (ticks - outer->start), outer->limit);
    } else {
        twl_budget.vm = NULL;
    }
    return ticks;
}

void twl_budget_pause(void) {
    twl_budget.is_paused++;
}

void twl_budget_unpause(void) {
    twl_budget.is_paused--;
}

/* --- the profiler ----------------------------------------------------- */

/* It is the exit check that profiling puts into compiled loops that is wanted.
 * Only in a profile (profile.h) has the callback something to do. */
static void on_profile(void *data, lua_State *L, int samples, int vmstate) {
    (void)data;
    (void)samples;
    if (twl_budget.is_profiling) {
        twl_samples_lua(L, vmstate);
    }
}

void twl_budget_profile_state(lua_State *L) {
    if (twl_budget.profiled != NULL) {
        lua_State *old = twl_budget.profiled;
        twl_budget.profiled = NULL;
        fence();
        luaJIT_profile_stop(old);
    }
    if (L != NULL) {
        /* "l" makes the check land in loops. The interval is as long as may be
         * and its timer is taken away at once: a SIGPROF of the process, which
         * another thread might get, would set bits of this VM from there. Only
         * our own raise, on this thread, triggers the check. */
        luaJIT_profile_start(L, "li1000000", on_profile, NULL);
        static const struct itimerval NEVER;
        setitimer(ITIMER_PROF, &NEVER, NULL);
        fence();
        twl_budget.profiled = L;
    }
}

void twl_budget_profile_start(twl_vm *vm) {
    twl_budget_profile_state(vm->L);
}

void twl_budget_profile_stop(twl_vm *vm) {
    if (twl_budget.profiled == vm->L) {
        twl_budget_profile_state(NULL);
    }
}
