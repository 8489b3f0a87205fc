/* histogram.h - times in logarithmic buckets.
 *
 * 64 buckets to each doubling: a percentile is at most 1.6 % over the true
 * value; count, sum, smallest and largest are exact. Plain data: may be copied
 * and lives in shared memory. Zero-initialised it is empty.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_HISTOGRAM_H
#define TW_BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define TW__BENCH_SUB_BITS 6
#define TW__BENCH_TOP_BIT 40 /* larger values (18 minutes) share a bucket */
#define TW__BENCH_BUCKETS                                                      \
    ((TW__BENCH_TOP_BIT - TW__BENCH_SUB_BITS + 2) << TW__BENCH_SUB_BITS)

typedef struct tw__bench_histogram {
    uint64_t count, sum, max;
    uint64_t buckets[TW__BENCH_BUCKETS];
} tw__bench_histogram;

static inline size_t tw__bench_bucket(uint64_t value) {
    if (value < (1U << TW__BENCH_SUB_BITS)) {
        return (size_t)value;
    }
    unsigned bit = 63 - (unsigned)__builtin_clzll(value);
    if (bit > TW__BENCH_TOP_BIT) {
        return TW__BENCH_BUCKETS - 1;
    }
    unsigned shift = bit - TW__BENCH_SUB_BITS;
    return ((size_t)shift << TW__BENCH_SUB_BITS) + (size_t)(value >> shift);
}

static inline void tw__bench_histogram_add(tw__bench_histogram *histogram,
                                           uint64_t value) {
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max) {
        histogram->max = value;
    }
    histogram->buckets[tw__bench_bucket(value)]++;
}

/* Adds all of `from` to `into`. */
void tw__bench_histogram_merge(tw__bench_histogram *into,
                               const tw__bench_histogram *from);

/* The value which `percent` (0 to 100) of the values do not exceed, rounded up
 * to the end of its bucket; 0 when empty. */
uint64_t tw__bench_histogram_at(const tw__bench_histogram *histogram,
                                double percent);

/* The mean; 0 when empty. */
double tw__bench_histogram_mean(const tw__bench_histogram *histogram);

#endif
