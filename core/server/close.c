/* close.c - the ordered end of a connection.
 *
 * What was sent before a close leaves before it. Then, when both sides have
 * spoken (or ours need not wait), the write side is shut, input is drained for
 * a second at most, and only then the descriptor is closed: closing with unread
 * input makes the kernel send RST, which destroys what is on its way.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/codec.h"
#include "server/http_conn.h"
#include "server/people.h"
#include "server/server.h"
#include "server/tls.h"

static void note_reason(tw_conn *conn, int code, const char *reason,
                        size_t len) {
    tw__extra *extra = tw__conn_extra(conn);
    if (extra == NULL) {
        return;
    }
    extra->close_code = (uint16_t)code;
    extra->close_len = (uint8_t)len;
    memcpy(extra->close_reason, reason, len);
    extra->closing_ms = tw__now(conn->server);
}

/* Cuts at a character: a reason is at most 123 bytes of UTF-8. */
size_t tw__conn_cut_reason(const char *reason, size_t len) {
    if (len <= TW__WS_CLOSE_REASON_MAX) {
        return len;
    }
    len = TW__WS_CLOSE_REASON_MAX;
    while (len > 0 && ((uint8_t)reason[len] & 0xC0) == 0x80) {
        len--;
    }
    return len;
}

static void uncount(tw_conn *conn) {
    if (conn->flags & TW__MANY) {
        conn->flags &= ~(uint32_t)TW__MANY;
        conn->server->page->gauges[TW_GAUGE_CONNECTIONS]--;
        tw__count(conn->server, TW_COUNTER_CLOSED, 1);
    }
}

/* What every end of an open connection has in common: nothing can be sent to
 * it, or happens to it, any more. */
static void leave_open(tw_conn *conn, enum tw__conn_state state) {
    conn->state = (uint8_t)state;
    uncount(conn);
    tw__user_leave(conn);
    tw__conn_leave_all(conn);
    tw__conn_note_closed_subs(conn);
    tw__conn_drop_alarms(conn);
    conn->flags &= ~(uint32_t)(TW__DUE_SLOW | TW__DUE_ALARM);
}

/* No more messages: on_close is due. */
static void begin_close(tw_conn *conn, int code, const char *reason,
                        size_t len) {
    note_reason(conn, code, reason, len);
    if (conn->state == TW__CONN_OPEN) {
        leave_open(conn, TW__CONN_CLOSING);
    }
    conn->state = TW__CONN_CLOSING;
    if (conn->flags & TW__OPENED) {
        conn->flags |= TW__DUE_CLOSE;
    }
    tw__conn_schedule(conn);
}

static void send_close(tw_conn *conn, int code, const char *reason,
                       size_t len) {
    tw__outq *queue = tw__conn_out(conn);
    if (queue == NULL ||
        tw__conn_codec(conn)->close(queue, code, reason, len) != 0) {
        tw__conn_cut(conn);
        return;
    }
    conn->flags |= TW__CLOSE_SENT;
    conn->flags &= ~(uint32_t)TW__DUE_PONG;
    tw__conn_set_timer(conn);
    tw__conn_watch(conn);
}

void tw__conn_close(tw_conn *conn, int code, const char *reason, size_t len) {
    if (conn->state == TW__CONN_ENDED) {
        tw__conn_cut(conn);
    }
    if (conn->state != TW__CONN_OPEN) {
        return;
    }
    len = tw__conn_cut_reason(reason, len);
    begin_close(conn, code, reason, len);
    send_close(conn, code, reason, len);
}

void tw__conn_fail(tw_conn *conn, int code, const char *reason) {
    if (conn->state == TW__CONN_OPEN) {
        conn->flags |= TW__CLOSE_SEEN;
        tw__conn_close(conn, code, reason, strlen(reason));
    }
}

void tw__conn_peer_closed(tw_conn *conn, int code, const char *reason,
                          size_t len) {
    conn->flags |= TW__CLOSE_SEEN;
    if (tw__conn_is_heard(conn)) {
        begin_close(conn, code, reason, len);
        send_close(conn, code, NULL, 0);
    } else {
        tw__conn_advance_close(conn);
    }
}

static void drop_queue(tw_conn *conn) {
    tw_server *server = conn->server;
    if (conn->out != NULL) {
        tw__count(server, TW_COUNTER_CLOSED_LOSS, conn->out->frames);
        tw__outq_destroy(conn->out, &server->pins);
        conn->out = NULL;
    }
}

void tw__conn_end(tw_conn *conn) {
    drop_queue(conn);
    conn->flags |= TW__SHUT | TW__NO_READ;
    conn->flags &= ~(uint32_t)(TW__WANT_WRITE | TW__DUE_PONG);
    leave_open(conn, TW__CONN_ENDED);
}

void tw__conn_cut(tw_conn *conn) {
    tw_server *server = conn->server;
    if (tw__conn_is_heard(conn)) {
        begin_close(conn, TW__WS_CLOSE_ABNORMAL, "", 0);
    }
    if (conn->state == TW__CONN_GONE) {
        return;
    }
    if (conn->io.fd >= 0) {
        tw__poller_remove(&server->edge, &conn->io);
        close(conn->io.fd);
        conn->io.fd = -1;
    }
    conn->state = TW__CONN_GONE;
    drop_queue(conn);
    tw__clockwork_clear_node(&server->conn_clock, &conn->timer);
    tw__http_conn_abandon(conn);
    tw__conn_settle(conn);
}

void tw__conn_lost(tw_conn *conn) {
    tw__conn_cut(conn);
}

void tw__conn_finish(tw_conn *conn) {
    if (conn->state == TW__CONN_HTTP) {
        conn->state = TW__CONN_CLOSING;
        conn->flags |= TW__CLOSE_SENT | TW__CLOSE_SEEN;
        tw__extra *extra = tw__conn_extra(conn);
        if (extra != NULL) {
            extra->closing_ms = tw__now(conn->server);
            tw__bytes_deinit(&extra->stash);
        }
        tw__conn_set_timer(conn);
        tw__conn_advance_close(conn);
    }
}

/* The peer's end has been seen, or need not be waited for. */
void tw__conn_advance_close(tw_conn *conn) {
    bool is_written = conn->out == NULL || conn->out->count == 0;
    uint32_t both = TW__CLOSE_SENT | TW__CLOSE_SEEN;
    if (conn->state != TW__CONN_CLOSING || !is_written ||
        (conn->flags & both) != both || conn->io.fd < 0) {
        return;
    }
    if (conn->flags & TW__TLS) {
        tw__conn_end_tls(conn);
    }
    shutdown(conn->io.fd, SHUT_WR);
    conn->flags |= TW__SHUT;
    conn->flags &= ~(uint32_t)TW__NO_READ;
    conn->state = TW__CONN_LINGER;
    if (conn->extra != NULL) {
        conn->extra->closing_ms = tw__now(conn->server);
    }
    tw__conn_set_timer(conn);
    tw__conn_watch(conn);
}
