/* jwt_token.h - a signed token as text: three parts of base64url, RFC 7515.
 *
 * Pure; nothing is allocated, parts are borrowed from the token.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JWT_TOKEN_H
#define TWL_JWT_TOKEN_H

#include <stddef.h>

typedef struct twl_jwt_part {
    const char *text;
    size_t len;
} twl_jwt_part;

typedef struct twl_jwt_token {
    twl_jwt_part header, claims, signature;
    twl_jwt_part is_signed; /* the first two, with the dot between them */
} twl_jwt_token;

/* Takes a token apart; whether its parts can be decoded is not looked at. 0, or
 * TW_EINVALID and in *why what is wrong, as a static text. */
int twl_jwt_token_split(twl_jwt_token *token, const char *text, size_t len,
                        const char **why);

/* How many members the object has that is the text of well-formed JSON, names
 * that come twice counted twice; 0 when it is no object. */
size_t twl_jwt_count_members(const char *json, size_t len);

#endif
