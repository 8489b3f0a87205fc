/* tidewire/metric.h - metrics of the host's own, beside those of the server.
 * Comes with tidewire/tidewire.h.
 *
 * A metric has a name, labels, and a series for each combination of their
 * values. Series lie in a region of the slot's own of
 * config.metric_memory_bytes that outlives the worker; nothing is ever removed
 * from it. /metrics shows one sample for a series of all workers together:
 * counters and histograms summed, gauges as `over` says. Counters and
 * histograms go on counting where a worker that died had stopped; its gauges go
 * with it.
 *
 * Of a metric there are at most max_series in the whole server (workers that
 * meet new ones at the same moment may go beyond by one each). What would be
 * more, and what cannot be the value of a label (over TW_METRIC_VALUE_MAX
 * bytes, no UTF-8, with a NUL), goes to the series whose labels are all
 * "other"; it is counted in tidewire_metric_folded_total and logged once.
 *
 * Loop's thread only; nothing here waits.
 *
 * SPDX-License-Identifier: MIT */
#include "tidewire/tidewire.h" /* outside: it includes this one */

#ifndef TIDEWIRE_METRIC_H
#define TIDEWIRE_METRIC_H

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TW_METRIC_NAME_MAX = 128, /* of a label, too */
    TW_METRIC_HELP_MAX = 256,
    TW_METRIC_LABELS_MAX = 8,
    TW_METRIC_BOUNDS_MAX = 32,
    TW_METRIC_VALUE_MAX = 128,
    TW_METRIC_SERIES_MAX = 10000
};

typedef enum tw_metric_kind {
    TW_METRIC_COUNTER,
    TW_METRIC_GAUGE,
    TW_METRIC_HISTOGRAM
} tw_metric_kind;

/* What a gauge of all workers together is. */
typedef enum tw_metric_over {
    TW_METRIC_SUM,
    TW_METRIC_MAX,
    TW_METRIC_MIN,
    TW_METRIC_EACH /* a sample for each, with the label "worker" */
} tw_metric_over;

/* Zero-initialise; 0 takes the default in brackets. All of it is copied. */
typedef struct tw_metric_config {
    tw_metric_kind kind;
    const char *name;
    const char *help; /* [the name]; that of the first who opens it stays */
    const char *const *labels;
    size_t label_count;
    /* Of a histogram, rising: upper bounds; everything above has its own. [5 ms
     * to 10 s: 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10] */
    const double *bounds;
    size_t bound_count;
    tw_metric_over over; /* of a gauge */
    uint32_t max_series; /* [100] */
    /* Of what the host runs: where two have one name and differ in kind,
     * labels, bounds or `over`, the later generation's is shown. */
    uint32_t generation;
} tw_metric_config;

typedef struct tw_metric tw_metric;

/* Whether it could be opened but for memory. 0 or TW_EINVALID: `detail` (may be
 * NULL) gets a sentence. Names are those of Prometheus without a colon; that of
 * a metric may not begin with "tidewire_" nor end in "_bucket", "_sum" or
 * "_count". */
TW_API int tw_metric_check(const tw_metric_config *config, char *detail,
                           size_t size);

/* Finds or makes it; a metric without labels is shown from now on. *metric is
 * valid as long as the server, and is the same for one name and form. 0,
 * TW_EINVALID, TW_ELIMIT (the region is full), TW_ENOMEM. */
TW_API int tw_metric_open(tw_server *server, const tw_metric_config *config,
                          tw_metric **metric);

/* `values` are as many as the metric has labels, borrowed. All three: 0,
 * TW_EINVALID (another kind of metric; a number that is not finite, or below 0
 * for a counter), TW_ELIMIT, TW_ENOMEM. */

/* Of a counter or a gauge; one that was not set begins at 0. */
TW_API int tw_metric_add(tw_metric *metric, const tw_str *values, double n);
/* Of a gauge. */
TW_API int tw_metric_set(tw_metric *metric, const tw_str *values, double value);
/* Of a histogram. */
TW_API int tw_metric_observe(tw_metric *metric, const tw_str *values,
                             double value);

/* All metrics of all workers as text for Prometheus, in one call of `write`
 * (the bytes are borrowed): for hosts without an admin member. 0 or TW_ENOMEM,
 * `write` has not been called then. */
TW_API int tw_server_metric_text(tw_server *server,
                                 void (*write)(tw_str text, void *arg),
                                 void *arg);

#ifdef __cplusplus
}
#endif
#endif
