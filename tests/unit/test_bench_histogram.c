/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lua/program/bench/histogram.c"

static void what_is_empty_has_no_percentiles(void **state) {
    (void)state;
    tw__bench_histogram h = {0};
    assert_int_equal(tw__bench_histogram_at(&h, 50), 0);
    assert_int_equal(tw__bench_histogram_at(&h, 100), 0);
    assert_true(tw__bench_histogram_mean(&h) == 0);
}

static void small_values_are_exact(void **state) {
    (void)state;
    tw__bench_histogram h = {0};
    for (uint64_t value = 1; value <= 100; value++) {
        tw__bench_histogram_add(&h, value);
    }
    assert_int_equal(tw__bench_histogram_at(&h, 0), 1);
    assert_int_equal(tw__bench_histogram_at(&h, 50), 50);
    assert_int_equal(tw__bench_histogram_at(&h, 90), 90);
    assert_int_equal(tw__bench_histogram_at(&h, 99), 99);
    assert_int_equal(tw__bench_histogram_at(&h, 99.9), 100);
    assert_int_equal(tw__bench_histogram_at(&h, 100), 100);
    assert_int_equal(h.count, 100);
    assert_true(tw__bench_histogram_mean(&h) == 50.5);
}

static void one_in_a_thousand_is_beyond_p99_9(void **state) {
    (void)state;
    tw__bench_histogram h = {0};
    for (int i = 0; i < 999; i++) {
        tw__bench_histogram_add(&h, 5);
    }
    tw__bench_histogram_add(&h, 1000000);
    assert_int_equal(tw__bench_histogram_at(&h, 99.9), 5);
    assert_int_equal(tw__bench_histogram_at(&h, 99.95), 1000000);
}

static void a_bucket_is_at_most_1_6_percent_wide(void **state) {
    (void)state;
    for (uint64_t value = 1; value < UINT64_C(1) << 40;
         value += 1 + value / 7) {
        tw__bench_histogram h = {0};
        tw__bench_histogram_add(&h, value);
        tw__bench_histogram_add(&h, UINT64_C(1) << 40);
        uint64_t at = tw__bench_histogram_at(&h, 50);
        assert_true(at >= value);
        assert_true(at - value <= value / 64);
    }
}

static void buckets_rise_with_the_value_and_leave_none_out(void **state) {
    (void)state;
    size_t last = 0;
    for (uint64_t value = 1; value < 1 << 16; value++) {
        size_t bucket = tw__bench_bucket(value);
        assert_true(bucket == last || bucket == last + 1);
        last = bucket;
    }
    assert_true(tw__bench_bucket(UINT64_MAX) == TW__BENCH_BUCKETS - 1);
    assert_true(tw__bench_bucket((UINT64_C(1) << 41) - 1) ==
                TW__BENCH_BUCKETS - 1);
}

static void the_largest_value_is_exact(void **state) {
    (void)state;
    tw__bench_histogram h = {0};
    tw__bench_histogram_add(&h, 123456789);
    tw__bench_histogram_add(&h, 7);
    assert_int_equal(tw__bench_histogram_at(&h, 100), 123456789);
    tw__bench_histogram_add(&h, UINT64_C(1) << 50);
    assert_true(tw__bench_histogram_at(&h, 100) == UINT64_C(1) << 50);
}

static void merging_is_as_if_all_had_been_added_to_one(void **state) {
    (void)state;
    static tw__bench_histogram all, parts[3];
    for (uint64_t i = 0; i < 3000; i++) {
        uint64_t value = i * i * 37 % 1000003;
        tw__bench_histogram_add(&all, value);
        tw__bench_histogram_add(&parts[i % 3], value);
    }
    tw__bench_histogram_merge(&parts[0], &parts[1]);
    tw__bench_histogram_merge(&parts[0], &parts[2]);
    assert_memory_equal(&parts[0], &all, sizeof all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_empty_has_no_percentiles),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(one_in_a_thousand_is_beyond_p99_9),
        cmocka_unit_test(a_bucket_is_at_most_1_6_percent_wide),
        cmocka_unit_test(buckets_rise_with_the_value_and_leave_none_out),
        cmocka_unit_test(the_largest_value_is_exact),
        cmocka_unit_test(merging_is_as_if_all_had_been_added_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
