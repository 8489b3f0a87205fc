/* subscribe.c - subscriptions of connections and the worker's interest in
 * channels.
 *
 * A worker declares interest in a channel when its first connection asks for
 * it, and drops it with the last. A subscriber joins when the home has
 * confirmed the interest and has counted the subscriber: whoever is told of it,
 * on whichever worker, finds it counted. Where this worker is the home, that is
 * at the end of the turn; elsewhere one question asks for all who came since
 * the last. Callbacks start at the end of a turn, too, never inside of a call
 * from a hook.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "server/codec.h"
#include "server/interest.h"
#include "server/server.h"
#include "server/waiter.h"

/* ---- interest ---- */

static void answer(tw_server *server, tw__waiter *waiter, int status) {
    waiter->status = status;
    tw__list_remove(&waiter->node);
    tw__list_push(&server->waiters, &waiter->node);
    tw__loop_wake_for(&server->loop, TW__TURN_HUB);
}

static int join_waiter(tw__waiter *waiter);

/* They join here and now, since what comes next may be a publication; their
 * callbacks are called before it is walked. */
static void answer_all(tw__channel_interest *interest, int status) {
    while (!tw__list_is_empty(&interest->waiters)) {
        tw__waiter *waiter =
            TW__CONTAINER(interest->waiters.next, tw__waiter, node);
        answer(interest->server, waiter,
               status == 0 ? join_waiter(waiter) : status);
    }
}

static void on_counted(int status, uint64_t count, void *arg);

/* Asks for those who came since the last question. When it cannot be asked they
 * are not kept waiting: a count that lags is better than no subscription. */
static void ask_if_counted(tw__channel_interest *interest) {
    tw__broker *broker = interest->server->broker;
    const tw__channel *channel = interest->channel;
    if (interest->is_asking || tw__list_is_empty(&interest->uncounted)) {
        return;
    }
    tw__list_move_all(&interest->waiters, &interest->uncounted);
    interest->is_asking =
        broker->ops->count(broker, channel->name, channel->name_len, on_counted,
                           interest) == 0;
    if (!interest->is_asking) {
        answer_all(interest, 0);
    }
}

static void on_counted(int status, uint64_t count, void *arg) {
    tw__channel_interest *interest = arg;
    (void)count;
    interest->is_asking = false;
    if (interest->channel == NULL) {
        tw__free(interest); /* dropped meanwhile */
        return;
    }
    answer_all(interest, status == TW_ECLOSED ? status : 0);
    ask_if_counted(interest);
}

static void on_confirmed(int status, const tw__position *position, void *arg) {
    tw__channel_interest *interest = arg;
    (void)position; /* history will want it */
    if (interest->channel == NULL) {
        tw__free(interest); /* dropped meanwhile */
        return;
    }
    interest->is_answered = true;
    interest->is_confirmed = status == 0;
    if (status != 0) {
        tw__list_move_all(&interest->waiters, &interest->uncounted);
    }
    answer_all(interest, status);
    ask_if_counted(interest);
}

static void on_batch_due(tw__wheel_entry *entry) {
    tw__channel_interest *interest =
        TW__CONTAINER(entry, tw__channel_interest, batch);
    tw__channel_set_due(interest->channel);
    tw__loop_wake_for(&interest->server->loop, TW__TURN_HUB);
}

static int open_interest(tw_server *server, tw__channel *channel) {
    tw__channel_interest *interest = tw__calloc(1, sizeof *interest);
    if (interest == NULL) {
        return TW_ENOMEM;
    }
    interest->server = server;
    interest->channel = channel;
    interest->batch.cb = on_batch_due;
    tw__list_init(&interest->waiters);
    tw__list_init(&interest->uncounted);
    int err = server->broker->ops->interest(server->broker, channel->name,
                                            channel->name_len, on_confirmed,
                                            interest);
    if (err != 0) {
        tw__free(interest);
        return err;
    }
    channel->user = interest;
    return 0;
}

/* Who is about to join counts. True: the home has counted them, or will before
 * it confirms. */
static bool tell_count(const tw__channel *channel) {
    const tw__channel_interest *interest = channel->user;
    tw__broker *broker = interest->server->broker;
    return broker->ops->set_count(broker, channel->name, channel->name_len,
                                  interest->users);
}

static void release_interest(tw__channel *channel) {
    tw__channel_interest *interest = channel->user;
    tw_server *server = interest->server;
    if (--interest->users > 0) {
        tell_count(channel);
        return;
    }
    channel->user = NULL;
    interest->channel = NULL;
    tw__clockwork_clear(&server->link_clock, &interest->batch);
    if (channel->pending_count > 0) {
        /* Nobody is left to get it, but the channel may live on by names that
         * are still readable, and its next batch must find it empty. */
        tw__channel_set_due(channel);
        tw__loop_wake_for(&server->loop, TW__TURN_HUB);
    }
    server->broker->ops->drop(server->broker, channel->name, channel->name_len);
    if (interest->is_answered && !interest->is_asking) {
        tw__free(interest); /* else a callback still comes */
    }
}

