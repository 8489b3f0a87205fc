/* chain.h - the blocks of a shard and what is written on them.
 *
 * An entry is a chain of blocks, the first with a head, and on it as on a tape
 * are its key and its value. For shard.c; the lock is held.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_DICT_CHAIN_H
#define TW_DICT_CHAIN_H

#include "dict/shard.h"

/* A place on the tape of an entry. */
typedef struct tw__dict_tape {
    const tw__dict_shard *shard;
    uint32_t more; /* the block behind this one */
    uint8_t *at;
    size_t left;
} tw__dict_tape;

/* How many blocks an entry has whose key and value are so long. */
uint32_t tw__dict_chain_blocks(size_t len);

/* A chain, which there must be room for; only its links are written. */
uint32_t tw__dict_chain_take(tw__dict_shard *shard, uint32_t count);
void tw__dict_chain_give(tw__dict_shard *shard, uint32_t first);

/* The tape's begin; all the others go on behind what they passed. */
tw__dict_tape tw__dict_tape_begin(const tw__dict_shard *shard, uint32_t number);
void tw__dict_tape_skip(tw__dict_tape *spot, size_t len);
void tw__dict_tape_read(tw__dict_tape *spot, void *out, size_t len);
void tw__dict_tape_write(tw__dict_tape *spot, const void *data, size_t len);
/* Whether the tape says the same; where not, its place is lost. */
bool tw__dict_tape_is(tw__dict_tape *spot, const char *data, size_t len);

#endif
