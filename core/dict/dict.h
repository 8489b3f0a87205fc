/* dict.h - the dictionaries of a server as one process uses them.
 *
 * What is behind the functions of tidewire/dict.h but those that take a server:
 * finds the shard of a key, holds its lock for as long as it takes to read or
 * change one entry, copies what was read out of the shared memory. Under a lock
 * nothing is allocated and nobody is called.
 *
 * Belongs to the thread of its server.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_DICT_DICT_H
#define TW_DICT_DICT_H

#include "dict/region.h"

typedef struct tw__dict_events {
    uint64_t (*now_ms)(void *arg); /* the same clock in all processes */
    /* What happened in one call, when something did. */
    void (*noted)(const char *name, const tw__dict_tally *tally, void *arg);
    void *arg;
} tw__dict_events;

typedef struct tw__dicts {
    tw__dict_region *region; /* NULL before the first use of an own one */
    size_t bytes;            /* it is to have */
    bool is_own;
    tw__dict_region **shared; /* by those of this process; NULL: none is */
    tw__dict_events events;
    char *buffer; /* what was read last */
    size_t buffer_size;
    tw_dict *first; /* all that are open */
} tw__dicts;

/* In a region that is shared (borrowed), or, NULL, in a private one of `bytes`,
 * which is made when it is needed. */
void tw__dicts_init(tw__dicts *dicts, tw__dict_region *region, size_t bytes,
                    const tw__dict_events *events);
void tw__dicts_deinit(tw__dicts *dicts);

/* Before the first use, where there is no region: the first of those who have
 * the same place makes one there, which is destroyed by whoever has the place.
 */
void tw__dicts_share(tw__dicts *dicts, tw__dict_region **place);

/* As tw_dict_open, tw_dict_check and tw_limit. */
int tw__dicts_open(tw__dicts *dicts, tw_str name, size_t bytes, tw_dict **dict);
int tw__dicts_check(tw__dicts *dicts, tw_str name, size_t bytes,
                    size_t *promised, size_t *left);
int tw__dicts_limit(tw__dicts *dicts, tw_str key, double per_second,
                    double burst, double *retry_after);

/* ---- for dict*.c -------------------------------------------------------- */

struct tw_dict {
    tw_dict *next;
    tw__dicts *dicts;
    const tw__dict_part *part;
};

/* One call for one key, from the lock to its end. */
typedef struct tw__dict_use {
    tw_dict *dict;
    tw__dict_shard *shard;
    tw__dict_key key;
    uint64_t now_ms;
    tw__dict_tally tally;
    uint32_t found; /* the key's entry, or 0 */
} tw__dict_use;

/* Locks the key's shard and looks for its entry. 0, TW_EINVALID or
 * TW_EOVERLOADED: it is not begun then. */
int tw__dict_begin(tw__dict_use *use, tw_dict *dict, tw_str key);
/* The same for a shard as a whole. */
int tw__dict_begin_shard(tw__dict_use *use, tw_dict *dict, uint32_t shard);

/* Unlocks; tells what was noted. Answers `result`. */
int tw__dict_end(tw__dict_use *use, int result);

/* When something written now is over. */
uint64_t tw__dict_expiry(const tw__dict_use *use, uint64_t ttl_ms);

static inline int tw__dict_put(tw__dict_use *use, const tw_dict_value *value,
                               uint64_t expires_ms) {
    return tw__dict_shard_put(use->shard, use->found, &use->key, value,
                              expires_ms, use->now_ms, &use->tally);
}

static inline tw__dict_entry *tw__dict_found(const tw__dict_use *use) {
    return tw__dict_shard_entry(use->shard, use->found);
}

/* Room in the buffer, not under a lock. 0 or TW_ENOMEM. */
int tw__dicts_reserve(tw__dicts *dicts, size_t size);

#endif
