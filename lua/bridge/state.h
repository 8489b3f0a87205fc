/* state.h - conn.state: a connection's table, and its way to a new generation.
 *
 * The table lives in the VM of one generation; a record hung on the connection
 * says where. A connection that never asked for its state has no record. After
 * a reload the table is carried over when none of the connection's hooks runs:
 * in slices while the loop is idle, or just before its next hook, and
 * `migrate` runs then if the app's version differs. So a hook only ever sees a
 * table of its own generation and version.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_STATE_H
#define TWL_STATE_H

#include "bridge.h"

/* Pushes conn.state, made at the first use. Raises when it is in another
 * generation's hands. Returns 1. */
int twl_state_push(lua_State *L, tw_conn *conn);

/* Brings the state of a connection about to run a hook of `app` to its
 * generation. False: its migrate failed, and has closed the connection. */
bool twl_state_settle(tw_conn *conn, twl_app *app);

/* Carries over states of the old generation for about `budget_us`; true when
 * some are left that no running hook holds. */
bool twl_state_carry_slice(tw_lua *lua, unsigned budget_us);

/* Tells of all that a reload would drop of the states in this generation, but
 * of those that a waiting hook holds. */
void twl_states_check(twl_gen *gen,
                      void (*dropped)(const char *path, const char *why,
                                      void *arg),
                      void *arg);

/* The connection goes: frees its record. */
void twl_state_forget(tw_conn *conn);

/* Forgets all states that live in the generation. */
void twl_states_drop(twl_gen *gen);

#endif
