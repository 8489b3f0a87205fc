/* SPDX-License-Identifier: MIT */
#include "hub/grace.h"

#include <assert.h>

#include "hub/array.h"
#include "tidewire/errors.h"

void tw__graces_deinit(tw__graces *graces) {
    tw__array_free(graces->heap, graces->cap, sizeof *graces->heap);
    *graces = (tw__graces){NULL, 0, 0};
}

static void put(tw__graces *graces, tw__guest *guests, uint32_t place,
                tw__grace grace) {
    graces->heap[place] = grace;
    guests[grace.guest].grace = place;
}

/* From `place`, which is free, towards the root. */
static void rise(tw__graces *graces, tw__guest *guests, uint32_t place,
                 tw__grace grace) {
    while (place > 0) {
        uint32_t above = (place - 1) / 2;
        if (graces->heap[above].ends_ms <= grace.ends_ms) {
            break;
        }
        put(graces, guests, place, graces->heap[above]);
        place = above;
    }
    put(graces, guests, place, grace);
}

/* From `place`, which is free, towards the leaves. */
static void sink(tw__graces *graces, tw__guest *guests, uint32_t place,
                 tw__grace grace) {
    const tw__grace *heap = graces->heap;
    for (;;) {
        uint32_t below = 2 * place + 1;
        if (below + 1 < graces->len &&
            heap[below + 1].ends_ms < heap[below].ends_ms) {
            below++;
        }
        if (below >= graces->len || heap[below].ends_ms >= grace.ends_ms) {
            break;
        }
        put(graces, guests, place, heap[below]);
        place = below;
    }
    put(graces, guests, place, grace);
}

int tw__graces_add(tw__graces *graces, tw__guest *guests, uint32_t guest,
                   uint64_t ends_ms) {
    tw__grace *heap = tw__array_grow(graces->heap, &graces->cap,
                                     graces->len + 1, sizeof *heap);
    assert(!guests[guest].has_grace);
    if (heap == NULL) {
        return TW_ENOMEM;
    }
    graces->heap = heap;
    guests[guest].has_grace = true;
    rise(graces, guests, graces->len++, (tw__grace){ends_ms, guest});
    return 0;
}

void tw__graces_remove(tw__graces *graces, tw__guest *guests, uint32_t guest) {
    if (!guests[guest].has_grace) {
        return;
    }
    uint32_t place = guests[guest].grace;
    tw__grace last = graces->heap[--graces->len];
    guests[guest].has_grace = false;
    if (place < graces->len) {
        if (last.ends_ms < graces->heap[place].ends_ms) {
            rise(graces, guests, place, last);
        } else {
            sink(graces, guests, place, last);
        }
    }
    graces->heap = tw__array_shrink(graces->heap, &graces->cap, graces->len,
                                    sizeof *graces->heap);
}
