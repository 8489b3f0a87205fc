/* map.h - a hash map from byte strings to pointers.
 *
 * Open addressing with linear probing; keys are not copied: each value holds
 * its own key and outlives its entry. The hash is keyed per process, since
 * names come from strangers. Removing while iterating is allowed, adding is
 * not.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BASE_MAP_H
#define TW_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct tw__map_entry {
    const char *key; /* NULL: never used; value NULL: removed */
    uint32_t len;
    uint32_t hash;
    void *value;
} tw__map_entry;

typedef struct tw__map {
    tw__map_entry *_entries;
    size_t _cap, _used, _len;
} tw__map;

void tw__map_init(tw__map *map);
void tw__map_deinit(tw__map *map); /* values are the caller's */

static inline size_t tw__map_len(const tw__map *map) {
    return map->_len;
}

/* The bytes of its table. */
static inline size_t tw__map_bytes(const tw__map *map) {
    return map->_cap * sizeof *map->_entries;
}

/* The value, or NULL. */
void *tw__map_find(const tw__map *map, const char *key, size_t len);

/* Adds `value` (not NULL) under a key it holds itself.
 * 0, TW_EEXISTS or TW_ENOMEM (nothing changed). */
int tw__map_add(tw__map *map, const char *key, size_t len, void *value);

/* Takes an entry out and returns its value, or NULL. */
void *tw__map_remove(tw__map *map, const char *key, size_t len);

/* Walks the values: start with *pos = 0; NULL at the end. */
void *tw__map_next(const tw__map *map, size_t *pos);

/* The keyed hash of the map, and one that is the same in every process: FNV-1a
 * with a finishing mix, for choosing homes. */
uint32_t tw__hash_keyed(const char *key, size_t len);
uint32_t tw__hash_stable(const char *key, size_t len);

#endif
