/* What a connection reads and writes.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "conn_parts.h"
#include "memory.h"
#include "tls.h"

#define CLOSE_LIMIT_NS (5 * TW__BENCH_SECOND)

void tw__bench_conn_write(tw__bench_conn *conn, int opcode, const void *data,
                          size_t len) {
    tw__bench_loop *loop = conn->group->loop;
    size_t need = loop->out_len + len + TW__BENCH_HEADER_MAX;
    if (need > loop->out_cap) {
        loop->out_cap = need * 2;
        loop->out = tw__bench_realloc(loop->out, loop->out_cap);
    }
    loop->out_len +=
        tw__bench_frame_write(loop->out + loop->out_len, opcode,
                              (uint32_t)tw__bench_loop_random(loop), data, len);
}

static void keep_unsent(tw__bench_conn *conn, const uint8_t *data, size_t len) {
    bool first = conn->_unsent_len == 0;
    conn->_unsent = tw__bench_realloc(conn->_unsent, conn->_unsent_len + len);
    memcpy(conn->_unsent + conn->_unsent_len, data, len);
    conn->_unsent_len += len;
    if (first) {
        tw__bench_conn_rewatch(conn);
    }
}

/* Sends what it can; a broken connection shows when it is read. */
static size_t push(tw__bench_conn *conn, const uint8_t *data, size_t len) {
    size_t at = 0;
    while (at < len) {
        ssize_t sent =
            conn->_tls != NULL
                ? tw__bench_tls_send(conn, data + at, len - at)
                : send(conn->fd, data + at, len - at, MSG_NOSIGNAL);
        if (sent < 0) {
            return errno == EAGAIN ? at : len;
        }
        at += (size_t)sent;
    }
    return at;
}

void tw__bench_conn_send(tw__bench_conn *conn, const uint8_t *data,
                         size_t len) {
    size_t sent = conn->_unsent_len > 0 ? 0 : push(conn, data, len);
    if (sent < len) {
        keep_unsent(conn, data + sent, len - sent);
    }
}

void tw__bench_conn_flush(tw__bench_conn *conn) {
    tw__bench_loop *loop = conn->group->loop;
    size_t len = loop->out_len;
    loop->out_len = 0;
    if (len == 0 || conn->fd < 0) {
        return;
    }
    tw__bench_conn_send(conn, loop->out, len);
}

void tw__bench_conn_send_rest(tw__bench_conn *conn) {
    size_t sent = push(conn, conn->_unsent, conn->_unsent_len);
    conn->_unsent_len -= sent;
    memmove(conn->_unsent, conn->_unsent + sent, conn->_unsent_len);
    if (conn->_unsent_len == 0) {
        free(conn->_unsent);
        conn->_unsent = NULL;
        tw__bench_conn_rewatch(conn);
    }
}

