/* scan.h - finds the end of a head, byte by byte, and refuses early.
 *
 * Looks at every byte of a head or of trailers once, before anything else
 * does, and lets only unambiguous line structure through: CRLF and nothing
 * else ends a line, no folding, no blank before a colon, no control bytes.
 * Limits are kept here, so that an endless head costs no more than the limit.
 * Pure; keeps no bytes.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_SCAN_H
#define TW_HTTP_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "http/parser.h"

typedef struct tw__http_scan {
    size_t max_bytes, max_target, max_lines;
    size_t bytes;  /* seen, without a skipped empty line */
    size_t target; /* length of the target so far */
    size_t lines;  /* header lines begun */
    uint8_t _state;
    uint8_t _at; /* position in the method or version */
    char _version[8];
    tw__http_error error;
} tw__http_scan;

/* Before a request's head. */
void tw__http_scan_init_head(tw__http_scan *scan,
                             const tw__http_limits *limits);

/* Before the trailers of a chunked body: lines without a request line, for
 * which the head's limits hold anew. */
void tw__http_scan_init_trailers(tw__http_scan *scan,
                                 const tw__http_limits *limits);

/* Takes bytes: MORE (all were taken), HEAD (the empty line was; *consumed is
 * behind it) or ERROR (see `error`). */
tw__http_event tw__http_scan_feed(tw__http_scan *scan, const char *data,
                                  size_t len, size_t *consumed);

/* Only a skipped empty line has come, or nothing. */
static inline int tw__http_scan_is_idle(const tw__http_scan *scan) {
    return scan->bytes == 0;
}

#endif
