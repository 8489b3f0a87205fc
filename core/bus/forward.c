/* forward.c - what this slot as a home owes the other members.
 *
 * What a member is told about one channel is in order: confirmation, gap,
 * deliveries. Deliveries go straight into the outbox; the other two stand on
 * the interest until there is room, and whatever follows of that channel waits
 * for them or is lost and counted.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "bus/engine.h"
#include "tidewire/errors.h"

#define OWED(node) TW__CONTAINER(node, tw__home_interest, owed)
#define IN_CHANNEL(node) TW__CONTAINER(node, tw__home_interest, in_channel)
#define IN_MEMBER(node) TW__CONTAINER(node, tw__home_interest, in_member)

static tw__record record_of(const tw__home_interest *interest,
                            enum tw__record_type type, uint64_t number) {
    return (tw__record){.type = (uint8_t)type,
                        .channel = interest->channel->name,
                        .channel_len = interest->channel->name_len,
                        .header.offset = number,
                        .token = interest->token};
}

/* Once over its budget a member gets nothing more until half has left: few
 * long gaps are better than many short ones. A record that could never fit
 * says nothing about the others. */
static bool has_room(tw__peer *peer, size_t len) {
    size_t level = peer->outbox.level[TW__OUTBOX_DELIVERY];
    size_t budget = peer->bus->config.delivery_budget_bytes;
    if (len > budget) {
        return false;
    }
    if (level + len > budget) {
        peer->is_congested = true;
    }
    return !peer->is_congested;
}

static bool owes_gap(const tw__home_interest *interest) {
    return interest->lost > 0 || interest->has_lost_news;
}

static void owe_gap(tw__peer *peer, tw__home_interest *interest) {
    if (tw__list_is_empty(&interest->owed)) {
        tw__list_push(&peer->gaps, &interest->owed);
    }
}

/* 0, TW_ENOMEM, or TW_EOVERLOADED when it has to wait. */
static int settle_confirm(tw__peer *peer, tw__home_interest *interest) {
    tw__record record = record_of(interest, TW__RECORD_CONFIRM, 0);
    tw__position position;
    tw__home_position(interest->channel, &position);
    record.header.offset = position.offset;
    record.id = position.epoch;
    record.id_len = (uint8_t)strlen(position.epoch);
    if (!tw__peer_has_control_room(peer, tw__record_size(&record))) {
        return TW_EOVERLOADED;
    }
    int err = tw__outbox_append(&peer->outbox, &record);
    if (err == 0) {
        interest->owes_confirm = false;
        interest->token = 0; /* what follows is news of the position */
        tw__list_remove(&interest->owed);
        if (owes_gap(interest)) {
            owe_gap(peer, interest);
        }
    }
    return err;
}

static int settle_gap(tw__peer *peer, tw__home_interest *interest) {
    tw__record record = record_of(interest, TW__RECORD_GAP, interest->lost);
    if (interest->has_lost_news) {
        record.header.flags = TW__GAP_OF_NEWS;
        record.header.except = tw__home_persons(interest->channel);
    }
    if (!has_room(peer, tw__record_size(&record))) {
        return TW_EOVERLOADED;
    }
    int err = tw__outbox_append(&peer->outbox, &record);
    if (err == 0) {
        interest->lost = 0;
        interest->has_lost_news = false;
        tw__list_remove(&interest->owed);
        peer->bus->stats.gaps_sent++;
    }
    return err;
}

static int settle(tw__peer *peer, tw__home_interest *interest) {
    int err = 0;
    if (interest->owes_confirm) {
        err = settle_confirm(peer, interest);
    }
    if (err == 0 && owes_gap(interest)) {
        err = settle_gap(peer, interest);
    }
    return err;
}

static int settle_all(tw__peer *peer, tw__list *owed) {
    while (!tw__list_is_empty(owed)) {
        int err = settle(peer, OWED(owed->next));
        if (err != 0) {
            return err;
        }
    }
    return 0;
}

int tw__deliver_tell(tw__peer *peer) {
    int err = settle_all(peer, &peer->confirms);
    if (err != TW_ENOMEM) {
        err = settle_all(peer, &peer->gaps);
    }
    if (err != TW_ENOMEM) {
        err = tw__answer_tell(peer);
    }
    return err == TW_ENOMEM ? err : 0;
}

/* A confirmation says where the channel stands: it is for before what changes
 * that. */
void tw__deliver_confirm(tw__bus *bus, tw__home_channel *channel) {
    for (tw__list *node = channel->members.next; node != &channel->members;
         node = node->next) {
        tw__home_interest *interest = IN_CHANNEL(node);
        if (interest->owes_confirm) {
            (void)settle_confirm(&bus->peers[interest->member], interest);
        }
    }
}

/* Whoever has not been told where the channel stood would count it twice. */
static bool pass(tw__peer *peer, tw__home_interest *interest,
                 const uint8_t *bytes, size_t len) {
    return bytes != NULL && !interest->owes_confirm &&
           settle(peer, interest) == 0 && has_room(peer, len) &&
           tw__outbox_append_bytes(&peer->outbox, bytes, len) == 0;
}

void tw__deliver_forward(tw__bus *bus, tw__home_channel *channel,
                         const uint8_t *bytes, size_t len) {
    for (tw__list *node = channel->members.next; node != &channel->members;
         node = node->next) {
        tw__home_interest *interest = IN_CHANNEL(node);
        tw__peer *peer = &bus->peers[interest->member];
        if (pass(peer, interest, bytes, len)) {
            bus->stats.forwarded++;
        } else {
            interest->lost++;
            bus->stats.deliveries_dropped++;
            owe_gap(peer, interest);
        }
        tw__peer_use(peer);
    }
}

static void lose_news(tw__peer *peer, tw__home_interest *interest) {
    interest->has_lost_news = true;
    owe_gap(peer, interest);
}

void tw__deliver_news(tw__bus *bus, tw__home_channel *channel,
                      const uint8_t *bytes, size_t len) {
    tw__deliver_confirm(bus, channel);
    for (tw__list *node = channel->members.next; node != &channel->members;
         node = node->next) {
        tw__home_interest *interest = IN_CHANNEL(node);
        tw__peer *peer = &bus->peers[interest->member];
        if (!pass(peer, interest, bytes, len)) {
            lose_news(peer, interest);
        }
        tw__peer_use(peer);
    }
}

void tw__deliver_owe_confirm(tw__peer *peer, tw__home_interest *interest) {
    interest->owes_confirm = true;
    tw__list_remove(&interest->owed);
    tw__list_push(&peer->confirms, &interest->owed);
    tw__peer_use(peer);
}

/* A confirmation, and news, may have been in it. What else was the other tells
 * itself (tw__interest_suspect). */
void tw__deliver_untell(tw__peer *peer) {
    for (tw__list *node = peer->wants.next; node != &peer->wants;
         node = node->next) {
        tw__home_interest *interest = IN_MEMBER(node);
        if (interest->channel->class.tells) {
            lose_news(peer, interest);
        }
        if (interest->channel->history != NULL) {
            tw__deliver_owe_confirm(peer, interest);
        }
    }
}
