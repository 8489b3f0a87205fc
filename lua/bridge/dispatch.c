/* The hooks of connections. Each takes the app of the connection's route in
 * the current generation: an older one has none but those hooks that still
 * wait there, and the core starts no other hook of a connection meanwhile.
 *
 * SPDX-License-Identifier: MIT */
#include "dispatch.h"

#include <lauxlib.h>
#include <string.h>

#include "conn.h"
#include "err.h"
#include "msg.h"
#include "request.h"
#include "route.h"
#include "state.h"
#include "tell.h"

/* ---- arguments ---------------------------------------------------------- */

static int push_open(lua_State *L, void *arg) {
    twl_job *job = arg;
    twl_conn_push(L, job->conn, job->handle);
    if (!job->req) {
        return 1;
    }
    twl_req_push(L, job);
    return 2;
}

static int push_message(lua_State *L, void *arg) {
    twl_job *job = arg;
    twl_conn_push(L, job->conn, job->handle);
    twl_conn_keep(L, job->handle);
    twl_msg_push(L, job);
    return 2;
}

static int put_message(lua_State *co, void *arg) {
    const twl_job *job = arg;
    if (!twl_conn_put(co, job->gen, job->handle)) {
        return -1;
    }
    twl_msg_push(co, job);
    return 2;
}

static int push_close(lua_State *L, void *arg) {
    twl_job *job = arg;
    twl_conn_push(L, job->conn, job->handle);
    lua_pushinteger(L, job->code);
    lua_pushlstring(L, job->text.data ? job->text.data : "", job->text.len);
    return 3;
}

static int push_alarm(lua_State *L, void *arg) {
    twl_job *job = arg;
    twl_conn_push(L, job->conn, job->handle);
    lua_pushlstring(L, job->text.data, job->text.len);
    return 2;
}

/* ---- results ------------------------------------------------------------ */

/* 1013 asks the client to come back later, 1008 not to. */
static int close_code(const char *code) {
    static const char *const later[] = {"timeout", "overloaded", "limit",
                                        "unavailable"};
    for (size_t i = 0; i < sizeof later / sizeof *later; i++) {
        if (strcmp(code, later[i]) == 0) {
            return 1013;
        }
    }
    return 1008;
}

/* `nil, err` closes; the error's message is the reason. */
static void read_open(lua_State *L, int count, void *arg) {
    twl_job *job = arg;
    if (count < 2 || !lua_isnil(L, 1) || lua_isnil(L, 2)) {
        return;
    }
    int code = 1008;
    if (twl_is_error(L, 2)) {
        lua_getfield(L, 2, "code");
        code = close_code(lua_isstring(L, -1) ? lua_tostring(L, -1) : "");
        lua_getfield(L, 2, "message");
    } else {
        twl_push_error_text(L, 2);
    }
    tw_str reason = {"", 0};
    if (lua_type(L, -1) == LUA_TSTRING) {
        reason.data = lua_tolstring(L, -1, &reason.len);
    }
    if (tw_conn_close(job->conn, code, reason) == TW_EINVALID) {
        tw_conn_close(job->conn, code, (tw_str){"", 0});
    }
}

/* What a raising hook costs its connection. One that was cut off by a reload
 * costs it nothing: a reload closes no connection. */
void twl_dispatch_finish(twl_job *job, twl_status status) {
    static const char reason[] = "internal error";
    if (status == TWL_FAILED && !job->app->ignores_errors &&
        twl_vm_failure(job->gen->vm)->kind != TWL_CANCELLED) {
        tw_conn_close(job->conn, 1011, (tw_str){reason, sizeof reason - 1});
    }
}

