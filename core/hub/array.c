/* SPDX-License-Identifier: MIT */
#include "hub/array.h"

/* Below that many items there is not enough to give back. */
enum { KEEP = 16 };

static uint32_t with_room(uint32_t count) {
    return count + count / 4 + 4;
}

void *tw__array_grow(void *items, uint32_t *cap, uint32_t count, size_t item) {
    if (count <= *cap) {
        return items;
    }
    if (count > UINT32_MAX / 2) {
        return NULL;
    }
    uint32_t more = with_room(count - 1);
    void *moved = tw__resize(items, *cap * item, more * item);
    if (moved != NULL) {
        *cap = more;
    }
    return moved;
}

void *tw__array_shrink(void *items, uint32_t *cap, uint32_t count,
                       size_t item) {
    if (*cap <= KEEP || count > *cap / 2) {
        return items;
    }
    uint32_t less = with_room(count);
    void *moved = tw__resize(items, *cap * item, less * item);
    if (moved == NULL) {
        return items;
    }
    *cap = less;
    return moved;
}
