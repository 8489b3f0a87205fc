/* SPDX-License-Identifier: MIT */
#include "metric/metric.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "metric/shape.h"

enum { SERIES = 100 };

void tw__metrics_init(tw__metrics *metrics, const tw__metric_regions *regions,
                      uint32_t slot, size_t bytes,
                      const tw__metric_events *events) {
    *metrics = (tw__metrics){.slot = regions != NULL ? slot : 0,
                             .is_own = regions == NULL,
                             .own_bytes = bytes,
                             .events = *events};
    tw__list_init(&metrics->all);
    if (regions != NULL && regions->memory != NULL) {
        metrics->regions = *regions;
        tw__metric_clear_gauges(regions, slot);
    }
}

static void free_metric(tw_metric *metric) {
    tw__map_deinit(&metric->series);
    tw__free(metric->seen);
    tw__free(metric);
}

void tw__metrics_deinit(tw__metrics *metrics) {
    if (metrics->all.next == NULL) {
        return; /* a server that failed before this had its turn */
    }
    while (!tw__list_is_empty(&metrics->all)) {
        tw_metric *metric = TW__CONTAINER(metrics->all.next, tw_metric, node);
        tw__list_remove(&metric->node);
        free_metric(metric);
    }
    if (metrics->is_own) {
        tw__metric_regions_unmap(&metrics->regions);
    }
}

/* ---- opening ------------------------------------------------------------ */

static tw_metric *find_open(const tw__metrics *metrics,
                            const tw__metric_def *def) {
    for (tw__list *at = metrics->all.next; at != &metrics->all; at = at->next) {
        tw_metric *metric = TW__CONTAINER(at, tw_metric, node);
        if (tw__metric_is_like(metric->def, def)) {
            return metric;
        }
    }
    return NULL;
}

/* The place of a definition like it that is there already; 0: there is none. */
static uint32_t find_def(const tw__metrics *metrics,
                         const tw__metric_def *def) {
    uint32_t at = 0, next;
    const tw__metric_head *record;
    while ((record = tw__metric_next(&metrics->regions, metrics->slot, &at,
                                     &next)) != NULL) {
        if (record->type == TW__METRIC_DEF &&
            tw__metric_is_like((const void *)record, def)) {
            return at;
        }
        at = next;
    }
    return 0;
}

static tw_metric *new_metric(tw__metrics *metrics) {
    tw_metric *metric = tw__calloc(1, sizeof *metric);
    if (metric == NULL) {
        return NULL;
    }
    metric->metrics = metrics;
    tw__map_init(&metric->series);
    metric->seen = tw__calloc(metrics->regions.count, sizeof *metric->seen);
    if (metric->seen == NULL) {
        tw__free(metric);
        return NULL;
    }
    return metric;
}

/* The same, made if there is none; 0: no room. */
static uint32_t place_of(const tw__metrics *metrics,
                         const tw__metric_def *def) {
    uint32_t place = find_def(metrics, def);
    if (place == 0) {
        tw__metric_def *made = tw__metric_reserve(
            &metrics->regions, metrics->slot, def->head.bytes, TW__METRIC_DEF);
        if (made != NULL) {
            memcpy(made, def, def->head.bytes);
            place = tw__metric_commit(&metrics->regions, metrics->slot,
                                      &made->head);
        }
    }
    return place;
}

static int make_metric(tw__metrics *metrics, const tw__metric_def *def,
                       tw_metric **out) {
    uint32_t place = place_of(metrics, def);
    tw_metric *metric = place != 0 ? new_metric(metrics) : NULL;
    if (metric == NULL) {
        return place != 0 ? TW_ENOMEM : TW_ELIMIT;
    }
    metric->place = place;
    metric->def = (void *)(uintptr_t)tw__metric_def_at(&metrics->regions,
                                                       metrics->slot, place);
    int error = tw__metric_index(metric);
    if (error != 0) {
        free_metric(metric);
        return error;
    }
    tw__list_push(&metrics->all, &metric->node);
    *out = metric;
    return 0;
}

static void use(tw_metric *metric, const tw_metric_config *config) {
    if (config->generation > metric->def->generation) {
        metric->def->generation = config->generation;
    }
    metric->max_series = config->max_series != 0 ? config->max_series : SERIES;
    metric->is_full = false;
}

static int find_or_make(tw__metrics *metrics, const tw_metric_config *config,
                        tw_metric **metric) {
    tw__metric_def *def = tw__metric_def_create(config);
    if (def == NULL) {
        return TW_ENOMEM;
    }
    *metric = find_open(metrics, def);
    int error = *metric != NULL ? 0 : make_metric(metrics, def, metric);
    tw__free(def);
    return error;
}

int tw__metrics_open(tw__metrics *metrics, const tw_metric_config *config,
                     tw_metric **metric) {
    tw_metric *found;
    int error = tw_metric_check(config, NULL, 0);
    if (error == 0 && metrics->is_own && metrics->regions.memory == NULL) {
        error = tw__metric_regions_map(&metrics->regions, 1, metrics->own_bytes,
                                       false);
    }
    if (error == 0) {
        error = find_or_make(metrics, config, &found);
    }
    if (error == 0) {
        use(found, config);
        *metric = found;
    }
    return error;
}

/* ---- values ------------------------------------------------------------- */

/* Of the same bucket as Prometheus has it: the bound belongs to it. */
static size_t bucket_of(const tw__metric_def *def, double value) {
    size_t bucket = 0;
    while (bucket < def->bounds && value > def->limits[bucket]) {
        bucket++;
    }
    return bucket;
}

int tw_metric_add(tw_metric *metric, const tw_str *values, double n) {
    tw__metric_series *series;
    int kind = metric->def->kind;
    if (kind == TW_METRIC_HISTOGRAM || !isfinite(n) ||
        (kind == TW_METRIC_COUNTER && n < 0)) {
        return TW_EINVALID;
    }
    int error = tw__metric_find(metric, values, &series);
    if (error == 0) {
        double before = kind == TW_METRIC_GAUGE && series->is_set == 0
                            ? 0
                            : series->cells[0].number;
        series->cells[0].number = before + n;
        series->is_set = 1;
    }
    return error;
}

int tw_metric_set(tw_metric *metric, const tw_str *values, double value) {
    tw__metric_series *series;
    if (metric->def->kind != TW_METRIC_GAUGE || !isfinite(value)) {
        return TW_EINVALID;
    }
    int error = tw__metric_find(metric, values, &series);
    if (error == 0) {
        series->cells[0].number = value;
        series->is_set = 1;
    }
    return error;
}

int tw_metric_observe(tw_metric *metric, const tw_str *values, double value) {
    tw__metric_series *series;
    const tw__metric_def *def = metric->def;
    if (def->kind != TW_METRIC_HISTOGRAM || !isfinite(value)) {
        return TW_EINVALID;
    }
    int error = tw__metric_find(metric, values, &series);
    if (error == 0) {
        series->cells[bucket_of(def, value)].count++;
        series->cells[def->bounds + 1].number += value;
        series->is_set = 1;
    }
    return error;
}
