/* The publishers' ids of a history: a ring in the order of arrival, and chains
 * through it by hash. Only the oldest is ever taken out, which stands at the
 * end of its chain.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "hub/history_parts.h"
#include "tidewire/errors.h"

enum { MIN_CAP = 8 };

/* `next` and the heads of chains are places + 1, so that 0 is none. */
typedef struct id {
    char *text;
    uint64_t offset, at_ms;
    uint32_t hash;
    uint16_t next;
    uint8_t len;
} id;

struct tw__ids {
    uint32_t first, len, cap; /* cap: a power of two; first: grows for ever */
    id list[];                /* `cap` of them, and then as many heads */
};

_Static_assert((TW__IDS_MAX & (TW__IDS_MAX - 1)) == 0 &&
                   TW__IDS_MAX <= UINT16_MAX,
               "ids fill a ring of a power of two, with room for a mark");

static size_t size_of(uint32_t cap) {
    return offsetof(tw__ids, list) + cap * (sizeof(id) + sizeof(uint16_t));
}

static uint16_t *head_of(tw__ids *ids, uint32_t hash) {
    uint16_t *heads = (uint16_t *)(void *)&ids->list[ids->cap];
    return &heads[hash & (ids->cap - 1)];
}

static id *place_of(tw__ids *ids, uint32_t number) {
    return &ids->list[number & (ids->cap - 1)];
}

/* Puts it at the place of the next number, in front of its chain. */
static void put(tw__ids *ids, const id *what) {
    uint32_t place = (ids->first + ids->len++) & (ids->cap - 1);
    uint16_t *head = head_of(ids, what->hash);
    ids->list[place] = *what;
    ids->list[place].next = *head;
    *head = (uint16_t)(place + 1);
}

static int grow(tw__history *history) {
    tw__ids *old = history->ids;
    uint32_t cap = old != NULL ? old->cap * 2 : MIN_CAP;
    tw__ids *ids = tw__calloc(1, size_of(cap));
    if (ids == NULL) {
        return TW_ENOMEM;
    }
    ids->cap = cap;
    history->archive->bytes += tw__block_bytes(size_of(cap));
    for (uint32_t i = 0; old != NULL && i < old->len; i++) {
        put(ids, place_of(old, old->first + i));
    }
    if (old != NULL) {
        history->archive->bytes -= tw__block_bytes(size_of(old->cap));
        tw__free(old);
    }
    history->ids = ids;
    return 0;
}

static void drop_oldest(tw__history *history) {
    tw__ids *ids = history->ids;
    id *oldest = place_of(ids, ids->first);
    uint16_t mark = (uint16_t)(oldest - ids->list + 1);
    uint16_t *link = head_of(ids, oldest->hash);
    while (*link != mark) {
        link = &ids->list[*link - 1].next;
    }
    *link = 0;
    history->archive->bytes -= tw__block_bytes(oldest->len);
    tw__free(oldest->text);
    ids->first++;
    ids->len--;
}

bool tw__ids_find(const tw__history *history, const char *text, size_t len,
                  uint64_t *offset) {
    tw__ids *ids = history->ids;
    if (ids == NULL) {
        return false;
    }
    uint32_t hash = tw__hash_keyed(text, len);
    for (uint16_t mark = *head_of(ids, hash); mark != 0;) {
        const id *it = &ids->list[mark - 1];
        if (it->hash == hash && it->len == len &&
            memcmp(it->text, text, len) == 0) {
            *offset = it->offset;
            return true;
        }
        mark = it->next;
    }
    return false;
}

static bool is_full(const tw__ids *ids) {
    return ids == NULL || ids->len == ids->cap;
}

int tw__ids_add(tw__history *history, const char *text, size_t len,
                uint64_t offset, uint64_t now_ms) {
    if (history->ids != NULL && history->ids->len == TW__IDS_MAX) {
        drop_oldest(history);
    }
    if (is_full(history->ids) && grow(history) != 0) {
        return TW_ENOMEM;
    }
    char *copy = tw__malloc(len);
    if (copy == NULL) {
        return TW_ENOMEM;
    }
    memcpy(copy, text, len);
    put(history->ids, &(id){copy, offset, now_ms, tw__hash_keyed(text, len), 0,
                            (uint8_t)len});
    history->archive->bytes += tw__block_bytes(len);
    return 0;
}

void tw__ids_expire(tw__history *history, uint64_t now_ms) {
    tw__ids *ids = history->ids;
    while (ids != NULL && ids->len > 0 &&
           now_ms >= place_of(ids, ids->first)->at_ms + TW__IDS_MS) {
        drop_oldest(history);
    }
}

void tw__ids_fit(tw__history *history) {
    tw__ids *ids = history->ids;
    if (ids != NULL && ids->len == 0) {
        history->archive->bytes -= tw__block_bytes(size_of(ids->cap));
        tw__free(ids);
        history->ids = NULL;
    }
}

void tw__ids_clear(tw__history *history) {
    while (history->ids != NULL && history->ids->len > 0) {
        drop_oldest(history);
    }
    tw__ids_fit(history);
}
