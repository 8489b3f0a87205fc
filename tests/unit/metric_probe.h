/* metric_probe.h - two slots with metrics, and their text.
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_METRIC_PROBE_H
#define TW_TESTS_METRIC_PROBE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "metric/metric.h"
#include "metric/text.h"

/* No test uses all of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

enum { PROBE_SLOTS = 2 };

static tw__metric_regions probe_regions;
static tw__metrics probe_slots[PROBE_SLOTS];
static int probe_warnings;
static char probe_why[64];

static void probe_folded(const char *name, const char *why, void *arg) {
    (void)name;
    (void)arg;
    probe_warnings++;
    snprintf(probe_why, sizeof probe_why, "%s", why);
}

static void probe_start(uint32_t slot) {
    tw__metric_events events = {probe_folded, NULL};
    tw__metrics_init(&probe_slots[slot], &probe_regions, slot, 0, &events);
}

static int probe_open_with(size_t bytes) {
    probe_warnings = 0;
    assert_int_equal(
        tw__metric_regions_map(&probe_regions, PROBE_SLOTS, bytes, false), 0);
    for (uint32_t i = 0; i < PROBE_SLOTS; i++) {
        probe_start(i);
    }
    return 0;
}

static int probe_open(void **state) {
    (void)state;
    return probe_open_with(0);
}

static int probe_close(void **state) {
    (void)state;
    for (uint32_t i = 0; i < PROBE_SLOTS; i++) {
        tw__metrics_deinit(&probe_slots[i]);
    }
    tw__metric_regions_unmap(&probe_regions);
    assert_int_equal(tw__alloc_live(), 0);
    return 0;
}

/* The slot's process dies, and another one takes its place. */
static void probe_restart(uint32_t slot) {
    tw__metrics_deinit(&probe_slots[slot]);
    tw__metric_clear_gauges(&probe_regions, slot);
    probe_start(slot);
}

static tw_metric *probe_metric(uint32_t slot, const tw_metric_config *config) {
    tw_metric *metric;
    assert_int_equal(tw__metrics_open(&probe_slots[slot], config, &metric), 0);
    return metric;
}

static tw_str probe_str(const char *text) {
    return (tw_str){text, strlen(text)};
}

static void probe_add(tw_metric *metric, const char *value, double n) {
    tw_str values[] = {probe_str(value)};
    assert_int_equal(tw_metric_add(metric, values, n), 0);
}

/* Freed with the next one. */
static const char *probe_text(void) {
    static char text[65536];
    tw__metric_view view;
    tw__bytes out;
    tw__bytes_init(&out);
    assert_int_equal(tw__metric_view_init(&view, &probe_regions), 0);
    assert_int_equal(tw__metric_view_write(&view, &out), 0);
    tw__metric_view_deinit(&view);
    size_t len = tw__bytes_len(&out);
    assert_true(len < sizeof text);
    memcpy(text, len > 0 ? (const char *)tw__bytes_data(&out) : "", len);
    text[len] = '\0';
    tw__bytes_deinit(&out);
    return text;
}

static void probe_has(const char *line) {
    const char *text = probe_text();
    const char *at = strstr(text, line);
    if (at == NULL || (at != text && at[-1] != '\n') ||
        at[strlen(line)] != '\n') {
        fail_msg("no line '%s' in\n%s", line, text);
    }
}

static void probe_has_not(const char *part) {
    if (strstr(probe_text(), part) != NULL) {
        fail_msg("'%s' in\n%s", part, probe_text());
    }
}

#endif
