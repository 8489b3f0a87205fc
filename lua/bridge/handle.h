/* handle.h - userdata that scripts hold.
 *
 * Every handle begins with an address of ours and its type, so that recognising
 * one costs two comparisons. Scripts cannot make userdata of their own (no
 * newproxy), and what else is a userdata in a VM of ours begins with a pointer
 * as well, never with bytes of a script's. The plain ones hold just a pointer
 * to something of the bridge's.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_HANDLE_H
#define TWL_HANDLE_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum twl_handle_type {
    TWL_HANDLE_APP,
    TWL_HANDLE_ROUTES,
    TWL_HANDLE_STATIC,
    TWL_HANDLE_CONN,
    TWL_HANDLE_MSG,
    TWL_HANDLE_REQ,
    TWL_HANDLE_TASK,
    TWL_HANDLE_TIMER,
    TWL_HANDLE_CHANNEL,
    TWL_HANDLE_USER,
    TWL_HANDLE_REMOTE,
    TWL_HANDLE_SUBSCRIPTION,
    TWL_HANDLE_DICT,
    TWL_HANDLE_REDIS,
    TWL_HANDLE_COUNTER,
    TWL_HANDLE_GAUGE,
    TWL_HANDLE_HISTOGRAM,
    TWL_HANDLE_TYPES
} twl_handle_type;

typedef struct twl_handle {
    const void *magic; /* address of ours: no other userdata begins like this */
    twl_handle_type type;
    void *pointer;
} twl_handle;

/* Pushes a new userdata of `size` bytes, the head filled in, with the type's
 * metatable. Raises without memory. */
void *twl_handle_new(lua_State *L, twl_handle_type type, size_t size);

/* The same for one that is only a pointer. */
void twl_handle_push(lua_State *L, twl_handle_type type, void *pointer);

/* What the magic of every handle points to. */
extern const char twl_handle_magic;

/* The handle of that type at `index`, or NULL. Does not raise. */
static inline twl_handle *twl_handle_get(lua_State *L, int index,
                                         twl_handle_type type) {
    if (lua_type(L, index) != LUA_TUSERDATA) {
        return NULL;
    }
    twl_handle *handle = lua_touserdata(L, index);
    bool is_it = handle->magic == &twl_handle_magic && handle->type == type;
    return is_it ? handle : NULL;
}

/* Its pointer; NULL also when it is of another type. */
void *twl_handle_at(lua_State *L, int index, twl_handle_type type);

/* Pops the metatable's fields on top (a table) and makes it the type's. */
void twl_handle_define(lua_State *L, twl_handle_type type);

/* Defines the type by its methods (the list ends with a NULL name) and by
 * `get_field`, which asks twl_handle_method and then answers for the fields, or
 * raises. `more` (may be NULL) adds to the metatable on top. */
void twl_handle_define_methods(lua_State *L, twl_handle_type type,
                               const luaL_Reg *methods, lua_CFunction get_field,
                               void (*more)(lua_State *L));

/* In get_field: pushes the method that argument 2 names; false, and nothing
 * pushed, when there is none. */
bool twl_handle_method(lua_State *L);

/* "a tw.Conn", ... for messages; what is no handle by its Lua type. */
const char *twl_handle_name(lua_State *L, int index);

/* Raises "<what> must be called with ':' on a <type>" unless argument 1 is
 * one. */
twl_handle *twl_handle_self(lua_State *L, twl_handle_type type,
                            const char *what);

#endif
