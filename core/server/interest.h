/* interest.h - a worker's interest in a channel: tw__channel.user.
 *
 * Made with the first subscriber, gone with the last. SPDX-License-Identifier:
 * MIT */
#ifndef TW_SERVER_INTEREST_H
#define TW_SERVER_INTEREST_H

#include "bus/broker.h"
#include "hub/hub.h"
#include "net/wheel.h"
#include "server/conn.h"
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
    tw__position position; /* up to which publications went into the channel
                              here; without an epoch: it keeps nothing */

    /* recover.c: subscribers that need what is kept. */
    tw__list recovering;    /* waiters */
    tw__list asked;         /* those of them whom the next answer is for */
    bool is_recovering;     /* it is on its way */
    bool is_recovery_stale; /* ... and about an epoch that is over */

    /* position.c: a hole in the publications. */
    tw__list held; /* publications behind it: tw__pub.node */
    size_t held_bytes;
    bool is_filling;       /* what is missing was asked for */
    bool is_fill_stale;    /* ... in an epoch that is over */
    bool is_doubtful;      /* some may be missing behind what is held */
    bool is_pausing;       /* until the channel is walked: too much is in it */
    bool is_lapsing;       /* until then, and subscribers are to be told */
    uint64_t known;        /* up to here the home has told what there is */
    tw__position lapsed;   /* ... that they have what was up to here */
    tw__list lapsing;      /* in the server's list */
    unsigned callbacks;    /* that still come: it is freed with the last */
    tw__wheel_entry batch; /* when a gathered batch is due */

    tw__list subscriptions; /* of the host, see subscription.c */
    uint32_t holders;       /* how many; not counted as users */
    tw__list lost_news;     /* in the server's list, see presence_news.c */
    uint64_t members;       /* of the channel, as heard last */
} tw__channel_interest;

/* Declares interest in a channel that has none. 0 or the broker's error. */
int tw__channel_interest_open(tw_server *server, tw__channel *channel);

/* A subscription less; the last one, where nobody holds the interest either,
 * drops it. */
void tw__channel_interest_release(tw__channel *channel);

/* A subscription of the host less: the same. */
void tw__channel_interest_unhold(tw__channel *channel);

/* Who is about to join counts. True: the home has counted them, or will before
 * it confirms. */
bool tw__channel_interest_tell_count(const tw__channel *channel);

/* Asks for those who came since the last question. When it cannot be asked they
 * are not kept waiting: a count that lags is better than no subscription. */
void tw__channel_interest_ask(tw__channel_interest *interest);

/* Frees a dropped one when no callback comes any more; true: it is dropped. */
bool tw__channel_interest_is_over(tw__channel_interest *interest);

/* The waiter's callback is due, at the end of a turn. */
void tw__channel_interest_answer(tw_server *server, tw__waiter *waiter,
                                 int status);

/* recover.c: confirmed and counted; it joins when it has what it missed, which
 * tw__recover_run asks for. */
void tw__recover_join(tw__channel_interest *interest, tw__waiter *waiter);
/* False: it may as well join when its callback is due. */
bool tw__recover_is_due(const tw__channel_interest *interest,
                        const tw__waiter *waiter);
void tw__recover_run(tw__channel_interest *interest);
/* replay.c: sends a subscriber that has joined what it missed. */
void tw__recover_replay(tw__waiter *waiter, const tw__channel *channel);
void tw__recovery_unref(tw__recovery *recovery); /* NULL is allowed */

/* position.c: a sequenced publication of the channel came (taken), or some were
 * lost; the channel stands elsewhere. */
void tw__position_take(tw__channel_interest *interest, tw__pub *pub);
void tw__position_doubt(tw__channel_interest *interest);
/* What is in the channel does not reach all of its subscribers. */
void tw__position_lost(tw__channel_interest *interest);
void tw__position_set(tw__channel_interest *interest,
                      const tw__position *position);
void tw__position_drop(tw__channel_interest *interest);
/* Whether something has to come or to be done before the next one enters. */
bool tw__position_is_waiting(const tw__channel_interest *interest);
/* Those whose channels have been walked: their subscribers are told. */
void tw__position_run(tw_server *server);
static inline bool tw__is_positioned(const tw__position *position) {
    return position->epoch[0] != '\0';
}

/* deliver.c: into the channel, and to the host's subscriptions; taken. */
void tw__server_enter_pub(tw_server *server, tw__channel *channel,
                          tw__pub *pub);
/* Whether too much has gathered in it: then enter drops it. */
bool tw__server_is_full(const tw_server *server, const tw__channel *channel,
                        const tw__pub *pub);
/* Counts what could not enter. */
void tw__server_drop_pub(tw_server *server, const tw__channel *channel);
/* Something has gathered in the channel: it is walked when its time comes. */
void tw__channel_make_due(tw_server *server, tw__channel *channel,
                          bool was_empty);

/* lapse.c: the connection misses what is behind `since`. It gets nothing of the
 * channel until its hook is told; at once, or (`is_drained`) when its queue is
 * empty. Without that hook it goes on. */
void tw__conn_lapse(tw_conn *conn, tw__sub *sub, const tw__position *since,
                    bool is_drained);
void tw__conn_drop_lapse(tw_conn *conn, const tw__channel *channel);
void tw__conn_drop_lapses(tw_conn *conn);
void tw__conn_lapses_drained(tw_conn *conn);
/* Calls the next hook; its result. */
int tw__conn_run_lapse(tw_conn *conn);

/* The number of who waits for it, 0: nobody. */
static inline uint32_t tw__sub_waiter(const tw__sub *sub) {
    return sub->mark & ~TW__SUB_FLAGS;
}

static inline void tw__sub_forget_waiter(tw__sub *sub) {
    sub->mark &= TW__SUB_FLAGS;
}

static inline bool tw__sub_is_confirmed(const tw__sub *sub) {
    return (sub->mark & TW__SUB_CONFIRMED) != 0;
}

/* subscribe.c: ends it, and takes it out of the connection. */
void tw__conn_end_sub(tw_conn *conn, tw__sub *sub);

/* waiting.c: the waiter's subscription joins its channel where that stands
 * now, unless it has. 0 or TW_ENOMEM. */
int tw__waiter_join(tw__waiter *waiter);

/* The connection's subscription of the channel, or NULL. */
tw__sub *tw__conn_find_sub(const tw_conn *conn, const tw__channel *channel);

#endif
