/* want.c - what the members want of this slot as home.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "bus/engine.h"
#include "tidewire/errors.h"

#define IN_CHANNEL(node) TW__CONTAINER(node, tw__home_interest, in_channel)
#define IN_MEMBER(node) TW__CONTAINER(node, tw__home_interest, in_member)

/* Asking again, with another token, is how a member renews. */
int tw__want_on_interest(tw__peer *peer, const tw__record *record) {
    tw__bus *bus = peer->bus;
    tw__home_interest *interest;
    if (tw__bus_home(record->channel, record->channel_len, bus->config.slots) !=
        bus->config.slot) {
        return TW_EINVALID;
    }
    int err =
        tw__home_add_interest(&bus->home, record->channel, record->channel_len,
                              peer->slot, &peer->wants, &interest);
    if (err != 0) {
        return err;
    }
    interest->token = record->token;
    interest->count = (uint32_t)record->header.offset;
    if (record->header.flags & TW__INTEREST_AGAIN) {
        tw__persons_doubt(bus, interest->channel);
    }
    tw__home_history(&bus->home, interest->channel, false);
    tw__deliver_owe_confirm(peer, interest);
    return 0;
}

void tw__want_reposition(tw__bus *bus, tw__home_channel *channel) {
    tw__broker_events *events = &bus->config.events;
    tw__position position;
    char name[TW__CHANNEL_MAX]; /* the callback may be the channel's end */
    tw__home_history(&bus->home, channel, false);
    for (tw__list *node = channel->members.next; node != &channel->members;
         node = node->next) {
        tw__deliver_owe_confirm(&bus->peers[IN_CHANNEL(node)->member],
                                IN_CHANNEL(node));
    }
    if (tw__home_is_ready(channel) && events->on_position != NULL) {
        tw__home_position(channel, &position);
        memcpy(name, channel->name, channel->name_len);
        events->on_position(events->arg, name, channel->name_len, &position);
    }
}

static tw__home_interest *find(tw__peer *peer, const tw__record *record) {
    return tw__home_find_interest(&peer->bus->home, record->channel,
                                  record->channel_len, peer->slot);
}

void tw__want_on_count(tw__peer *peer, const tw__record *record) {
    tw__home_interest *interest = find(peer, record);
    if (interest != NULL) {
        interest->count = (uint32_t)record->header.offset;
    }
}

void tw__want_on_drop(tw__peer *peer, const tw__record *record) {
    tw__home_interest *interest = find(peer, record);
    if (interest != NULL) {
        tw__home_remove_interest(&peer->bus->home, interest);
    }
}

void tw__want_forget(tw__peer *peer) {
    while (!tw__list_is_empty(&peer->wants)) {
        tw__home_remove_interest(&peer->bus->home, IN_MEMBER(peer->wants.next));
    }
    tw__answer_forget(peer);
    peer->has_lost_answers = false;
    tw__persons_drop_member(peer->bus, peer->slot);
    tw__people_drop_member(&peer->bus->home.people, peer->slot);
}
