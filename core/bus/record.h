/* record.h - the records of the link: how they lie in a stream.
 *
 * A record is a header of TW__RECORD_HEADER bytes, little-endian, and behind
 * it the channel's name, the key, an id and the payload. The header is that of
 * a publication (hub/pub.h) with a length, a version, a type and a token before
 * and behind:
 *
 *    0  u32 length, all of it      16  u32 origin: incarnation
 *    4  u8  protocol version       20  u16 origin: slot
 *    5  u8  type                   22  u8  id_len, u8 status
 *    6  u16 flags                  24  u64 except
 *    8  u8  lane                   32  u64 offset, or the record's number
 *    9  u8  colour                 40  u64 deadline
 *   10  u8  channel_len            48  u8[16] trace
 *   11  u8  key_len                64  u64 token
 *   12  u32 origin: node           72  channel, key, id, payload
 *
 * Flags that are not known are passed on; a type that is not known can be
 * skipped, since its length is. Pure: no I/O, no allocation but in to_pub.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BUS_RECORD_H
#define TW_BUS_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "hub/history.h"
#include "hub/pub.h"

enum {
    TW__RECORD_VERSION = 2,
    TW__RECORD_HEADER = 72,
    TW__RECORD_MAX = 64 << 20, /* bytes of a record, header included */
};

/* "Number" is what a type keeps in header.offset, "second" in header.except. */
enum tw__record_type {
    TW__RECORD_HELLO = 1, /* origin: the sender; number: of its streams to
                             this member, from 1 */
    TW__RECORD_HELLO_ACK, /* origin: who answers */

    /* A member and the home of a channel. */
    TW__RECORD_INTEREST, /* channel, token; number: subscribers; flags: AGAIN */
    TW__RECORD_CONFIRM,  /* channel, token; number: offset; id: epoch. Token 0:
                            the position has changed */
    TW__RECORD_COUNT,    /* channel; number: subscribers */
    TW__RECORD_DROP,     /* channel */
    TW__RECORD_PUBLISH,  /* a publication, to its home; token: answered */
    TW__RECORD_DELIVER,  /* the same, sequenced */
    TW__RECORD_GAP,      /* channel; number: publications lost; flags: OF_NEWS,
                            then second: persons */

    /* Questions, each answered by a REPLY with its token. */
    TW__RECORD_COUNT_REQUEST,    /* channel. Number: subscribers */
    TW__RECORD_KEPT_REQUEST,     /* see kept.c */
    TW__RECORD_PRESENCE_REQUEST, /* channel; number: limit. See persons.c */
    TW__RECORD_USER_REQUEST,     /* channel: the user. Payload: ids */
    TW__RECORD_CONNS_REQUEST,    /* payload: ids. Payload: what they are */
    TW__RECORD_REPLY,

    /* To the home of a channel, in the order of publications. */
    TW__RECORD_REMOVE, /* channel, key: no longer retained */
    TW__RECORD_ENTER,  /* channel, key: user, id: connection, payload: info */
    TW__RECORD_LEAVE,  /* channel, id: connection */

    /* To the home of a user, in the same order. */
    TW__RECORD_USER_ENTER, /* channel: user, id: connection; number: opened;
                              second: how many there may be */
    TW__RECORD_USER_LEAVE, /* channel: user, id: connection */
    TW__RECORD_USER_ACT,   /* channel: user; the rest as of an ACT */

    /* To the slot of a connection, in the same order. */
    TW__RECORD_ACT, /* id: connection; lane: what; key: channel, or reason;
                       number: code; payload: data */

    /* From the home of a channel. */
    TW__RECORD_PRESENCE, /* channel; number: persons; payload: ENTER, LEAVE */
};

/* Flags of records that are no publications. */
enum {
    TW__INTEREST_AGAIN = 1, /* the member had it confirmed before */
    TW__GAP_OF_NEWS = 1,    /* news of presence were lost */
    TW__NEWS_RESET = 1,     /* something was not told before */
};

typedef struct tw__record {
    tw__pub_header header;
    uint64_t token;
    uint32_t len; /* of the payload */
    uint8_t type, channel_len, key_len, id_len;
    uint8_t status;                 /* of a REPLY: an error, without its sign */
    const char *channel, *key, *id; /* borrowed, not zero-terminated */
    const uint8_t *data;
} tw__record;

static inline size_t tw__record_size(const tw__record *record) {
    return (size_t)TW__RECORD_HEADER + record->channel_len + record->key_len +
           record->id_len + record->len;
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

/* The same for the number: a publication gets its offset. */
void tw__record_renumber(uint8_t *bytes, uint64_t number);

/* A view of a publication, which is borrowed by it. */
void tw__record_of_pub(tw__record *record, uint8_t type, tw__pub *pub);

/* The other way: a publication of its own, made in `store`, which may be NULL;
 * the reference is given. NULL without memory. */
tw__pub *tw__record_to_pub(const tw__record *record, tw__pub_store *store);

/* The position in a record: number and id. */
tw__position tw__record_position(const tw__record *record);

/* What a publication takes in a stream; budgets count in this. */
static inline size_t tw__record_pub_size(const tw__pub *pub) {
    return (size_t)TW__RECORD_HEADER + pub->channel_len + pub->key_len +
           pub->id_len + pub->len;
}

#endif
