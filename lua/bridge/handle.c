/* SPDX-License-Identifier: MIT */
#include "handle.h"

#include "err.h"
#include "vm.h"

const char twl_handle_magic;

/* The registry's keys of the metatables are the addresses of these names. */
static const char *const names[TWL_HANDLE_TYPES] = {
    [TWL_HANDLE_APP] = "tw.App",
    [TWL_HANDLE_ROUTES] = "tw.Routes",
    [TWL_HANDLE_STATIC] = "tw.Static",
    [TWL_HANDLE_CONN] = "tw.Conn",
    [TWL_HANDLE_MSG] = "tw.Message",
    [TWL_HANDLE_REQ] = "tw.Request",
    [TWL_HANDLE_TASK] = "tw.Task",
    [TWL_HANDLE_TIMER] = "tw.Timer",
    [TWL_HANDLE_CHANNEL] = "tw.Channel",
    [TWL_HANDLE_USER] = "tw.User",
    [TWL_HANDLE_REMOTE] = "tw.RemoteConn",
    [TWL_HANDLE_SUBSCRIPTION] = "tw.Listener",
    [TWL_HANDLE_DICT] = "tw.Dict",
    [TWL_HANDLE_REDIS] = "tw.Redis",
    [TWL_HANDLE_COUNTER] = "tw.Counter",
    [TWL_HANDLE_GAUGE] = "tw.Gauge",
    [TWL_HANDLE_HISTOGRAM] = "tw.Histogram",
};

void *twl_handle_new(lua_State *L, twl_handle_type type, size_t size) {
    twl_handle *handle = lua_newuserdata(L, size);
    handle->magic = &twl_handle_magic;
    handle->type = type;
    handle->pointer = NULL;
    twl_reg_get(L, &names[type]);
    lua_setmetatable(L, -2);
    return handle;
}

void twl_handle_push(lua_State *L, twl_handle_type type, void *pointer) {
    twl_handle *handle = twl_handle_new(L, type, sizeof *handle);
    handle->pointer = pointer;
}

static twl_handle *any_at(lua_State *L, int index) {
    if (lua_type(L, index) != LUA_TUSERDATA) {
        return NULL;
    }
    twl_handle *handle = lua_touserdata(L, index);
    return handle->magic == &twl_handle_magic ? handle : NULL;
}

void *twl_handle_at(lua_State *L, int index, twl_handle_type type) {
    twl_handle *handle = twl_handle_get(L, index, type);
    return handle ? handle->pointer : NULL;
}

static int to_string(lua_State *L) {
    lua_pushfstring(L, "%s: %p", twl_handle_name(L, 1), lua_topointer(L, 1));
    return 1;
}

void twl_handle_define(lua_State *L, twl_handle_type type) {
    lua_pushstring(L, names[type]);
    lua_setfield(L, -2, "__metatable");
    lua_pushcfunction(L, to_string);
    lua_setfield(L, -2, "__tostring");
    twl_reg_set(L, &names[type]);
}

void twl_handle_define_methods(lua_State *L, twl_handle_type type,
                               const luaL_Reg *methods, lua_CFunction get_field,
                               void (*more)(lua_State *L)) {
    lua_createtable(L, 0, 5);
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    lua_pushcclosure(L, get_field, 1);
    lua_setfield(L, -2, "__index");
    if (more) {
        more(L);
    }
    twl_handle_define(L, type);
}

bool twl_handle_method(lua_State *L) {
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    return true;
}

const char *twl_handle_name(lua_State *L, int index) {
    twl_handle *handle = any_at(L, index);
    if (!handle && lua_type(L, index) == LUA_TLIGHTUSERDATA &&
        lua_touserdata(L, index)) {
        return names[TWL_HANDLE_MSG];
    }
    return handle ? names[handle->type] : luaL_typename(L, index);
}

twl_handle *twl_handle_self(lua_State *L, twl_handle_type type,
                            const char *what) {
    twl_handle *handle = twl_handle_get(L, 1, type);
    if (!handle) {
        twl_raise(L, "%s is a method of %s: call it with ':'", what,
                  names[type]);
    }
    return handle;
}
