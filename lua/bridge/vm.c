/* SPDX-License-Identifier: MIT */
#include "vm.h"

#include <assert.h>
#include <lauxlib.h>
#include <luajit.h>
#include <string.h>

#include <tidewire/errors.h>

#include "budget_run.h"
#include "err.h"
#include "json.h"
#include "loader.h"
#include "sandbox.h"
#include "vm_alloc.h"
#include "vm_state.h"

/* What a report may take above the limit, so that it can be made at all. */
enum { GRACE_BYTES = 1 << 20 };

/* A VM whose last step of closing runs: LuaJIT frees its arena only when it
 * finds its own allocator in place, and finalizers still ask twl_vm_of. */
static _Thread_local twl_vm *closing;

/* --- the collector's pace --------------------------------------------- */

enum {
    SMALL_BYTES = 8 << 20,
    PAUSE_SMALL = 240, /* when the next cycle begins, in % of what lives */
    PAUSE = 150,
    PAUSE_LEAST = 105,
    STEP = 1000, /* how much faster than the script it works, in % */
    STEP_MOST = 2000
};

static int clamp(double value, int least, int most) {
    return value < least ? least : value > most ? most : (int)value;
}

/* A cycle is short (LuaJIT's own pace is a fifth of this), since its last step,
 * which cannot be divided, goes over all that was added to old tables
 * meanwhile.
 *
 * Small heaps are cheap to let grow. A large one shall not double: the table of
 * all strings would be halved at the end of each cycle and doubled before the
 * end of the next, with every string moved both times.
 *
 * Near the limit a heap that grows as usual would run into the pressure mark
 * each time, and a full collection stops the world. So a cycle begins after a
 * third of the room that is left, and is over what lives within another third.
 * What `used` holds beyond what lives makes that only earlier. */
static void set_pace(twl_vm *vm, size_t used) {
    if (vm->is_dropped) {
        vm->pace_mark = SIZE_MAX; /* in slices of its own, see vm_retire.c */
        return;
    }
    double live = (double)used + 1;
    double third = vm->limit > used ? (double)(vm->limit - used) / 3 : 1;
    int most = used < SMALL_BYTES ? PAUSE_SMALL : PAUSE;
    lua_gc(vm->L, LUA_GCSETPAUSE,
           clamp(100 + 100 * third / live, PAUSE_LEAST, most));
    lua_gc(vm->L, LUA_GCSETSTEPMUL, clamp(150 * live / third, STEP, STEP_MOST));
    vm->pace_mark = used < SMALL_BYTES ? SMALL_BYTES : used + used / 4;
}

/* --- the allocator ---------------------------------------------------- */

static void set_mark(twl_vm *vm) {
    vm->mark = vm->pressure < vm->pace_mark ? vm->pressure : vm->pace_mark;
}

/* LuaJIT does not collect when an allocation fails, so garbage would count
 * against the limit for good. Hence the pressure mark below it. */
static void set_pressure(twl_vm *vm) {
    size_t room = vm->limit > vm->used ? vm->limit - vm->used : 0;
    vm->pressure = vm->used + room / 4 * 3;
    set_mark(vm);
}

/* The heap grew above a mark. In the middle of an allocation: nothing here
 * touches an object. */
static void on_mark(twl_vm *vm, size_t used) {
    if (used > vm->pace_mark) {
        set_pace(vm, used);
    }
    if (used > vm->pressure && twl_budget_ask_collection(vm)) {
        vm->pressure = SIZE_MAX;
    }
    set_mark(vm);
}

static void *count_alloc(void *ud, void *block, size_t old_size, size_t size) {
    twl_vm *vm = ud;
    size_t old = block != NULL ? old_size : 0;
    size_t used = vm->used - old + size;
    if (size > old) {
        size_t limit = vm->limit + (vm->has_grace ? GRACE_BYTES : 0);
        if (used > limit || used < size) {
            twl_budget_force_out(vm);
            return NULL;
        }
        if (used > vm->mark) {
            on_mark(vm, used);
        }
    }
    void *moved = vm->lua_alloc(vm->lua_alloc_data, block, old_size, size);
    if (moved != NULL || size == 0) {
        vm->used = used;
    } else if (size > old) {
        twl_budget_force_out(vm);
    }
    return moved;
}

