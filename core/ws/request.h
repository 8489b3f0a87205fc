/* request.h - the parts of an HTTP request that a WebSocket handshake reads.
 *
 * A view: every pointer is borrowed from whoever parsed the request and needs
 * no terminator. Header names compare without case. Pure, any thread, no
 * allocation.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_WS_REQUEST_H
#define TW_WS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

/* One header line as it came; a name may stand in several lines. */
typedef struct tw__ws_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
} tw__ws_header;

typedef struct tw__ws_request {
    const char *method; /* "GET" */
    size_t method_len;
    int http_major, http_minor; /* 1 and 1 for HTTP/1.1 */
    const tw__ws_header *headers;
    size_t header_count;
} tw__ws_request;

/* How many lines carry `name` (zero-terminated, any case). */
size_t tw__ws_request_count(const tw__ws_request *req, const char *name);

/* Gives the first line's value without blanks around it, and true; false and
 * nothing changed when there is no such line. The value may be empty. */
bool tw__ws_request_find(const tw__ws_request *req, const char *name,
                         const char **value, size_t *len);

/* Walks the comma-separated elements of all lines of a header as one list, as
 * RFC 7230 section 3.2.2 joins them. Blank elements, hence blank lines, are
 * passed over. */
typedef struct tw__ws_list {
    const tw__ws_request *_req;
    const char *_name;
    const char *_at, *_end;
    size_t _next_line;
} tw__ws_list;

/* `req` and `name` are borrowed until the walk ends. */
void tw__ws_list_init(tw__ws_list *list, const tw__ws_request *req,
                      const char *name);

/* Gives the next element without blanks around it; false at the end. */
bool tw__ws_list_next(tw__ws_list *list, const char **item, size_t *len);

/* Whether the list of header `name` has the element `token`, in any case. */
bool tw__ws_list_has(const tw__ws_request *req, const char *name,
                     const char *token);

/* Whether the bytes are a token of RFC 7230: at least one character, no
 * blanks, no separators, no control characters, ASCII only. */
bool tw__ws_is_token(const char *data, size_t len);

/* Whether `data` equals the zero-terminated `text`, without case (ASCII). */
bool tw__ws_equals(const char *data, size_t len, const char *text);

#endif
