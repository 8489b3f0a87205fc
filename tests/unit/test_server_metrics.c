/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "metric/metric.h"
#include "server/hook_stats.h"
#include "server/metrics.h"
#include "tidewire/errors.h"

static tw__board *make_board(void) {
    tw__board *board = tw__board_create(2);
    assert_non_null(board);
    board->generation = 3;
    board->reloads_ok = 2;
    board->started_unix_s = 1700000000;
    tw__board_slot *second = tw__board_at(board, 1);
    second->restarts = 4;
    second->page.pid = (int32_t)getpid();
    second->page.is_ready = 1;
    second->page.counters[TW_COUNTER_MESSAGES_IN] = UINT64_MAX;
    second->page.gauges[TW_GAUGE_CONNECTIONS] = 17;
    second->page.turn_times.buckets[0] = 5;
    second->page.turn_times.buckets[2] = 1;
    second->page.turn_times.buckets[TW__DURATION_BUCKETS - 1] = 1;
    second->page.turn_times.sum_us = 1500250;
    tw__durations_note(&second->page.freeze_times, 700);
    tw__durations_note(&second->page.freeze_times, 2000000);
    const tw__dict_part *part;
    board->dicts = tw__dict_region_create(1 << 20, false);
    assert_non_null(board->dicts);
    assert_int_equal(
        tw__dict_region_open(board->dicts, "a\"b", 3, 512 << 10, &part), 0);
    tw__dict_part_at(board->dicts, part, 0)->entries = 3;
    tw__dict_part_at(board->dicts, part, 3)->entries = 4;
    tw__dict_part_at(board->dicts, part, 3)->used = 5;
    return board;
}

static char *render(const tw__board *board, const char *version) {
    tw__bytes out;
    tw__bytes_init(&out);
    assert_int_equal(tw__metrics_render(&out, board, version), 0);
    char *text =
        tw__strndup((const char *)tw__bytes_data(&out), tw__bytes_len(&out));
    tw__bytes_deinit(&out);
    assert_non_null(text);
    return text;
}

static void the_figures_of_each_slot_are_told(void **state) {
    (void)state;
    tw__board *board = make_board();
    char *text = render(board, "1.0");
    static const char *const wanted[] = {
        "tidewire_build_info{version=\"1.0\"} 1\n",
        "tidewire_start_time_seconds 1700000000\n",
        "tidewire_reloads_total{result=\"committed\"} 2\n",
        "tidewire_up{slot=\"0\"} 0\ntidewire_up{slot=\"1\"} 1\n",
        "tidewire_restarts_total{slot=\"1\"} 4\n",
        "tidewire_messages_received_total{slot=\"1\"} 18446744073709551615\n",
        "tidewire_connections{slot=\"1\"} 17\n",
        "tidewire_dict_bytes{dict=\".limits\"} 131072\n",
        "tidewire_dict_bytes{dict=\"a\\\"b\"} 524288\n",
        "tidewire_dict_entries{dict=\"a\\\"b\"} 7\n",
        "tidewire_dict_used_bytes{dict=\"a\\\"b\"} 320\n",
        "tidewire_process_resident_memory_bytes{slot=\"1\"} ",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_non_null(strstr(text, wanted[i]));
    }
    /* A slot without a process has no process figures. */
    assert_null(strstr(text, "process_resident_memory_bytes{slot=\"0\"}"));
    tw__free(text);
    tw__board_destroy(board);
}

static void buckets_are_cumulative_and_agree_with_the_count(void **state) {
    (void)state;
    tw__board *board = make_board();
    char *text = render(board, "1.0");
    static const char *const wanted[] = {
        "turn_seconds_bucket{slot=\"1\",le=\"0.0001\"} 5\n",
        "turn_seconds_bucket{slot=\"1\",le=\"0.00025\"} 5\n",
        "turn_seconds_bucket{slot=\"1\",le=\"0.0005\"} 6\n",
        "turn_seconds_bucket{slot=\"1\",le=\"1\"} 6\n",
        "turn_seconds_bucket{slot=\"1\",le=\"+Inf\"} 7\n",
        "turn_seconds_sum{slot=\"1\"} 1.500250\n",
        "turn_seconds_count{slot=\"1\"} 7\n",
        "reload_freeze_seconds_bucket{slot=\"1\",le=\"0.0005\"} 0\n",
        "reload_freeze_seconds_bucket{slot=\"1\",le=\"0.001\"} 1\n",
        "reload_freeze_seconds_bucket{slot=\"1\",le=\"+Inf\"} 2\n",
        "reload_freeze_seconds_sum{slot=\"1\"} 2.000700\n",
        "reload_freeze_seconds_count{slot=\"1\"} 2\n",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_non_null(strstr(text, wanted[i]));
    }
    tw__free(text);
    tw__board_destroy(board);
}

static void what_hooks_cost_is_told_for_all_slots_together(void **state) {
    (void)state;
    tw__board *board = make_board();
    for (uint32_t slot = 0; slot < 2; slot++) {
        tw__page *page = &tw__board_at(board, slot)->page;
        tw_hook_note(tw__hook_stats_row(page, "on_message", 3), 0, 0, slot);
    }
    char *text = render(board, "1.0");
    static const char label[] = "{hook=\"on_message\",generation=\"3\"}";
    static const char *const wanted[] = {
        "script_calls_total%s 2\n", "script_errors_total%s 1\n",
        "script_cpu_seconds_total%s 0.000000000\n",
        "script_waiting_seconds_total%s 0.000000000\n",
        "script_slowest_seconds%s 0.000000000\n"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        char line[128];
        snprintf(line, sizeof line, wanted[i], label);
        assert_non_null(strstr(text, line));
    }
    tw__free(text);
    tw__board_destroy(board);
}

