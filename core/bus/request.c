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
        record->header.flags = interest->is_confirmed ? TW__INTEREST_AGAIN : 0;
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
        tw__ask_untell(peer);
        tw__wait_give_up(peer, tw__publish_first_token(peer));
    }
}

/* NULL unless it is an interest in a channel of this home. */
static tw__interest *find_at(const tw__peer *peer, const tw__record *record) {
    tw__interest *interest = tw__map_find(&peer->bus->interests,
                                          record->channel, record->channel_len);
    return interest != NULL && interest->home == peer ? interest : NULL;
}

static bool is_positioned(const tw__position *position) {
    return position->epoch[0] != '\0';
}

/* A renewal, or news: what is in the channel may not all have come. Where it
 * has a position that tells exactly what. The name is copied, since the
 * callback may drop the interest. */
static void tell_position(tw__bus *bus, const tw__interest *interest,
                          const tw__position *position, bool is_renewal) {
    const tw__broker_events *events = &bus->config.events;
    char channel[TW__CHANNEL_MAX];
    size_t len = interest->len;
    memcpy(channel, interest->channel, len);
    if (is_renewal && !is_positioned(position)) {
        tell_gap(bus, channel, len, 0);
    }
    if (events->on_position != NULL && !bus->is_closing) {
        events->on_position(events->arg, channel, len, position);
    }
}

/* One with another token than the newest answers a request that was made again
 * since; but it says, at its place in the stream, where the channel stands. */
void tw__interest_on_confirm(tw__peer *peer, const tw__record *record) {
    tw__interest *interest = find_at(peer, record);
    tw__position position = tw__record_position(record);
    if (interest == NULL) {
        return;
    }
    bool is_newest = interest->is_awaited && interest->token == record->token;
    if (is_newest) {
        interest->is_awaited = false;
    }
    if (interest->is_confirmed) {
        tell_position(peer->bus, interest, &position, is_newest);
    } else if (is_newest) {
        tw__interest_answer(interest, 0, &position);
    }
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

static void tell_lost_news(tw__bus *bus, const tw__record *record) {
    const tw__record news = {
        .type = TW__RECORD_PRESENCE,
        .channel = record->channel,
        .channel_len = record->channel_len,
        .header = {.offset = record->header.except, .flags = TW__NEWS_RESET}};
    tw__news_on_record(bus, &news);
}

void tw__interest_on_gap(tw__peer *peer, const tw__record *record) {
    bool is_of_news = (record->header.flags & TW__GAP_OF_NEWS) != 0;
    uint64_t lost = record->header.offset;
    if ((lost > 0 || !is_of_news) && takes_deliveries(find_at(peer, record))) {
        tell_gap(peer->bus, record->channel, record->channel_len, lost);
    }
    if (is_of_news && !peer->bus->is_closing &&
        takes_deliveries(find_at(peer, record))) {
        tell_lost_news(peer->bus, record);
    }
}

void tw__interest_on_presence(tw__peer *peer, const tw__record *record) {
    if (takes_deliveries(find_at(peer, record))) {
        tw__news_on_record(peer->bus, record);
    }
}
