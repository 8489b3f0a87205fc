/* drain.c - closing everybody without a stampede.
 *
 * Accepting stops at once; who stood in the queue is still let in, to be told
 * in HTTP that he came too late, and has a second to say what he wants. Open
 * connections are told one after the other, spread over their route's time, so
 * that they do not all come back in the same second.
 *
 * SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "base/random.h"
#include "server/conn_id.h"
#include "server/http_conn.h"
#include "server/server.h"

enum { STEP_MS = 20, NEWCOMER_MS = 1000 };

static void finish(tw_server *server) {
    void (*done)(tw_server *, void *) = server->on_drained;
    server->drained = true;
    server->on_drained = NULL;
    tw__clockwork_clear(&server->link_clock, &server->drain_timer);
    if (done != NULL) {
        done(server, server->drain_arg);
    }
}

void tw__server_check_drained(tw_server *server) {
    if (server->draining && !server->drained && server->conn_live == 0 &&
        tw__bus_is_idle(server->bus)) {
        finish(server);
    }
}

static bool is_turn_of(const tw_conn *conn, uint64_t since_ms) {
    uint32_t spread = conn->route->config.drain_spread_ms;
    uint64_t place = tw__conn_id_dice(conn->id); /* fixed in the spread */
    return place * spread / 65536 <= since_ms;
}

/* Between two requests; one who has not asked yet has his time first. */
static bool is_idle(const tw_conn *conn, uint64_t now_ms) {
    const tw__http_conn *http = conn->http;
    return http->phase == TW__HTTP_READING &&
           tw__http_parser_is_idle(http->parser) &&
           (http->requests > 0 || now_ms - http->since_ms >= NEWCOMER_MS);
}

static void drain_one(tw_conn *conn, uint64_t since_ms, bool is_over) {
    if (is_over) {
        tw__conn_cut(conn);
    } else if (conn->state == TW__CONN_OPEN && is_turn_of(conn, since_ms)) {
        tw__conn_close(conn, conn->route->config.drain_code,
                       "server is draining", 18);
    } else if (conn->state == TW__CONN_HTTP &&
               is_idle(conn, tw__now(conn->server))) {
        tw__conn_finish(conn);
    }
}

static void on_step(tw__wheel_entry *entry) {
    tw_server *server = TW__CONTAINER(entry, tw_server, drain_timer);
    uint64_t now = tw__now(server);
    bool is_over = now >= server->drain_deadline_ms;
    for (uint32_t i = 1; i <= server->conn_high; i++) {
        tw_conn *conn = &server->conns[i];
        if (conn->state != TW__CONN_FREE && conn->state != TW__CONN_GONE) {
            drain_one(conn, now - server->drain_since_ms, is_over);
        }
    }
    if (is_over && !server->drained) {
        finish(server); /* a hook that still waits does not hold it up */
    } else if (!server->drained) {
        tw__clockwork_set(&server->link_clock, entry, STEP_MS);
    }
}

void tw_server_drain(tw_server *server, uint32_t limit_ms,
                     void (*done)(tw_server *server, void *arg), void *arg) {
    if (server->draining) {
        return;
    }
    server->draining = true;
    server->on_drained = done;
    server->drain_arg = arg;
    server->drain_since_ms = tw__now(server);
    server->drain_deadline_ms = server->drain_since_ms + limit_ms;
    server->drain_timer.cb = on_step;
    tw__server_accept_queued(server);
    tw__server_stop_listening(server);
    tw__clockwork_set(&server->link_clock, &server->drain_timer, 0);
}
