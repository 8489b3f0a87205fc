/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "tidewire/errors.h"

static uint64_t fnv(uint64_t hash, const char *key, size_t len) {
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)key[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint32_t mix(uint64_t hash) {
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    return (uint32_t)(hash ^ (hash >> 32));
}

uint32_t tw__hash_stable(const char *key, size_t len) {
    return mix(fnv(UINT64_C(0xcbf29ce484222325), key, len));
}

uint32_t tw__hash_keyed(const char *key, size_t len) {
    static uint64_t seed;
    if (seed == 0) {
        tw__random_bytes(&seed, sizeof seed);
        seed |= 1;
    }
    return mix(fnv(seed, key, len));
}

void tw__map_init(tw__map *map) {
    memset(map, 0, sizeof *map);
}

void tw__map_deinit(tw__map *map) {
    tw__free(map->_entries);
    tw__map_init(map);
}

/* The entry of the key, or the first never used one. The table always has
 * such a one, so the loop ends. */
static tw__map_entry *probe(const tw__map *map, const char *key, size_t len,
                            uint32_t hash) {
    size_t mask = map->_cap - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        tw__map_entry *entry = &map->_entries[i];
        if (entry->key == NULL ||
            (entry->value != NULL && entry->hash == hash && entry->len == len &&
             memcmp(entry->key, key, len) == 0)) {
            return entry;
        }
    }
}

static int resize(tw__map *map) {
    tw__map old = *map;
    size_t cap = 16;
    while (cap < old._len * 4) {
        cap *= 2;
    }
    tw__map_entry *entries = tw__calloc(cap, sizeof *entries);
    if (entries == NULL) {
        return TW_ENOMEM;
    }
    *map = (tw__map){entries, cap, old._len, old._len};
    for (size_t i = 0; i < old._cap; i++) {
        tw__map_entry *entry = &old._entries[i];
        if (entry->value != NULL) {
            *probe(map, entry->key, entry->len, entry->hash) = *entry;
        }
    }
    tw__free(old._entries);
    return 0;
}

void *tw__map_find(const tw__map *map, const char *key, size_t len) {
    if (map->_len == 0) {
        return NULL;
    }
    return probe(map, key, len, tw__hash_keyed(key, len))->value;
}

int tw__map_add(tw__map *map, const char *key, size_t len, void *value) {
    if ((map->_used + 1) * 2 > map->_cap && resize(map) != 0) {
        return TW_ENOMEM;
    }
    uint32_t hash = tw__hash_keyed(key, len);
    tw__map_entry *entry = probe(map, key, len, hash);
    if (entry->value != NULL) {
        return TW_EEXISTS;
    }
    *entry = (tw__map_entry){key, (uint32_t)len, hash, value};
    map->_used++;
    map->_len++;
    return 0;
}

void *tw__map_remove(tw__map *map, const char *key, size_t len) {
    if (map->_len == 0) {
        return NULL;
    }
    tw__map_entry *entry = probe(map, key, len, tw__hash_keyed(key, len));
    void *value = entry->value;
    if (value != NULL) {
        entry->key = ""; /* the holder of the key may go now */
        entry->value = NULL;
        map->_len--;
    }
    return value;
}

void *tw__map_next(const tw__map *map, size_t *pos) {
    while (*pos < map->_cap) {
        void *value = map->_entries[(*pos)++].value;
        if (value != NULL) {
            return value;
        }
    }
    return NULL;
}
