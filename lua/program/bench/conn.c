/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "memory.h"

#define OPEN_LIMIT_NS (20 * TW__BENCH_SECOND)
#define CLOSE_LIMIT_NS (5 * TW__BENCH_SECOND)

/* Not in the headers of every libc: the port is chosen at connect, so that a
 * port may serve several pairs of addresses. */
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static void on_ready(tw__bench_fd *source, uint32_t events);

void tw__bench_group_init(tw__bench_group *group, uint32_t len) {
    group->conns = tw__bench_alloc(len, sizeof *group->conns);
    group->len = len;
    for (uint32_t i = 0; i < len; i++) {
        group->conns[i]._ready.on_ready = on_ready;
        group->conns[i].group = group;
        group->conns[i].index = i;
        group->conns[i].fd = -1;
    }
}

static void unwait(tw__bench_conn *conn) {
    tw__bench_loop *loop = conn->group->loop;
    if (conn->_waiting == 0) {
        return;
    }
    tw__bench_conn *last = loop->waiting[--loop->waiting_len];
    loop->waiting[conn->_waiting - 1] = last;
    last->_waiting = conn->_waiting;
    conn->_waiting = 0;
}

static void await(tw__bench_conn *conn, uint64_t deadline) {
    tw__bench_loop *loop = conn->group->loop;
    conn->deadline = deadline;
    if (conn->_waiting != 0) {
        return;
    }
    if (loop->waiting_len == loop->waiting_cap) {
        loop->waiting_cap = loop->waiting_cap * 2 + 64;
        loop->waiting = tw__bench_realloc(
            loop->waiting, loop->waiting_cap * sizeof *loop->waiting);
    }
    loop->waiting[loop->waiting_len++] = conn;
    conn->_waiting = (uint32_t)loop->waiting_len;
}

/* Lets go of everything but the place in the group. */
static void drop(tw__bench_conn *conn) {
    if (conn->state == TW__BENCH_CONNECTING ||
        conn->state == TW__BENCH_UPGRADING) {
        conn->group->_opening--;
    }
    unwait(conn);
    if (conn->fd >= 0) {
        close(conn->fd);
    }
    free(conn->_unsent);
    conn->_unsent = NULL;
    conn->_unsent_len = 0;
    tw__bench_reader_deinit(&conn->_reader);
    conn->fd = -1;
    conn->state = TW__BENCH_CLOSED;
    conn->paused = false;
}

void tw__bench_group_deinit(tw__bench_group *group) {
    for (uint32_t i = 0; i < group->len; i++) {
        drop(&group->conns[i]);
    }
    free(group->conns);
}

static void fail(tw__bench_conn *conn, const char *why) {
    char text[160];
    snprintf(text, sizeof text, "%s", why);
    drop(conn);
    conn->group->events->on_fail(conn, text);
}

/* The other side is gone, or must be given up. */
static void end(tw__bench_conn *conn, const char *why) {
    if (conn->state < TW__BENCH_OPEN) {
        fail(conn, why);
        return;
    }
    uint16_t code = conn->_code != 0 ? conn->_code : TW__BENCH_LOST;
    drop(conn);
    conn->group->events->on_close(conn, code);
}

static uint32_t wanted_events(const tw__bench_conn *conn) {
    return (conn->paused ? 0 : (uint32_t)EPOLLIN) |
           (conn->_unsent_len > 0 ? (uint32_t)EPOLLOUT : 0);
}

static void rewatch(tw__bench_conn *conn) {
    tw__bench_loop_change(conn->group->loop, conn->fd, &conn->_ready,
                          wanted_events(conn));
}

