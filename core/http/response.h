/* response.h - writes HTTP/1.1 responses into bytes.
 *
 * The writer owns the framing: status line, Date, Content-Length and
 * Connection. A caller's headers of those names, and Transfer-Encoding,
 * Keep-Alive, TE and Trailer, are left out, so that no script can make a
 * response that a client and a proxy would read differently. A caller's
 * Upgrade (of a 426) is written, and named in Connection as it must be.
 * All functions append whole responses or nothing.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_RESPONSE_H
#define TW_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "http/field.h"

/* The text of Date, made once a second. Zero-initialise it; one per loop. */
typedef struct tw__http_date {
    int64_t _second;
    char _text[30];
} tw__http_date;

/* "Sun, 06 Nov 1994 08:49:37 GMT" for `unix_s`, 29 characters, good until the
 * next call with another second. */
const char *tw__http_date_at(tw__http_date *date, int64_t unix_s);

/* Writes the same into `out` without a cache. Years 1970 to 9999; what lies
 * outside is clamped. */
void tw__http_date_format(int64_t unix_s, char out[30]);

/* Reads an IMF-fixdate, the only form that HTTP still generates. False for
 * anything else. */
bool tw__http_date_parse(const char *text, size_t len, int64_t *unix_s);

/* "Not Found" for 404; "Unknown" for a code without a name. Static. */
const char *tw__http_reason(int status);

typedef struct tw__http_response {
    int status;               /* 200 to 599 */
    const char *content_type; /* when `headers` has none and there is a body;
                               * NULL: no such line */
    const tw__http_field *headers;
    size_t header_count;
    const void *body;  /* NULL with a body_len: only the head is written,
                        * the caller sends the body's bytes behind it */
    uint64_t body_len; /* is Content-Length, also for HEAD */
    bool is_head;      /* the request's method was HEAD: no body follows */
    bool keep_alive;   /* says "Connection: keep-alive", else "close" */
    const char *date;  /* tw__http_date_at(); NULL: no Date line */
} tw__http_response;

/* Appends the response to `out`. Status 204 and 304 have neither body nor
 * Content-Length, 205 a length of 0, whatever `body` says. A status outside of
 * 200 to 599, or a header whose name is no token or whose value has a control
 * byte (CR, LF, zero, ...), is TW_EINVALID; TW_ENOMEM. On failure `out` is
 * unchanged. */
int tw__http_response_write(tw__bytes *out, const tw__http_response *response);

/* Whether name and value may stand in a response. */
bool tw__http_field_is_valid(const tw__http_field *field);

/* An error as plain text, "404 Not Found\n" or with a detail (may be NULL)
 * "400 Bad Request: two Host lines\n". Status, headers, is_head, keep_alive
 * and date are taken from `response`, body and content_type are not. */
int tw__http_error_text(tw__bytes *out, const tw__http_response *response,
                        const char *detail);

/* The same as application/json: {"error":{"code":"...","message":"..."}}.
 * Bytes that are not UTF-8 become U+FFFD. */
int tw__http_error_json(tw__bytes *out, const tw__http_response *response,
                        const char *code, const char *message);

/* Appends `data` as a JSON string with its quotes: control characters, quote,
 * backslash and U+2028/9 escaped, bytes that are not UTF-8 replaced by U+FFFD.
 * 0 or TW_ENOMEM (then a part may have been appended). */
int tw__http_json_string(tw__bytes *out, const char *data, size_t len);

#endif
