/* opts.h - reads arguments and option tables.
 *
 * Each reader raises with the name of the function and of the option when the
 * value is of a wrong type or out of bounds. Indices are absolute.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_OPTS_H
#define TWL_OPTS_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include <tidewire/tidewire.h>

#include "names.h"

/* An argument that must be a string; numbers are not taken for one. */
tw_str twl_arg_string(lua_State *L, int index, const char *what,
                      const char *name);

/* A channel's name: a string of 1 to 255 bytes. */
tw_str twl_arg_channel(lua_State *L, int index, const char *what);

bool twl_arg_bool(lua_State *L, int index, const char *what, const char *name);

/* A number within the bounds, not NaN. */
double twl_arg_number(lua_State *L, int index, const char *what,
                      const char *name, double min, double max);

void twl_arg_function(lua_State *L, int index, const char *what,
                      const char *name);

/* False when the argument is absent or nil; otherwise it is a table. */
bool twl_arg_table(lua_State *L, int index, const char *what);

/* The same, and all of its keys are among `names`. */
bool twl_arg_options(lua_State *L, int index, const char *what,
                     const twl_name *names);

/* Fields of the table at `index`; false, and *out untouched, when absent. */
bool twl_opt_number(lua_State *L, int index, const char *what, const char *name,
                    double min, double max, double *out);
/* A whole number. */
bool twl_opt_whole(lua_State *L, int index, const char *what, const char *name,
                   double min, double max, uint64_t *out);
bool twl_opt_bool(lua_State *L, int index, const char *what, const char *name,
                  bool *out);
/* The text is borrowed from the table. */
bool twl_opt_string(lua_State *L, int index, const char *what, const char *name,
                    tw_str *out);

/* Seconds as milliseconds, rounded up so that a short wait is no wait of 0. */
uint64_t twl_seconds_to_ms(double seconds);

/* The longest time that can be asked for, in seconds (about 31 years). */
#define TWL_MAX_SECONDS 1e9

#endif
