/* SPDX-License-Identifier: MIT */
#include "feed.h"

#include <string.h>

#include "listen.h"
#include "vm_alloc.h"

struct twl_feed {
    twl_link node; /* tw_lua.feeds */
    tw_subscription *subscription;
    twl_link listeners;
    size_t count;
    bool is_busy; /* tells its listeners: ends afterwards */
    size_t len;
    char channel[256];
};

static void end(twl_feed *feed) {
    twl_link_remove(&feed->node);
    tw_subscription_cancel(feed->subscription);
    twl_free(feed);
}

/* A listener may cancel others, or itself, and may add new ones, whose first
 * publication is the next. */
static void on_publication(tw_server *server, const tw_publication *publication,
                           void *arg) {
    twl_feed *feed = arg;
    twl_link now;
    (void)server;
    twl_link_init(&now);
    twl_link_splice(&now, &feed->listeners);
    feed->is_busy = true;
    while (!twl_link_is_empty(&now)) {
        twl_listener *listener = TWL_OF(now.next, twl_listener, fed);
        twl_link_remove(&listener->fed);
        twl_link_append(&feed->listeners, &listener->fed);
        twl_listener_hear(listener, publication);
    }
    feed->is_busy = false;
    if (feed->count == 0) {
        end(feed);
    }
}

static twl_feed *find(tw_lua *lua, tw_str channel) {
    for (twl_link *at = lua->feeds.next; at != &lua->feeds; at = at->next) {
        twl_feed *feed = TWL_OF(at, twl_feed, node);
        if (feed->len == channel.len &&
            memcmp(feed->channel, channel.data, channel.len) == 0) {
            return feed;
        }
    }
    return NULL;
}

static twl_feed *create(tw_lua *lua, tw_str channel) {
    twl_feed *feed = twl_zalloc(sizeof *feed);
    if (!feed) {
        return NULL;
    }
    feed->len = channel.len;
    memcpy(feed->channel, channel.data, channel.len);
    twl_link_init(&feed->listeners);
    feed->subscription =
        tw_subscribe(lua->server, channel, on_publication, feed);
    if (!feed->subscription) {
        twl_free(feed);
        return NULL;
    }
    twl_link_append(&lua->feeds, &feed->node);
    return feed;
}

twl_feed *twl_feed_join(tw_lua *lua, tw_str channel, twl_link *fed) {
    twl_feed *feed = find(lua, channel);
    feed = feed ? feed : create(lua, channel);
    if (feed) {
        twl_link_append(&feed->listeners, fed);
        feed->count++;
    }
    return feed;
}

void twl_feed_leave(twl_feed *feed, twl_link *fed) {
    twl_link_remove(fed);
    feed->count--;
    if (feed->count == 0 && !feed->is_busy) {
        end(feed);
    }
}
