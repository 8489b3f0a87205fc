/* SPDX-License-Identifier: MIT */
#include "hub/hub.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "hub/exception.h"

void tw__hub_init(tw__hub *hub, const tw__hub_events *events) {
    memset(hub, 0, sizeof *hub);
    tw__map_init(&hub->channels);
    tw__list_init(&hub->due);
    hub->events = *events;
    hub->next_number = 1;
}

void tw__hub_deinit(tw__hub *hub) {
    assert(tw__map_len(&hub->channels) == 0);
    tw__map_deinit(&hub->channels);
    tw__classes_destroy(hub->classes);
}

void tw__hub_set_classes(tw__hub *hub, tw__classes *classes) {
    tw__channel *channel;
    size_t pos = 0;
    tw__classes_destroy(hub->classes);
    hub->classes = classes;
    while ((channel = tw__map_next(&hub->channels, &pos)) != NULL) {
        channel->class =
            tw__classes_find(classes, channel->name, channel->name_len);
    }
}

tw__channel *tw__hub_find(const tw__hub *hub, const char *name, size_t len) {
    return tw__map_find(&hub->channels, name, len);
}

static tw__channel *create(tw__hub *hub, const char *name, size_t len) {
    tw__channel *channel = tw__calloc(1, sizeof *channel + len + 1);
    if (channel == NULL) {
        return NULL;
    }
    channel->hub = hub;
    channel->number = hub->next_number++;
    channel->class = tw__classes_find(hub->classes, name, len);
    channel->name_len = (uint8_t)len;
    memcpy(channel->name, name, len);
    tw__list_init(&channel->due);
    tw__list_init(&channel->pending);
    tw__list_init(&channel->walk);
    if (tw__map_add(&hub->channels, channel->name, len, channel) != 0) {
        tw__free(channel);
        return NULL;
    }
    return channel;
}

tw__channel *tw__channel_open(tw__hub *hub, const char *name, size_t len,
                              bool *created) {
    assert(len > 0 && len <= TW__CHANNEL_MAX);
    tw__channel *channel = tw__hub_find(hub, name, len);
    *created = channel == NULL;
    if (channel == NULL) {
        channel = create(hub, name, len);
    }
    if (channel != NULL) {
        channel->refs++;
    }
    return channel;
}

static void drop_pubs(tw__list *pubs) {
    tw__list *node;
    while ((node = tw__list_shift(pubs)) != NULL) {
        tw__pub_unref(TW__CONTAINER(node, tw__pub, node));
    }
}

static void drop_batches(tw__channel *channel) {
    for (int i = 0; i < TW__CODECS_MAX; i++) {
        tw__batch_unref(channel->batches[i]);
        channel->batches[i] = NULL;
    }
}

bool tw__channel_close(tw__channel *channel) {
    if (--channel->refs > 0) {
        return false;
    }
    tw__map_remove(&channel->hub->channels, channel->name, channel->name_len);
    tw__list_remove(&channel->due);
    drop_pubs(&channel->pending);
    drop_pubs(&channel->walk);
    drop_batches(channel);
    tw__exceptions_deinit(&channel->pending_except);
    tw__exceptions_deinit(&channel->walk_except);
    tw__resize_free(channel->members, channel->cap * sizeof(tw__member));
    tw__free(channel);
    return true;
}

static int reserve_member(tw__channel *channel) {
    if (channel->count < channel->cap) {
        return 0;
    }
    uint32_t cap = channel->cap ? channel->cap + channel->cap / 2 : 2;
    tw__member *members =
        tw__resize(channel->members, channel->cap * sizeof *members,
                   cap * sizeof *members);
    if (members == NULL) {
        return TW_ENOMEM;
    }
    channel->members = members;
    channel->cap = cap;
    return 0;
}

