/* floor.h - what the two floor programs share: the least a server must do.
 *
 * One epoll loop and plain blocking-free sockets; no limits, no heartbeats, no
 * fairness. It is what the kernel costs, and so what any server is measured
 * against. /sub subscribes, /pub publishes to a channel, /room does both and
 * hears the others, every other path echoes; ?channel=NAME,NAME,... says
 * where, "bench" by default.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_BENCH_FLOOR_H
#define TW_TESTS_BENCH_FLOOR_H

#include <stddef.h>
#include <stdint.h>

#include "floor_channel.h"

#define FLOOR_FDS_MAX 1048576

/* How a program sends. Frames are ready to go out as they are. */
typedef struct floor_hooks {
    void (*on_echo)(int fd, const uint8_t *frame, size_t len);
    /* `except` does not get it; -1: all do. */
    void (*on_publish)(floor_channel *channel, const uint8_t *frame, size_t len,
                       int except);
    void (*on_read_end)(int fd); /* after the messages of one read */
    void (*on_turn)(void);       /* after all reads of one turn */
} floor_hooks;

/* How long publications may be held, in ns, and until when they are: the next
 * turn begins then at the latest. 0: not at all. */
extern uint64_t floor_hold_ns, floor_due_ns;

uint64_t floor_now_ns(void);

/* Sends now; what the kernel does not take is kept and sent later. */
void floor_send(int fd, const void *data, size_t len);

/* Listens on 127.0.0.1, at the port in argv[1] (0: any), prints
 * "listening on 127.0.0.1:PORT" and serves until it is killed. argv[2] is for
 * how many microseconds publications are held (0). */
int floor_main(int argc, char **argv, const floor_hooks *hooks);

#endif
