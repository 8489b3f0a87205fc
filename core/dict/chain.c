/* SPDX-License-Identifier: MIT */
#include "dict/chain.h"

#include <assert.h>
#include <string.h>

typedef struct block {
    uint32_t more;
    uint8_t bytes[TW__BLOCK_ROOM];
} block;

_Static_assert(sizeof(block) == TW__BLOCK_BYTES, "a block");
_Static_assert(sizeof(tw__dict_entry) == TW__BLOCK_BYTES, "an entry's first");
_Static_assert(offsetof(tw__dict_entry, more) == offsetof(block, more),
               "both go on in the same way");
_Static_assert(sizeof(tw__dict_shard) % TW__BLOCK_BYTES == 0, "a header");

/* ---- places ------------------------------------------------------------- */

static size_t round_up(size_t bytes) {
    return (bytes + TW__BLOCK_BYTES - 1) / TW__BLOCK_BYTES * TW__BLOCK_BYTES;
}

static void *place_of(const tw__dict_shard *shard, uint32_t number) {
    assert(number != 0 && number <= shard->fresh);
    size_t table = round_up(shard->buckets * sizeof(uint32_t));
    return (char *)(uintptr_t)(shard + 1) + table +
           (size_t)(number - 1) * TW__BLOCK_BYTES;
}

static block *block_of(const tw__dict_shard *shard, uint32_t number) {
    return place_of(shard, number);
}

tw__dict_entry *tw__dict_shard_entry(const tw__dict_shard *shard,
                                     uint32_t number) {
    return place_of(shard, number);
}

uint32_t tw__dict_chain_blocks(size_t len) {
    if (len <= TW__ENTRY_ROOM) {
        return 1;
    }
    size_t more = len - TW__ENTRY_ROOM;
    return (uint32_t)(1 + (more + TW__BLOCK_ROOM - 1) / TW__BLOCK_ROOM);
}

/* ---- blocks ------------------------------------------------------------- */

static uint32_t take_block(tw__dict_shard *shard) {
    uint32_t number = shard->free;
    if (number != 0) {
        shard->free = block_of(shard, number)->more;
    } else {
        assert(shard->fresh < shard->blocks);
        number = ++shard->fresh;
    }
    shard->used++;
    return number;
}

void tw__dict_chain_give(tw__dict_shard *shard, uint32_t first) {
    while (first != 0) {
        block *given = block_of(shard, first);
        uint32_t more = given->more;
        given->more = shard->free;
        shard->free = first;
        shard->used--;
        first = more;
    }
}

/* An entry with its chain; the caller made room. */
uint32_t tw__dict_chain_take(tw__dict_shard *shard, uint32_t count) {
    uint32_t more = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = take_block(shard);
        block_of(shard, number)->more = more;
        more = number;
    }
    return more;
}

/* ---- the bytes of an entry: its key, then its value --------------------- */

tw__dict_tape tw__dict_tape_begin(const tw__dict_shard *shard,
                                  uint32_t number) {
    tw__dict_entry *entry = tw__dict_shard_entry(shard, number);
    return (tw__dict_tape){shard, entry->more, entry->bytes, TW__ENTRY_ROOM};
}

/* How much of `len` lies here in one piece; goes to the next block first when
 * nothing is left of this one. */
static size_t piece(tw__dict_tape *spot, size_t len) {
    if (spot->left == 0) {
        block *next = block_of(spot->shard, spot->more);
        spot->more = next->more;
        spot->at = next->bytes;
        spot->left = TW__BLOCK_ROOM;
    }
    return len < spot->left ? len : spot->left;
}

static void advance(tw__dict_tape *spot, size_t len) {
    spot->at += len;
    spot->left -= len;
}

void tw__dict_tape_skip(tw__dict_tape *spot, size_t len) {
    while (len > 0) {
        size_t part = piece(spot, len);
        advance(spot, part);
        len -= part;
    }
}

void tw__dict_tape_read(tw__dict_tape *spot, void *out, size_t len) {
    for (char *to = out; len > 0;) {
        size_t part = piece(spot, len);
        memcpy(to, spot->at, part);
        advance(spot, part);
        to += part;
        len -= part;
    }
}

void tw__dict_tape_write(tw__dict_tape *spot, const void *data, size_t len) {
    for (const char *from = data; len > 0;) {
        size_t part = piece(spot, len);
        memcpy(spot->at, from, part);
        advance(spot, part);
        from += part;
        len -= part;
    }
}

bool tw__dict_tape_is(tw__dict_tape *spot, const char *data, size_t len) {
    while (len > 0) {
        size_t part = piece(spot, len);
        if (memcmp(spot->at, data, part) != 0) {
            return false;
        }
        advance(spot, part);
        data += part;
        len -= part;
    }
    return true;
}
