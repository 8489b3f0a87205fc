/* jwt_claims.h - what a token claims, and what the script demands of it.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JWT_CLAIMS_H
#define TWL_JWT_CLAIMS_H

#include <lua.h>

/* Seconds. The rest of the demands stays in the options: what was checked to be
 * names there is compared when it is needed. */
typedef struct twl_jwt_demands {
    double now;
    double leeway;
    double max_age; /* negative: any */
} twl_jwt_demands;

/* Reads `now`, `leeway`, `max_age`, and raises unless `aud`, `iss` and
 * `require` are what they must be. */
void twl_jwt_demands_read(lua_State *L, int options, twl_jwt_demands *demands);

/* Raises unless the value is a list of strings that is not empty. */
void twl_jwt_check_names(lua_State *L, int index, const char *name);

/* Holds the claims at that index against the demands. 0, or the results that
 * refuse them; otherwise the stack is as it was. */
int twl_jwt_claims_check(lua_State *L, int claims, int options,
                         const twl_jwt_demands *demands);

#endif
