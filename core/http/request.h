/* request.h - a parsed HTTP request.
 *
 * Made by the parser (parser.h), immutable once it is complete, and counted:
 * it outlives the parser and the connection for as long as somebody holds a
 * reference. All its strings lie in one block of its own (the body and the
 * decoded query and cookies in further ones) and end in a zero byte behind
 * their length. Lives on one thread; the count is plain.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_REQUEST_H
#define TW_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "http/field.h"

typedef struct tw__http_request tw__http_request;

/* Fields without an underscore may be read by anybody and written by nobody
 * but the parser. */
struct tw__http_request {
    tw__http_text method; /* "GET", as sent: methods are case-sensitive */
    tw__http_text target; /* "/a%20b?x=1", as sent, less the
                           * "http://host" of an absolute-form */
    tw__http_text path;   /* "/a b": escapes decoded. Begins with '/', has no
                           * "." or ".." segment, no zero or control byte and
                           * no backslash, but may hold "//" and bytes that
                           * are not UTF-8. "*" for OPTIONS *. */
    tw__http_text query;  /* "x=1": behind the first '?', raw; may be empty */
    tw__http_text host;   /* value of Host; empty only in HTTP/1.0 */

    const tw__http_field *headers; /* every line in order; names lower-cased,
                                    * values trimmed */
    size_t header_count;

    uint8_t minor;           /* 1 for HTTP/1.1, 0 for HTTP/1.0 */
    bool is_head;            /* the method is HEAD */
    bool keep_alive;         /* the client lets the connection be used again;
                              * false with is_upgrade: what follows a refused
                              * upgrade is not a request */
    bool is_upgrade;         /* means to become a WebSocket, rightly or wrongly:
                              * Upgrade names websocket, or there is a
                              * Sec-WebSocket-Key. The handshake decides */
    bool expect_continue;    /* waits for "100 Continue" before its body */
    bool has_body;           /* a body follows: a length over 0, or chunks */
    bool is_chunked;         /* ... and it comes in chunks */
    bool is_complete;        /* all of the body is here */
    uint64_t content_length; /* declared; 0 when chunked or absent */

    unsigned _refs;
    tw__bytes _body;
    struct tw__http_pairs *_query, *_cookies; /* parsed at the first use */
};

tw__http_request *tw__http_request_ref(tw__http_request *request);

/* Drops a reference; the last one frees. NULL is allowed. */
void tw__http_request_unref(tw__http_request *request);

/* The body as far as it has come; the pointer is never NULL and is good until
 * more of the body is fed. Zero-terminated once is_complete. */
tw__http_text tw__http_request_body(const tw__http_request *request);

/* The value of the first line of header `name` (any case), or NULL. *len
 * (may be NULL) is set when there is one. */
const char *tw__http_request_header(const tw__http_request *request,
                                    const char *name, size_t *len);

/* Whether any line of the comma list `name` holds `token`; no case. */
bool tw__http_request_has_token(const tw__http_request *request,
                                const char *name, const char *token);

/* Appends all lines of header `name` (any case), joined by ", " ("; " for
 * cookie, which has no commas), to `out`. 0, TW_ENOT_FOUND (no such line,
 * nothing appended) or TW_ENOMEM (nothing appended). */
int tw__http_request_join(const tw__http_request *request, const char *name,
                          size_t len, tw__bytes *out);

/* True at the first line of each header name, for those who walk `headers`
 * and want every name once: skip the others and join. */
bool tw__http_request_is_first(const tw__http_request *request, size_t index);

/* The parameters of the query, decoded, in the order sent; a name may come
 * several times, and THE LAST ONE COUNTS (filling a table in order does just
 * that). '+' is a blank; an invalid escape ("%", "%zz") is kept as it stands;
 * a piece without '=' has an empty value; empty pieces are skipped; names and
 * values may hold any byte. At most as many as fit in the head limit.
 * The array belongs to the request, is parsed at the first call and lives as
 * long as the request. 0 or TW_ENOMEM. */
int tw__http_request_query(tw__http_request *request,
                           const tw__http_field **fields, size_t *count);

/* The same for the cookies of all Cookie lines. Names and values as sent,
 * trimmed, without the double quotes around a value; pieces without '=' are
 * skipped. A name may come several times, and THE FIRST ONE COUNTS (browsers
 * send the most specific path first): fill a table from the last to the
 * first. */
int tw__http_request_cookies(tw__http_request *request,
                             const tw__http_field **fields, size_t *count);

/* One parameter (the last of that name) or cookie (the first), case-sensitive.
 * *out borrows from the request. 0, TW_ENOT_FOUND or TW_ENOMEM. */
int tw__http_request_param(tw__http_request *request, const char *name,
                           size_t len, tw__http_text *out);
int tw__http_request_cookie(tw__http_request *request, const char *name,
                            size_t len, tw__http_text *out);

#endif
