/* The newest publication of each key. Every publication goes to the end of the
 * list, so that it is in the order of offsets and of arrival.
 *
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "hub/history_parts.h"
#include "tidewire/errors.h"

/* Entries of a map for each key, from which on it is too large; one that grows
 * has eight at the most. */
enum { LARGE_MAP = 16 };

struct tw__retained {
    tw__map by_key;
    tw__list by_use;
};

/* Has a copy of the key: the publication goes when the next one comes. */
typedef struct entry {
    tw__list node;
    tw__held held;
    uint8_t key_len;
    char key[];
} entry;

static entry *entry_of(tw__list *node) {
    return TW__CONTAINER(node, entry, node);
}

static size_t entry_size(size_t key_len) {
    return offsetof(entry, key) + key_len;
}

static entry *find(const tw__history *history, const char *key, size_t len) {
    const tw__retained *retained = history->retained;
    return retained != NULL ? tw__map_find(&retained->by_key, key, len) : NULL;
}

uint32_t tw__retained_len(const tw__history *history) {
    const tw__retained *retained = history->retained;
    return retained != NULL ? (uint32_t)tw__map_len(&retained->by_key) : 0;
}

/* ---- going ---- */

static void release_pub(tw__history *history, entry *e) {
    if (!tw__ring_has(&history->ring, e->held.pub->header.offset)) {
        tw__archive_uncount(history->archive, e->held.pub);
    }
    tw__pub_unref(e->held.pub);
}

static void drop(tw__history *history, entry *e) {
    tw__map_remove(&history->retained->by_key, e->key, e->key_len);
    tw__list_remove(&e->node);
    release_pub(history, e);
    history->archive->bytes -= tw__block_bytes(entry_size(e->key_len));
    tw__free(e);
}

/* Whoever does not have it misses it. */
static void drop_missed(tw__history *history, entry *e) {
    uint64_t offset = e->held.pub->header.offset;
    if (history->retained_floor < offset) {
        history->retained_floor = offset;
    }
    drop(history, e);
}

void tw__retained_pop(tw__history *history, uint64_t now_ms) {
    assert(tw__retained_len(history) > 0);
    entry *oldest = entry_of(history->retained->by_use.next);
    if (tw__pub_is_past(oldest->held.pub, now_ms)) {
        drop(history, oldest);
    } else {
        drop_missed(history, oldest);
    }
}

void tw__retained_expire(tw__history *history, uint64_t now_ms) {
    while (tw__retained_len(history) > 0 &&
           tw__held_is_past(history,
                            &entry_of(history->retained->by_use.next)->held,
                            now_ms)) {
        tw__retained_pop(history, now_ms);
    }
}

static void close_empty(tw__history *history) {
    tw__retained *retained = history->retained;
    assert(tw__list_is_empty(&retained->by_use));
    history->archive->bytes -=
        tw__map_bytes(&retained->by_key) + tw__block_bytes(sizeof *retained);
    tw__map_deinit(&retained->by_key);
    tw__free(retained);
    history->retained = NULL;
}

void tw__retained_clear(tw__history *history) {
    while (tw__retained_len(history) > 0) {
        drop_missed(history, entry_of(history->retained->by_use.next));
    }
    tw__retained_fit(history);
}

/* A map only grows: another takes its place. Without memory it stays large. */
static void shrink_map(tw__history *history) {
    tw__retained *retained = history->retained;
    tw__map small;
    tw__map_init(&small);
    for (tw__list *node = retained->by_use.next; node != &retained->by_use;
         node = node->next) {
        entry *e = entry_of(node);
        if (tw__map_add(&small, e->key, e->key_len, e) != 0) {
            tw__map_deinit(&small);
            return;
        }
    }
    history->archive->bytes -= tw__map_bytes(&retained->by_key);
    history->archive->bytes += tw__map_bytes(&small);
    tw__map_deinit(&retained->by_key);
    retained->by_key = small;
}

