/* SPDX-License-Identifier: MIT */
#include "bus/home.h"

#include <string.h>

#include "base/alloc.h"
#include "tidewire/errors.h"

#define INTEREST_OF(node) TW__CONTAINER(node, tw__home_interest, in_channel)

void tw__home_init(tw__home *home, uint16_t slot) {
    tw__map_init(&home->_channels);
    home->_slot = slot;
}

static void free_interest(tw__home_interest *interest) {
    tw__list_remove(&interest->in_channel);
    tw__list_remove(&interest->in_member);
    tw__list_remove(&interest->owed);
    tw__free(interest);
}

void tw__home_deinit(tw__home *home) {
    size_t pos = 0;
    tw__home_channel *channel;
    while ((channel = tw__map_next(&home->_channels, &pos)) != NULL) {
        tw__map_remove(&home->_channels, channel->name, channel->name_len);
        while (!tw__list_is_empty(&channel->members)) {
            free_interest(INTEREST_OF(channel->members.next));
        }
        if (channel->own != NULL) {
            free_interest(channel->own);
        }
        tw__free(channel);
    }
    tw__map_deinit(&home->_channels);
}

tw__home_channel *tw__home_find(const tw__home *home, const char *name,
                                size_t len) {
    return tw__map_find(&home->_channels, name, len);
}

/* The list of a channel is as long as there are members at the most, and this
 * is asked for when interest changes, not when a publication passes. */
static tw__home_interest *interest_of(tw__home *home, tw__home_channel *channel,
                                      uint16_t member) {
    if (member == home->_slot) {
        return channel->own;
    }
    for (tw__list *node = channel->members.next; node != &channel->members;
         node = node->next) {
        if (INTEREST_OF(node)->member == member) {
            return INTEREST_OF(node);
        }
    }
    return NULL;
}

tw__home_interest *tw__home_find_interest(tw__home *home, const char *name,
                                          size_t len, uint16_t member) {
    tw__home_channel *channel = tw__home_find(home, name, len);
    return channel == NULL ? NULL : interest_of(home, channel, member);
}

static tw__home_channel *add_channel(tw__home *home, const char *name,
                                     size_t len) {
    tw__home_channel *channel = tw__malloc(sizeof *channel + len + 1);
    if (channel == NULL) {
        return NULL;
    }
    tw__list_init(&channel->members);
    channel->own = NULL;
    channel->name_len = (uint8_t)len;
    memcpy(channel->name, name, len);
    channel->name[len] = '\0';
    if (tw__map_add(&home->_channels, channel->name, len, channel) != 0) {
        tw__free(channel);
        return NULL;
    }
    return channel;
}

static void release_if_unused(tw__home *home, tw__home_channel *channel) {
    if (channel->own == NULL && tw__list_is_empty(&channel->members)) {
        tw__map_remove(&home->_channels, channel->name, channel->name_len);
        tw__free(channel);
    }
}

int tw__home_add_interest(tw__home *home, const char *name, size_t len,
                          uint16_t member, tw__list *in_member,
                          tw__home_interest **interest) {
    tw__home_channel *channel = tw__home_find(home, name, len);
    if (channel == NULL && (channel = add_channel(home, name, len)) == NULL) {
        return TW_ENOMEM;
    }
    tw__home_interest *found = interest_of(home, channel, member);
    if (found == NULL) {
        found = tw__calloc(1, sizeof *found);
        if (found == NULL) {
            release_if_unused(home, channel);
            return TW_ENOMEM;
        }
        found->channel = channel;
        found->member = member;
        tw__list_init(&found->in_channel);
        tw__list_init(&found->in_member);
        tw__list_init(&found->owed);
        tw__list_push(in_member, &found->in_member);
        if (member == home->_slot) {
            channel->own = found;
        } else {
            tw__list_push(&channel->members, &found->in_channel);
        }
    }
    *interest = found;
    return 0;
}

void tw__home_remove_interest(tw__home *home, tw__home_interest *interest) {
    tw__home_channel *channel = interest->channel;
    if (channel->own == interest) {
        channel->own = NULL;
    }
    free_interest(interest);
    release_if_unused(home, channel);
}

uint64_t tw__home_count(const tw__home_channel *channel) {
    uint64_t count = channel->own != NULL ? channel->own->count : 0;
    for (const tw__list *node = channel->members.next;
         node != &channel->members; node = node->next) {
        count += INTEREST_OF(node)->count;
    }
    return count;
}
