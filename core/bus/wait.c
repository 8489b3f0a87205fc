/* wait.c - publishers who wait for the position of what they published.
 * SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

#define WAIT(place) TW__CONTAINER(place, tw__wait, node)

int tw__wait_add(tw__list *waits, uint64_t token, tw__interest_cb cb,
                 void *arg) {
    tw__wait *wait = tw__malloc(sizeof *wait);
    if (wait == NULL) {
        return TW_ENOMEM;
    }
    *wait = (tw__wait){.token = token, .cb = cb, .arg = arg};
    tw__list_init(&wait->node);
    tw__list_push(waits, &wait->node);
    return 0;
}

static void answer(tw__wait *wait, int status, const tw__position *position) {
    tw__interest_cb cb = wait->cb;
    void *arg = wait->arg;
    tw__list_remove(&wait->node);
    tw__free(wait);
    cb(status, position, arg);
}

/* They are answered in the order in which they were published: it is the first,
 * but where one was lost on the way. */
void tw__wait_end(tw__list *waits, uint64_t token, int status,
                  const tw__position *position) {
    for (tw__list *node = waits->next;
         node != waits && WAIT(node)->token <= token; node = node->next) {
        if (WAIT(node)->token == token) {
            answer(WAIT(node), status, position);
            return;
        }
    }
}

static void fail(tw__peer *peer, tw__list *node) {
    tw__list_remove(node);
    tw__list_push(&peer->bus->failed, node);
    tw__bus_wake(peer->bus);
}

void tw__wait_give_up(tw__peer *peer, uint64_t token) {
    while (!tw__list_is_empty(&peer->waits) &&
           WAIT(peer->waits.next)->token < token) {
        fail(peer, peer->waits.next);
    }
}

void tw__wait_lose(tw__peer *peer, uint64_t token) {
    for (tw__list *node = peer->waits.next; node != &peer->waits;
         node = node->next) {
        if (WAIT(node)->token == token) {
            fail(peer, node);
            return;
        }
    }
}

/* Nothing comes to the list but by breaks of streams; and whoever ends the
 * engine in a callback has all others answered within that. */
static void fail_all(tw__list *waits, int status) {
    while (!tw__list_is_empty(waits)) {
        answer(WAIT(waits->next), status, NULL);
    }
}

void tw__wait_answer_failed(tw__bus *bus) {
    fail_all(&bus->failed, TW_EUNAVAILABLE);
}

void tw__wait_close_all(tw__bus *bus) {
    fail_all(&bus->failed, TW_ECLOSED);
    fail_all(&bus->waits, TW_ECLOSED);
    for (uint16_t i = 0; i < bus->members; i++) {
        fail_all(&bus->peers[i].waits, TW_ECLOSED);
    }
}
