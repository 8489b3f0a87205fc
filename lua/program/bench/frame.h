/* frame.h - the client's side of RFC 6455 framing.
 *
 * Pure: bytes in, messages out, and the reverse. Writing masks; reading
 * refuses what a server must not send. Memory is held only while a frame or a
 * fragmented message is incomplete, and is bounded by the largest message.
 * UTF-8 is not judged: the payload's own check covers every byte.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_FRAME_H
#define TW_BENCH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TW__BENCH_TEXT 1
#define TW__BENCH_BINARY 2
#define TW__BENCH_CLOSE 8
#define TW__BENCH_PING 9
#define TW__BENCH_PONG 10

/* In the opcode of a message: it is compressed. */
#define TW__BENCH_DEFLATED 0x40

#define TW__BENCH_HEADER_MAX 14
#define TW__BENCH_CONTROL_MAX 125

/* Writes a masked frame to `out`, which has room for TW__BENCH_HEADER_MAX +
 * len. Returns its size. */
size_t tw__bench_frame_write(uint8_t *out, int opcode, uint32_t mask,
                             const void *payload, size_t len);

/* What is left over between two reads. Zero-initialised it is empty. */
typedef struct tw__bench_reader {
    uint8_t *_stash;   /* a frame (or handshake) that has only begun */
    uint8_t *_message; /* fragments so far */
    uint32_t _stash_len, _message_len;
    uint8_t _opcode; /* of the fragmented message; 0: none */
    bool deflates;   /* messages may be compressed */
} tw__bench_reader;

/* A message or a control frame; `data` is borrowed. False stops the reading:
 * the rest is thrown away. */
typedef bool (*tw__bench_frame_cb)(void *arg, int opcode, const uint8_t *data,
                                   size_t len);

void tw__bench_reader_deinit(tw__bench_reader *reader); /* empty again */

/* Moves what was kept to the front of `buffer`, which has room for `cap`
 * bytes, and returns how many. New bytes go behind it, and the whole to feed.
 * What is kept never exceeds a message and its header. */
size_t tw__bench_reader_resume(tw__bench_reader *reader, uint8_t *buffer,
                               size_t cap);

/* Keeps `len` bytes for the next resume; nothing is kept already. */
void tw__bench_reader_keep(tw__bench_reader *reader, const uint8_t *data,
                           size_t len);

/* Parses `len` bytes, calls `cb` for every message and control frame that is
 * complete and keeps the rest. Messages over `max` bytes are refused.
 * Returns NULL, or (static) what the server did wrong; nothing is kept then. */
const char *tw__bench_reader_feed(tw__bench_reader *reader, const uint8_t *data,
                                  size_t len, size_t max, tw__bench_frame_cb cb,
                                  void *arg);

#endif
