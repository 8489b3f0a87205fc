/* subscription.c - subscriptions of the host itself.
 *
 * They hold the worker's interest in a channel as its subscribers do, but are
 * not counted. Publications wait for them by reference, in order, until the
 * hooks of a turn run, and while the server is frozen until the thaw. Whoever
 * subscribes before that, as the next generation of a script does, gets those.
 *
 * SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "server/interest.h"
#include "server/people.h"
#include "server/server.h"

enum { HEARD_BUDGET = 1024 }; /* publications of a turn */

struct tw_subscription {
    tw__list in_channel, in_server;
    tw_server *server;
    tw__channel *channel;
    void (*cb)(tw_server *server, const tw_publication *publication, void *arg);
    void *arg;
};

/* A publication that waits; the hub may have it in a list of its own. */
typedef struct heard {
    tw__list node;
    tw__pub *pub;
} heard;

#define SUBSCRIPTION(place) TW__CONTAINER(place, tw_subscription, in_channel)
#define HEARD(place) TW__CONTAINER(place, heard, node)

/* ---- subscribing ---- */

static int open_channel(tw_server *server, tw_str name, tw__channel **channel) {
    bool created;
    *channel = tw__channel_open(&server->hub, name.data, name.len, &created);
    if (*channel == NULL) {
        return TW_ENOMEM;
    }
    int err = (*channel)->user == NULL
                  ? tw__channel_interest_open(server, *channel)
                  : 0;
    if (err != 0) {
        tw__channel_close(*channel);
    }
    return err;
}

tw_subscription *tw_subscribe(tw_server *server, tw_str name,
                              void (*cb)(tw_server *server,
                                         const tw_publication *publication,
                                         void *arg),
                              void *arg) {
    if (name.len == 0 || name.len > TW__CHANNEL_MAX) {
        return NULL;
    }
    tw_subscription *made = tw__calloc(1, sizeof *made);
    if (made == NULL || open_channel(server, name, &made->channel) != 0) {
        tw__free(made);
        return NULL;
    }
    tw__channel_interest *interest = made->channel->user;
    made->server = server;
    made->cb = cb;
    made->arg = arg;
    tw__list_push(&interest->subscriptions, &made->in_channel);
    tw__list_push(&server->folk.subscriptions, &made->in_server);
    interest->holders++;
    return made;
}

void tw_subscription_cancel(tw_subscription *subscription) {
    tw__channel *channel = subscription->channel;
    tw__list_remove(&subscription->in_channel);
    tw__list_remove(&subscription->in_server);
    tw__free(subscription);
    tw__channel_interest_unhold(channel);
    tw__channel_close(channel);
}

/* ---- hearing ---- */

static tw__channel_interest *find_holder(const tw_server *server,
                                         const tw__pub *pub) {
    const tw__channel *channel =
        tw__hub_find(&server->hub, tw__pub_channel(pub), pub->channel_len);
    tw__channel_interest *interest = channel != NULL ? channel->user : NULL;
    return interest != NULL && interest->holders > 0 ? interest : NULL;
}

/* A callback may cancel any of them: the last one's end is that of the
 * interest, so each is put back before it is called. */
static void tell(tw_server *server, tw__channel_interest *interest,
                 tw__pub *pub) {
    const tw_publication publication = {
        .channel = {tw__pub_channel(pub), pub->channel_len},
        .key = {tw__pub_key(pub), pub->key_len},
        .data = tw__pub_data(pub),
        .len = pub->len,
        .offset = pub->header.offset,
        .binary = (pub->header.flags & TW__PUB_BINARY) != 0,
    };
    tw__list todo, *node;
    tw__list_init(&todo);
    tw__list_move_all(&todo, &interest->subscriptions);
    while ((node = tw__list_shift(&todo)) != NULL) {
        const tw_subscription *subscription = SUBSCRIPTION(node);
        tw__list_push(&interest->subscriptions, node);
        subscription->cb(server, &publication, subscription->arg);
    }
}

static void drop(tw_server *server) {
    tw__folk *folk = &server->folk;
    tw__count(server, TW_COUNTER_HEARD_DROPPED, 1);
    if (!folk->is_deaf) {
        folk->is_deaf = true;
        tw__log_write(&server->log, TW_LOG_WARN,
                      "publications for tw_subscribe are dropped: too many "
                      "wait",
                      NULL);
    }
}

void tw__subscriptions_hear(tw_server *server, tw__pub *pub) {
    tw__folk *folk = &server->folk;
    size_t bytes = sizeof(heard) + tw__pub_size(pub);
    if (tw__list_is_empty(&folk->subscriptions) ||
        find_holder(server, pub) == NULL) {
        return;
    }
    bool fits =
        folk->heard_bytes + bytes <= server->config.delivery_budget_bytes;
    heard *made = fits ? tw__malloc(sizeof *made) : NULL;
    if (made == NULL) {
        drop(server);
        return;
    }
    made->pub = tw__pub_ref(pub);
    tw__list_init(&made->node);
    tw__list_push(&folk->heard, &made->node);
    folk->heard_bytes += bytes;
    tw__loop_wake(&server->loop);
}

static tw__pub *shift(tw__folk *folk) {
    tw__list *node = tw__list_shift(&folk->heard);
    if (node == NULL) {
        return NULL;
    }
    tw__pub *pub = HEARD(node)->pub;
    folk->heard_bytes -= sizeof(heard) + tw__pub_size(pub);
    tw__free(HEARD(node));
    return pub;
}

bool tw__subscriptions_run(tw_server *server) {
    tw__folk *folk = &server->folk;
    tw__pub *pub;
    for (int left = HEARD_BUDGET; left > 0 && server->frozen == 0; left--) {
        if ((pub = shift(folk)) == NULL) {
            folk->is_deaf = false;
            return false;
        }
        tw__channel_interest *interest = find_holder(server, pub);
        if (interest != NULL) {
            tell(server, interest, pub);
        }
        tw__pub_unref(pub);
    }
    return server->frozen == 0 && !tw__list_is_empty(&folk->heard);
}

void tw__subscriptions_close(tw_server *server) {
    tw__folk *folk = &server->folk;
    tw__pub *pub;
    while (!tw__list_is_empty(&folk->subscriptions)) {
        tw_subscription_cancel(TW__CONTAINER(folk->subscriptions.next,
                                             tw_subscription, in_server));
    }
    while ((pub = shift(folk)) != NULL) {
        tw__pub_unref(pub);
    }
}
