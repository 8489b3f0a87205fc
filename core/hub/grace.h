/* grace.h - grace times that run, in the order of their ends: a heap.
 *
 * With ends that never come earlier than those before them, as usual, adding
 * one moves nothing; when they do, the order is right all the same.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_GRACE_H
#define TW_HUB_GRACE_H

#include "hub/roll.h"

typedef struct tw__grace {
    uint64_t ends_ms;
    uint32_t guest;
} tw__grace;

/* Zero-initialise it. */
typedef struct tw__graces {
    tw__grace *heap; /* the first ends first */
    uint32_t len, cap;
} tw__graces;

static inline size_t tw__graces_bytes(const tw__graces *graces) {
    return graces->cap * sizeof *graces->heap;
}

void tw__graces_deinit(tw__graces *graces);

/* For a guest that has none. 0 or TW_ENOMEM (nothing changed). */
int tw__graces_add(tw__graces *graces, tw__guest *guests, uint32_t guest,
                   uint64_t ends_ms);
/* For a guest that may have none. */
void tw__graces_remove(tw__graces *graces, tw__guest *guests, uint32_t guest);

#endif
