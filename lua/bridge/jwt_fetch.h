/* jwt_fetch.h - keys that have to be fetched: what is at an address, for
 * tw.jwt.verify.
 *
 * Each worker keeps what it has fetched, over reloads, for as long as the
 * answer may be kept by its Cache-Control. It is fetched by one request for all
 * who wait, and anew
 *
 *   - when a last part of that time has begun, while what is there is used;
 *   - when the time is over: then it is waited for;
 *   - when a token names a key that is not there, but not more often than every
 *     TWL_JWT_AGAIN_MS.
 *
 * While that fails, what was there is good for TWL_JWT_STALE_MS more, and
 * asking is left alone for TWL_JWT_RETRY_MS.
 *
 * Only https, and http to this machine; no redirects.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JWT_FETCH_H
#define TWL_JWT_FETCH_H

#include "bridge.h"

enum {
    TWL_JWT_FRESH_MS = 300000, /* where an answer says nothing */
    TWL_JWT_FRESH_MIN_MS = 60000,
    TWL_JWT_FRESH_MAX_MS = 86400000,
    TWL_JWT_STALE_MS = 3600000,
    TWL_JWT_RETRY_MS = 10000,
    TWL_JWT_AGAIN_MS = 30000,
    TWL_JWT_TIMEOUT_MS = 5000,
    TWL_JWT_FETCH_BYTES = 262144,
    TWL_JWT_FETCHED_MAX = 64 /* addresses; the one unused for longest goes */
};

typedef struct twl_jwt_address {
    const char *url; /* borrowed */
    bool is_set;     /* a JWKS is expected there, else PEM */
} twl_jwt_address;

/* jwt_address.c. Raises unless keys may come from there; `is_insecure`: over
 * http, too. */
void twl_jwt_fetch_check(lua_State *L, const char *url, bool is_insecure);

/* Pushes what is there. 0; else results that refuse the token, or those of a
 * wait: the whole verification is then run again. */
int twl_jwt_fetch_push(lua_State *L, const twl_jwt_address *address);

/* The token's key is not in it: asks for it anew. 0: it is too soon for that;
 * else results as above. */
int twl_jwt_fetch_again(lua_State *L, const twl_jwt_address *address);

/* Pushes what a wait gives: "run it again". */
void twl_jwt_push_again(lua_State *L);

/* Ends all requests and forgets what was fetched; nobody waits. */
void twl_jwt_fetch_free(tw_lua *lua);

#endif
