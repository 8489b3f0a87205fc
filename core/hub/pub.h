/* pub.h - a publication on its way: counted, immutable once handed on.
 *
 * One block holds the header, the channel's name, the key, the publisher's id
 * for it and the payload.
 * The header travels unchanged through every member; flags that a member does
 * not know are forwarded.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_PUB_H
#define TW_HUB_PUB_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum {
    TW__CHANNEL_MAX = 255, /* bytes of a channel's name */
    TW__KEY_MAX = 255,
    TW__PUB_ID_MAX = 255,
    TW__TRACE_BYTES = 16,
};

enum tw__pub_flag {
    TW__PUB_BINARY = 1,
    TW__PUB_NO_HISTORY = 2,
    TW__PUB_TRACED = 4, /* `trace` is set */
};

/* Who published. `except` is a connection handle of the origin (0: nobody);
 * only a member with the same slot and incarnation can resolve it. */
typedef struct tw__origin {
    uint32_t node;
    uint32_t incarnation;
    uint16_t slot;
} tw__origin;

typedef struct tw__pub_header {
    uint16_t flags;
    uint8_t lane;   /* priority; one lane exists: 0 */
    uint8_t colour; /* 0: ordinary traffic */
    tw__origin origin;
    uint64_t except;
    uint64_t offset;      /* given by the home; 0: none */
    uint64_t deadline_ms; /* CLOCK_MONOTONIC; 0: never expires */
    uint8_t trace[TW__TRACE_BYTES];
} tw__pub_header;

/* Keeps the memory of short publications for the next ones: bursts are made and
 * freed together, more at a time than an allocator's quick list holds. All zero
 * is an empty one. It outlives what was made in it. */
typedef struct tw__pub_store {
    tw__list *_free; /* tw__pub.node, linked by `next` alone */
    uint32_t _count;
} tw__pub_store;

typedef struct tw__pub {
    tw__list node;         /* for the queue it is in */
    tw__pub_store *_store; /* NULL: the allocator's */
    uint32_t _refs;
    uint32_t len;
    uint8_t channel_len, key_len, id_len;
    uint8_t type;   /* of its record on its way to where it is handled */
    uint64_t token; /* of who waits for that; 0: nobody */
    tw__pub_header header;
    char _bytes[]; /* channel, NUL, key, NUL, id, payload */
} tw__pub;

/* What one is made of; lengths are checked by the caller. */
typedef struct tw__pub_parts {
    const char *channel, *key, *id;
    size_t channel_len, key_len, id_len;
    const void *data; /* NULL: left to be filled */
    size_t len;
} tw__pub_parts;

/* A publication with a zeroed header and one reference, which is given; all is
 * copied. `store` may be NULL. NULL without memory. */
tw__pub *tw__pub_create_of(tw__pub_store *store, const tw__pub_parts *parts);

/* The same without an id, from the allocator. */
static inline tw__pub *tw__pub_create(const char *channel, size_t channel_len,
                                      const char *key, size_t key_len,
                                      const void *data, size_t len) {
    const tw__pub_parts parts = {channel, key,  NULL, channel_len,
                                 key_len, 0,    data, len};
    return tw__pub_create_of(NULL, &parts);
}

static inline const char *tw__pub_channel(const tw__pub *pub) {
    return pub->_bytes;
}

static inline const char *tw__pub_key(const tw__pub *pub) {
    return pub->_bytes + pub->channel_len + 1;
}

/* Not zero-terminated. */
static inline const char *tw__pub_id(const tw__pub *pub) {
    return pub->_bytes + pub->channel_len + pub->key_len + 2;
}

static inline uint8_t *tw__pub_data(tw__pub *pub) {
    return (uint8_t *)pub->_bytes + pub->channel_len + pub->key_len +
           pub->id_len + 2;
}

/* The bytes of its block. */
static inline size_t tw__pub_size(const tw__pub *pub) {
    return sizeof *pub + pub->channel_len + pub->key_len + pub->id_len + 2 +
           pub->len;
}

static inline tw__pub *tw__pub_ref(tw__pub *pub) {
    pub->_refs++;
    return pub;
}

void tw__pub_unref(tw__pub *pub);

/* Gives the memory back; all publications made in it are gone. */
void tw__pub_store_deinit(tw__pub_store *store);

#endif
