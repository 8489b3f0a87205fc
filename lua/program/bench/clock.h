/* clock.h - monotonic nanoseconds, the same for every process of a run.
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_CLOCK_H
#define TW_BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

#define TW__BENCH_MS 1000000ULL
#define TW__BENCH_SECOND 1000000000ULL

static inline uint64_t tw__bench_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * TW__BENCH_SECOND + (uint64_t)ts.tv_nsec;
}

#endif
