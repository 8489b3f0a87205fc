/* /api/top: the status, and for each slot what `tidewire top` makes rates of.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "server/admin_state.h"

static const tw_counter counted[] = {
    TW_COUNTER_MESSAGES_IN, TW_COUNTER_REPLIES,     TW_COUNTER_DELIVERED,
    TW_COUNTER_PUBLISHED,   TW_COUNTER_BYTES_IN,    TW_COUNTER_BYTES_OUT,
    TW_COUNTER_HOOK_CALLS,  TW_COUNTER_HOOK_ERRORS, TW_COUNTER_CLOSED_SLOW,
    TW_COUNTER_DROPPED,     TW_COUNTER_HANDSHAKES,  TW_COUNTER_CLOSED};

static const tw_gauge gauged[] = {
    TW_GAUGE_CONNECTIONS,  TW_GAUGE_SUBSCRIPTIONS, TW_GAUGE_CHANNELS,
    TW_GAUGE_QUEUED_BYTES, TW_GAUGE_WAITING_HOOKS, TW_GAUGE_LUA_BYTES};

static const char *const counter_names[] = {
#define NAME(symbol, name, help) name,
    TW_COUNTERS(NAME)};
static const char *const gauge_names[] = {TW_GAUGES(NAME)
#undef NAME
};

int tw__admin_top_head(tw__bytes *out, const tw__job *job, uint64_t now_ms) {
    tw__bytes status = {0};
    int error = tw__admin_status(&status, job, now_ms);
    if (error == 0) { /* less its "}\n" */
        error = tw__bytes_append(out, tw__bytes_data(&status),
                                 tw__bytes_len(&status) - 2);
    }
    tw__bytes_deinit(&status);
    return error == 0 ? tw__bytes_printf(out, ",\"top\":[") : error;
}

static int add_figures(tw__bytes *out, const tw__page *page) {
    int error = 0;
    for (size_t i = 0; error == 0 && i < sizeof counted / sizeof *counted;
         i++) {
        error =
            tw__bytes_printf(out, ",\"%s\":%" PRIu64, counter_names[counted[i]],
                             page->counters[counted[i]]);
    }
    for (size_t i = 0; error == 0 && i < sizeof gauged / sizeof *gauged; i++) {
        error =
            tw__bytes_printf(out, ",\"%s\":%" PRIu64, gauge_names[gauged[i]],
                             page->gauges[gauged[i]]);
    }
    return error;
}

/* Turns by how long they took: [upper bound in microseconds, how many], the
 * last one without a bound. */
static int add_turns(tw__bytes *out, const tw__durations *turns) {
    static const uint32_t bounds[] = TW__DURATION_BOUNDS;
    int error = tw__bytes_printf(out, ",\"turns\":[");
    for (size_t i = 0; error == 0 && i < TW__DURATION_BUCKETS - 1; i++) {
        error = tw__bytes_printf(out, "[%" PRIu32 ",%" PRIu64 "],", bounds[i],
                                 turns->buckets[i]);
    }
    return error == 0
               ? tw__bytes_printf(out, "[null,%" PRIu64 "]]",
                                  turns->buckets[TW__DURATION_BUCKETS - 1])
               : error;
}

int tw__admin_top_slot(tw__bytes *out, const tw__page *page, uint32_t slot,
                       const char *more, size_t len) {
    int error = tw__bytes_printf(out, "{\"slot\":%" PRIu32 ",\"answered\":%s",
                                 slot, more != NULL ? "true" : "false");
    error = error == 0 ? add_figures(out, page) : error;
    error = error == 0 ? add_turns(out, &page->turn_times) : error;
    if (error == 0 && len > 0) {
        error = tw__bytes_append(out, ",", 1);
        error = error == 0 ? tw__bytes_append(out, more, len) : error;
    }
    return error == 0 ? tw__bytes_append(out, "}", 1) : error;
}
