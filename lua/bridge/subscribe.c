/* SPDX-License-Identifier: MIT */
#include "subscribe.h"

#include <string.h>

#include "conn.h"
#include "data.h"
#include "err.h"
#include "job.h"
#include "names.h"
#include "opts.h"
#include "position.h"

static const twl_name options[] = {
    {"since", false}, {"last", false}, {"info", false}, {NULL, false}};

/* ---- options ------------------------------------------------------------- */

/* A string is what it is, a table is JSON. The text is borrowed from the table
 * or the scratch bytes. */
static tw_str read_info(lua_State *L, int index, const char *what) {
    tw_str info = {NULL, 0};
    lua_getfield(L, index, "info");
    if (lua_type(L, -1) == LUA_TSTRING) {
        info.data = lua_tolstring(L, -1, &info.len);
    } else if (lua_istable(L, -1)) {
        info = twl_data_json(L, lua_gettop(L), what);
    } else if (!lua_isnil(L, -1)) {
        twl_raise(L, "%s: info must be a table or a string, not %s", what,
                  lua_typename(L, lua_type(L, -1)));
    }
    if (info.len > TW_INFO_MAX) {
        twl_raise(L, "%s: info has at most %d bytes", what, (int)TW_INFO_MAX);
    }
    lua_pop(L, 1);
    return info;
}

static void read_options(lua_State *L, int index, const char *what,
                         tw_subscribe_options *out) {
    uint64_t last = 0;
    out->has_since = twl_opt_since(L, index, what, &out->since);
    twl_opt_whole(L, index, what, "last", 0, TW_HISTORY_MAX, &last);
    out->last = (uint32_t)last;
    out->info = read_info(L, index, what);
}

/* ---- subscribing --------------------------------------------------------- */

static int push_subscribed(lua_State *L, twl_job *job) {
    const tw_subscribed *subscribed = &job->subscribed;
    lua_createtable(L, 0, 4);
    twl_position_set(L, &subscribed->position);
    lua_pushboolean(L, subscribed->recovered);
    lua_setfield(L, -2, "recovered");
    lua_pushnumber(L, (lua_Number)subscribed->count);
    lua_setfield(L, -2, "count");
    return 1;
}

static void on_subscribed(tw_conn *conn, int status,
                          const tw_subscribed *result, void *arg) {
    (void)conn;
    twl_op_end_subscribed(arg, status, result);
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
    tw_subscribe_options to = {0};
    tw_conn *conn = twl_conn_self(L, what);
    tw_str channel = twl_arg_channel(L, 2, what);
    twl_gen_check_live(L, what);
    if (twl_arg_options(L, 3, what, options)) {
        read_options(L, 3, what, &to);
    }
    int results;
    twl_job *job = twl_op_begin(L, what, channel, &results);
    if (!job) {
        return results;
    }
    if (!conn) {
        return twl_op_refuse(L, job, TW_ECLOSED);
    }
    job->op->handle = tw_conn_handle(conn);
    int code = tw_conn_subscribe(conn, channel, &to, on_subscribed, job->op);
    return code ? twl_op_refuse(L, job, code)
                : twl_wait_go(L, job, what, leave_subscribe, push_subscribed);
}

int twl_conn_unsubscribe(lua_State *L) {
    static const char what[] = "conn:unsubscribe";
    tw_conn *conn = twl_conn_self(L, what);
    tw_str channel = twl_arg_channel(L, 2, what);
    twl_gen_check_live(L, what);
    return twl_push_done(L, conn ? tw_conn_unsubscribe(conn, channel)
                                 : TW_ECLOSED);
}
