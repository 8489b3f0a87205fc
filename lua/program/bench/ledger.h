/* ledger.h - did every publication arrive, once, and in its order?
 *
 * A publisher numbers what it sends from 1. A receiver keeps one account per
 * publisher: what came, and by its gaps what did not. Pure; the counts of all
 * accounts go into one sum.
 *
 * An arrival out of order can be told from a double while it is at most 64
 * numbers behind; anything older counts as a double (and the gap it may have
 * filled stays lost).
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_LEDGER_H
#define TW_BENCH_LEDGER_H

#include <stdatomic.h>
#include <stdint.h>

#define TW__BENCH_DOUBTS_MAX 32

/* Numbers a publisher sent on a connection that broke before anybody had
 * received them: whether the server ever saw them is not known, so a gap there
 * is no loss. In shared memory: one process adds, all read. */
typedef struct tw__bench_doubts {
    _Atomic uint32_t len;
    struct {
        _Atomic uint64_t first, last;
    } ranges[TW__BENCH_DOUBTS_MAX];
} tw__bench_doubts;

/* Adds first..last, above all that were added before. When the table is full
 * the newest range is stretched. */
void tw__bench_doubts_add(tw__bench_doubts *doubts, uint64_t first,
                          uint64_t last);

/* How many of the numbers first..last are in doubt. */
uint64_t tw__bench_doubts_in(const tw__bench_doubts *doubts, uint64_t first,
                             uint64_t last);

typedef struct tw__bench_sum {
    uint64_t intended; /* of accounts that were closed */
    uint64_t received; /* each number once */
    uint64_t lost;
    uint64_t in_doubt; /* missing, but excused as said above */
    uint64_t doubled;
    uint64_t disordered; /* came late, after a higher number */
    uint64_t damaged;
} tw__bench_sum;

typedef struct tw__bench_account {
    uint64_t first;  /* the first number that counts; 0: not open */
    uint64_t last;   /* the highest that came, first - 1 when none did */
    uint64_t window; /* bit i: last - i came */
} tw__bench_account;

typedef enum tw__bench_verdict {
    TW__BENCH_IN_ORDER,
    TW__BENCH_AFTER_GAP, /* numbers before it are missing, some not excused */
    TW__BENCH_LATE,
    TW__BENCH_DOUBLE
} tw__bench_verdict;

/* Expects `first` next. */
void tw__bench_account_open(tw__bench_account *account, uint64_t first);

/* Enters an arrival. A number below the first one counts as a double. */
tw__bench_verdict tw__bench_account_take(tw__bench_account *account,
                                         uint64_t seq,
                                         const tw__bench_doubts *doubts,
                                         tw__bench_sum *sum);

/* Closes: everything up to `end` should have come (what lies beyond it is
 * counted when it came). Returns how many were missing at the end without
 * excuse. Nothing happens to an account that is not open. */
uint64_t tw__bench_account_close(tw__bench_account *account, uint64_t end,
                                 const tw__bench_doubts *doubts,
                                 tw__bench_sum *sum);

void tw__bench_sum_merge(tw__bench_sum *into, const tw__bench_sum *from);

#endif
