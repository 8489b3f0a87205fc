/* scan_lex.h - the words of a Lua file, one after another.
 *
 * Made for text that LuaJIT compiles: of anything else it may make what it
 * likes, within the text. Pure; nothing is allocated; the text is borrowed.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_SCAN_LEX_H
#define TWL_SCAN_LEX_H

#include <stdbool.h>
#include <stddef.h>

typedef enum twl_token_kind {
    TWL_TOKEN_END,
    TWL_TOKEN_NAME,
    TWL_TOKEN_KEYWORD,
    TWL_TOKEN_STRING, /* `begin` and `len` are what stands in the quotes */
    TWL_TOKEN_NUMBER,
    TWL_TOKEN_SIGN,
    TWL_TOKEN_BROKEN /* a string or comment without an end, an odd byte */
} twl_token_kind;

typedef struct twl_token {
    twl_token_kind kind;
    const char *begin;
    size_t len;
    int line;
} twl_token;

typedef struct twl_lexer {
    const char *at, *end;
    int line;
} twl_lexer;

/* A first line that begins with # is left out, as when it is loaded. */
void twl_lexer_init(twl_lexer *lexer, const char *text, size_t len);

twl_token twl_lexer_next(twl_lexer *lexer);

/* Whether it is this keyword or sign. */
bool twl_token_is(const twl_token *token, const char *text);

#endif
