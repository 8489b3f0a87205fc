/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lua/program/bench/ledger.c"

#define COUNT(list) (sizeof(list) / sizeof *(list))

static tw__bench_doubts doubts;
static tw__bench_account account;
static tw__bench_sum sum;

static int reset(void **state) {
    (void)state;
    tw__bench_doubts none = {0};
    doubts = none;
    sum = (tw__bench_sum){0};
    tw__bench_account_open(&account, 1);
    return 0;
}

static tw__bench_verdict take(uint64_t seq) {
    return tw__bench_account_take(&account, seq, &doubts, &sum);
}

static uint64_t close_at(uint64_t end) {
    return tw__bench_account_close(&account, end, &doubts, &sum);
}

/* What was intended is received, lost, or in doubt: always. */
static void assert_balanced(void) {
    assert_int_equal(sum.intended, sum.received + sum.lost + sum.in_doubt);
}

static void all_in_order_is_clean(void **state) {
    (void)state;
    for (uint64_t seq = 1; seq <= 1000; seq++) {
        assert_int_equal(take(seq), TW__BENCH_IN_ORDER);
    }
    assert_int_equal(close_at(1000), 0);
    assert_int_equal(sum.intended, 1000);
    assert_int_equal(sum.received, 1000);
    assert_int_equal(sum.lost + sum.doubled + sum.disordered, 0);
    assert_balanced();
}

static void nothing_at_all_is_all_lost(void **state) {
    (void)state;
    assert_int_equal(close_at(16), 16);
    assert_int_equal(sum.lost, 16);
    assert_balanced();
}

static void the_first_the_middle_and_the_last_can_be_lost(void **state) {
    (void)state;
    assert_int_equal(take(2), TW__BENCH_AFTER_GAP);
    assert_int_equal(take(5), TW__BENCH_AFTER_GAP);
    assert_int_equal(take(6), TW__BENCH_IN_ORDER);
    assert_int_equal(sum.lost, 3);
    assert_int_equal(close_at(8), 2);
    assert_int_equal(sum.lost, 5);
    assert_int_equal(sum.received, 3);
    assert_int_equal(sum.intended, 8);
    assert_balanced();
}

static void a_double_is_no_arrival(void **state) {
    (void)state;
    take(1);
    take(2);
    assert_int_equal(take(2), TW__BENCH_DOUBLE);
    assert_int_equal(take(1), TW__BENCH_DOUBLE);
    assert_int_equal(take(3), TW__BENCH_IN_ORDER);
    close_at(3);
    assert_int_equal(sum.doubled, 2);
    assert_int_equal(sum.received, 3);
    assert_int_equal(sum.disordered, 0);
    assert_balanced();
}

static void a_late_one_fills_its_gap(void **state) {
    (void)state;
    take(1);
    assert_int_equal(take(4), TW__BENCH_AFTER_GAP);
    assert_int_equal(sum.lost, 2);
    assert_int_equal(take(2), TW__BENCH_LATE);
    assert_int_equal(take(3), TW__BENCH_LATE);
    assert_int_equal(take(3), TW__BENCH_DOUBLE);
    close_at(4);
    assert_int_equal(sum.lost, 0);
    assert_int_equal(sum.disordered, 2);
    assert_int_equal(sum.doubled, 1);
    assert_int_equal(sum.received, 4);
    assert_balanced();
}

static void the_window_is_64_numbers_wide(void **state) {
    (void)state;
    take(1);
    take(66); /* 2 is 64 behind, 3 is 63 behind */
    assert_int_equal(take(3), TW__BENCH_LATE);
    assert_int_equal(take(2), TW__BENCH_DOUBLE);
    close_at(66);
    assert_balanced();
}

static void a_jump_over_the_whole_window_forgets_it(void **state) {
    (void)state;
    for (uint64_t seq = 1; seq <= 10; seq++) {
        take(seq);
    }
    take(74);
    assert_int_equal(sum.lost, 63);
    assert_int_equal(take(11), TW__BENCH_LATE);
    take(1000);
    assert_int_equal(take(74), TW__BENCH_DOUBLE);
    close_at(1000);
    assert_balanced();
}

static void every_order_of_five_balances(void **state) {
    (void)state;
    for (int code = 0; code < 3125; code++) {
        reset(NULL);
        unsigned seen = 0;
        for (int i = 0, rest = code; i < 5; i++, rest /= 5) {
            take((uint64_t)(rest % 5) + 1);
            seen |= 1U << rest % 5;
        }
        close_at(5);
        unsigned distinct = (unsigned)__builtin_popcount(seen);
        assert_int_equal(sum.received, distinct);
        assert_int_equal(sum.doubled, 5 - distinct);
        assert_int_equal(sum.lost, 5 - distinct);
        assert_balanced();
    }
}

