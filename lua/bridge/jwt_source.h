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

/* Pushes the text; *path (borrowed from the value) is the file that it came
 * from, NULL for one that stood in the options. 0, or the results that say why
 * it cannot be had. The value has been checked. */
int twl_jwt_source_push(lua_State *L, int index, const char **path);

/* What came of a text is no good: raises where it stood in the options, and
 * refuses the token where it came from a file. */
int twl_jwt_source_fail(lua_State *L, const char *path, const char *why);

#endif
