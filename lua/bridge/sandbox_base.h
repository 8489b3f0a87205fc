/* sandbox_base.h - the base functions that differ from LuaJIT's.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_SANDBOX_BASE_H
#define TWL_SANDBOX_BASE_H

#include <lua.h>

/* Replaces them in the table of real globals, which is on top. */
void twl_sandbox_base_open(lua_State *L);

#endif
