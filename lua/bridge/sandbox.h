/* sandbox.h - the world that scripts see.
 *
 * Scripts are the operator's: the sandbox stops accidents, not attackers. All
 * script files share one read-only environment: reading an undefined global
 * or assigning any is an error with file:line. What is there:
 *
 *   base       assert error getmetatable ipairs load loadstring next pairs
 *              pcall print rawequal rawget rawset require select setmetatable
 *              tonumber tostring type unpack xpcall _G _VERSION
 *              collectgarbage ("count", "collect", "step")
 *   libraries  string table math bit coroutine package (loaded, path, cpath)
 *              os (clock date difftime getenv time)
 *
 * Absent: io ffi debug jit newproxy dofile loadfile getfenv setfenv module
 * gcinfo string.dump package.loadlib os.execute exit remove rename tmpname
 * setlocale. load and loadstring take text only; xpcall runs its handler after
 * the stack has unwound (inside LuaJIT's own, hooks are masked, so that a
 * handler could not be stopped); the string metatable is protected.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_SANDBOX_H
#define TWL_SANDBOX_H

#include <lua.h>

/* The chunk name of the bridge's own Lua, left out where places are shown. */
#define TWL_GLUE_NAME "=[tidewire]"

/* What one call of load, and one string for os.date, may be. */
enum { TWL_CHUNK_MAX_BYTES = 8 << 20, TWL_DATE_MAX_BYTES = 1024 };

/* Opens the libraries and makes the environment that of every chunk and thread
 * made from now on. Once per VM, protected; twl_vm_create does it. */
void twl_sandbox_init(lua_State *L);

/* Sets a name in the environment to the value on top and pops it. */
void twl_sandbox_set(lua_State *L, const char *name);

/* Pushes the environment that scripts see. */
void twl_sandbox_push_env(lua_State *L);

#endif
