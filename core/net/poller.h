/* poller.h - readiness of many descriptors for the price of one loop handle.
 *
 * One epoll descriptor of our own, nested in the loop through a single
 * uv_poll_t (measured: 120 bytes a connection instead of 285 to 372). Level
 * triggered. A loop may have several pollers.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_POLLER_H
#define TW_NET_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"

enum { TW__READ = 1, TW__WRITE = 2, TW__HANGUP = 4 };

/* Lives inside the owner of a descriptor; the callback finds the owner by
 * TW__CONTAINER. `events` is a set of the three flags above; an error on the
 * descriptor, or its end in both directions, shows as TW__READ | TW__HANGUP
 * whatever the interest is; TW__HANGUP as an interest tells when the peer shut
 * its side. The callback may add, modify, remove and close any descriptor, its
 * own too: nothing is delivered that was removed, or that is no longer of
 * interest, also when the event had been fetched before. The memory of a tw__io
 * that was removed in a turn stays valid until the turn ends (free it from a
 * TW__TURN_CLOSE hook). */
typedef struct tw__io tw__io;
struct tw__io {
    void (*on_io)(tw__io *io, unsigned events);
    int fd; /* -1 when closed; the poller skips events of such a one */
};

typedef struct tw__poller {
    tw__loop *loop;
    int _epoll;
    uv_poll_t _handle;
    struct epoll_event *_batch; /* fetched and not yet delivered */
    unsigned _batch_len;
    bool _is_open;
} tw__poller;

/* 0, TW_ENOMEM or TW_EIO. The struct must not move while it is open. */
int tw__poller_init(tw__poller *poller, tw__loop *loop);
/* Asynchronous end: the memory of `poller` must live until the loop is closed.
 */
void tw__poller_close(tw__poller *poller);

/* Watches io->fd, or changes what is watched for. `interest` is a set of the
 * three flags. TW_EIO (with errno) when the kernel refuses. */
int tw__poller_add(tw__poller *poller, tw__io *io, unsigned interest);
int tw__poller_modify(tw__poller *poller, tw__io *io, unsigned interest);

/* Stops watching; before the descriptor is closed. Does nothing on one that is
 * closed (fd -1). */
void tw__poller_remove(tw__poller *poller, tw__io *io);

#endif
