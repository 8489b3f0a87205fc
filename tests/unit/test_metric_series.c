/* Metrics of a host: what is counted where, and how all workers' figures are
 * put together. SPDX-License-Identifier: MIT */
#include "metric_probe.h"

#include <math.h>

static const char *const kind_label[] = {"kind"};
static const tw_metric_config orders = {.name = "orders_total",
                                        .help = "Orders \\ taken\n",
                                        .labels = kind_label,
                                        .label_count = 1,
                                        .max_series = 3};

static void counters_are_summed_over_the_workers(void **state) {
    (void)state;
    tw_metric *a = probe_metric(0, &orders), *b = probe_metric(1, &orders);
    probe_add(a, "new", 2);
    probe_add(b, "new", 0.5);
    probe_add(b, "old", 1);
    probe_has("# HELP orders_total Orders \\\\ taken\\n");
    probe_has("# TYPE orders_total counter");
    probe_has("orders_total{kind=\"new\"} 2.5");
    probe_has("orders_total{kind=\"old\"} 1");
    probe_has_not("other");
}

static void a_count_without_labels_begins_at_0(void **state) {
    (void)state;
    tw_metric_config config = {.name = "starts_total"};
    tw_metric *metric = probe_metric(0, &config);
    probe_has("# HELP starts_total starts_total");
    probe_has("starts_total 0");
    assert_int_equal(tw_metric_add(metric, NULL, 1), 0);
    probe_metric(1, &config);
    probe_has("starts_total 1");
}

static void gauges_are_what_is_said_of_them(void **state) {
    static const char *const wanted[] = {"level 5", "level 3", "level 2",
                                         "level{worker=\"1\"} 3"};
    for (int over = TW_METRIC_SUM; over <= TW_METRIC_EACH; over++) {
        tw_metric_config config = {.kind = TW_METRIC_GAUGE,
                                   .name = "level",
                                   .over = (tw_metric_over)over};
        probe_open(state);
        tw_metric *a = probe_metric(0, &config), *b = probe_metric(1, &config);
        probe_has_not("level 0");
        assert_int_equal(tw_metric_set(a, NULL, 2), 0);
        assert_int_equal(tw_metric_add(b, NULL, 4), 0);
        assert_int_equal(tw_metric_add(b, NULL, -1), 0);
        probe_has(wanted[over]);
        probe_close(state);
    }
}

static void a_histogram_counts_in_buckets(void **state) {
    (void)state;
    static const double bounds[] = {0.1, 1};
    tw_metric_config config = {.kind = TW_METRIC_HISTOGRAM,
                               .name = "wait_seconds",
                               .labels = kind_label,
                               .label_count = 1,
                               .bounds = bounds,
                               .bound_count = 2};
    tw_metric *a = probe_metric(0, &config), *b = probe_metric(1, &config);
    tw_str values[] = {probe_str("x")};
    assert_int_equal(tw_metric_observe(a, values, 0.1), 0);
    assert_int_equal(tw_metric_observe(a, values, 0.5), 0);
    assert_int_equal(tw_metric_observe(b, values, 7), 0);
    probe_has("# TYPE wait_seconds histogram");
    probe_has("wait_seconds_bucket{kind=\"x\",le=\"0.1\"} 1");
    probe_has("wait_seconds_bucket{kind=\"x\",le=\"1\"} 2");
    probe_has("wait_seconds_bucket{kind=\"x\",le=\"+Inf\"} 3");
    probe_has("wait_seconds_sum{kind=\"x\"} 7.6");
    probe_has("wait_seconds_count{kind=\"x\"} 3");
}

static void a_histogram_has_buckets_by_itself(void **state) {
    (void)state;
    tw_metric_config config = {.kind = TW_METRIC_HISTOGRAM, .name = "t"};
    assert_int_equal(tw_metric_observe(probe_metric(0, &config), NULL, 3), 0);
    probe_has("t_bucket{le=\"0.005\"} 0");
    probe_has("t_bucket{le=\"2.5\"} 0");
    probe_has("t_bucket{le=\"5\"} 1");
    probe_has("t_count 1");
}

static void labels_cannot_break_out_of_their_quotes(void **state) {
    (void)state;
    probe_add(probe_metric(0, &orders), "a\"b\\c\nd", 1);
    probe_has("orders_total{kind=\"a\\\"b\\\\c\\nd\"} 1");
}

static void what_is_too_much_is_folded_and_warned_of_once(void **state) {
    (void)state;
    tw_metric *metric = probe_metric(0, &orders);
    char name[16];
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "%d", i);
        probe_add(metric, name, 1);
    }
    probe_add(metric, "1", 1);
    probe_has("orders_total{kind=\"2\"} 1");
    probe_has("orders_total{kind=\"1\"} 2");
    probe_has_not("\"3\"");
    probe_has("orders_total{kind=\"other\"} 7");
    assert_int_equal(metric->def->folded, 7);
    assert_int_equal(probe_warnings, 1);
}

