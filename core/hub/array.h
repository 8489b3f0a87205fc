/* array.h - arrays that follow their contents: a quarter of room when they
 * grow, and back when they are half empty.
 *
 * The holder keeps the pointer, its length and its capacity, and starts with
 * NULL and 0. Numbers, not pointers, name the items, since these move.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_ARRAY_H
#define TW_HUB_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

/* Makes room for `count` items of `item` bytes. Returns the array, which may
 * have moved, or NULL without memory: nothing has changed then. */
void *tw__array_grow(void *items, uint32_t *cap, uint32_t count, size_t item);

/* Gives back what `count` items do not need, when that is much. Returns the
 * array, which may have moved. */
void *tw__array_shrink(void *items, uint32_t *cap, uint32_t count, size_t item);

static inline void tw__array_free(void *items, uint32_t cap, size_t item) {
    tw__resize_free(items, cap * item);
}

/* What a block of that size takes from the heap, about: with what malloc adds.
 */
static inline size_t tw__block_bytes(size_t size) {
    size_t bytes = (size + sizeof(size_t) + 15) & ~(size_t)15;
    return bytes < 32 ? 32 : bytes;
}

#endif
