/* alloc.h - where the core's memory comes from.
 *
 * All of core/ allocates through these, so that tests can make the nth
 * allocation fail and can see that everything was released. One set per
 * process, not synchronised: the library is single-threaded. Blocks that
 * tw_post makes on a foreign thread do not pass through here.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BASE_ALLOC_H
#define TW_BASE_ALLOC_H

#include <stddef.h>

/* As malloc, calloc, realloc and free. NULL when there is none. */
void *tw__malloc(size_t size);
void *tw__calloc(size_t count, size_t size);
void *tw__realloc(void *block, size_t size);
void tw__free(void *block);

/* Arrays that grow large: from TW__PAGES_MIN bytes on a block is pages of its
 * own, which grow without being copied and leave no hole in the heap behind
 * them. `old_size` is what was asked for last, 0 with NULL. NULL when there is
 * no memory: nothing has changed then. */
enum { TW__PAGES_MIN = 16384 };
void *tw__resize(void *block, size_t old_size, size_t size);
void tw__resize_free(void *block, size_t size);

/* A zero-terminated copy of `len` bytes; NULL when there is no memory. */
char *tw__strndup(const char *data, size_t len);

/* For tests: the allocation number `nth` from now (1 = the next) fails, once;
 * 0 switches that off. Gives what was left of the number before: 0 when that
 * allocation has failed. */
size_t tw__alloc_fail_nth(size_t nth);

/* For tests: blocks that are allocated and not yet freed. */
size_t tw__alloc_live(void);

#endif