/* The other slot makes no more of its own, and counts apart what the first
 * does. */
static void the_limit_is_that_of_all_workers(void **state) {
    (void)state;
    tw_metric *a = probe_metric(0, &orders), *b = probe_metric(1, &orders);
    probe_add(a, "1", 1);
    probe_add(b, "2", 1);
    probe_add(a, "3", 1);
    probe_add(b, "4", 1);
    probe_add(b, "3", 1);
    probe_add(b, "1", 1);
    probe_add(a, "5", 1);
    probe_add(a, "2", 1);
    probe_has("orders_total{kind=\"1\"} 2");
    probe_has("orders_total{kind=\"2\"} 2");
    probe_has("orders_total{kind=\"3\"} 2");
    probe_has("orders_total{kind=\"other\"} 2");
    probe_has_not("\"4\"");
    probe_has_not("\"5\"");
}

static void what_is_no_value_of_a_label_is_folded(void **state) {
    (void)state;
    char longest[TW_METRIC_VALUE_MAX + 2];
    tw_metric *metric = probe_metric(0, &orders);
    memset(longest, 'x', sizeof longest);
    tw_str bad[] = {
        {longest, TW_METRIC_VALUE_MAX + 1}, {"\xff", 1}, {"a\0b", 3}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(tw_metric_add(metric, &bad[i], 1), 0);
    }
    probe_has("orders_total{kind=\"other\"} 3");
    tw_str good[] = {{longest, TW_METRIC_VALUE_MAX}, {NULL, 0}};
    assert_int_equal(tw_metric_add(metric, &good[0], 1), 0);
    assert_int_equal(tw_metric_add(metric, &good[1], 1), 0);
    probe_has("orders_total{kind=\"\"} 1");
    assert_int_equal(metric->def->folded, 3);
}

/* "ab","c" is not "a","bc". */
static void values_of_several_labels_stay_apart(void **state) {
    (void)state;
    static const char *const two[] = {"x", "y"};
    tw_metric_config config = {.name = "n", .labels = two, .label_count = 2};
    tw_metric *metric = probe_metric(0, &config);
    tw_str first[] = {probe_str("ab"), probe_str("c")};
    tw_str second[] = {probe_str("a"), probe_str("bc")};
    tw_metric_add(metric, first, 1);
    tw_metric_add(metric, second, 2);
    probe_has("n{x=\"ab\",y=\"c\"} 1");
    probe_has("n{x=\"a\",y=\"bc\"} 2");
}

static void
a_replacement_goes_on_counting_and_begins_its_gauges_anew(void **state) {
    (void)state;
    tw_metric_config gauge = {.kind = TW_METRIC_GAUGE, .name = "level"};
    probe_add(probe_metric(0, &orders), "new", 2);
    probe_add(probe_metric(1, &orders), "new", 5);
    tw_metric_set(probe_metric(0, &gauge), NULL, 7);
    uint64_t used = tw__metric_region_at(&probe_regions, 0)->used;
    probe_restart(0);
    probe_has("orders_total{kind=\"new\"} 7");
    probe_has_not("level 7");
    probe_add(probe_metric(0, &orders), "new", 1);
    tw_metric_add(probe_metric(0, &gauge), NULL, 1);
    probe_has("orders_total{kind=\"new\"} 8");
    probe_has("level 1");
    assert_int_equal(tw__metric_region_at(&probe_regions, 0)->used, used);
}

static void one_name_and_form_is_one_metric(void **state) {
    (void)state;
    tw_metric_config again = orders;
    again.max_series = 4;
    again.help = "something else";
    tw_metric *metric = probe_metric(0, &orders);
    assert_ptr_equal(probe_metric(0, &again), metric);
    assert_int_equal(metric->max_series, 4);
    probe_has("# HELP orders_total Orders \\\\ taken\\n");
}

static void a_higher_limit_of_a_new_generation_holds(void **state) {
    (void)state;
    tw_metric_config again = orders;
    again.max_series = 4;
    tw_metric *metric = probe_metric(0, &orders);
    for (const char *c = "abcd"; *c; c++) {
        probe_add(metric, (char[]){*c, 0}, 1);
    }
    probe_metric(0, &again);
    probe_add(metric, "d", 1);
    probe_add(metric, "e", 1);
    probe_has("orders_total{kind=\"d\"} 1");
    probe_has("orders_total{kind=\"other\"} 2");
}

/* Of what changed its form by a reload the latest is shown, also while another
 * worker has not used it yet; and the first again, if it comes back. */
