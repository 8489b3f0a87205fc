/* record.h - the records of the link: how they lie in a stream.
 *
 * A record is a header of TW__RECORD_HEADER bytes, little-endian, and behind
 * it the channel's name, the key and the payload. The header is that of a
 * publication (hub/pub.h) with a length, a version, a type and a token before
 * and behind:
 *
 *    0  u32 length, all of it      16  u32 origin: incarnation
 *    4  u8  protocol version       20  u16 origin: slot
 *    5  u8  type                   22  u16 reserved
 *    6  u16 flags                  24  u64 except
 *    8  u8  lane                   32  u64 offset, or the record's number
 *    9  u8  colour                 40  u64 deadline
 *   10  u8  channel_len            48  u8[16] trace
 *   11  u8  key_len                64  u64 token
 *   12  u32 origin: node           72  channel, key, payload
 *
 * Flags that are not known are passed on; a type that is not known can be
 * skipped, since its length is. Pure: no I/O, no allocation but in to_pub.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BUS_RECORD_H
#define TW_BUS_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "hub/pub.h"

enum {
    TW__RECORD_VERSION = 1,
    TW__RECORD_HEADER = 72,
    TW__RECORD_MAX = 64 << 20, /* bytes of a record, header included */
};

/* "Number" is what a type keeps in header.offset. */
enum tw__record_type {
    TW__RECORD_HELLO = 1, /* origin: the sender; number: of its streams to
                             this member, from 1 */
    TW__RECORD_HELLO_ACK, /* origin: who answers */
    TW__RECORD_INTEREST,  /* channel, token; number: subscribers */
    TW__RECORD_CONFIRM,   /* channel, token; number: offset; payload: epoch */
    TW__RECORD_COUNT,     /* channel; number: subscribers */
    TW__RECORD_DROP,      /* channel */
    TW__RECORD_PUBLISH,   /* a publication, to its home */
    TW__RECORD_DELIVER,   /* the same, sequenced */
    TW__RECORD_GAP,       /* channel; number: publications lost */
    TW__RECORD_COUNT_REQUEST, /* channel, token */
    TW__RECORD_COUNT_REPLY,   /* token; number: subscribers of all members */
};

typedef struct tw__record {
    tw__pub_header header;
    uint64_t token;
    uint32_t len; /* of the payload */
    uint8_t type, channel_len, key_len;
    const char *channel, *key; /* borrowed, not zero-terminated */
    const uint8_t *data;
} tw__record;

static inline size_t tw__record_size(const tw__record *record) {
    return (size_t)TW__RECORD_HEADER + record->channel_len + record->key_len +
           record->len;
}

/* Writes all tw__record_size bytes of the record to `out`. */
void tw__record_write(uint8_t *out, const tw__record *record);

/* Reads the record at the front of `data`. 0 with *taken its size and *record
 * pointing into `data`, or with *taken 0 when more bytes are needed;
 * TW_EINVALID when no record can begin like this (as early as that shows). */
int tw__record_parse(const uint8_t *data, size_t len, tw__record *record,
                     size_t *taken);

/* The length that the record at `data` claims; 0 when fewer than the four bytes
 * of it are there. Meaningful when tw__record_parse wants more. */
size_t tw__record_claimed(const uint8_t *data, size_t len);

/* The type in the bytes of a whole record, and its change in place: a PUBLISH
 * becomes a DELIVER without being taken apart. */
static inline uint8_t tw__record_type_of(const uint8_t *bytes) {
    return bytes[5];
}
static inline void tw__record_retype(uint8_t *bytes,
                                     enum tw__record_type type) {
    bytes[5] = (uint8_t)type;
}

/* A view of a publication, which is borrowed by it. */
void tw__record_of_pub(tw__record *record, enum tw__record_type type,
                       tw__pub *pub);

/* The other way: a publication of its own, made in `store`, which may be NULL;
 * the reference is given. NULL without memory. */
tw__pub *tw__record_to_pub(const tw__record *record, tw__pub_store *store);

/* What a publication takes in a stream; budgets count in this. */
static inline size_t tw__record_pub_size(const tw__pub *pub) {
    return (size_t)TW__RECORD_HEADER + pub->channel_len + pub->key_len +
           pub->len;
}

#endif
