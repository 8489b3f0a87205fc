/* batch.h - the frames of one channel and turn, side by side in one block.
 *
 * Made once per codec, then only read. Counted: a channel's walk holds one
 * reference, every connection that could not take all of it at once another
 * for each frame it still waits to send (those are pins, see outq.h).
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_BATCH_H
#define TW_HUB_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "hub/pub.h"

typedef struct tw__frame {
    uint32_t off, len;
    uint64_t key;         /* keyed hash of the publication's key; 0: none */
    uint64_t deadline_ms; /* 0: never */
    uint64_t offset;      /* of the publication; 0: none */
} tw__frame;

typedef struct tw__batch {
    uint32_t _refs;
    uint32_t pins;        /* frames waiting in queues */
    uint32_t count;       /* frames */
    uint32_t len;         /* bytes of all frames */
    uint64_t channel;     /* number of the channel, never used again */
    uint64_t deadline_ms; /* the earliest of its frames; 0: none has one */
    uint8_t row;          /* of the channel's class, see fate.h */
    uint8_t *data;
    tw__frame frames[];
} tw__batch;

/* How a codec writes a publication: `size` is the exact or greatest number of
 * bytes, `write` returns how many it wrote. `pack`, unless it is NULL, then
 * makes the frame shorter where it lies, and returns its length. */
typedef struct tw__encoder {
    size_t (*size)(const tw__pub *pub);
    size_t (*write)(tw__pub *pub, uint8_t *out);
    size_t (*pack)(void *arg, uint8_t *frame, size_t len);
    void *arg;
} tw__encoder;

/* Encodes all publications of a list (tw__pub.node), `count` many. NULL without
 * memory. One reference is given. */
tw__batch *tw__batch_create(const tw__encoder *encoder, tw__list *pubs,
                            uint32_t count, uint64_t channel);

/* The same of an array. */
tw__batch *tw__batch_create_of(const tw__encoder *encoder, tw__pub *const *pubs,
                               uint32_t count, uint64_t channel);

/* A batch that holds a copy of one frame of another. NULL without memory. */
tw__batch *tw__batch_copy_frame(const tw__batch *batch, uint32_t frame);

static inline tw__batch *tw__batch_ref(tw__batch *batch) {
    batch->_refs++;
    return batch;
}

void tw__batch_unref(tw__batch *batch);

#endif
