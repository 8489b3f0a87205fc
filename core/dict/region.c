/* SPDX-License-Identifier: MIT */
#include "dict/region.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "base/random.h"
#include "dict/lock.h"

enum { PAGE = 4096 };

/* Of the limits: not a name that tw_dict_open takes. */
static const char LIMITS[] = ".limits";

static size_t head_bytes(void) {
    return (sizeof(tw__dict_region) + PAGE - 1) / PAGE * PAGE;
}

uint32_t tw__dict_region_count(const tw__dict_region *region) {
    return __atomic_load_n(&region->count, __ATOMIC_ACQUIRE);
}

/* ---- sizes -------------------------------------------------------------- */

static uint32_t shards_for(size_t bytes) {
    uint32_t shards = 1;
    while (shards < TW__DICT_SHARDS &&
           bytes / (shards * 2) >= TW__SHARD_GOOD_BYTES) {
        shards *= 2;
    }
    return shards;
}

static size_t stride_for(size_t bytes) {
    size_t stride = bytes / shards_for(bytes);
    return (stride + TW__BLOCK_BYTES - 1) / TW__BLOCK_BYTES * TW__BLOCK_BYTES;
}

size_t tw__dict_part_bytes(size_t bytes) {
    return stride_for(bytes) * shards_for(bytes);
}

static size_t end_of(const tw__dict_region *region) {
    uint32_t count = tw__dict_region_count(region);
    if (count == 0) {
        return head_bytes();
    }
    const tw__dict_part *last = &region->parts[count - 1];
    return last->at + last->stride * last->shards;
}

size_t tw__dict_region_left(const tw__dict_region *region) {
    bool is_full = tw__dict_region_count(region) == TW__DICTS_MAX;
    return is_full ? 0 : region->size - end_of(region);
}

/* ---- parts -------------------------------------------------------------- */

const tw__dict_part *tw__dict_region_find(const tw__dict_region *region,
                                          const char *name, size_t len) {
    for (uint32_t i = 0; i < tw__dict_region_count(region); i++) {
        const tw__dict_part *part = &region->parts[i];
        if (strlen(part->name) == len && memcmp(part->name, name, len) == 0) {
            return part;
        }
    }
    return NULL;
}

/* What one that died here before has left is written again: the part does not
 * count before it is whole. */
static int make_part(tw__dict_region *region, const char *name, size_t len,
                     size_t bytes, const tw__dict_part **out) {
    size_t left = tw__dict_region_left(region);
    if (bytes > left || tw__dict_part_bytes(bytes) > left) {
        return TW_ELIMIT;
    }
    tw__dict_part *part = &region->parts[region->count];
    memset(part->name, 0, sizeof part->name);
    memcpy(part->name, name, len);
    part->at = end_of(region);
    part->stride = stride_for(bytes);
    part->shards = shards_for(bytes);
    for (uint32_t i = 0; i < part->shards; i++) {
        tw__dict_shard *shard = tw__dict_part_at(region, part, i);
        tw__dict_shard_init(shard, part->stride);
        if (tw__dict_lock_init(&shard->lock) != 0) {
            return TW_ENOMEM;
        }
    }
    __atomic_store_n(&region->count, region->count + 1, __ATOMIC_RELEASE);
    *out = part;
    return 0;
}

int tw__dict_region_open(tw__dict_region *region, const char *name, size_t len,
                         size_t bytes, const tw__dict_part **part) {
    assert(len <= TW_DICT_NAME_MAX && bytes >= TW__DICT_MIN_BYTES);
    *part = tw__dict_region_find(region, name, len);
    if (*part != NULL) {
        return 0;
    }
    tw__dict_locked locked = tw__dict_lock(&region->lock);
    if (locked == TW__DICT_BUSY) {
        return TW_EOVERLOADED;
    }
    if (locked == TW__DICT_ORPHANED) {
        tw__dict_lock_mend(&region->lock);
    }
    int error = 0;
    *part = tw__dict_region_find(region, name, len);
    if (*part == NULL) { /* nobody was faster */
        error = make_part(region, name, len, bytes, part);
    }
    tw__dict_unlock(&region->lock);
    return error;
}

/* ---- the whole ---------------------------------------------------------- */

tw__dict_region *tw__dict_region_create(size_t bytes, bool is_shared) {
    bytes = bytes != 0 ? bytes : TW__DICT_MEMORY;
    bytes = bytes > TW__DICT_REGION_MIN ? bytes : TW__DICT_REGION_MIN;
    size_t size = head_bytes() + bytes;
    int how = is_shared ? MAP_SHARED : MAP_PRIVATE;
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    tw__dict_region *region = memory;
    region->size = size;
    tw__random_bytes(&region->secret, sizeof region->secret);
    const tw__dict_part *limits;
    if (tw__dict_lock_init(&region->lock) != 0 ||
        tw__dict_region_open(region, LIMITS, sizeof LIMITS - 1, bytes / 8,
                             &limits) != 0) {
        munmap(memory, size);
        return NULL;
    }
    return region;
}

void tw__dict_region_destroy(tw__dict_region *region) {
    if (region != NULL) {
        munmap(region, region->size);
    }
}
