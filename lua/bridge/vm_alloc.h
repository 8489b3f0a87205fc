/* vm_alloc.h - the one place where the bridge meets malloc.
 *
 * Memory of C that belongs to no VM. What Lua itself allocates goes through
 * the VM's own allocator and counts against its limit (vm.h).
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_VM_ALLOC_H
#define TWL_VM_ALLOC_H

#include <stddef.h>

/* As malloc, calloc(1, size), realloc, free, strdup and a strdup of `len`
 * bytes with a NUL after them. NULL when there is no memory; what is returned
 * is given. */
void *twl_malloc(size_t size);
void *twl_zalloc(size_t size);
void *twl_realloc(void *memory, size_t size);
void twl_free(void *memory);
char *twl_strdup(const char *text);
char *twl_memdup(const void *data, size_t len);

#endif
