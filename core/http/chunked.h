/* chunked.h - takes a chunked body apart, strictly.
 *
 * Ours and not llhttp's, because how strict llhttp is with chunks depends on
 * how it was built (the Debian sources are lenient unless told), and a server
 * and a proxy that disagree on where a body ends let requests be smuggled.
 * Pure; the caller keeps the data.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_CHUNKED_H
#define TW_HTTP_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

#include "http/parser.h"
#include "http/scan.h"

/* The longest chunk line without its CRLF: size and extensions. */
#define TW__HTTP_MAX_CHUNK_LINE 256

typedef struct tw__http_chunked {
    uint64_t left; /* of the current chunk */
    uint64_t room; /* of the body's limit */
    uint16_t _line;
    uint8_t _state, _digits;
    const tw__http_limits *_limits;
    tw__http_scan _trailers;
    tw__http_error error;
} tw__http_chunked;

/* `limits` is borrowed for as long as the decoder is used. */
void tw__http_chunked_init(tw__http_chunked *chunked, uint64_t max_body_bytes,
                           const tw__http_limits *limits);

/* Takes bytes up to the next piece of data: *piece, *piece_len (0: none)
 * borrow from `data`. MORE: call again with what was not consumed, if
 * anything; COMPLETE: the end, consumed to behind it; ERROR. */
tw__http_event tw__http_chunked_feed(tw__http_chunked *chunked,
                                     const char *data, size_t len,
                                     size_t *consumed, const char **piece,
                                     size_t *piece_len);

#endif
