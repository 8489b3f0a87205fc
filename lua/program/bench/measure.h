/* measure.h - the server's CPU and memory between two moments, and our own.
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_MEASURE_H
#define TW_BENCH_MEASURE_H

#include "board.h"
#include "crew.h"
#include "options.h"
#include "proc.h"

/* All that is read at one moment. */
typedef struct tw__bench_moment {
    uint64_t at, messages; /* the caller's to fill, last */
    tw__bench_pids server;
    tw__bench_cpu server_cpu; /* the sum of the next */
    tw__bench_cpu each_cpu[TW__BENCH_PIDS_MAX];
    tw__bench_cpu hand_cpu[TW__BENCH_HANDS_MAX];
} tw__bench_moment;

/* Reads the CPU times of the server and of the hands. */
void tw__bench_moment_note(tw__bench_moment *moment,
                           const tw__bench_options *options, const pid_t *hands,
                           uint32_t hands_len);

/* Fills in what happened between two moments. */
void tw__bench_moment_compare(const tw__bench_moment *from,
                              const tw__bench_moment *to, uint32_t hands_len,
                              tw__bench_outcome *outcome);

/* The memory of all processes of the server, now. */
tw__bench_mem tw__bench_server_memory(const tw__bench_options *options);

/* Fills in the growth since `before`: until `opened`, and until now. */
void tw__bench_memory_compare(const tw__bench_options *options,
                              const tw__bench_mem *before,
                              const tw__bench_mem *opened,
                              tw__bench_outcome *outcome);

#endif
