/* SPDX-License-Identifier: MIT */
#include "bus/home.h"

#include <string.h>

#include "base/alloc.h"
#include "tidewire/errors.h"

#define INTEREST_OF(node) TW__CONTAINER(node, tw__home_interest, in_channel)

/* Over its budget the archive asks whether anybody needs what it keeps. */
static bool release_history(void *arg, tw__history *history) {
    tw__home *home = arg;
    tw__home_channel *channel = tw__history_owner(history);
    if (channel->own != NULL || !tw__list_is_empty(&channel->members)) {
        return false;
    }
    tw__history_destroy(history);
    channel->history = NULL;
    tw__home_release(home, channel);
    return true;
}

void tw__home_init(tw__home *home, uint16_t slot,
                   const tw__broker_events *events, size_t budget_bytes) {
    memset(home, 0, sizeof *home);
    tw__map_init(&home->_channels);
    home->_slot = slot;
    home->_events = events;
    tw__archive_init(&home->archive, budget_bytes, release_history, home);
    tw__people_init(&home->people);
    tw__list_init(&home->news);
    tw__list_init(&home->graces);
    tw__list_init(&home->repositions);
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
        tw__history_destroy(channel->history);
        tw__presence_destroy(channel->presence);
        tw__free(channel);
    }
    tw__map_deinit(&home->_channels);
    tw__archive_deinit(&home->archive);
    tw__people_deinit(&home->people);
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

static void ask_class(const tw__home *home, const char *name, size_t len,
                      tw__channel_class *class) {
    memset(class, 0, sizeof *class);
    if (home->_events != NULL && home->_events->class_of != NULL) {
        home->_events->class_of(home->_events->arg, name, len, class);
    }
}

static bool keeps(const tw__channel_class *class) {
    return class->history.size > 0 || class->history.retain > 0;
}

static tw__home_channel *add_channel(tw__home *home, const char *name,
                                     size_t len) {
    tw__home_channel *channel = tw__calloc(1, sizeof *channel + len + 1);
    if (channel == NULL) {
        return NULL;
    }
    tw__list_init(&channel->members);
    tw__list_init(&channel->news);
    tw__list_init(&channel->grace);
    tw__list_init(&channel->reposition);
    channel->name_len = (uint8_t)len;
    memcpy(channel->name, name, len);
    ask_class(home, name, len, &channel->class);
    if (tw__map_add(&home->_channels, channel->name, len, channel) != 0) {
        tw__free(channel);
        return NULL;
    }
    return channel;
}

tw__home_channel *tw__home_open(tw__home *home, const char *name, size_t len) {
    tw__home_channel *channel = tw__home_find(home, name, len);
    return channel != NULL ? channel : add_channel(home, name, len);
}

tw__home_channel *tw__home_for_pub(tw__home *home, const char *name, size_t len,
                                   bool has_id) {
    tw__home_channel *channel = tw__home_find(home, name, len);
    if (channel != NULL) {
        return channel;
    }
    tw__channel_class class;
    ask_class(home, name, len, &class);
    return has_id || keeps(&class) ? add_channel(home, name, len) : NULL;
}

/* A channel that nobody wants is kept for its history. A map has four entries
 * for each, more or less. */
static uint32_t channel_bytes(const tw__home_channel *channel) {
    return (uint32_t)(sizeof *channel + channel->name_len + 1 +
                      4 * sizeof(tw__map_entry));
}

tw__history *tw__home_history(tw__home *home, tw__home_channel *channel,
                              bool has_id) {
    if (channel->history == NULL && (has_id || keeps(&channel->class))) {
        channel->history = tw__history_create(&home->archive,
                                              &channel->class.history, channel);
        if (channel->history != NULL) {
            tw__history_charge(channel->history, channel_bytes(channel));
        }
    }
    return channel->history;
}

bool tw__home_release(tw__home *home, tw__home_channel *channel) {
    if (channel->own != NULL || !tw__list_is_empty(&channel->members) ||
        channel->history != NULL || channel->presence != NULL) {
        return false;
    }
    tw__map_remove(&home->_channels, channel->name, channel->name_len);
    tw__list_remove(&channel->news);
    tw__list_remove(&channel->grace);
    tw__list_remove(&channel->reposition);
    tw__free(channel);
    return true;
}

/* Who begins to be told does not know who is there. */
static void set_tells(tw__home *home, tw__home_channel *channel) {
    if (channel->presence != NULL) {
        tw__presence_set_tells(channel->presence, channel->class.tells);
    }
    if (channel->class.tells) {
        channel->is_silenced = true;
        tw__list_remove(&channel->news);
        tw__list_push(&home->news, &channel->news);
    }
}

void tw__home_reclass(tw__home *home, tw__home_channel *channel,
                      uint64_t now_ms) {
    bool kept = keeps(&channel->class), told = channel->class.tells;
    ask_class(home, channel->name, channel->name_len, &channel->class);
    if (channel->history != NULL) {
        tw__history_set_class(channel->history, &channel->class.history,
                              now_ms);
    }
    if (told != channel->class.tells) {
        set_tells(home, channel);
    }
    if (kept != keeps(&channel->class)) {
        tw__list_remove(&channel->reposition);
        tw__list_push(&home->repositions, &channel->reposition);
    }
}

tw__home_channel *tw__home_next(const tw__home *home, size_t *pos) {
    return tw__map_next(&home->_channels, pos);
}

void tw__home_position(const tw__home_channel *channel,
                       tw__position *position) {
    memset(position, 0, sizeof *position);
    if (channel->history != NULL && keeps(&channel->class)) {
        tw__history_position(channel->history, position);
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
            tw__home_release(home, channel);
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
    tw__home_release(home, channel);
}

uint64_t tw__home_count(const tw__home_channel *channel) {
    uint64_t count = channel->own != NULL ? channel->own->count : 0;
    for (const tw__list *node = channel->members.next;
         node != &channel->members; node = node->next) {
        count += INTEREST_OF(node)->count;
    }
    return count;
}
