/* data.h - what scripts send: text, messages, JSON.
 *
 * A string is text, a message keeps its kind and is never copied into Lua, and
 * a table, number, boolean or tw.json.raw is JSON.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_DATA_H
#define TWL_DATA_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <tidewire/lua.h>

/* Reads the value at `index`; raises when it cannot be sent. The bytes are
 * borrowed from the Lua stack, the message or the VM's scratch bytes: use them
 * before anything else runs in the VM. Returns whether text in it is known to
 * be UTF-8: that of a string is not. */
bool twl_data_read(lua_State *L, const tw_lua *lua, int index, const char *what,
                   tw_msg *data);

/* Any value but functions and the like as JSON text, in the scratch bytes;
 * raises when JSON cannot say it. */
tw_str twl_data_json(lua_State *L, int index, const char *what);

/* Pushes the table that the JSON text says, or nil and an error object;
 * returns how many. */
int twl_data_parse(lua_State *L, const void *text, size_t len);

#endif
