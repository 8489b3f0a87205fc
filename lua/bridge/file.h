/* file.h - tw.file.read: files that the configuration grants to scripts.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_FILE_H
#define TWL_FILE_H

#include <lua.h>

enum { TWL_FILE_MAX_BYTES = 1 << 20 };

int twl_file_read(lua_State *L);

#endif
