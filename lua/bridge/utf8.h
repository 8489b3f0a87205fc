/* utf8.h - strict UTF-8, for C and as tw.utf8.
 *
 * Strict: no surrogates, no overlong forms, nothing above U+10FFFF.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_UTF8_H
#define TWL_UTF8_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* The length in bytes of the character at `text`, 0 when it is malformed or
 * cut off by `len`. `len` is at least 1. */
size_t twl_utf8_char(const char *text, size_t len);

/* How many leading bytes are valid; `len` when all are. */
size_t twl_utf8_valid_prefix(const char *text, size_t len);
bool twl_utf8_is_valid(const char *text, size_t len);

/* Sets `utf8` in the table on top: valid(s), len(s) -> n or nil, position,
 * sub(s, i [, j]) by characters, negative from the end. */
void twl_utf8_open(lua_State *L);

#endif
