/* parser.h - the incremental, strict parser of HTTP/1.0 and 1.1 requests.
 *
 * Bytes in, events out: no socket, no clock. One parser serves one connection
 * while it speaks HTTP, request after request, and belongs to that
 * connection's thread. It fires no callbacks; the answer of
 * tw__http_parser_feed says what to do:
 *
 *   MORE      read more bytes (all given were consumed).
 *   HEAD      the head is there, tw__http_parser_request() may be read. Choose
 *             the route, then set the body limit, then feed on (the rest of
 *             the bytes, or none at all: feed(p, "", 0)).
 *             is_upgrade: stop here. Exactly the head was consumed; what is
 *             behind it belongs to the WebSocket.
 *   COMPLETE  body and all are there. Exactly this request was consumed; what
 *             is behind it is the next one. Answer, then tw__http_parser_reset
 *             when the connection is kept alive.
 *   ERROR     answer with `status`, "Connection: close", and close. Nothing
 *             that follows may be read as a request.
 *
 * HEAD comes once for each request, COMPLETE once, after another feed, also
 * when there is no body. After ERROR every feed is ERROR; after COMPLETE every
 * feed is COMPLETE and consumes nothing until the reset.
 *
 *   do {
 *       event = tw__http_parser_feed(p, data, len, &used);
 *       data += used;
 *       len -= used;
 *       if (event == TW__HTTP_HEAD) { ... set the limit; leave on upgrade }
 *   } while (event == TW__HTTP_HEAD);
 *   if (event == TW__HTTP_MORE && tw__http_parser_take_continue(p)) { ... }
 *
 * What is refused, by status:
 *   400 blank before a colon; folded lines; bare CR or LF; zero or control
 *       bytes; bytes over 0x7E in the request line; a request line not of the
 *       form "METHOD SP target SP HTTP/1.x"; authority-form; absolute-form
 *       that names another host than Host does;
 *       '#' or a backslash in the target; a path with an invalid escape, an
 *       escaped slash, backslash, zero or control byte, or a "." or ".."
 *       segment; no Host in 1.1, two Hosts, an empty or malformed Host; two
 *       Content-Lengths, even equal ones; a malformed one; length together
 *       with Transfer-Encoding; Transfer-Encoding in 1.0 or not ending in
 *       chunked; a malformed chunk or trailer; a body on an upgrade request
 *   413 a body longer than the limit: at once when it is declared, else with
 *       the chunk that crosses it (before that chunk's data)
 *   414 target too long
 *   417 Expect other than 100-continue
 *   431 head or trailers too long, or too many lines
 *   501 a method that llhttp does not know, CONNECT, transfer codings
 *   503 out of memory
 *   505 a version other than 1.0 and 1.1
 * An empty line before the request line is skipped, once.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_PARSER_H
#define TW_HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/request.h"

/* What "100 Continue" looks like on the wire. */
#define TW__HTTP_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* Limits of one request; a zero stands for the default. `max_head_bytes`
 * counts from the first byte to the empty line, both included (and, apart, the
 * trailers of a chunked body). Exactly the limit is allowed. */
typedef struct tw__http_limits {
    size_t max_head_bytes;   /* 16384; 431 */
    size_t max_target_bytes; /* 8192; 414 */
    size_t max_headers;      /* 100 lines; 431 */
    uint64_t max_body_bytes; /* 1 MiB until tw__http_parser_set_body_limit; 413;
                              * zero stands for the default here only */
} tw__http_limits;

typedef enum tw__http_event {
    TW__HTTP_MORE,
    TW__HTTP_HEAD,
    TW__HTTP_COMPLETE,
    TW__HTTP_ERROR
} tw__http_event;

/* Why a request was refused. `reason` is static text for people, fit for an
 * answer and for a log: "two Host lines". */
typedef struct tw__http_error {
    int status;
    const char *reason;
} tw__http_error;

typedef struct tw__http_parser tw__http_parser;

/* A parser with a copy of `limits` (NULL: all defaults). NULL when there is no
 * memory. About 250 bytes, and the head while it is incomplete. */
tw__http_parser *tw__http_parser_create(const tw__http_limits *limits);

/* Drops the parser and its reference to the request. NULL is allowed. */
void tw__http_parser_destroy(tw__http_parser *parser);

/* Reads from `data` (borrowed). *consumed is set on every event, at most to
 * `len`; on ERROR it has no meaning. */
tw__http_event tw__http_parser_feed(tw__http_parser *parser, const void *data,
                                    size_t len, size_t *consumed);

/* The request from HEAD until the reset, borrowed: ref it to keep it. NULL
 * before HEAD, and after an ERROR in the head. */
tw__http_request *tw__http_parser_request(const tw__http_parser *parser);

/* The error after ERROR; status 0 otherwise. */
tw__http_error tw__http_parser_error(const tw__http_parser *parser);

/* Sets the body limit of the request at hand; call it after HEAD and before
 * feeding on. 0 allows no body at all. */
void tw__http_parser_set_body_limit(tw__http_parser *parser,
                                    uint64_t max_body_bytes);

/* True once for a request that expects "100 Continue", when it is in order to
 * send it: the body limit was accepted by a feed after HEAD, and nothing of
 * the body has come. Ask after MORE; write TW__HTTP_CONTINUE when true. */
bool tw__http_parser_take_continue(tw__http_parser *parser);

/* Nothing of a request has come since creation or reset: the peer may close
 * without harm, and a silent connection may be closed without an answer
 * (otherwise it deserves a 408). */
bool tw__http_parser_is_idle(const tw__http_parser *parser);

/* Ready for the next request on the same connection; drops the reference to
 * the last one. Not after ERROR or an upgrade (asserted). */
void tw__http_parser_reset(tw__http_parser *parser);

#endif
