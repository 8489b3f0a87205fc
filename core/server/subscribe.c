/* subscribe.c - subscriptions of connections and the worker's interest in
 * channels.
 *
 * A worker declares interest in a channel when its first connection asks for
 * it, and drops it with the last. A subscriber joins when the interest is
 * confirmed: at the end of the turn if it is already. Callbacks start there,
 * too, never inside of a call from a hook.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "server/codec.h"
#include "server/interest.h"
#include "server/server.h"

struct tw__waiter {
    tw__list node; /* in its interest, or in the server's list */
    tw_conn *conn;
    tw_subscribe_cb cb;
    void *arg;
    int status; /* not 0: answered, only the callback is due */
};

static tw__broker *broker_of(const tw_conn *conn) {
    return conn->server->broker;
}

/* ---- interest ---- */

static void answer(tw_server *server, tw__waiter *waiter, int status) {
    waiter->status = status;
    tw__list_remove(&waiter->node);
    tw__list_push(&server->waiters, &waiter->node);
    tw__loop_wake(&server->loop);
}

static int join_waiter(tw__waiter *waiter);

/* They join here and now, since what comes next may be a publication; their
 * callbacks are called before it is walked. */
static void on_confirmed(int status, const tw__position *position, void *arg) {
    tw__channel_interest *interest = arg;
    (void)position; /* history will want it */
    if (interest->channel == NULL) {
        tw__free(interest); /* dropped meanwhile */
        return;
    }
    interest->is_answered = true;
    interest->is_confirmed = status == 0;
    while (!tw__list_is_empty(&interest->waiters)) {
        tw__waiter *waiter =
            TW__CONTAINER(interest->waiters.next, tw__waiter, node);
        answer(interest->server, waiter,
               status == 0 ? join_waiter(waiter) : status);
    }
}

static void on_batch_due(tw__wheel_entry *entry) {
    tw__channel_interest *interest =
        TW__CONTAINER(entry, tw__channel_interest, batch);
    tw__channel_set_due(interest->channel);
    tw__loop_wake(&interest->server->loop);
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

static void release_interest(tw__channel *channel) {
    tw__channel_interest *interest = channel->user;
    tw_server *server = interest->server;
    if (--interest->users > 0) {
        return;
    }
    channel->user = NULL;
    interest->channel = NULL;
    tw__clockwork_clear(&server->link_clock, &interest->batch);
    if (channel->pending_count > 0) {
        /* Nobody is left to get it, but the channel may live on by names that
         * are still readable, and its next batch must find it empty. */
        tw__channel_set_due(channel);
        tw__loop_wake(&server->loop);
    }
    server->broker->ops->drop(server->broker, channel->name, channel->name_len);
    if (interest->is_answered) {
        tw__free(interest); /* else its callback still comes */
    }
}

static void tell_count(const tw_conn *conn, const tw__channel *channel) {
    tw__broker *broker = broker_of(conn);
    broker->ops->set_count(broker, channel->name, channel->name_len,
                           tw__channel_len(channel));
}

/* ---- the connection's list ---- */

static tw__conn_sub *find(const tw_conn *conn, tw_str name) {
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        const tw__channel *channel = conn->subs[i].sub.channel;
        if (channel->name_len == name.len &&
            memcmp(channel->name, name.data, name.len) == 0) {
            return &conn->subs[i];
        }
    }
    return NULL;
}

tw__sub *tw__conn_find_sub(const tw_conn *conn, const tw__channel *channel) {
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        if (conn->subs[i].sub.channel == channel) {
            return &conn->subs[i].sub;
        }
    }
    return NULL;
}

static int reserve(tw_conn *conn) {
    if (conn->sub_count < conn->sub_cap) {
        return 0;
    }
    uint16_t cap = conn->sub_cap ? (uint16_t)(conn->sub_cap * 2) : 1;
    tw__conn_sub *subs = tw__realloc(conn->subs, cap * sizeof *subs);
    if (subs == NULL) {
        return TW_ENOMEM;
    }
    conn->subs = subs;
    conn->sub_cap = cap;
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        tw__sub_moved(&subs[i].sub);
    }
    return 0;
}

static void remove_sub(tw_conn *conn, tw__conn_sub *sub) {
    tw__channel *channel = sub->sub.channel;
    *sub = conn->subs[--conn->sub_count];
    tw__sub_moved(&sub->sub);
    tw__channel_close(channel);
    conn->server->page->gauges[TW_GAUGE_SUBSCRIPTIONS]--;
    tw__conn_refresh_fast(conn);
}

