/* Hooks of connections that tell what became of a subscription.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>

#include "conn.h"
#include "dispatch.h"
#include "position.h"

/* What a hook is about; it is over when the hook first waits. */
typedef struct event {
    tw_str channel;
    tw_str reason;            /* on_unsubscribe */
    const tw_position *since; /* on_recover_fail */
} event;

static int push_slow(lua_State *L, void *arg) {
    twl_job *job = arg;
    const tw_slow *slow = job->input;
    twl_conn_push(L, job->conn, job->handle);
    lua_createtable(L, 0, 3);
    lua_pushlstring(L, slow->channel.data, slow->channel.len);
    lua_setfield(L, -2, "channel");
    lua_pushnumber(L, (lua_Number)slow->queued_bytes);
    lua_setfield(L, -2, "queued");
    lua_pushnumber(L, (lua_Number)slow->dropped);
    lua_setfield(L, -2, "dropped");
    return 2;
}

/* A channel without history has no positions. */
static int push_recover_fail(lua_State *L, void *arg) {
    twl_job *job = arg;
    const event *about = job->input;
    twl_conn_push(L, job->conn, job->handle);
    lua_pushlstring(L, about->channel.data, about->channel.len);
    if (about->since && about->since->epoch[0]) {
        twl_position_push(L, about->since);
    } else {
        lua_pushnil(L);
    }
    return 3;
}

static int push_unsubscribe(lua_State *L, void *arg) {
    twl_job *job = arg;
    const event *about = job->input;
    twl_conn_push(L, job->conn, job->handle);
    lua_pushlstring(L, about->channel.data, about->channel.len);
    lua_pushlstring(L, about->reason.data, about->reason.len);
    return 3;
}

static const twl_kind slow_kind = {
    .spec = {.name = "on_slow", .push = push_slow},
    .row = TWL_ROW_SLOW,
    .is_limited = true,
    .is_conn = true,
    .finish = twl_dispatch_finish,
};
static const twl_kind recover_fail_kind = {
    .spec = {.name = "on_recover_fail", .push = push_recover_fail},
    .row = TWL_ROW_RECOVER_FAIL,
    .is_limited = true,
    .is_conn = true,
    .finish = twl_dispatch_finish,
};
static const twl_kind unsubscribe_kind = {
    .spec = {.name = "on_unsubscribe", .push = push_unsubscribe},
    .row = TWL_ROW_UNSUBSCRIBE,
    .is_limited = true,
    .is_conn = true,
    .finish = twl_dispatch_finish,
};

int twl_dispatch_on_slow(tw_conn *conn, const tw_slow *slow, void *user) {
    twl_job *job = twl_dispatch_job(user, conn, TWL_ON_SLOW, &slow_kind);
    if (!job) {
        return TW_DONE;
    }
    job->input = slow;
    return twl_dispatch_start(job, TWL_ON_SLOW);
}

int twl_dispatch_on_recover_fail(tw_conn *conn, tw_str channel,
                                 const tw_position *since, void *user) {
    event about = {.channel = channel, .since = since};
    twl_job *job =
        twl_dispatch_job(user, conn, TWL_ON_RECOVER_FAIL, &recover_fail_kind);
    if (!job) {
        return TW_DONE;
    }
    job->input = &about;
    return twl_dispatch_start(job, TWL_ON_RECOVER_FAIL);
}

int twl_dispatch_on_unsubscribe(tw_conn *conn, tw_str channel, tw_str reason,
                                void *user) {
    event about = {.channel = channel, .reason = reason};
    twl_job *job =
        twl_dispatch_job(user, conn, TWL_ON_UNSUBSCRIBE, &unsubscribe_kind);
    if (!job) {
        return TW_DONE;
    }
    job->input = &about;
    return twl_dispatch_start(job, TWL_ON_UNSUBSCRIBE);
}