/* ---- the connection's list ---- */

static uint32_t waiter_number(const tw__sub *sub) {
    return sub->mark & ~TW__SUB_CONFIRMED;
}

static void forget_waiter(tw__sub *sub) {
    sub->mark &= TW__SUB_CONFIRMED;
}

static bool is_confirmed(const tw__sub *sub) {
    return (sub->mark & TW__SUB_CONFIRMED) != 0;
}

static tw__sub *find(const tw_conn *conn, tw_str name) {
    tw__sub *subs = tw__conn_subs(conn);
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        const tw__channel *channel = subs[i].channel;
        if (channel->name_len == name.len &&
            memcmp(channel->name, name.data, name.len) == 0) {
            return &subs[i];
        }
    }
    return NULL;
}

tw__sub *tw__conn_find_sub(const tw_conn *conn, const tw__channel *channel) {
    tw__sub *subs = tw__conn_subs(conn);
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        if (subs[i].channel == channel) {
            return &subs[i];
        }
    }
    return NULL;
}

/* Room for one more. The first has its place in the connection itself. */
static int reserve(tw_conn *conn) {
    if (conn->sub_count < 1u << conn->sub_bits) {
        return 0;
    }
    size_t bytes = sizeof(tw__sub) << (conn->sub_bits + 1);
    tw__sub *old = conn->sub_bits > 0 ? conn->subs.many : NULL;
    tw__sub *subs = tw__realloc(old, bytes);
    if (subs == NULL) {
        return TW_ENOMEM;
    }
    if (old == NULL) {
        subs[0] = conn->subs.one;
    }
    conn->subs.many = subs;
    conn->sub_bits++;
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        tw__sub_moved(&subs[i]);
    }
    return 0;
}

static void remove_sub(tw_conn *conn, tw__sub *sub) {
    tw__channel *channel = sub->channel;
    const tw__sub *last = &tw__conn_subs(conn)[--conn->sub_count];
    if (sub != last) {
        *sub = *last;
        tw__sub_moved(sub);
    }
    tw__channel_close(channel);
    conn->server->page->gauges[TW_GAUGE_SUBSCRIPTIONS]--;
    tw__conn_refresh_fast(conn);
}

static void leave(tw_conn *conn, tw__sub *sub) {
    tw_server *server = conn->server;
    tw__channel *channel = sub->channel;
    if (sub->index != TW__NOT_JOINED) {
        uint64_t owed = tw__channel_leave(sub);
        tw__count_fate(server, channel->class.row, TW__CLOSED, owed);
    }
    if (waiter_number(sub) != 0) {
        answer(server, tw__waiters_at(&server->all_waiters, waiter_number(sub)),
               TW_ECLOSED);
        forget_waiter(sub);
    }
    release_interest(channel);
}

/* ---- joining ---- */

static int join(tw_conn *conn, tw__sub *sub) {
    int err = tw__channel_join(sub, -1, tw__conn_codec(conn)->number);
    if (err == 0) {
        sub->mark |= TW__SUB_CONFIRMED;
        tw__conn_refresh_fast(conn);
    }
    return err;
}

static tw__sub *sub_of(const tw__waiter *waiter) {
    const tw_conn *conn = waiter->conn;
    tw__sub *subs = tw__conn_subs(conn);
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        if (waiter_number(&subs[i]) == waiter->number) {
            return &subs[i];
        }
    }
    return NULL;
}

static int join_waiter(tw__waiter *waiter) {
    tw__sub *sub = sub_of(waiter);
    bool is_to_join = sub != NULL && sub->index == TW__NOT_JOINED;
    return is_to_join ? join(waiter->conn, sub) : 0;
}

static void finish(tw__waiter *waiter) {
    tw_conn *conn = waiter->conn;
    tw__sub *sub = sub_of(waiter);
    int status = waiter->status == 0 ? join_waiter(waiter) : waiter->status;
    if (sub != NULL) {
        forget_waiter(sub);
        if (status != 0) {
            leave(conn, sub);
            remove_sub(conn, sub);
        }
    }
    tw_subscribe_cb cb = waiter->cb;
    void *arg = waiter->arg;
    tw__waiters_remove(&conn->server->all_waiters, waiter);
    if (cb != NULL) {
        cb(conn, status, arg);
    }
}

/* A connection with a waiter is not freed: its death answers the waiter, and
 * waiters run before the dead are swept. */
void tw__server_run_waiters(tw_server *server) {
    tw__list todo, *node;
    tw__list_init(&todo);
    tw__list_move_all(&todo, &server->waiters);
    while ((node = tw__list_shift(&todo)) != NULL) {
        finish(TW__CONTAINER(node, tw__waiter, node));
    }
}