static void count_from_here(twl_vm *vm) {
    lua_State *L = vm->L;
    vm->used = (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 +
               (size_t)lua_gc(L, LUA_GCCOUNTB, 0);
    vm->lua_alloc = lua_getallocf(L, &vm->lua_alloc_data);
    lua_setallocf(L, count_alloc, vm);
    set_pace(vm, vm->used);
    if (vm->config.is_brief) {
        lua_gc(L, LUA_GCSTOP, 0);
    }
    set_pressure(vm);
}

twl_vm *twl_vm_of(lua_State *L) {
    void *ud;
    return lua_getallocf(L, &ud) == count_alloc ? ud : closing;
}

/* --- create and destroy ----------------------------------------------- */

static int on_panic(lua_State *L) {
    twl_vm *vm = twl_vm_of(L);
    twl_log_printf(vm, TW_LOG_ERROR, "lua error outside protected code: %s",
                   lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?");
    return 0;
}

static int run_stage(lua_State *L) {
    twl_stage *stage = twl_vm_of(L)->stage;
    stage->run(L, stage);
    return 0;
}

static int init_state(lua_State *L) {
    twl_vm *vm = twl_vm_of(L);
    lua_settop(L, 0);
    lua_pushcfunction(L, run_stage);
    vm->stage_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    /* The registry's free list gets its slot now, so that unref never has to
     * allocate. */
    lua_pushboolean(L, 1);
    luaL_unref(L, LUA_REGISTRYINDEX, luaL_ref(L, LUA_REGISTRYINDEX));
    twl_sandbox_init(L);
    /* Opening the libraries turns the JIT on. */
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    twl_err_init(L);
    twl_json_init(L);
    twl_loader_init(L);
    return 0;
}

static int copy_config(twl_vm *vm, const twl_vm_config *config) {
    vm->config = *config;
    vm->config.library_dir = NULL;
    vm->config.script_dir =
        twl_strdup(config->script_dir != NULL ? config->script_dir : ".");
    if (vm->config.script_dir == NULL) {
        return TW_ENOMEM;
    }
    if (config->library_dir != NULL) {
        vm->config.library_dir = twl_strdup(config->library_dir);
        if (vm->config.library_dir == NULL) {
            return TW_ENOMEM;
        }
    }
    if (config->budget_ms == 0) {
        vm->config.budget_ms = TWL_DEFAULT_BUDGET_MS;
    }
    if (config->memory_limit_bytes == 0) {
        vm->config.memory_limit_bytes = TWL_DEFAULT_MEMORY_LIMIT;
    }
    vm->limit = vm->config.memory_limit_bytes;
    return 0;
}

static void close_state(twl_vm *vm) {
    if (vm->L == NULL) {
        return;
    }
    twl_vm *outer = closing;
    closing = vm;
    lua_setallocf(vm->L, vm->lua_alloc, vm->lua_alloc_data);
    lua_close(vm->L);
    closing = outer;
}

static void free_vm(twl_vm *vm) {
    close_state(vm);
    twl_bytes_deinit(&vm->scratch);
    twl_free((char *)vm->config.script_dir);
    twl_free((char *)vm->config.library_dir);
    twl_free(vm);
}

int twl_vm_create(twl_vm **out, const twl_vm_config *config) {
    if (config->sources == NULL) {
        return TW_EINVALID;
    }
    twl_vm *vm = twl_zalloc(sizeof *vm);
    if (vm == NULL) {
        return TW_ENOMEM;
    }
    twl_failure_set(vm, TWL_RAISED, "", "", NULL);
    if (copy_config(vm, config) != 0) {
        goto fail;
    }
    vm->L = luaL_newstate();
    if (vm->L == NULL) {
        goto fail;
    }
    count_from_here(vm);
    lua_atpanic(vm->L, on_panic);
    if (lua_cpcall(vm->L, init_state, NULL) != 0) {
        goto fail;
    }
    *out = vm;
    return 0;

fail:
    free_vm(vm);
    return TW_ENOMEM;
}

void twl_vm_destroy(twl_vm *vm) {
    if (vm == NULL) {
        return;
    }
    assert(vm->current == NULL);
    twl_vm_freeze(vm);
    twl_call_cancel_all(vm, "the VM ends");
    twl_call_free_pool(vm);
    free_vm(vm);
}

/* --- facts ------------------------------------------------------------ */

lua_State *twl_vm_lua(twl_vm *vm) {
    return vm->L;
}

void *twl_vm_user(const twl_vm *vm) {
    return vm->config.user;
}

uint64_t twl_vm_generation(const twl_vm *vm) {
    return vm->config.generation;
}

const char *twl_vm_script_dir(const twl_vm *vm) {
    return vm->config.script_dir;
}

const twl_vm_config *twl_vm_config_of(const twl_vm *vm) {
    return &vm->config;
}

size_t twl_vm_memory(const twl_vm *vm) {
    return vm->used;
}

size_t twl_vm_memory_limit(const twl_vm *vm) {
    return vm->limit;
}

const twl_failure *twl_vm_failure(const twl_vm *vm) {
    return &vm->failure;
}

/* What a large message left behind is not kept for ever. */
enum { SCRATCH_KEPT = 1 << 20 };

twl_bytes *twl_vm_scratch(twl_vm *vm) {
    vm->scratch.len = 0;
    if (vm->scratch._cap > SCRATCH_KEPT) {
        twl_bytes_deinit(&vm->scratch);
    }
    return &vm->scratch;
}

/* --- references ------------------------------------------------------- */

int twl_ref(lua_State *L) {
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

void twl_push_ref(lua_State *L, int ref) {
    if (ref == LUA_NOREF || ref == LUA_REFNIL) {
        lua_pushnil(L);
    } else {
        lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    }
}

void twl_unref(twl_vm *vm, int ref) {
    if (!vm->is_dropped) {
        luaL_unref(vm->L, LUA_REGISTRYINDEX, ref);
    }
}

void twl_reg_set(lua_State *L, const void *key) {
    lua_pushlightuserdata(L, (void *)key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void twl_reg_get(lua_State *L, const void *key) {
    lua_pushlightuserdata(L, (void *)key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

/* --- protection ------------------------------------------------------- */

int twl_vm_run_stage(twl_vm *vm, twl_stage *stage) {
    twl_stage *outer = vm->stage;
    vm->stage = stage;
    lua_rawgeti(vm->L, LUA_REGISTRYINDEX, vm->stage_ref);
    if (stage->values > 0) {
        lua_insert(vm->L, -1 - stage->values);
    }
    int status = lua_pcall(vm->L, stage->values, 0, 0);
    vm->stage = outer;
    return status;
}

typedef struct protected_run {
    twl_protect_cb fn;
    void *arg;
} protected_run;

static void run_protected(lua_State *L, twl_stage *stage) {
    protected_run *run = stage->arg;
    run->fn(L, run->arg);
}

int twl_vm_protect(twl_vm *vm, twl_protect_cb fn, void *arg) {
    protected_run run = {.fn = fn, .arg = arg};
    twl_stage stage = {.run = run_protected, .arg = &run};
    int status = twl_vm_run_stage(vm, &stage);
    if (status == 0) {
        return 0;
    }
    twl_failure_take(vm, "", status, NULL);
    return status == LUA_ERRMEM ? TW_ENOMEM : TW_EINVALID;
}

/* --- collecting ------------------------------------------------------- */

static void collect(lua_State *L, twl_stage *stage) {
    (void)stage;
    twl_vm *vm = twl_vm_of(L);
    lua_gc(L, LUA_GCCOLLECT, 0);
    if (!vm->is_dropped) {
        set_pace(vm, vm->used);
        /* The collection has set its next beginning by the pace before. */
        lua_gc(L, LUA_GCRESTART, -1);
    }
}

void twl_vm_loaded(twl_vm *vm) {
    if (vm->config.is_brief) {
        lua_gc(vm->L, LUA_GCRESTART, -1);
    }
}

void twl_vm_pace(twl_vm *vm) {
    set_pace(vm, vm->used);
    set_mark(vm);
}

void twl_vm_collect_all(twl_vm *vm) {
    if (vm->is_collecting) {
        return;
    }
    vm->is_collecting = true;
    twl_budget_pause();
    twl_stage stage = {.run = collect};
    if (twl_vm_run_stage(vm, &stage) != 0) {
        lua_pop(vm->L, 1);
    }
    twl_budget_unpause();
    set_pressure(vm);
    vm->is_collecting = false;
}
