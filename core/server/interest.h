/* interest.h - a worker's interest in a channel: tw__channel.user.
 *
 * Made with the first subscriber, gone with the last. SPDX-License-Identifier:
 * MIT */
#ifndef TW_SERVER_INTEREST_H
#define TW_SERVER_INTEREST_H

#include "hub/hub.h"
#include "net/wheel.h"
#include "tidewire/tidewire.h"

typedef struct tw__channel_interest {
    tw_server *server;
    tw__channel *channel; /* NULL: dropped before it was confirmed */
    uint32_t users;       /* subscriptions, joined or under way */
    bool is_answered;     /* the broker's callback came */
    bool is_confirmed;
    bool is_asking;        /* whether the home has counted the waiters */
    tw__list waiters;      /* for the confirmation, or for that answer */
    tw__list uncounted;    /* waiters for the next answer */
    tw__wheel_entry batch; /* when a gathered batch is due */
} tw__channel_interest;

/* The connection's subscription of the channel, or NULL. */
tw__sub *tw__conn_find_sub(const tw_conn *conn, const tw__channel *channel);

#endif
