/* tidewire/lua_config.h - a configuration written in Lua.
 *
 * The file returns a table of plain data. It runs once, in a VM of its own
 * that is gone afterwards: with the libraries of the sandbox (os.getenv among
 * them), `require` in the file's folder, a CPU budget and a memory limit;
 * without `tidewire`, since no server exists yet.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TIDEWIRE_LUA_CONFIG_H
#define TIDEWIRE_LUA_CONFIG_H

#include "tidewire/tidewire.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Asked about each script file that is open and about to be read; `path` is
 * what it was called. Answers whether it may be; if not, `why` gets a sentence
 * that names the file. */
typedef bool (*tw_lua_may_read_cb)(int fd, const char *path, char *why,
                                   size_t why_size, void *arg);

/* Runs the file and gives the table it returned as JSON text; an empty table
 * is `{}`. 0 and *json is given (tw_lua_config_free). Otherwise `report` gets a
 * sentence with file and line, at most TW_REPORT_MAX bytes (tidewire/master.h):
 * TW_ENOT_FOUND, TW_EIO, TW_ELIMIT (the file is too large), TW_EINVALID (it
 * does not load, or returned no table of plain data), TW_ENOMEM. Not while a
 * tw_lua of this thread is inside a call. */
TW_API int tw_lua_read_config(const char *path, char **json, char *report);

/* The same when `may_read` allows each file, those that are required, too;
 * TW_EDENIED when it does not. */
TW_API int tw_lua_read_checked_config(const char *path,
                                      tw_lua_may_read_cb may_read, void *arg,
                                      char **json, char *report);

/* NULL is allowed. */
TW_API void tw_lua_config_free(char *json);

#ifdef __cplusplus
}
#endif
#endif
