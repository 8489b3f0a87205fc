/* presence_news.c - who came and went, on its way to the hook.
 *
 * News come from homes at any moment; while the server is frozen they wait, in
 * order. There is a limit to that: beyond it the contents are dropped, and of
 * each channel concerned only that something was lost is kept, which takes no
 * memory. What was lost is told behind what was kept.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "server/interest.h"
#include "server/people.h"
#include "server/server.h"

enum { KEPT_BYTES = 1 << 20, NEWS_BUDGET = 64 };

typedef struct news {
    tw__list node;
    size_t bytes;
    tw_presence_member *joined, *left;
    size_t joined_count, left_count;
    uint64_t members;
    bool is_reset;
    uint8_t len;
    char channel[];
} news;

#define NEWS(place) TW__CONTAINER(place, news, node)
#define INTEREST(place) TW__CONTAINER(place, tw__channel_interest, lost_news)

static void destroy(news *made) {
    tw__free(made->joined);
    tw__free(made->left);
    tw__free(made);
}

static size_t bytes_of(const tw__person *persons, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += sizeof(tw_presence_member) + persons[i].user_len +
                 persons[i].info_len;
    }
    return bytes;
}

/* NULL without memory. */
static news *create(const tw__presence_news *told) {
    news *made = tw__calloc(1, sizeof *made + told->channel_len + 1);
    if (made == NULL) {
        return NULL;
    }
    tw__list_init(&made->node);
    made->joined = tw__members_of(told->joined, told->joined_count);
    made->left = tw__members_of(told->left, told->left_count);
    if (made->joined == NULL || made->left == NULL) {
        destroy(made);
        return NULL;
    }
    made->bytes = sizeof *made + told->channel_len +
                  bytes_of(told->joined, told->joined_count) +
                  bytes_of(told->left, told->left_count);
    made->joined_count = told->joined_count;
    made->left_count = told->left_count;
    made->members = told->persons;
    made->is_reset = told->is_reset;
    made->len = (uint8_t)told->channel_len;
    memcpy(made->channel, told->channel, told->channel_len);
    return made;
}

static tw__channel_interest *find_interest(const tw_server *server,
                                           const char *name, size_t len) {
    const tw__channel *channel = tw__hub_find(&server->hub, name, len);
    return channel != NULL ? channel->user : NULL;
}

/* Nobody is here any more, or the class tells no more: the hook need not know.
 */
static void tell(tw_server *server, tw_presence_change *change) {
    const tw__channel_interest *interest =
        find_interest(server, change->channel.data, change->channel.len);
    if (interest == NULL || interest->users == 0) {
        return;
    }
    const tw__class *class = &interest->channel->class;
    if (class->presence == TW_PRESENCE_EVENTS) {
        change->class_data = class->data;
        server->config.hooks.on_presence(server, change,
                                         server->config.hook_user);
    }
}

static void tell_news(tw_server *server, const news *told) {
    tw_presence_change change = {.channel = {told->channel, told->len},
                                 .joined = told->joined,
                                 .left = told->left,
                                 .joined_count = told->joined_count,
                                 .left_count = told->left_count,
                                 .members = told->members,
                                 .is_reset = told->is_reset};
    tell(server, &change);
}

static void tell_lost(tw_server *server, const tw__channel_interest *interest) {
    const tw__channel *channel = interest->channel;
    char name[TW__CHANNEL_MAX + 1];
    tw_presence_change change = {.channel = {name, channel->name_len},
                                 .members = interest->members,
                                 .is_reset = true};
    memcpy(name, channel->name, channel->name_len + 1u);
    tell(server, &change);
}

static void note_lost(tw_server *server, tw__channel_interest *interest) {
    tw__list_remove(&interest->lost_news);
    tw__list_push(&server->folk.lost_news, &interest->lost_news);
    tw__loop_wake(&server->loop);
}

void tw__presence_lost_news(tw_server *server, const tw__channel *channel) {
    if (channel->user != NULL && server->config.hooks.on_presence != NULL &&
        channel->class.presence == TW_PRESENCE_EVENTS) {
        note_lost(server, channel->user);
    }
}

static bool has_kept(const tw_server *server) {
    return !tw__list_is_empty(&server->folk.news) ||
           !tw__list_is_empty(&server->folk.lost_news);
}

void tw__server_on_presence(void *arg, const tw__presence_news *told) {
    tw_server *server = arg;
    tw__folk *folk = &server->folk;
    tw__channel_interest *interest =
        find_interest(server, told->channel, told->channel_len);
    if (server->config.hooks.on_presence == NULL || interest == NULL) {
        return;
    }
    interest->members = told->persons;
    news *made = create(told);
    if (made == NULL || folk->news_bytes + made->bytes > KEPT_BYTES ||
        !tw__list_is_empty(&folk->lost_news)) {
        note_lost(server, interest);
    } else if (server->frozen == 0 && !has_kept(server)) {
        tell_news(server, made);
    } else {
        tw__list_push(&folk->news, &made->node);
        folk->news_bytes += made->bytes;
        return;
    }
    if (made != NULL) {
        destroy(made);
    }
}

static news *shift(tw__folk *folk) {
    tw__list *node = tw__list_shift(&folk->news);
    if (node == NULL) {
        return NULL;
    }
    folk->news_bytes -= NEWS(node)->bytes;
    return NEWS(node);
}

bool tw__presence_run_news(tw_server *server) {
    tw__folk *folk = &server->folk;
    news *told;
    tw__list *lost;
    int budget = NEWS_BUDGET;
    while (budget > 0 && server->frozen == 0 && (told = shift(folk)) != NULL) {
        budget--;
        tell_news(server, told);
        destroy(told);
    }
    while (budget > 0 && server->frozen == 0 &&
           (lost = tw__list_shift(&folk->lost_news)) != NULL) {
        budget--;
        tell_lost(server, INTEREST(lost));
    }
    return server->frozen == 0 && has_kept(server);
}

void tw__presence_drop_news(tw_server *server) {
    news *told;
    while ((told = shift(&server->folk)) != NULL) {
        destroy(told);
    }
    while (tw__list_shift(&server->folk.lost_news) != NULL) {
    }
}
