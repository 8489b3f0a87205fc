/* test_native.h - what tidewire.test (lua/tidewire/test.lua) is built on.
 *
 * A table of functions over a world (test_world.h), for that library alone: a
 * test file never sees it. SPDX-License-Identifier: MIT */
#ifndef TWL_TEST_NATIVE_H
#define TWL_TEST_NATIVE_H

#include <lua.h>

/* Pushes the table. Raises without memory. */
void twl_test_open(lua_State *L);

#endif
