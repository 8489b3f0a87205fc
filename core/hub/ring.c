/* The log of a history. SPDX-License-Identifier: MIT */
#include <assert.h>

#include "base/alloc.h"
#include "hub/history_parts.h"
#include "tidewire/errors.h"

enum { MIN_CAP = 4 };

static tw__held *place_of(const tw__ring *ring, uint64_t offset) {
    return &ring->places[offset & (ring->cap - 1)];
}

static int set_cap(tw__history *history, uint32_t cap) {
    tw__ring *ring = &history->ring;
    size_t old_size = ring->cap * sizeof *ring->places;
    size_t size = cap * sizeof *ring->places;
    tw__ring other = {tw__resize(NULL, 0, size), ring->first, ring->len, cap};
    if (other.places == NULL) {
        return TW_ENOMEM;
    }
    for (uint64_t i = ring->first; i < ring->first + ring->len; i++) {
        *place_of(&other, i) = *place_of(ring, i);
    }
    tw__resize_free(ring->places, old_size);
    *ring = other;
    history->archive->bytes += size;
    history->archive->bytes -= old_size;
    return 0;
}

int tw__ring_push(tw__history *history, tw__pub *pub, uint64_t now_ms) {
    tw__ring *ring = &history->ring;
    assert(ring->first + ring->len == pub->header.offset);
    if (ring->len == history->class.size) {
        tw__ring_pop(history);
    }
    if (ring->len == ring->cap &&
        set_cap(history, ring->cap != 0 ? ring->cap * 2 : MIN_CAP) != 0) {
        tw__ring_clear(history);
        ring->first = pub->header.offset + 1;
        return TW_ENOMEM;
    }
    ring->len++;
    *place_of(ring, pub->header.offset) = (tw__held){tw__pub_ref(pub), now_ms};
    tw__archive_count(history->archive, pub);
    return 0;
}

void tw__ring_pop(tw__history *history) {
    tw__ring *ring = &history->ring;
    assert(ring->len > 0);
    tw__pub *pub = place_of(ring, ring->first)->pub;
    ring->first++;
    ring->len--;
    if (!tw__retained_has(history, pub)) {
        tw__archive_uncount(history->archive, pub);
    }
    tw__pub_unref(pub);
}

void tw__ring_clear(tw__history *history) {
    tw__ring *ring = &history->ring;
    size_t size = ring->cap * sizeof *ring->places;
    while (ring->len > 0) {
        tw__ring_pop(history);
    }
    tw__resize_free(ring->places, size);
    history->archive->bytes -= size;
    ring->places = NULL;
    ring->cap = 0;
}

/* Deadlines of their own are in no order: what is past such a one behind one
 * that is not stays, since a log has no holes. */
void tw__ring_expire(tw__history *history, uint64_t now_ms) {
    tw__ring *ring = &history->ring;
    while (ring->len > 0 &&
           tw__held_is_past(history, place_of(ring, ring->first), now_ms)) {
        tw__ring_pop(history);
    }
}

/* A log that is a quarter full may grow to the double without a change: it
 * does not go up and down with a single publication. */
void tw__ring_fit(tw__history *history) {
    tw__ring *ring = &history->ring;
    uint32_t cap = ring->cap;
    if (ring->len == 0) {
        tw__ring_clear(history);
        return;
    }
    while (cap > MIN_CAP && ring->len <= cap / 4) {
        cap /= 2;
    }
    if (cap < ring->cap) {
        (void)set_cap(history, cap); /* without memory it stays large */
    }
}

tw__pub *tw__ring_at(const tw__ring *ring, uint64_t offset) {
    return tw__ring_has(ring, offset) ? place_of(ring, offset)->pub : NULL;
}
