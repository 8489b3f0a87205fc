/* metric.h - the metrics that one process writes, in its slot's region.
 *
 * What is opened has an index beside the region, so that a series is found by
 * the values of its labels at once. Belongs to the loop's thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_METRIC_METRIC_H
#define TW_METRIC_METRIC_H

#include "base/list.h"
#include "base/map.h"
#include "metric/region.h"
#include "tidewire/tidewire.h"

/* What is worth a line in the log: both at most once a metric. */
typedef struct tw__metric_events {
    /* A series was folded into "other"; `why` is a sentence. */
    void (*folded)(const char *name, const char *why, void *arg);
    void *arg;
} tw__metric_events;

typedef struct tw__metrics {
    tw__metric_regions regions; /* borrowed, or `is_own` */
    uint32_t slot;
    bool is_own;
    size_t own_bytes;
    tw__list all; /* every tw_metric */
    tw__metric_events events;
} tw__metrics;

/* With `regions` NULL one region of `bytes` is mapped when it is first needed.
 */
void tw__metrics_init(tw__metrics *metrics, const tw__metric_regions *regions,
                      uint32_t slot, size_t bytes,
                      const tw__metric_events *events);
void tw__metrics_deinit(tw__metrics *metrics);

/* As tw_metric_open. */
int tw__metrics_open(tw__metrics *metrics, const tw_metric_config *config,
                     tw_metric **metric);

struct tw_metric {
    tw__list node;
    tw__metrics *metrics;
    tw__metric_def *def;
    uint32_t place; /* of the definition */
    uint32_t max_series;
    tw__map series;          /* by their keys, which lie in the region */
    tw__metric_series *only; /* of a metric without labels */
    tw__metric_series *other;
    uint32_t
        *seen; /* of each slot: the place up to which its series are here */
    bool is_full, has_warned;
};

/* series.c: the index of what the region has; its first series. 0, TW_ELIMIT,
 * TW_ENOMEM. */
int tw__metric_index(tw_metric *metric);

/* The series for these values, made if need be. 0, TW_ELIMIT, TW_ENOMEM. */
int tw__metric_find(tw_metric *metric, const tw_str *values,
                    tw__metric_series **series);

#endif
