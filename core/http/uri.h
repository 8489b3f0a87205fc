/* uri.h - decodes paths, query strings and cookie lines.
 * Pure functions. SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_URI_H
#define TW_HTTP_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "http/field.h"

/* Decodes a path that begins with '/' into `out` (room for len + 1; ended by
 * a zero byte) and gives its length. Returns NULL, or static text saying why
 * it is refused: an invalid escape, an escaped slash, backslash, zero or
 * control byte, a raw backslash, or a segment that is "." or "..". */
const char *tw__http_path_decode(const char *raw, size_t len, char *out,
                                 size_t *out_len);

/* Decoded pairs in one block, freed by tw__free. */
typedef struct tw__http_pairs {
    size_t count;
    tw__http_field fields[];
} tw__http_pairs;

/* The pairs of a query string or of a cookie line, as request.h describes
 * them. NULL when there is no memory. */
tw__http_pairs *tw__http_query_parse(const char *raw, size_t len);
tw__http_pairs *tw__http_cookies_parse(const char *raw, size_t len);

#endif
