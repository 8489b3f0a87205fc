/* SPDX-License-Identifier: MIT */
#include "subscribe.h"

#include <string.h>

#include "conn.h"
#include "err.h"
#include "job.h"
#include "names.h"
#include "opts.h"

static const twl_name options[] = {
    {"since", true}, {"last", true}, {"info", true}, {NULL, false}};

static tw_str channel_arg(lua_State *L, const char *what) {
    tw_str channel = twl_arg_string(L, 2, what, "channel");
    if (channel.len == 0 || channel.len > 255) {
        twl_raise(L, "%s: a channel's name has 1 to 255 bytes", what);
    }
    return channel;
}

static int push_subscribed(lua_State *L, twl_job *job) {
    (void)job;
    lua_createtable(L, 0, 2);
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "recovered");
    lua_pushinteger(L, 0);
    lua_setfield(L, -2, "count");
    return 1;
}

static void on_subscribed(tw_conn *conn, int status, void *arg) {
    (void)conn;
    twl_op_end(arg, status, 0);
}

/* Nobody learns any more that it is subscribed: then it shall not be. */
static void leave_subscribe(twl_job *job) {
    twl_op *op = job->op;
    twl_op_leave(job);
    if (op) {
        tw_conn *conn = tw_server_find(op->server, op->handle);
        tw_str channel = {op->channel, op->len};
        /* A copy: the answer to the subscribe frees the operation. */
        char name[sizeof op->channel];
        memcpy(name, op->channel, op->len);
        channel.data = name;
        if (conn) {
            tw_conn_unsubscribe(conn, channel);
        }
    }
}

int twl_conn_subscribe(lua_State *L) {
    static const char what[] = "conn:subscribe";
    tw_conn *conn = twl_conn_self(L, what);
    tw_str channel = channel_arg(L, what);
    twl_arg_options(L, 3, what, options);
    twl_gen_check_live(L, what);
    twl_job *job = twl_wait_begin(L, what);
    if (!job) {
        return twl_wait_over(L);
    }
    if (!conn) {
        return twl_push_done(L, TW_ECLOSED);
    }
    job->op = twl_op_create(job, channel);
    if (!job->op) {
        return twl_push_done(L, TW_ENOMEM);
    }
    job->op->handle = tw_conn_handle(conn);
    int code = tw_conn_subscribe(conn, channel, on_subscribed, job->op);
    if (code) {
        twl_op *op = job->op;
        job->op = NULL;
        op->job = NULL;
        twl_op_end(op, 0, 0);
        return twl_push_done(L, code);
    }
    return twl_wait_go(L, job, what, leave_subscribe, push_subscribed);
}

int twl_conn_unsubscribe(lua_State *L) {
    static const char what[] = "conn:unsubscribe";
    tw_conn *conn = twl_conn_self(L, what);
    tw_str channel = channel_arg(L, what);
    twl_gen_check_live(L, what);
    return twl_push_done(L, conn ? tw_conn_unsubscribe(conn, channel)
                                 : TW_ECLOSED);
}
