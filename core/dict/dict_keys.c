/* dict_keys.c - a dictionary as a whole. SPDX-License-Identifier: MIT */
#include "dict/dict.h"

/* So many keys at a time, and so many buckets under one lock. */
enum { KEYS = 64, BUCKETS = 1024 };

size_t tw_dict_bytes(const tw_dict *dict) {
    return dict->part->stride * dict->part->shards;
}

size_t tw_dict_max_bytes(const tw_dict *dict, size_t key_len) {
    const tw__dict_shard *first =
        tw__dict_part_at(dict->dicts->region, dict->part, 0);
    return tw__dict_shard_room(first, key_len);
}

int tw_dict_flush(tw_dict *dict) {
    for (uint32_t i = 0; i < dict->part->shards; i++) {
        tw__dict_use use;
        int error = tw__dict_begin_shard(&use, dict, i);
        if (error != 0) {
            return error;
        }
        tw__dict_shard_reset(use.shard);
        tw__dict_end(&use, 0);
    }
    return 0;
}

/* One slice of one shard. */
typedef struct slice {
    uint16_t lens[KEYS];
    size_t count, bytes;
    uint32_t bucket; /* the next one */
} slice;

/* A bucket is taken whole, or left for the next slice: it may change in between
 * and has no order. Only what does not fit into an empty slice is cut; with a
 * keyed hash that does not happen. */
static void gather(const tw__dict_use *use, slice *s, size_t max) {
    char *out = use->dict->dicts->buffer;
    uint32_t end = s->bucket + BUCKETS;
    end = end < use->shard->buckets ? end : use->shard->buckets;
    for (; s->bucket < end; s->bucket++) {
        size_t room = max - s->count;
        size_t found =
            tw__dict_shard_keys(use->shard, s->bucket, use->now_ms,
                                out + s->bytes, s->lens + s->count, room);
        if (found > room && s->count > 0) {
            return;
        }
        found = found < room ? found : room;
        for (; found > 0; found--) {
            s->bytes += s->lens[s->count++];
        }
    }
}

static void give(const tw_dict *dict, const slice *s, tw_str *keys) {
    const char *at = dict->dicts->buffer;
    for (size_t i = 0; i < s->count; i++) {
        keys[i] = (tw_str){at, s->lens[i]};
        at += s->lens[i];
    }
}

int tw_dict_keys(tw_dict *dict, uint64_t *cursor, tw_str *keys, size_t max,
                 size_t *count) {
    uint32_t shard = (uint32_t)(*cursor >> 32);
    slice s = {.bucket = (uint32_t)*cursor};
    max = max < KEYS ? max : KEYS;
    *count = 0;
    if (shard >= dict->part->shards || max == 0) {
        *cursor = TW_DICT_END;
        return 0;
    }
    int error = tw__dicts_reserve(dict->dicts, (size_t)KEYS * TW_DICT_KEY_MAX);
    tw__dict_use use;
    if (error == 0) {
        error = tw__dict_begin_shard(&use, dict, shard);
    }
    if (error != 0) {
        return error;
    }
    gather(&use, &s, max);
    bool is_done = s.bucket >= use.shard->buckets;
    tw__dict_end(&use, 0);
    give(dict, &s, keys);
    *count = s.count;
    shard += is_done;
    *cursor = shard == dict->part->shards
                  ? TW_DICT_END
                  : (uint64_t)shard << 32 | (is_done ? 0 : s.bucket);
    return 0;
}
