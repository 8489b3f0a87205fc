/* hook_stats.h - the costs of hooks in the pages of all slots.
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_HOOK_STATS_H
#define TW_SERVER_HOOK_STATS_H

#include "server/page.h"

/* Sums up the two newest generations over the pages of `slots` slots, sorted
 * as tw_server_hook_stats says, which also says how much `stats` has room
 * for. Returns how many there are. */
size_t tw__hook_stats_sum(tw__page *const *pages, uint32_t slots,
                          tw_hook_stats *stats);

/* The row of a page, see tw_server_hook_row. */
tw_hook_row *tw__hook_stats_row(tw__page *page, const char *name,
                                uint32_t generation);

#endif
