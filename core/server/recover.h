/* recover.h - what a subscriber missed: between those who ask (recover.c) and
 * what they are sent (replay.c). SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_RECOVER_H
#define TW_SERVER_RECOVER_H

#include <string.h>

#include "server/interest.h"

/* Of an answer what lies up to `last_offset`: what is behind it will come live.
 * NULL without memory. */
tw__recovery *tw__recovery_create(const tw__kept *kept, uint64_t last_offset);

/* Which of it the waiter gets, and what it is told. The log is whole from
 * `floor` on. */
void tw__recovery_choose(tw__recovery *recovery,
                         const tw__channel_interest *interest,
                         tw__waiter *waiter, uint64_t floor);

/* A position of another epoch is none of this channel's. */
static inline bool tw__recover_is_ours(const tw__channel_interest *interest,
                                       const tw__waiter *waiter) {
    return waiter->has_since && tw__is_positioned(&interest->position) &&
           strcmp(waiter->since.epoch, interest->position.epoch) == 0;
}

/* One that is ahead of this worker is of the future, or of a worker that is
 * quicker. */
static inline bool tw__recover_is_here(const tw__channel_interest *interest,
                                       const tw__waiter *waiter) {
    return tw__recover_is_ours(interest, waiter) &&
           waiter->since.offset <= interest->position.offset;
}

static inline bool tw__recover_has_log(const tw__channel_interest *interest) {
    return interest->channel->class.history > 0;
}

/* The newest `last` of the log. */
static inline uint64_t
tw__recover_since_of_last(const tw__channel_interest *interest,
                          const tw__waiter *waiter) {
    uint64_t top = interest->position.offset;
    return waiter->last < top ? top - waiter->last : 0;
}

#endif
