/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

#define IN_HOME(node) TW__CONTAINER(node, tw__interest, in_home)
#define DUE(node) TW__CONTAINER(node, tw__interest, due)

static size_t request_size(const tw__interest *interest) {
    return (size_t)TW__RECORD_HEADER + interest->len;
}

static bool is_due(const tw__interest *interest) {
    return !tw__list_is_empty(&interest->due);
}

static void make_due(tw__interest *interest) {
    if (!is_due(interest)) {
        tw__list_push(&interest->home->due, &interest->due);
    }
    tw__peer_use(interest->home);
}

/* A dropped interest is in up to two lists: what the home is to be told, and
 * what the caller is to be answered. */
static void free_if_done(tw__interest *interest) {
    if (interest->is_dropped && !is_due(interest) &&
        tw__list_is_empty(&interest->in_home)) {
        tw__free(interest);
    }
}

static tw__interest *create(const char *channel, size_t len, tw__interest_cb cb,
                            void *arg) {
    tw__interest *interest = tw__calloc(1, sizeof *interest + len + 1);
    if (interest != NULL) {
        tw__list_init(&interest->in_home);
        tw__list_init(&interest->due);
        interest->cb = cb;
        interest->arg = arg;
        interest->len = (uint8_t)len;
        memcpy(interest->channel, channel, len);
    }
    return interest;
}

/* The home's record of it is made at once, so that nothing can fail later, but
 * it is not ready before the caller was answered. */
static int register_own(tw__bus *bus, tw__interest *interest) {
    int err = tw__home_add_interest(&bus->home, interest->channel,
                                    interest->len, bus->config.slot,
                                    &bus->own_wants, &interest->at_home);
    if (err == 0) {
        tw__list_push(&bus->own_due, &interest->due);
        tw__bus_wake(bus);
    }
    return err;
}

static int register_at(tw__bus *bus, tw__interest *interest) {
    uint16_t home =
        tw__bus_home(interest->channel, interest->len, bus->config.slots);
    if (home == bus->config.slot) {
        return register_own(bus, interest);
    }
    interest->home = &bus->peers[home];
    tw__list_push(&interest->home->interests, &interest->in_home);
    make_due(interest);
    return 0;
}

int tw__interest_add(tw__bus *bus, const char *channel, size_t len,
                     tw__interest_cb cb, void *arg) {
    if (bus->is_closing) {
        return TW_ECLOSED;
    }
    if (len > TW__CHANNEL_MAX) {
        return TW_EINVALID;
    }
    tw__interest *interest = create(channel, len, cb, arg);
    if (interest == NULL) {
        return TW_ENOMEM;
    }
    int err = tw__map_add(&bus->interests, interest->channel, len, interest);
    if (err != 0) {
        goto free_interest;
    }
    err = register_at(bus, interest);
    if (err != 0) {
        goto remove_interest;
    }
    return 0;

remove_interest:
    tw__map_remove(&bus->interests, interest->channel, len);
free_interest:
    tw__free(interest);
    return err;
}

/* DROP records that wait are the only control that can pile up without anything
 * else growing with it, when a member comes and goes while its home does not
 * read. Giving the stream up makes them needless: a new one begins with the
 * interests that there are. */
static void drop_told(tw__interest *interest) {
    tw__peer *peer = interest->home;
    peer->dropped_bytes += request_size(interest);
    make_due(interest);
    if (peer->dropped_bytes + peer->outbox.level[TW__OUTBOX_CONTROL] >
        peer->bus->config.control_budget_bytes) {
        tw__peer_give_up(peer, "too many interests dropped");
    }
}

void tw__interest_drop(tw__bus *bus, const char *channel, size_t len) {
    tw__interest *interest = tw__map_find(&bus->interests, channel, len);
    if (interest == NULL || bus->is_closing) {
        return;
    }
    tw__map_remove(&bus->interests, channel, len);
    tw__list_remove(&interest->in_home);
    interest->is_dropped = true;
    if (!interest->is_confirmed) {
        tw__list_push(&bus->dropped, &interest->in_home);
        tw__bus_wake(bus);
    }
    if (interest->is_told) {
        drop_told(interest);
        return;
    }
    if (interest->at_home != NULL) {
        tw__home_remove_interest(&bus->home, interest->at_home);
    }
    tw__list_remove(&interest->due);
    free_if_done(interest);
}

void tw__interest_set_count(tw__bus *bus, const char *channel, size_t len,
                            uint32_t count) {
    tw__interest *interest = tw__map_find(&bus->interests, channel, len);
    if (interest == NULL || bus->is_closing || interest->count == count) {
        return;
    }
    interest->count = count;
    if (interest->at_home != NULL) {
        interest->at_home->count = count;
    } else if (interest->is_told) {
        make_due(interest);
    }
}

static void answer(tw__interest *interest, int status,
                   const tw__position *position) {
    interest->is_confirmed = true;
    interest->cb(status, position, interest->arg);
}

static void answer_dropped(tw__bus *bus) {
    while (!tw__list_is_empty(&bus->dropped)) {
        tw__interest *interest = IN_HOME(tw__list_shift(&bus->dropped));
        tw__interest_cb cb = interest->cb;
        void *arg = interest->arg;
        free_if_done(interest);
        cb(TW_ECLOSED, NULL, arg);
    }
}

/* What callbacks add to the list waits for the next turn. */
void tw__interest_answer_own(tw__bus *bus) {
    static const tw__position no_history;
    tw__list waiting, *node;
    answer_dropped(bus);
    tw__list_init(&waiting);
    tw__list_move_all(&waiting, &bus->own_due);
    while ((node = tw__list_shift(&waiting)) != NULL) {
        DUE(node)->at_home->is_ready = true;
        answer(DUE(node), 0, &no_history);
    }
}

static void free_dropped_due(tw__interest *interest) {
    interest->home->dropped_bytes -= request_size(interest);
    interest->is_told = false;
    free_if_done(interest);
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
        if (!tw__peer_has_control_room(peer, request_size(interest))) {
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
            make_due(interest);
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
    answer(interest, 0, &position);
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
    tw__pub *pub = tw__record_to_pub(record);
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

void tw__interest_close_all(tw__bus *bus) {
    size_t pos = 0;
    tw__interest *interest;
    for (uint16_t i = 0; i < bus->members; i++) {
        tw__interest_untell(&bus->peers[i]); /* frees what is dropped */
    }
    answer_dropped(bus);
    while ((interest = tw__map_next(&bus->interests, &pos)) != NULL) {
        tw__map_remove(&bus->interests, interest->channel, interest->len);
        tw__list_remove(&interest->in_home);
        tw__list_remove(&interest->due);
        if (!interest->is_confirmed) {
            answer(interest, TW_ECLOSED, NULL);
        }
        tw__free(interest);
    }
    tw__map_deinit(&bus->interests);
}
