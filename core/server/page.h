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

#include <stdint.h>

#include "hub/fate.h"
#include "tidewire/metrics.h"

/* Upper bounds in microseconds of the histogram of turn times; the last bucket
 * is everything above. */
#define TW__TURN_BOUNDS                                                        \
    {                                                                          \
        100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,  \
            500000, 1000000                                                    \
    }
enum { TW__TURN_BUCKETS = 14 };

typedef struct tw__page {
    volatile uint64_t counters[TW_COUNTER_COUNT];
    volatile uint64_t gauges[TW_GAUGE_COUNT];
    tw__fate_row fates[TW__FATE_ROWS]; /* deliveries by channel class */
    volatile uint64_t turn_buckets[TW__TURN_BUCKETS];
    volatile uint64_t turn_sum_us;
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

/* User and system time and resident memory of a process of this machine.
 * 0 or TW_ENOT_FOUND (it is gone). */
int tw__page_read_process(int pid, uint64_t *cpu_ms, uint64_t *memory_bytes);

#endif
