/* SPDX-License-Identifier: MIT */
#include "server/metrics.h"

#include <inttypes.h>
#include <time.h>

#include "server/metrics_writer.h"
#include "tidewire/errors.h"

typedef tw__metrics_writer writer;

static void whole(writer *w, const char *name, uint32_t slot, uint64_t value) {
    WRITE(w, "tidewire_%s{slot=\"%" PRIu32 "\"} %" PRIu64 "\n", name, slot,
          value);
}

static void counters(writer *w) {
    static const struct {
        const char *name, *help;
    } list[] = {
#define ENTRY(symbol, name, help) {name "_total", help},
        TW_COUNTERS(ENTRY)
#undef ENTRY
    };
    for (int i = 0; i < TW_COUNTER_COUNT; i++) {
        head(w, list[i].name, "counter", list[i].help);
        for (uint32_t slot = 0; slot < w->board->slots; slot++) {
            whole(w, list[i].name, slot,
                  tw__board_at(w->board, slot)->page.counters[i]);
        }
    }
}

static void gauges(writer *w) {
    static const struct {
        const char *name, *help;
    } list[] = {
#define ENTRY(symbol, name, help) {name, help},
        TW_GAUGES(ENTRY)
#undef ENTRY
    };
    for (int i = 0; i < TW_GAUGE_COUNT; i++) {
        head(w, list[i].name, "gauge", list[i].help);
        for (uint32_t slot = 0; slot < w->board->slots; slot++) {
            whole(w, list[i].name, slot,
                  tw__board_at(w->board, slot)->page.gauges[i]);
        }
    }
}

/* A label's value, escaped as the format wants it. */
static void label(writer *w, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            WRITE(w, "\\%c", *text);
        } else {
            WRITE(w, "%c", (unsigned char)*text < 0x20 ? ' ' : *text);
        }
    }
}

/* One sample a class and fate; classes that no slot has are left out. */
static void fates_of(writer *w, uint32_t slot, const tw__fate_row *row) {
    static const char *const names[TW__FATES] = {
        [TW__INTENDED] = "intended",   [TW__DELIVERED] = "delivered",
        [TW__CONFLATED] = "conflated", [TW__DROPPED] = "dropped",
        [TW__EXPIRED] = "expired",     [TW__CLOSED] = "closed",
    };
    for (int fate = 0; fate < TW__FATES; fate++) {
        WRITE(w,
              "tidewire_class_deliveries_total{slot=\"%" PRIu32 "\",class=\"",
              slot);
        label(w, row->class);
        WRITE(w, "\",fate=\"%s\"} %" PRIu64 "\n", names[fate],
              row->counts[fate]);
    }
}

static void fates(writer *w) {
    head(w, "class_deliveries_total", "counter",
         "Deliveries by channel class and what became of them");
    for (uint32_t slot = 0; slot < w->board->slots; slot++) {
        const tw__fate_row *rows = tw__board_at(w->board, slot)->page.fates;
        for (int row = 0; row < TW__FATE_ROWS; row++) {
            if (row == 0 || rows[row].class[0] != '\0') {
                fates_of(w, slot, &rows[row]);
            }
        }
    }
}

/* Buckets are cumulative in the text and plain in the page. The count is that
 * of the buckets, so that the three agree while the worker goes on counting. */
static void durations_of(writer *w, const char *name, uint32_t slot,
                         const tw__durations *durations) {
    static const uint32_t bounds_us[] = TW__DURATION_BOUNDS;
    uint64_t count = 0;
    for (int i = 0; i < TW__DURATION_BUCKETS - 1; i++) {
        count += durations->buckets[i];
        WRITE(w,
              "tidewire_%s_bucket{slot=\"%" PRIu32 "\",le=\"%g\"} %" PRIu64
              "\n",
              name, slot, bounds_us[i] / 1e6, count);
    }
    count += durations->buckets[TW__DURATION_BUCKETS - 1];
    WRITE(w,
          "tidewire_%s_bucket{slot=\"%" PRIu32 "\",le=\"+Inf\"} %" PRIu64 "\n",
          name, slot, count);
    WRITE(w, "tidewire_%s_sum{slot=\"%" PRIu32 "\"} %.6f\n", name, slot,
          (double)durations->sum_us / 1e6);
    WRITE(w, "tidewire_%s_count{slot=\"%" PRIu32 "\"} %" PRIu64 "\n", name,
          slot, count);
}

static void turns(writer *w) {
    head(w, "turn_seconds", "histogram", "CPU time taken by turns of the loop");
    for (uint32_t slot = 0; slot < w->board->slots; slot++) {
        durations_of(w, "turn_seconds", slot,
                     &tw__board_at(w->board, slot)->page.turn_times);
    }
}

static void freezes(writer *w) {
    head(w, "reload_freeze_seconds", "histogram",
         "Time for which no hook ran because of a reload");
    for (uint32_t slot = 0; slot < w->board->slots; slot++) {
        durations_of(w, "reload_freeze_seconds", slot,
                     &tw__board_at(w->board, slot)->page.freeze_times);
    }
}

