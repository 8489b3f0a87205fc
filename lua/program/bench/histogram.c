/* SPDX-License-Identifier: MIT */
#include "histogram.h"

void tw__bench_histogram_merge(tw__bench_histogram *into,
                               const tw__bench_histogram *from) {
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max) {
        into->max = from->max;
    }
    for (size_t i = 0; i < TW__BENCH_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
}

static uint64_t bucket_end(size_t index) {
    if (index < (2U << TW__BENCH_SUB_BITS)) {
        return index;
    }
    unsigned shift = (unsigned)(index >> TW__BENCH_SUB_BITS) - 1;
    uint64_t top = index - ((uint64_t)shift << TW__BENCH_SUB_BITS);
    return ((top + 1) << shift) - 1;
}

uint64_t tw__bench_histogram_at(const tw__bench_histogram *histogram,
                                double percent) {
    if (histogram->count == 0) {
        return 0;
    }
    /* Rounded up, but for what binary fractions add: 99.9 % of 1000 is 999. */
    double exact = percent / 100.0 * (double)histogram->count - 1e-6;
    uint64_t rank = exact > 0 ? (uint64_t)exact + 1 : 1;
    uint64_t seen = 0;
    for (size_t i = 0; i < TW__BENCH_BUCKETS - 1; i++) {
        seen += histogram->buckets[i];
        if (seen >= rank) {
            uint64_t end = bucket_end(i);
            return end < histogram->max ? end : histogram->max;
        }
    }
    return histogram->max;
}

double tw__bench_histogram_mean(const tw__bench_histogram *histogram) {
    return histogram->count == 0
               ? 0
               : (double)histogram->sum / (double)histogram->count;
}
