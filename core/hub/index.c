/* SPDX-License-Identifier: MIT */
#include "hub/index.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "tidewire/errors.h"

enum { SMALLEST = 8 };

void tw__index_deinit(tw__index *index) {
    tw__resize_free(index->_slots, tw__index_bytes(index));
    *index = (tw__index){NULL, 0, 0};
}

static int resize(tw__index *index, uint32_t cap) {
    tw__index old = *index;
    size_t size = cap * sizeof *old._slots;
    tw__index_slot *slots = tw__resize(NULL, 0, size);
    if (slots == NULL) {
        return TW_ENOMEM;
    }
    memset(slots, 0, size);
    *index = (tw__index){slots, cap, 0};
    for (uint32_t i = 0; i < old._cap; i++) {
        const tw__index_slot *slot = &old._slots[i];
        if (slot->mark != 0) {
            tw__index_add(index, slot->hash, slot->mark - 1);
        }
    }
    tw__index_deinit(&old);
    return 0;
}

int tw__index_reserve(tw__index *index) {
    if (index->_len < index->_cap - index->_cap / 8) {
        return 0;
    }
    if (index->_cap > UINT32_MAX / 2) {
        return TW_ENOMEM;
    }
    return resize(index, index->_cap == 0 ? SMALLEST : index->_cap * 2);
}

void tw__index_add(tw__index *index, uint32_t hash, uint32_t number) {
    uint32_t mask = index->_cap - 1, i = hash & mask;
    assert(index->_len < index->_cap - index->_cap / 8);
    while (index->_slots[i].mark != 0) {
        i = (i + 1) & mask;
    }
    index->_slots[i] = (tw__index_slot){hash, number + 1};
    index->_len++;
}

static uint32_t slot_of(const tw__index *index, uint32_t hash,
                        uint32_t number) {
    uint32_t mask = index->_cap - 1, i = hash & mask;
    while (index->_slots[i].mark != number + 1) {
        assert(index->_slots[i].mark != 0);
        i = (i + 1) & mask;
    }
    return i;
}

/* Closes the hole: what comes behind it and may stand there moves up, so that
 * no run has a gap between where a number belongs and where it stands. */
static void close_hole(tw__index *index, uint32_t hole) {
    uint32_t mask = index->_cap - 1;
    tw__index_slot *slots = index->_slots;
    for (uint32_t i = (hole + 1) & mask; slots[i].mark != 0;
         i = (i + 1) & mask) {
        uint32_t away = (i - slots[i].hash) & mask;
        if (away >= ((i - hole) & mask)) {
            slots[hole] = slots[i];
            hole = i;
        }
    }
    slots[hole].mark = 0;
}

void tw__index_remove(tw__index *index, uint32_t hash, uint32_t number) {
    close_hole(index, slot_of(index, hash, number));
    index->_len--;
    if (index->_cap > SMALLEST && index->_len < index->_cap / 4) {
        (void)resize(index, index->_cap / 2); /* else it stays large */
    }
}

void tw__index_renumber(tw__index *index, uint32_t hash, uint32_t from,
                        uint32_t to) {
    index->_slots[slot_of(index, hash, from)].mark = to + 1;
}

void tw__index_clear(tw__index *index) {
    if (index->_cap > 0) {
        memset(index->_slots, 0, tw__index_bytes(index));
    }
    index->_len = 0;
}
