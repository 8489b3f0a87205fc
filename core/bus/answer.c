/* answer.c - what other members, and this one, ask of this one.
 *
 * An answer is made when there is room for it, so that it holds what is so at
 * its place in the stream. What waits for that is bounded by what a member may
 * have asked (ask.c).
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

/* A question that waits. */
typedef struct question {
    tw__list node;
    size_t len;
    uint8_t bytes[];
} question;

#define QUESTION(place) TW__CONTAINER(place, question, node)

static int count(tw__bus *bus, const tw__record *asked, tw__record *reply) {
    const tw__home_channel *channel =
        tw__home_find(&bus->home, asked->channel, asked->channel_len);
    reply->header.offset = channel == NULL ? 0 : tw__home_count(channel);
    return 0;
}

static int make(tw__bus *bus, const tw__record *asked, tw__record *reply) {
    switch (asked->type) {
    case TW__RECORD_COUNT_REQUEST:
        return count(bus, asked, reply);
    case TW__RECORD_KEPT_REQUEST:
        return tw__kept_answer(bus, asked, reply);
    case TW__RECORD_PRESENCE_REQUEST:
        return tw__persons_answer(bus, asked, reply);
    case TW__RECORD_USER_REQUEST:
        return tw__users_answer(bus, asked, reply);
    case TW__RECORD_CONNS_REQUEST:
        return tw__conns_answer(bus, asked, reply);
    default:
        return TW_EINVALID;
    }
}

void tw__answer_make(tw__bus *bus, const tw__record *asked, tw__record *reply) {
    tw__bytes_consume(&bus->reply, tw__bytes_len(&bus->reply));
    *reply = (tw__record){.type = TW__RECORD_REPLY, .token = asked->token};
    int err = make(bus, asked, reply);
    if (err != 0) {
        *reply = (tw__record){.type = TW__RECORD_REPLY,
                              .token = asked->token,
                              .status = (uint8_t)-err};
        return;
    }
    reply->data = tw__bytes_data(&bus->reply);
    reply->len = (uint32_t)tw__bytes_len(&bus->reply);
}

/* One that is larger would push out what is delivered meanwhile. */
size_t tw__answer_room(const tw__bus *bus) {
    size_t room = bus->config.delivery_budget_bytes / 2;
    return room < TW__ANSWER_MAX ? room : TW__ANSWER_MAX;
}

int tw__answer_put(tw__bus *bus, const tw__record *record) {
    size_t len = tw__record_size(record);
    uint8_t *place;
    if (tw__bytes_len(&bus->reply) + len > TW__ANSWER_MAX) {
        return TW_ELIMIT;
    }
    int err = tw__bytes_reserve(&bus->reply, len, &place);
    if (err == 0) {
        tw__record_write(place, record);
        tw__bytes_commit(&bus->reply, len);
    }
    return err;
}

enum { KEEP_REPLY_BYTES = 64 * 1024 };

void tw__answer_done(tw__bus *bus) {
    if (tw__bytes_len(&bus->reply) > KEEP_REPLY_BYTES) {
        tw__bytes_deinit(&bus->reply);
    }
}

static int answer(tw__peer *peer, const tw__record *asked) {
    tw__bus *bus = peer->bus;
    tw__record reply;
    tw__answer_make(bus, asked, &reply);
    int err = tw__outbox_append(&peer->outbox, &reply);
    tw__answer_done(bus);
    tw__peer_use(peer);
    return err;
}

/* One answer may exceed it: none would ever fit otherwise. */
static bool has_room(const tw__peer *peer) {
    return peer->outbox.level[TW__OUTBOX_DELIVERY] <=
           peer->bus->config.delivery_budget_bytes / 2;
}

static bool is_for_us(const tw__bus *bus, const tw__record *asked) {
    return asked->type == TW__RECORD_CONNS_REQUEST ||
           tw__bus_home(asked->channel, asked->channel_len,
                        bus->config.slots) == bus->config.slot;
}

int tw__answer_on_ask(tw__peer *peer, const tw__record *asked,
                      const uint8_t *bytes, size_t len) {
    if (!is_for_us(peer->bus, asked)) {
        return TW_EINVALID;
    }
    if (tw__list_is_empty(&peer->questions) && has_room(peer)) {
        return answer(peer, asked);
    }
    question *kept = tw__malloc(sizeof *kept + len);
    if (kept == NULL) {
        return TW_ENOMEM;
    }
    tw__list_init(&kept->node);
    kept->len = len;
    memcpy(kept->bytes, bytes, len);
    tw__list_push(&peer->questions, &kept->node);
    tw__peer_use(peer);
    return 0;
}

int tw__answer_tell(tw__peer *peer) {
    while (!tw__list_is_empty(&peer->questions) && has_room(peer)) {
        question *kept = QUESTION(peer->questions.next);
        tw__record asked;
        size_t taken;
        tw__record_parse(kept->bytes, kept->len, &asked, &taken);
        int err = answer(peer, &asked);
        if (err != 0) {
            return err;
        }
        tw__list_remove(&kept->node);
        tw__free(kept);
    }
    return 0;
}

void tw__answer_forget(tw__peer *peer) {
    tw__list *node;
    while ((node = tw__list_shift(&peer->questions)) != NULL) {
        tw__free(QUESTION(node));
    }
}
