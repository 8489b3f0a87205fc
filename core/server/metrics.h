/* metrics.h - the board as text for Prometheus.
 * Reads shared memory and /proc; no I/O else. SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_METRICS_H
#define TW_SERVER_METRICS_H

#include "base/bytes.h"
#include "server/master_board.h"

#define TW__METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends every metric of the server in the text format. `version` (may be
 * NULL) is the program's. 0 or TW_ENOMEM (then a part may have been appended).
 */
int tw__metrics_render(tw__bytes *out, const tw__board *board,
                       const char *version);

#endif
