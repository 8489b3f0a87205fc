/* waiter.h - those who wait for the confirmation of a subscription.
 *
 * A subscription refers to its waiter by a number, in four bytes that it has to
 * spare: a pointer would cost every subscription eight for its whole life.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_WAITER_H
#define TW_SERVER_WAITER_H

#include "base/list.h"
#include "hub/history.h"
#include "tidewire/tidewire.h"

typedef struct tw__recovery tw__recovery;

typedef struct tw__waiter {
    tw__list node; /* in its interest, or in the server's list */
    tw_conn *conn;
    tw_subscribe_cb cb;
    void *arg;
    uint32_t number;
    int status; /* not 0: answered, only the callback is due */

    /* What is to be sent before live, see recover.c. */
    bool has_since;
    uint32_t last;
    tw__position since;
    tw_subscribed result;
    tw__recovery *recovery;        /* NULL: nothing */
    uint32_t log_from, retained_from; /* the first of each to be sent */
} tw__waiter;

typedef union tw__waiter_slot {
    tw__waiter *waiter;
    uint32_t next_free;
} tw__waiter_slot;

/* All zero is empty. */
typedef struct tw__waiters {
    tw__waiter_slot *_slots; /* number 0 is nobody's */
    uint32_t _used, _cap, _free;
} tw__waiters;

void tw__waiters_deinit(tw__waiters *waiters);

/* A waiter with a number; NULL without memory. */
tw__waiter *tw__waiters_add(tw__waiters *waiters);

/* Frees it; its number may be given to another. */
void tw__waiters_remove(tw__waiters *waiters, tw__waiter *waiter);

/* The waiter of a number that was given and not taken back. */
static inline tw__waiter *tw__waiters_at(const tw__waiters *waiters,
                                         uint32_t number) {
    return waiters->_slots[number].waiter;
}

#endif
