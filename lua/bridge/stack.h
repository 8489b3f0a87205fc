/* stack.h - the C stack of this thread, read from a signal handler.
 *
 * What may run in a handler decides how: glibc's backtrace() and the unwinder
 * of libgcc take a lock while they look for a function's tables, and LuaJIT,
 * which registers such tables and unwinds through them, may hold it at that
 * very moment. So nothing is unwound here; frame pointers are followed, which
 * only reads the stack. Tidewire is compiled with them, most libraries are not:
 *
 *   - within a library the innermost return address into our own code is
 *     searched for, word by word, and accepted when a call stands before it
 *   - beyond one (libuv calls us) the chain may end: the stack begins there
 *
 * Every word is checked before it is used, and only the stack's own memory and
 * that of code are read: a wrong frame is possible, a fault is not.
 *
 * x86-64 and AArch64 Linux; elsewhere stacks are empty.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_STACK_H
#define TWL_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TWL_STACK_MAX = 64, TWL_STACK_MODULES = 64 };

/* A piece of code in memory. */
typedef struct twl_module {
    uintptr_t from, to, offset; /* offset: of `from` in its file */
    bool is_ours, is_lua, is_program;
    char path[256];
} twl_module;

/* Where code and this thread's stack are. */
typedef struct twl_stack_map {
    twl_module modules[TWL_STACK_MODULES];
    size_t count;
    uintptr_t ours_from, ours_to;
    uintptr_t low, high; /* of the stack */
} twl_stack_map;

/* Looks around; not in a handler. Libraries that are loaded later are unknown.
 */
void twl_stack_map_init(twl_stack_map *map);

/* The module that the address is in, or NULL. In handlers, too. */
const twl_module *twl_stack_module(const twl_stack_map *map, uintptr_t at);

/* A frame of a function that was called from here on: its return address lies
 * at `slot`; `fp` is the caller's own frame. */
typedef struct twl_stack_entry {
    uintptr_t slot, fp, pc;
} twl_stack_entry;

/* In a function that is never inlined: describes the call that made it. */
#define TWL_STACK_ENTRY()                                                      \
    ((twl_stack_entry){(uintptr_t)__builtin_frame_address(0),                  \
                       *(uintptr_t *)__builtin_frame_address(0),               \
                       (uintptr_t)__builtin_return_address(0)})

/* For handlers. Fill in at most TWL_STACK_MAX addresses, the innermost first,
 * and answer how many. The first is of what a signal (its ucontext) has
 * interrupted, as far as `entry` (slot 0: all of it) and as Lua's own code,
 * which has no frames; the second of an entry's callers. */
size_t twl_stack_read(const twl_stack_map *map, const void *context,
                      const twl_stack_entry *entry, uintptr_t *out);
size_t twl_stack_callers(const twl_stack_map *map, const twl_stack_entry *entry,
                         uintptr_t *out);

#endif
