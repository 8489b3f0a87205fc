/* fanout.h - publications to many: what its parts share.
 *
 * Publishers (all of hand 0) send numbered messages which the script publishes
 * to the channel that the subscribers (of all hands) are in. Nothing is
 * counted before every subscriber has received a probe, so that who missed a
 * message is known to have been subscribed.
 *
 * The gate: without --rate a publisher sends its next burst when the last one
 * is complete. A burst is complete in a hand when all readers there with an
 * account of the publisher have its last message; the hand writes that to its
 * place, and the last one wakes hand 0. A reader that has come back opens an
 * account with the first message: what was sent before, it need not have.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_FANOUT_H
#define TW_BENCH_FANOUT_H

#include "hand.h"
#include "payload.h"

typedef struct tw__bench_fan tw__bench_fan;

typedef struct tw__bench_subscriber {
    bool has_joined;  /* something of this run has reached it */
    bool has_been_in; /* it is not its first connection */
    bool has_offended;
} tw__bench_subscriber;

/* Subscribers that read, or those that do not. */
typedef struct tw__bench_crowd {
    tw__bench_fan *fan;
    tw__bench_group group;
    tw__bench_subscriber *subscribers;
    tw__bench_account *accounts; /* those of each subscriber side by side */
    tw__bench_sum *sum;
    tw__bench_ending *endings;
    bool is_slow;
} tw__bench_crowd;

typedef struct tw__bench_publisher {
    uint64_t sent;
    uint64_t burst_at; /* when the last burst went */
    bool is_fresh;     /* just connected: nothing to wait for */
} tw__bench_publisher;

/* This hand's view of one publisher's burst. */
typedef struct tw__bench_gate {
    uint64_t target;     /* its last number */
    uint32_t count;      /* readers that have it */
    uint32_t population; /* readers with an account */
} tw__bench_gate;

struct tw__bench_fan {
    tw__bench_hand *hand;
    tw__bench_payloads *payloads;
    char *sub_path, *pub_path;
    uint32_t publishers_len;
    tw__bench_crowd readers, slow;
    tw__bench_gate *gates; /* by publisher */
    uint64_t *tops;        /* by publisher: the highest number seen here */
    /* Of hand 0 only. */
    tw__bench_fd tick, wake; /* the --rate clock; the gate's eventfd */
    int tick_fd;
    tw__bench_group publisher_group;
    tw__bench_publisher *publishers;
    uint8_t *scratch;
    uint64_t started_at, next_probe;
    uint32_t probes;
};

/* fanout_sub.c */
void tw__bench_crowd_init(tw__bench_crowd *crowd, tw__bench_fan *fan,
                          uint64_t total, uint64_t numbered_from, bool is_slow);
void tw__bench_crowd_tick(tw__bench_crowd *crowd);
void tw__bench_crowd_wake(tw__bench_crowd *crowd); /* slow ones read again */
bool tw__bench_crowd_is_settled(const tw__bench_crowd *crowd);
void tw__bench_crowd_deinit(tw__bench_crowd *crowd); /* closes the accounts */

/* fanout_pub.c */
int tw__bench_publishers_init(tw__bench_fan *fan);
void tw__bench_publishers_turn(tw__bench_fan *fan);
bool tw__bench_publishers_are_settled(const tw__bench_fan *fan);
void tw__bench_publishers_deinit(tw__bench_fan *fan);

/* gate.c: whether anybody waits for this publisher. */
bool tw__bench_gate_has_people(tw__bench_board *board, uint32_t hands,
                               uint32_t publisher);

/* Whether all who do have its numbers up to `target`; not when nobody does. */
bool tw__bench_gate_is_open(tw__bench_board *board, uint32_t hands,
                            uint32_t publisher, uint64_t target);

/* A reader's account of `publisher` was opened; went from `before` to `after`;
 * is about to be closed. */
void tw__bench_gate_join(tw__bench_fan *fan, uint32_t publisher);
void tw__bench_gate_advance(tw__bench_fan *fan, uint32_t publisher,
                            uint64_t before, uint64_t after);
void tw__bench_gate_leave(tw__bench_fan *fan, uint32_t publisher,
                          const tw__bench_account *account);

#endif
