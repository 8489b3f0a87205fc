/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

#define IN_HOME(node) TW__CONTAINER(node, tw__interest, in_home)
#define DUE(node) TW__CONTAINER(node, tw__interest, due)

static bool is_due(const tw__interest *interest) {
    return !tw__list_is_empty(&interest->due);
}

void tw__interest_make_due(tw__interest *interest) {
    if (!is_due(interest)) {
        tw__list_push(&interest->home->due, &interest->due);
    }
    tw__peer_use(interest->home);
}

/* A dropped interest is in up to two lists: what the home is to be told, and
 * what the caller is to be answered. */
void tw__interest_free_if_done(tw__interest *interest) {
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
        tw__home_history(&bus->home, interest->at_home->channel, false);
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
    tw__interest_make_due(interest);
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
    peer->dropped_bytes += tw__interest_size(interest);
    tw__interest_make_due(interest);
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
    tw__interest_free_if_done(interest);
}

/* The first request carries the count. */
bool tw__interest_set_count(tw__bus *bus, const char *channel, size_t len,
                            uint32_t count) {
    tw__interest *interest = tw__map_find(&bus->interests, channel, len);
    if (interest == NULL || bus->is_closing) {
        return true;
    }
    bool is_changed = interest->count != count;
    interest->count = count;
    if (interest->at_home != NULL) {
        interest->at_home->count = count;
        return true;
    }
    if (is_changed && interest->is_told) {
        tw__interest_make_due(interest);
    }
    return !interest->is_told && !interest->is_confirmed;
}

void tw__interest_answer(tw__interest *interest, int status,
                         const tw__position *position) {
    interest->is_confirmed = true;
    interest->cb(status, position, interest->arg);
}

static void answer_dropped(tw__bus *bus) {
    while (!tw__list_is_empty(&bus->dropped)) {
        tw__interest *interest = IN_HOME(tw__list_shift(&bus->dropped));
        tw__interest_cb cb = interest->cb;
        void *arg = interest->arg;
        tw__interest_free_if_done(interest);
        cb(TW_ECLOSED, NULL, arg);
    }
}

/* What callbacks add to the list waits for the next turn. */
void tw__interest_answer_own(tw__bus *bus) {
    tw__list waiting, *node;
    answer_dropped(bus);
    tw__list_init(&waiting);
    tw__list_move_all(&waiting, &bus->own_due);
    while ((node = tw__list_shift(&waiting)) != NULL) {
        tw__position position;
        tw__home_position(DUE(node)->at_home->channel, &position);
        DUE(node)->at_home->is_ready = true;
        tw__interest_answer(DUE(node), 0, &position);
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
            tw__interest_answer(interest, TW_ECLOSED, NULL);
        }
        tw__free(interest);
    }
    tw__map_deinit(&bus->interests);
}
