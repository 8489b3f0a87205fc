/* sweep.c - a heartbeat of 10,000 connections: each timer fires, a ping goes
 * out, its pong comes in.
 *
 * The clients' descriptors would not fit beside the server's into one process
 * where 20,000 are allowed, so they are parked in a socket, in messages that
 * carry descriptors, while nobody looks at them.
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guard.h"

enum { CONNECTIONS = 10000, BATCH = 250, SPARE = 2 * BATCH };
enum { PING_MS = 30000, STEP_MS = 10 };

/* Fewer where fewer descriptors are allowed; a connection costs the same. */
static int count_batches(void) {
    struct rlimit limit;
    guard_check(getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
                    limit.rlim_cur > SPARE + BATCH,
                "too few descriptors are allowed");
    rlim_t room = limit.rlim_cur - SPARE;
    return (int)(room < CONNECTIONS ? room : CONNECTIONS) / BATCH;
}

/* ---- the car park -------------------------------------------------------- */

typedef struct parcel {
    char byte;
    struct iovec data;
    struct msghdr message;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(BATCH * sizeof(int))];
} parcel;

static void wrap(parcel *p) {
    memset(p, 0, sizeof *p);
    p->data = (struct iovec){&p->byte, 1};
    p->message.msg_iov = &p->data;
    p->message.msg_iovlen = 1;
    p->message.msg_control = p->control;
    p->message.msg_controllen = sizeof p->control;
}

static void park(const int lot[2], const int *fds) {
    parcel p;
    wrap(&p);
    struct cmsghdr *head = CMSG_FIRSTHDR(&p.message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(BATCH * sizeof(int));
    memcpy(CMSG_DATA(head), fds, BATCH * sizeof(int));
    guard_check(sendmsg(lot[0], &p.message, 0) == 1, "no room to park");
    for (int i = 0; i < BATCH; i++) {
        close(fds[i]);
    }
}

/* Those parked first. */
static void fetch(const int lot[2], int *fds) {
    parcel p;
    wrap(&p);
    guard_check(recvmsg(lot[1], &p.message, 0) == 1 &&
                    !(p.message.msg_flags & MSG_CTRUNC),
                "parked descriptors are gone");
    memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&p.message)), BATCH * sizeof(int));
}

/* ---- the sweep ----------------------------------------------------------- */

static void open_all(world *w, const int lot[2], int batches) {
    int fds[BATCH];
    for (int i = 0; i < batches; i++) {
        world_join(w, "hook", fds, BATCH);
        park(lot, fds);
    }
}

/* Pings are spread over an eighth of the interval before its end: as many in a
 * turn whatever the number of connections. */
static void ping_all(world *w, int connections) {
    uint64_t ms = PING_MS / 8 * 7 - 2000;
    uint64_t step = STEP_MS * CONNECTIONS / (uint64_t)connections;
    guard_pass(ms);
    for (; ms < PING_MS + 1000; ms += step) {
        guard_pass(step - 1);
        world_turn(w);
    }
    guard_check(world_counter(w, TW_COUNTER_PINGS_OUT) == (uint64_t)connections,
                "not everybody was pinged");
}

static void answer_all(world *w, const int lot[2], int batches) {
    int fds[BATCH];
    uint8_t pong[16];
    size_t len = client_frame(pong, 10, "", 0);
    uint64_t before = world_counter(w, TW_COUNTER_BYTES_IN);
    for (int i = 0; i < batches; i++) {
        fetch(lot, fds);
        for (int k = 0; k < BATCH; k++) {
            guard_check(client_drain(fds[k]) == 2, "a ping did not arrive");
            client_send(fds[k], pong, len);
        }
        world_turns(w, 2);
        park(lot, fds);
    }
    guard_check(world_counter(w, TW_COUNTER_BYTES_IN) ==
                    before + (uint64_t)(batches * BATCH) * len,
                "not all pongs were read");
}

uint64_t work_sweep(void) {
    world w;
    int lot[2];
    int batches = count_batches();
    guard_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lot) == 0,
                "no socket pair");
    world_open(&w);
    open_all(&w, lot, batches);
    guard_begin();
    ping_all(&w, batches * BATCH);
    answer_all(&w, lot, batches);
    close(lot[0]);
    close(lot[1]);
    world_close(&w);
    return (uint64_t)(batches * BATCH);
}
