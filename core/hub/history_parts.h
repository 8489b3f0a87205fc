/* history_parts.h - what history.c, ring.c, retained.c, idlist.c and archive.c
 * share: the parts of a history, and how they are paid for.
 *
 * A publication that stands both in the log and among the retained is one
 * block and is counted once. Nobody notes where it stands: the log is without
 * holes, so whether it has a publication is seen from its offset, and whether
 * that is retained from its key. Whoever takes one out asks the other part, and
 * gives the bytes back when that does not have it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_HISTORY_PARTS_H
#define TW_HUB_HISTORY_PARTS_H

#include "hub/history.h"

typedef struct tw__ids tw__ids;
typedef struct tw__retained tw__retained;

typedef struct tw__held {
    tw__pub *pub;
    uint64_t at_ms; /* when it came */
} tw__held;

/* The log. The publication with an offset has its place in the array from that
 * offset alone. `first` + `len` is the newest offset of the history + 1. */
typedef struct tw__ring {
    tw__held *places;
    uint64_t first;
    uint32_t len, cap; /* cap: 0 or a power of two */
} tw__ring;

struct tw__history {
    tw__list use;  /* in the archive's _by_use or _yielded */
    tw__list turn; /* in the archive's _turns */
    tw__archive *archive;
    void *owner;
    tw__history_class class;
    uint64_t offset;
    uint64_t retained_floor;
    tw__ring ring;
    tw__retained *retained; /* NULL: there are none */
    tw__ids *ids;           /* NULL: there are none */
    uint32_t charged;       /* bytes of the owner */
    bool has_passed_by;     /* publications, while the class kept nothing */
    char epoch[TW__EPOCH_MAX + 1];
};

static inline bool tw__pub_is_past(const tw__pub *pub, uint64_t now_ms) {
    return pub->header.deadline_ms != 0 && pub->header.deadline_ms <= now_ms;
}

static inline bool tw__held_is_past(const tw__history *history,
                                    const tw__held *held, uint64_t now_ms) {
    uint64_t ttl_ms = history->class.ttl_ms;
    return tw__pub_is_past(held->pub, now_ms) ||
           (ttl_ms != 0 && now_ms >= held->at_ms &&
            now_ms - held->at_ms >= ttl_ms);
}

/* ---- archive.c ---- */

/* What an allocator takes for a block: a header, and whole pieces of 16. */
static inline size_t tw__block_bytes(size_t size) {
    return (size + 8 + 15) & ~(size_t)15;
}

static inline void tw__archive_count(tw__archive *archive, const tw__pub *pub) {
    archive->bytes += tw__block_bytes(tw__pub_size(pub));
    archive->publications++;
}

static inline void tw__archive_uncount(tw__archive *archive,
                                       const tw__pub *pub) {
    archive->bytes -= tw__block_bytes(tw__pub_size(pub));
    archive->publications--;
}

void tw__archive_add(tw__archive *archive, tw__history *history);
void tw__archive_remove(tw__history *history);

/* It has been published to: it yields last. */
void tw__archive_use(tw__history *history);

/* Makes others yield, then `spared` itself, until the budget is kept. `spared`
 * is the one used last and is never let go. */
void tw__archive_fit(tw__archive *archive, tw__history *spared);

/* ---- ring.c: the log ---- */

static inline bool tw__ring_has(const tw__ring *ring, uint64_t offset) {
    return offset - ring->first < ring->len;
}

/* Adds the publication with the history's newest offset, taking a reference;
 * the oldest makes room. TW_ENOMEM: the log is empty then. */
int tw__ring_push(tw__history *history, tw__pub *pub, uint64_t now_ms);
/* Drops the oldest; there is one. */
void tw__ring_pop(tw__history *history);
void tw__ring_clear(tw__history *history);
void tw__ring_expire(tw__history *history, uint64_t now_ms);
/* Gives back memory that is not needed now. */
void tw__ring_fit(tw__history *history);
tw__pub *tw__ring_at(const tw__ring *ring, uint64_t offset);

/* ---- retained.c ---- */

uint32_t tw__retained_len(const tw__history *history);
/* Replaces that of the same key, or else the oldest makes room. Takes a
 * reference. TW_ENOMEM: its key has none then. */
int tw__retained_put(tw__history *history, tw__pub *pub, uint64_t now_ms);
/* Drops the oldest; there is one. */
void tw__retained_pop(tw__history *history, uint64_t now_ms);
void tw__retained_clear(tw__history *history);
void tw__retained_expire(tw__history *history, uint64_t now_ms);
void tw__retained_fit(tw__history *history);
bool tw__retained_has(const tw__history *history, const tw__pub *pub);
tw__pub *tw__retained_find(const tw__history *history, const char *key,
                           size_t len, uint64_t now_ms);
tw__pub *tw__retained_next(const tw__history *history, uint64_t now_ms,
                           void **pos);
bool tw__retained_remove(tw__history *history, const char *key, size_t len);

/* ---- idlist.c ---- */

/* True: the id is known, *offset is what it stands for. */
bool tw__ids_find(const tw__history *history, const char *id, size_t len,
                  uint64_t *offset);
/* The id is not known; the oldest makes room. 0 or TW_ENOMEM. */
int tw__ids_add(tw__history *history, const char *id, size_t len,
                uint64_t offset, uint64_t now_ms);
void tw__ids_expire(tw__history *history, uint64_t now_ms);
void tw__ids_clear(tw__history *history);
/* Gives back memory that is not needed now. */
void tw__ids_fit(tw__history *history);

#endif
