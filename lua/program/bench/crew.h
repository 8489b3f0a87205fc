/* crew.h - the parent of a run: forks the hands, leads them through the
 * phases, and measures the server meanwhile.
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_CREW_H
#define TW_BENCH_CREW_H

#include "board.h"
#include "hand.h"
#include "options.h"
#include "proc.h"
#include "target.h"

typedef struct tw__bench_outcome {
    double seconds;    /* measured, really */
    uint64_t messages; /* in that time */
    uint32_t hands;
    /* The server, in that time. */
    bool has_server;
    bool is_sched;    /* cpu_ns is the scheduler's count; else that of stat */
    bool has_changed; /* its processes did: its figures are not to be trusted */
    uint64_t cpu_ns, stat_ns;
    /* Memory of the server, less that before `counted` connections. */
    bool has_memory;
    uint64_t counted;
    int64_t private_opened, pss_opened; /* when they were open */
    int64_t private_held, pss_held;     /* at the end of measuring */
    /* The busiest process's part of a core: of the server's, of ours. */
    double server_share, hand_share;
    bool is_stuck; /* it ended early, since no publisher was left */
    tw__bench_findings findings;
} tw__bench_outcome;

/* Makes the run. 0, or -1 when it could not be made: `why` says it. SIGINT and
 * SIGTERM shorten it. */
int tw__bench_crew_run(const tw__bench_options *options,
                       const tw__bench_target *target,
                       tw__bench_outcome *outcome, char *why, size_t why_size);

#endif
