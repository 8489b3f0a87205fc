/* conn.h - connections as scripts see them.
 *
 * One handle per connection and VM while a script refers to it, found again
 * through a weak table; an idle connection has none. A handle knows its
 * connection by the number that is never used again, so one that outlives its
 * connection answers nil, "closed".
 *
 * Those that sent the last messages have their handles kept (TWL_CONNS_KEPT a
 * generation), so that the hook of a busy one allocates nothing. One that only
 * listens has its handle while one of its hooks runs.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_CONN_H
#define TWL_CONN_H

#include "handle.h"
#include "job.h"

/* About 100 bytes each while they are there. */
enum { TWL_CONNS_KEPT = 4096 };

typedef struct twl_conn_handle {
    twl_handle head; /* pointer: the tw_conn, to be trusted only if found */
    uint64_t number;
    char id[TW_ID_TEXT];
} twl_conn_handle;

/* Where a generation keeps the handle of a connection. */
typedef struct twl_conn_kept {
    uint64_t number; /* 0: of none */
    int ref;         /* 0: none yet */
} twl_conn_kept;

/* Pushes the handle of the connection. */
void twl_conn_push(lua_State *L, tw_conn *conn, uint64_t number);

/* Keeps the handle on top, which stays there, until its place is needed or the
 * connection goes. May raise. */
void twl_conn_keep(lua_State *L, uint64_t number);

/* Pushes the handle when it is kept: neither raises nor allocates. False, and
 * nothing pushed, when it is not. */
bool twl_conn_put(lua_State *L, const twl_gen *gen, uint64_t number);

/* The connection has gone: its handle is not kept any longer. */
void twl_conn_forget(tw_lua *lua, uint64_t number);

/* Frees the places of kept handles; the references go with the VM. */
void twl_conns_free(twl_gen *gen);

/* The connection of the handle; NULL when it has gone. */
tw_conn *twl_conn_resolve(const tw_lua *lua, const twl_conn_handle *handle);

/* The connection of the handle at `index`: raises when that is no connection;
 * NULL when it has gone. */
tw_conn *twl_conn_at(lua_State *L, int index, const char *what);

/* The same for argument 1 of the method named `what`. */
tw_conn *twl_conn_self(lua_State *L, const char *what);
tw_conn *twl_conn_self_in(lua_State *L, const tw_lua *lua, const char *what);

/* Makes the weak table; twl_conn_define does it. */
void twl_conn_handles_define(lua_State *L);

void twl_conn_define(lua_State *L);

#endif
