/* deflate.h - messages compressed and expanded one by one, RFC 7692 section
 * 7.2, with streams that all connections of a loop share.
 *
 * No message refers to another (see extension.h), so a stream is reset between
 * two and belongs to nobody. Both are made with their first message: a loop
 * that compresses nothing has none. Everything comes from base/alloc.h. One
 * thread each.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_WS_DEFLATE_H
#define TW_WS_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/close.h"

enum {
    /* A block of up to this many bytes is kept for the next message. */
    TW__DEFLATE_KEEP = 65536
};

/* ---- compressing -------------------------------------------------------- */

/* About 160 KB once used. All zero is a new one. */
typedef struct tw__deflater {
    struct z_stream_s *_stream;
    uint8_t *_out;
    size_t _cap;
} tw__deflater;

/* Frees what it has; it may be used again. */
void tw__deflater_deinit(tw__deflater *deflater);

/* Compresses one message. Gives the payload of its frame, which is shorter than
 * the message, and its length: in *out, good until the next use. 0: it does not
 * get shorter, or there is no memory; it is to be sent as it is. */
size_t tw__deflate(tw__deflater *deflater, const uint8_t *data, size_t len,
                   const uint8_t **out);

/* What came out is not needed any more: frees it when it is large. */
void tw__deflater_trim(tw__deflater *deflater);

/* ---- expanding ---------------------------------------------------------- */

/* About 44 KB and the block kept, once used. All zero is a new one. */
typedef struct tw__inflater {
    struct z_stream_s *_stream;
    uint8_t *_out;
    size_t _cap;
    /* Counted, for whoever empties them. */
    uint64_t messages, bytes_in, bytes_out;
    uint64_t bombs; /* refused for their size */
} tw__inflater;

/* A message; `data` is never NULL. */
typedef struct tw__inflated {
    uint8_t *data;
    size_t len, cap;
} tw__inflated;

void tw__inflater_deinit(tw__inflater *inflater);

/* Expands a message of `len` bytes, which may not be longer than `max` then.
 * It is given, for tw__inflater_release. False with `error` filled:
 *   1007 the data is not what DEFLATE makes, or ends in the midst of it
 *   1009 the message is longer: known, and refused, after `max` bytes
 *   1011 there is no memory
 * The block grows with what comes out, to at most `max` or 4096 bytes. A
 * message may have many DEFLATE blocks, marked as the last ones or not; nothing
 * at all is an empty one. */
bool tw__inflate(tw__inflater *inflater, const uint8_t *data, size_t len,
                 size_t max, tw__inflated *message, tw__ws_error *error);

/* Takes the message's memory back. */
void tw__inflater_release(tw__inflater *inflater, tw__inflated *message);

/* How long the frames of a message may be in all whose expanded length is at
 * most `max`: what cannot be compressed grows a little. */
static inline size_t tw__inflate_bound(size_t max) {
    return max + (max >> 4) + 128;
}

#endif
