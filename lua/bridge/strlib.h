/* strlib.h - the string functions that could run for ever, bounded.
 *
 * find, match, gmatch and gsub use a matcher of our own, which counts its
 * steps and looks at the CPU budget every few thousand: a pattern that
 * backtracks ends with its call, where LuaJIT's own matcher, being C, cannot
 * be interrupted. rep refuses results over TWL_REP_MAX_BYTES.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_STRLIB_H
#define TWL_STRLIB_H

#include <lua.h>

enum { TWL_REP_MAX_BYTES = 64 << 20 };

/* Replaces the functions in the string library, which is on top. */
void twl_strlib_open(lua_State *L);

#endif
