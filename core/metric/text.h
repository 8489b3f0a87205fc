/* text.h - the metrics of all slots together, as text for Prometheus.
 *
 * Looks at shared memory once, when it is made; what is written meanwhile may
 * be there or not.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_METRIC_TEXT_H
#define TW_METRIC_TEXT_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "metric/region.h"

/* A sample: a series of all slots together, or of one. */
typedef struct tw__metric_sum {
    tw__list node;
    const char *key; /* in shared memory */
    uint32_t slot;
    bool is_set;
    tw__metric_cell cells[];
} tw__metric_sum;

/* One metric, in the form of its latest generation. */
typedef struct tw__metric_group {
    tw__list node;
    const tw__metric_def *def;
    tw__map by_key;
    tw__list sums; /* its samples */
    uint64_t folded;
} tw__metric_group;

typedef struct tw__metric_view {
    tw__list groups;
    tw__map by_name;
} tw__metric_view;

/* 0 or TW_ENOMEM (then there is nothing to deinit). */
int tw__metric_view_init(tw__metric_view *view,
                         const tw__metric_regions *regions);
void tw__metric_view_deinit(tw__metric_view *view);

/* Appends the samples of all metrics. 0 or TW_ENOMEM. */
int tw__metric_view_write(const tw__metric_view *view, tw__bytes *out);

/* Text as it stands between the quotes of a label. 0 or TW_ENOMEM. */
int tw__metric_write_label(tw__bytes *out, const char *text);

#endif
