/* request.c - interests on the link: what the homes of other slots are told of
 * them, and what comes back.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "bus/engine.h"
#include "tidewire/errors.h"

#define IN_HOME(node) TW__CONTAINER(node, tw__interest, in_home)
#define DUE(node) TW__CONTAINER(node, tw__interest, due)

static void free_dropped_due(tw__interest *interest) {
    interest->home->dropped_bytes -= tw__interest_size(interest);
    interest->is_told = false;
    tw__interest_free_if_done(interest);
}

static bool is_to_be_requested(const tw__interest *interest) {
    return !interest->is_told || interest->is_asked_again;
}

static void write_request(tw__peer *peer, tw__interest *interest,
                          tw__record *record) {
    *record = (tw__record){.type = TW__RECORD_COUNT,
                           .channel = interest->channel,
                           .channel_len = interest->len,
                           .header.offset = interest->count};
    if (interest->is_dropped) {
        record->type = TW__RECORD_DROP;
    } else if (is_to_be_requested(interest)) {
        record->type = TW__RECORD_INTEREST;
        record->token = ++peer->bus->last_token;
    }
}

int tw__interest_tell(tw__peer *peer) {
    while (!tw__list_is_empty(&peer->due)) {
        tw__interest *interest = DUE(peer->due.next);
        tw__record record;
        if (!tw__peer_has_control_room(peer, tw__interest_size(interest))) {
            break;
        }
        write_request(peer, interest, &record);
        int err = tw__outbox_append(&peer->outbox, &record);
        if (err != 0) {
            return err;
        }
        tw__list_remove(&interest->due);
        if (interest->is_dropped) {
            free_dropped_due(interest);
        } else if (is_to_be_requested(interest)) {
            interest->is_told = true;
            interest->is_asked_again = false;
            interest->is_awaited = true;
            interest->token = record.token;
        }
    }
    return 0;
}

void tw__interest_untell(tw__peer *peer) {
    tw__list *node;
    while ((node = tw__list_shift(&peer->due)) != NULL) {
        if (DUE(node)->is_dropped) {
            free_dropped_due(DUE(node));
        }
    }
    for (node = peer->interests.next; node != &peer->interests;
         node = node->next) {
        IN_HOME(node)->is_told = false;
        IN_HOME(node)->is_awaited = false;
        IN_HOME(node)->is_asked_again = false;
        tw__list_push(&peer->due, &IN_HOME(node)->due);
    }
}

static void tell_gap(tw__bus *bus, const char *channel, size_t len,
                     uint64_t lost) {
    bus->stats.gaps_received++;
    bus->stats.gap_publications += lost;
    bus->config.events.on_gap(bus->config.events.arg, channel, len, lost);
}

/* The name is copied, since the callback may drop the interest. */
static void tell_unknown_gap(tw__bus *bus, const tw__interest *interest) {
    char channel[TW__CHANNEL_MAX];
    size_t len = interest->len;
    memcpy(channel, interest->channel, len);
    tell_gap(bus, channel, len, 0);
}

/* The home still has the interests of which it was told. One that is not
 * confirmed is asked for again, since the confirmation may be what was lost. */
void tw__interest_suspect(tw__peer *peer) {
    tw__list waiting, *node;
    tw__list_init(&waiting);
    tw__list_move_all(&waiting, &peer->interests);
    while ((node = tw__list_shift(&waiting)) != NULL) {
        tw__interest *interest = IN_HOME(node);
        tw__list_push(&peer->interests, node);
        if (interest->is_told && interest->is_awaited) {
            interest->is_asked_again = true;
            tw__interest_make_due(interest);
        } else if (interest->is_told) {
            tell_unknown_gap(peer->bus, interest);
        }
    }
    if (!peer->bus->is_closing) {
        tw__count_untell(peer);
    }
}

/* NULL unless it is an interest in a channel of this home. */
static tw__interest *find_at(const tw__peer *peer, const tw__record *record) {
    tw__interest *interest = tw__map_find(&peer->bus->interests,
                                          record->channel, record->channel_len);
    return interest != NULL && interest->home == peer ? interest : NULL;
}

void tw__interest_on_confirm(tw__peer *peer, const tw__record *record) {
    tw__interest *interest = find_at(peer, record);
    if (interest == NULL || !interest->is_awaited ||
        interest->token != record->token) {
        return;
    }
    interest->is_awaited = false;
    if (interest->is_confirmed) {
        tell_unknown_gap(peer->bus, interest);
        return;
    }
    tw__position position = {.offset = record->header.offset};
    size_t len = record->len < TW__EPOCH_MAX ? record->len : TW__EPOCH_MAX;
    memcpy(position.epoch, record->data, len);
    tw__interest_answer(interest, 0, &position);
}

/* Before the first confirmation what comes belongs to an interest that was
 * dropped. During a renewal it belongs to this one. */
static bool takes_deliveries(const tw__interest *interest) {
    return interest != NULL && interest->is_confirmed;
}

void tw__interest_on_deliver(tw__peer *peer, const tw__record *record) {
    tw__bus *bus = peer->bus;
    if (!takes_deliveries(find_at(peer, record))) {
        return;
    }
    tw__pub *pub = tw__record_to_pub(record, bus->config.pubs);
    if (pub == NULL) {
        tell_gap(bus, record->channel, record->channel_len, 1);
        return;
    }
    bus->config.events.on_publication(bus->config.events.arg, pub);
}

void tw__interest_on_gap(tw__peer *peer, const tw__record *record) {
    if (takes_deliveries(find_at(peer, record))) {
        tell_gap(peer->bus, record->channel, record->channel_len,
                 record->header.offset);
    }
}
