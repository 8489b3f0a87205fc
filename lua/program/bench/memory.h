/* memory.h - allocation that ends the program when there is no memory: a load
 * generator has nothing to save then.
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_MEMORY_H
#define TW_BENCH_MEMORY_H

#include <stdio.h>
#include <stdlib.h>

static inline void *tw__bench_must(void *block) {
    if (block == NULL) {
        fputs("tidewire bench: out of memory\n", stderr);
        _Exit(2);
    }
    return block;
}

/* Zeroed memory for `count` things; the caller frees it. Never NULL. */
static inline void *tw__bench_alloc(size_t count, size_t size) {
    return tw__bench_must(calloc(count > 0 ? count : 1, size));
}

/* As realloc with a size over 0. Never NULL. */
static inline void *tw__bench_realloc(void *block, size_t size) {
    return tw__bench_must(realloc(block, size));
}

#endif
