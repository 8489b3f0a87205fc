/* strlib_gsub.h - string.gsub. SPDX-License-Identifier: MIT */
#ifndef TWL_STRLIB_GSUB_H
#define TWL_STRLIB_GSUB_H

#include <lua.h>

/* string.gsub(s, pattern, replacement [, n]) */
int twl_string_gsub(lua_State *L);

#endif
