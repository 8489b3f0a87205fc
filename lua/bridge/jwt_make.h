/* jwt_make.h - keys as values in Lua, collected with what remembers them.
 *
 * They are userdata that no script ever gets hold of. Each function returns 0,
 * or the results that refuse the token; what is wrong in the options raises.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JWT_MAKE_H
#define TWL_JWT_MAKE_H

#include <lua.h>
#include <stdbool.h>

#include "../crypto/jwt_key.h"

/* Pushes the key whose text the value at `index` says (jwt_source.h), a secret
 * or PEM. */
int twl_jwt_make_from(lua_State *L, int index, bool is_secret);

/* Pushes an empty key, for crypto/jwt_key.h to fill. */
twl_jwt_key *twl_jwt_make_empty(lua_State *L);

/* What an init of crypto/jwt_key.h failed with; `kid` may be "". */
int twl_jwt_make_fail(lua_State *L, int code, const char *path, const char *kid,
                      const char *why);

/* No key, or more than one, is the token's. */
int twl_jwt_none_fits(lua_State *L);
int twl_jwt_several_fit(lua_State *L);

#endif
