/* region.h - the memory that all processes of a server share, and which
 * dictionaries lie where in it.
 *
 * Mapped once, before the first fork, at the same address for everybody. A
 * dictionary is never taken away again, so a directory entry, once it can be
 * seen, does not change; figures are read without any lock.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_DICT_REGION_H
#define TW_DICT_REGION_H

#include "dict/hash.h"
#include "dict/shard.h"

enum {
    TW__DICTS_MAX = 64, /* the one of limits included */
    TW__DICT_SHARDS = 64,
    /* A dictionary has fewer shards rather than smaller ones. */
    TW__SHARD_GOOD_BYTES = 131072,
    TW__DICT_MIN_BYTES = 16384,
    TW__DICT_DEFAULT_BYTES = 4 << 20,
    TW__DICT_REGION_MIN = 1 << 18,
    TW__DICT_MEMORY = 32 << 20 /* of a region for which nothing is said */
};

/* One dictionary. */
typedef struct tw__dict_part {
    char name[TW_DICT_NAME_MAX + 1];
    size_t at;     /* of its first shard, from the region's begin */
    size_t stride; /* bytes of a shard */
    uint32_t shards;
} tw__dict_part;

typedef struct tw__dict_region {
    pthread_mutex_t lock; /* for making dictionaries */
    size_t size;          /* as mapped */
    tw__dict_secret secret;
    uint32_t count; /* of parts that can be used; grows only */
    tw__dict_part parts[TW__DICTS_MAX];
} tw__dict_region;

/* Room for `bytes` (0: TW__DICT_MEMORY) of dictionaries, an eighth of it for
 * the buckets of limits, which are the first part. NULL without memory. */
tw__dict_region *tw__dict_region_create(size_t bytes, bool is_shared);
void tw__dict_region_destroy(tw__dict_region *region); /* NULL is allowed */

size_t tw__dict_region_left(const tw__dict_region *region);

/* What a dictionary that is to have `bytes` takes of it. */
size_t tw__dict_part_bytes(size_t bytes);

/* The part of that name, or NULL. */
const tw__dict_part *tw__dict_region_find(const tw__dict_region *region,
                                          const char *name, size_t len);

/* The same, made when there is none. 0, TW_ELIMIT, TW_EOVERLOADED, TW_ENOMEM.
 */
int tw__dict_region_open(tw__dict_region *region, const char *name, size_t len,
                         size_t bytes, const tw__dict_part **part);

uint32_t tw__dict_region_count(const tw__dict_region *region);

static inline tw__dict_shard *tw__dict_part_at(const tw__dict_region *region,
                                               const tw__dict_part *part,
                                               uint32_t shard) {
    char *base = (char *)(uintptr_t)region;
    return (tw__dict_shard *)(void *)(base + part->at + part->stride * shard);
}

#endif
