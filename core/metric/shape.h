/* shape.h - what a metric may be called and have; see tidewire/metric.h.
 * SPDX-License-Identifier: MIT */
#ifndef TW_METRIC_SHAPE_H
#define TW_METRIC_SHAPE_H

#include "metric/region.h"
#include "tidewire/tidewire.h"

/* The definition that a config, as tw_metric_check wants it, asks for: given,
 * freed with tw__free. NULL without memory. */
tw__metric_def *tw__metric_def_create(const tw_metric_config *config);

#endif
