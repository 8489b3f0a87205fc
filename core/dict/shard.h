/* shard.h - a part of a dictionary: a hash table in a piece of memory of fixed
 * size that several processes see, each at an address of its own.
 *
 * Entries are chains of blocks of 64 bytes, so there is neither fragmentation
 * nor anything to search for room in: what has been given back can be used for
 * any other entry. Blocks are named by number, never by address. When no block
 * is left the entry that was unused for longest goes.
 *
 *   header | bucket 0 .. | block 1 ..
 *
 * Pure but for the lock in the header, which the caller holds for every
 * function here (dict.c): no allocation, no clock, no I/O. What a process that
 * died in the middle left behind is never read: its successor resets the shard.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_DICT_SHARD_H
#define TW_DICT_SHARD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tidewire/dict.h"

enum {
    TW__SHARD_MIN_BYTES = 8192,
    TW__BLOCK_BYTES = 64,
    TW__BLOCK_ROOM = 60, /* of a block that goes on with an entry */
    TW__ENTRY_ROOM = 24  /* of the block that begins one: its key, its value */
};

typedef struct tw__dict_shard {
    _Alignas(TW__BLOCK_BYTES) pthread_mutex_t lock;
    uint32_t blocks;  /* how many there are; numbered from 1 */
    uint32_t buckets; /* a power of 2 */
    uint32_t version; /* given to the latest write; survives a reset, so that a
                         version is never given again */
    uint32_t fresh;   /* blocks up to this number were in use before */
    uint32_t free;    /* the first of those given back; 0: none */
    uint32_t newest, oldest;
    uint32_t swept; /* the bucket that is looked at next for what is over */
    volatile uint32_t entries; /* also read without the lock, as figures */
    volatile uint32_t used;    /* blocks */
} tw__dict_shard;

/* The block that begins an entry. */
typedef struct tw__dict_entry {
    uint32_t more;         /* the next block of the chain; 0: none */
    uint32_t next;         /* in the bucket */
    uint32_t newer, older; /* by use */
    uint32_t hash;
    uint32_t version;    /* of the last write; never 0 */
    uint64_t expires_ms; /* 0: never */
    uint32_t value_len;
    uint16_t key_len;
    uint8_t kind, tag;
    uint8_t bytes[TW__ENTRY_ROOM];
} tw__dict_entry;

typedef struct tw__dict_key {
    const char *data;
    size_t len; /* 1 .. TW_DICT_KEY_MAX */
    uint32_t hash;
} tw__dict_key;

/* What went without having been asked to. */
typedef struct tw__dict_tally {
    uint64_t evicted; /* to make room */
    uint64_t expired;
    uint64_t busy;    /* locks not had in time */
    uint64_t emptied; /* shards */
} tw__dict_tally;

/* Lays out `bytes` (TW__SHARD_MIN_BYTES at least, a multiple of a block) of
 * zeros. The lock is not made here. */
void tw__dict_shard_init(tw__dict_shard *shard, size_t bytes);

/* Forgets all entries, whatever state they are in. */
void tw__dict_shard_reset(tw__dict_shard *shard);

/* The longest value beside a key: an entry may take half of a shard. */
size_t tw__dict_shard_room(const tw__dict_shard *shard, size_t key_len);

/* The number of the key's entry, or 0. One whose time is over goes. */
uint32_t tw__dict_shard_find(tw__dict_shard *shard, const tw__dict_key *key,
                             uint64_t now_ms, tw__dict_tally *tally);

/* The entry was used: it is the last to go. */
void tw__dict_shard_touch(tw__dict_shard *shard, uint32_t number);

tw__dict_entry *tw__dict_shard_entry(const tw__dict_shard *shard,
                                     uint32_t number);

/* Puts a value in place of the one of entry `found`, or, 0, of a new entry of
 * the key. Others may have to go. 0, or TW_ELIMIT (too large: nothing done). */
int tw__dict_shard_put(tw__dict_shard *shard, uint32_t found,
                       const tw__dict_key *key, const tw_dict_value *value,
                       uint64_t expires_ms, uint64_t now_ms,
                       tw__dict_tally *tally);

/* Copies the value of an entry, `value_len` bytes. */
void tw__dict_shard_copy(const tw__dict_shard *shard, uint32_t number,
                         void *out);
/* The value of one whose kind is TW_DICT_NUMBER. */
double tw__dict_shard_number(const tw__dict_shard *shard, uint32_t number);

void tw__dict_shard_remove(tw__dict_shard *shard, uint32_t number);

/* Copies the keys of one bucket one after another to `out`, which has room for
 * `max` of them, and their lengths to `lens`. Those that are over are left out.
 * How many there are, which may be more than `max`: then the others are not
 * copied. */
size_t tw__dict_shard_keys(const tw__dict_shard *shard, uint32_t bucket,
                           uint64_t now_ms, char *out, uint16_t *lens,
                           size_t max);

#endif
