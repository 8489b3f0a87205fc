/* write.c - output of a connection: from its queue to the kernel.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "server/codec.h"
#include "server/http_conn.h"
#include "server/interest.h"
#include "server/server.h"
#include "server/tls.h"
#include "ws/frame.h"

enum { MAX_VECTORS = 64 };

void tw__conn_refresh_fast(tw_conn *conn) {
    bool is_fast = conn->state == TW__CONN_OPEN && conn->out == NULL &&
                   conn->sub_count == 1 && !(conn->flags & TW__TLS);
    /* Since the second came none of several is on the fast path. */
    uint16_t count = conn->sub_count < 2 ? conn->sub_count : 2;
    for (uint16_t i = 0; i < count; i++) {
        tw__sub_set_fd(&tw__conn_subs(conn)[i], is_fast ? conn->io.fd : -1);
    }
}

void tw__conn_watch(tw_conn *conn) {
    if (conn->io.fd < 0) {
        return;
    }
    unsigned interest = TW__READ;
    if (conn->flags & TW__NO_READ) {
        /* Half a connection is one for HTTP, but not for a WebSocket. */
        interest = conn->state == TW__CONN_OPEN ? TW__HANGUP : 0;
    }
    if (conn->flags & TW__CROSSED) {
        interest = TW__WRITE; /* to read would only fail again */
    } else if (conn->flags & TW__WANT_WRITE) {
        interest |= TW__WRITE;
    }
    if (tw__poller_modify(&conn->server->edge, &conn->io, interest) != 0) {
        tw__conn_cut(conn);
    }
}

tw__outq *tw__conn_out(tw_conn *conn) {
    tw_server *server = conn->server;
    if (conn->io.fd < 0 || (conn->flags & TW__SHUT)) {
        return NULL;
    }
    if (conn->out == NULL) {
        conn->out = server->spare_count > 0
                        ? server->spare[--server->spare_count]
                        : tw__outq_create();
        if (conn->out == NULL) {
            return NULL;
        }
        conn->out->progress_ms = tw__now(server);
        tw__conn_refresh_fast(conn);
    }
    if (!(conn->flags & TW__WANT_WRITE)) {
        tw__conn_enqueue(conn, TW__QUEUE_DIRTY);
        tw__loop_wake_for(&server->loop, TW__TURN_WRITE);
    }
    return conn->out;
}

static void put_away(tw_conn *conn) {
    tw_server *server = conn->server;
    tw__outq_reset(conn->out, &server->pins);
    if (server->spare_count < TW__SPARE_QUEUES) {
        server->spare[server->spare_count++] = conn->out;
    } else {
        tw__outq_destroy(conn->out, &server->pins);
    }
    conn->out = NULL;
}

static void set_blocked(tw_conn *conn, bool is_blocked) {
    uint32_t flag = is_blocked ? TW__WANT_WRITE : 0;
    if ((conn->flags & TW__WANT_WRITE) != flag) {
        conn->flags ^= TW__WANT_WRITE;
        tw__conn_watch(conn);
        if (!is_blocked) {
            tw__conn_rested(conn);
        }
        if (conn->io.fd >= 0) {
            tw__conn_set_timer(conn);
        }
    }
}

static void append_pong(tw_conn *conn) {
    conn->flags &= ~(uint32_t)TW__DUE_PONG;
    if (conn->state == TW__CONN_OPEN) {
        tw__codec_frame(conn->out, TW__WS_PONG, conn->extra->ping,
                        conn->extra->ping_len);
    }
}

static void expire(tw_conn *conn) {
    tw_server *server = conn->server;
    if (conn->out->frames > 0) {
        tw__count(server, TW_COUNTER_EXPIRED,
                  tw__outq_expire(conn->out, &server->pins, tw__now(server)));
    }
}

static void note_written(tw_conn *conn, size_t len) {
    tw_server *server = conn->server;
    uint32_t done = tw__outq_consume(conn->out, &server->pins, len);
    tw__count(server, TW_COUNTER_DELIVERED, done);
    tw__count(server, TW_COUNTER_BYTES_OUT, len);
    conn->out->progress_ms = tw__now(server);
}

/* One system call. True: go on; false: the kernel is full, or it is over. */
static bool write_some(tw_conn *conn, struct iovec *vectors, int count,
                       size_t total) {
    ssize_t sent;
    tw__count(conn->server, TW_COUNTER_WRITES, 1);
    if (conn->flags & TW__TLS) {
        sent = tw__conn_send_record(conn, vectors, count, &total);
    } else if (count == 1) {
        sent = send(conn->io.fd, vectors[0].iov_base, vectors[0].iov_len,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        struct msghdr message = {.msg_iov = vectors,
                                 .msg_iovlen = (size_t)count};
        sent = sendmsg(conn->io.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (sent < 0) {
        if (errno == EINTR) {
            return true;
        }
        if (errno == EAGAIN || errno == ENOBUFS) {
            set_blocked(conn, true);
        } else {
            tw__conn_lost(conn);
        }
        return false;
    }
    note_written(conn, (size_t)sent);
    if ((size_t)sent < total) {
        set_blocked(conn, true);
        return false;
    }
    return true;
}

static void on_empty(tw_conn *conn) {
    put_away(conn);
    set_blocked(conn, false);
    tw__conn_refresh_fast(conn);
    if (conn->state == TW__CONN_HTTP) {
        tw__http_conn_drained(conn);
    }
    if (conn->extra != NULL && !tw__list_is_empty(&conn->extra->lapses)) {
        tw__conn_lapses_drained(conn);
    }
    tw__conn_advance_close(conn);
}

void tw__conn_flush(tw_conn *conn) {
    struct iovec vectors[MAX_VECTORS];
    size_t total;
    if (conn->out == NULL || conn->io.fd < 0) {
        return;
    }
    bool was_full = tw__conn_is_full(conn);
    if (conn->flags & TW__WANT_WRITE) {
        expire(conn);
    }
    for (;;) {
        if (conn->flags & TW__DUE_PONG) {
            append_pong(conn);
        }
        int count = tw__outq_gather(conn->out, vectors, MAX_VECTORS, &total);
        if (count == 0) {
            on_empty(conn);
            break;
        }
        if (!write_some(conn, vectors, count, total)) {
            break;
        }
    }
    if (was_full && conn->io.fd >= 0 && !tw__conn_is_full(conn)) {
        tw__conn_schedule(conn);
    }
}
