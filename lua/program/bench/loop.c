/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "clock.h"
#include "conn.h"
#include "frame.h"
#include "memory.h"

#define TICK_NS (10 * TW__BENCH_MS)
#define EVENTS 512

/* What one read may bring besides the rest of a message: enough to be worth
 * its system call, small enough to stay in the cache. */
#define READ_BYTES 131072

int tw__bench_loop_init(tw__bench_loop *loop, size_t max_message) {
    memset(loop, 0, sizeof *loop);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        return -errno;
    }
    loop->max_message = max_message;
    loop->in_cap = max_message + TW__BENCH_HEADER_MAX + READ_BYTES;
    loop->in = tw__bench_alloc(loop->in_cap, 1);
    loop->now = tw__bench_now();
    if (getrandom(&loop->random, sizeof loop->random, 0) < 0) {
        loop->random = loop->now ^ (uint64_t)getpid() << 32;
    }
    loop->random |= 1;
    return 0;
}

void tw__bench_loop_deinit(tw__bench_loop *loop) {
    tw__bench_inflater_deinit(&loop->inflater);
    close(loop->epoll);
    free(loop->in);
    free(loop->out);
    free(loop->waiting);
}

int tw__bench_loop_add(tw__bench_loop *loop, int fd, tw__bench_fd *source,
                       uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.ptr = source}};
    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

void tw__bench_loop_change(tw__bench_loop *loop, int fd, tw__bench_fd *source,
                           uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.ptr = source}};
    epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event);
}

static int wait_ms(const tw__bench_loop *loop) {
    uint64_t now = tw__bench_now();
    return now >= loop->next_tick
               ? 0
               : (int)((loop->next_tick - now) / TW__BENCH_MS) + 1;
}

bool tw__bench_loop_turn(tw__bench_loop *loop) {
    struct epoll_event events[EVENTS];
    int count = epoll_wait(loop->epoll, events, EVENTS, wait_ms(loop));
    loop->now = tw__bench_now();
    for (int i = 0; i < count; i++) {
        tw__bench_fd *source = events[i].data.ptr;
        source->on_ready(source, events[i].events);
    }
    if (loop->now < loop->next_tick) {
        return false;
    }
    loop->next_tick = loop->now + TICK_NS;
    tw__bench_conn_deadlines(loop);
    return true;
}

uint64_t tw__bench_loop_random(tw__bench_loop *loop) {
    uint64_t x = loop->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    loop->random = x;
    return x * 0x2545f4914f6cdd1dULL;
}
