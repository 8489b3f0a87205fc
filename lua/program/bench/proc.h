/* proc.h - what /proc says of other processes: CPU time and memory.
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_PROC_H
#define TW_BENCH_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TW__BENCH_PIDS_MAX 256

typedef struct tw__bench_pids {
    size_t len;
    pid_t pids[TW__BENCH_PIDS_MAX];
} tw__bench_pids;

/* Reads "12,34". False when it is something else; `pids` may be half filled. */
bool tw__bench_pids_parse(tw__bench_pids *pids, const char *text);

/* A process and all its descendants, as they are now. */
void tw__bench_pids_family(tw__bench_pids *pids, pid_t root);

bool tw__bench_pids_equal(const tw__bench_pids *a, const tw__bench_pids *b);

/* CPU time that a process has used so far. The scheduler's count
 * (/proc/PID/task/TID/schedstat, of living threads) is in nanoseconds; that of
 * /proc/PID/stat (utime + stime, dead threads too) is rounded to 10 ms or so.
 * Counts that cannot be read are 0. */
typedef struct tw__bench_cpu {
    uint64_t sched_ns;
    uint64_t stat_ns;
    bool is_unread; /* there is no such process */
} tw__bench_cpu;

tw__bench_cpu tw__bench_cpu_read(pid_t pid);

/* User memory from smaps_rollup, all processes together. */
typedef struct tw__bench_mem {
    uint64_t private_dirty;
    uint64_t pss;
    bool is_known; /* all of them could be read */
} tw__bench_mem;

tw__bench_mem tw__bench_mem_read(const tw__bench_pids *pids);

#endif