static void an_account_may_begin_anywhere(void **state) {
    (void)state;
    tw__bench_account_open(&account, 500);
    assert_int_equal(take(500), TW__BENCH_IN_ORDER);
    assert_int_equal(take(499), TW__BENCH_DOUBLE);
    assert_int_equal(close_at(501), 1);
    assert_int_equal(sum.intended, 2);
    assert_balanced();
}

static void closing_at_the_last_arrival_misses_nothing(void **state) {
    (void)state;
    take(1);
    take(2);
    assert_int_equal(close_at(2), 0);
    assert_int_equal(close_at(9), 0); /* not open any more */
    assert_int_equal(sum.intended, 2);
    assert_balanced();
}

static void what_is_in_doubt_is_not_lost(void **state) {
    (void)state;
    tw__bench_doubts_add(&doubts, 3, 5);
    take(1);
    assert_int_equal(take(7), TW__BENCH_AFTER_GAP); /* 2 and 6 are lost */
    assert_int_equal(sum.in_doubt, 3);
    assert_int_equal(sum.lost, 2);
    tw__bench_doubts_add(&doubts, 8, 9);
    assert_int_equal(take(10), TW__BENCH_IN_ORDER);
    close_at(10);
    assert_int_equal(sum.in_doubt, 5);
    assert_int_equal(sum.lost, 2);
    assert_balanced();
}

static void one_in_doubt_that_comes_late_was_received(void **state) {
    (void)state;
    tw__bench_doubts_add(&doubts, 2, 3);
    take(1);
    take(4);
    assert_int_equal(take(3), TW__BENCH_LATE);
    close_at(4);
    assert_int_equal(sum.in_doubt, 1);
    assert_int_equal(sum.lost, 0);
    assert_int_equal(sum.received, 3);
    assert_balanced();
}

static void doubts_count_their_part_of_a_range(void **state) {
    (void)state;
    tw__bench_doubts_add(&doubts, 10, 19);
    tw__bench_doubts_add(&doubts, 30, 29); /* nothing */
    tw__bench_doubts_add(&doubts, 40, 40);
    const uint64_t cases[][3] = {{1, 9, 0},    {1, 10, 1},  {15, 100, 6},
                                 {10, 19, 10}, {20, 39, 0}, {40, 40, 1},
                                 {1, 1000, 11}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(tw__bench_doubts_in(&doubts, cases[i][0], cases[i][1]),
                         cases[i][2]);
    }
}

static void too_many_doubts_stretch_the_newest(void **state) {
    (void)state;
    for (uint64_t i = 0; i < TW__BENCH_DOUBTS_MAX; i++) {
        tw__bench_doubts_add(&doubts, i * 10 + 1, i * 10 + 1);
    }
    uint64_t last = (TW__BENCH_DOUBTS_MAX - 1) * 10 + 1;
    tw__bench_doubts_add(&doubts, last + 100, last + 200);
    assert_int_equal(tw__bench_doubts_in(&doubts, last, last + 300), 201);
}

static void sums_add_up(void **state) {
    (void)state;
    tw__bench_sum a = {1, 2, 3, 4, 5, 6, 7}, b = {10, 20, 30, 40, 50, 60, 70};
    const tw__bench_sum both = {11, 22, 33, 44, 55, 66, 77};
    tw__bench_sum_merge(&a, &b);
    assert_memory_equal(&a, &both, sizeof a);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(all_in_order_is_clean),
        TEST(nothing_at_all_is_all_lost),
        TEST(the_first_the_middle_and_the_last_can_be_lost),
        TEST(a_double_is_no_arrival),
        TEST(a_late_one_fills_its_gap),
        TEST(the_window_is_64_numbers_wide),
        TEST(a_jump_over_the_whole_window_forgets_it),
        TEST(every_order_of_five_balances),
        TEST(an_account_may_begin_anywhere),
        TEST(closing_at_the_last_arrival_misses_nothing),
        TEST(what_is_in_doubt_is_not_lost),
        TEST(one_in_doubt_that_comes_late_was_received),
        TEST(doubts_count_their_part_of_a_range),
        TEST(too_many_doubts_stretch_the_newest),
        TEST(sums_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
