/* What hooks cost, in the pages of slots and together.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/ticks.h"
#include "server/hook_stats.h"

static tw__page first, second;
static tw__page *pages[] = {&first, &second};
static tw_hook_stats stats[TW_HOOK_STATS_MAX];

static int clear(void **state) {
    (void)state;
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    return 0;
}

static uint64_t ticks(double seconds) {
    return (uint64_t)(seconds / tw__ticks_seconds());
}

static void costs_are_summed_over_the_slots(void **state) {
    (void)state;
    tw_hook_row *row = tw__hook_stats_row(&first, "on_message", 3);
    tw_hook_note(row, ticks(0.5), ticks(2), false);
    tw_hook_note(row, ticks(1.5), 0, true);
    row = tw__hook_stats_row(&second, "on_message", 3);
    tw_hook_note(row, ticks(1), ticks(1), false);
    assert_int_equal(tw__hook_stats_sum(pages, 2, stats), 1);
    assert_string_equal(stats[0].name, "on_message");
    assert_int_equal(stats[0].generation, 3);
    assert_int_equal(stats[0].calls, 3);
    assert_int_equal(stats[0].errors, 1);
    assert_float_equal(stats[0].cpu_seconds, 3, 1e-3);
    assert_float_equal(stats[0].waiting_seconds, 3, 1e-3);
    assert_float_equal(stats[0].slowest_seconds, 1.5, 1e-3);
}

static void the_newest_generation_comes_first_then_the_name(void **state) {
    (void)state;
    tw__hook_stats_row(&first, "on_open", 1)->calls = 1;
    tw__hook_stats_row(&first, "on_close", 1)->calls = 2;
    tw__hook_stats_row(&second, "on_close", 2)->calls = 3;
    assert_int_equal(tw__hook_stats_sum(pages, 2, stats), 3);
    assert_int_equal(stats[0].calls, 3);
    assert_int_equal(stats[1].calls, 2);
    assert_int_equal(stats[2].calls, 1);
}

static void only_the_two_newest_generations_are_kept(void **state) {
    (void)state;
    tw__hook_stats_row(&first, "on_open", 1)->calls = 1;
    tw__hook_stats_row(&first, "on_open", 2)->calls = 2;
    tw_hook_row *row = tw__hook_stats_row(&first, "on_open", 4);
    assert_int_equal(row->calls, 0);
    row->calls = 4;
    assert_null(tw__hook_stats_row(&first, "on_open", 1));
    assert_int_equal(tw__hook_stats_row(&first, "on_open", 2)->calls, 2);
    assert_int_equal(tw__hook_stats_sum(pages, 2, stats), 2);
    assert_int_equal(stats[0].generation, 4);
    assert_int_equal(stats[1].generation, 2);
}

/* A slot whose hooks have not run since the last reloads. */
static void a_slot_left_behind_does_not_show_older_ones(void **state) {
    (void)state;
    tw__hook_stats_row(&first, "on_open", 1)->calls = 1;
    tw__hook_stats_row(&first, "on_open", 2)->calls = 2;
    tw__hook_stats_row(&second, "on_open", 3)->calls = 3;
    assert_int_equal(tw__hook_stats_sum(pages, 2, stats), 2);
    assert_int_equal(stats[0].generation, 3);
    assert_int_equal(stats[1].generation, 2);
}

static void a_row_stays_where_it_is(void **state) {
    (void)state;
    tw_hook_row *row = tw__hook_stats_row(&first, "on_open", 1);
    tw__hook_stats_row(&first, "on_close", 1);
    tw__hook_stats_row(&first, "on_open", 2);
    assert_ptr_equal(tw__hook_stats_row(&first, "on_open", 1), row);
}

static void what_is_no_name_or_too_much_has_no_row(void **state) {
    char name[TW_HOOK_NAME_MAX + 2];
    (void)state;
    memset(name, 'x', sizeof name);
    name[TW_HOOK_NAME_MAX + 1] = '\0';
    assert_null(tw__hook_stats_row(&first, name, 1));
    assert_null(tw__hook_stats_row(&first, "", 1));
    assert_null(tw__hook_stats_row(&first, "on_open", 0));
    name[TW_HOOK_NAME_MAX] = '\0';
    assert_non_null(tw__hook_stats_row(&first, name, 1));
    for (int i = 1; i < TW_HOOK_ROWS; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_non_null(tw__hook_stats_row(&first, name, 1));
    }
    assert_null(tw__hook_stats_row(&first, "one more", 1));
}

static void names_of_slots_that_differ_are_bounded_together(void **state) {
    char name[16];
    (void)state;
    for (int i = 0; i < 2 * TW_HOOK_ROWS; i++) {
        snprintf(name, sizeof name, "%d", i);
        tw__hook_stats_row(pages[i / TW_HOOK_ROWS], name, 1)->calls = 1;
        tw__hook_stats_row(pages[i / TW_HOOK_ROWS], name, 2)->calls = 1;
    }
    assert_int_equal(tw__hook_stats_sum(pages, 2, stats), TW_HOOK_STATS_MAX);
}

/* Whatever the clock is, its ticks are those of the monotonic one. */
static void a_tick_is_as_long_as_it_is_said(void **state) {
    (void)state;
    struct timespec began, now;
    clock_gettime(CLOCK_MONOTONIC, &began);
    uint64_t from = tw_ticks();
    double passed = 0;
    while (passed < 0.02) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        passed = (double)(now.tv_sec - began.tv_sec) +
                 (double)(now.tv_nsec - began.tv_nsec) / 1e9;
    }
    double told = (double)tw_ticks_since(from) * tw__ticks_seconds();
    assert_true(told > 0.019); /* above, it may have been interrupted */
    assert_true(tw__ticks_seconds() == tw__ticks_seconds());
    assert_int_equal(tw_ticks_since(UINT64_MAX), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(costs_are_summed_over_the_slots, clear),
        cmocka_unit_test_setup(the_newest_generation_comes_first_then_the_name,
                               clear),
        cmocka_unit_test_setup(only_the_two_newest_generations_are_kept, clear),
        cmocka_unit_test_setup(a_slot_left_behind_does_not_show_older_ones,
                               clear),
        cmocka_unit_test_setup(a_row_stays_where_it_is, clear),
        cmocka_unit_test_setup(what_is_no_name_or_too_much_has_no_row, clear),
        cmocka_unit_test_setup(names_of_slots_that_differ_are_bounded_together,
                               clear),
        cmocka_unit_test(a_tick_is_as_long_as_it_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
