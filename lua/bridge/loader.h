/* loader.h - how script files come into a VM.
 *
 * `require "a.b"` looks for a/b.lua and a/b/init.lua in the script's folder,
 * then in the library's, always through the VM's sources (loader_sources.h),
 * always as text. C modules are only those registered here.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_LOADER_H
#define TWL_LOADER_H

#include "call.h"
#include "loader_sources.h"
#include "vm.h"

/* Makes `require(name)` call `open` the first time, with the name as its
 * argument; what it returns is the module. It may require others. `name` is
 * copied. 0 or TW_ENOMEM. twl_vm_create registers "cjson". */
int twl_loader_preload(twl_vm *vm, const char *name, lua_CFunction open);

/* Compiles and runs the main script at `path` (as written: it is what reports
 * say) as a call named "load", waiting not allowed, under the load budget of
 * 10 times the VM's. Its first result is left in *result_ref (given;
 * LUA_REFNIL when it returned nothing). 0; TW_ENOT_FOUND, TW_EIO, TW_ELIMIT
 * when the file cannot be read; TW_EINVALID when it does not compile or raises;
 * twl_vm_failure says what and where in each case. */
int twl_loader_main(twl_vm *vm, const char *path, int *result_ref);

/* The same for source text, for tests and embedders; `name` as chunk name,
 * which starts with "@" for a path or "=" for a label. */
int twl_loader_text(twl_vm *vm, const char *name, const char *text, size_t len,
                    int *result_ref);

/* The same for a script that is no file: its text, or, of a test, a function as
 * lua_dump wrote it, which is called. `path` is what reports of a text say. */
int twl_loader_code(twl_vm *vm, const char *path, const char *code, size_t len,
                    bool is_binary, int *result_ref);

/* Whether `require` would answer without loading anything. */
bool twl_loader_has(lua_State *L, const char *name);

/* Pops a function and makes `require(name)` call it as above. May raise. */
void twl_loader_push_preload(lua_State *L, const char *name);

/* Puts `require` and `package` in place; twl_vm_create does it. */
void twl_loader_init(lua_State *L);

#endif
