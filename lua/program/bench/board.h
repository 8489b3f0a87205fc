/* board.h - the memory which the parent and its hands share.
 *
 * Made before the fork. The parent writes the phase, each hand its own place,
 * hand 0 (which holds the publishers) those of the publishers. Counts are
 * plain stores by one writer; whoever reads sees them a little late.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_BOARD_H
#define TW_BENCH_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "ledger.h"

#define TW__BENCH_HANDS_MAX 64
#define TW__BENCH_PUBLISHERS_MAX 64
#define TW__BENCH_CODES_MAX 16
#define TW__BENCH_OFFENCES_MAX 24
#define TW__BENCH_REASON_SIZE 160

typedef enum tw__bench_phase {
    TW__BENCH_OPENING,
    TW__BENCH_JOINING, /* opened, but not all are known to be subscribed */
    TW__BENCH_WARMING,
    TW__BENCH_MEASURING,
    TW__BENCH_DRAINING, /* nothing new; what is under way may arrive */
    TW__BENCH_ENDED
} tw__bench_phase;

/* The first thing that went wrong with one connection. */
typedef struct tw__bench_offence {
    uint32_t connection;
    uint32_t publisher;
    uint64_t expected, got; /* numbers */
    char what[16];
} tw__bench_offence;

/* How many connections ended with a close code. */
typedef struct tw__bench_ending {
    uint16_t code; /* 0: an unused entry */
    uint64_t count;
} tw__bench_ending;

/* What a hand found; merged by the parent. */
typedef struct tw__bench_findings {
    tw__bench_histogram latency; /* of what arrived while measuring */
    tw__bench_sum sum;
    tw__bench_sum slow_sum; /* of slow readers, on no account of the others */
    uint64_t sent;
    uint64_t foreign;
    uint64_t failed; /* attempts to open */
    uint64_t disconnects, reconnects;
    uint64_t slow_readers, slow_closed;
    uint64_t publisher_breaks;
    uint64_t stalls;  /* bursts that were not complete in time */
    uint64_t late_ns; /* largest delay behind the schedule of --rate */
    uint64_t offenders;
    uint32_t offences_len;
    tw__bench_offence offences[TW__BENCH_OFFENCES_MAX];
    tw__bench_ending endings[TW__BENCH_CODES_MAX];
    tw__bench_ending slow_endings[TW__BENCH_CODES_MAX];
    char failure[TW__BENCH_REASON_SIZE]; /* the first one's reason */
} tw__bench_findings;

typedef struct tw__bench_place {
    _Alignas(64) _Atomic uint64_t messages; /* round trips, deliveries, ... */
    _Atomic uint32_t opened, failed;
    _Atomic uint32_t to_join, joined;
    _Atomic bool is_settled; /* nothing more is expected */
    _Atomic bool is_stuck;   /* there is nobody left to go on with */
    /* By publisher: the subscribers here that its gate waits for, the last
     * burst that all of them have, and the highest number that any has. */
    _Atomic uint32_t population[TW__BENCH_PUBLISHERS_MAX];
    _Atomic uint64_t complete[TW__BENCH_PUBLISHERS_MAX];
    _Atomic uint64_t top[TW__BENCH_PUBLISHERS_MAX];
    tw__bench_findings findings; /* to be read when the hand has ended */
} tw__bench_place;

typedef struct tw__bench_publisher_place {
    _Alignas(64) _Atomic uint64_t sent;
    tw__bench_doubts doubts;
} tw__bench_publisher_place;

typedef struct tw__bench_board {
    _Atomic uint32_t phase; /* tw__bench_phase */
    _Atomic uint32_t ramp;  /* connections each hand may open so far */
    uint64_t epoch_ns;      /* times in messages count from here */
    uint32_t run;           /* number of this run, in every message */
    int gate;               /* eventfd: a burst may be complete */
    tw__bench_place places[TW__BENCH_HANDS_MAX];
    tw__bench_publisher_place publishers[TW__BENCH_PUBLISHERS_MAX];
} tw__bench_board;

/* A zeroed board in shared memory, or NULL with errno set. */
tw__bench_board *tw__bench_board_create(void);
void tw__bench_board_destroy(tw__bench_board *board);

static inline tw__bench_phase tw__bench_board_phase(tw__bench_board *board) {
    return (tw__bench_phase)atomic_load_explicit(&board->phase,
                                                 memory_order_acquire);
}

/* Adds connections that ended with `code` to a table of TW__BENCH_CODES_MAX;
 * the last entry takes what finds no place. */
void tw__bench_endings_add(tw__bench_ending *endings, uint16_t code,
                           uint64_t count);

/* Notes the first reason why a connection could not be opened. */
void tw__bench_findings_fail(tw__bench_findings *findings, const char *why);

/* Notes a connection's first offence, as far as there is room. */
void tw__bench_findings_offend(tw__bench_findings *findings,
                               const tw__bench_offence *offence);

/* Adds all of `from` to `into`. */
void tw__bench_findings_merge(tw__bench_findings *into,
                              const tw__bench_findings *from);

#endif