void tw__retained_fit(tw__history *history) {
    uint32_t len = tw__retained_len(history);
    if (history->retained == NULL) {
        return;
    }
    if (len == 0) {
        close_empty(history);
    } else if (tw__map_bytes(&history->retained->by_key) >
               LARGE_MAP * (len + 1) * sizeof(tw__map_entry)) {
        shrink_map(history);
    }
}

bool tw__retained_remove(tw__history *history, const char *key, size_t len) {
    entry *e = find(history, key, len);
    if (e != NULL) {
        drop_missed(history, e);
    }
    return e != NULL;
}

/* ---- coming ---- */

static tw__retained *open_set(tw__history *history) {
    if (history->retained == NULL) {
        tw__retained *retained = tw__malloc(sizeof *retained);
        if (retained == NULL) {
            return NULL;
        }
        tw__map_init(&retained->by_key);
        tw__list_init(&retained->by_use);
        history->archive->bytes += tw__block_bytes(sizeof *retained);
        history->retained = retained;
    }
    return history->retained;
}

static int add_to_map(tw__history *history, entry *e) {
    tw__map *map = &history->retained->by_key;
    size_t before = tw__map_bytes(map);
    int error = tw__map_add(map, e->key, e->key_len, e);
    history->archive->bytes += tw__map_bytes(map) - before;
    return error;
}

/* An entry in no list, without a publication. */
static entry *add(tw__history *history, const char *key, uint8_t key_len) {
    entry *e =
        open_set(history) != NULL ? tw__malloc(entry_size(key_len)) : NULL;
    if (e == NULL) {
        return NULL;
    }
    tw__list_init(&e->node);
    e->key_len = key_len;
    memcpy(e->key, key, key_len);
    if (add_to_map(history, e) != 0) {
        tw__free(e);
        return NULL;
    }
    history->archive->bytes += tw__block_bytes(entry_size(key_len));
    return e;
}

int tw__retained_put(tw__history *history, tw__pub *pub, uint64_t now_ms) {
    entry *e = find(history, tw__pub_key(pub), pub->key_len);
    if (e != NULL) {
        tw__list_remove(&e->node);
        release_pub(history, e);
    } else {
        while (tw__retained_len(history) >= history->class.retain) {
            tw__retained_pop(history, now_ms);
        }
        e = add(history, tw__pub_key(pub), pub->key_len);
        if (e == NULL) {
            history->retained_floor = pub->header.offset;
            return TW_ENOMEM;
        }
    }
    e->held = (tw__held){tw__pub_ref(pub), now_ms};
    tw__list_push(&history->retained->by_use, &e->node);
    if (!tw__ring_has(&history->ring, pub->header.offset)) {
        tw__archive_count(history->archive, pub);
    }
    return 0;
}

/* ---- looking ---- */

bool tw__retained_has(const tw__history *history, const tw__pub *pub) {
    const entry *e = find(history, tw__pub_key(pub), pub->key_len);
    return e != NULL && e->held.pub == pub;
}

tw__pub *tw__retained_find(const tw__history *history, const char *key,
                           size_t len, uint64_t now_ms) {
    const entry *e = find(history, key, len);
    bool is_there = e != NULL && !tw__held_is_past(history, &e->held, now_ms);
    return is_there ? e->held.pub : NULL;
}

tw__pub *tw__retained_next(const tw__history *history, uint64_t now_ms,
                           void **pos) {
    tw__retained *retained = history->retained;
    if (retained == NULL) {
        return NULL;
    }
    tw__list *node = *pos != NULL ? *pos : &retained->by_use;
    for (node = node->next; node != &retained->by_use; node = node->next) {
        const entry *e = entry_of(node);
        if (!tw__held_is_past(history, &e->held, now_ms)) {
            *pos = node;
            return e->held.pub;
        }
    }
    return NULL;
}
