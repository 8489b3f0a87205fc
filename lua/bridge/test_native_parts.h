/* test_native_parts.h - what the files of the bindings share.
 *
 *   test_native.c  worlds, scripts, time, and the table
 *   test_client.c  clients
 *   test_asked.c   requests and calls that wait for a stub; what was logged
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_TEST_NATIVE_PARTS_H
#define TWL_TEST_NATIVE_PARTS_H

#include <lauxlib.h>

#include "test_world.h"

/* Argument 1; raises when it is none, or has ended. */
twl_world *twl_test_world(lua_State *L);
/* The peer of argument 2 in it; raises when there is none. */
twl_peer *twl_test_peer(lua_State *L);
uint32_t twl_test_slot(lua_State *L, const twl_world *world, int index);
tw_str twl_test_text(lua_State *L, int index);

/* Set their functions in the table on top. */
void twl_test_open_clients(lua_State *L);
void twl_test_open_asked(lua_State *L);

#endif
