/* json_text.h - what JSON is made of, both ways: numbers and plain text.
 *
 * Pure; nothing of Lua in it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JSON_TEXT_H
#define TWL_JSON_TEXT_H

#include <stddef.h>

enum { TWL_JSON_NUMBER_MAX = 32 };

/* Reads the number that the text begins with. How many bytes it has; 0 when
 * there is none, or it is larger than a double can be. Correctly rounded. */
size_t twl_json_read_number(const char *text, size_t len, double *value);

/* Writes a finite number: integers to 2^53 as such, others in the shortest of
 * the usual forms that reads back as the same number. How many bytes, no NUL.
 * Negative zero becomes 0. */
size_t twl_json_write_number(double value, char out[TWL_JSON_NUMBER_MAX]);

/* How many leading bytes stand for themselves in a JSON string and are ASCII:
 * no quote, backslash or control character. */
size_t twl_json_plain_run(const char *text, size_t len);

#endif
