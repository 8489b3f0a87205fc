/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

#define REQUEST(place) TW__CONTAINER(place, tw__count_request, node)

static size_t request_size(const tw__count_request *request) {
    return (size_t)TW__RECORD_HEADER + request->len;
}

static tw__count_request *create(tw__bus *bus, const char *channel, size_t len,
                                 tw__count_cb cb, void *arg) {
    tw__count_request *request = tw__calloc(1, sizeof *request + len + 1);
    if (request != NULL) {
        tw__list_init(&request->node);
        request->token = ++bus->last_token;
        request->cb = cb;
        request->arg = arg;
        request->len = (uint8_t)len;
        memcpy(request->channel, channel, len);
    }
    return request;
}

/* Half the budget, as for what the home confirms: then the answers to all that
 * is asked fit into the other half of the home's. */
static int check_peer(const tw__peer *peer, size_t len) {
    if (peer->is_unavailable) {
        return TW_EUNAVAILABLE;
    }
    if (peer->count_bytes + TW__RECORD_HEADER + len >
        peer->bus->config.control_budget_bytes / 2) {
        return TW_EOVERLOADED;
    }
    return 0;
}

int tw__count_ask(tw__bus *bus, const char *channel, size_t len,
                  tw__count_cb cb, void *arg) {
    if (bus->is_closing) {
        return TW_ECLOSED;
    }
    if (len > TW__CHANNEL_MAX) {
        return TW_EINVALID;
    }
    uint16_t home = tw__bus_home(channel, len, bus->config.slots);
    bool is_own = home == bus->config.slot;
    tw__peer *peer = &bus->peers[home];
    int err = is_own ? 0 : check_peer(peer, len);
    if (err != 0) {
        return err;
    }
    tw__count_request *request = create(bus, channel, len, cb, arg);
    if (request == NULL) {
        return TW_ENOMEM;
    }
    if (is_own) {
        tw__list_push(&bus->own_counts, &request->node);
        tw__bus_wake(bus);
    } else {
        tw__list_push(&peer->counts_due, &request->node);
        peer->count_bytes += request_size(request);
        tw__peer_use(peer);
    }
    return 0;
}

static void answer(tw__count_request *request, int status, uint64_t count) {
    tw__count_cb cb = request->cb;
    void *arg = request->arg;
    tw__free(request);
    cb(status, count, arg);
}

void tw__count_answer_own(tw__bus *bus) {
    const tw__list *last = bus->own_counts.prev;
    bool is_last = tw__list_is_empty(&bus->own_counts);
    while (!is_last && !tw__list_is_empty(&bus->own_counts)) {
        tw__list *node = tw__list_shift(&bus->own_counts);
        tw__count_request *request = REQUEST(node);
        tw__home_channel *channel =
            tw__home_find(&bus->home, request->channel, request->len);
        is_last = node == last;
        answer(request, 0, channel == NULL ? 0 : tw__home_count(channel));
    }
}

/* Behind the counts of this member, which the answers have to hold. */
int tw__count_tell(tw__peer *peer) {
    while (tw__list_is_empty(&peer->due) &&
           !tw__list_is_empty(&peer->counts_due)) {
        tw__count_request *request = REQUEST(peer->counts_due.next);
        tw__record record = {.type = TW__RECORD_COUNT_REQUEST,
                             .channel = request->channel,
                             .channel_len = request->len,
                             .token = request->token};
        if (!tw__peer_has_control_room(peer, request_size(request))) {
            break;
        }
        int err = tw__outbox_append(&peer->outbox, &record);
        if (err != 0) {
            return err;
        }
        tw__list_remove(&request->node);
        tw__list_push(&peer->counts_sent, &request->node);
    }
    return 0;
}

void tw__count_untell(tw__peer *peer) {
    tw__list_move_all(&peer->counts_sent, &peer->counts_due);
    tw__list_move_all(&peer->counts_due, &peer->counts_sent);
    if (!tw__list_is_empty(&peer->counts_due)) {
        tw__peer_use(peer);
    }
}

/* Answers come in the order of the questions: the first fits, but for what was
 * asked twice. */
void tw__count_on_reply(tw__peer *peer, const tw__record *record) {
    for (tw__list *node = peer->counts_sent.next; node != &peer->counts_sent;
         node = node->next) {
        if (REQUEST(node)->token == record->token) {
            tw__list_remove(node);
            peer->count_bytes -= request_size(REQUEST(node));
            answer(REQUEST(node), 0, record->header.offset);
            return;
        }
    }
}

static void fail_list(tw__peer *peer, tw__list *list, int status) {
    tw__list *node;
    while ((node = tw__list_shift(list)) != NULL) {
        peer->count_bytes -= request_size(REQUEST(node));
        answer(REQUEST(node), status, 0);
    }
}

void tw__count_fail(tw__peer *peer, int status) {
    fail_list(peer, &peer->counts_sent, status);
    fail_list(peer, &peer->counts_due, status);
}

void tw__count_close_all(tw__bus *bus) {
    tw__list *node;
    while ((node = tw__list_shift(&bus->own_counts)) != NULL) {
        answer(REQUEST(node), TW_ECLOSED, 0);
    }
    for (uint16_t i = 0; i < bus->members; i++) {
        tw__count_fail(&bus->peers[i], TW_ECLOSED);
    }
}