static void the_form_of_the_latest_generation_is_shown(void **state) {
    (void)state;
    tw_metric_config old = orders, new = orders;
    old.generation = 1;
    new.generation = 2;
    new.kind = TW_METRIC_GAUGE;
    probe_add(probe_metric(0, &old), "a", 1);
    probe_add(probe_metric(1, &old), "a", 2);
    probe_has("orders_total{kind=\"a\"} 3");
    probe_add(probe_metric(0, &new), "a", 5);
    probe_has("# TYPE orders_total gauge");
    probe_has("orders_total{kind=\"a\"} 5");
    old.generation = 3;
    probe_add(probe_metric(1, &old), "a", 1);
    probe_has("# TYPE orders_total counter");
    probe_has("orders_total{kind=\"a\"} 4");
}

static void wrong_numbers_and_kinds_are_refused(void **state) {
    (void)state;
    tw_metric_config gauge = {.kind = TW_METRIC_GAUGE, .name = "g"};
    tw_metric_config counter = {.name = "c"};
    tw_metric_config histogram = {.kind = TW_METRIC_HISTOGRAM, .name = "h"};
    tw_metric *g = probe_metric(0, &gauge), *c = probe_metric(0, &counter);
    tw_metric *h = probe_metric(0, &histogram);
    assert_int_equal(tw_metric_add(c, NULL, -1), TW_EINVALID);
    assert_int_equal(tw_metric_add(c, NULL, NAN), TW_EINVALID);
    assert_int_equal(tw_metric_set(c, NULL, 1), TW_EINVALID);
    assert_int_equal(tw_metric_observe(c, NULL, 1), TW_EINVALID);
    assert_int_equal(tw_metric_set(g, NULL, INFINITY), TW_EINVALID);
    assert_int_equal(tw_metric_observe(g, NULL, 1), TW_EINVALID);
    assert_int_equal(tw_metric_add(h, NULL, 1), TW_EINVALID);
    assert_int_equal(tw_metric_observe(h, NULL, NAN), TW_EINVALID);
    probe_has("c 0");
    probe_has("h_count 0");
}

static void a_full_region_folds_and_refuses(void **state) {
    (void)state;
    probe_open_with(1);
    static const char *const label[] = {"n"};
    tw_metric_config config = {.name = "many",
                               .labels = label,
                               .label_count = 1,
                               .max_series = TW_METRIC_SERIES_MAX};
    tw_metric *metric = probe_metric(0, &config), *other;
    char name[16];
    int count = 0;
    while (probe_warnings == 0) {
        snprintf(name, sizeof name, "%d", count++);
        probe_add(metric, name, 1);
    }
    assert_string_equal(probe_why, "limits.metric_memory is used up");
    assert_true(count > 100);
    probe_add(metric, "0", 1);
    probe_has("many{n=\"0\"} 2");
    probe_has("many{n=\"other\"} 1");
    config.name = "more";
    assert_int_equal(tw__metrics_open(&probe_slots[0], &config, &other),
                     TW_ELIMIT);
    /* What is there already is found even so. */
    config.name = "many";
    probe_restart(0);
    probe_metric(0, &config);
    probe_close(state);
}

static void refused(tw_metric_config config, const char *why) {
    char detail[256] = "";
    tw_metric *metric;
    assert_int_equal(tw_metric_check(&config, detail, sizeof detail),
                     TW_EINVALID);
    if (strstr(detail, why) == NULL) {
        fail_msg("'%s' does not say '%s'", detail, why);
    }
    assert_int_equal(tw__metrics_open(&probe_slots[0], &config, &metric),
                     TW_EINVALID);
}