static void write_close(tw__bench_conn *conn, uint16_t code) {
    uint8_t body[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    tw__bench_conn_write(conn, TW__BENCH_CLOSE, body, sizeof body);
    conn->state = TW__BENCH_CLOSING;
    tw__bench_conn_await(conn, conn->group->loop->now + CLOSE_LIMIT_NS);
}

void tw__bench_conn_close(tw__bench_conn *conn, uint16_t code) {
    if (conn->state == TW__BENCH_OPEN) {
        write_close(conn, code);
        tw__bench_conn_flush(conn);
    }
}

static bool on_close_frame(tw__bench_conn *conn, const uint8_t *data,
                           size_t len) {
    conn->_code = len >= 2 ? (uint16_t)(data[0] << 8 | data[1]) : 1005;
    if (conn->state == TW__BENCH_OPEN) {
        write_close(conn, len >= 2 ? conn->_code : 1000);
    }
    return false;
}

typedef struct reading {
    tw__bench_conn *conn;
    uint64_t now;
} reading;

/* What cannot be expanded goes on as it is: the payload's check will see. */
static void on_deflated(const reading *r, int opcode, const uint8_t *data,
                        size_t len) {
    tw__bench_loop *loop = r->conn->group->loop;
    size_t message_len;
    const uint8_t *message = tw__bench_inflate(
        &loop->inflater, data, len, loop->max_message, &message_len);
    opcode &= ~TW__BENCH_DEFLATED;
    r->conn->group->events->on_message(
        r->conn, opcode, message != NULL ? message : data,
        message != NULL ? message_len : len, r->now);
}

static bool on_frame(void *arg, int opcode, const uint8_t *data, size_t len) {
    const reading *r = arg;
    tw__bench_conn *conn = r->conn;
    if (opcode == TW__BENCH_CLOSE) {
        return on_close_frame(conn, data, len);
    }
    if (opcode == TW__BENCH_PING && conn->state == TW__BENCH_OPEN) {
        tw__bench_conn_write(conn, TW__BENCH_PONG, data, len);
    } else if (opcode & TW__BENCH_DEFLATED) {
        on_deflated(r, opcode, data, len);
    } else if (opcode == TW__BENCH_TEXT || opcode == TW__BENCH_BINARY) {
        conn->group->events->on_message(conn, opcode, data, len, r->now);
    }
    return conn->fd >= 0;
}

/* Parses `len` bytes of the loop's buffer. False when the server broke the
 * protocol. */
static bool feed(tw__bench_conn *conn, const uint8_t *data, size_t len) {
    tw__bench_loop *loop = conn->group->loop;
    if (conn->_code != 0) {
        return true; /* its last word has been said: only the end is awaited */
    }
    reading r = {conn, tw__bench_now()};
    const char *wrong = tw__bench_reader_feed(&conn->_reader, data, len,
                                              loop->max_message, on_frame, &r);
    if (wrong != NULL && conn->state == TW__BENCH_OPEN) {
        fprintf(stderr, "tidewire bench: the server broke the protocol: %s\n",
                wrong);
        write_close(conn, 1002);
        conn->_code = 1002;
    }
    tw__bench_conn_flush(conn);
    return wrong == NULL;
}

/* The answer to the handshake, perhaps with frames behind it. */
static bool take_answer(tw__bench_conn *conn, const uint8_t *data, size_t len) {
    char why[160];
    bool deflates = conn->group->target->deflates;
    int head = tw__bench_handshake_check((const char *)data, len, conn->_accept,
                                         deflates, why, sizeof why);
    if (head == 0) {
        tw__bench_reader_keep(&conn->_reader, data, len);
        return true;
    }
    if (head < 0) {
        tw__bench_conn_fail(conn, why);
        return false;
    }
    conn->state = TW__BENCH_OPEN;
    conn->_reader.deflates = deflates;
    conn->group->_opening--;
    tw__bench_conn_unwait(conn);
    conn->group->events->on_open(conn);
    tw__bench_conn_flush(conn);
    return conn->fd < 0 || len == (size_t)head ||
           feed(conn, data + head, len - (size_t)head);
}

void tw__bench_conn_read(tw__bench_conn *conn, size_t limit) {
    tw__bench_loop *loop = conn->group->loop;
    for (;;) {
        size_t kept =
            tw__bench_reader_resume(&conn->_reader, loop->in, loop->in_cap);
        size_t room = loop->in_cap - kept;
        room = room < limit ? room : limit;
        ssize_t got = conn->_tls != NULL
                          ? tw__bench_tls_recv(conn, loop->in + kept, room)
                          : recv(conn->fd, loop->in + kept, room, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            tw__bench_reader_keep(&conn->_reader, loop->in, kept);
            return;
        }
        if (got <= 0) {
            tw__bench_conn_end(conn, got == 0 ? "closed before it was open"
                                              : strerror(errno));
            return;
        }
        size_t len = kept + (size_t)got;
        bool fine = conn->state == TW__BENCH_UPGRADING
                        ? take_answer(conn, loop->in, len)
                        : feed(conn, loop->in, len);
        limit -= (size_t)got;
        bool is_last = (size_t)got < room && !tw__bench_tls_has_more(conn);
        if (!fine || conn->fd < 0 || is_last || limit == 0) {
            return;
        }
    }
}

void tw__bench_conn_sip(tw__bench_conn *conn, size_t bytes) {
    if (conn->fd >= 0 && bytes > 0) {
        tw__bench_conn_read(conn, bytes);
    }
}
