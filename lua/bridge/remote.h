/* remote.h - tw.conn(id): a connection on whichever worker.
 *
 * What is done to it is accepted here and done there; one that has closed
 * swallows it. Those that user:connections() found carry what was known of
 * them then.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_REMOTE_H
#define TWL_REMOTE_H

#include <lua.h>
#include <tidewire/tidewire.h>

int twl_remote_new(lua_State *L); /* tw.conn(id) */
void twl_remote_define(lua_State *L);

/* Pushes the handle of a connection that was found. */
void twl_remote_push(lua_State *L, const tw_user_conn *conn);

/* Arguments `index` and the next: a close code and a reason, 1000 and "" by
 * default. */
int twl_arg_close(lua_State *L, int index, const char *what, tw_str *reason);

/* Raises what is wrong with them. */
int twl_raise_close(lua_State *L, const char *what, int code);

#endif