static void slots(writer *w) {
    head(w, "up", "gauge", "1 while the slot accepts connections");
    for (uint32_t slot = 0; slot < w->board->slots; slot++) {
        whole(w, "up", slot, tw__board_at(w->board, slot)->page.is_ready);
    }
    head(w, "restarts_total", "counter", "Starts of the slot after the first");
    for (uint32_t slot = 0; slot < w->board->slots; slot++) {
        whole(w, "restarts_total", slot,
              tw__board_at(w->board, slot)->restarts);
    }
    head(w, "hangs_total", "counter", "Times the slot was ended as hung");
    for (uint32_t slot = 0; slot < w->board->slots; slot++) {
        whole(w, "hangs_total", slot, tw__board_at(w->board, slot)->hangs);
    }
}

/* Dead slots have no sample, which Prometheus understands as "gone". */
static void processes(writer *w) {
    uint64_t cpu_ms, memory;
    head(w, "process_cpu_seconds_total", "counter",
         "User and system time of the slot's process");
    for (uint32_t slot = 0; slot < w->board->slots; slot++) {
        int pid = tw__board_at(w->board, slot)->page.pid;
        if (tw__page_read_process(pid, &cpu_ms, &memory) == 0) {
            WRITE(w,
                  "tidewire_process_cpu_seconds_total{slot=\"%" PRIu32
                  "\"} %.3f\n",
                  slot, (double)cpu_ms / 1e3);
        }
    }
    head(w, "process_resident_memory_bytes", "gauge",
         "Resident memory of the slot's process");
    for (uint32_t slot = 0; slot < w->board->slots; slot++) {
        int pid = tw__board_at(w->board, slot)->page.pid;
        if (tw__page_read_process(pid, &cpu_ms, &memory) == 0) {
            whole(w, "process_resident_memory_bytes", slot, memory);
        }
    }
}

static void server(writer *w, const char *version) {
    head(w, "build_info", "gauge", "Always 1; the version is a label");
    WRITE(w, "tidewire_build_info{version=\"");
    label(w, version != NULL ? version : "");
    WRITE(w, "\"} 1\n");
    head(w, "start_time_seconds", "gauge",
         "When the server started, Unix time");
    WRITE(w, "tidewire_start_time_seconds %" PRId64 "\n",
          w->board->started_unix_s);
    head(w, "workers", "gauge", "Number of slots");
    WRITE(w, "tidewire_workers %" PRIu32 "\n", w->board->slots);
    head(w, "committed_generation", "gauge",
         "Number of the script generation that holds");
    WRITE(w, "tidewire_committed_generation %" PRIu32 "\n",
          w->board->generation);
    head(w, "draining", "gauge", "1 while the server drains");
    WRITE(w, "tidewire_draining %" PRIu32 "\n", w->board->is_draining);
    head(w, "reloads_total", "counter", "Reloads by their result");
    WRITE(w,
          "tidewire_reloads_total{result=\"committed\"} %" PRIu64
          "\ntidewire_reloads_total{result=\"aborted\"} %" PRIu64 "\n",
          w->board->reloads_ok, w->board->reloads_failed);
    head(w, "admin_restarts_total", "counter",
         "Starts of the admin member after the first");
    WRITE(w, "tidewire_admin_restarts_total %" PRIu64 "\n",
          w->board->admin_restarts);
}

static void dict_figure(writer *w, const char *name, const tw__dict_part *part,
                        uint64_t value) {
    WRITE(w, "tidewire_%s{dict=\"", name);
    label(w, part->name);
    WRITE(w, "\"} %" PRIu64 "\n", value);
}

typedef uint64_t (*dict_cb)(const tw__dict_shard *shard);

static uint64_t dict_entries(const tw__dict_shard *shard) {
    return shard->entries;
}

static uint64_t dict_used(const tw__dict_shard *shard) {
    return (uint64_t)shard->used * TW__BLOCK_BYTES;
}

static void dict_sums(writer *w, const char *name, dict_cb figure) {
    const tw__dict_region *region = w->board->dicts;
    uint32_t count = region != NULL ? tw__dict_region_count(region) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const tw__dict_part *part = &region->parts[i];
        uint64_t sum = 0;
        for (uint32_t shard = 0; shard < part->shards; shard++) {
            sum += figure(tw__dict_part_at(region, part, shard));
        }
        dict_figure(w, name, part, sum);
    }
}

/* Of the whole server: no slot has dictionaries of its own. */
static void dicts(writer *w) {
    const tw__dict_region *region = w->board->dicts;
    head(w, "dict_bytes", "gauge", "Memory of a dictionary");
    uint32_t count = region != NULL ? tw__dict_region_count(region) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const tw__dict_part *part = &region->parts[i];
        dict_figure(w, "dict_bytes", part, part->stride * part->shards);
    }
    head(w, "dict_used_bytes", "gauge", "Of that, taken by entries");
    dict_sums(w, "dict_used_bytes", dict_used);
    head(w, "dict_entries", "gauge", "Entries of a dictionary");
    dict_sums(w, "dict_entries", dict_entries);
}

int tw__metrics_render(tw__bytes *out, const tw__board *board,
                       const char *version) {
    writer w = {out, board, 0};
    server(&w, version);
    slots(&w);
    processes(&w);
    fates(&w);
    turns(&w);
    freezes(&w);
    tw__metrics_host(&w);
    dicts(&w);
    counters(&w);
    gauges(&w);
    return w.error;
}
