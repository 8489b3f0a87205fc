/* dict_probe.h - dictionaries with a clock that stands still.
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_DICT_PROBE_H
#define TW_TESTS_DICT_PROBE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "dict/dict.h"

/* No test uses all of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

enum { PROBE_REGION = 1 << 20 };

static uint64_t probe_ms = 1000;
static tw__dict_tally probe_tally; /* of all calls */
static tw__dict_region *probe_region;
static tw__dicts probe_dicts;

static uint64_t probe_now(void *arg) {
    (void)arg;
    return probe_ms;
}

static void probe_noted(const char *name, const tw__dict_tally *tally,
                        void *arg) {
    (void)name;
    (void)arg;
    probe_tally.evicted += tally->evicted;
    probe_tally.expired += tally->expired;
    probe_tally.busy += tally->busy;
    probe_tally.emptied += tally->emptied;
}

static int probe_up(void **state) {
    (void)state;
    tw__dict_events events = {probe_now, probe_noted, NULL};
    probe_ms = 1000;
    probe_tally = (tw__dict_tally){0};
    probe_region = tw__dict_region_create(PROBE_REGION, true);
    tw__dicts_init(&probe_dicts, probe_region, 0, &events);
    return probe_region == NULL;
}

static int probe_down(void **state) {
    (void)state;
    tw__alloc_fail_nth(0);
    tw__dicts_deinit(&probe_dicts);
    tw__dict_region_destroy(probe_region);
    return tw__alloc_live() != 0;
}

static tw_str probe_str(const char *text) {
    return (tw_str){text, strlen(text)};
}

static tw_dict *probe_open(const char *name, size_t bytes) {
    tw_dict *dict = NULL;
    assert_int_equal(
        tw__dicts_open(&probe_dicts, probe_str(name), bytes, &dict), 0);
    return dict;
}

static tw_dict_value probe_text(const char *text) {
    return (tw_dict_value){.kind = TW_DICT_BYTES, .bytes = probe_str(text)};
}

static tw_dict_value probe_number(double number) {
    return (tw_dict_value){.kind = TW_DICT_NUMBER, .number = number};
}

static int probe_set(tw_dict *dict, const char *key, const char *text,
                     uint64_t ttl_ms) {
    tw_dict_value value = probe_text(text);
    return tw_dict_set(dict, probe_str(key), &value, ttl_ms);
}

static bool probe_has(tw_dict *dict, const char *key) {
    tw_dict_value value;
    return tw_dict_get(dict, probe_str(key), &value) == 0;
}

static void probe_expect(tw_dict *dict, const char *key, const char *text) {
    tw_dict_value value;
    assert_int_equal(tw_dict_get(dict, probe_str(key), &value), 0);
    assert_int_equal(value.kind, TW_DICT_BYTES);
    assert_int_equal(value.bytes.len, strlen(text));
    assert_memory_equal(value.bytes.data, text, strlen(text));
}

#endif
