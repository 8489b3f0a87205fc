/* tls_io.c - TLS of a connection: its handshake, what it reads and writes.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "server/tls.h"

/* A handshake takes a signature, up to a millisecond: so many steps a turn, and
 * a flood of newcomers costs those who are connected a few. Who has to wait is
 * ready still in the next turn. */
enum { STEPS_A_TURN = 16 };

/* ---- beginning and end --------------------------------------------------- */

void tw__conn_start_tls(tw_conn *conn, size_t listener) {
    tw_server *server = conn->server;
    tw__tls *set = server->tls->sets[listener];
    if (set == NULL) {
        return;
    }
    tw__tls_conn *tls = tw__tls_accept(set, conn->io.fd);
    if (tls == NULL) {
        tw__count(server, TW_COUNTER_ACCEPT_REFUSED, 1);
        tw__conn_cut(conn);
        return;
    }
    server->tls->conns[tw__conn_index(conn)] = tls;
    conn->flags |= TW__TLS | TW__SHAKING;
    server->page->gauges[TW_GAUGE_TLS_SOCKETS]++;
}

void tw__conn_drop_tls(tw_conn *conn) {
    tw_server *server = conn->server;
    tw__tls_free(tw__conn_tls(conn));
    server->tls->conns[tw__conn_index(conn)] = NULL;
    server->page->gauges[TW_GAUGE_TLS_SOCKETS]--;
}

void tw__conn_end_tls(tw_conn *conn) {
    tw__tls_conn *tls = tw__conn_tls(conn);
    if ((conn->flags & TW__SHAKING) && tw__tls_fault(tls) == TW__TLS_OK) {
        tw__count(conn->server, TW_COUNTER_TLS_FAILED_TIMEOUT, 1);
    }
    conn->flags &= ~(uint32_t)(TW__SHAKING | TW__CROSSED | TW__MORE);
    tw__tls_close(tls);
}

/* ---- the handshake ------------------------------------------------------- */

static bool has_budget(tw_server *server) {
    tw__tls_edge *edge = server->tls;
    if (edge->turn != server->loop.turns) {
        edge->turn = server->loop.turns;
        edge->steps = 0;
    }
    return edge->steps++ < STEPS_A_TURN;
}

static tw_counter counter_of(tw__tls_reason reason) {
    switch (reason) {
    case TW__TLS_PLAIN:
        return TW_COUNTER_TLS_FAILED_PLAIN;
    case TW__TLS_NO_COMMON:
        return TW_COUNTER_TLS_FAILED_NO_COMMON;
    case TW__TLS_CERTIFICATE:
        return TW_COUNTER_TLS_FAILED_CERTIFICATE;
    case TW__TLS_CLOSED:
        return TW_COUNTER_TLS_FAILED_CLOSED;
    default:
        return TW_COUNTER_TLS_FAILED_PROTOCOL;
    }
}

