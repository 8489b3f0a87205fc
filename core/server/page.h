/* page.h - the shared page set of one slot: what it counts and how it lives.
 *
 * Mapped by the master before it forks, so that counters outlive a worker; a
 * server without a master has private ones. Only the slot's process writes its
 * own page (between two of them the master does); everybody reads. Plain
 * aligned 64-bit stores are enough: a reader may see one figure before another,
 * never half a figure.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_PAGE_H
#define TW_SERVER_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "hub/fate.h"
#include "tidewire/tidewire.h"

/* Upper bounds in microseconds of the histograms of durations; the last bucket
 * is everything above. */
#define TW__DURATION_BOUNDS                                                    \
    {                                                                          \
        100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,  \
            500000, 1000000                                                    \
    }
enum { TW__DURATION_BUCKETS = 14 };

typedef struct tw__durations {
    volatile uint64_t buckets[TW__DURATION_BUCKETS]; /* plain counts */
    volatile uint64_t sum_us;
} tw__durations;

/* Costs of hooks in one generation, see tidewire/hook_stats.h. */
typedef struct tw__hook_set {
    volatile uint32_t generation; /* 0: not in use */
    double tick_seconds;
    tw_hook_row rows[TW_HOOK_ROWS];
} tw__hook_set;

typedef struct tw__page {
    volatile uint64_t counters[TW_COUNTER_COUNT];
    volatile uint64_t gauges[TW_GAUGE_COUNT];
    tw__fate_row fates[TW__FATE_ROWS]; /* deliveries by channel class */
    tw__durations turn_times;
    tw__durations freeze_times; /* of reloads, committed or not */
    tw__hook_set hooks[2];
    volatile uint64_t turns; /* ended turns of the loop, all incarnations */
    volatile uint64_t started_ms; /* monotonic; of this incarnation */
    volatile uint32_t incarnation;
    volatile uint32_t generation;
    volatile uint32_t is_ready; /* listens */
    volatile int32_t pid;       /* 0: not running */
} tw__page;

static inline void tw__page_count(tw__page *page, tw_counter counter,
                                  uint64_t n) {
    page->counters[counter] += n;
}

static inline void tw__durations_note(tw__durations *durations, uint64_t us) {
    static const uint32_t bounds[] = TW__DURATION_BOUNDS;
    size_t bucket = 0;
    while (bucket < TW__DURATION_BUCKETS - 1 && us > bounds[bucket]) {
        bucket++;
    }
    durations->buckets[bucket]++;
    durations->sum_us += us;
}

/* User and system time and resident memory of a process of this machine.
 * 0 or TW_ENOT_FOUND (it is gone). */
int tw__page_read_process(int pid, uint64_t *cpu_ms, uint64_t *memory_bytes);

#endif
