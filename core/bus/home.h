/* home.h - the channels whose home this slot is, and the members that want
 * them.
 *
 * A channel exists while a member has interest in it. What a home still owes a
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

typedef struct tw__home_channel tw__home_channel;

/* One member's interest in one channel. Only `in_channel`, `in_member` and
 * `channel` are kept here; the rest is the bus's. */
typedef struct tw__home_interest {
    tw__list in_channel, in_member;
    tw__list owed; /* in one of the member's lists of what is to be told */
    tw__home_channel *channel;
    uint64_t token; /* of the request to be confirmed */
    uint64_t lost;  /* publications that did not fit, not told yet */
    uint32_t count; /* subscribers the member has */
    uint16_t member;
    bool owes_confirm;
    bool is_ready; /* the home's own: confirmed, publications may follow */
} tw__home_interest;

struct tw__home_channel {
    tw__list members;       /* the others' interests, by in_channel */
    tw__home_interest *own; /* the home's own, or NULL */
    uint8_t name_len;
    char name[];
};

typedef struct tw__home {
    tw__map _channels;
    uint16_t _slot;
} tw__home;

void tw__home_init(tw__home *home, uint16_t slot);
void tw__home_deinit(tw__home *home); /* frees channels and interests */

tw__home_channel *tw__home_find(const tw__home *home, const char *name,
                                size_t len);

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

static inline size_t tw__home_channels(const tw__home *home) {
    return tw__map_len(&home->_channels);
}

#endif
