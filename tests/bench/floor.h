/* floor.h - what the two floor programs share: the least a server must do.
 *
 * One epoll loop and plain blocking-free sockets; no limits, no heartbeats, no
 * fairness. It is what the kernel costs, and so what any server is measured
 * against. /sub subscribes, /pub publishes to all subscribers, every other
 * path echoes.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_BENCH_FLOOR_H
#define TW_TESTS_BENCH_FLOOR_H

#include <stddef.h>
#include <stdint.h>

/* How a program sends. Frames are ready to go out as they are. */
typedef struct floor_hooks {
    void (*on_echo)(int fd, const uint8_t *frame, size_t len);
    void (*on_publish)(const uint8_t *frame, size_t len);
    void (*on_read_end)(int fd); /* after the messages of one read */
    void (*on_turn)(void);       /* after all reads of one turn */
} floor_hooks;

extern int *floor_subscribers;
extern size_t floor_subscribers_len;

/* Sends now; what the kernel does not take is kept and sent later. */
void floor_send(int fd, const void *data, size_t len);

/* Bytes that grow at the end. */
typedef struct floor_bytes {
    uint8_t *data;
    size_t len, cap;
} floor_bytes;

void floor_append(floor_bytes *bytes, const void *data, size_t len);

/* Listens on 127.0.0.1, at the port in argv[1] (0: any), prints
 * "listening on 127.0.0.1:PORT" and serves until it is killed. */
int floor_main(int argc, char **argv, const floor_hooks *hooks);

#endif
