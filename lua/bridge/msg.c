/* SPDX-License-Identifier: MIT */
#include "msg.h"

#include <lauxlib.h>
#include <string.h>

#include "data.h"
#include "err.h"
#include "handle.h"
#include "names.h"

/* `kept` is used when there is no job: its data follows the struct. */
typedef struct msg_handle {
    twl_handle head; /* pointer: the job, or NULL */
    uint64_t serial;
} msg_handle;

typedef struct kept_handle {
    msg_handle base;
    tw_msg msg;
} kept_handle;

static const twl_name fields[] = {
    {"data", false}, {"binary", false}, {"json", false},
    {"keep", false}, {"pb", true},      {NULL, false},
};

void twl_msg_push(lua_State *L, twl_job *job) {
    msg_handle *handle = twl_handle_new(L, TWL_HANDLE_MSG, sizeof *handle);
    handle->head.pointer = job;
    handle->serial = job->serial;
}

static const tw_msg *message_of(lua_State *L, msg_handle *handle,
                                const char *what) {
    twl_job *job = handle->head.pointer;
    if (!job) {
        return &((kept_handle *)handle)->msg;
    }
    if (job->serial != handle->serial || !job->msg) {
        twl_raise(L,
                  "%s: this message was valid until its hook returned; "
                  "msg:keep() makes a copy",
                  what);
    }
    return job->msg;
}

const tw_msg *twl_msg_data(lua_State *L, int index, const char *what) {
    twl_handle *handle = twl_handle_get(L, index, TWL_HANDLE_MSG);
    return handle ? message_of(L, (msg_handle *)handle, what) : NULL;
}

static const tw_msg *self(lua_State *L, const char *what) {
    twl_handle *handle = twl_handle_self(L, TWL_HANDLE_MSG, what);
    return message_of(L, (msg_handle *)handle, what);
}

static int json(lua_State *L) {
    const tw_msg *msg = self(L, "msg:json");
    return twl_data_parse(L, msg->data, msg->len);
}

static int keep(lua_State *L) {
    const tw_msg *msg = self(L, "msg:keep");
    kept_handle *kept =
        twl_handle_new(L, TWL_HANDLE_MSG, sizeof *kept + msg->len);
    kept->base.serial = 0;
    kept->msg = *msg;
    kept->msg.data = memcpy(kept + 1, msg->data, msg->len);
    return 1;
}

static int length(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)self(L, "#msg")->len);
    return 1;
}

/* The methods are upvalue 1. */
static int get_field(lua_State *L) {
    const tw_msg *msg = self(L, "msg");
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (!lua_isnil(L, -1)) {
        return 1;
    }
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (strcmp(name, "data") == 0) {
        lua_pushlstring(L, msg->data, msg->len);
    } else if (strcmp(name, "binary") == 0) {
        lua_pushboolean(L, msg->binary);
    } else {
        twl_names_raise(L, "msg", "field", fields, name);
    }
    return 1;
}

void twl_msg_define(lua_State *L) {
    lua_createtable(L, 0, 6);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, json);
    lua_setfield(L, -2, "json");
    lua_pushcfunction(L, keep);
    lua_setfield(L, -2, "keep");
    lua_pushcclosure(L, get_field, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, length);
    lua_setfield(L, -2, "__len");
    twl_handle_define(L, TWL_HANDLE_MSG);
}
