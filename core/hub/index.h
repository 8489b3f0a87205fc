/* index.h - finds the number of an item by the hash of its key.
 *
 * A table of 8 bytes a slot, open addressing with linear probing, at most seven
 * eighths full. It knows hashes and numbers only: several numbers may have one
 * hash, and the caller says which is the item it looks for. The hash is kept,
 * so that few items are looked at and none when the table grows.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_INDEX_H
#define TW_HUB_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tw__index_slot {
    uint32_t hash;
    uint32_t mark; /* the number plus 1; 0: free */
} tw__index_slot;

/* Zero-initialise it. */
typedef struct tw__index {
    tw__index_slot *_slots;
    uint32_t _cap, _len;
} tw__index;

void tw__index_deinit(tw__index *index); /* may be used again */

/* Makes room for one more: 0 or TW_ENOMEM. */
int tw__index_reserve(tw__index *index);

/* Adds a number (below UINT32_MAX) for which there is room. */
void tw__index_add(tw__index *index, uint32_t hash, uint32_t number);

/* Takes out, or changes, a number that is there. */
void tw__index_remove(tw__index *index, uint32_t hash, uint32_t number);
void tw__index_renumber(tw__index *index, uint32_t hash, uint32_t from,
                        uint32_t to);

/* Takes all out and keeps the room. */
void tw__index_clear(tw__index *index);

static inline size_t tw__index_bytes(const tw__index *index) {
    return index->_cap * sizeof(tw__index_slot);
}

/* The next number with that hash; start with *at = hash. False: no more.
 * The table never is full, so the loop ends. */
static inline bool tw__index_next(const tw__index *index, uint32_t hash,
                                  uint32_t *at, uint32_t *number) {
    while (index->_cap > 0) {
        const tw__index_slot *slot =
            &index->_slots[(*at)++ & (index->_cap - 1)];
        if (slot->mark == 0) {
            return false;
        }
        if (slot->hash == hash) {
            *number = slot->mark - 1;
            return true;
        }
    }
    return false;
}

#endif
