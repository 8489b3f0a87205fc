/* mailbox.h - the one door for other threads.
 *
 * tw__mailbox_post may be called from any thread; the callback runs on the
 * loop's thread, in the order of posting per thread. The loop is woken only
 * when the box was empty; callbacks run outside the lock.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_MAILBOX_H
#define TW_NET_MAILBOX_H

#include <pthread.h>

#include "net/loop.h"

typedef struct tw__post tw__post;

typedef struct tw__mailbox {
    pthread_mutex_t _lock; /* guards the next three */
    tw__post *_first, **_last;
    bool _is_closed;
    tw__post *_taken,
        **_taken_last; /* the loop's: out of the box, not yet run */
    uv_async_t _async;
} tw__mailbox;

/* 0, TW_ENOMEM or TW_EIO. The struct must not move while it is open. */
int tw__mailbox_init(tw__mailbox *mailbox, tw__loop *loop);

/* After this posts answer TW_ECLOSED. Posts that were not run yet get their
 * callback with status TW_ECLOSED, in order, before this returns. The memory
 * must live until the loop is closed and no thread posts any more. */
void tw__mailbox_close(tw__mailbox *mailbox);

/* `cb(status, arg)`: 0 on the loop, TW_ECLOSED when the box went away first.
 * Returns 0, TW_ENOMEM, or TW_ECLOSED (cb is not called for an error). */
int tw__mailbox_post(tw__mailbox *mailbox, void (*cb)(int status, void *arg),
                     void *arg);

#endif
