/* jwt.h - tw.jwt.verify: who a signed token says that somebody is.
 *
 * What it does, in this order: takes the token apart (crypto/jwt_token.h),
 * reads its header, has the key found (jwt_keys.h), looks at the signature, and
 * only then at what the token claims (jwt_claims.h). A token chooses among the
 * keys that the script names, and each key has one algorithm: nothing else in a
 * token is believed before its signature is.
 *
 * Every function here that takes part returns 0 to go on, or how many results
 * it has pushed for the script.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JWT_H
#define TWL_JWT_H

#include <lua.h>
#include <tidewire/errors.h>

#define TWL_JWT_VERIFY "tw.jwt.verify"

/* Pushes nil and an error with `reason`, a word for scripts, as one of its
 * fields. Nothing of the token may be in the message. Returns 2. */
int twl_jwt_refuse(lua_State *L, int tw_code, const char *reason,
                   const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Sets `jwt` in the table on top. */
void twl_jwt_open(lua_State *L);

#endif
