/* dict.h - tw.dict(name): what all workers of the server share.
 *
 * A script names its dictionaries while it loads; each is made when it is first
 * used, so that a script that is only checked, or loaded and then discarded,
 * takes nothing of the shared memory.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_DICT_H
#define TWL_DICT_H

#include <lua.h>
#include <tidewire/tidewire.h>

int twl_dict_new(lua_State *L); /* tw.dict(name, options) */
void twl_dict_define(lua_State *L);

/* The dictionary at argument 1. Raises when it is none or the script may not
 * act now. 0, or why it cannot be had at the moment. */
int twl_dict_self(lua_State *L, const char *what, tw_dict **dict);

/* A key at argument 2, or raises. */
tw_str twl_dict_key(lua_State *L, const char *what);

/* As twl_push_done, in the words of dictionaries. */
int twl_dict_done(lua_State *L, int code);

/* ---- dict_value.c ------------------------------------------------------- */

/* Reads a value, borrowed from the stack or the VM's scratch bytes: use it
 * before anything else runs. Raises when it cannot be kept; 0, TW_ELIMIT (a
 * table of over `max` bytes) or TW_ENOMEM. */
int twl_dict_read(lua_State *L, int index, const char *what, size_t max,
                  tw_dict_value *value);
/* Pushes one. */
void twl_dict_push(lua_State *L, const tw_dict_value *value);

/* ---- dict_update.c ------------------------------------------------------ */

/* Pushes the method `update`. */
void twl_dict_push_update(lua_State *L);

#endif