static void leave(tw_conn *conn, tw__conn_sub *sub) {
    tw__channel *channel = sub->sub.channel;
    if (sub->sub.index != TW__NOT_JOINED) {
        uint64_t owed = tw__channel_leave(&sub->sub);
        tw__count_fate(conn->server, channel->class.row, TW__CLOSED, owed);
        tell_count(conn, channel);
    }
    if (sub->waiter != NULL) {
        answer(conn->server, sub->waiter, TW_ECLOSED);
        sub->waiter = NULL;
    }
    release_interest(channel);
}

/* ---- joining ---- */

static int join(tw_conn *conn, tw__conn_sub *sub) {
    int err = tw__channel_join(&sub->sub, -1, conn->codec->number);
    if (err == 0) {
        sub->is_confirmed = true;
        tw__conn_refresh_fast(conn);
        tell_count(conn, sub->sub.channel);
    }
    return err;
}

static tw__conn_sub *sub_of(const tw__waiter *waiter) {
    tw_conn *conn = waiter->conn;
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        if (conn->subs[i].waiter == waiter) {
            return &conn->subs[i];
        }
    }
    return NULL;
}

static int join_waiter(tw__waiter *waiter) {
    tw__conn_sub *sub = sub_of(waiter);
    bool is_to_join = sub != NULL && sub->sub.index == TW__NOT_JOINED;
    return is_to_join ? join(waiter->conn, sub) : 0;
}

static void finish(tw__waiter *waiter) {
    tw_conn *conn = waiter->conn;
    tw__conn_sub *sub = sub_of(waiter);
    int status = waiter->status == 0 ? join_waiter(waiter) : waiter->status;
    if (sub != NULL) {
        sub->waiter = NULL;
        if (status != 0) {
            leave(conn, sub);
            remove_sub(conn, sub);
        }
    }
    tw_subscribe_cb cb = waiter->cb;
    void *arg = waiter->arg;
    tw__free(waiter);
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
    conn->subs[conn->sub_count++] =
        (tw__conn_sub){{channel, conn, TW__NOT_JOINED}, waiter, false};
    conn->server->page->gauges[TW_GAUGE_SUBSCRIPTIONS]++;
    interest->users++;
    tw__conn_refresh_fast(conn);
    if (interest->is_answered) {
        waiter->status = interest->is_confirmed ? 0 : TW_EUNAVAILABLE;
        tw__list_push(&conn->server->waiters, &waiter->node);
        tw__loop_wake(&conn->server->loop);
    } else {
        tw__list_push(&interest->waiters, &waiter->node);
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
    size_t limit = conn->server->config.max_subscriptions;
    return conn->sub_count >= limit ? TW_ELIMIT : 0;
}

int tw_conn_subscribe(tw_conn *conn, tw_str name, tw_subscribe_cb cb,
                      void *arg) {
    bool created;
    int err = check(conn, name);
    if (err != 0) {
        return err;
    }
    tw__waiter *waiter = tw__calloc(1, sizeof *waiter);
    if (waiter == NULL || reserve(conn) != 0) {
        tw__free(waiter);
        return TW_ENOMEM;
    }
    *waiter = (tw__waiter){.conn = conn, .cb = cb, .arg = arg};
    tw__list_init(&waiter->node);
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
        tw__free(waiter);
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
    tw__conn_sub *sub = find(conn, name);
    if (sub == NULL) {
        return TW_ENOT_FOUND;
    }
    drop_queued(conn, sub->sub.channel);
    leave(conn, sub);
    remove_sub(conn, sub);
    return 0;
}

bool tw_conn_is_subscribed(const tw_conn *conn, tw_str channel) {
    const tw__conn_sub *sub = find(conn, channel);
    return sub != NULL && sub->is_confirmed;
}

bool tw_conn_channel(const tw_conn *conn, size_t i, tw_str *channel) {
    for (uint16_t at = 0; at < conn->sub_count; at++) {
        const tw__conn_sub *sub = &conn->subs[at];
        if (sub->is_confirmed && i-- == 0) {
            *channel =
                (tw_str){sub->sub.channel->name, sub->sub.channel->name_len};
            return true;
        }
    }
    return false;
}

void tw__conn_leave_all(tw_conn *conn) {
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        leave(conn, &conn->subs[i]);
    }
}

void tw__conn_drop_subs(tw_conn *conn) {
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        tw__channel_close(conn->subs[i].sub.channel);
    }
    conn->server->page->gauges[TW_GAUGE_SUBSCRIPTIONS] -= conn->sub_count;
    tw__free(conn->subs);
    conn->subs = NULL;
    conn->sub_count = conn->sub_cap = 0;
}

int tw_channel_count(tw_server *server, tw_str channel, tw_count_cb cb,
                     void *arg) {
    if (channel.len == 0 || channel.len > TW__CHANNEL_MAX) {
        return TW_EINVALID;
    }
    return server->broker->ops->count(server->broker, channel.data, channel.len,
                                      cb, arg);
}
