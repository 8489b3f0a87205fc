/* test_limits.h - the limits of a test's server, by the names that they have in
 * a configuration file. SPDX-License-Identifier: MIT */
#ifndef TWL_TEST_LIMITS_H
#define TWL_TEST_LIMITS_H

#include <lua.h>
#include <tidewire/tidewire.h>

/* Reads the table at `index`; numbers, times in seconds. Raises for what is no
 * limit. */
void twl_test_limits(lua_State *L, int index, tw_config *config);

#endif
