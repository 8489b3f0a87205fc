/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "http/response.h"
#include "server/admin_state.h"

/* As in the metrics, an error (only memory) sticks and the rest is skipped. */
typedef struct writer {
    tw__bytes *out;
    int error;
} writer;

#define WRITE(w, ...)                                                          \
    do {                                                                       \
        if ((w)->error == 0) {                                                 \
            (w)->error = tw__bytes_printf((w)->out, __VA_ARGS__);              \
        }                                                                      \
    } while (0)

static void string(writer *w, const char *name, const char *text) {
    WRITE(w, "\"%s\":", name);
    if (w->error == 0) {
        w->error = tw__http_json_string(w->out, text, strlen(text));
    }
}

static void addresses(writer *w, const tw__job *job) {
    WRITE(w, "\"addresses\":[");
    for (size_t i = 0; i < job->config.server.listen_count; i++) {
        WRITE(w, "%s", i > 0 ? "," : "");
        if (w->error == 0) {
            w->error = tw__http_json_string(w->out, job->addresses[i],
                                            strlen(job->addresses[i]));
        }
    }
    WRITE(w, "],");
}

static const tw_counter rated[] = {
    TW_COUNTER_MESSAGES_IN,  TW_COUNTER_REPLIES,  TW_COUNTER_PUBLISHED,
    TW_COUNTER_DELIVERED,    TW_COUNTER_BYTES_IN, TW_COUNTER_BYTES_OUT,
    TW_COUNTER_HTTP_REQUESTS};

static const char *counter_name(tw_counter counter) {
    static const char *const names[] = {
#define NAME(symbol, name, help) name,
        TW_COUNTERS(NAME)
#undef NAME
    };
    return names[counter];
}

/* Per second, over the life of the server: counters survive a worker. */
static void rates(writer *w, const tw__page *page, uint64_t server_ms) {
    double seconds = (double)(server_ms > 0 ? server_ms : 1) / 1e3;
    WRITE(w, "\"rates\":{");
    for (size_t i = 0; i < sizeof rated / sizeof *rated; i++) {
        WRITE(w, "%s\"%s\":%.3f", i > 0 ? "," : "", counter_name(rated[i]),
              (double)page->counters[rated[i]] / seconds);
    }
    WRITE(w, "}");
}

static void worker(writer *w, const tw__board *board, uint32_t slot,
                   uint64_t now_ms) {
    const tw__board_slot *at = tw__board_at(board, slot);
    const tw__page *page = &at->page;
    uint64_t cpu_ms = 0, memory = 0;
    int pid = page->pid;
    tw__page_read_process(pid, &cpu_ms, &memory);
    uint64_t life =
        pid != 0 && now_ms > page->started_ms ? now_ms - page->started_ms : 0;
    WRITE(w,
          "%s{\"slot\":%" PRIu32
          ",\"pid\":%d,\"ready\":%s,\"incarnation\":%" PRIu32
          ",\"generation\":%" PRIu32 ",\"restarts\":%" PRIu64
          ",\"hangs\":%" PRIu64,
          slot > 0 ? "," : "", slot, pid, page->is_ready ? "true" : "false",
          page->incarnation, page->generation, at->restarts, at->hangs);
    WRITE(w,
          ",\"uptime_s\":%.3f,\"connections\":%" PRIu64 ",\"channels\":%" PRIu64
          ",\"subscriptions\":%" PRIu64
          ",\"cpu_s\":%.3f,\"memory_bytes\":%" PRIu64 ",",
          (double)life / 1e3, page->gauges[TW_GAUGE_CONNECTIONS],
          page->gauges[TW_GAUGE_CHANNELS], page->gauges[TW_GAUGE_SUBSCRIPTIONS],
          (double)cpu_ms / 1e3, memory);
    rates(w, page, now_ms - board->started_ms);
    WRITE(w, "}");
}

/* Of the whole server, see tidewire/hook_stats.h. */
static void hooks(writer *w, const tw__board *board) {
    tw_hook_stats stats[TW_HOOK_STATS_MAX];
    size_t count = tw__board_hook_stats(board, stats);
    WRITE(w, "\"hooks\":[");
    for (size_t i = 0; i < count; i++) {
        const tw_hook_stats *at = &stats[i];
        WRITE(w, "%s{", i > 0 ? "," : "");
        string(w, "name", at->name);
        WRITE(w,
              ",\"generation\":%" PRIu32 ",\"calls\":%" PRIu64
              ",\"errors\":%" PRIu64
              ",\"cpu_seconds\":%.9f,\"waiting_seconds\":%.9f,"
              "\"slowest_seconds\":%.9f}",
              at->generation, at->calls, at->errors, at->cpu_seconds,
              at->waiting_seconds, at->slowest_seconds);
    }
    WRITE(w, "]");
}

int tw__admin_status(tw__bytes *out, const tw__job *job, uint64_t now_ms) {
    const tw__board *board = job->board;
    writer w = {out, 0};
    WRITE(&w, "{");
    string(&w, "version",
           job->config.version != NULL ? job->config.version : "");
    WRITE(&w, ",");
    string(&w, "runtime_dir", job->dir);
    WRITE(&w, ",");
    addresses(&w, job);
    string(&w, "admin", job->admin_address);
    WRITE(&w,
          ",\"master_pid\":%d,\"admin_pid\":%d,\"uptime_s\":%.3f,"
          "\"generation\":%" PRIu32 ",\"draining\":%s,\"reloads\":"
          "{\"committed\":%" PRIu64 ",\"aborted\":%" PRIu64 "},\"workers\":[",
          board->master_pid, board->admin_pid,
          (double)(now_ms - board->started_ms) / 1e3, board->generation,
          board->is_draining ? "true" : "false", board->reloads_ok,
          board->reloads_failed);
    for (uint32_t slot = 0; slot < board->slots; slot++) {
        worker(&w, board, slot, now_ms);
    }
    WRITE(&w, "],");
    hooks(&w, board);
    WRITE(&w, "}\n");
    return w.error;
}

int tw__admin_ready(tw__bytes *out, const tw__board *board, uint32_t returned,
                    bool *is_ready) {
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < board->slots; slot++) {
        count += tw__board_at(board, slot)->page.is_ready != 0;
    }
    *is_ready = count == board->slots && returned == board->slots &&
                !board->is_draining;
    return tw__bytes_printf(
        out,
        "{\"ready\":%s,\"draining\":%s,\"workers\":%" PRIu32
        ",\"workers_ready\":%" PRIu32 ",\"canaries_returned\":%" PRIu32 "}\n",
        *is_ready ? "true" : "false", board->is_draining ? "true" : "false",
        board->slots, count, returned);
}
