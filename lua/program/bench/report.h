/* report.h - what a run comes to: for people, for programs, and as a verdict.
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_REPORT_H
#define TW_BENCH_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "crew.h"
#include "options.h"

/* A hand that used more of its core than this may itself have been the limit.
 */
#define TW__BENCH_BUSY 0.85

/* Whether the generator, and not the server, is what was measured. */
static inline bool
tw__bench_report_is_bottleneck(const tw__bench_outcome *outcome) {
    return outcome->hand_share > TW__BENCH_BUSY &&
           outcome->hand_share > outcome->server_share;
}

/* Whether everything arrived as it should, but for what the options allow. */
bool tw__bench_report_is_clean(const tw__bench_options *options,
                               const tw__bench_outcome *outcome);

void tw__bench_report_text(FILE *out, const tw__bench_options *options,
                           const tw__bench_outcome *outcome);

/* One JSON object and a line feed. */
void tw__bench_report_json(FILE *out, const tw__bench_options *options,
                           const tw__bench_outcome *outcome);

#endif
