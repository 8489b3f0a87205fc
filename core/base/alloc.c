/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static size_t live_blocks;
static size_t fail_countdown; /* 0: never */

static bool fails_now(void) {
    return fail_countdown != 0 && --fail_countdown == 0;
}

void *tw__malloc(size_t size) {
    void *block = fails_now() ? NULL : malloc(size ? size : 1);
    live_blocks += block != NULL;
    return block;
}

void *tw__calloc(size_t count, size_t size) {
    void *block = fails_now() ? NULL : calloc(count ? count : 1, size);
    live_blocks += block != NULL;
    return block;
}

void *tw__realloc(void *block, size_t size) {
    if (block == NULL) {
        return tw__malloc(size);
    }
    return fails_now() ? NULL : realloc(block, size ? size : 1);
}

void tw__free(void *block) {
    live_blocks -= block != NULL;
    free(block);
}

static bool is_pages(size_t size) {
    return size >= TW__PAGES_MIN;
}

static void *take_pages(size_t size) {
    void *pages = fails_now() ? MAP_FAILED
                              : mmap(NULL, size, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
        return NULL;
    }
    live_blocks++;
    return pages;
}

static void *move_pages(void *block, size_t old_size, size_t size) {
    void *pages = fails_now() ? MAP_FAILED
                              : mremap(block, old_size, size, MREMAP_MAYMOVE);
    return pages == MAP_FAILED ? NULL : pages;
}

void *tw__resize(void *block, size_t old_size, size_t size) {
    if (is_pages(old_size) && is_pages(size)) {
        return move_pages(block, old_size, size);
    }
    if (!is_pages(old_size) && !is_pages(size)) {
        return tw__realloc(block, size);
    }
    void *other = is_pages(size) ? take_pages(size) : tw__malloc(size);
    if (other != NULL && block != NULL) {
        memcpy(other, block, old_size < size ? old_size : size);
        tw__resize_free(block, old_size);
    }
    return other;
}

void tw__resize_free(void *block, size_t size) {
    if (block != NULL && is_pages(size)) {
        munmap(block, size);
        live_blocks--;
    } else {
        tw__free(block);
    }
}

char *tw__strndup(const char *data, size_t len) {
    char *copy = tw__malloc(len + 1);
    if (copy != NULL) {
        memcpy(copy, data, len);
        copy[len] = '\0';
    }
    return copy;
}

size_t tw__alloc_fail_nth(size_t nth) {
    size_t left = fail_countdown;
    fail_countdown = nth;
    return left;
}

size_t tw__alloc_live(void) {
    return live_blocks;
}
