/* ask.c - questions for homes and other members, until they are answered.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

#define ASK(place) TW__CONTAINER(place, tw__ask, node)

static tw__ask *create(tw__bus *bus, tw__record *record, tw__reply_cb cb,
                       void *arg) {
    size_t len = tw__record_size(record);
    tw__ask *ask = tw__malloc(sizeof *ask + len);
    if (ask != NULL) {
        tw__list_init(&ask->node);
        ask->token = record->token = ++bus->last_token;
        ask->cb = cb;
        ask->arg = arg;
        ask->len = (uint32_t)len;
        tw__record_write(ask->bytes, record);
    }
    return ask;
}

enum {
    /* Of answers to this member itself, in one turn. */
    TURN_BYTES = 1024 * 1024,
    TURN_ASKS = 4096,
};

/* Half the budget, as for what the home confirms: what is asked may have to be
 * kept there until there is room to answer. */
static int check_room(const tw__bus *bus, const tw__peer *peer, size_t len) {
    size_t level = peer == NULL ? bus->own_ask_bytes : peer->ask_bytes;
    if (bus->is_closing) {
        return TW_ECLOSED;
    }
    if (peer != NULL && peer->is_unavailable) {
        return TW_EUNAVAILABLE;
    }
    bool has_room = level + len <= bus->config.control_budget_bytes / 2;
    return has_room ? 0 : TW_EOVERLOADED;
}

static void push(tw__bus *bus, tw__peer *peer, tw__ask *ask) {
    if (peer == NULL) {
        tw__list_push(&bus->own_asks, &ask->node);
        bus->own_ask_bytes += ask->len;
        tw__bus_wake(bus);
    } else {
        tw__list_push(&peer->asks_due, &ask->node);
        peer->ask_bytes += ask->len;
        tw__peer_use(peer);
    }
}

int tw__ask_member(tw__bus *bus, uint16_t member, tw__record *record,
                   tw__reply_cb cb, void *arg) {
    bool is_own = member == bus->config.slot;
    tw__peer *peer = is_own ? NULL : &bus->peers[member];
    int err = check_room(bus, peer, tw__record_size(record));
    if (err != 0) {
        return err;
    }
    tw__ask *ask = create(bus, record, cb, arg);
    if (ask == NULL) {
        return TW_ENOMEM;
    }
    push(bus, peer, ask);
    return 0;
}

int tw__ask_home(tw__bus *bus, tw__record *record, tw__reply_cb cb, void *arg) {
    uint16_t home =
        tw__bus_home(record->channel, record->channel_len, bus->config.slots);
    return tw__ask_member(bus, home, record, cb, arg);
}

static void answer(tw__ask *ask, int status, const tw__record *reply) {
    tw__reply_cb cb = ask->cb;
    void *arg = ask->arg;
    tw__free(ask);
    cb(status, reply, arg);
}

static tw__ask *shift_own(tw__bus *bus) {
    tw__ask *ask = ASK(tw__list_shift(&bus->own_asks));
    bus->own_ask_bytes -= ask->len;
    return ask;
}

/* The bytes of the answer. */
static size_t answer_own(tw__bus *bus, tw__ask *ask) {
    tw__record question, reply;
    size_t taken;
    tw__record_parse(ask->bytes, ask->len, &question, &taken);
    tw__answer_make(bus, &question, &reply);
    answer(ask, -(int)reply.status, reply.status == 0 ? &reply : NULL);
    tw__answer_done(bus);
    return tw__record_size(&reply);
}

/* What callbacks ask waits for the next turn, as does what is too much for this
 * one. */
bool tw__ask_answer_own(tw__bus *bus) {
    const tw__list *last = bus->own_asks.prev;
    bool is_last = false;
    size_t bytes = 0;
    for (int i = 0; i < TURN_ASKS && bytes < TURN_BYTES && !is_last; i++) {
        if (tw__list_is_empty(&bus->own_asks)) {
            break;
        }
        tw__ask *ask = shift_own(bus);
        is_last = &ask->node == last;
        bytes += answer_own(bus, ask);
    }
    return !tw__list_is_empty(&bus->own_asks);
}

/* Behind the counts of this member, which the answers have to hold. */
int tw__ask_tell(tw__peer *peer) {
    while (tw__list_is_empty(&peer->due) &&
           !tw__list_is_empty(&peer->asks_due)) {
        tw__ask *ask = ASK(peer->asks_due.next);
        if (!tw__peer_has_control_room(peer, ask->len)) {
            break;
        }
        int err = tw__outbox_append_bytes(&peer->outbox, ask->bytes, ask->len);
        if (err != 0) {
            return err;
        }
        tw__list_remove(&ask->node);
        tw__list_push(&peer->asks_sent, &ask->node);
    }
    return 0;
}

void tw__ask_untell(tw__peer *peer) {
    tw__list_move_all(&peer->asks_sent, &peer->asks_due);
    tw__list_move_all(&peer->asks_due, &peer->asks_sent);
    if (!tw__list_is_empty(&peer->asks_due)) {
        tw__peer_use(peer);
    }
}

/* One that is not known is that of a newer member. */
static int status_of(const tw__record *reply) {
    bool is_known = reply->status <= -TW_EIO;
    return is_known ? -(int)reply->status : TW_EUNAVAILABLE;
}

static void answer_publisher(tw__peer *peer, const tw__record *record) {
    tw__position position = tw__record_position(record);
    tw__wait_end(&peer->waits, record->token, status_of(record),
                 record->status == 0 ? &position : NULL);
}

/* Answers come in the order of the questions: the first fits, but for what was
 * asked twice. */
void tw__ask_on_reply(tw__peer *peer, const tw__record *record) {
    for (tw__list *node = peer->asks_sent.next; node != &peer->asks_sent;
         node = node->next) {
        if (ASK(node)->token == record->token) {
            tw__list_remove(node);
            peer->ask_bytes -= ASK(node)->len;
            answer(ASK(node), status_of(record),
                   record->status == 0 ? record : NULL);
            return;
        }
    }
    answer_publisher(peer, record);
}

static void fail_list(tw__peer *peer, tw__list *list, int status) {
    tw__list *node;
    while ((node = tw__list_shift(list)) != NULL) {
        peer->ask_bytes -= ASK(node)->len;
        answer(ASK(node), status, NULL);
    }
}

void tw__ask_fail(tw__peer *peer, int status) {
    fail_list(peer, &peer->asks_sent, status);
    fail_list(peer, &peer->asks_due, status);
}

void tw__ask_close_all(tw__bus *bus) {
    while (!tw__list_is_empty(&bus->own_asks)) {
        answer(shift_own(bus), TW_ECLOSED, NULL);
    }
    for (uint16_t i = 0; i < bus->members; i++) {
        tw__ask_fail(&bus->peers[i], TW_ECLOSED);
    }
}