static void what_prometheus_would_not_take_is_refused(void **state) {
    (void)state;
    static const char *const twice[] = {"a", "a"}, *const inner[] = {"__a"},
                             *const le[] = {"le"}, *const worker[] = {"worker"},
                             *const many[9] = {"a", "b", "c", "d", "e",
                                               "f", "g", "h", "i"};
    static const double falling[] = {2, 1}, endless[] = {INFINITY};
    static char longest[TW_METRIC_NAME_MAX + 2];
    memset(longest, 'x', TW_METRIC_NAME_MAX + 1);
    refused((tw_metric_config){.name = ""}, "a name has");
    refused((tw_metric_config){.name = NULL}, "a name has");
    refused((tw_metric_config){.name = "1a"}, "a name has");
    refused((tw_metric_config){.name = "a:b"}, "a name has");
    refused((tw_metric_config){.name = "a-b"}, "a name has");
    refused((tw_metric_config){.name = longest}, "a name has");
    refused((tw_metric_config){.name = "tidewire_x"}, "must not begin");
    refused((tw_metric_config){.name = "x_count"}, "nor end in");
    refused((tw_metric_config){.name = "x_sum"}, "nor end in");
    refused((tw_metric_config){.name = "x_bucket"}, "nor end in");
    refused((tw_metric_config){.name = "x", .labels = twice, .label_count = 2},
            "'a' comes twice");
    refused((tw_metric_config){.name = "x", .labels = inner, .label_count = 1},
            "'__a' is no name");
    refused((tw_metric_config){.name = "x", .labels = many, .label_count = 9},
            "more than 8 labels");
    refused((tw_metric_config){.kind = TW_METRIC_HISTOGRAM,
                               .name = "x",
                               .labels = le,
                               .label_count = 1},
            "'le' is no name");
    refused((tw_metric_config){.kind = TW_METRIC_GAUGE,
                               .over = TW_METRIC_EACH,
                               .name = "x",
                               .labels = worker,
                               .label_count = 1},
            "'worker' is no name");
    refused((tw_metric_config){.name = "x", .over = TW_METRIC_MAX},
            "only of a gauge");
    refused(
        (tw_metric_config){.name = "x", .bounds = falling, .bound_count = 2},
        "only a histogram");
    refused((tw_metric_config){.kind = TW_METRIC_HISTOGRAM,
                               .name = "x",
                               .bounds = falling,
                               .bound_count = 2},
            "numbers that rise");
    refused((tw_metric_config){.kind = TW_METRIC_HISTOGRAM,
                               .name = "x",
                               .bounds = endless,
                               .bound_count = 1},
            "numbers that rise");
    refused((tw_metric_config){.kind = TW_METRIC_HISTOGRAM,
                               .name = "x",
                               .bounds = endless,
                               .bound_count = 33},
            "more than 32 buckets");
    refused((tw_metric_config){.name = "x", .help = "\xff"}, "must be UTF-8");
    refused((tw_metric_config){.name = "x", .max_series = 10001},
            "more than 10000 series");
}

/* As a process that went wild would leave it. */
static void nothing_in_a_region_is_believed(void **state) {
    (void)state;
    srand(1);
    for (int round = 0; round < 300; round++) {
        probe_open_with(1);
        tw_metric *metric = probe_metric(1, &orders);
        probe_add(metric, "a", 1);
        probe_add(metric, "b", 1);
        tw__metric_region *region = tw__metric_region_at(&probe_regions, 1);
        uint64_t used = region->used;
        for (int i = 0; i < 4; i++) {
            ((uint8_t *)region)[rand() % (int)used] = (uint8_t)rand();
        }
        probe_text();
        tw_metric *own = probe_metric(0, &orders);
        probe_add(own, "c", 1); /* looks at what the other has */
        tw__metric_clear_gauges(&probe_regions, 1);
        probe_close(state);
    }
}

static void without_memory_nothing_is_lost(void **state) {
    for (size_t nth = 1; nth < 40; nth++) {
        probe_open(state);
        tw_metric *metric = NULL;
        tw__alloc_fail_nth(nth);
        int error = tw__metrics_open(&probe_slots[0], &orders, &metric);
        tw_str values[] = {probe_str("a")};
        if (error == 0) {
            error = tw_metric_add(metric, values, 1);
        }
        tw__metric_view view;
        int shown = tw__metric_view_init(&view, &probe_regions);
        if (shown == 0) {
            tw__metric_view_deinit(&view);
        }
        tw__alloc_fail_nth(0);
        assert_true(error == 0 || error == TW_ENOMEM);
        assert_true(shown == 0 || shown == TW_ENOMEM);
        metric = probe_metric(0, &orders);
        probe_add(metric, "a", 1);
        probe_has(error == 0 ? "orders_total{kind=\"a\"} 2"
                             : "orders_total{kind=\"a\"} 1");
        probe_close(state);
    }
}

#define WITH(test)                                                             \
    cmocka_unit_test_setup_teardown(test, probe_open, probe_close)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH(counters_are_summed_over_the_workers),
        WITH(a_count_without_labels_begins_at_0),
        cmocka_unit_test(gauges_are_what_is_said_of_them),
        WITH(a_histogram_counts_in_buckets),
        WITH(a_histogram_has_buckets_by_itself),
        WITH(labels_cannot_break_out_of_their_quotes),
        WITH(what_is_too_much_is_folded_and_warned_of_once),
        WITH(the_limit_is_that_of_all_workers),
        WITH(what_is_no_value_of_a_label_is_folded),
        WITH(values_of_several_labels_stay_apart),
        WITH(a_replacement_goes_on_counting_and_begins_its_gauges_anew),
        WITH(one_name_and_form_is_one_metric),
        WITH(a_higher_limit_of_a_new_generation_holds),
        WITH(the_form_of_the_latest_generation_is_shown),
        WITH(wrong_numbers_and_kinds_are_refused),
        cmocka_unit_test(a_full_region_folds_and_refuses),
        WITH(what_prometheus_would_not_take_is_refused),
        cmocka_unit_test(nothing_in_a_region_is_believed),
        cmocka_unit_test(without_memory_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
