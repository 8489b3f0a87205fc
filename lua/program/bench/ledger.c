/* SPDX-License-Identifier: MIT */
#include "ledger.h"

#include <stdbool.h>

#define WINDOW 64

void tw__bench_doubts_add(tw__bench_doubts *doubts, uint64_t first,
                          uint64_t last) {
    uint32_t len = atomic_load(&doubts->len);
    if (first > last) {
        return;
    }
    if (len == TW__BENCH_DOUBTS_MAX) {
        atomic_store(&doubts->ranges[len - 1].last, last);
        return;
    }
    atomic_store(&doubts->ranges[len].first, first);
    atomic_store(&doubts->ranges[len].last, last);
    atomic_store(&doubts->len, len + 1);
}

uint64_t tw__bench_doubts_in(const tw__bench_doubts *doubts, uint64_t first,
                             uint64_t last) {
    uint64_t count = 0;
    uint32_t len = atomic_load(&doubts->len);
    for (uint32_t i = 0; i < len; i++) {
        uint64_t from = atomic_load(&doubts->ranges[i].first);
        uint64_t to = atomic_load(&doubts->ranges[i].last);
        from = from > first ? from : first;
        to = to < last ? to : last;
        count += from <= to ? to - from + 1 : 0;
    }
    return count;
}

void tw__bench_account_open(tw__bench_account *account, uint64_t first) {
    account->first = first;
    account->last = first - 1;
    account->window = 0;
}

/* Enters first..last as missing; how many of them have no excuse. */
static uint64_t miss(uint64_t first, uint64_t last,
                     const tw__bench_doubts *doubts, tw__bench_sum *sum) {
    if (first > last) {
        return 0;
    }
    uint64_t excused = tw__bench_doubts_in(doubts, first, last);
    uint64_t lost = last - first + 1 - excused;
    sum->in_doubt += excused;
    sum->lost += lost;
    return lost;
}

static tw__bench_verdict take_old(tw__bench_account *account, uint64_t seq,
                                  const tw__bench_doubts *doubts,
                                  tw__bench_sum *sum) {
    uint64_t behind = account->last - seq;
    if (seq < account->first || behind >= WINDOW ||
        (account->window >> behind & 1) != 0) {
        sum->doubled++;
        return TW__BENCH_DOUBLE;
    }
    account->window |= UINT64_C(1) << behind;
    sum->received++;
    sum->disordered++;
    /* It was entered as missing when the gap was seen; whether with an excuse
     * may have changed since. */
    bool excused = tw__bench_doubts_in(doubts, seq, seq) > 0;
    if ((excused && sum->in_doubt > 0) || sum->lost == 0) {
        sum->in_doubt--;
    } else {
        sum->lost--;
    }
    return TW__BENCH_LATE;
}

tw__bench_verdict tw__bench_account_take(tw__bench_account *account,
                                         uint64_t seq,
                                         const tw__bench_doubts *doubts,
                                         tw__bench_sum *sum) {
    if (seq <= account->last) {
        return take_old(account, seq, doubts, sum);
    }
    uint64_t step = seq - account->last;
    uint64_t lost = 0;
    if (step > 1) {
        lost = miss(account->last + 1, seq - 1, doubts, sum);
    }
    account->window = step < WINDOW ? account->window << step | 1 : 1;
    account->last = seq;
    sum->received++;
    return lost > 0 ? TW__BENCH_AFTER_GAP : TW__BENCH_IN_ORDER;
}

uint64_t tw__bench_account_close(tw__bench_account *account, uint64_t end,
                                 const tw__bench_doubts *doubts,
                                 tw__bench_sum *sum) {
    if (account->first == 0) {
        return 0;
    }
    uint64_t lost = miss(account->last + 1, end, doubts, sum);
    uint64_t top = end > account->last ? end : account->last;
    sum->intended += top - account->first + 1;
    account->first = 0;
    return lost;
}

void tw__bench_sum_merge(tw__bench_sum *into, const tw__bench_sum *from) {
    into->intended += from->intended;
    into->received += from->received;
    into->lost += from->lost;
    into->in_doubt += from->in_doubt;
    into->doubled += from->doubled;
    into->disordered += from->disordered;
    into->damaged += from->damaged;
}
