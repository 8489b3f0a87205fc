/* hand.h - one load process: a loop, a place on the board, and a mode.
 *
 * A hand follows the board's phase until it is TW__BENCH_ENDED. It lives in a
 * process of its own.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_HAND_H
#define TW_BENCH_HAND_H

#include "board.h"
#include "conn.h"
#include "loop.h"
#include "options.h"
#include "target.h"

typedef struct tw__bench_hand {
    const tw__bench_options *options;
    const tw__bench_target *target;
    tw__bench_board *board;
    tw__bench_place *place;       /* board->places[index] */
    tw__bench_findings *findings; /* place->findings */
    uint32_t index, count;        /* this hand, of how many */
    uint32_t sources;
    tw__bench_phase phase;
    uint64_t messages; /* shown on the board after each turn */
    tw__bench_loop loop;
} tw__bench_hand;

/* What a mode does. `self` is what create returned. */
typedef struct tw__bench_mode {
    /* Prepares its connections, which open as the board's ramp allows. */
    void *(*create)(tw__bench_hand *hand);
    void (*on_phase)(void *self); /* hand->phase is a new one */
    void (*on_turn)(void *self);
    void (*on_tick)(void *self); /* about every 10 ms */
    /* The end: closes the accounts and frees itself. */
    void (*destroy)(void *self);
} tw__bench_mode;

extern const tw__bench_mode tw__bench_echo;
extern const tw__bench_mode tw__bench_fanout;
extern const tw__bench_mode tw__bench_rooms;
extern const tw__bench_mode tw__bench_idle;
extern const tw__bench_mode tw__bench_churn;

/* Runs to the end. 0, or a negative errno when it could not begin. The fields
 * up to `sources` are set. */
int tw__bench_hand_run(tw__bench_hand *hand, const tw__bench_mode *mode);

/* Whether load is to be made. */
static inline bool tw__bench_hand_is_busy(const tw__bench_hand *hand) {
    return hand->phase == TW__BENCH_WARMING ||
           hand->phase == TW__BENCH_MEASURING;
}

/* This hand's part of `total` things: how many, and the first one's number. */
uint32_t tw__bench_hand_share(const tw__bench_hand *hand, uint64_t total,
                              uint32_t *first);

/* Prepares `len` connections numbered from `first`; all but the callbacks'
 * argument comes from the hand. */
void tw__bench_hand_group(tw__bench_hand *hand, tw__bench_group *group,
                          uint32_t len, uint32_t first, const char *path,
                          const tw__bench_events *events, void *arg);

/* For callbacks: counts a connection that opened, or could not be. */
void tw__bench_hand_opened(tw__bench_hand *hand);
void tw__bench_hand_failed(tw__bench_hand *hand, const char *why);

#endif
