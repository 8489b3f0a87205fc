/* jwt_set.h - keys in a set (JWKS, RFC 7517).
 *
 * Those that are for something else, or of a kind that is not known here, are
 * passed over, as the RFC wants it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JWT_SET_H
#define TWL_JWT_SET_H

#include <lua.h>
#include <stdbool.h>

#include "jwt_keys.h"

enum { TWL_JWT_SET_MAX = 100 };

/* Whether the value is a set as a table, and not where one is to be found. */
bool twl_jwt_is_set(lua_State *L, int index);

/* Pushes the token's key from the set, or from where the value says that there
 * is one. 0 or results, as in jwt_make.h. */
int twl_jwt_set_find(lua_State *L, int index, const twl_jwt_ask *ask);

#endif
