/* heartbeat.c - the deadlines of a connection on one timer.
 *
 * The timer is set to the earliest deadline and asked what is due when it
 * fires. Hearing from a peer only notes the time: the timer finds out when it
 * fires, and is set again. So an active connection costs the wheel one step in
 * a ping interval, not one a message.
 *
 * SPDX-License-Identifier: MIT */
#include "base/random.h"
#include "server/codec.h"
#include "server/http_conn.h"
#include "server/server.h"

enum { LINGER_MS = 1000 };

/* The noted time wraps after 49 days; how long ago it was does not. */
static uint64_t heard_at(const tw_conn *conn) {
    uint64_t now = tw__now(conn->server);
    uint32_t age = (uint32_t)(now - conn->server->started_ms) - conn->heard_ms;
    return now - age;
}

/* Not read, or not to be reached: the peer can do nothing about its silence.
 * Whoever ends that calls tw__conn_rested. */
static bool is_resting(const tw_conn *conn) {
    return (conn->flags & TW__WANT_WRITE) || !tw__conn_may_read(conn);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t silence_deadline(const tw_conn *conn) {
    const tw_route_config *config = &conn->route->config;
    if (is_resting(conn)) {
        return UINT64_MAX;
    }
    uint64_t idle = heard_at(conn) + config->idle_ms;
    if (conn->flags & TW__PINGED) {
        return idle;
    }
    return earlier(idle, heard_at(conn) + config->ping_ms);
}

static uint64_t frame_deadline(const tw_conn *conn) {
    bool is_begun =
        conn->extra != NULL && conn->extra->frame_ms != 0 && !is_resting(conn);
    return is_begun ? conn->extra->frame_ms + conn->server->config.frame_ms
                    : UINT64_MAX;
}

static uint64_t stall_deadline(const tw_conn *conn) {
    bool is_blocked = conn->out != NULL && (conn->flags & TW__WANT_WRITE);
    return is_blocked ? conn->out->progress_ms + conn->server->config.stall_ms
                      : UINT64_MAX;
}

static uint64_t expiry(const tw_conn *conn) {
    return conn->extra != NULL && conn->extra->expires_ms != 0
               ? conn->extra->expires_ms
               : UINT64_MAX;
}

static uint64_t rate_deadline(const tw_conn *conn) {
    return conn->flags & TW__RATED ? tw__conn_rate_ready_ms(conn) : UINT64_MAX;
}

static uint64_t open_deadline(const tw_conn *conn) {
    uint64_t deadline = earlier(silence_deadline(conn), frame_deadline(conn));
    deadline = earlier(deadline, earlier(stall_deadline(conn), expiry(conn)));
    return earlier(deadline, rate_deadline(conn));
}

static uint64_t closing_since(const tw_conn *conn) {
    return conn->extra != NULL ? conn->extra->closing_ms : heard_at(conn);
}

static uint64_t deadline_of(const tw_conn *conn) {
    switch (conn->state) {
    case TW__CONN_HTTP:
        return tw__http_conn_deadline(conn);
    case TW__CONN_OPEN:
        return open_deadline(conn);
    case TW__CONN_ENDED:
        return rate_deadline(conn);
    case TW__CONN_CLOSING:
        return closing_since(conn) + conn->server->config.close_ms;
    case TW__CONN_LINGER:
        return closing_since(conn) + LINGER_MS;
    default:
        return UINT64_MAX;
    }
}

/* Pings of connections that opened together are spread over an eighth of the
 * interval before their time. */
static uint64_t spread(const tw_conn *conn, uint64_t delay) {
    bool is_ping = conn->state == TW__CONN_OPEN &&
                   !(conn->flags & (TW__PINGED | TW__RATED)) && delay >= 1000 &&
                   delay == conn->route->config.ping_ms;
    return is_ping ? delay - tw__random_below((uint32_t)(delay / 8) + 1)
                   : delay;
}

void tw__conn_set_timer(tw_conn *conn) {
    tw_server *server = conn->server;
    uint64_t deadline = deadline_of(conn), now = tw__now(server);
    if (deadline == UINT64_MAX) {
        /* Looked at again when the hook that waits is done. */
        deadline = now + 1000;
    }
    uint64_t delay = deadline > now ? deadline - now : 0;
    tw__clockwork_set_node(&server->conn_clock, &conn->timer,
                           spread(conn, delay));
}

static void send_ping(tw_conn *conn) {
    tw__outq *queue = tw__conn_out(conn);
    conn->flags |= TW__PINGED;
    if (queue != NULL && tw__conn_codec(conn)->ping(queue) == 0) {
        tw__count(conn->server, TW_COUNTER_PINGS_OUT, 1);
    }
}

static void close_stalled(tw_conn *conn) {
    tw_server *server = conn->server;
    tw__count(server, TW_COUNTER_CLOSED_SLOW, 1);
    tw__conn_cut(conn);
}

/* A silent peer gets a close frame, but its answer is not waited for. */
static void close_silent(tw_conn *conn) {
    tw__count(conn->server, TW_COUNTER_CLOSED_IDLE, 1);
    tw__conn_fail(conn, TW__WS_CLOSE_POLICY, "nothing heard");
}

static bool is_ping_due(const tw_conn *conn, uint64_t now) {
    uint64_t ping_ms = conn->route->config.ping_ms;
    return !(conn->flags & TW__PINGED) && !is_resting(conn) &&
           heard_at(conn) + ping_ms - ping_ms / 8 <= now;
}

static void end_rate_rest(tw_conn *conn, uint64_t now) {
    if (rate_deadline(conn) <= now) {
        conn->flags &= ~(uint32_t)TW__RATED;
        tw__conn_rested(conn);
        tw__conn_schedule(conn);
    }
}

static void on_open_timer(tw_conn *conn, uint64_t now) {
    end_rate_rest(conn, now);
    if (stall_deadline(conn) <= now) {
        close_stalled(conn);
    } else if (expiry(conn) <= now) {
        tw__conn_close(conn, 3005, "expired", 7);
    } else if (frame_deadline(conn) <= now) {
        tw__count(conn->server, TW_COUNTER_CLOSED_FRAME, 1);
        tw__conn_fail(conn, TW__WS_CLOSE_POLICY, "a frame took too long");
    } else if (is_ping_due(conn, now)) {
        send_ping(conn);
    } else if (silence_deadline(conn) <= now) {
        close_silent(conn);
    }
}

void tw__conn_on_timer(tw__wheel_node *node) {
    tw_conn *conn = TW__CONTAINER(node, tw_conn, timer);
    uint64_t now = tw__now(conn->server);
    switch (conn->state) {
    case TW__CONN_HTTP:
        if (tw__http_conn_deadline(conn) <= now) {
            tw__http_conn_timeout(conn);
        }
        break;
    case TW__CONN_OPEN:
        on_open_timer(conn, now);
        break;
    case TW__CONN_ENDED:
        end_rate_rest(conn, now);
        break;
    case TW__CONN_CLOSING:
    case TW__CONN_LINGER:
        if (deadline_of(conn) <= now) {
            tw__conn_cut(conn);
        }
        break;
    default:
        break;
    }
    bool has_deadline = conn->state == TW__CONN_ENDED
                            ? (conn->flags & TW__RATED) != 0
                            : conn->io.fd >= 0;
    if (has_deadline && !tw__wheel_is_node_set(&conn->timer)) {
        tw__conn_set_timer(conn);
    }
}
