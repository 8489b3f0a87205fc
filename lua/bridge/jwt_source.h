/* jwt_source.h - where the text of a key comes from.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JWT_SOURCE_H
#define TWL_JWT_SOURCE_H

#include <lua.h>
#include <stdbool.h>

/* A file is looked at again after so long. */
enum { TWL_JWT_FILE_MS = 1000 };

/* Raises unless the value is a text, or a table that says where one is; `name`
 * is what the option is called. */
void twl_jwt_source_check(lua_State *L, int index, const char *name);

/* Pushes the text; *path (borrowed from the value) is the file or the address
 * that it came from, NULL for one that stood in the options. `is_set`: it is to
 * be a set of keys. 0, or the results that say why it cannot be had, or those
 * of a wait (jwt_fetch.h). The value has been checked. */
int twl_jwt_source_push(lua_State *L, int index, bool is_set,
                        const char **path);

/* The token's key is not in the set that this says. Where that is worth a new
 * look, results as above; else 0. */
int twl_jwt_source_again(lua_State *L, int index);

/* What came of a text is no good: raises where it stood in the options, and
 * refuses the token where it came from elsewhere. */
int twl_jwt_source_fail(lua_State *L, const char *path, const char *why);

#endif
