/* SPDX-License-Identifier: MIT */
#include "publish.h"

#include <lauxlib.h>
#include <string.h>

#include "conn.h"
#include "data.h"
#include "err.h"
#include "handle.h"
#include "job.h"
#include "names.h"
#include "opts.h"

/* The places of those that are there. */
enum { BINARY, EXCEPT, KEY, TTL };

static const twl_name options[] = {
    {"binary", false}, {"except", false}, {"key", false},    {"ttl", false},
    {"id", true},      {"wait", true},    {"history", true}, {"priority", true},
    {"at", true},      {"after", true},   {NULL, false},
};

static const twl_name channel_fields[] = {
    {"count", false}, {"name", false},    {"history", true}, {"latest", true},
    {"remove", true}, {"presence", true}, {NULL, false},
};

static tw_str channel_arg(lua_State *L, int index, const char *what) {
    tw_str channel = twl_arg_string(L, index, what, "channel");
    if (channel.len == 0 || channel.len > 255) {
        twl_raise(L, "%s: a channel's name has 1 to 255 bytes", what);
    }
    return channel;
}

static void read_option(lua_State *L, int option, const char *what,
                        tw_publish_options *out) {
    int value = lua_gettop(L);
    uint64_t ms;
    switch (option) {
    case BINARY:
        out->binary = twl_arg_bool(L, value, what, "binary");
        break;
    case EXCEPT:
        out->except = twl_conn_at(L, value, "tw.publish: except");
        break;
    case KEY:
        out->key = twl_arg_string(L, value, what, "key");
        if (out->key.len > 255) {
            twl_raise(L, "%s: key has at most 255 bytes", what);
        }
        break;
    case TTL:
        ms = twl_seconds_to_ms(
            twl_arg_number(L, value, what, "ttl", 0, TWL_MAX_SECONDS));
        out->ttl_ms = ms ? ms : 1; /* 0 would be for ever */
        break;
    }
}

/* In one walk: "except" is in most publications of a chat. The texts are
 * borrowed from the table. */
static void read_options(lua_State *L, const char *what,
                         tw_publish_options *out) {
    int option;
    lua_pushnil(L);
    while ((option = twl_names_next(L, 3, what, "option", options)) >= 0) {
        read_option(L, option, what, out);
        lua_pop(L, 1);
    }
}

int twl_publish(lua_State *L) {
    static const char what[] = "tw.publish";
    tw_publish_options to = {0};
    const twl_gen *gen = twl_gen_of(L);
    const tw_lua *lua = gen->lua;
    if (!twl_gen_is_live(gen)) {
        twl_gen_check_live(L, what);
    }
    tw_str channel = channel_arg(L, 1, what);
    if (lua_gettop(L) > 2 && twl_arg_table(L, 3, what)) {
        read_options(L, what, &to);
    }
    tw_msg data;
    to.is_utf8 = twl_data_read(L, lua, 2, what, &data);
    to.binary = to.binary || data.binary;
    /* What a hook publishes inherits the colour of what it answers. */
    if (lua->running && lua->running->conn) {
        to.colour = tw_conn_colour(lua->running->conn);
    }
    int code = tw_publish(lua->server, channel, data.data, data.len, &to);
    if (code == TW_EINVALID) {
        return twl_raise(L,
                         "%s: the text is not valid UTF-8 "
                         "({ binary = true } sends bytes)",
                         what);
    }
    return twl_push_done(L, code);
}

/* ---- tw.channel --------------------------------------------------------- */

typedef struct channel_handle {
    twl_handle head;
    size_t len;
    char name[]; /* and a NUL */
} channel_handle;

int twl_channel_new(lua_State *L) {
    tw_str name = channel_arg(L, 1, "tw.channel");
    channel_handle *handle =
        twl_handle_new(L, TWL_HANDLE_CHANNEL, sizeof *handle + name.len + 1);
    handle->len = name.len;
    memcpy(handle->name, name.data, name.len + 1);
    return 1;
}

static int push_count(lua_State *L, twl_job *job) {
    lua_pushnumber(L, (lua_Number)job->value);
    return 1;
}

static void on_count(int status, uint64_t count, void *arg) {
    twl_op_end(arg, status, count);
}

static int count(lua_State *L) {
    static const char what[] = "channel:count";
    channel_handle *handle =
        (channel_handle *)(void *)twl_handle_self(L, TWL_HANDLE_CHANNEL, what);
    twl_gen_check_live(L, what);
    twl_job *job = twl_wait_begin(L, what);
    if (!job) {
        return twl_wait_over(L);
    }
    tw_str name = {handle->name, handle->len};
    job->op = twl_op_create(job, name);
    if (!job->op) {
        return twl_push_done(L, TW_ENOMEM);
    }
    int code = tw_channel_count(job->gen->lua->server, name, on_count, job->op);
    if (code) {
        twl_op *op = job->op;
        twl_op_leave(job);
        twl_op_end(op, 0, 0);
        return twl_push_done(L, code);
    }
    return twl_wait_go(L, job, what, twl_op_leave, push_count);
}

static int get_field(lua_State *L) {
    channel_handle *handle = (channel_handle *)(void *)twl_handle_self(
        L, TWL_HANDLE_CHANNEL, "channel");
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (strcmp(name, "count") == 0) {
        lua_pushcfunction(L, count);
        return 1;
    }
    if (strcmp(name, "name") == 0) {
        lua_pushlstring(L, handle->name, handle->len);
        return 1;
    }
    return twl_names_raise(L, "channel", "method", channel_fields, name);
}

void twl_channel_define(lua_State *L) {
    lua_createtable(L, 0, 4);
    lua_pushcfunction(L, get_field);
    lua_setfield(L, -2, "__index");
    twl_handle_define(L, TWL_HANDLE_CHANNEL);
}
