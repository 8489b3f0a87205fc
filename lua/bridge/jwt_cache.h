/* jwt_cache.h - what a VM remembers of keys, so that they are made once.
 *
 * Looked up by text: what is asked for with another text is another thing, so
 * nothing here grows old. When one of the caches is full it begins anew.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_JWT_CACHE_H
#define TWL_JWT_CACHE_H

#include <lua.h>

typedef enum twl_jwt_cache {
    TWL_JWT_SECRETS, /* a secret -> its key */
    TWL_JWT_PEMS,    /* PEM -> its key */
    TWL_JWT_NUMBERS, /* the numbers of a JWK -> its key */
    TWL_JWT_SETS,    /* the JSON of a set -> its table */
    TWL_JWT_FILES,   /* a path -> a table of what was read and when */
    TWL_JWT_CACHES
} twl_jwt_cache;

enum { TWL_JWT_CACHE_MAX = 256 };

/* Pushes what is remembered under the string on top, nil when nothing is. */
void twl_jwt_cache_find(lua_State *L, twl_jwt_cache cache);

/* With a string and a value on top: remembers it, and takes the string from
 * below the value. */
void twl_jwt_cache_add(lua_State *L, twl_jwt_cache cache);

#endif
