/* budget_run.h - how calls enter and leave the budget. For call.c and vm.c.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_BUDGET_RUN_H
#define TWL_BUDGET_RUN_H

#include "budget.h"
#include "stack.h"
#include "vm.h"

/* What was counted before, kept on the C stack of a nested call. */
typedef struct twl_budget_frame {
    twl_vm *vm;
    unsigned ticks;
    unsigned limit;
    unsigned start;        /* what the inner call had been charged before */
    twl_stack_entry entry; /* in a profile: the call's around it */
} twl_budget_frame;

/* From here on ticks are counted for a call in `vm` which has been charged
 * `ticks` before and may have `limit`. */
void twl_budget_enter(twl_budget_frame *outer, twl_vm *vm, unsigned ticks,
                      unsigned limit);

/* The call has unwound: hooks are cleared, and what it used is added to the
 * call around it. Returns all its ticks. */
unsigned twl_budget_leave(const twl_budget_frame *outer);

/* The allocator's: the running call of `vm`, if any, must end. Async-safe as
 * far as Lua is concerned: callable from inside an allocation. */
void twl_budget_force_out(twl_vm *vm);

/* The allocator's: run a full collection at the next instruction. False when
 * no call of `vm` runs; nothing happens then. */
bool twl_budget_ask_collection(twl_vm *vm);

/* Time between the two is not charged to the running call. They nest. */
void twl_budget_pause(void);
void twl_budget_unpause(void);

/* Moves the profiler; see twl_vm_activate. */
void twl_budget_profile_start(twl_vm *vm);
void twl_budget_profile_stop(twl_vm *vm);

#endif
