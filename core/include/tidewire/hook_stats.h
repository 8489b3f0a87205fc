/* tidewire/hook_stats.h - what the calls of a host's hooks cost, by the name of
 * the hook and the generation of what the host runs. Comes with
 * tidewire/tidewire.h.
 *
 * The rows lie in the slot's shared page: they outlive the worker, and the
 * admin member shows them. Each slot keeps two generations, the newest and the
 * one before; the rows of an older one are used anew.
 *
 *     tw_hook_row *row = tw_server_hook_row(server, "on_message", 1);
 *     uint64_t began = tw_ticks();
 *     ... the call ...
 *     tw_hook_note(row, tw_ticks_since(began), 0, is_error);
 *
 * SPDX-License-Identifier: MIT */
#include "tidewire/tidewire.h" /* outside: it includes this one */

#ifndef TIDEWIRE_HOOK_STATS_H
#define TIDEWIRE_HOOK_STATS_H

#ifdef __cplusplus
extern "C" {
#endif

enum { TW_HOOK_ROWS = 32, TW_HOOK_NAME_MAX = 23 };

/* Times are in ticks. Only the slot's own process writes, plain numbers: who
 * reads those of others sees one before another, never half of one. */
typedef struct tw_hook_row {
    char name[TW_HOOK_NAME_MAX + 1];
    uint64_t calls, errors;
    uint64_t busy_ticks;    /* running */
    uint64_t waiting_ticks; /* between its start and end, not running */
    uint64_t slowest_ticks; /* running, of one call */
} tw_hook_row;

/* The row of this slot, made if there is none; keep it for as long as the
 * generation is one of the two newest that were asked for. NULL: the
 * generation (1 or more) is older than those, the name has 0 or over
 * TW_HOOK_NAME_MAX bytes, or there are TW_HOOK_ROWS names. */
TW_API tw_hook_row *tw_server_hook_row(tw_server *server, const char *name,
                                       uint32_t generation);

/* The clock of ticks: the processor's own counter where the kernel trusts that
 * one, else the monotonic clock. It goes on while another process has the
 * core. */
TW_API extern bool tw_ticks_are_cycles;
TW_API uint64_t tw_ticks_read(void);

static inline uint64_t tw_ticks(void) {
#if defined(__x86_64__) && defined(__GNUC__)
    if (tw_ticks_are_cycles) {
        return __builtin_ia32_rdtsc();
    }
#endif
    return tw_ticks_read();
}

/* 0 when the clock went backwards, as it may over a suspend. */
static inline uint64_t tw_ticks_since(uint64_t began) {
    uint64_t now = tw_ticks();
    return now > began ? now - began : 0;
}

/* A call has ended. */
static inline void tw_hook_note(tw_hook_row *row, uint64_t busy,
                                uint64_t waiting, bool is_error) {
    row->calls++;
    row->errors += is_error;
    row->busy_ticks += busy;
    row->waiting_ticks += waiting;
    if (busy > row->slowest_ticks) {
        row->slowest_ticks = busy;
    }
}

/* Summed over all slots of the server; slowest_seconds is the largest. */
typedef struct tw_hook_stats {
    char name[TW_HOOK_NAME_MAX + 1];
    uint32_t generation;
    uint64_t calls, errors;
    double cpu_seconds; /* running */
    double waiting_seconds;
    double slowest_seconds;
} tw_hook_stats;

enum { TW_HOOK_STATS_MAX = 2 * TW_HOOK_ROWS };

/* Fills in at most TW_HOOK_STATS_MAX, those of the two newest generations, the
 * newest first, then by name. Returns how many. */
TW_API size_t tw_server_hook_stats(tw_server *server, tw_hook_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
