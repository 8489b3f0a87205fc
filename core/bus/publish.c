/* SPDX-License-Identifier: MIT */
#include "bus/engine.h"
#include "tidewire/errors.h"

#define PUB(place) TW__CONTAINER(place, tw__pub, node)

enum {
    /* Serialised ahead of the socket for one home. The rest stays a list of
     * references, so that a burst is not held twice. */
    AHEAD_BYTES = 256 * 1024,
    /* Of the own slot's channels, sequenced in one turn. */
    TURN_BYTES = 1024 * 1024,
    TURN_PUBLICATIONS = 4096,
};

size_t tw__peer_publish_level(const tw__peer *peer) {
    return peer->publication_bytes + peer->outbox.level[TW__OUTBOX_PUBLISH];
}

static void fill_origin(tw__bus *bus, tw__pub *pub) {
    tw__origin *origin = &pub->header.origin;
    if (origin->node == 0 && origin->incarnation == 0 && origin->slot == 0) {
        *origin = (tw__origin){bus->config.node, bus->config.incarnation,
                               bus->config.slot};
    }
}

static int enqueue(tw__bus *bus, tw__pub *pub) {
    size_t size = tw__record_pub_size(pub);
    uint16_t home =
        tw__bus_home(tw__pub_channel(pub), pub->channel_len, bus->config.slots);
    tw__peer *peer = home == bus->config.slot ? NULL : &bus->peers[home];
    size_t level =
        peer == NULL ? bus->publication_bytes : tw__peer_publish_level(peer);
    if (peer != NULL && peer->is_unavailable) {
        return TW_EUNAVAILABLE;
    }
    if (size > TW__RECORD_MAX ||
        level + size > bus->config.publish_budget_bytes) {
        return TW_EOVERLOADED;
    }
    fill_origin(bus, pub);
    if (peer == NULL) {
        tw__list_push(&bus->publications, &pub->node);
        bus->publication_bytes += size;
        tw__bus_wake(bus);
    } else {
        tw__list_push(&peer->publications, &pub->node);
        peer->publication_bytes += size;
        tw__peer_use(peer);
    }
    return 0;
}

int tw__publish_accept(tw__bus *bus, tw__pub *pub) {
    int err = bus->is_closing ? TW_ECLOSED : enqueue(bus, pub);
    if (err == 0) {
        bus->stats.publications_accepted++;
    } else {
        bus->stats.publications_refused++;
        tw__pub_unref(pub);
    }
    return err;
}

static tw__pub *shift_own(tw__bus *bus) {
    tw__pub *pub = PUB(tw__list_shift(&bus->publications));
    bus->publication_bytes -= tw__record_pub_size(pub);
    return pub;
}

/* Publications that come in meanwhile, from callbacks, wait for the next turn:
 * those who publish what they receive shall not hold the loop. */
bool tw__publish_run_own(tw__bus *bus) {
    const tw__list *last = bus->publications.prev;
    size_t bytes = 0;
    for (unsigned i = 0; i < TURN_PUBLICATIONS && bytes < TURN_BYTES; i++) {
        if (tw__list_is_empty(&bus->publications)) {
            break;
        }
        tw__pub *pub = shift_own(bus);
        bool is_last = &pub->node == last;
        bytes += tw__record_pub_size(pub);
        tw__deliver_pub(bus, pub);
        if (is_last) {
            break;
        }
    }
    return !tw__list_is_empty(&bus->publications);
}

static tw__pub *shift_at(tw__peer *peer) {
    tw__pub *pub = PUB(tw__list_shift(&peer->publications));
    peer->publication_bytes -= tw__record_pub_size(pub);
    return pub;
}

int tw__publish_tell(tw__peer *peer) {
    while (!tw__list_is_empty(&peer->publications) &&
           peer->outbox.level[TW__OUTBOX_PUBLISH] < AHEAD_BYTES) {
        tw__record record;
        tw__record_of_pub(&record, TW__RECORD_PUBLISH,
                          PUB(peer->publications.next));
        int err = tw__outbox_append(&peer->outbox, &record);
        if (err != 0) {
            return err;
        }
        tw__pub_unref(shift_at(peer));
    }
    return 0;
}

static void recover_one(tw__peer *peer, const tw__record *record,
                        tw__list *recovered) {
    tw__pub *pub = tw__record_to_pub(record, peer->bus->config.pubs);
    if (pub == NULL) {
        peer->bus->stats.publications_lost++;
        return;
    }
    tw__list_push(recovered, &pub->node);
    peer->publication_bytes += tw__record_pub_size(pub);
}

/* A record that left only in part was never whole at the home, which can have
 * done nothing with it: it is sent again without doubling anything. */
void tw__publish_recover(tw__peer *peer) {
    tw__list recovered;
    tw__record record;
    size_t pos = 0;
    tw__list_init(&recovered);
    while (tw__outbox_next(&peer->outbox, &pos, &record)) {
        if (record.type == TW__RECORD_PUBLISH) {
            recover_one(peer, &record, &recovered);
        } else if (record.type == TW__RECORD_DELIVER) {
            peer->bus->stats.deliveries_dropped++;
        }
    }
    tw__list_move_all(&recovered, &peer->publications);
    tw__list_move_all(&peer->publications, &recovered);
    tw__outbox_clear(&peer->outbox);
}

static void lose(tw__bus *bus, tw__pub *pub, int status) {
    bus->stats.publications_lost++;
    bus->config.events.on_lost(bus->config.events.arg, pub, status);
    tw__pub_unref(pub);
}

void tw__publish_fail(tw__peer *peer, int status) {
    while (!tw__list_is_empty(&peer->publications)) {
        lose(peer->bus, shift_at(peer), status);
    }
}

void tw__publish_close_all(tw__bus *bus) {
    while (!tw__list_is_empty(&bus->publications)) {
        lose(bus, shift_own(bus), TW_ECLOSED);
    }
    for (uint16_t i = 0; i < bus->members; i++) {
        tw__publish_fail(&bus->peers[i], TW_ECLOSED);
    }
}