int tw__channel_join(tw__sub *sub, int fd, uint8_t codec) {
    tw__channel *channel = sub->channel;
    assert(sub->index == TW__NOT_JOINED);
    if (reserve_member(channel) != 0) {
        return TW_ENOMEM;
    }
    bool is_late = channel->pending_count > 0;
    if (is_late && tw__exceptions_add(&channel->pending_except, sub->owner,
                                      channel->pending_count, true) != 0) {
        return TW_ENOMEM;
    }
    sub->index = channel->count++;
    channel->members[sub->index] = (tw__member){sub, fd, codec, is_late};
    return 0;
}

/* What a member that leaves would still have got from the walk under way and
 * from what has gathered. */
static uint64_t count_owed(const tw__channel *channel, const tw__sub *sub) {
    bool has_exception = channel->members[sub->index].has_exception;
    uint64_t owed = channel->pending_count;
    if (has_exception) {
        owed = tw__exceptions_allow(&channel->pending_except, sub->owner,
                                    channel->pending_count);
    }
    if (channel->walk_count > 0 && sub->index >= channel->walk_next &&
        sub->index < channel->walk_end) {
        owed += has_exception
                    ? tw__exceptions_allow(&channel->walk_except, sub->owner,
                                           channel->walk_count)
                    : channel->walk_count;
    }
    if (sub->index + 1 == channel->walk_next) {
        owed += channel->visit_owed; /* it leaves between two runs */
    }
    return owed;
}

static void fill_hole(tw__channel *channel, uint32_t hole) {
    uint32_t last = --channel->count;
    if (hole != last) {
        channel->members[hole] = channel->members[last];
        if (channel->members[hole].sub != NULL) {
            channel->members[hole].sub->index = hole;
        }
    }
}

uint64_t tw__channel_leave(tw__sub *sub) {
    tw__channel *channel = sub->channel;
    uint32_t index = sub->index;
    assert(index != TW__NOT_JOINED && channel->members[index].sub == sub);
    uint64_t owed = count_owed(channel, sub);
    channel->hub->pending_deliveries -= owed;
    if (index + 1 == channel->walk_next) {
        channel->visit_owed = 0;
    }
    /* Those of the walk stay: nobody asks for them again, and a visit under way
     * has its place among them. */
    if (channel->members[index].has_exception) {
        tw__exceptions_remove(&channel->pending_except, sub->owner);
    }
    sub->index = TW__NOT_JOINED;
    if (channel->walk_count > 0) {
        channel->members[index] = (tw__member){.fd = -1};
        channel->holes++;
    } else {
        fill_hole(channel, index);
    }
    return owed;
}

void tw__sub_moved(tw__sub *sub) {
    if (sub->index != TW__NOT_JOINED) {
        sub->channel->members[sub->index].sub = sub;
    }
}

void tw__sub_set_fd(tw__sub *sub, int fd) {
    if (sub->index != TW__NOT_JOINED) {
        sub->channel->members[sub->index].fd = fd;
    }
}

uint64_t tw__channel_publish(tw__channel *channel, tw__pub *pub,
                             tw__sub *except) {
    uint64_t deliveries = tw__channel_len(channel);
    if (except != NULL) {
        deliveries--;
        if (tw__exceptions_add(&channel->pending_except, except->owner,
                               channel->pending_count, false) != 0) {
            /* Better nobody gets it than who must not. */
            channel->hub->events.lost(channel->hub->events.arg, channel,
                                      deliveries);
            tw__pub_unref(pub);
            return deliveries;
        }
        channel->members[except->index].has_exception = true;
    }
    if (deliveries == 0 && channel->pending_count == 0) {
        tw__exceptions_clear(&channel->pending_except);
        tw__pub_unref(pub);
        return 0;
    }
    tw__list_push(&channel->pending, &pub->node);
    channel->arrived++;
    channel->pending_count++;
    channel->pending_bytes += pub->len;
    channel->hub->pending_deliveries += deliveries;
    return deliveries;
}
