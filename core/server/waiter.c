/* SPDX-License-Identifier: MIT */
#include "server/waiter.h"

#include "base/alloc.h"

enum { FIRST_CAP = 16 };

void tw__waiters_deinit(tw__waiters *waiters) {
    tw__free(waiters->_slots);
    *waiters = (tw__waiters){0};
}

static bool reserve(tw__waiters *waiters) {
    if (waiters->_free != 0 || waiters->_used + 1 < waiters->_cap) {
        return true;
    }
    uint32_t cap = waiters->_cap ? waiters->_cap * 2 : FIRST_CAP;
    tw__waiter_slot *slots = tw__realloc(waiters->_slots, cap * sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    waiters->_slots = slots;
    waiters->_cap = cap;
    return true;
}

static uint32_t take_number(tw__waiters *waiters) {
    uint32_t number = waiters->_free;
    if (number == 0) {
        return ++waiters->_used;
    }
    waiters->_free = waiters->_slots[number].next_free;
    return number;
}

tw__waiter *tw__waiters_add(tw__waiters *waiters) {
    tw__waiter *waiter = tw__calloc(1, sizeof *waiter);
    if (waiter == NULL || !reserve(waiters)) {
        tw__free(waiter);
        return NULL;
    }
    waiter->number = take_number(waiters);
    waiters->_slots[waiter->number].waiter = waiter;
    tw__list_init(&waiter->node);
    return waiter;
}

void tw__waiters_remove(tw__waiters *waiters, tw__waiter *waiter) {
    waiters->_slots[waiter->number].next_free = waiters->_free;
    waiters->_free = waiter->number;
    tw__free(waiter);
}
