/* SPDX-License-Identifier: MIT */
#include "channel.h"

#include <lauxlib.h>
#include <string.h>

#include "handle.h"
#include "history.h"
#include "job.h"
#include "names.h"
#include "opts.h"
#include "presence.h"

typedef struct channel_handle {
    twl_handle head;
    size_t len;
    char name[]; /* and a NUL */
} channel_handle;

static const twl_name fields[] = {
    {"name", false},   {"count", false},    {"history", false},
    {"latest", false}, {"presence", false}, {"remove", false},
    {NULL, false},
};

int twl_channel_new(lua_State *L) {
    tw_str name = twl_arg_channel(L, 1, "tw.channel");
    channel_handle *handle =
        twl_handle_new(L, TWL_HANDLE_CHANNEL, sizeof *handle + name.len + 1);
    handle->len = name.len;
    memcpy(handle->name, name.data, name.len + 1);
    return 1;
}

static tw_str name_of(const twl_handle *head) {
    const channel_handle *handle = (const channel_handle *)(const void *)head;
    return (tw_str){handle->name, handle->len};
}

tw_str twl_channel_self(lua_State *L, const char *what) {
    return name_of(twl_handle_self(L, TWL_HANDLE_CHANNEL, what));
}

/* ---- counting ------------------------------------------------------------ */

static int push_count(lua_State *L, twl_job *job) {
    lua_pushnumber(L, (lua_Number)job->value);
    return 1;
}

static void on_count(int status, uint64_t count, void *arg) {
    twl_op_end(arg, status, count);
}

static int count(lua_State *L) {
    static const char what[] = "channel:count";
    tw_str name = twl_channel_self(L, what);
    twl_gen_check_live(L, what);
    int results;
    twl_job *job = twl_op_begin(L, what, name, &results);
    if (!job) {
        return results;
    }
    int code = tw_channel_count(job->gen->lua->server, name, on_count, job->op);
    return twl_op_go(L, job, what, code, push_count);
}

/* ---- the handle ---------------------------------------------------------- */

static const luaL_Reg methods[] = {
    {"count", count},
    {"history", twl_channel_history},
    {"latest", twl_channel_latest},
    {"remove", twl_channel_remove},
    {"presence", twl_channel_presence},
    {NULL, NULL},
};

static int get_field(lua_State *L) {
    twl_handle *head = twl_handle_self(L, TWL_HANDLE_CHANNEL, "channel");
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (twl_handle_method(L)) {
        return 1;
    }
    if (strcmp(name, "name") != 0) {
        return twl_names_raise(L, "channel", "method", fields, name);
    }
    lua_pushlstring(L, name_of(head).data, name_of(head).len);
    return 1;
}

void twl_channel_define(lua_State *L) {
    twl_handle_define_methods(L, TWL_HANDLE_CHANNEL, methods, get_field, NULL);
}
