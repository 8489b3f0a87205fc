/* master_watch.h - whether a worker hangs, and when a dead one comes back.
 * Pure; the time is passed in. SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_MASTER_WATCH_H
#define TW_SERVER_MASTER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

/* What was seen when the loop last ended a turn. */
typedef struct tw__watch {
    uint64_t turns, cpu_ms, wall_ms;
    uint64_t _looked_ms;
} tw__watch;

enum {
    /* How often the master looks, and how late its own look may be before it
     * must have been stopped itself (a debugger, job control) and judges
     * nobody by that time. */
    TW__WATCH_EACH_MS = 250,
    TW__WATCH_LATE_MS = 2000
};

void tw__watch_start(tw__watch *watch, uint64_t turns, uint64_t cpu_ms,
                     uint64_t now_ms);

/* Looks again. True when no turn ended during `max_cpu_ms` of the worker's own
 * CPU time or `max_wall_ms`. */
bool tw__watch_is_hung(tw__watch *watch, uint64_t turns, uint64_t cpu_ms,
                       uint64_t now_ms, uint32_t max_cpu_ms,
                       uint32_t max_wall_ms);

/* How long to wait before the start that follows `failures` deaths in a row
 * (at least 1): none after the first, then 100 ms, doubling to 5 s, and up to a
 * fifth more as jitter, for which `random` is any number. */
uint64_t tw__watch_backoff_ms(uint32_t failures, uint32_t random);

/* A life this long forgives earlier deaths. */
enum { TW__WATCH_FORGIVE_MS = 10000 };

#endif
