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
#include "conn_parts.h"
#include "memory.h"
#include "tls.h"

#define OPEN_LIMIT_NS (20 * TW__BENCH_SECOND)

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

void tw__bench_conn_unwait(tw__bench_conn *conn) {
    tw__bench_loop *loop = conn->group->loop;
    if (conn->_waiting == 0) {
        return;
    }
    tw__bench_conn *last = loop->waiting[--loop->waiting_len];
    loop->waiting[conn->_waiting - 1] = last;
    last->_waiting = conn->_waiting;
    conn->_waiting = 0;
}

void tw__bench_conn_await(tw__bench_conn *conn, uint64_t deadline) {
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
    if (conn->state >= TW__BENCH_CONNECTING &&
        conn->state <= TW__BENCH_UPGRADING) {
        conn->group->_opening--;
    }
    tw__bench_conn_unwait(conn);
    tw__bench_tls_drop(conn);
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

void tw__bench_conn_fail(tw__bench_conn *conn, const char *why) {
    char text[160];
    snprintf(text, sizeof text, "%s", why);
    drop(conn);
    conn->group->events->on_fail(conn, text);
}

void tw__bench_conn_end(tw__bench_conn *conn, const char *why) {
    if (conn->state < TW__BENCH_OPEN) {
        tw__bench_conn_fail(conn, why);
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

void tw__bench_conn_rewatch(tw__bench_conn *conn) {
    tw__bench_loop_change(conn->group->loop, conn->fd, &conn->_ready,
                          wanted_events(conn));
}

static int set_up(tw__bench_conn *conn) {
    const tw__bench_group *group = conn->group;
    const tw__bench_target *target = group->target;
    int one = 1, size = (int)group->receive_buffer;
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
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
    tw__bench_conn_await(conn, rc < 0 ? 0 : conn->opened_at + OPEN_LIMIT_NS);
}

void tw__bench_conn_open_at(tw__bench_conn *conn, uint64_t when) {
    conn->state = TW__BENCH_WAITING;
    tw__bench_conn_await(conn, when);
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
        tw__bench_conn_fail(conn, strerror(conn->_code));
    } else {
        tw__bench_conn_end(conn, "no answer within 20 s");
    }
}

void tw__bench_conn_deadlines(tw__bench_loop *loop) {
    /* Backwards, since an entry that goes is replaced by the last one. */
    for (size_t i = loop->waiting_len; i-- > 0;) {
        if (i < loop->waiting_len && loop->waiting[i]->deadline <= loop->now) {
            tw__bench_conn *conn = loop->waiting[i];
            tw__bench_conn_unwait(conn);
            give_up(conn);
        }
    }
}

void tw__bench_conn_pause(tw__bench_conn *conn, bool paused) {
    if (conn->fd >= 0 && conn->paused != paused) {
        conn->paused = paused;
        tw__bench_conn_rewatch(conn);
    }
}

static void start_upgrade(tw__bench_conn *conn) {
    const tw__bench_group *group = conn->group;
    char request[2048], key[TW__BENCH_KEY_SIZE];
    uint64_t nonce[2] = {tw__bench_loop_random(group->loop),
                         tw__bench_loop_random(group->loop)};
    tw__bench_handshake_keys((const uint8_t *)nonce, key, conn->_accept);
    size_t len = tw__bench_handshake_request(
        request, sizeof request, group->target->host, group->path, key,
        group->target->deflates);
    if (len == 0) {
        tw__bench_conn_fail(conn, "the path is too long");
        return;
    }
    conn->state = TW__BENCH_UPGRADING;
    tw__bench_conn_rewatch(conn);
    tw__bench_conn_send(conn, (const uint8_t *)request, len);
}

static void shake(tw__bench_conn *conn) {
    const char *why = NULL;
    int wanted = tw__bench_tls_shake(conn, &why);
    if (wanted < 0) {
        tw__bench_conn_fail(conn, why);
    } else if (wanted == 0) {
        start_upgrade(conn);
    } else {
        tw__bench_loop_change(conn->group->loop, conn->fd, &conn->_ready,
                              (uint32_t)wanted);
    }
}

static void on_connected(tw__bench_conn *conn) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        tw__bench_conn_fail(conn, strerror(error));
    } else if (conn->group->target->is_secure) {
        conn->state = TW__BENCH_SHAKING;
        shake(conn);
    } else {
        start_upgrade(conn);
    }
}

static void on_ready(tw__bench_fd *source, uint32_t events) {
    tw__bench_conn *conn = (tw__bench_conn *)source;
    if (conn->fd < 0) {
        return; /* closed by an event of the same turn */
    }
    if (conn->state == TW__BENCH_CONNECTING) {
        on_connected(conn);
        return;
    }
    if (conn->state == TW__BENCH_SHAKING) {
        shake(conn);
        return;
    }
    if ((events & EPOLLOUT) != 0 && conn->_unsent_len > 0) {
        tw__bench_conn_send_rest(conn);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        /* A paused connection that was reset is read to its end. */
        conn->paused = false;
        tw__bench_conn_read(conn, SIZE_MAX);
    }
}