static void add_sub(tw_conn *conn, tw__channel *channel, tw__waiter *waiter) {
    tw__channel_interest *interest = channel->user;
    tw__conn_subs(conn)[conn->sub_count++] =
        (tw__sub){channel, conn, TW__NOT_JOINED, waiter->number};
    conn->server->page->gauges[TW_GAUGE_SUBSCRIPTIONS]++;
    interest->users++;
    tw__conn_refresh_fast(conn);
    bool is_counted = tell_count(channel);
    if (interest->is_answered && (is_counted || !interest->is_confirmed)) {
        answer(conn->server, waiter,
               interest->is_confirmed ? 0 : TW_EUNAVAILABLE);
        return;
    }
    tw__list_push(is_counted ? &interest->waiters : &interest->uncounted,
                  &waiter->node);
    if (interest->is_answered) {
        ask_if_counted(interest);
    }
}

static int check(const tw_conn *conn, tw_str channel) {
    if (conn->state != TW__CONN_OPEN) {
        return TW_ECLOSED;
    }
    if (channel.len == 0 || channel.len > TW__CHANNEL_MAX) {
        return TW_EINVALID;
    }
    if (find(conn, channel) != NULL) {
        return TW_EEXISTS;
    }
    bool is_over = conn->sub_count >= conn->server->config.max_subscriptions;
    tw__count(conn->server, TW_COUNTER_SUBSCRIBE_REFUSED, is_over);
    return is_over ? TW_ELIMIT : 0;
}

int tw_conn_subscribe(tw_conn *conn, tw_str name, tw_subscribe_cb cb,
                      void *arg) {
    bool created;
    int err = check(conn, name);
    if (err != 0) {
        return err;
    }
    if (reserve(conn) != 0) {
        return TW_ENOMEM;
    }
    tw__waiters *waiters = &conn->server->all_waiters;
    tw__waiter *waiter = tw__waiters_add(waiters);
    if (waiter == NULL) {
        return TW_ENOMEM;
    }
    waiter->conn = conn;
    waiter->cb = cb;
    waiter->arg = arg;
    tw__channel *channel =
        tw__channel_open(&conn->server->hub, name.data, name.len, &created);
    err = channel == NULL ? TW_ENOMEM : 0;
    if (err == 0 && channel->user == NULL) {
        err = open_interest(conn->server, channel);
    }
    if (err != 0) {
        if (channel != NULL) {
            tw__channel_close(channel);
        }
        tw__waiters_remove(waiters, waiter);
        return err;
    }
    add_sub(conn, channel, waiter);
    return 0;
}

/* ---- leaving ---- */

static void drop_queued(tw_conn *conn, const tw__channel *channel) {
    tw_server *server = conn->server;
    if (conn->out != NULL) {
        tw__count(
            server, TW_COUNTER_CLOSED_LOSS,
            tw__outq_drop_frames(conn->out, &server->pins, channel->number));
    }
}

int tw_conn_unsubscribe(tw_conn *conn, tw_str name) {
    if (conn->state != TW__CONN_OPEN) {
        return TW_ECLOSED;
    }
    tw__sub *sub = find(conn, name);
    if (sub == NULL) {
        return TW_ENOT_FOUND;
    }
    drop_queued(conn, sub->channel);
    leave(conn, sub);
    remove_sub(conn, sub);
    return 0;
}

bool tw_conn_is_subscribed(const tw_conn *conn, tw_str channel) {
    const tw__sub *sub = find(conn, channel);
    return sub != NULL && is_confirmed(sub);
}

bool tw_conn_channel(const tw_conn *conn, size_t i, tw_str *channel) {
    for (uint16_t at = 0; at < conn->sub_count; at++) {
        const tw__sub *sub = &tw__conn_subs(conn)[at];
        if (is_confirmed(sub) && i-- == 0) {
            *channel = (tw_str){sub->channel->name, sub->channel->name_len};
            return true;
        }
    }
    return false;
}

void tw__conn_leave_all(tw_conn *conn) {
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        leave(conn, &tw__conn_subs(conn)[i]);
    }
}

void tw__conn_drop_subs(tw_conn *conn) {
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        tw__channel_close(tw__conn_subs(conn)[i].channel);
    }
    conn->server->page->gauges[TW_GAUGE_SUBSCRIPTIONS] -= conn->sub_count;
    if (conn->sub_bits > 0) {
        tw__free(conn->subs.many);
    }
    conn->sub_count = conn->sub_bits = 0;
}

int tw_channel_count(tw_server *server, tw_str channel, tw_count_cb cb,
                     void *arg) {
    if (channel.len == 0 || channel.len > TW__CHANNEL_MAX) {
        return TW_EINVALID;
    }
    return server->broker->ops->count(server->broker, channel.data, channel.len,
                                      cb, arg);
}
