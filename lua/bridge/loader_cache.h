/* loader_cache.h - chunks of this process that were compiled before.
 *
 * For whoever makes very many VMs, as a run of tests does: most of what a VM
 * costs is the compiling of sources that the last one compiled, too. Off unless
 * it is opened; process-wide, as the bytecode fits every VM. Loop's thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_LOADER_CACHE_H
#define TWL_LOADER_CACHE_H

#include <lua.h>
#include <stddef.h>

void twl_cache_open(void);
void twl_cache_close(void);

/* As luaL_loadbufferx for text, and remembers what it made. */
int twl_cache_load(lua_State *L, const char *text, size_t len,
                   const char *name);

#endif
