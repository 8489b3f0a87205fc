/* names.h - the names that options and hooks may have.
 *
 * A list of names, some of them reserved: the contract with scripts has them,
 * this version does not ship them. A wrong name is answered with the nearest
 * right one.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_NAMES_H
#define TWL_NAMES_H

#include <lua.h>
#include <stdbool.h>

/* Lists end with a NULL name. */
typedef struct twl_name {
    const char *name;
    bool is_reserved;
} twl_name;

/* The entry of that name, or NULL. */
const twl_name *twl_names_find(const twl_name *names, const char *word);

/* The name most like `word` that is not reserved, NULL when none is near. */
const char *twl_names_nearest(const twl_name *names, const char *word);

/* How far a name is from a word, the less the nearer, and from what distance on
 * it is too far to be meant. */
int twl_names_likeness(const char *word, const char *name);
int twl_names_limit(const char *word);

/* Raises "<what>: unknown <kind> 'word' (did you mean 'x'?)", or, for a
 * reserved name, "<what>: <kind> 'word' is not available in this version".
 * `what` may be NULL. */
int twl_names_raise(lua_State *L, const char *what, const char *kind,
                    const twl_name *names, const char *word);

/* A step of lua_next through the table at `index`, the key before on top: the
 * name's place in `names`, its value on top of the key; -1 at the end. Raises
 * as below. */
int twl_names_next(lua_State *L, int index, const char *what, const char *kind,
                   const twl_name *names);

/* Raises unless every key of the table at `index` is a known name that is not
 * reserved. `index` is absolute. */
void twl_names_check(lua_State *L, int index, const char *what,
                     const char *kind, const twl_name *names);

#endif
