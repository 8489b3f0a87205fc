/* SPDX-License-Identifier: MIT */
#include "bus/engine.h"
#include "tidewire/errors.h"

/* What a home tells a member about one channel is in order: confirmation, gap,
 * deliveries. Deliveries go straight into the outbox; the other two stand on
 * the interest until there is room, and whatever follows of that channel waits
 * for them or is lost and counted. */

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

static void owe_gap(tw__peer *peer, tw__home_interest *interest) {
    if (tw__list_is_empty(&interest->owed)) {
        tw__list_push(&peer->gaps, &interest->owed);
    }
}

/* 0, TW_ENOMEM, or TW_EOVERLOADED when it has to wait. */
static int settle_confirm(tw__peer *peer, tw__home_interest *interest) {
    tw__record record = record_of(interest, TW__RECORD_CONFIRM, 0);
    if (!tw__peer_has_control_room(peer, tw__record_size(&record))) {
        return TW_EOVERLOADED;
    }
    int err = tw__outbox_append(&peer->outbox, &record);
    if (err == 0) {
        interest->owes_confirm = false;
        tw__list_remove(&interest->owed);
        if (interest->lost > 0) {
            owe_gap(peer, interest);
        }
    }
    return err;
}

static int settle_gap(tw__peer *peer, tw__home_interest *interest) {
    tw__record record = record_of(interest, TW__RECORD_GAP, interest->lost);
    if (!has_room(peer, tw__record_size(&record))) {
        return TW_EOVERLOADED;
    }
    int err = tw__outbox_append(&peer->outbox, &record);
    if (err == 0) {
        interest->lost = 0;
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
    if (err == 0 && interest->lost > 0) {
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
    return err == TW_ENOMEM ? err : 0;
}

static void forward(tw__bus *bus, tw__home_interest *interest,
                    const uint8_t *bytes, size_t len) {
    tw__peer *peer = &bus->peers[interest->member];
    if (bytes != NULL && settle(peer, interest) == 0 && has_room(peer, len) &&
        tw__outbox_append_bytes(&peer->outbox, bytes, len) == 0) {
        bus->stats.forwarded++;
    } else {
        interest->lost++;
        bus->stats.deliveries_dropped++;
        owe_gap(peer, interest);
    }
    tw__peer_use(peer);
}

/* `bytes` are NULL when there was no memory to make them. */
static void forward_all(tw__bus *bus, tw__home_channel *channel,
                        const uint8_t *bytes, size_t len) {
    for (tw__list *node = channel->members.next; node != &channel->members;
         node = node->next) {
        forward(bus, IN_CHANNEL(node), bytes, len);
    }
}

/* All deadlines are of this machine's monotonic clock, which members share. */
static bool is_expired(tw__bus *bus, const tw__pub_header *header) {
    if (header->deadline_ms == 0 ||
        header->deadline_ms > tw__loop_now(bus->config.loop)) {
        return false;
    }
    bus->stats.publications_expired++;
    return true;
}

/* The record of a publication, in memory that is used for the next one too. */
static const uint8_t *serialise(tw__bus *bus, tw__pub *pub, size_t *len) {
    tw__record record;
    uint8_t *place;
    tw__record_of_pub(&record, TW__RECORD_DELIVER, pub);
    *len = tw__record_size(&record);
    if (tw__bytes_reserve(&bus->scratch, *len, &place) != 0) {
        return NULL;
    }
    tw__record_write(place, &record);
    return place;
}

enum { KEEP_SCRATCH_BYTES = 256 * 1024 };

static void forward_pub(tw__bus *bus, tw__home_channel *channel, tw__pub *pub) {
    size_t len;
    const uint8_t *bytes = serialise(bus, pub, &len);
    forward_all(bus, channel, bytes, len);
    if (len > KEEP_SCRATCH_BYTES) {
        tw__bytes_deinit(&bus->scratch);
    }
}

static bool wants(const tw__home_channel *channel) {
    return channel->own != NULL && channel->own->is_ready;
}

/* The members first: the callback may change anything. */
void tw__deliver_pub(tw__bus *bus, tw__pub *pub) {
    if (is_expired(bus, &pub->header)) {
        tw__pub_unref(pub);
        return;
    }
    tw__home_channel *channel =
        tw__home_find(&bus->home, tw__pub_channel(pub), pub->channel_len);
    bus->stats.sequenced++;
    if (channel != NULL && !tw__list_is_empty(&channel->members)) {
        forward_pub(bus, channel, pub);
    }
    if (channel != NULL && wants(channel)) {
        bus->config.events.on_publication(bus->config.events.arg, pub);
    } else {
        tw__pub_unref(pub);
    }
}

static void hand_over(tw__bus *bus, const tw__record *record) {
    tw__broker_events *events = &bus->config.events;
    tw__pub *pub = tw__record_to_pub(record, bus->config.pubs);
    if (pub != NULL) {
        events->on_publication(events->arg, pub);
        return;
    }
    bus->stats.gaps_received++;
    bus->stats.gap_publications++;
    events->on_gap(events->arg, record->channel, record->channel_len, 1);
}

/* The bytes that came in are those that go out: a publication which only passes
 * is neither taken apart nor allocated. */
void tw__deliver_on_publish(tw__peer *peer, const tw__record *record,
                            uint8_t *bytes, size_t len) {
    tw__bus *bus = peer->bus;
    if (is_expired(bus, &record->header)) {
        return;
    }
    tw__home_channel *channel =
        tw__home_find(&bus->home, record->channel, record->channel_len);
    bus->stats.sequenced++;
    if (channel == NULL) {
        return;
    }
    tw__record_retype(bytes, TW__RECORD_DELIVER);
    forward_all(bus, channel, bytes, len);
    if (wants(channel)) {
        hand_over(bus, record);
    }
}

/* Asking again, with another token, is how a member renews. */
int tw__deliver_on_interest(tw__peer *peer, const tw__record *record) {
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
    interest->owes_confirm = true;
    tw__list_remove(&interest->owed);
    tw__list_push(&peer->confirms, &interest->owed);
    tw__peer_use(peer);
    return 0;
}

static tw__home_interest *find(tw__peer *peer, const tw__record *record) {
    return tw__home_find_interest(&peer->bus->home, record->channel,
                                  record->channel_len, peer->slot);
}

void tw__deliver_on_count(tw__peer *peer, const tw__record *record) {
    tw__home_interest *interest = find(peer, record);
    if (interest != NULL) {
        interest->count = (uint32_t)record->header.offset;
    }
}

void tw__deliver_on_drop(tw__peer *peer, const tw__record *record) {
    tw__home_interest *interest = find(peer, record);
    if (interest != NULL) {
        tw__home_remove_interest(&peer->bus->home, interest);
    }
}

/* An answer stands nowhere but in the outbox. When it does not fit, the stream
 * is given up, and the member asks again on seeing the next one. */
void tw__deliver_on_count_request(tw__peer *peer, const tw__record *record) {
    tw__bus *bus = peer->bus;
    tw__home_channel *channel =
        tw__home_find(&bus->home, record->channel, record->channel_len);
    tw__record reply = {.type = TW__RECORD_COUNT_REPLY,
                        .token = record->token,
                        .header.offset =
                            channel == NULL ? 0 : tw__home_count(channel)};
    if (peer->outbox.level[TW__OUTBOX_CONTROL] + TW__RECORD_HEADER >
            bus->config.control_budget_bytes ||
        tw__outbox_append(&peer->outbox, &reply) != 0) {
        tw__peer_give_up(peer, "too many answers wait");
    }
    tw__peer_use(peer);
}

void tw__deliver_forget(tw__peer *peer) {
    while (!tw__list_is_empty(&peer->wants)) {
        tw__home_remove_interest(&peer->bus->home, IN_MEMBER(peer->wants.next));
    }
}
