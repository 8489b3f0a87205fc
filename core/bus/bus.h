/* bus.h - the engine of one server: homes in slots, joined by the link.
 *
 * A channel's home is hash(channel) mod slots; of a name with braces only the
 * part inside is hashed (tw__bus_home). The home puts publications in order and
 * forwards them to the members that have declared interest. Members speak over
 * Unix stream sockets in the runtime folder, opened on first use, one write per
 * peer and turn. With one slot and no folder everything stays in the process.
 *
 * What may be lost, and who is told:
 * - A publication which was with the kernel when its home died is lost without
 *   a word: at most once. What had not left, or only in part, waits for the
 *   home's replacement up to away_ms, then goes to on_lost.
 * - A delivery that does not fit into a member's delivery budget is dropped
 *   there and counted; on_gap tells the member how many, before any newer
 *   publication of that channel.
 * - When a home was replaced, or the stream to or from it broke, on_gap comes
 *   with lost = 0 for every channel with a confirmed interest there: something
 *   may have been lost, nobody knows how much.
 *
 * Belongs to the loop's thread. Every callback runs in a turn of the loop, none
 * inside of a broker's operation, and each may call any operation and
 * tw__bus_destroy.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BUS_BUS_H
#define TW_BUS_BUS_H

#include "base/log.h"
#include "bus/broker.h"
#include "bus/locator.h"
#include "net/clockwork.h"
#include "net/poller.h"

typedef struct tw__bus tw__bus;

/* Members besides the homes: numbers from `slots` on. */
enum { TW__BUS_EXTRA_MEMBERS = 16 };

/* A budget, and away_ms, of 0 is its default. */
typedef struct tw__bus_config {
    tw__loop *loop;
    tw__poller *poller; /* not the one of public connections */
    tw__clockwork *clockwork;
    const tw__log *log;  /* may be NULL */
    tw__pub_store *pubs; /* what comes over the link is made in it; or NULL */
    const char *dir;     /* runtime folder, holds "bus.<slot>"; NULL: none */
    int listen_fd;       /* the slot's bus socket, taken; -1: none */
    uint16_t slot;       /* member number; admin members have slots >= slots
                            and are home of nothing */
    uint16_t slots;      /* homes: 0 .. slots-1 */
    uint32_t node;
    uint32_t incarnation;
    size_t publish_budget_bytes;  /* queued to one home; default 16 MiB */
    size_t delivery_budget_bytes; /* queued by a home to one member; 16 MiB */
    size_t control_budget_bytes;  /* interest and control to one peer; 4 MiB */
    uint32_t away_ms; /* how long publications wait for a home: 2000 */
    size_t history_budget_bytes; /* of all that this home keeps; 256 MiB */
    uint32_t presence_grace_ms;  /* in which coming back is no news; 5000 */
    uint32_t presence_told_max;  /* persons up to which news are told; 100 */
    uint32_t sweep_ms; /* how often what is kept is looked through for what is
                          over, which readers never see anyway; 250 */
    tw__broker_events events;
    tw__locator_events locator_events;
} tw__bus_config;

/* Counters since creation; the caller puts them into its metrics. */
typedef struct tw__bus_stats {
    uint64_t publications_accepted, publications_refused, publications_lost;
    uint64_t sequenced;            /* as home */
    uint64_t publications_expired; /* as home, past their deadline on arrival */
    uint64_t forwarded;            /* deliveries queued to other members */
    uint64_t deliveries_dropped;   /* as home, delivery budget full */
    uint64_t gaps_sent, gaps_received, gap_publications;
    uint64_t link_records_sent, link_records_received;
    uint64_t link_bytes_sent, link_bytes_received;
    uint64_t link_connects;        /* streams opened and answered */
    uint64_t link_resets;          /* given up by this side: overflow, memory */
    uint64_t link_protocol_errors; /* malformed records, wrong greetings */
    uint64_t link_unknown_records; /* skipped: of a type not known here */
    uint64_t publications_doubled; /* as home, known by their ids */
    uint64_t histories_given_up;   /* as home, emptied by the budget */
    uint64_t acts_lost;            /* on connections, users, presence */
    /* gauges */
    uint64_t interests, home_channels, queued_bytes;
    uint64_t histories, history_publications, history_bytes;
    uint64_t users, user_connections, persons;
} tw__bus_stats;

/* 0, TW_ENOMEM, TW_EIO, or TW_EINVALID for a slot, a number of slots or a
 * folder that cannot be; listen_fd is taken in any case. `dir` is copied. */
int tw__bus_create(tw__bus **bus, const tw__bus_config *config);

/* Answers everything that waits with TW_ECLOSED (publications: on_lost), within
 * the call, closes the streams, frees at the end of the turn. What should still
 * leave is waited for before, with tw__bus_is_idle. */
void tw__bus_destroy(tw__bus *bus);

tw__broker *tw__bus_broker(tw__bus *bus);
tw__locator *tw__bus_locator(tw__bus *bus);
const tw__bus_stats *tw__bus_get_stats(tw__bus *bus);

/* The slot that is home of a channel. The rule for braces is that of Redis'
 * hash tags: when there is a '{' and, behind the first of them, a '}' with
 * something between, only what lies between the two is hashed; "{}x" is hashed
 * whole. */
uint16_t tw__bus_home(const char *channel, size_t len, uint16_t slots);

/* True when nothing waits to be written or sequenced; for draining. */
bool tw__bus_is_idle(const tw__bus *bus);

#endif
