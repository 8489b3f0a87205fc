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

#include "hub/history.h"
#include "hub/pub.h"

typedef struct tw__broker tw__broker;

/* What is kept of a channel, by its class. */
typedef struct tw__channel_class {
    tw__history_class history;
    bool has_presence; /* who is in it */
    bool tells;        /* ... and who comes and goes */
} tw__channel_class;

enum tw__kept_what {
    TW__KEPT_LOG = 1,
    TW__KEPT_RETAINED = 2,
    TW__KEPT_LATEST = 4,  /* the retained one of the key, only */
    TW__KEPT_SINCE = 8,   /* `since` is named; else from the oldest on */
    TW__KEPT_REVERSE = 16 /* newest first; `since`: those before it */
};

/* A question for what a home keeps. With an epoch that is not the channel's
 * nothing of the log is sent. */
typedef struct tw__kept_query {
    unsigned what; /* set of tw__kept_what */
    tw__position since;
    uint32_t limit;     /* publications of the log; 0: no limit */
    size_t limit_bytes; /* of the log: the newest are sent that fit; backwards,
                           or with a limit, those nearest to `since`, but one
                           at the least. 0: what the engine can send at once */
    const char *key;
    size_t key_len;
} tw__kept_query;

/* The answer: the log in the order asked for, the retained by rising offset.
 * Of what is sent of the log nothing is missing between `floor` and the end; in
 * reverse, `floor` is that of all that is kept. */
typedef struct tw__kept {
    tw__position position;
    uint64_t floor;
    tw__pub *const *log;
    tw__pub *const *retained;
    size_t log_count, retained_count;
} tw__kept;

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
    /* A channel in which this member has a confirmed interest stands elsewhere
     * than its publications led to: its home was replaced, was asked again
     * after a stream broke, or began or ceased to keep it. */
    void (*on_position)(void *arg, const char *channel, size_t len,
                        const tw__position *position);
    /* What is kept of a channel. Pure: called at any time. */
    void (*class_of)(void *arg, const char *channel, size_t len,
                     tw__channel_class *class);
    void *arg;
} tw__broker_events;

/* `status` is 0 or an error; `position` is valid when it is 0. */
typedef void (*tw__interest_cb)(int status, const tw__position *position,
                                void *arg);
typedef void (*tw__count_cb)(int status, uint64_t count, void *arg);
typedef void (*tw__kept_cb)(int status, const tw__kept *kept, void *arg);

typedef struct tw__broker_ops {
    /* Accepts a publication, which is in no list and now belongs to the engine.
     * The reference is taken, also on failure. An origin of all zeros is filled
     * in. 0, TW_EOVERLOADED (the publish budget to the home is full),
     * TW_EUNAVAILABLE (the home is away for more than 2 s) or TW_ECLOSED. */
    int (*publish)(tw__broker *broker, tw__pub *pub);

    /* The same, and `cb` is told the publication's position; or that of the
     * first with its id; or TW_EUNAVAILABLE, when the home did not answer:
     * then it may have been published. */
    int (*publish_wait)(tw__broker *broker, tw__pub *pub, tw__interest_cb cb,
                        void *arg);

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

    /* Asks for what is kept. What is delivered before the callback lies up to
     * the position that it tells, what comes after it behind. Errors as of
     * count(). */
    int (*kept)(tw__broker *broker, const char *channel, size_t len,
                const tw__kept_query *query, tw__kept_cb cb, void *arg);

    /* Has the home forget the retained publication of a key. As publish(). */
    int (*remove)(tw__broker *broker, const char *channel, size_t len,
                  const char *key, size_t key_len);

    /* class_of has changed: living channels follow. */
    void (*reclass)(tw__broker *broker);
} tw__broker_ops;

struct tw__broker {
    const tw__broker_ops *ops;
};

#endif
