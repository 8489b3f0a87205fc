/* subscribe.c - subscriptions of connections.
 *
 * A subscriber joins when the channel's home has confirmed the interest and has
 * counted the subscriber (interest.c), and is told of it then (waiting.c).
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "server/codec.h"
#include "server/interest.h"
#include "server/people.h"
#include "server/server.h"
#include "server/waiter.h"

/* ---- the connection's list ---- */

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
    tw__conn_drop_lapse(conn, channel);
    tw__presence_left(conn, sub);
    if (sub->index != TW__NOT_JOINED) {
        uint64_t owed = tw__channel_leave(sub);
        tw__count_fate(server, channel->class.row, TW__CLOSED, owed);
    }
    if (tw__sub_waiter(sub) != 0) {
        tw__channel_interest_answer(
            server, tw__waiters_at(&server->all_waiters, tw__sub_waiter(sub)),
            TW_ECLOSED);
        tw__sub_forget_waiter(sub);
    }
    tw__channel_interest_release(channel);
}

void tw__conn_end_sub(tw_conn *conn, tw__sub *sub) {
    leave(conn, sub);
    remove_sub(conn, sub);
}

/* ---- subscribing ---- */

static void add_sub(tw_conn *conn, tw__channel *channel, tw__waiter *waiter) {
    tw__channel_interest *interest = channel->user;
    tw__conn_subs(conn)[conn->sub_count++] =
        (tw__sub){channel, conn, TW__NOT_JOINED, waiter->number};
    conn->server->page->gauges[TW_GAUGE_SUBSCRIPTIONS]++;
    interest->users++;
    tw__conn_refresh_fast(conn);
    bool is_counted = tw__channel_interest_tell_count(channel);
    if (interest->is_confirmed && is_counted &&
        tw__recover_is_due(interest, waiter)) {
        tw__recover_join(interest, waiter);
        tw__recover_run(interest);
        return;
    }
    if (interest->is_answered && (is_counted || !interest->is_confirmed)) {
        tw__channel_interest_answer(
            conn->server, waiter, interest->is_confirmed ? 0 : TW_EUNAVAILABLE);
        return;
    }
    tw__list_push(is_counted ? &interest->waiters : &interest->uncounted,
                  &waiter->node);
    if (interest->is_answered) {
        tw__channel_interest_ask(interest);
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

static void read_options(tw__waiter *waiter,
                         const tw_subscribe_options *options) {
    waiter->has_since = options->has_since;
    waiter->last = options->last;
    waiter->since.offset = options->since.offset;
    memcpy(waiter->since.epoch, options->since.epoch,
           sizeof waiter->since.epoch - 1);
}

int tw_conn_subscribe(tw_conn *conn, tw_str name,
                      const tw_subscribe_options *options, tw_subscribe_cb cb,
                      void *arg) {
    static const tw_subscribe_options plain;
    bool created;
    options = options != NULL ? options : &plain;
    int err = options->info.len > TW_INFO_MAX ? TW_EINVALID : check(conn, name);
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
    read_options(waiter, options);
    tw__channel *channel =
        tw__channel_open(&conn->server->hub, name.data, name.len, &created);
    err = channel == NULL
              ? TW_ENOMEM
              : tw__presence_keep_info(conn, channel, options->info);
    if (err == 0 && channel->user == NULL) {
        err = tw__channel_interest_open(conn->server, channel);
    }
    if (err != 0) {
        if (channel != NULL) {
            tw__presence_drop_info(conn, channel);
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

int tw__conn_unsubscribe(tw_conn *conn, tw_str name,
                         enum tw__unsubscribed_why why) {
    if (conn->state != TW__CONN_OPEN) {
        return TW_ECLOSED;
    }
    tw__sub *sub = find(conn, name);
    if (sub == NULL) {
        return TW_ENOT_FOUND;
    }
    drop_queued(conn, sub->channel);
    if (tw__sub_is_confirmed(sub)) {
        tw__conn_note_unsubscribed(conn, sub->channel, why);
    }
    tw__conn_end_sub(conn, sub);
    return 0;
}

int tw_conn_unsubscribe(tw_conn *conn, tw_str name) {
    return tw__conn_unsubscribe(conn, name, TW__BY_SCRIPT);
}

bool tw_conn_is_subscribed(const tw_conn *conn, tw_str channel) {
    const tw__sub *sub = find(conn, channel);
    return sub != NULL && tw__sub_is_confirmed(sub);
}

bool tw_conn_channel(const tw_conn *conn, size_t i, tw_str *channel) {
    for (uint16_t at = 0; at < conn->sub_count; at++) {
        const tw__sub *sub = &tw__conn_subs(conn)[at];
        if (tw__sub_is_confirmed(sub) && i-- == 0) {
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
