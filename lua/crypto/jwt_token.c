/* SPDX-License-Identifier: MIT */
#include "jwt_token.h"

#include <stdbool.h>
#include <string.h>

#include <tidewire/errors.h>

enum { ENCRYPTED_DOTS = 4 };

static size_t count_dots(const char *text, size_t len) {
    size_t count = 0;
    for (size_t i = 0; i < len; i++) {
        count += text[i] == '.';
    }
    return count;
}

/* Up to the next dot, or all that is left. */
static twl_jwt_part next_part(const char **at, const char *end) {
    const char *dot = memchr(*at, '.', (size_t)(end - *at));
    const char *stop = dot != NULL ? dot : end;
    twl_jwt_part part = {*at, (size_t)(stop - *at)};
    *at = dot != NULL ? dot + 1 : end;
    return part;
}

int twl_jwt_token_split(twl_jwt_token *token, const char *text, size_t len,
                        const char **why) {
    size_t dots = len > 0 ? count_dots(text, len) : 0;
    if (dots != 2) {
        *why = len == 0                 ? "there is no token"
               : dots == ENCRYPTED_DOTS ? "the token is encrypted, not signed"
                                        : "the token has not three parts";
        return TW_EINVALID;
    }
    const char *at = text, *end = text + len;
    twl_jwt_token parts;
    parts.header = next_part(&at, end);
    parts.claims = next_part(&at, end);
    parts.signature = next_part(&at, end);
    size_t before = parts.header.len + 1 + parts.claims.len;
    parts.is_signed = (twl_jwt_part){text, before};
    if (parts.header.len == 0 || parts.claims.len == 0) {
        *why = "a part of the token is empty";
        return TW_EINVALID;
    }
    *token = parts;
    return 0;
}

size_t twl_jwt_count_members(const char *json, size_t len) {
    size_t depth = 0, count = 0;
    bool is_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = json[i];
        if (is_string) {
            i += c == '\\';
            is_string = c != '"';
        } else if (c == '"') {
            is_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == ':' && depth == 1) {
            count++;
        }
    }
    return count;
}
