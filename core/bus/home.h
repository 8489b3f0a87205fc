/* home.h - the channels whose home this slot is, the members that want them,
 * what is kept of them, and who is in them.
 *
 * A channel exists while a member has interest in it, something is kept of it
 * or somebody is in it. What a home still owes a
 * member (the confirmation, the number of publications lost) stands on the
 * interest, so that it needs no queue and no limit of its own. Pure: no I/O,
 * no clock. Belongs to the bus.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BUS_HOME_H
#define TW_BUS_HOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "bus/broker.h"
#include "hub/people.h"
#include "hub/presence.h"

typedef struct tw__home_channel tw__home_channel;

/* One member's interest in one channel. Only `in_channel`, `in_member` and
 * `channel` are kept here; the rest is the bus's. */
typedef struct tw__home_interest {
    tw__list in_channel, in_member;
    tw__list owed; /* in one of the member's lists of what is to be told */
    tw__home_channel *channel;
    uint64_t token;     /* of the request to be confirmed */
    uint64_t lost;      /* publications that did not fit, not told yet */
    bool has_lost_news; /* the same of presence */
    uint32_t count;     /* subscribers the member has */
    uint16_t member;
    bool owes_confirm;
    bool is_ready; /* the home's own: confirmed, publications may follow */
} tw__home_interest;

struct tw__home_channel {
    tw__list members;       /* the others' interests, by in_channel */
    tw__home_interest *own; /* the home's own, or NULL */
    tw__history *history;   /* NULL: nothing was ever to be kept */
    tw__presence *presence; /* NULL: nobody is in it, or it is not asked */
    tw__list news, grace, reposition; /* in the home's lists */
    uint64_t grace_ms; /* when the next grace time ends; 0: none */
    uint64_t doubt_ms; /* when that news were missed is told; 0: never */
    tw__channel_class class;
    bool is_silenced; /* news were not told: too many persons, or a doubt */
    uint8_t name_len;
    char name[];
};

typedef struct tw__home {
    tw__map _channels;
    uint16_t _slot;
    const tw__broker_events *_events; /* for class_of; it may be NULL */
    tw__archive archive;
    tw__people people;
    tw__list news;        /* channels that have some to tell */
    tw__list graces;      /* channels in which a grace time runs */
    tw__list repositions; /* of another class: to be told */
    uint64_t persons;     /* in all channels */
} tw__home;

void tw__home_init(tw__home *home, uint16_t slot,
                   const tw__broker_events *events, size_t budget_bytes);
void tw__home_deinit(tw__home *home); /* frees channels and interests */

tw__home_channel *tw__home_find(const tw__home *home, const char *name,
                                size_t len);

/* The same, made when there is none. NULL without memory. Whoever does not put
 * anything into it gives it to tw__home_release. */
tw__home_channel *tw__home_open(tw__home *home, const char *name, size_t len);

/* The channel for a publication: NULL when nobody wants it and nothing is to be
 * kept, or without memory. */
tw__home_channel *tw__home_for_pub(tw__home *home, const char *name, size_t len,
                                   bool has_id);

/* What is kept of a channel, made when the class wants it or `has_id`; NULL
 * when nothing is, or without memory. */
tw__history *tw__home_history(tw__home *home, tw__home_channel *channel,
                              bool has_id);

/* Frees a channel that nothing needs; true: it did. */
bool tw__home_release(tw__home *home, tw__home_channel *channel);

/* Asks for the class anew. When it has a position now and had none, or the
 * other way round, it goes into `repositions`. */
void tw__home_reclass(tw__home *home, tw__home_channel *channel,
                      uint64_t now_ms);

/* Walks the channels: start with *pos = 0; NULL at the end. Releasing the one
 * that was given is allowed meanwhile. */
tw__home_channel *tw__home_next(const tw__home *home, size_t *pos);

/* All zero where the class keeps neither log nor retained ones. */
void tw__home_position(const tw__home_channel *channel, tw__position *position);

/* A member's interest in a channel, or NULL. */
tw__home_interest *tw__home_find_interest(tw__home *home, const char *name,
                                          size_t len, uint16_t member);

/* The same, made when there is none and then added to `in_member`. 0 or
 * TW_ENOMEM (nothing changed). */
int tw__home_add_interest(tw__home *home, const char *name, size_t len,
                          uint16_t member, tw__list *in_member,
                          tw__home_interest **interest);

/* Frees the interest, and the channel when it was its last. */
void tw__home_remove_interest(tw__home *home, tw__home_interest *interest);

/* The subscribers of all members. */
uint64_t tw__home_count(const tw__home_channel *channel);

/* This slot wants it itself, and was told so. */
static inline bool tw__home_is_ready(const tw__home_channel *channel) {
    return channel->own != NULL && channel->own->is_ready;
}

/* Who is in it. */
static inline uint64_t tw__home_persons(const tw__home_channel *channel) {
    return channel->presence != NULL ? tw__presence_len(channel->presence) : 0;
}

static inline size_t tw__home_channels(const tw__home *home) {
    return tw__map_len(&home->_channels);
}

#endif