static const twl_kind open_kind = {
    .spec = {.name = "on_open", .push = push_open, .read = read_open},
    .row = TWL_ROW_OPEN,
    .is_limited = true,
    .is_conn = true,
    .finish = twl_dispatch_finish,
};
static const twl_kind message_kind = {
    .spec = {.name = "on_message", .push = push_message, .put = put_message},
    .row = TWL_ROW_MESSAGE,
    .is_limited = true,
    .is_conn = true,
    .finish = twl_dispatch_finish,
};
static const twl_kind close_kind = {
    .spec = {.name = "on_close", .push = push_close},
    .row = TWL_ROW_CLOSE,
    .is_limited = true,
    .is_conn = true,
};
static const twl_kind alarm_kind = {
    .spec = {.name = "on_alarm", .push = push_alarm},
    .row = TWL_ROW_ALARM,
    .is_limited = true,
    .is_conn = true,
    .finish = twl_dispatch_finish,
};

/* ---- hooks -------------------------------------------------------------- */

/* The app that answers for the connection, its state settled; NULL when it has
 * no such hook (any more). */
static twl_app *app_for(tw_lua *lua, tw_conn *conn, twl_hook hook) {
    /* Once stopped, the routes that the server knows are gone. */
    twl_route *route =
        lua->is_stopped ? NULL : tw_route_data(tw_conn_route(conn));
    if (!route || !route->app) {
        return NULL;
    }
    twl_app *app = route->app;
    if (app->hooks[hook] == LUA_NOREF) {
        return NULL;
    }
    if (tw_conn_data(conn) && !twl_state_settle(conn, app) &&
        hook != TWL_ON_CLOSE && hook != TWL_ON_UNSUBSCRIBE) {
        return NULL;
    }
    return app;
}

twl_job *twl_dispatch_job(tw_lua *lua, tw_conn *conn, twl_hook hook,
                          const twl_kind *kind) {
    twl_app *app = app_for(lua, conn, hook);
    twl_job *job = app ? twl_job_take(app->gen, kind) : NULL;
    if (job) {
        job->conn = conn;
        job->handle = tw_conn_handle(conn);
        job->app = app;
    }
    return job;
}

int twl_dispatch_start(twl_job *job, twl_hook hook) {
    return twl_job_start(job, job->app->hooks[hook]) ? TW_LATER : TW_DONE;
}

static int on_open(tw_conn *conn, tw_req *req, void *user) {
    twl_job *job = twl_dispatch_job(user, conn, TWL_ON_OPEN, &open_kind);
    if (!job) {
        return TW_DONE;
    }
    job->req = req ? tw_req_ref(req) : NULL;
    return twl_dispatch_start(job, TWL_ON_OPEN);
}

static int on_message(tw_conn *conn, const tw_msg *msg, void *user) {
    twl_job *job = twl_dispatch_job(user, conn, TWL_ON_MESSAGE, &message_kind);
    if (!job) {
        return TW_DONE;
    }
    job->msg = msg;
    return twl_dispatch_start(job, TWL_ON_MESSAGE);
}

static int on_close(tw_conn *conn, int code, tw_str reason, void *user) {
    twl_job *job = twl_dispatch_job(user, conn, TWL_ON_CLOSE, &close_kind);
    if (!job) {
        return TW_DONE;
    }
    job->code = code;
    job->text = reason;
    return twl_dispatch_start(job, TWL_ON_CLOSE);
}

static int on_alarm(tw_conn *conn, tw_str name, void *user) {
    twl_job *job = twl_dispatch_job(user, conn, TWL_ON_ALARM, &alarm_kind);
    if (!job) {
        return TW_DONE;
    }
    job->text = name;
    return twl_dispatch_start(job, TWL_ON_ALARM);
}

static void on_gone(tw_conn *conn, void *user) {
    twl_state_forget(conn);
    twl_conn_forget(user, tw_conn_handle(conn));
}

const tw_hooks twl_hooks = {
    .on_upgrade = twl_req_on_upgrade,
    .on_request = twl_req_on_request,
    .on_open = on_open,
    .on_message = on_message,
    .on_close = on_close,
    .on_slow = twl_dispatch_on_slow,
    .on_alarm = on_alarm,
    .on_recover_fail = twl_dispatch_on_recover_fail,
    .on_unsubscribe = twl_dispatch_on_unsubscribe,
    .on_presence = twl_tell_on_presence,
    .on_gone = on_gone,
};
