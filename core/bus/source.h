/* source.h - the seam for ingress: publications that come from a log or queue.
 *
 * A source hands on publications and may be held back; it commits a position
 * only after the broker accepted what was read up to it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BUS_SOURCE_H
#define TW_BUS_SOURCE_H

#include <stdint.h>

#include "hub/pub.h"

typedef struct tw__source tw__source;

typedef struct tw__source_ops {
    void (*pause)(tw__source *source);
    void (*resume)(tw__source *source);
    void (*commit)(tw__source *source, uint64_t position);
} tw__source_ops;

struct tw__source {
    const tw__source_ops *ops;
    /* The reference is taken; `position` is what commit wants back. */
    void (*on_publication)(void *arg, tw__pub *pub, uint64_t position);
    void *arg;
};

#endif
