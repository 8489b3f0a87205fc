/* chars.h - the character classes and small comparisons of HTTP.
 *
 * ASCII only and never the locale's business. Pure functions.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_CHARS_H
#define TW_HTTP_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* tchar of RFC 9110 5.6.2: what methods and header names are made of. */
bool tw__http_is_tchar(unsigned char c);

/* What a header value may hold: HTAB, blank, visible, 0x80 and above. */
bool tw__http_is_value_char(unsigned char c);

static inline char tw__http_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* The value of a hexadecimal digit, or -1. */
int tw__http_hex(char c);

/* Equality without regard to case. */
bool tw__http_same(const char *a, size_t a_len, const char *b, size_t b_len);

/* Narrows to the part without blanks and tabs around it. */
void tw__http_trim(const char **data, size_t *len);

/* Walks a comma-separated list: gives the next element that is not empty,
 * trimmed, in *item and *item_len and moves *data and *len behind it. A comma
 * within "double quotes" does not separate. False at the end. */
bool tw__http_list_next(const char **data, size_t *len, const char **item,
                        size_t *item_len);

/* Whether the list holds `token`, without regard to case. */
bool tw__http_list_has(const char *data, size_t len, const char *token);

/* Reads a decimal number that fills the whole of `data`: digits only, at
 * least one, below 2^63. */
bool tw__http_decimal(const char *data, size_t len, uint64_t *out);

#endif
