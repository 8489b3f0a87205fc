/* locator.h - who is connected where: the seam for users, presence and actions
 * on connections of other members.
 *
 * An engine is asynchronous, as a broker is (broker.h). A connection's id says
 * which member has it (server/conn_id.h); a user's connections and a channel's
 * persons are known to their home. What is entered is kept until it leaves, or
 * its member's process ends; an engine that has to be told anew, because a home
 * was replaced, says so by on_fresh.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BUS_LOCATOR_H
#define TW_BUS_LOCATOR_H

#include "hub/people.h"
#include "hub/presence.h"

enum { TW__CONN_ID_BYTES = 16 };

/* What a member does; a set. */
enum tw__role { TW__ROLE_EDGE = 1, TW__ROLE_LOGIC = 2, TW__ROLE_ADMIN = 4 };

enum tw__act_what {
    TW__ACT_SEND = 1,
    TW__ACT_CLOSE,
    TW__ACT_SUBSCRIBE,
    TW__ACT_UNSUBSCRIBE
};

/* What is to be done to a connection; texts are borrowed. */
typedef struct tw__act {
    uint8_t what;
    bool is_binary;
    uint16_t code;    /* of CLOSE */
    const char *text; /* channel, or the reason of CLOSE; at most 255 bytes */
    size_t text_len;
    const void *data; /* of SEND */
    size_t len;
} tw__act;

/* What a member tells of a connection of its own. */
typedef struct tw__conn_facts {
    uint8_t id[TW__CONN_ID_BYTES];
    uint16_t slot;
    int64_t opened_ms; /* since 1970 */
    uint64_t idle_ms;
    char ip[64];
} tw__conn_facts;

typedef struct tw__persons {
    uint64_t persons, connections;
    const tw__person *items;
    size_t count;
} tw__persons;

/* Who joined and left a channel. */
typedef struct tw__presence_news {
    const char *channel;
    size_t channel_len;
    uint64_t persons;
    const tw__person *joined, *left;
    size_t joined_count, left_count;
    bool is_reset; /* something was not told */
} tw__presence_news;

typedef void (*tw__persons_cb)(int status, const tw__persons *persons,
                               void *arg);
typedef void (*tw__conns_cb)(int status, const tw__conn_facts *conns,
                             size_t count, void *arg);

typedef struct tw__locator_events {
    /* Do it to a connection of this member, if there is one. */
    void (*on_act)(void *arg, const uint8_t id[TW__CONN_ID_BYTES],
                   const tw__act *act);
    /* Fills in what a connection of this member is; false: there is none.
     * Pure: called at any time. */
    bool (*describe)(void *arg, const uint8_t id[TW__CONN_ID_BYTES],
                     tw__conn_facts *facts);
    /* News of a channel in which this member has interest. */
    void (*on_presence)(void *arg, const tw__presence_news *news);
    /* The home in this slot has forgotten what this member entered: users and
     * persons of whom it is the home are to be entered again, as renewals. */
    void (*on_fresh)(void *arg, uint16_t slot);
    void *arg;
} tw__locator_events;

typedef struct tw__locator tw__locator;

/* All but `persons` and `user_conns` are accepted here and done later, in the
 * order in which they came, also in the order of publications: 0, TW_EINVALID
 * (an id of no member), TW_EOVERLOADED, TW_EUNAVAILABLE, TW_ECLOSED, TW_ENOMEM.
 * What waits for a member that stays away is lost, and counted.
 */
typedef struct tw__locator_ops {
    int (*enter)(tw__locator *locator, const char *channel, size_t len,
                 const uint8_t id[TW__CONN_ID_BYTES], const char *user,
                 size_t user_len, const char *info, size_t info_len,
                 bool is_renewal);
    /* Never TW_EOVERLOADED, as user_leave. */
    int (*leave)(tw__locator *locator, const char *channel, size_t len,
                 const uint8_t id[TW__CONN_ID_BYTES]);

    /* `max` is how many connections the user may have, 0: any number; over it
     * the oldest, or else the newest, is told to close. */
    int (*user_enter)(tw__locator *locator, const char *user, size_t len,
                      const uint8_t id[TW__CONN_ID_BYTES], int64_t opened_ms,
                      uint32_t max, bool closes_newest);
    int (*user_leave)(tw__locator *locator, const char *user, size_t len,
                      const uint8_t id[TW__CONN_ID_BYTES]);
    int (*user_act)(tw__locator *locator, const char *user, size_t len,
                    const tw__act *act);
    int (*act)(tw__locator *locator, const uint8_t id[TW__CONN_ID_BYTES],
               const tw__act *act);

    /* Questions, answered as those of a broker. */
    int (*persons)(tw__locator *locator, const char *channel, size_t len,
                   uint32_t limit, tw__persons_cb cb, void *arg);
    int (*user_conns)(tw__locator *locator, const char *user, size_t len,
                      tw__conns_cb cb, void *arg);
    /* The slot that is home of a user or a channel. */
    uint16_t (*home)(tw__locator *locator, const char *name, size_t len);
    /* Whether there is room to enter more at this home now; for renewals, which
     * are many. */
    bool (*has_room)(tw__locator *locator, uint16_t slot);
} tw__locator_ops;

struct tw__locator {
    const tw__locator_ops *ops;
};

#endif
