/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

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
