/* frame.h - the header of a frame: written for the server, read from a client.
 * RFC 6455 section 5.2.
 *
 * Pure, any thread, no allocation.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_WS_FRAME_H
#define TW_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tw__ws_opcode {
    TW__WS_CONTINUATION = 0x0,
    TW__WS_TEXT = 0x1,
    TW__WS_BINARY = 0x2,
    TW__WS_CLOSE = 0x8,
    TW__WS_PING = 0x9,
    TW__WS_PONG = 0xA
};

/* Of the reserved bits the one that says: this message is compressed. */
#define TW__WS_RSV1 0x40

#define TW__WS_CONTROL_MAX 125      /* payload of a control frame */
#define TW__WS_SERVER_HEADER_MAX 10 /* unmasked */
#define TW__WS_CLIENT_HEADER_MAX 14 /* masked */

/* Writes the header of an unmasked frame with FIN set and `len` bytes of
 * payload, in the shortest form. Gives its size: 2, 4 or 10. `opcode` is one
 * of the above, of a message with TW__WS_RSV1 when it is compressed; a control
 * frame's `len` is at most TW__WS_CONTROL_MAX. */
size_t tw__ws_frame_header(uint8_t out[TW__WS_SERVER_HEADER_MAX], int opcode,
                           size_t len);

static inline bool tw__ws_is_control(int opcode) {
    return (opcode & 0x8) != 0;
}

/* A client's frame header. There is no field for what is always the same: it is
 * masked, and the other reserved bits are 0. */
typedef struct tw__ws_frame {
    uint64_t length; /* of the payload, below 2^63 */
    uint8_t header_len;
    uint8_t opcode;
    bool fin;
    bool is_deflated; /* TW__WS_RSV1 is set */
    uint8_t mask[4];
} tw__ws_frame;

enum tw__ws_peek { TW__WS_PEEK_MORE, TW__WS_PEEK_FRAME, TW__WS_PEEK_ERROR };

/* Looks at the header at the front of `data`, whatever follows it. `allowed` is
 * 0, or TW__WS_RSV1 when compression is negotiated: then the first frame of a
 * message may have that bit, others not.
 *   TW__WS_PEEK_FRAME  *frame is filled; the payload begins at header_len
 *   TW__WS_PEEK_MORE   right as far as it goes, more bytes are needed (at most
 *                      TW__WS_CLIENT_HEADER_MAX in all); nothing is written
 *   TW__WS_PEEK_ERROR  against the RFC, known as early as it can be;
 *                      *reason is a short static text
 * Refused are reserved bits and opcodes, unmasked frames, fragmented control
 * frames and those over 125 bytes, lengths not in the shortest form and those
 * of 2^63 and more. The order of fragments is not seen here. */
enum tw__ws_peek tw__ws_frame_peek_with(int allowed, const uint8_t *data,
                                        size_t len, tw__ws_frame *frame,
                                        const char **reason);

/* The same with no extension. */
static inline enum tw__ws_peek tw__ws_frame_peek(const uint8_t *data,
                                                 size_t len,
                                                 tw__ws_frame *frame,
                                                 const char **reason) {
    return tw__ws_frame_peek_with(0, data, len, frame, reason);
}

#endif
