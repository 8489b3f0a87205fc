/* SPDX-License-Identifier: MIT */
#include "dict/chain.h"

#include <assert.h>
#include <string.h>

/* Buckets that a new entry pays for by looking whether what is in them is
 * over, so that what nobody asks for again goes before what is still good. */
enum { SWEEP = 2 };

static uint32_t *buckets_of(const tw__dict_shard *shard) {
    return (uint32_t *)(uintptr_t)(shard + 1);
}

static uint32_t *bucket_of(const tw__dict_shard *shard, uint32_t hash) {
    return &buckets_of(shard)[hash & (shard->buckets - 1)];
}

/* ---- layout ------------------------------------------------------------- */

/* As many buckets as there can be entries, or half of that. */
void tw__dict_shard_init(tw__dict_shard *shard, size_t bytes) {
    assert(bytes >= TW__SHARD_MIN_BYTES && bytes % TW__BLOCK_BYTES == 0);
    size_t room = bytes - sizeof *shard;
    size_t most = room / (TW__BLOCK_BYTES + sizeof(uint32_t));
    most = most < UINT32_MAX / 2 ? most : UINT32_MAX / 2;
    uint32_t buckets = TW__BLOCK_BYTES / sizeof(uint32_t);
    while (buckets * 2 <= most) {
        buckets *= 2;
    }
    size_t blocks = (room - buckets * sizeof(uint32_t)) / TW__BLOCK_BYTES;
    shard->buckets = buckets;
    shard->blocks = (uint32_t)(blocks < UINT32_MAX ? blocks : UINT32_MAX - 1);
}

void tw__dict_shard_reset(tw__dict_shard *shard) {
    memset(buckets_of(shard), 0, shard->buckets * sizeof(uint32_t));
    shard->fresh = shard->free = 0;
    shard->newest = shard->oldest = 0;
    shard->swept = 0;
    shard->entries = shard->used = 0;
}

size_t tw__dict_shard_room(const tw__dict_shard *shard, size_t key_len) {
    size_t most =
        (size_t)(shard->blocks / 2 - 1) * TW__BLOCK_ROOM + TW__ENTRY_ROOM;
    return most > key_len ? most - key_len : 0;
}

/* ---- values ------------------------------------------------------------- */

void tw__dict_shard_copy(const tw__dict_shard *shard, uint32_t number,
                         void *out) {
    const tw__dict_entry *entry = tw__dict_shard_entry(shard, number);
    tw__dict_tape spot = tw__dict_tape_begin(shard, number);
    tw__dict_tape_skip(&spot, entry->key_len);
    tw__dict_tape_read(&spot, out, entry->value_len);
}

double tw__dict_shard_number(const tw__dict_shard *shard, uint32_t number) {
    double value;
    assert(tw__dict_shard_entry(shard, number)->value_len == sizeof value);
    tw__dict_shard_copy(shard, number, &value);
    return value;
}

/* ---- by use ------------------------------------------------------------- */

static void unlink_used(tw__dict_shard *shard, const tw__dict_entry *entry) {
    if (entry->newer != 0) {
        tw__dict_shard_entry(shard, entry->newer)->older = entry->older;
    } else {
        shard->newest = entry->older;
    }
    if (entry->older != 0) {
        tw__dict_shard_entry(shard, entry->older)->newer = entry->newer;
    } else {
        shard->oldest = entry->newer;
    }
}

static void link_newest(tw__dict_shard *shard, uint32_t number,
                        tw__dict_entry *entry) {
    entry->newer = 0;
    entry->older = shard->newest;
    if (shard->newest != 0) {
        tw__dict_shard_entry(shard, shard->newest)->newer = number;
    } else {
        shard->oldest = number;
    }
    shard->newest = number;
}

void tw__dict_shard_touch(tw__dict_shard *shard, uint32_t number) {
    if (shard->newest != number) {
        tw__dict_entry *entry = tw__dict_shard_entry(shard, number);
        unlink_used(shard, entry);
        link_newest(shard, number, entry);
    }
}

/* ---- entries ------------------------------------------------------------ */

static bool is_over(const tw__dict_entry *entry, uint64_t now_ms) {
    return entry->expires_ms != 0 && entry->expires_ms <= now_ms;
}

void tw__dict_shard_remove(tw__dict_shard *shard, uint32_t number) {
    tw__dict_entry *entry = tw__dict_shard_entry(shard, number);
    uint32_t *from = bucket_of(shard, entry->hash);
    while (*from != number) {
        from = &tw__dict_shard_entry(shard, *from)->next;
    }
    *from = entry->next;
    unlink_used(shard, entry);
    shard->entries--;
    tw__dict_chain_give(shard, number);
}

static bool is_key(const tw__dict_shard *shard, uint32_t number,
                   const tw__dict_key *key) {
    const tw__dict_entry *entry = tw__dict_shard_entry(shard, number);
    if (entry->hash != key->hash || entry->key_len != key->len) {
        return false;
    }
    tw__dict_tape spot = tw__dict_tape_begin(shard, number);
    return tw__dict_tape_is(&spot, key->data, key->len);
}