/* Whoever forgot the "s" is told, instead of being left with noise. */
static void answer_plain(const tw_conn *conn) {
    static const char text[] =
        "HTTP/1.1 400 Bad Request\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 49\r\n"
        "Connection: close\r\n\r\n"
        "This address speaks TLS: use https:// or wss://.\n";
    send(conn->io.fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* OpenSSL has sent its alert: it shall arrive, so the end is an ordered one. */
static void fail(tw_conn *conn) {
    tw__tls_reason reason = tw__tls_fault(tw__conn_tls(conn));
    tw__count(conn->server, counter_of(reason), 1);
    if (reason == TW__TLS_CLOSED) {
        tw__conn_cut(conn);
        return;
    }
    if (reason == TW__TLS_PLAIN) {
        answer_plain(conn);
    }
    tw__conn_finish(conn);
}

static void note_done(tw_conn *conn) {
    tw_server *server = conn->server;
    conn->flags &= ~(uint32_t)TW__SHAKING;
    tw__count(server, TW_COUNTER_TLS_HANDSHAKES, 1);
    tw__count(server, TW_COUNTER_TLS_RESUMED,
              tw__tls_is_resumed(tw__conn_tls(conn)));
}

static void cross(tw_conn *conn) {
    conn->flags |= TW__CROSSED;
    tw__conn_watch(conn);
}

static void uncross(tw_conn *conn) {
    if (conn->flags & TW__CROSSED) {
        conn->flags &= ~(uint32_t)TW__CROSSED;
        tw__conn_watch(conn);
    }
}

static bool shake(tw_conn *conn) {
    tw_server *server = conn->server;
    tw__tls_tickets_at(&server->tls->tickets, tw__now(server));
    switch (tw__tls_handshake(tw__conn_tls(conn))) {
    case 0:
        uncross(conn);
        note_done(conn);
        return true;
    case TW__TLS_AGAIN:
        uncross(conn);
        return false;
    case TW__TLS_BLOCKED:
        cross(conn);
        return false;
    default:
        fail(conn);
        return false;
    }
}

/* What came along with the last flight, or before it crossed, is in TLS. */
bool tw__conn_tls_step(tw_conn *conn) {
    if (conn->flags & TW__SHAKING) {
        if (!has_budget(conn->server) || !shake(conn)) {
            return false;
        }
    } else {
        uncross(conn);
    }
    conn->flags |= TW__MORE;
    return conn->io.fd >= 0;
}

/* ---- data ---------------------------------------------------------------- */

static ssize_t fail_with(int error) {
    errno = error;
    return -1;
}

ssize_t tw__conn_recv_tls(tw_conn *conn, uint8_t *data, size_t room) {
    tw__tls_conn *tls = tw__conn_tls(conn);
    conn->flags &= ~(uint32_t)TW__MORE;
    if (conn->state == TW__CONN_LINGER) {
        /* Nobody looks at it. */
        return recv(conn->io.fd, data, room, MSG_DONTWAIT);
    }
    ssize_t got = tw__tls_read(tls, data, room);
    if (got >= 0 || got == TW__TLS_AGAIN) {
        conn->flags |= got != 0 && tw__tls_has_more(tls) ? TW__MORE : 0;
        return got >= 0 ? got : fail_with(EAGAIN);
    }
    if (got == TW__TLS_BLOCKED && conn->state != TW__CONN_ENDED) {
        cross(conn);
        return fail_with(EAGAIN);
    }
    return fail_with(ECONNRESET);
}

/* Into one place, unless it is in one already. */
static const uint8_t *gather(const tw_conn *conn, const struct iovec *vectors,
                             int count, size_t len) {
    uint8_t *record = conn->server->tls->record;
    size_t done = 0;
    if (vectors[0].iov_len >= len) {
        return vectors[0].iov_base;
    }
    for (int i = 0; i < count && done < len; i++) {
        size_t part =
            vectors[i].iov_len < len - done ? vectors[i].iov_len : len - done;
        memcpy(record + done, vectors[i].iov_base, part);
        done += part;
    }
    return record;
}

ssize_t tw__conn_send_record(tw_conn *conn, const struct iovec *vectors,
                             int count, size_t *total) {
    tw__tls_conn *tls = tw__conn_tls(conn);
    tw__outq *queue = conn->out;
    size_t most = *total < TW__TLS_RECORD ? *total : TW__TLS_RECORD;
    *total = queue->sealed_bytes != 0 ? queue->sealed_bytes : most;
    uint64_t before = tw__tls_sent(tls);
    ssize_t sent =
        tw__tls_write(tls, gather(conn, vectors, count, *total), *total);
    if (sent >= 0) {
        return sent;
    }
    if (sent != TW__TLS_AGAIN) {
        return fail_with(EPIPE);
    }
    if (queue->sealed_bytes == 0) {
        tw__outq_seal(queue, *total);
    }
    if (tw__tls_sent(tls) > before) {
        queue->progress_ms = tw__now(conn->server);
    }
    return fail_with(EAGAIN);
}
