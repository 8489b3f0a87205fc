/* interest.h - a worker's interest in a channel: tw__channel.user.
 *
 * Made with the first subscriber, gone with the last. SPDX-License-Identifier:
 * MIT */
#ifndef TW_SERVER_INTEREST_H
#define TW_SERVER_INTEREST_H

#include "hub/hub.h"
#include "net/wheel.h"
#include "server/waiter.h"
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

/* Declares interest in a channel that has none. 0 or the broker's error. */
int tw__channel_interest_open(tw_server *server, tw__channel *channel);

/* A subscription less; the last one drops the interest. */
void tw__channel_interest_release(tw__channel *channel);

/* Who is about to join counts. True: the home has counted them, or will before
 * it confirms. */
bool tw__channel_interest_tell_count(const tw__channel *channel);

/* Asks for those who came since the last question. When it cannot be asked they
 * are not kept waiting: a count that lags is better than no subscription. */
void tw__channel_interest_ask(tw__channel_interest *interest);

/* The waiter's callback is due, at the end of a turn. */
void tw__channel_interest_answer(tw_server *server, tw__waiter *waiter,
                                 int status);

/* subscribe.c: the waiter's subscription joins its channel. 0 or TW_ENOMEM. */
int tw__waiter_join(tw__waiter *waiter);

/* The connection's subscription of the channel, or NULL. */
tw__sub *tw__conn_find_sub(const tw_conn *conn, const tw__channel *channel);

#endif
