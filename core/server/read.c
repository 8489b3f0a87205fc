/* read.c - input of a connection: from the socket to the parser.
 *
 * One read a turn and connection, bounded in bytes and frames: a flood of one
 * costs the others a bounded time. What could not be parsed yet (a hook waits,
 * the bound was reached) is stashed and comes first next time.
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "server/client.h"
#include "server/codec.h"
#include "server/http_conn.h"
#include "server/server.h"
#include "server/tls.h"

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

/* One recovery is within its limit; who asks for another one before the first
 * is written is not heard meanwhile. */
bool tw__conn_is_full(const tw_conn *conn) {
    const tw_config *config = &conn->server->config;
    return conn->out != NULL &&
           (conn->out->reply_bytes >= config->reply_budget_bytes / 2 ||
            conn->out->allowed_bytes > config->recover_limit_bytes);
}

bool tw__conn_may_read(const tw_conn *conn) {
    uint32_t blocks = TW__BUSY | TW__RATED | TW__DUE_OPEN;
    if (conn->state == TW__CONN_LINGER || conn->state == TW__CONN_CLOSING) {
        return true; /* drained, or waiting for the peer's close */
    }
    if (conn->state == TW__CONN_HTTP) {
        return tw__http_conn_may_read(conn);
    }
    return !(conn->flags & blocks) && !tw__conn_is_full(conn) &&
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
    if (!tw__conn_is_heard(conn)) {
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
    return tw__conn_codec(conn)->on_data(conn, is_binary, data, len);
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

void tw__conn_stash(tw_conn *conn, const uint8_t *data, size_t len) {
    if (len == 0 || conn->state == TW__CONN_GONE) {
        return;
    }
    tw__extra *extra = tw__conn_extra(conn);
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

/* What the inflater did in this call. */
static void count_inflated(tw_server *server) {
    tw__inflater *inflater = &server->inflater;
    tw__count(server, TW_COUNTER_INFLATED, inflater->messages);
    tw__count(server, TW_COUNTER_INFLATE_IN, inflater->bytes_in);
    tw__count(server, TW_COUNTER_INFLATE_OUT, inflater->bytes_out);
    tw__count(server, TW_COUNTER_INFLATE_REFUSED, inflater->bombs);
    inflater->messages = inflater->bytes_in = 0;
    inflater->bytes_out = inflater->bombs = 0;
}

static size_t take_frames(tw_conn *conn, const uint8_t *data, size_t len) {
    tw_server *server = conn->server;
    size_t used = len;
    tw__ws_error error;
    bool inflates = tw__conn_codec(conn)->deflates;
    server->deflated_now = 0;
    tw__ws_feed how = {&server->ws_pool,
                       &events,
                       conn,
                       conn->route->config.max_message_bytes,
                       server->config.read_turn_frames,
                       inflates ? &server->inflater : NULL};
    tw__ws_status status =
        tw__ws_input_feed(&conn->input, &how, data, len, &used, &error);
    if (inflates && (server->inflater.messages | server->inflater.bombs)) {
        count_inflated(server);
    }
    if (status == TW__WS_FAILED) {
        tw__count(server, TW_COUNTER_CLOSED_PROTOCOL, 1);
        tw__count(server, TW_COUNTER_CLOSED_TOO_BIG,
                  error.code == TW__WS_CLOSE_TOO_BIG);
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
    } else if (tw__conn_is_heard(conn) && !tw__conn_may_read(conn)) {
        used = 0;
    } else if (tw__conn_is_heard(conn) ||
               (conn->state == TW__CONN_CLOSING && conn->codec != 0)) {
        used = take_frames(conn, data, len);
    }
    if (used < len) {
        tw__conn_stash(conn, data + used, len - used);
        if (tw__conn_may_read(conn) || conn->server->frozen > 0) {
            tw__conn_schedule(conn); /* the queue rests until the thaw */
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

/* What is left in TLS wakes nobody. While the input rests whoever ends that
 * sees to it; a thaw looks at the queue. */
static void come_again(tw_conn *conn) {
    bool has_queue = tw__conn_may_read(conn) || conn->server->frozen > 0;
    if (conn->io.fd >= 0 && has_queue) {
        tw__conn_schedule(conn);
    }
}

static void read_socket(tw_conn *conn) {
    tw_server *server = conn->server;
    size_t room = server->config.read_turn_bytes;
    ssize_t got = tw__conn_recv(conn, server->read_buffer, room);
    if (got > 0) {
        tw__count(server, TW_COUNTER_BYTES_IN, (uint64_t)got);
        tw__conn_take(conn, server->read_buffer, (size_t)got);
    } else if (got == 0) {
        on_end(conn);
    } else if (errno != EAGAIN && errno != EINTR) {
        tw__conn_lost(conn);
    }
    if (conn->flags & TW__MORE) {
        come_again(conn);
    }
}

/* There is input and it has to rest: not watching for it is what keeps the loop
 * from spinning. Whoever ends the rest schedules the connection; a thaw looks
 * at nobody, so who is here because of the freeze stands in its queue. */
static void rest(tw_conn *conn) {
    if (conn->server->frozen > 0) {
        tw__conn_enqueue(conn, TW__QUEUE_RUN);
    }
    if (!(conn->flags & TW__NO_READ)) {
        conn->flags |= TW__NO_READ;
        tw__conn_watch(conn);
    }
}

/* Its input rests and the peer shut its sending side, or (`is_broken`) nothing
 * that is sent arrives. The first need not be said of one that will be read in
 * this turn. */
static void on_hangup(tw_conn *conn, bool is_broken) {
    if (conn->state != TW__CONN_OPEN) {
        tw__conn_lost(conn);
    } else if (is_broken || !tw__conn_may_read(conn)) {
        tw__conn_hung_up(conn);
    } else {
        tw__conn_schedule(conn);
    }
}

/* Replies of one read leave with one write. Who is in no channel and has no
 * hook due gets nothing else in this turn: there is nothing to wait for, and
 * writing while all of the connection is in the cache costs less. */
static void answer_at_once(tw_conn *conn) {
    bool is_alone = conn->sub_count == 0 && conn->state == TW__CONN_OPEN &&
                    !(conn->in_queue & 1u << TW__QUEUE_RUN);
    if (conn->out != NULL && is_alone && !(conn->flags & TW__WANT_WRITE)) {
        tw__conn_flush(conn);
    }
}

void tw__conn_on_io(tw__io *io, unsigned ready) {
    tw_conn *conn = TW__CONTAINER(io, tw_conn, io);
    if (conn->flags & (TW__GREETING | TW__SHAKING | TW__CROSSED)) {
        if (conn->flags & TW__GREETING) {
            tw__conn_greet(conn);
            return;
        }
        if (!tw__conn_tls_step(conn)) {
            return;
        }
        ready |= TW__READ;
    }
    if (ready & TW__WRITE) {
        tw__conn_flush(conn);
    }
    if (conn->io.fd < 0 || !(ready & (TW__READ | TW__HANGUP))) {
        return;
    }
    bool is_read = (ready & TW__READ) != 0;
    if (is_read && tw__conn_may_read(conn) && !has_stash(conn)) {
        read_socket(conn);
        answer_at_once(conn);
    } else if (ready & TW__HANGUP) {
        on_hangup(conn, is_read);
    } else {
        rest(conn);
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
    if (conn->state == TW__CONN_ENDED) {
        if (!has_stash(conn) && tw__conn_may_read(conn)) {
            tw__conn_hear_out(conn);
        }
        return;
    }
    if (conn->io.fd >= 0 && (conn->flags & TW__NO_READ) && !has_stash(conn) &&
        tw__conn_may_read(conn)) {
        conn->flags &= ~(uint32_t)TW__NO_READ;
        tw__conn_watch(conn);
    }
    if ((conn->flags & TW__MORE) && conn->io.fd >= 0 && !has_stash(conn) &&
        tw__conn_may_read(conn)) {
        read_socket(conn);
        answer_at_once(conn);
    }
}
