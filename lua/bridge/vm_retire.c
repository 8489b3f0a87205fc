/* Which VM compiles, and how one goes. SPDX-License-Identifier: MIT */
#include <luajit.h>
#include <time.h>

#include <tidewire/errors.h>

#include "budget_run.h"
#include "vm_state.h"

/* After this many ends of a collection since the roots were dropped, nothing
 * is left: the first may have begun before the drop, the second frees, the
 * third takes what finalizers had kept. */
enum { CYCLES_AFTER_DROP = 3 };

/* LuaJIT repeats a step for every kilobyte that it lags behind, with nobody
 * looking at the clock: after a drop that can be all of the heap, so the steps
 * are made small (its default is 200). */
enum { STEPMUL_AFTER_DROP = 10 };

static twl_vm *active;

/* Compiled code stays in use when the engine is merely off, and without the
 * profiler nothing could stop it: hence the flush. */
static void stop_compiling(twl_vm *vm) {
    if (vm->jit_on) {
        twl_budget_profile_stop(vm);
        luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
        luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_FLUSH);
        vm->jit_on = false;
    } else {
        twl_budget_profile_stop(vm); /* a profile may have started it */
    }
}

static void start_compiling(twl_vm *vm) {
    if (!vm->config.no_jit && !vm->is_frozen && twl_budget_allows_jit()) {
        luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_ON);
        twl_budget_profile_start(vm);
        vm->jit_on = true;
    }
}

int twl_vm_activate(twl_vm *vm) {
    if (vm == active) {
        return 0;
    }
    if ((active != NULL && active->current != NULL) ||
        (vm != NULL && vm->current != NULL)) {
        return TW_EINVALID;
    }
    if (active != NULL) {
        stop_compiling(active);
    }
    active = vm;
    if (vm != NULL) {
        start_compiling(vm);
    }
    return 0;
}

bool twl_vm_is_active(const twl_vm *vm) {
    return vm == active;
}

int twl_vm_freeze(twl_vm *vm) {
    if (vm->current != NULL) {
        return TW_EINVALID;
    }
    vm->is_frozen = true;
    stop_compiling(vm);
    if (vm == active) {
        active = NULL;
    }
    return 0;
}

/* Takes everything out of the registry but the stage runner, and out of the
 * real globals; setting nil during a traversal is allowed. */
static void clear_roots(lua_State *L, twl_stage *stage) {
    (void)stage;
    int kept = twl_vm_of(L)->stage_ref;
    lua_pushnil(L);
    while (lua_next(L, LUA_REGISTRYINDEX) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TNUMBER || lua_tointeger(L, -1) != kept) {
            lua_pushvalue(L, -1);
            lua_pushnil(L);
            lua_rawset(L, LUA_REGISTRYINDEX);
        }
    }
    lua_newtable(L);
    lua_replace(L, LUA_GLOBALSINDEX);
    lua_gc(L, LUA_GCSETSTEPMUL, STEPMUL_AFTER_DROP);
}

int twl_vm_drop(twl_vm *vm) {
    int err = twl_vm_freeze(vm);
    if (err != 0 || vm->is_dropped) {
        return err;
    }
    twl_call_cancel_all(vm, "the VM ends");
    twl_call_free_pool(vm);
    vm->is_dropped = true;
    twl_stage stage = {.run = clear_roots};
    if (twl_vm_run_stage(vm, &stage) != 0) {
        lua_pop(vm->L, 1);
    }
    return 0;
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void collect_slice(lua_State *L, twl_stage *stage) {
    twl_vm *vm = twl_vm_of(L);
    int64_t end = now_us() + *(const unsigned *)stage->arg;
    do {
        if (lua_gc(L, LUA_GCSTEP, 0) != 0 && vm->is_dropped) {
            vm->collect_cycles++;
        }
    } while (vm->collect_cycles < CYCLES_AFTER_DROP && now_us() < end);
}

bool twl_vm_collect_step(twl_vm *vm, unsigned budget_us) {
    twl_stage stage = {.run = collect_slice, .arg = &budget_us};
    if (vm->collect_cycles < CYCLES_AFTER_DROP &&
        twl_vm_run_stage(vm, &stage) != 0) {
        lua_pop(vm->L, 1);
    }
    return vm->collect_cycles >= CYCLES_AFTER_DROP;
}
