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

/* Room for one of `size`; 0 is one that needs none. */
static int check_room(const tw__bus *bus, const tw__peer *peer, size_t size) {
    size_t level =
        peer == NULL ? bus->publication_bytes : tw__peer_publish_level(peer);
    if (bus->is_closing) {
        return TW_ECLOSED;
    }
    if (peer != NULL && peer->is_unavailable) {
        return TW_EUNAVAILABLE;
    }
    bool fits = size == 0 || (size <= TW__RECORD_MAX &&
                              level + size <= bus->config.publish_budget_bytes);
    return fits ? 0 : TW_EOVERLOADED;
}

static tw__peer *peer_of(tw__bus *bus, uint16_t member) {
    return member == bus->config.slot ? NULL : &bus->peers[member];
}

/* There are no more of them than had room to enter; one that is refused would
 * leave somebody behind who is not there. */
static bool is_leave(const tw__pub *pub) {
    return pub->type == TW__RECORD_LEAVE || pub->type == TW__RECORD_USER_LEAVE;
}

/* The reference is taken when this succeeds. */
static int enqueue(tw__bus *bus, tw__pub *pub, tw__peer *peer) {
    size_t size = tw__record_pub_size(pub);
    int err = check_room(bus, peer, is_leave(pub) ? 0 : size);
    if (err != 0) {
        return err;
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

static uint16_t home_of(const tw__bus *bus, const tw__pub *pub) {
    return tw__bus_home(tw__pub_channel(pub), pub->channel_len,
                        bus->config.slots);
}

static int note_accepted(tw__bus *bus, tw__pub *pub, int err) {
    if (err == 0) {
        bus->stats.publications_accepted++;
    } else {
        bus->stats.publications_refused++;
        tw__pub_unref(pub);
    }
    return err;
}

int tw__publish_accept(tw__bus *bus, tw__pub *pub) {
    pub->type = TW__RECORD_PUBLISH;
    pub->token = 0;
    return note_accepted(bus, pub,
                         enqueue(bus, pub, peer_of(bus, home_of(bus, pub))));
}

int tw__publish_wait(tw__bus *bus, tw__pub *pub, tw__interest_cb cb,
                     void *arg) {
    tw__peer *peer = peer_of(bus, home_of(bus, pub));
    tw__list *waits = peer == NULL ? &bus->waits : &peer->waits;
    int err = check_room(bus, peer, tw__record_pub_size(pub));
    pub->type = TW__RECORD_PUBLISH;
    pub->token = ++bus->last_token;
    if (err == 0) {
        err = tw__wait_add(waits, pub->token, cb, arg);
    }
    if (err == 0) {
        err = enqueue(bus, pub, peer);
    }
    return note_accepted(bus, pub, err);
}

int tw__publish_record(tw__bus *bus, uint16_t member,
                       const tw__record *record) {
    tw__peer *peer = peer_of(bus, member);
    int err = check_room(bus, peer, tw__record_size(record));
    if (err != 0) {
        return err;
    }
    tw__pub *pub = tw__record_to_pub(record, bus->config.pubs);
    if (pub == NULL) {
        return TW_ENOMEM;
    }
    err = enqueue(bus, pub, peer);
    if (err != 0) {
        tw__pub_unref(pub);
    }
    return err;
}

static tw__pub *shift_own(tw__bus *bus) {
    tw__pub *pub = PUB(tw__list_shift(&bus->publications));
    bus->publication_bytes -= tw__record_pub_size(pub);
    return pub;
}

static void handle_own(tw__bus *bus, tw__pub *pub) {
    if (pub->type == TW__RECORD_PUBLISH) {
        tw__deliver_pub(bus, pub);
        return;
    }
    tw__record record;
    tw__record_of_pub(&record, pub->type, pub);
    tw__act_run(bus, bus->config.slot, &record);
    tw__pub_unref(pub);
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
        handle_own(bus, pub);
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
        tw__pub *pub = PUB(peer->publications.next);
        tw__record_of_pub(&record, pub->type, pub);
        int err = tw__outbox_append(&peer->outbox, &record);
        if (err != 0) {
            return err;
        }
        tw__pub_unref(shift_at(peer));
    }
    return 0;
}

static void lose_unread(tw__peer *peer, const tw__record *record) {
    bool is_act = record->type != TW__RECORD_PUBLISH;
    peer->bus->stats.acts_lost += is_act;
    peer->bus->stats.publications_lost += !is_act;
    if (record->token != 0) {
        tw__wait_lose(peer, record->token);
    }
}

static void recover_one(tw__peer *peer, const tw__record *record,
                        tw__list *recovered) {
    tw__pub *pub = tw__record_to_pub(record, peer->bus->config.pubs);
    if (pub == NULL) {
        lose_unread(peer, record);
        return;
    }
    tw__list_push(recovered, &pub->node);
    peer->publication_bytes += tw__record_pub_size(pub);
}

/* Of the first who is waited for and has not left. */
uint64_t tw__publish_first_token(const tw__peer *peer) {
    tw__record record;
    size_t pos = 0;
    while (tw__outbox_next(&peer->outbox, &pos, &record)) {
        if (record.type == TW__RECORD_PUBLISH && record.token != 0) {
            return record.token;
        }
    }
    for (const tw__list *node = peer->publications.next;
         node != &peer->publications; node = node->next) {
        const tw__pub *pub = PUB(node);
        if (pub->token != 0) {
            return pub->token;
        }
    }
    return UINT64_MAX;
}

/* A record that left only in part was never whole at the home, which can have
 * done nothing with it: it is sent again without doubling anything. */
void tw__publish_recover(tw__peer *peer) {
    tw__list recovered;
    tw__record record;
    size_t pos = 0;
    tw__list_init(&recovered);
    while (tw__outbox_next(&peer->outbox, &pos, &record)) {
        if (tw__outbox_class_of(record.type) == TW__OUTBOX_PUBLISH) {
            recover_one(peer, &record, &recovered);
        } else if (record.type == TW__RECORD_DELIVER) {
            peer->bus->stats.deliveries_dropped++;
        } else if (record.type == TW__RECORD_REPLY) {
            peer->has_lost_answers = true;
        }
    }
    tw__list_move_all(&recovered, &peer->publications);
    tw__list_move_all(&peer->publications, &recovered);
    tw__outbox_clear(&peer->outbox);
    tw__wait_give_up(peer, tw__publish_first_token(peer));
}

static void lose(tw__bus *bus, tw__list *waits, tw__pub *pub, int status) {
    bool is_act = pub->type != TW__RECORD_PUBLISH;
    bus->stats.acts_lost += is_act;
    bus->stats.publications_lost += !is_act;
    if (!is_act && pub->token != 0) {
        tw__wait_end(waits, pub->token, status, NULL);
    } else if (!is_act) {
        bus->config.events.on_lost(bus->config.events.arg, pub, status);
    }
    tw__pub_unref(pub);
}

void tw__publish_fail(tw__peer *peer, int status) {
    while (!tw__list_is_empty(&peer->publications)) {
        lose(peer->bus, &peer->waits, shift_at(peer), status);
    }
}

void tw__publish_close_all(tw__bus *bus) {
    while (!tw__list_is_empty(&bus->publications)) {
        lose(bus, &bus->waits, shift_own(bus), TW_ECLOSED);
    }
    for (uint16_t i = 0; i < bus->members; i++) {
        tw__publish_fail(&bus->peers[i], TW_ECLOSED);
    }
}
