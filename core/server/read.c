/* read.c - input of a connection: from the socket to the parser.
 *
 * One read a turn and connection, bounded in bytes and frames: a flood of one
 * costs the others a bounded time. What could not be parsed yet (a hook waits,
 * the bound was reached) is stashed and comes first next time.
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "server/codec.h"
#include "server/http_conn.h"
#include "server/server.h"

void tw__conn_heard(tw_conn *conn) {
    tw_server *server = conn->server;
    conn->heard_ms = (uint32_t)(tw__now(server) - server->started_ms);
    if (conn->flags & TW__PINGED) {
        conn->flags &= ~(uint32_t)TW__PINGED;
        if (conn->state == TW__CONN_OPEN) {
            tw__conn_set_timer(conn); /* it waited for the end of the silence */
        }
    }
}

void tw__conn_rested(tw_conn *conn) {
    tw__conn_heard(conn);
    if (conn->extra != NULL && conn->extra->frame_ms != 0) {
        conn->extra->frame_ms = tw__now(conn->server);
    }
}

static bool has_stash(const tw_conn *conn) {
    return conn->extra != NULL && tw__bytes_len(&conn->extra->stash) > 0;
}

static bool is_full(const tw_conn *conn) {
    return conn->out != NULL && conn->out->reply_bytes >=
                                    conn->server->config.reply_budget_bytes / 2;
}

bool tw__conn_may_read(const tw_conn *conn) {
    uint32_t blocks = TW__BUSY | TW__RATED | TW__DUE_OPEN;
    if (conn->state == TW__CONN_LINGER || conn->state == TW__CONN_CLOSING) {
        return true; /* drained, or waiting for the peer's close */
    }
    if (conn->state == TW__CONN_HTTP) {
        return tw__http_conn_may_read(conn);
    }
    return !(conn->flags & blocks) && !is_full(conn) &&
           conn->server->frozen == 0;
}

/* ---- WebSocket events ---- */

static tw__ws_verdict go_on(const tw_conn *conn) {
    return conn->state == TW__CONN_GONE ? TW__WS_STOP : TW__WS_CONTINUE;
}

/* A whole message or control frame came. The deadline of what is begun behind
 * it runs anew; a control frame inside of a message changes nothing for it. */
static void note_whole(tw_conn *conn) {
    tw__conn_heard(conn);
    if (conn->extra != NULL && !tw__ws_input_is_partial(&conn->input)) {
        conn->extra->frame_ms = 0;
    }
}

static tw__ws_verdict on_message(void *owner, bool is_binary,
                                 const uint8_t *data, size_t len) {
    tw_conn *conn = owner;
    note_whole(conn);
    if (conn->state != TW__CONN_OPEN) {
        return TW__WS_CONTINUE; /* we closed: only the peer's close counts */
    }
    tw__count(conn->server, TW_COUNTER_MESSAGES_IN, 1);
    switch (tw__conn_rate(conn, len)) {
    case TW__RATE_DROP:
        tw__count(conn->server, TW_COUNTER_MESSAGES_RATED, 1);
        return TW__WS_CONTINUE;
    case TW__RATE_CLOSE:
        tw__count(conn->server, TW_COUNTER_CLOSED_RATE, 1);
        tw__conn_close(conn, TW__WS_CLOSE_POLICY, "rate limit exceeded", 19);
        return TW__WS_CONTINUE;
    case TW__RATE_PASS:
    case TW__RATE_WAIT:
        break;
    }
    return conn->codec->on_data(conn, is_binary, data, len);
}

/* Only the latest unanswered ping is kept; it is answered with the next write.
 */
static tw__ws_verdict on_ping(void *owner, const uint8_t *data, size_t len) {
    tw_conn *conn = owner;
    note_whole(conn);
    tw__count(conn->server, TW_COUNTER_PINGS_IN, 1);
    tw__extra *extra = tw__conn_extra(conn);
    if (conn->state != TW__CONN_OPEN || extra == NULL ||
        tw__conn_out(conn) == NULL) {
        return go_on(conn);
    }
    if (conn->flags & TW__DUE_PONG) {
        tw__count(conn->server, TW_COUNTER_PONGS_SKIPPED, 1);
    }
    memcpy(extra->ping, data, len);
    extra->ping_len = (uint8_t)len;
    conn->flags |= TW__DUE_PONG;
    return go_on(conn);
}

static tw__ws_verdict on_pong(void *owner, const uint8_t *data, size_t len) {
    (void)data;
    (void)len;
    note_whole(owner);
    return go_on(owner);
}

static void on_close(void *owner, int code, const char *reason, size_t len) {
    tw__conn_peer_closed(owner, code, reason, len);
}

static const tw__ws_events events = {on_message, on_ping, on_pong, on_close};

/* ---- taking bytes ---- */

