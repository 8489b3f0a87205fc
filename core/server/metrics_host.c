/* metrics_host.c - what the host's hooks cost, and what it counts itself.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stddef.h>

#include "metric/text.h"
#include "server/metrics_writer.h"

typedef tw__metrics_writer writer;

typedef struct hook_figures {
    tw_hook_stats list[TW_HOOK_STATS_MAX];
    size_t count;
} hook_figures;

static void hook_sample(writer *w, const char *name,
                        const tw_hook_stats *stats) {
    WRITE(w, "tidewire_%s{hook=\"", name);
    if (w->error == 0) {
        w->error = tw__metric_write_label(w->out, stats->name);
    }
    WRITE(w, "\",generation=\"%" PRIu32 "\"} ", stats->generation);
}

static void hook_counts(writer *w, const char *name, const hook_figures *hooks,
                        size_t field) {
    for (size_t i = 0; i < hooks->count; i++) {
        const char *at = (const char *)&hooks->list[i] + field;
        hook_sample(w, name, &hooks->list[i]);
        WRITE(w, "%" PRIu64 "\n", *(const uint64_t *)(const void *)at);
    }
}

static void hook_times(writer *w, const char *name, const hook_figures *hooks,
                       size_t field) {
    for (size_t i = 0; i < hooks->count; i++) {
        const char *at = (const char *)&hooks->list[i] + field;
        hook_sample(w, name, &hooks->list[i]);
        WRITE(w, "%.9f\n", *(const double *)(const void *)at);
    }
}

/* Summed over the slots: else there would be hooks times slots of each. */
static void hooks(writer *w) {
    hook_figures figures;
    figures.count = tw__board_hook_stats(w->board, figures.list);
    head(w, "script_calls_total", "counter",
         "Calls of scripts by hook and generation");
    hook_counts(w, "script_calls_total", &figures,
                offsetof(tw_hook_stats, calls));
    head(w, "script_errors_total", "counter",
         "Of those, that raised or were stopped");
    hook_counts(w, "script_errors_total", &figures,
                offsetof(tw_hook_stats, errors));
    head(w, "script_cpu_seconds_total", "counter", "Time in which they ran");
    hook_times(w, "script_cpu_seconds_total", &figures,
               offsetof(tw_hook_stats, cpu_seconds));
    head(w, "script_waiting_seconds_total", "counter",
         "Time in which they waited");
    hook_times(w, "script_waiting_seconds_total", &figures,
               offsetof(tw_hook_stats, waiting_seconds));
    head(w, "script_slowest_seconds", "gauge",
         "The longest time that one of them ran");
    hook_times(w, "script_slowest_seconds", &figures,
               offsetof(tw_hook_stats, slowest_seconds));
}

/* What the scripts, or whoever the host is, count; then what of it was too
 * much. */
static void host(writer *w) {
    tw__metric_view view;
    if (w->error != 0) {
        return;
    }
    w->error = tw__metric_view_init(&view, &w->board->metrics);
    if (w->error != 0) {
        return;
    }
    w->error = tw__metric_view_write(&view, w->out);
    head(w, "metric_folded_total", "counter",
         "Values for metrics of scripts that went to the series other");
    for (tw__list *at = view.groups.next; at != &view.groups; at = at->next) {
        const tw__metric_group *group =
            TW__CONTAINER(at, tw__metric_group, node);
        if (group->def->labels > 0) {
            WRITE(w,
                  "tidewire_metric_folded_total{metric=\"%s\"} %" PRIu64 "\n",
                  tw__metric_name(group->def), group->folded);
        }
    }
    tw__metric_view_deinit(&view);
}

static void host_memory(writer *w) {
    const tw__metric_regions *regions = &w->board->metrics;
    uint32_t count = regions->memory != NULL ? regions->count : 0;
    head(w, "metric_used_bytes", "gauge",
         "Memory of metrics of scripts, of limits.metric_memory");
    for (uint32_t slot = 0; slot < count; slot++) {
        WRITE(w,
              "tidewire_metric_used_bytes{slot=\"%" PRIu32 "\"} %" PRIu64 "\n",
              slot, tw__metric_region_at(regions, slot)->used);
    }
}

void tw__metrics_host(tw__metrics_writer *w) {
    hooks(w);
    host(w);
    host_memory(w);
}
