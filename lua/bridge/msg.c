/* SPDX-License-Identifier: MIT */
#include "msg.h"

#include <lauxlib.h>
#include <string.h>

#include "data.h"
#include "err.h"
#include "handle.h"
#include "names.h"

/* What msg:keep() makes: the data, and then the key, follow the struct. */
typedef struct kept_handle {
    twl_handle head;
    tw_msg msg;
    uint64_t offset;
    size_t key_len;
} kept_handle;

static const twl_name fields[] = {
    {"data", false},   {"binary", false}, {"json", false}, {"keep", false},
    {"offset", false}, {"key", false},    {"pb", true},    {NULL, false},
};

void twl_msg_push(lua_State *L, const twl_job *job) {
    lua_pushlightuserdata(L, twl_job_token(job));
}

/* ---- which message ------------------------------------------------------- */

static const tw_msg *message_of(lua_State *L, const tw_lua *lua,
                                const void *token, const char *what) {
    const twl_job *job = twl_job_find(lua, token);
    if (!job || !job->msg) {
        twl_raise(L,
                  "%s: this message was valid until its hook returned; "
                  "msg:keep() makes a copy",
                  what);
        return NULL;
    }
    return job->msg;
}

const tw_msg *twl_msg_at(lua_State *L, const tw_lua *lua, int index, int type,
                         const char *what) {
    if (type == LUA_TLIGHTUSERDATA) {
        const void *token = lua_touserdata(L, index);
        return token ? message_of(L, lua, token, what) : NULL;
    }
    twl_handle *kept =
        type == LUA_TUSERDATA ? twl_handle_get(L, index, TWL_HANDLE_MSG) : NULL;
    return kept ? &((kept_handle *)kept)->msg : NULL;
}

static const tw_msg *self(lua_State *L, const char *what) {
    const tw_msg *msg =
        twl_msg_at(L, twl_gen_of(L)->lua, 1, lua_type(L, 1), what);
    if (!msg) {
        twl_raise(L, "%s is a method of tw.Message: call it with ':'", what);
    }
    return msg;
}

/* ---- what a publication has besides ---------------------------------------
 */

static uint64_t offset_of(lua_State *L) {
    const twl_handle *kept = twl_handle_get(L, 1, TWL_HANDLE_MSG);
    if (kept) {
        return ((const kept_handle *)(const void *)kept)->offset;
    }
    return twl_job_find(twl_gen_of(L)->lua, lua_touserdata(L, 1))->offset;
}

static tw_str key_of(lua_State *L) {
    const twl_handle *head = twl_handle_get(L, 1, TWL_HANDLE_MSG);
    const kept_handle *kept = (const kept_handle *)(const void *)head;
    if (kept) {
        const char *key = (const char *)(kept + 1) + kept->msg.len;
        return (tw_str){key, kept->key_len};
    }
    return twl_job_find(twl_gen_of(L)->lua, lua_touserdata(L, 1))->key;
}

/* Nil where there is none: a message of a connection has neither. */
static void push_offset(lua_State *L) {
    uint64_t offset = offset_of(L);
    if (offset > 0) {
        lua_pushnumber(L, (lua_Number)offset);
    } else {
        lua_pushnil(L);
    }
}

static void push_key(lua_State *L) {
    tw_str key = key_of(L);
    if (key.len > 0) {
        lua_pushlstring(L, key.data, key.len);
    } else {
        lua_pushnil(L);
    }
}

/* ---- methods and fields -------------------------------------------------- */

static int json(lua_State *L) {
    const tw_msg *msg = self(L, "msg:json");
    return twl_data_parse(L, msg->data, msg->len);
}

static int keep(lua_State *L) {
    const tw_msg *msg = self(L, "msg:keep");
    tw_str key = key_of(L);
    uint64_t offset = offset_of(L);
    kept_handle *kept =
        twl_handle_new(L, TWL_HANDLE_MSG, sizeof *kept + msg->len + key.len);
    char *place = (char *)(kept + 1);
    kept->msg = *msg;
    kept->msg.data = place;
    kept->offset = offset;
    kept->key_len = key.len;
    if (msg->len > 0) {
        memcpy(place, msg->data, msg->len);
    }
    if (key.len > 0) {
        memcpy(place + msg->len, key.data, key.len);
    }
    return 1;
}

static int length(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)self(L, "#msg")->len);
    return 1;
}

/* The methods are upvalue 1. */
static int get_field(lua_State *L) {
    const tw_msg *msg = self(L, "msg");
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (strcmp(name, "data") == 0) {
        lua_pushlstring(L, msg->data, msg->len);
        return 1;
    }
    if (strcmp(name, "binary") == 0) {
        lua_pushboolean(L, msg->binary);
        return 1;
    }
    if (strcmp(name, "offset") == 0) {
        push_offset(L);
        return 1;
    }
    if (strcmp(name, "key") == 0) {
        push_key(L);
        return 1;
    }
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (lua_isnil(L, -1)) {
        return twl_names_raise(L, "msg", "field", fields, name);
    }
    return 1;
}

/* ---- light userdata ------------------------------------------------------ */

static bool is_null(lua_State *L) {
    return lua_type(L, 1) == LUA_TLIGHTUSERDATA && !lua_touserdata(L, 1);
}

/* tw.json.null is of the same Lua type and has to say so. */
static int get_light_field(lua_State *L) {
    if (is_null(L)) {
        return twl_raise(L, "attempt to index tw.json.null");
    }
    return get_field(L);
}

static int light_length(lua_State *L) {
    if (is_null(L)) {
        return twl_raise(L, "attempt to get the length of tw.json.null");
    }
    return length(L);
}

static int light_to_string(lua_State *L) {
    const void *token = lua_touserdata(L, 1);
    if (token) {
        lua_pushfstring(L, "tw.Message: %p", token);
    } else {
        lua_pushliteral(L, "userdata: NULL");
    }
    return 1;
}

static void define_light(lua_State *L, int methods) {
    lua_pushlightuserdata(L, NULL);
    lua_createtable(L, 0, 4);
    lua_pushvalue(L, methods);
    lua_pushcclosure(L, get_light_field, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, light_length);
    lua_setfield(L, -2, "__len");
    lua_pushcfunction(L, light_to_string);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

void twl_msg_define(lua_State *L) {
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, json);
    lua_setfield(L, -2, "json");
    lua_pushcfunction(L, keep);
    lua_setfield(L, -2, "keep");
    int methods = lua_gettop(L);
    define_light(L, methods);

    lua_createtable(L, 0, 4);
    lua_pushvalue(L, methods);
    lua_pushcclosure(L, get_field, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, length);
    lua_setfield(L, -2, "__len");
    twl_handle_define(L, TWL_HANDLE_MSG);
    lua_pop(L, 1);
}