static int set_up(tw__bench_conn *conn) {
    const tw__bench_group *group = conn->group;
    const tw__bench_target *target = group->target;
    int one = 1, size = (int)group->receive_buffer;
    if (target->address.ss_family != AF_UNIX) {
        setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    if (size > 0) {
        setsockopt(conn->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    if (group->sources > 0) {
        struct sockaddr_storage source;
        tw__bench_source(&source,
                         (group->first_number + conn->index) % group->sources);
        setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
                   sizeof one);
        if (bind(conn->fd, (struct sockaddr *)&source,
                 sizeof(struct sockaddr_in)) != 0) {
            return -errno;
        }
    }
    if (connect(conn->fd, (const struct sockaddr *)&target->address,
                target->address_len) != 0 &&
        errno != EINPROGRESS) {
        return -errno;
    }
    return tw__bench_loop_add(group->loop, conn->fd, &conn->_ready, EPOLLOUT);
}

void tw__bench_conn_open(tw__bench_conn *conn) {
    tw__bench_group *group = conn->group;
    int rc;
    conn->opened_at = tw__bench_now();
    conn->_code = 0;
    conn->state = TW__BENCH_CONNECTING;
    group->_opening++;
    conn->fd = socket(group->target->address.ss_family,
                      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    rc = conn->fd < 0 ? -errno : set_up(conn);
    /* A failure here is told from the loop, as every other one is: the caller
     * may stand in on_fail itself. */
    conn->_code = (uint16_t)(rc < 0 ? -rc : 0);
    await(conn, rc < 0 ? 0 : conn->opened_at + OPEN_LIMIT_NS);
}

void tw__bench_conn_open_at(tw__bench_conn *conn, uint64_t when) {
    conn->state = TW__BENCH_WAITING;
    await(conn, when);
}

void tw__bench_group_pump(tw__bench_group *group, uint32_t limit,
                          uint32_t concurrency) {
    limit = limit < group->len ? limit : group->len;
    while (group->_next < limit && group->_opening < concurrency) {
        tw__bench_conn_open(&group->conns[group->_next++]);
    }
}

static void give_up(tw__bench_conn *conn) {
    if (conn->state == TW__BENCH_WAITING) {
        tw__bench_conn_open(conn);
    } else if (conn->state == TW__BENCH_CONNECTING && conn->_code != 0) {
        fail(conn, strerror(conn->_code));
    } else {
        end(conn, "no answer within 20 s");
    }
}

void tw__bench_conn_deadlines(tw__bench_loop *loop) {
    /* Backwards, since an entry that goes is replaced by the last one. */
    for (size_t i = loop->waiting_len; i-- > 0;) {
        if (i < loop->waiting_len && loop->waiting[i]->deadline <= loop->now) {
            tw__bench_conn *conn = loop->waiting[i];
            unwait(conn);
            give_up(conn);
        }
    }
}

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
        rewatch(conn);
    }
}

/* Sends what it can; a broken connection shows when it is read. */
static size_t push(int fd, const uint8_t *data, size_t len) {
    size_t at = 0;
    while (at < len) {
        ssize_t sent = send(fd, data + at, len - at, MSG_NOSIGNAL);
        if (sent < 0) {
            return errno == EAGAIN ? at : len;
        }
        at += (size_t)sent;
    }
    return at;
}

void tw__bench_conn_flush(tw__bench_conn *conn) {
    tw__bench_loop *loop = conn->group->loop;
    size_t len = loop->out_len;
    loop->out_len = 0;
    if (len == 0 || conn->fd < 0) {
        return;
    }
    size_t sent = conn->_unsent_len > 0 ? 0 : push(conn->fd, loop->out, len);
    if (sent < len) {
        keep_unsent(conn, loop->out + sent, len - sent);
    }
}

static void send_rest(tw__bench_conn *conn) {
    size_t sent = push(conn->fd, conn->_unsent, conn->_unsent_len);
    conn->_unsent_len -= sent;
    memmove(conn->_unsent, conn->_unsent + sent, conn->_unsent_len);
    if (conn->_unsent_len == 0) {
        free(conn->_unsent);
        conn->_unsent = NULL;
        rewatch(conn);
    }
}

static void write_close(tw__bench_conn *conn, uint16_t code) {
    uint8_t body[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    tw__bench_conn_write(conn, TW__BENCH_CLOSE, body, sizeof body);
    conn->state = TW__BENCH_CLOSING;
    await(conn, conn->group->loop->now + CLOSE_LIMIT_NS);
}

void tw__bench_conn_close(tw__bench_conn *conn, uint16_t code) {
    if (conn->state == TW__BENCH_OPEN) {
        write_close(conn, code);
        tw__bench_conn_flush(conn);
    }
}

void tw__bench_conn_pause(tw__bench_conn *conn, bool paused) {
    if (conn->fd >= 0 && conn->paused != paused) {
        conn->paused = paused;
        rewatch(conn);
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

static bool on_frame(void *arg, int opcode, const uint8_t *data, size_t len) {
    const reading *r = arg;
    tw__bench_conn *conn = r->conn;
    if (opcode == TW__BENCH_CLOSE) {
        return on_close_frame(conn, data, len);
    }
    if (opcode == TW__BENCH_PING && conn->state == TW__BENCH_OPEN) {
        tw__bench_conn_write(conn, TW__BENCH_PONG, data, len);
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
    int head = tw__bench_handshake_check((const char *)data, len, conn->_accept,
                                         why, sizeof why);
    if (head == 0) {
        tw__bench_reader_keep(&conn->_reader, data, len);
        return true;
    }
    if (head < 0) {
        fail(conn, why);
        return false;
    }
    conn->state = TW__BENCH_OPEN;
    conn->group->_opening--;
    unwait(conn);
    conn->group->events->on_open(conn);
    tw__bench_conn_flush(conn);
    return conn->fd < 0 || len == (size_t)head ||
           feed(conn, data + head, len - (size_t)head);
}

/* Reads until there is no more, or `limit` bytes. */
static void read_some(tw__bench_conn *conn, size_t limit) {
    tw__bench_loop *loop = conn->group->loop;
    for (;;) {
        size_t kept =
            tw__bench_reader_resume(&conn->_reader, loop->in, loop->in_cap);
        size_t room = loop->in_cap - kept;
        room = room < limit ? room : limit;
        ssize_t got = recv(conn->fd, loop->in + kept, room, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            tw__bench_reader_keep(&conn->_reader, loop->in, kept);
            return;
        }
        if (got <= 0) {
            end(conn, got == 0 ? "closed before it was open" : strerror(errno));
            return;
        }
        size_t len = kept + (size_t)got;
        bool fine = conn->state == TW__BENCH_UPGRADING
                        ? take_answer(conn, loop->in, len)
                        : feed(conn, loop->in, len);
        limit -= (size_t)got;
        if (!fine || conn->fd < 0 || (size_t)got < room || limit == 0) {
            return;
        }
    }
}

void tw__bench_conn_sip(tw__bench_conn *conn, size_t bytes) {
    if (conn->fd >= 0 && bytes > 0) {
        read_some(conn, bytes);
    }
}

static void start_upgrade(tw__bench_conn *conn) {
    const tw__bench_group *group = conn->group;
    int error = 0;
    socklen_t size = sizeof error;
    char request[2048], key[TW__BENCH_KEY_SIZE];
    uint64_t nonce[2] = {tw__bench_loop_random(group->loop),
                         tw__bench_loop_random(group->loop)};
    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        fail(conn, strerror(error));
        return;
    }
    tw__bench_handshake_keys((const uint8_t *)nonce, key, conn->_accept);
    size_t len = tw__bench_handshake_request(
        request, sizeof request, group->target->host, group->path, key);
    conn->state = TW__BENCH_UPGRADING;
    rewatch(conn);
    size_t sent = push(conn->fd, (const uint8_t *)request, len);
    if (sent < len) {
        keep_unsent(conn, (const uint8_t *)request + sent, len - sent);
    }
}

static void on_ready(tw__bench_fd *source, uint32_t events) {
    tw__bench_conn *conn = (tw__bench_conn *)source;
    if (conn->fd < 0) {
        return; /* closed by an event of the same turn */
    }
    if (conn->state == TW__BENCH_CONNECTING) {
        start_upgrade(conn);
        return;
    }
    if ((events & EPOLLOUT) != 0 && conn->_unsent_len > 0) {
        send_rest(conn);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        /* A paused connection that was reset is read to its end. */
        conn->paused = false;
        read_some(conn, SIZE_MAX);
    }
}
