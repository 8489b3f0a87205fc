/* series.c - which series a combination of labels' values has.
 *
 * The limit holds for the whole server although nobody is asked: before a
 * worker makes a series it takes over those that the others have made, which it
 * can read. So all fold the same, and what one has counted apart all do.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "metric/metric.h"
#include "ws/utf8.h"

/* The values of all labels, each with its NUL. */
typedef struct key {
    char bytes[TW_METRIC_LABELS_MAX * (TW_METRIC_VALUE_MAX + 1)];
    size_t len;
} key;

/* ---- keys --------------------------------------------------------------- */

/* False: what cannot be a label's value is among them. */
static bool make_key(key *k, const tw_str *values, size_t count) {
    k->len = 0;
    for (size_t i = 0; i < count; i++) {
        const tw_str *value = &values[i];
        if (value->len == 0) {
            k->bytes[k->len++] = '\0';
            continue;
        }
        if (value->len > TW_METRIC_VALUE_MAX ||
            memchr(value->data, '\0', value->len) != NULL ||
            !tw__utf8_valid((const uint8_t *)value->data, value->len)) {
            return false;
        }
        memcpy(k->bytes + k->len, value->data, value->len);
        k->bytes[k->len + value->len] = '\0';
        k->len += value->len + 1;
    }
    return true;
}

static void make_other_key(key *k, size_t count) {
    static const char other[] = "other";
    k->len = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(k->bytes + k->len, other, sizeof other);
        k->len += sizeof other;
    }
}

/* ---- making ------------------------------------------------------------- */

static int make(tw_metric *metric, const char *bytes, size_t len,
                tw__metric_series **out) {
    tw__metrics *metrics = metric->metrics;
    size_t cells = tw__metric_cells(metric->def);
    size_t head = sizeof **out + cells * sizeof *(*out)->cells;
    tw__metric_series *series = tw__metric_reserve(
        &metrics->regions, metrics->slot, head + len, TW__METRIC_SERIES);
    if (series == NULL) {
        return TW_ELIMIT;
    }
    char *place = (char *)(series->cells + cells);
    series->def = metric->place;
    series->len = (uint32_t)len;
    if (len > 0) {
        memcpy(place, bytes, len);
        if (tw__map_add(&metric->series, place, len, series) != 0) {
            return TW_ENOMEM; /* the record does not count */
        }
    }
    tw__metric_commit(&metrics->regions, metrics->slot, &series->head);
    *out = series;
    return 0;
}

/* ---- what the others have ----------------------------------------------- */

static int take_over(tw_metric *metric, const char *bytes, size_t len) {
    tw__metric_series *series;
    return tw__map_find(&metric->series, bytes, len) == NULL
               ? make(metric, bytes, len, &series)
               : 0;
}

/* Its key, when it is one of this metric. */
static const char *key_here(const tw_metric *metric, uint32_t slot,
                            const tw__metric_head *record) {
    const tw__metric_series *series = (const void *)record;
    if (record->type != TW__METRIC_SERIES) {
        return NULL;
    }
    const tw__metric_def *def =
        tw__metric_def_at(&metric->metrics->regions, slot, series->def);
    return def != NULL && tw__metric_is_like(def, metric->def)
               ? tw__metric_key(series, def)
               : NULL;
}

static int import_from(tw_metric *metric, uint32_t slot) {
    uint32_t at = metric->seen[slot], next;
    const tw__metric_head *record;
    while ((record = tw__metric_next(&metric->metrics->regions, slot, &at,
                                     &next)) != NULL) {
        const tw__metric_series *series = (const void *)record;
        const char *name = key_here(metric, slot, record);
        int error = name != NULL ? take_over(metric, name, series->len) : 0;
        if (error != 0) {
            return error;
        }
        metric->seen[slot] = at = next;
    }
    return 0;
}

static int import_all(tw_metric *metric) {
    const tw__metrics *metrics = metric->metrics;
    int error = 0;
    for (uint32_t i = 0; error == 0 && i < metrics->regions.count; i++) {
        if (i != metrics->slot) {
            error = import_from(metric, i);
        }
    }
    return error;
}

/* ---- finding ------------------------------------------------------------ */

static int fold(tw_metric *metric, const char *why,
                tw__metric_series **series) {
    const tw__metrics *metrics = metric->metrics;
    metric->def->folded++;
    if (!metric->has_warned) {
        metric->has_warned = true;
        metrics->events.folded(tw__metric_name(metric->def), why,
                               metrics->events.arg);
    }
    *series = metric->other;
    return 0;
}

/* The series "other" is one of them, and not counted. */
static bool is_full(tw_metric *metric) {
    if (!metric->is_full && tw__map_len(&metric->series) > metric->max_series) {
        metric->is_full = true;
    }
    return metric->is_full;
}

static int find_new(tw_metric *metric, const key *k,
                    tw__metric_series **series) {
    static const char many[] = "its labels have too many values";
    if (is_full(metric)) {
        return fold(metric, many, series);
    }
    int error = import_all(metric);
    if (error == 0) {
        *series = tw__map_find(&metric->series, k->bytes, k->len);
        if (*series != NULL) {
            return 0;
        }
        if (is_full(metric)) {
            return fold(metric, many, series);
        }
        error = make(metric, k->bytes, k->len, series);
    }
    return error == TW_ELIMIT
               ? fold(metric, "limits.metric_memory is used up", series)
               : error;
}

int tw__metric_find(tw_metric *metric, const tw_str *values,
                    tw__metric_series **series) {
    key k;
    if (metric->only != NULL) {
        *series = metric->only;
        return 0;
    }
    if (!make_key(&k, values, metric->def->labels)) {
        return fold(metric, "what is no value for a label was used as one",
                    series);
    }
    *series = tw__map_find(&metric->series, k.bytes, k.len);
    return *series != NULL ? 0 : find_new(metric, &k, series);
}

/* Those that the region has already, and the one that is always there. */
static int index_own(tw_metric *metric) {
    const tw__metrics *metrics = metric->metrics;
    uint32_t at = metric->place, next;
    const tw__metric_head *record;
    while ((record = tw__metric_next(&metrics->regions, metrics->slot, &at,
                                     &next)) != NULL) {
        tw__metric_series *series = (void *)(uintptr_t)record;
        const char *name = key_here(metric, metrics->slot, record);
        if (name != NULL && metric->def->labels == 0) {
            metric->only = series;
        } else if (name != NULL &&
                   tw__map_add(&metric->series, name, series->len, series) ==
                       TW_ENOMEM) {
            return TW_ENOMEM;
        }
        at = next;
    }
    return 0;
}

int tw__metric_index(tw_metric *metric) {
    key k;
    int error = index_own(metric);
    if (error != 0) {
        return error;
    }
    if (metric->def->labels == 0) {
        return metric->only != NULL ? 0 : make(metric, "", 0, &metric->only);
    }
    make_other_key(&k, metric->def->labels);
    metric->other = tw__map_find(&metric->series, k.bytes, k.len);
    return metric->other != NULL ? 0
                                 : make(metric, k.bytes, k.len, &metric->other);
}
