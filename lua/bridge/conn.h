/* conn.h - connections as scripts see them.
 *
 * One handle per connection and VM while a script refers to it, found again
 * through a weak table; an idle connection has none. A handle knows its
 * connection by the number that is never used again, so one that outlives its
 * connection answers nil, "closed".
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_CONN_H
#define TWL_CONN_H

#include "job.h"

/* Pushes the handle of the connection. */
void twl_conn_push(lua_State *L, tw_conn *conn, uint64_t handle);

/* The connection of the handle at `index`: raises when that is no connection;
 * NULL when it has gone. */
tw_conn *twl_conn_at(lua_State *L, int index, const char *what);

/* The same for argument 1 of the method named `what`. */
tw_conn *twl_conn_self(lua_State *L, const char *what);

void twl_conn_define(lua_State *L);

#endif
