/* plan.h - how the load is spread: processes, source addresses, cores.
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_PLAN_H
#define TW_BENCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"
#include "target.h"

/* Raises the limit of descriptors as far as it goes and says how many
 * processes the connections need, or get by --processes. 0, or -1 and a
 * sentence in `why` when that is more than there can be. */
int tw__bench_plan_hands(const tw__bench_options *options, uint32_t *hands,
                         char *why, size_t why_size);

/* How many addresses 127.0.0.x to connect from; 0: leave it to the kernel. */
uint32_t tw__bench_plan_sources(const tw__bench_options *options,
                                const tw__bench_target *target);

/* Whether this is a list of cores: "N,N,...". */
bool tw__bench_plan_is_cpu_list(const char *list);

/* Keeps the calling process to a core of a list: the one at place `index`,
 * round and round. Without a list, nothing. Complains to stderr. */
void tw__bench_plan_pin(const char *list, uint32_t index);

#endif
