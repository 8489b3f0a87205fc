/* broker.h - where publications are put in order: the seam for engines.
 *
 * An engine is asynchronous: a request returns at once and is answered later
 * through a callback or an event, never inside the call. The engine of this
 * server is the link with its homes (bus.h); Redis will be another one.
 *
 * All names and data are borrowed unless said otherwise. One thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BUS_BROKER_H
#define TW_BUS_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hub/pub.h"

typedef struct tw__broker tw__broker;

enum { TW__EPOCH_MAX = 16 };

/* Where a channel stands; all zero for a channel without history. */
typedef struct tw__position {
    uint64_t offset;
    char epoch[TW__EPOCH_MAX + 1];
} tw__position;

/* What the engine tells its user. */
typedef struct tw__broker_events {
    /* A sequenced publication of a channel in which this member has interest;
     * also the member's own. The reference is taken by the receiver. */
    void (*on_publication)(void *arg, tw__pub *pub);
    /* `lost` publications of the channel did not reach this member, since a
     * delivery budget was full; 0: some may have been lost, their number is not
     * known (the home was replaced, or a stream broke). */
    void (*on_gap)(void *arg, const char *channel, size_t len, uint64_t lost);
    /* A publication that publish() had accepted could not be sequenced (the
     * home stayed away for over 2 s, TW_EUNAVAILABLE; the engine ends,
     * TW_ECLOSED). Borrowed. */
    void (*on_lost)(void *arg, const tw__pub *pub, int error);
    void *arg;
} tw__broker_events;

/* `status` is 0 or an error; `position` is valid when it is 0. */
typedef void (*tw__interest_cb)(int status, const tw__position *position,
                                void *arg);
typedef void (*tw__count_cb)(int status, uint64_t count, void *arg);

typedef struct tw__broker_ops {
    /* Accepts a publication, which is in no list and now belongs to the engine.
     * The reference is taken, also on failure. An origin of all zeros is filled
     * in. 0, TW_EOVERLOADED (the publish budget to the home is full),
     * TW_EUNAVAILABLE (the home is away for more than 2 s) or TW_ECLOSED. */
    int (*publish)(tw__broker *broker, tw__pub *pub);

    /* Declares that this member wants the channel's publications. `cb` is
     * called once when the home confirmed: every publication sequenced after
     * that reaches on_publication, and only such. The interest is kept, and
     * renewed by the engine when the home is replaced, until drop(). 0,
     * TW_EEXISTS, TW_ENOMEM, TW_EINVALID (name too long) or TW_ECLOSED; only
     * after 0 the callback comes, and then always: with TW_ECLOSED at the
     * engine's end or, in the same turn but not inside of drop(), when dropped
     * before it was confirmed. */
    int (*interest)(tw__broker *broker, const char *channel, size_t len,
                    tw__interest_cb cb, void *arg);
    void (*drop)(tw__broker *broker, const char *channel, size_t len);

    /* Tells how many subscribers this member has of a channel in which it has
     * interest; sent at most once a turn. True: the home has it already, or
     * will before it confirms the interest. False: it is on its way. */
    bool (*set_count)(tw__broker *broker, const char *channel, size_t len,
                      uint32_t count);

    /* Asks the home for the subscribers of all members. What this member told
     * of its own before is in the answer. 0, TW_ENOMEM, TW_EINVALID,
     * TW_EOVERLOADED (too many questions wait), TW_EUNAVAILABLE or TW_ECLOSED;
     * after 0 the callback always comes, with TW_EUNAVAILABLE when the home
     * stayed away. */
    int (*count)(tw__broker *broker, const char *channel, size_t len,
                 tw__count_cb cb, void *arg);
} tw__broker_ops;

struct tw__broker {
    const tw__broker_ops *ops;
};

#endif