static void stash(tw_conn *conn, const uint8_t *data, size_t len) {
    tw__extra *extra = tw__conn_extra(conn);
    if (len == 0 || conn->io.fd < 0) {
        return;
    }
    if (extra == NULL || tw__bytes_append(&extra->stash, data, len) != 0) {
        tw__conn_cut(conn);
    }
}

/* The deadline of a frame or message begun runs from its first byte on. */
static void note_partial(tw_conn *conn) {
    bool is_partial = tw__ws_input_is_partial(&conn->input);
    if (!is_partial) {
        if (conn->extra != NULL) {
            conn->extra->frame_ms = 0;
        }
        return;
    }
    tw__extra *extra = tw__conn_extra(conn);
    if (extra != NULL && extra->frame_ms == 0) {
        extra->frame_ms = tw__now(conn->server);
        tw__conn_set_timer(conn);
    }
}

static size_t take_frames(tw_conn *conn, const uint8_t *data, size_t len) {
    tw_server *server = conn->server;
    size_t used = len;
    tw__ws_error error;
    tw__ws_feed how = {&server->ws_pool, &events, conn,
                       conn->route->config.max_message_bytes,
                       server->config.read_turn_frames};
    tw__ws_status status =
        tw__ws_input_feed(&conn->input, &how, data, len, &used, &error);
    if (status == TW__WS_FAILED) {
        tw__count(server, TW_COUNTER_CLOSED_PROTOCOL, 1);
        if (conn->state == TW__CONN_OPEN) {
            tw__conn_fail(conn, error.code, error.reason);
        } else {
            tw__conn_cut(conn);
        }
    } else if (status != TW__WS_STOPPED && conn->state == TW__CONN_OPEN) {
        note_partial(conn);
    }
    return used;
}

void tw__conn_take(tw_conn *conn, const uint8_t *data, size_t len) {
    size_t used = len;
    if (conn->state == TW__CONN_HTTP) {
        used = tw__http_conn_feed(conn, data, len);
    } else if (conn->state == TW__CONN_OPEN && !tw__conn_may_read(conn)) {
        used = 0;
    } else if (conn->state == TW__CONN_OPEN ||
               (conn->state == TW__CONN_CLOSING && conn->codec != NULL)) {
        used = take_frames(conn, data, len);
    }
    if (used < len) {
        stash(conn, data + used, len - used);
        if (tw__conn_may_read(conn)) {
            tw__conn_schedule(conn);
        }
    }
}

/* The end of the peer's stream. An HTTP peer that only shut its sending side
 * still gets its answer. */
static void on_end(tw_conn *conn) {
    if (conn->state == TW__CONN_HTTP && tw__http_conn_peer_ended(conn)) {
        conn->flags |= TW__NO_READ;
        tw__conn_watch(conn);
        return;
    }
    tw__conn_lost(conn);
}

static void read_socket(tw_conn *conn) {
    tw_server *server = conn->server;
    size_t room = server->config.read_turn_bytes;
    ssize_t got = recv(conn->io.fd, server->read_buffer, room, MSG_DONTWAIT);
    if (got > 0) {
        tw__count(server, TW_COUNTER_BYTES_IN, (uint64_t)got);
        tw__conn_take(conn, server->read_buffer, (size_t)got);
    } else if (got == 0) {
        on_end(conn);
    } else if (errno != EAGAIN && errno != EINTR) {
        tw__conn_lost(conn);
    }
}

void tw__conn_on_io(tw__io *io, unsigned ready) {
    tw_conn *conn = TW__CONTAINER(io, tw_conn, io);
    if (ready & TW__WRITE) {
        tw__conn_flush(conn);
    }
    if (conn->io.fd < 0 || !(ready & TW__READ)) {
        return;
    }
    if (tw__conn_may_read(conn) && !has_stash(conn)) {
        read_socket(conn);
    } else if (ready & TW__HANGUP) {
        tw__conn_lost(conn); /* reset: nothing that is sent arrives */
    } else if (!(conn->flags & TW__NO_READ)) {
        conn->flags |= TW__NO_READ;
        tw__conn_watch(conn);
    }
}

/* Feeds the stash once; the parser leaves what is over its bounds. */
static void take_stash(tw_conn *conn) {
    tw__bytes bytes = conn->extra->stash;
    tw__bytes_init(&conn->extra->stash);
    tw__conn_take(conn, tw__bytes_data(&bytes), tw__bytes_len(&bytes));
    tw__bytes_deinit(&bytes);
}

void tw__conn_resume(tw_conn *conn) {
    if (has_stash(conn) && tw__conn_may_read(conn)) {
        take_stash(conn);
    }
    if (conn->io.fd >= 0 && (conn->flags & TW__NO_READ) && !has_stash(conn) &&
        tw__conn_may_read(conn)) {
        conn->flags &= ~(uint32_t)TW__NO_READ;
        tw__conn_watch(conn);
    }
}
