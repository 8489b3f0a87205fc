/* vm.h - one Lua VM: the state that one generation of the scripts lives in.
 *
 * A VM belongs to the loop's thread. It is made with its JIT off; one VM of
 * the process at a time is active, and only that one compiles, because
 * LuaJIT's profiler, which makes compiled loops stoppable, serves one VM
 * (budget.h). At most two VMs exist together: the active one and one that
 * loads, or one that is being retired.
 *
 * Life: create, load (loader.h), activate, calls (call.h), freeze, drop,
 * collect_step until done, destroy. Destroy is allowed at any point but inside
 * a call; the steps before it only keep it short.
 *
 * Whatever touches Lua may raise (memory limit!) and an error outside
 * protected code ends the process: use twl_call (call.h) for scripts and
 * twl_vm_protect for everything else.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_VM_H
#define TWL_VM_H

#include <lua.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tidewire/tidewire.h>

#include "vm_bytes.h"

typedef struct twl_vm twl_vm;
typedef struct twl_sources twl_sources; /* loader_sources.h */
typedef struct twl_failure twl_failure; /* call.h */

enum { TWL_DEFAULT_BUDGET_MS = 100 };
#define TWL_DEFAULT_MEMORY_LIMIT ((size_t)256 << 20)

/* Receives what the lower half has to say and what scripts log; `fields` are
 * those of the script. Everything is borrowed. */
typedef struct twl_vm_config {
    size_t memory_limit_bytes; /* 0: 256 MiB; what Lua may hold */
    unsigned budget_ms;        /* 0: 100; CPU time of one call in all */
    bool no_jit;               /* true: activate leaves the JIT off */
    bool is_brief;             /* does not live long: no garbage is collected
                                  until twl_vm_loaded */
    uint64_t generation;       /* for twl_vm_generation */
    const char *script_dir;    /* where `require` looks first; copied */
    const char *library_dir;   /* where it looks next; copied; may be NULL */
    twl_sources *sources;      /* borrowed, outlives the VM; never NULL */
    tw_log_cb log;             /* may be NULL: silence */
    void *log_arg;
    const tw_server *server; /* whose clocks scripts see; NULL: the machine's */
    void *user;              /* the upper half's own; see twl_vm_user */
} twl_vm_config;

/* Makes a VM with the sandbox, `require`, error objects and the metatables of
 * JSON in place, JIT off. The VM is given.
 * 0, TW_ENOMEM (also when the limit is too small), or TW_EINVALID. */
int twl_vm_create(twl_vm **vm, const twl_vm_config *config);

/* Closes the state: finalizers run, waiting calls are cancelled first (their
 * wait's cancel callback is called). Not from inside a call. NULL is allowed.
 * Blocks about 1.2 ms a megabyte unless drop and collect_step ran before. */
void twl_vm_destroy(twl_vm *vm);

/* The VM that `L`, any of its threads, belongs to. Cheap; never NULL. */
twl_vm *twl_vm_of(lua_State *L);

/* The main thread, for twl_vm_protect's callers who need it; the stack of
 * which is level between calls. */
lua_State *twl_vm_lua(twl_vm *vm);

void *twl_vm_user(const twl_vm *vm);
uint64_t twl_vm_generation(const twl_vm *vm);
const char *twl_vm_script_dir(const twl_vm *vm);
const twl_vm_config *twl_vm_config_of(const twl_vm *vm);

/* Bytes that Lua holds now (garbage included), and the limit. */
size_t twl_vm_memory(const twl_vm *vm);
size_t twl_vm_memory_limit(const twl_vm *vm);

/* Bytes to build something in while Lua may raise: emptied by this call,
 * reused, freed with the VM, so that nothing leaks. Two nested users must not
 * both hold them: take them, fill them, consume them, call nothing between. */
twl_bytes *twl_vm_scratch(twl_vm *vm);

/* --- protection ------------------------------------------------------- */

/* Runs `fn(L, arg)` protected on the main thread with an empty stack frame, no
 * CPU budget: for C code of ours which touches Lua, never for scripts. What
 * `fn` leaves on its stack is dropped. May be called inside a call.
 * 0, TW_ENOMEM at the memory limit, TW_EINVALID for any other error;
 * *twl_vm_failure says what it was. */
typedef void (*twl_protect_cb)(lua_State *L, void *arg);
int twl_vm_protect(twl_vm *vm, twl_protect_cb fn, void *arg);

/* What the last failed call, protect or load of this VM reported. Borrowed,
 * valid until the next failure of this VM. Never NULL. */
const twl_failure *twl_vm_failure(const twl_vm *vm);

/* --- references ------------------------------------------------------- */

/* Pops the value on top and returns a reference to it. Raises: protected code
 * only. A nil gives LUA_REFNIL. */
int twl_ref(lua_State *L);

/* Pushes the value; does not raise and does not allocate. */
void twl_push_ref(lua_State *L, int ref);

/* Gives the reference back. Does not raise; LUA_NOREF and LUA_REFNIL are
 * allowed. Safe outside protected code. */
void twl_unref(twl_vm *vm, int ref);

/* The registry under an address of ours: light userdata keys cannot collide
 * with anything else. set pops the value and may raise; get pushes it. */
void twl_reg_set(lua_State *L, const void *key);
void twl_reg_get(lua_State *L, const void *key);

/* --- active, retired -------------------------------------------------- */

/* Makes `vm` the one that compiles: stops the profiler in the VM that was
 * active and turns its JIT off, then turns both on here. Either step is left
 * out where there is nothing to do; vm may be NULL: then none is active.
 * 0, or TW_EINVALID inside a call (nothing changed). */
int twl_vm_activate(twl_vm *vm);
bool twl_vm_is_active(const twl_vm *vm);

/* JIT off, for good: the first step of retiring. Calls still work (those that
 * wait may be resumed), interpreted. Same errors as activate. */
int twl_vm_freeze(twl_vm *vm);

/* Cancels waiting calls, then drops every root: registry, globals, modules.
 * No call is possible afterwards. 0, or TW_EINVALID inside a call. */
int twl_vm_drop(twl_vm *vm);

/* What makes the VM what it is has been loaded. */
void twl_vm_loaded(twl_vm *vm);

/* Fits the pace of the collector to what the VM holds. When that grows this
 * happens by itself; for when it has become less, call it now and then. */
void twl_vm_pace(twl_vm *vm);

/* Collects for about `budget_us`; true when nothing is left to collect and
 * destroy will be short. Before drop it is plain incremental collection. */
bool twl_vm_collect_step(twl_vm *vm, unsigned budget_us);

#endif
