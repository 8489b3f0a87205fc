/* interest.c - a worker's interest in a channel, and who waits for it.
 *
 * A worker declares interest when its first connection asks for a channel, and
 * drops it with the last. Whoever is told of a subscription, on whichever
 * worker, finds it counted: where this worker is the channel's home that is so
 * at once; elsewhere one question asks for all who came since the last.
 *
 * SPDX-License-Identifier: MIT */
#include "server/interest.h"

#include "base/alloc.h"
#include "server/server.h"

void tw__channel_interest_answer(tw_server *server, tw__waiter *waiter,
                                 int status) {
    waiter->status = status;
    tw__list_remove(&waiter->node);
    tw__list_push(&server->waiters, &waiter->node);
    tw__loop_wake_for(&server->loop, TW__TURN_HUB);
}

/* They join here and now, since what comes next may be a publication; their
 * callbacks are called before it is walked. */
static void answer_all(tw__channel_interest *interest, int status) {
    while (!tw__list_is_empty(&interest->waiters)) {
        tw__waiter *waiter =
            TW__CONTAINER(interest->waiters.next, tw__waiter, node);
        if (status == 0) {
            tw__recover_join(interest, waiter);
        } else {
            tw__channel_interest_answer(interest->server, waiter, status);
        }
    }
    tw__recover_run(interest);
}

bool tw__channel_interest_is_over(tw__channel_interest *interest) {
    bool is_over = interest->channel == NULL;
    if (is_over && interest->callbacks == 0) {
        tw__free(interest);
    }
    return is_over;
}

static void on_counted(int status, uint64_t count, void *arg);

void tw__channel_interest_ask(tw__channel_interest *interest) {
    tw__broker *broker = interest->server->broker;
    const tw__channel *channel = interest->channel;
    if (interest->is_asking || tw__list_is_empty(&interest->uncounted)) {
        return;
    }
    tw__list_move_all(&interest->waiters, &interest->uncounted);
    interest->is_asking =
        broker->ops->count(broker, channel->name, channel->name_len, on_counted,
                           interest) == 0;
    if (interest->is_asking) {
        interest->callbacks++;
    } else {
        answer_all(interest, 0);
    }
}

static void on_counted(int status, uint64_t count, void *arg) {
    tw__channel_interest *interest = arg;
    (void)count;
    interest->callbacks--;
    if (tw__channel_interest_is_over(interest)) {
        return;
    }
    interest->is_asking = false;
    answer_all(interest, status == TW_ECLOSED ? status : 0);
    tw__channel_interest_ask(interest);
}

static void on_confirmed(int status, const tw__position *position, void *arg) {
    tw__channel_interest *interest = arg;
    interest->callbacks--;
    if (tw__channel_interest_is_over(interest)) {
        return;
    }
    interest->is_answered = true;
    interest->is_confirmed = status == 0;
    if (status != 0) {
        tw__list_move_all(&interest->waiters, &interest->uncounted);
    } else {
        interest->position = *position;
    }
    answer_all(interest, status);
    tw__channel_interest_ask(interest);
}

static void on_batch_due(tw__wheel_entry *entry) {
    tw__channel_interest *interest =
        TW__CONTAINER(entry, tw__channel_interest, batch);
    tw__channel_set_due(interest->channel);
    tw__loop_wake_for(&interest->server->loop, TW__TURN_HUB);
}

int tw__channel_interest_open(tw_server *server, tw__channel *channel) {
    tw__channel_interest *interest = tw__calloc(1, sizeof *interest);
    if (interest == NULL) {
        return TW_ENOMEM;
    }
    interest->server = server;
    interest->channel = channel;
    interest->batch.cb = on_batch_due;
    tw__list_init(&interest->waiters);
    tw__list_init(&interest->uncounted);
    tw__list_init(&interest->recovering);
    tw__list_init(&interest->asked);
    tw__list_init(&interest->held);
    tw__list_init(&interest->lapsing);
    tw__list_init(&interest->subscriptions);
    tw__list_init(&interest->lost_news);
    int err = server->broker->ops->interest(server->broker, channel->name,
                                            channel->name_len, on_confirmed,
                                            interest);
    if (err != 0) {
        tw__free(interest);
        return err;
    }
    interest->callbacks++;
    channel->user = interest;
    return 0;
}

bool tw__channel_interest_tell_count(const tw__channel *channel) {
    const tw__channel_interest *interest = channel->user;
    tw__broker *broker = interest->server->broker;
    return broker->ops->set_count(broker, channel->name, channel->name_len,
                                  interest->users);
}

static void drop(tw__channel *channel) {
    tw__channel_interest *interest = channel->user;
    tw_server *server = interest->server;
    channel->user = NULL;
    interest->channel = NULL;
    tw__position_drop(interest);
    tw__list_remove(&interest->lost_news);
    tw__clockwork_clear(&server->link_clock, &interest->batch);
    if (channel->pending_count > 0) {
        /* Nobody is left to get it, but the channel may live on by names that
         * are still readable, and its next batch must find it empty. */
        tw__channel_set_due(channel);
        tw__loop_wake_for(&server->loop, TW__TURN_HUB);
    }
    server->broker->ops->drop(server->broker, channel->name, channel->name_len);
    tw__channel_interest_is_over(interest);
}

void tw__channel_interest_release(tw__channel *channel) {
    tw__channel_interest *interest = channel->user;
    if (--interest->users > 0 || interest->holders > 0) {
        tw__channel_interest_tell_count(channel);
    } else {
        drop(channel);
    }
}

void tw__channel_interest_unhold(tw__channel *channel) {
    tw__channel_interest *interest = channel->user;
    if (--interest->holders == 0 && interest->users == 0) {
        drop(channel);
    }
}
