/* inflate.h - messages that a server compressed, each by itself (RFC 7692 with
 * no context takeover).
 *
 * Many connections get the same compressed bytes: those that equal the last
 * ones are not expanded again. One for each loop.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_INFLATE_H
#define TW_BENCH_INFLATE_H

#include <stddef.h>
#include <stdint.h>

struct z_stream_s;

/* Zero-initialised it is new. */
typedef struct tw__bench_inflater {
    struct z_stream_s *_stream;
    uint8_t *_packed, *_message; /* the last one, as it came and expanded */
    size_t _packed_len, _message_len;
} tw__bench_inflater;

void tw__bench_inflater_deinit(tw__bench_inflater *inflater);

/* Expands a message of at most `max` bytes. Gives it, good until the next one,
 * and its length; NULL when it is damaged or longer. */
const uint8_t *tw__bench_inflate(tw__bench_inflater *inflater,
                                 const uint8_t *data, size_t len, size_t max,
                                 size_t *message_len);

#endif
