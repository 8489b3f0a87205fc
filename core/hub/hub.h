/* hub.h - the channels of one worker and who listens to them.
 *
 * Pure data structure: no I/O, no clock, no locks. Belongs to the thread that
 * created it. Publications gather in their channel; a walk then hands the
 * gathered batch to every subscriber, in slices if the caller wants. The
 * visitor may join, leave and publish at any moment: who joins during a walk
 * is behind its end, who leaves becomes a hole that the walk's end closes, and
 * what is published waits for the next walk.
 *
 * Who gets what: a subscriber gets the publications that arrived after it
 * joined, less those that except it. A batch goes to most subscribers whole;
 * the exceptions are listed, and only they are looked up.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HUB_HUB_H
#define TW_HUB_HUB_H

#include <stdbool.h>

#include "base/map.h"
#include "hub/batch.h"
#include "hub/class.h"

enum { TW__CODECS_MAX = 4, TW__NOT_JOINED = UINT32_MAX };

typedef struct tw__hub tw__hub;
typedef struct tw__channel tw__channel;

/* A subscription; lives in its owner's memory. When that moves,
 * tw__sub_moved tells the channel. */
typedef struct tw__sub {
    tw__channel *channel;
    void *owner;
    uint32_t index; /* among the channel's members, or TW__NOT_JOINED */
    uint32_t mark;  /* the owner's */
} tw__sub;

/* One entry of a channel's dense array: all that the walk needs for a
 * subscriber that can take a whole batch at once. */
typedef struct tw__member {
    tw__sub *sub; /* NULL: a hole */
    int fd;       /* -1: not for the fast path, ask the owner */
    uint8_t codec;
    bool has_exception;
} tw__member;

typedef struct tw__exception {
    void *owner;
    uint32_t frame;
    bool is_join; /* gets frames from `frame` on; else: all but `frame` */
} tw__exception;

typedef struct tw__exceptions {
    tw__exception *items;
    uint32_t count, cap;
} tw__exceptions;

struct tw__channel {
    tw__hub *hub;
    uint64_t number; /* unique in this process */
    uint64_t arrived; /* publications gathered since it was opened */
    tw__class class;
    uint32_t refs; /* joined and pending subscriptions */
    void *user;    /* the server's record of the channel's interest */
    tw__list due;  /* in the hub's list of channels to be walked */

    tw__member *members;
    uint32_t count, cap, holes;

    tw__list pending; /* tw__pub.node */
    uint32_t pending_count;
    size_t pending_bytes;
    tw__exceptions pending_except;

    /* The walk under way; walk_count is 0 when there is none. */
    tw__list walk;
    uint32_t walk_count, walk_next, walk_end;
    uint32_t visit_owed; /* what the member being visited is still to get */
    tw__exceptions walk_except;
    tw__batch *batches[TW__CODECS_MAX];

    uint8_t name_len;
    char name[];
};

typedef struct tw__hub_events {
    /* Deliver frames first .. first+count-1 of the batch. `fd` is the member's;
     * -1: ask the owner. Called once per run of frames. */
    void (*deliver)(void *arg, tw__sub *sub, int fd, tw__channel *channel,
                    tw__batch *batch, uint32_t first, uint32_t count);
    /* The batch could not be made: no memory. `lost` deliveries are gone. */
    void (*lost)(void *arg, tw__channel *channel, uint64_t lost);
    void *arg;
} tw__hub_events;

struct tw__hub {
    tw__map channels;
    tw__list due;
    tw__classes *classes;
    const tw__encoder *encoders[TW__CODECS_MAX];
    tw__hub_events events;
    uint64_t next_number;
    uint64_t pending_deliveries; /* gathered or in a walk, not yet handed out */
};

void tw__hub_init(tw__hub *hub, const tw__hub_events *events);
/* All subscriptions have left before. */
void tw__hub_deinit(tw__hub *hub);

/* Takes new classes; living channels follow. */
void tw__hub_set_classes(tw__hub *hub, tw__classes *classes);

/* The channel, or NULL. */
tw__channel *tw__hub_find(const tw__hub *hub, const char *name, size_t len);

/* Adds a reference to the channel, creating it (*created). NULL without
 * memory. */
tw__channel *tw__channel_open(tw__hub *hub, const char *name, size_t len,
                              bool *created);

/* Drops a reference; the last one frees the channel and returns true. */
bool tw__channel_close(tw__channel *channel);

/* Makes the subscription (its channel and owner are set) a member. 0 or
 * TW_ENOMEM. */
int tw__channel_join(tw__sub *sub, int fd, uint8_t codec);

/* Ends membership. Returns the number of deliveries it was still to get. */
uint64_t tw__channel_leave(tw__sub *sub);

void tw__sub_moved(tw__sub *sub);
void tw__sub_set_fd(tw__sub *sub, int fd);

/* Members now. */
static inline uint32_t tw__channel_len(const tw__channel *channel) {
    return channel->count - channel->holes;
}

/* Gathers a publication (the reference is taken). `except` is a member that
 * does not get it, or NULL. Returns the number of deliveries that it means; 0
 * when nobody listens. The caller puts the channel on the due list when its
 * time has come. */
uint64_t tw__channel_publish(tw__channel *channel, tw__pub *pub,
                             tw__sub *except);

/* Asks for a walk. */
void tw__channel_set_due(tw__channel *channel);

/* Walks due channels for at most about `budget` members. True: work is left. */
bool tw__hub_walk(tw__hub *hub, uint32_t budget);

#endif