uint32_t tw__dict_shard_find(tw__dict_shard *shard, const tw__dict_key *key,
                             uint64_t now_ms, tw__dict_tally *tally) {
    uint32_t number = *bucket_of(shard, key->hash);
    while (number != 0 && !is_key(shard, number, key)) {
        number = tw__dict_shard_entry(shard, number)->next;
    }
    if (number != 0 && is_over(tw__dict_shard_entry(shard, number), now_ms)) {
        tw__dict_shard_remove(shard, number);
        tally->expired++;
        return 0;
    }
    return number;
}

static void sweep(tw__dict_shard *shard, uint64_t now_ms,
                  tw__dict_tally *tally) {
    for (int i = 0; i < SWEEP; i++) {
        uint32_t number = *bucket_of(shard, shard->swept++);
        while (number != 0) {
            const tw__dict_entry *entry = tw__dict_shard_entry(shard, number);
            uint32_t next = entry->next;
            if (is_over(entry, now_ms)) {
                tw__dict_shard_remove(shard, number);
                tally->expired++;
            }
            number = next;
        }
    }
}

static void make_room(tw__dict_shard *shard, uint32_t need, uint64_t now_ms,
                      tw__dict_tally *tally) {
    while (shard->blocks - shard->used < need) {
        const tw__dict_entry *entry =
            tw__dict_shard_entry(shard, shard->oldest);
        if (is_over(entry, now_ms)) {
            tally->expired++;
        } else {
            tally->evicted++;
        }
        tw__dict_shard_remove(shard, shard->oldest);
    }
}

static uint32_t add(tw__dict_shard *shard, const tw__dict_key *key,
                    uint32_t need) {
    uint32_t number = tw__dict_chain_take(shard, need);
    tw__dict_entry *entry = tw__dict_shard_entry(shard, number);
    uint32_t *bucket = bucket_of(shard, key->hash);
    entry->hash = key->hash;
    entry->key_len = (uint16_t)key->len;
    entry->next = *bucket;
    *bucket = number;
    link_newest(shard, number, entry);
    shard->entries++;
    tw__dict_tape spot = tw__dict_tape_begin(shard, number);
    tw__dict_tape_write(&spot, key->data, key->len);
    return number;
}

static size_t value_len(const tw_dict_value *value) {
    return value->kind == TW_DICT_NUMBER ? sizeof value->number
                                         : value->bytes.len;
}

static void write_value(tw__dict_shard *shard, uint32_t number,
                        const tw_dict_value *value) {
    tw__dict_entry *entry = tw__dict_shard_entry(shard, number);
    tw__dict_tape spot = tw__dict_tape_begin(shard, number);
    tw__dict_tape_skip(&spot, entry->key_len);
    entry->kind = (uint8_t)value->kind;
    entry->tag = value->tag;
    entry->value_len = (uint32_t)value_len(value);
    if (value->kind == TW_DICT_NUMBER) {
        tw__dict_tape_write(&spot, &value->number, sizeof value->number);
    } else {
        tw__dict_tape_write(&spot, value->bytes.data, value->bytes.len);
    }
}

static uint32_t next_version(tw__dict_shard *shard) {
    shard->version += shard->version == UINT32_MAX ? 2 : 1; /* 0 is none */
    return shard->version;
}

static uint32_t blocks_of(const tw__dict_shard *shard, uint32_t number) {
    const tw__dict_entry *entry = tw__dict_shard_entry(shard, number);
    return tw__dict_chain_blocks((size_t)entry->key_len + entry->value_len);
}

int tw__dict_shard_put(tw__dict_shard *shard, uint32_t found,
                       const tw__dict_key *key, const tw_dict_value *value,
                       uint64_t expires_ms, uint64_t now_ms,
                       tw__dict_tally *tally) {
    if (value_len(value) > tw__dict_shard_room(shard, key->len)) {
        return TW_ELIMIT;
    }
    uint32_t need = tw__dict_chain_blocks(key->len + value_len(value));
    if (found != 0 && blocks_of(shard, found) != need) {
        tw__dict_shard_remove(shard, found);
        found = 0;
    }
    if (found == 0) {
        sweep(shard, now_ms, tally);
        make_room(shard, need, now_ms, tally);
        found = add(shard, key, need);
    }
    write_value(shard, found, value);
    tw__dict_shard_touch(shard, found);
    tw__dict_entry *entry = tw__dict_shard_entry(shard, found);
    entry->version = next_version(shard);
    entry->expires_ms = expires_ms;
    return 0;
}

size_t tw__dict_shard_keys(const tw__dict_shard *shard, uint32_t bucket,
                           uint64_t now_ms, char *out, uint16_t *lens,
                           size_t max) {
    size_t count = 0;
    uint32_t number = *bucket_of(shard, bucket);
    while (number != 0) {
        const tw__dict_entry *entry = tw__dict_shard_entry(shard, number);
        if (!is_over(entry, now_ms) && count++ < max) {
            tw__dict_tape spot = tw__dict_tape_begin(shard, number);
            tw__dict_tape_read(&spot, out, entry->key_len);
            out += entry->key_len;
            *lens++ = entry->key_len;
        }
        number = entry->next;
    }
    return count;
}
