/* master_board.h - the shared memory of a server: facts of the master, and a
 * page per slot.
 *
 * Mapped once, before the first fork; every process of the server sees it. The
 * master writes the board and the slots' outer fields, a slot writes its page.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_MASTER_BOARD_H
#define TW_SERVER_MASTER_BOARD_H

#include "dict/region.h"
#include "metric/region.h"
#include "server/page.h"

/* Over 53 slots on the largest machines tried; a limit against typing errors.
 */
enum { TW__SLOTS_MAX = 1024 };

typedef struct tw__board_slot {
    tw__page page;
    volatile uint64_t restarts; /* starts after the first */
    volatile uint64_t hangs;    /* times it was ended because it hung */
} tw__board_slot;

typedef struct tw__board {
    volatile uint64_t started_ms; /* monotonic */
    volatile int64_t started_unix_s;
    volatile uint64_t reloads_ok, reloads_failed;
    volatile uint64_t admin_restarts;
    volatile uint64_t admin_turns; /* written by the admin member */
    volatile int32_t master_pid, admin_pid;
    volatile uint32_t generation; /* the committed one; 0 before the first */
    volatile uint32_t is_draining;
    uint32_t slots;
    tw__metric_regions metrics; /* likewise; `memory` NULL: none */
    tw__dict_region *dicts; /* at the same address for all; goes with the board.
                               NULL: none */
} tw__board;

/* NULL when there is no memory. All zero but `slots`. */
tw__board *tw__board_create(uint32_t slots);
void tw__board_destroy(tw__board *board);

tw__board_slot *tw__board_at(const tw__board *board, uint32_t slot);

/* Fills in `pages` (board->slots many) for tw__place. */
void tw__board_pages(const tw__board *board, tw__page **pages);

/* What hooks cost on all slots together, as tw_server_hook_stats. */
size_t tw__board_hook_stats(const tw__board *board, tw_hook_stats *stats);

/* The slot's process is gone: what it was doing is zero, its counters stay. */
void tw__board_clear_slot(const tw__board *board, uint32_t slot);

/* CLOCK_MONOTONIC in milliseconds, the clock of all times here. */
uint64_t tw__board_now_ms(void);

#endif
