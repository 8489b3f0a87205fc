/* class.h - what a channel's name says about how it is treated.
 *
 * A table of patterns: a name in full, or a prefix followed by one "*" at the
 * end. A name in full beats prefixes, the longest prefix beats shorter ones.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_CLASS_H
#define TW_HUB_CLASS_H

#include "hub/fate.h"
#include "tidewire/tidewire.h"

typedef struct tw__class {
    tw_slow_policy slow;
    uint32_t batch_ms;
    uint8_t row; /* where fates of its deliveries are counted */
} tw__class;

typedef struct tw__classes tw__classes;

/* `rows` (may be NULL) give each class a place to count in.
 * 0, TW_EINVALID (*bad is the index of a malformed or repeated pattern) or
 * TW_ENOMEM. */
int tw__classes_create(tw__classes **classes, const tw_class_config *configs,
                       size_t count, tw__fate_row *rows, size_t *bad);
void tw__classes_destroy(tw__classes *classes); /* NULL is allowed */

/* The class of a name; the default class where nothing matches or `classes` is
 * NULL. */
tw__class tw__classes_find(const tw__classes *classes, const char *name,
                           size_t len);

#endif
