/* resolve.h - addresses of a name, looked up without holding the loop up.
 *
 * The system's resolver may block for seconds, so each look-up has a thread of
 * its own, which ends with it and touches nothing of the loop's: it fills a
 * block that is shared with nobody else and writes to an eventfd. Who is not
 * interested any more leaves the block to the thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_RESOLVE_H
#define TW_NET_RESOLVE_H

#include "net/poller.h"
#include "net/socket.h"

enum { TW__RESOLVED_MAX = 8 };

typedef struct tw__resolve_job tw__resolve_job;

typedef struct tw__resolve tw__resolve;
struct tw__resolve {
    /* `count` addresses, borrowed; 0: none could be found. */
    void (*cb)(tw__resolve *resolve, const tw__address *addresses,
               size_t count);
    tw__poller *_poller;
    tw__resolve_job *_job; /* NULL: none is under way */
    tw__io _io;
};

/* Begins, with `cb` set and nothing under way; `cb` is called once, from the
 * poller. 0, TW_EINVALID (too long a name), TW_ENOMEM or TW_EIO. The struct
 * must not move meanwhile. */
int tw__resolve_start(tw__resolve *resolve, tw__poller *poller,
                      const char *host, const char *port);

/* `cb` is not called any more. Does nothing when nothing is under way. */
void tw__resolve_cancel(tw__resolve *resolve);

#endif
