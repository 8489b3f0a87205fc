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
    uint32_t history, retain;
    uint64_t ttl_ms;
    tw_presence presence;
    uint8_t row;       /* where fates of its deliveries are counted */
    bool is_for_users; /* its pattern begins with "user:" */
    void *data;        /* the host's */
} tw__class;

/* Whether the home is told who is in a channel. */
static inline bool tw__class_has_persons(const tw__class *class) {
    return class->presence >= TW_PRESENCE_LIST;
}

typedef struct tw__classes tw__classes;

/* `rows` (may be NULL) give each class a place to count in.
 * 0, TW_EINVALID (*bad is the index of a malformed or repeated pattern, or of
 * one that is to keep more than it may) or TW_ENOMEM. */
int tw__classes_create(tw__classes **classes, const tw_class_config *configs,
                       size_t count, tw__fate_row *rows, size_t *bad);
void tw__classes_destroy(tw__classes *classes); /* NULL is allowed */

/* The class of a name; the default class where nothing matches or `classes` is
 * NULL. */
tw__class tw__classes_find(const tw__classes *classes, const char *name,
                           size_t len);

#endif
