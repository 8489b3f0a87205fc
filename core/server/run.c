/* run.c - the run queue: hooks that are due and input that waits.
 * SPDX-License-Identifier: MIT */
#include "server/http_conn.h"
#include "server/interest.h"
#include "server/people.h"
#include "server/server.h"

static bool is_set(const tw_conn *conn, uint32_t flag) {
    return (conn->flags & flag) != 0;
}

static void begin_hook(tw_conn *conn, uint32_t due) {
    conn->flags &= ~due;
    conn->flags |= TW__BUSY | TW__IN_HOOK;
}

/* A hook that answered "later" may be done already: then tw_conn_done has
 * cleared BUSY while it was on the stack. */
void tw__conn_end_hook(tw_conn *conn, int result) {
    conn->flags &= ~(uint32_t)TW__IN_HOOK;
    if (result != TW_LATER) {
        conn->flags &= ~(uint32_t)TW__BUSY;
    }
    if (!is_set(conn, TW__BUSY)) {
        tw__conn_settle(conn);
    }
}

void tw_conn_done(tw_conn *conn) {
    if (!is_set(conn, TW__BUSY)) {
        return;
    }
    conn->flags &= ~(uint32_t)TW__BUSY;
    tw__conn_rested(conn);
    tw__conn_schedule(conn);
    tw__conn_settle(conn);
}

static bool wants(const tw_conn *conn, unsigned hook) {
    return conn->route != NULL && (conn->route->config.hooks & hook) != 0;
}

static void run_open(tw_conn *conn) {
    tw_server *server = conn->server;
    int result = TW_DONE;
    begin_hook(conn, TW__DUE_OPEN);
    if (wants(conn, TW_HOOK_OPEN)) {
        result = server->config.hooks.on_open(conn, tw__http_conn_req(conn),
                                              server->config.hook_user);
    }
    tw__conn_end_hook(conn, result);
}

static void run_slow(tw_conn *conn) {
    tw_server *server = conn->server;
    tw__extra *extra = conn->extra;
    tw_slow slow = {{extra->slow_channel, extra->slow_len},
                    tw_conn_queued(conn),
                    extra->slow_dropped};
    int result = TW_DONE;
    extra->slow_dropped = 0;
    begin_hook(conn, TW__DUE_SLOW);
    if (wants(conn, TW_HOOK_SLOW)) {
        result =
            server->config.hooks.on_slow(conn, &slow, server->config.hook_user);
    }
    tw__conn_end_hook(conn, result);
}

static void run_alarm(tw_conn *conn) {
    begin_hook(conn, TW__DUE_ALARM);
    tw__conn_end_hook(conn, tw__conn_run_alarm(conn));
}

static void run_lapse(tw_conn *conn) {
    begin_hook(conn, TW__DUE_LAPSE);
    tw__conn_end_hook(conn, tw__conn_run_lapse(conn));
}

static void run_unsubscribe(tw_conn *conn) {
    begin_hook(conn, TW__DUE_UNSUBSCRIBE);
    tw__conn_end_hook(conn, tw__conn_run_unsubscribed(conn));
}

static void run_close(tw_conn *conn) {
    tw_server *server = conn->server;
    tw__extra *extra = conn->extra;
    int code = extra ? extra->close_code : TW__WS_CLOSE_ABNORMAL;
    tw_str reason = {extra ? extra->close_reason : "",
                     extra ? extra->close_len : 0};
    int result = TW_DONE;
    begin_hook(conn, TW__DUE_CLOSE);
    if (wants(conn, TW_HOOK_CLOSE)) {
        result = server->config.hooks.on_close(conn, code, reason,
                                               server->config.hook_user);
    }
    tw__conn_end_hook(conn, result);
}

/* The request of the upgrade lives until on_open has ended. */
static void drop_request(tw_conn *conn) {
    if (conn->http != NULL && conn->state != TW__CONN_HTTP &&
        conn->codec != 0 && !is_set(conn, TW__DUE_OPEN | TW__BUSY)) {
        tw__http_conn_destroy(conn);
        tw__user_welcome(conn);
    }
}

static bool may_start(const tw_conn *conn) {
    return conn->server->frozen == 0 || conn->server->destroying;
}

void tw__conn_run(tw_conn *conn) {
    static const struct {
        uint32_t due;
        void (*run)(tw_conn *conn);
    } hooks[] = {{TW__DUE_OPEN, run_open},
                 {TW__DUE_SLOW, run_slow},
                 {TW__DUE_ALARM, run_alarm},
                 {TW__DUE_LAPSE, run_lapse},
                 {TW__DUE_UNSUBSCRIBE, run_unsubscribe},
                 {TW__DUE_CLOSE, run_close}};
    for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++) {
        while (!is_set(conn, TW__BUSY) && is_set(conn, hooks[i].due) &&
               may_start(conn)) {
            hooks[i].run(conn);
        }
    }
    if (!may_start(conn)) {
        tw__conn_schedule(conn); /* a hook of its own froze the server */
        return;
    }
    drop_request(conn);
    tw__conn_resume(conn);
}
