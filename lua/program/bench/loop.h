/* loop.h - one hand's epoll loop with what its connections share: the read
 * buffer, the write buffer and the source of masks.
 *
 * Single-threaded. A source stays valid while the loop lives, since an event
 * for it may already have been fetched.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_LOOP_H
#define TW_BENCH_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "inflate.h"

struct tw__bench_conn;

/* Something with a descriptor; the first member of what it belongs to. */
typedef struct tw__bench_fd {
    void (*on_ready)(struct tw__bench_fd *fd, uint32_t events);
} tw__bench_fd;

typedef struct tw__bench_loop {
    int epoll;
    uint64_t now; /* refreshed once per turn; exact where times are taken */
    size_t max_message;
    uint8_t *in; /* whole messages are parsed in place here */
    size_t in_cap;
    uint8_t *out; /* frames of the connection that is writing */
    size_t out_len, out_cap;
    uint64_t random;
    tw__bench_inflater inflater;
    uint64_t next_tick;
    /* Connections that wait for something with a deadline. */
    struct tw__bench_conn **waiting;
    size_t waiting_len, waiting_cap;
} tw__bench_loop;

/* Ready to use, or a negative errno. */
int tw__bench_loop_init(tw__bench_loop *loop, size_t max_message);
void tw__bench_loop_deinit(tw__bench_loop *loop);

/* Watches a descriptor for epoll's `events`; 0 or a negative errno. */
int tw__bench_loop_add(tw__bench_loop *loop, int fd, tw__bench_fd *source,
                       uint32_t events);
void tw__bench_loop_change(tw__bench_loop *loop, int fd, tw__bench_fd *source,
                           uint32_t events);

/* One turn: waits at most until the next tick and handles what is ready. True
 * about every 10 ms, after the deadlines have been looked at. */
bool tw__bench_loop_turn(tw__bench_loop *loop);

/* Cheap random bits, for masks and jitter. */
uint64_t tw__bench_loop_random(tw__bench_loop *loop);

#endif