static void folded(const char *name, const char *why, void *arg) {
    (void)name;
    (void)why;
    (void)arg;
}

static void metrics_of_the_host_stand_beside_the_server_s(void **state) {
    (void)state;
    static const char *const labels[] = {"kind"};
    tw_metric_config config = {.name = "orders_total",
                               .labels = labels,
                               .label_count = 1,
                               .max_series = 1};
    tw__board *board = make_board();
    assert_int_equal(tw__metric_regions_map(&board->metrics, 2, 0, false), 0);
    for (uint32_t slot = 0; slot < 2; slot++) {
        tw__metrics metrics;
        tw__metric_events events = {folded, NULL};
        tw_metric *metric;
        tw_str values[] = {{"a", 1}, {"b", 1}};
        tw__metrics_init(&metrics, &board->metrics, slot, 0, &events);
        assert_int_equal(tw__metrics_open(&metrics, &config, &metric), 0);
        assert_int_equal(tw_metric_add(metric, &values[0], 2), 0);
        assert_int_equal(tw_metric_add(metric, &values[1], 1), 0);
        tw__metrics_deinit(&metrics);
    }
    char *text = render(board, "1.0");
    static const char *const wanted[] = {
        "orders_total{kind=\"a\"} 4\n",
        "orders_total{kind=\"other\"} 2\n",
        "tidewire_metric_folded_total{metric=\"orders_total\"} 2\n",
        "tidewire_metric_used_bytes{slot=\"1\"} ",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        assert_non_null(strstr(text, wanted[i]));
    }
    tw__free(text);
    tw__board_destroy(board);
}

static void a_version_cannot_break_out_of_its_label(void **state) {
    (void)state;
    tw__board *board = make_board();
    char *text = render(board, "a\"b\\c\nd");
    assert_non_null(strstr(text, "{version=\"a\\\"b\\\\c d\"} 1\n"));
    tw__free(text);
    tw__board_destroy(board);
}

static void a_gone_process_leaves_its_counters(void **state) {
    (void)state;
    tw__board *board = make_board();
    tw__board_clear_slot(board, 1);
    char *text = render(board, NULL);
    assert_non_null(strstr(text, "tidewire_connections{slot=\"1\"} 0\n"));
    assert_non_null(strstr(text, "tidewire_up{slot=\"1\"} 0\n"));
    assert_non_null(strstr(
        text, "messages_received_total{slot=\"1\"} 18446744073709551615\n"));
    tw__free(text);
    tw__board_destroy(board);
}

/* Where Prometheus' own checker is installed it has the last word. */
static void the_checker_of_prometheus_is_content(void **state) {
    (void)state;
    if (system("command -v promtool >/dev/null 2>&1") != 0) {
        skip();
    }
    tw__board *board = make_board();
    char *text = render(board, "1.0");
    FILE *checker = popen("promtool check metrics 2>&1", "w");
    assert_non_null(checker);
    assert_true(fputs(text, checker) >= 0);
    assert_int_equal(pclose(checker), 0);
    tw__free(text);
    tw__board_destroy(board);
}

static void without_memory_it_says_so(void **state) {
    (void)state;
    tw__board *board = make_board();
    tw__bytes out;
    for (size_t nth = 1; nth <= 3; nth++) {
        tw__bytes_init(&out);
        tw__alloc_fail_nth(nth);
        assert_int_equal(tw__metrics_render(&out, board, "1.0"), TW_ENOMEM);
        tw__bytes_deinit(&out);
    }
    tw__alloc_fail_nth(0);
    tw__board_destroy(board);
    assert_int_equal(tw__alloc_live(), 0);
}

static void the_figures_of_a_process_are_read(void **state) {
    (void)state;
    uint64_t cpu_ms = 0, memory = 0;
    assert_int_equal(tw__page_read_process((int)getpid(), &cpu_ms, &memory), 0);
    assert_true(memory > 100000);
    uint64_t before = cpu_ms;
    while (cpu_ms < before + 20) {
        assert_int_equal(tw__page_read_process((int)getpid(), &cpu_ms, &memory),
                         0);
    }
    assert_int_equal(tw__page_read_process(0, &cpu_ms, &memory), TW_ENOT_FOUND);
    assert_int_equal(tw__page_read_process(-5, &cpu_ms, &memory),
                     TW_ENOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_figures_of_each_slot_are_told),
        cmocka_unit_test(buckets_are_cumulative_and_agree_with_the_count),
        cmocka_unit_test(what_hooks_cost_is_told_for_all_slots_together),
        cmocka_unit_test(metrics_of_the_host_stand_beside_the_server_s),
        cmocka_unit_test(a_version_cannot_break_out_of_its_label),
        cmocka_unit_test(a_gone_process_leaves_its_counters),
        cmocka_unit_test(the_checker_of_prometheus_is_content),
        cmocka_unit_test(without_memory_it_says_so),
        cmocka_unit_test(the_figures_of_a_process_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
