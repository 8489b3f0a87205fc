/* tls_memory.c - how much memory OpenSSL holds.
 *
 * The allocator counts what malloc gave, its rounding included. A process of
 * ours has one thread that uses OpenSSL; a host with several does not call
 * tw__tls_count_memory, or sees a figure that is a little off.
 *
 * SPDX-License-Identifier: MIT */
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "net/tls.h"

static atomic_size_t held;

static void count(void *block, size_t old) {
    size_t size = block != NULL ? malloc_usable_size(block) : 0;
    atomic_fetch_add_explicit(&held, size - old, memory_order_relaxed);
}

static void *allocate(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    void *block = malloc(size);
    count(block, 0);
    return block;
}

static void *resize(void *block, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    size_t old = block != NULL ? malloc_usable_size(block) : 0;
    void *moved = realloc(block, size);
    if (moved != NULL) {
        count(moved, old);
    }
    return moved;
}

static void release(void *block, const char *file, int line) {
    (void)file;
    (void)line;
    if (block != NULL) {
        count(NULL, malloc_usable_size(block));
        free(block);
    }
}

bool tw__tls_count_memory(void) {
    return CRYPTO_set_mem_functions(allocate, resize, release) == 1;
}

size_t tw__tls_memory(void) {
    return atomic_load_explicit(&held, memory_order_relaxed);
}
