/* SPDX-License-Identifier: MIT */
#include "scan_lex.h"

#include <ctype.h>
#include <string.h>

/* `goto` is a name to LuaJIT, unless a name follows: see scan.c. */
static const char *const keywords[] = {
    "and",      "break", "do",   "else",  "elseif", "end", "false", "for",
    "function", "if",    "in",   "local", "nil",    "not", "or",    "repeat",
    "return",   "then",  "true", "until", "while",  NULL};

/* The longer ones first. */
static const char *const signs[] = {
    "...", "..", "==", "~=", "<=", ">=", "::", "+", "-", "*",
    "/",   "%",  "^",  "#",  "<",  ">",  "=",  "(", ")", "{",
    "}",   "[",  "]",  ";",  ":",  ",",  ".",  NULL};

void twl_lexer_init(twl_lexer *lexer, const char *text, size_t len) {
    *lexer = (twl_lexer){text, text + len, 1};
    while (len > 0 && *text == '#' && lexer->at < lexer->end &&
           *lexer->at != '\n') {
        lexer->at++;
    }
}

static char peek(const twl_lexer *l, size_t ahead) {
    return (size_t)(l->end - l->at) > ahead ? l->at[ahead] : '\0';
}

static void skip(twl_lexer *l) {
    l->line += *l->at == '\n';
    l->at++;
}

/* The number of = between two brackets at `at`, -1 when there are none. */
static int level_of(const twl_lexer *l) {
    int level = 0;
    while (peek(l, (size_t)level + 1) == '=') {
        level++;
    }
    return peek(l, 0) == '[' && peek(l, (size_t)level + 1) == '[' ? level : -1;
}

/* From the first bracket on; false when it does not end. */
static bool read_long(twl_lexer *l, int level, twl_token *token) {
    l->at += level + 2;
    token->begin = l->at;
    for (; l->at < l->end; skip(l)) {
        int count = 0;
        while (*l->at == ']' && peek(l, (size_t)count + 1) == '=') {
            count++;
        }
        if (*l->at == ']' && count == level &&
            peek(l, (size_t)count + 1) == ']') {
            token->len = (size_t)(l->at - token->begin);
            l->at += level + 2;
            return true;
        }
    }
    return false;
}

/* False when a comment does not end. */
static bool skip_blank(twl_lexer *l) {
    while (l->at < l->end) {
        if (isspace((unsigned char)*l->at)) {
            skip(l);
        } else if (*l->at == '-' && peek(l, 1) == '-') {
            twl_token unused;
            l->at += 2;
            int level = level_of(l);
            if (level >= 0 && !read_long(l, level, &unused)) {
                return false;
            }
            while (level < 0 && l->at < l->end && *l->at != '\n') {
                l->at++;
            }
        } else {
            return true;
        }
    }
    return true;
}

/* \z swallows line ends, as a backslash before one does. */
static void skip_escape(twl_lexer *l) {
    l->at++;
    bool is_z = peek(l, 0) == 'z';
    if (l->at < l->end) {
        skip(l);
    }
    while (is_z && l->at < l->end && isspace((unsigned char)*l->at)) {
        skip(l);
    }
}

static bool read_quoted(twl_lexer *l, twl_token *token) {
    char quote = *l->at++;
    token->begin = l->at;
    while (l->at < l->end && *l->at != quote && *l->at != '\n') {
        if (*l->at == '\\') {
            skip_escape(l);
        } else {
            l->at++;
        }
    }
    token->len = (size_t)(l->at - token->begin);
    return peek(l, 0) == quote && l->at++ < l->end;
}

static bool is_inner(char c) {
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Behind the first digit: whatever may stand there, 0x1p-3, 1e+9, 12ULL. A
 * number that begins with a dot is taken likewise. */
static void read_number(twl_lexer *l) {
    bool is_hex = tolower((unsigned char)peek(l, 0)) == 'x';
    while (is_inner(peek(l, 0)) || peek(l, 0) == '.' ||
           (l->at < l->end && strchr("+-", *l->at) != NULL &&
            strchr(is_hex ? "pP" : "eE", l->at[-1]) != NULL)) {
        l->at++;
    }
}

static bool is_keyword(const twl_token *token) {
    for (const char *const *word = keywords; *word != NULL; word++) {
        if (twl_token_is(token, *word)) {
            return true;
        }
    }
    return false;
}

static void read_sign(twl_lexer *l, twl_token *token) {
    token->kind = TWL_TOKEN_BROKEN;
    for (const char *const *sign = signs; *sign != NULL; sign++) {
        size_t len = strlen(*sign);
        if ((size_t)(l->end - l->at) >= len && memcmp(l->at, *sign, len) == 0) {
            token->kind = TWL_TOKEN_SIGN;
            l->at += len;
            return;
        }
    }
}

twl_token twl_lexer_next(twl_lexer *l) {
    bool is_whole = skip_blank(l);
    twl_token token = {TWL_TOKEN_END, l->at, 0, l->line};
    if (!is_whole || l->at >= l->end) {
        token.kind = is_whole ? TWL_TOKEN_END : TWL_TOKEN_BROKEN;
        return token;
    }
    char c = *l->at;
    int level = level_of(l);
    if (c == '"' || c == '\'' || level >= 0) {
        is_whole =
            level >= 0 ? read_long(l, level, &token) : read_quoted(l, &token);
        token.kind = is_whole ? TWL_TOKEN_STRING : TWL_TOKEN_BROKEN;
        return token;
    }
    if (isdigit((unsigned char)c) ||
        (c == '.' && isdigit((unsigned char)peek(l, 1)))) {
        token.kind = TWL_TOKEN_NUMBER;
        l->at++;
        read_number(l);
    } else if (is_inner(c)) {
        while (is_inner(peek(l, 0))) {
            l->at++;
        }
    } else {
        read_sign(l, &token);
    }
    token.len = (size_t)(l->at - token.begin);
    if (is_inner(c) && token.kind == TWL_TOKEN_END) {
        token.kind = is_keyword(&token) ? TWL_TOKEN_KEYWORD : TWL_TOKEN_NAME;
    }
    return token;
}

bool twl_token_is(const twl_token *token, const char *text) {
    return token->kind != TWL_TOKEN_STRING && token->len == strlen(text) &&
           memcmp(token->begin, text, token->len) == 0;
}
