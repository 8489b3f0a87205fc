/* err.h - error objects: what `nil, err` carries.
 *
 * An error object is a table with `code`, `message` and any further fields,
 * and a protected metatable: tostring gives "code: message". Everything here
 * may raise at the memory limit: protected code only.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_ERR_H
#define TWL_ERR_H

#include <lua.h>
#include <stdbool.h>

/* Pushes an error object. `tw_code` is one of TW_E...; message NULL: the
 * code's own text. One value is pushed. */
void twl_push_error(lua_State *L, int tw_code, const char *message);

/* The same with a format as for lua_pushfstring. */
void twl_push_errorf(lua_State *L, int tw_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Pushes nil and an error object and returns 2: `return twl_nil_error(...)`. */
int twl_nil_error(lua_State *L, int tw_code, const char *message);

/* Whether the value is an error object. Does not raise. */
bool twl_is_error(lua_State *L, int index);

/* Pushes "code: message" of an error object, and of any other value what it
 * is, without calling metamethods. Returns the text. */
const char *twl_push_error_text(lua_State *L, int index);

/* Raises a plain message with the place in the script, "file:line: ", in
 * front, wherever in the bridge's own Lua the caller was called from. */
int twl_raise(lua_State *L, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Pushes onto L "file:line: " of the innermost script function on the stack of
 * `from` (which may be L), or "". */
const char *twl_push_where(lua_State *L, lua_State *from);

/* Pops a function and pushes "file:line: " of where it was defined, or "". */
const char *twl_push_definition(lua_State *L);

/* Sets `error` in the table on top: tw.error(code, message, fields). */
void twl_err_open(lua_State *L);

/* Makes the metatable; twl_vm_create does it. */
void twl_err_init(lua_State *L);

#endif
