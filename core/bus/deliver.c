/* deliver.c - publications, put in order by this slot as home.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "bus/engine.h"
#include "tidewire/errors.h"

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
    tw__deliver_forward(bus, channel, bytes, len);
    if (len > KEEP_SCRATCH_BYTES) {
        tw__bytes_deinit(&bus->scratch);
    }
}

/* 0, or TW_EEXISTS when it was there before. Without memory it is delivered all
 * the same. */
static int keep(tw__bus *bus, tw__home_channel *channel, tw__pub *pub,
                uint64_t *offset) {
    tw__deliver_confirm(bus, channel);
    tw__history *history =
        tw__home_history(&bus->home, channel, pub->id_len > 0);
    *offset = 0;
    if (history == NULL) {
        return 0;
    }
    int err = tw__history_append(history, pub, tw__loop_now(bus->config.loop),
                                 offset);
    bus->stats.publications_doubled += err == TW_EEXISTS;
    return err == TW_EEXISTS ? err : 0;
}

/* The members first: the callback may change anything. */
static void pass_on(tw__bus *bus, tw__home_channel *channel, tw__pub *pub) {
    if (channel != NULL && !tw__list_is_empty(&channel->members)) {
        forward_pub(bus, channel, pub);
    }
    if (channel != NULL && tw__home_is_ready(channel)) {
        bus->config.events.on_publication(bus->config.events.arg, pub);
    } else {
        tw__pub_unref(pub);
    }
}

/* The position of a publication with that offset; all zero where nothing is
 * kept, though the first with its id may have had one. */
static tw__position position_at(const tw__home_channel *channel,
                                uint64_t offset) {
    tw__position position = {0};
    if (channel != NULL) {
        tw__home_position(channel, &position);
    }
    position.offset = position.epoch[0] != '\0' ? offset : 0;
    return position;
}

static tw__position sequence(tw__bus *bus, tw__pub *pub) {
    uint64_t offset = 0;
    tw__home_channel *channel = tw__home_for_pub(
        &bus->home, tw__pub_channel(pub), pub->channel_len, pub->id_len > 0);
    int err = channel != NULL ? keep(bus, channel, pub, &offset) : 0;
    tw__position position = position_at(channel, offset);
    if (channel != NULL && tw__home_release(&bus->home, channel)) {
        channel = NULL; /* no memory to keep anything of it */
    }
    if (err != 0) {
        tw__pub_unref(pub);
    } else {
        bus->stats.sequenced++;
        pass_on(bus, channel, pub);
    }
    return position;
}

void tw__deliver_pub(tw__bus *bus, tw__pub *pub) {
    tw__position position = {0};
    uint64_t token = pub->token;
    if (is_expired(bus, &pub->header)) {
        tw__pub_unref(pub);
    } else {
        position = sequence(bus, pub);
    }
    if (token != 0) {
        tw__wait_end(&bus->waits, token, 0, &position);
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

/* The answer to a publisher of another member who waits for it. */
static void reply(tw__peer *peer, uint64_t token, int status,
                  const tw__position *position) {
    if (token == 0) {
        return;
    }
    tw__record record = {.type = TW__RECORD_REPLY,
                         .token = token,
                         .status = (uint8_t)-status,
                         .id = position->epoch,
                         .id_len = (uint8_t)strlen(position->epoch),
                         .header.offset = position->offset};
    if (tw__outbox_append(&peer->outbox, &record) != 0) {
        tw__peer_give_up(peer, "no memory for an answer");
    }
    tw__peer_use(peer);
}

/* What is kept needs a publication of its own; what only passes is neither
 * taken apart nor allocated. */
static void keep_and_pass(tw__peer *peer, tw__home_channel *channel,
                          const tw__record *record, uint8_t *bytes,
                          size_t len) {
    tw__bus *bus = peer->bus;
    uint64_t offset = 0;
    tw__pub *pub = tw__record_to_pub(record, NULL);
    if (pub == NULL) {
        tw__position none = {0};
        bus->stats.publications_lost++;
        tw__home_release(&bus->home, channel);
        reply(peer, record->token, TW_ENOMEM, &none);
        return;
    }
    int err = keep(bus, channel, pub, &offset);
    tw__position position = position_at(channel, offset);
    if (err == 0) {
        bus->stats.sequenced++;
        tw__record_renumber(bytes, offset);
        tw__deliver_forward(bus, channel, bytes, len);
    }
    reply(peer, record->token, 0, &position);
    if (err == 0 && !tw__home_release(&bus->home, channel) &&
        tw__home_is_ready(channel)) {
        bus->config.events.on_publication(bus->config.events.arg, pub);
    } else {
        tw__pub_unref(pub);
    }
}

static bool is_kept(const tw__home_channel *channel, const tw__record *record) {
    return channel->history != NULL || record->id_len > 0 ||
           channel->class.history.size > 0 || channel->class.history.retain > 0;
}

static void pass_record(tw__peer *peer, tw__home_channel *channel,
                        const tw__record *record, uint8_t *bytes, size_t len) {
    tw__bus *bus = peer->bus;
    static const tw__position none;
    bus->stats.sequenced++;
    reply(peer, record->token, 0, &none);
    if (channel == NULL) {
        return;
    }
    tw__deliver_confirm(bus, channel);
    tw__deliver_forward(bus, channel, bytes, len);
    if (tw__home_is_ready(channel)) {
        hand_over(bus, record);
    }
}

/* The bytes that came in are those that go out. */
void tw__deliver_on_publish(tw__peer *peer, const tw__record *record,
                            uint8_t *bytes, size_t len) {
    tw__bus *bus = peer->bus;
    static const tw__position none;
    if (is_expired(bus, &record->header)) {
        reply(peer, record->token, 0, &none);
        return;
    }
    tw__home_channel *channel = tw__home_for_pub(
        &bus->home, record->channel, record->channel_len, record->id_len > 0);
    tw__record_retype(bytes, TW__RECORD_DELIVER);
    if (channel != NULL && is_kept(channel, record)) {
        keep_and_pass(peer, channel, record, bytes, len);
    } else {
        pass_record(peer, channel, record, bytes, len);
    }
}
