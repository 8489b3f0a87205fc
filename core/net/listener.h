/* listener.h - accepts connections in batches, fairly, and survives a shortage
 * of descriptors.
 *
 * Out of descriptors (EMFILE, ENFILE): a reserve descriptor is given up to
 * accept and close the newcomers of this turn (on_refused counts them), then
 * the listener rests for 100 ms: no busy loop, and nobody waits in vain. When
 * memory is short it rests too, and nobody is refused.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_LISTENER_H
#define TW_NET_LISTENER_H

#include "net/clockwork.h"
#include "net/poller.h"
#include "net/socket.h"

typedef struct tw__listener tw__listener;
struct tw__listener {
    /* The descriptor is given; non-blocking, close-on-exec. Both callbacks may
     * stop the listener; its memory then stays until the turn ends. */
    void (*on_accept)(tw__listener *listener, int fd, const tw__address *peer);
    void (*on_refused)(tw__listener *listener, int error);
    void *arg;
    tw__io _io;
    tw__poller *_poller;
    tw__clockwork *_clockwork;
    tw__wheel_entry _rest;
    int _reserve; /* -1 while there is none */
    bool _is_paused;
};

/* `fd` is listening already and is taken. The callbacks and arg are set before,
 * the rest of the struct is zero or was stopped. Accepts at most 64 a turn.
 * 0, TW_ENOMEM or TW_EIO (errno). */
int tw__listener_start(tw__listener *listener, tw__poller *poller,
                       tw__clockwork *clockwork, int fd);

/* Accepts all who wait in the kernel's queue, paused or not; one who cannot be
 * is left there. Before a stop. Does nothing on a listener that is not started.
 */
void tw__listener_accept_queued(tw__listener *listener);

/* While paused nobody is accepted; newcomers wait in the kernel's queue. Does
 * nothing on a listener that is not started. */
void tw__listener_pause(tw__listener *listener);
void tw__listener_resume(tw__listener *listener);

/* Stops watching. Closes the descriptor too, unless `keep_fd`. Does nothing on
 * a listener that is not started. */
void tw__listener_stop(tw__listener *listener, bool keep_fd);

#endif
