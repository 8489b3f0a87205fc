/* jwt_keys.h - which key a token is to be verified with.
 *
 * The script names its keys in the options, in one of four ways:
 *
 *   secret  bytes that both sides know              HS256
 *   key     a public key or certificate as PEM      RS256 or ES256, as it is
 *   keys    { [kid] = PEM, or { secret = }, ... }
 *   jwks    a set of keys as RFC 7517 has it, as JSON or as its table
 *
 * Instead of a text there can be { file = path }: a file that the configuration
 * grants to scripts, looked at again once a second. Or, but for a secret,
 * { url = address }, which is fetched (jwt_fetch.h): then the verification
 * waits, and is run anew. Keys are made once for each text and remembered
 * (jwt_cache.h).
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JWT_KEYS_H
#define TWL_JWT_KEYS_H

#include <lua.h>

#include "../crypto/jwt_key.h"

/* What the token says of its key: borrowed from the stack. */
typedef struct twl_jwt_ask {
    twl_jwt_alg alg;
    int kid; /* the stack index of its text; 0: it says none */
} twl_jwt_ask;

/* Raises unless exactly one of the four is there. */
void twl_jwt_keys_check(lua_State *L, int options);

/* Pushes what keeps the key alive, and gives the key, which has the algorithm
 * asked for. 0, or the results that say why there is none: "denied" when none
 * fits the token, "unavailable" when a file of keys is no good. What is wrong
 * in the options themselves raises. The results may be those of a wait. */
int twl_jwt_keys_find(lua_State *L, int options, const twl_jwt_ask *ask,
                      twl_jwt_key **key);

#endif
