/* history.c - what is kept of a channel, for those who ask.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "server/server.h"

enum {
    DEFAULT_LIMIT = 100,
    LIMIT_MAX = 1000,
    ANSWER_BYTES = 4 << 20,
};

typedef struct asking {
    tw_server *server;
    tw_history_cb cb;
    void *arg;
    tw__position since;
    bool has_since, is_latest, is_reverse;
} asking;

static void show(tw_publication *out, tw__pub *pub) {
    *out = (tw_publication){
        .channel = {tw__pub_channel(pub), pub->channel_len},
        .key = {pub->key_len > 0 ? tw__pub_key(pub) : NULL, pub->key_len},
        .data = tw__pub_data(pub),
        .len = pub->len,
        .offset = pub->header.offset,
        .binary = (pub->header.flags & TW__PUB_BINARY) != 0,
    };
}

/* Backwards nothing is missing when the oldest that is kept is the very first:
 * what lies before the floor is gone. */
static bool is_whole(const asking *asked, const tw__kept *kept) {
    if (!asked->has_since ||
        strcmp(asked->since.epoch, kept->position.epoch) != 0 ||
        asked->since.offset > kept->position.offset) {
        return false;
    }
    return asked->is_reverse ? kept->floor == 0
                             : asked->since.offset >= kept->floor;
}

static void answer(const asking *asked, const tw__kept *kept,
                   tw_publication *items) {
    tw__pub *const *pubs = asked->is_latest ? kept->retained : kept->log;
    tw_history history = {
        .items = items,
        .count = asked->is_latest ? kept->retained_count : kept->log_count,
        .recovered = is_whole(asked, kept),
        .position.offset = kept->position.offset,
    };
    memcpy(history.position.epoch, kept->position.epoch,
           sizeof history.position.epoch);
    for (size_t i = 0; i < history.count; i++) {
        show(&items[i], pubs[i]);
    }
    asked->cb(0, &history, asked->arg);
}

static void on_kept(int status, const tw__kept *kept, void *arg) {
    asking asked = *(asking *)arg;
    tw__free(arg);
    if (status != 0) {
        asked.cb(status, NULL, asked.arg);
        return;
    }
    tw_publication *items =
        tw__calloc(kept->log_count + kept->retained_count + 1, sizeof *items);
    if (items == NULL) {
        asked.cb(TW_ENOMEM, NULL, asked.arg);
        return;
    }
    answer(&asked, kept, items);
    tw__free(items);
}

static int ask(tw_str channel, const tw__kept_query *query,
               const asking *what) {
    tw__broker *broker = what->server->broker;
    if (channel.len == 0 || channel.len > TW__CHANNEL_MAX) {
        return TW_EINVALID;
    }
    asking *asked = tw__malloc(sizeof *asked);
    if (asked == NULL) {
        return TW_ENOMEM;
    }
    *asked = *what;
    int err = broker->ops->kept(broker, channel.data, channel.len, query,
                                on_kept, asked);
    if (err != 0) {
        tw__free(asked);
    }
    return err;
}

int tw_channel_history(tw_server *server, tw_str channel,
                       const tw_history_options *options, tw_history_cb cb,
                       void *arg) {
    static const tw_history_options plain;
    options = options != NULL ? options : &plain;
    asking asked = {.server = server,
                    .cb = cb,
                    .arg = arg,
                    .has_since = options->has_since,
                    .is_reverse = options->reverse};
    tw__kept_query query = {
        .what = TW__KEPT_LOG | (options->has_since ? TW__KEPT_SINCE : 0) |
                (options->reverse ? TW__KEPT_REVERSE : 0),
        .limit = options->limit > 0 ? options->limit : DEFAULT_LIMIT,
        .limit_bytes = ANSWER_BYTES,
    };
    if (query.limit > LIMIT_MAX) {
        return TW_EINVALID;
    }
    if (options->has_since) {
        asked.since.offset = options->since.offset;
        memcpy(asked.since.epoch, options->since.epoch,
               sizeof asked.since.epoch);
        query.since = asked.since;
    }
    return ask(channel, &query, &asked);
}

int tw_channel_latest(tw_server *server, tw_str channel, tw_str key,
                      tw_history_cb cb, void *arg) {
    const asking asked = {
        .server = server, .cb = cb, .arg = arg, .is_latest = true};
    const tw__kept_query query = {
        .what = TW__KEPT_LATEST, .key = key.data, .key_len = key.len};
    return key.len > TW__KEY_MAX ? TW_EINVALID : ask(channel, &query, &asked);
}

int tw_channel_remove(tw_server *server, tw_str channel, tw_str key) {
    tw__broker *broker = server->broker;
    if (channel.len == 0) {
        return TW_EINVALID;
    }
    return broker->ops->remove(broker, channel.data, channel.len, key.data,
                               key.len);
}
