/* A host that fails is left alone, and asked again now and then.
 * SPDX-License-Identifier: MIT */
#include "test_http_support.h"

#include "http/breaker.h"

static const tw__breaker_rule rule = {3, 60000, 1000, 5000};

static void fail_times(tw__breaker *b, int times, uint64_t now) {
    for (int i = 0; i < times; i++) {
        tw__breaker_fail(b, &rule, now, false);
    }
}

static bool passes(tw__breaker *b, uint64_t now, bool *is_probe) {
    bool would = tw__breaker_would_pass(b, now);
    bool does = tw__breaker_pass(b, now, is_probe);
    assert_int_equal(would, does);
    return does;
}

static void it_opens_after_so_many_failures_in_a_row(void **state) {
    tw__breaker b = {0};
    bool is_probe;
    (void)state;
    assert_true(tw__breaker_is_clean(&b));
    fail_times(&b, 2, 100);
    assert_true(passes(&b, 100, &is_probe));
    assert_false(is_probe);
    tw__breaker_succeed(&b);
    assert_true(tw__breaker_is_clean(&b));
    fail_times(&b, 2, 100);
    assert_false(tw__breaker_is_open(&b));
    fail_times(&b, 1, 100);
    assert_true(tw__breaker_is_open(&b));
    assert_false(passes(&b, 100, &is_probe));
    assert_false(passes(&b, 1099, &is_probe));
}

static void failures_far_apart_do_not_add_up(void **state) {
    tw__breaker b = {0};
    (void)state;
    for (uint64_t now = 0; now < 600000; now += 60001) {
        fail_times(&b, 2, now);
        assert_false(tw__breaker_is_open(&b));
    }
}

static void one_probe_passes_and_its_failure_doubles_the_pause(void **state) {
    static const uint64_t pauses[] = {1000, 2000, 4000, 5000, 5000};
    tw__breaker b = {0};
    bool is_probe;
    uint64_t now = 7;
    (void)state;
    fail_times(&b, 3, now);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        assert_false(passes(&b, now + pauses[i] - 1, &is_probe));
        now += pauses[i];
        assert_true(passes(&b, now, &is_probe));
        assert_true(is_probe);
        assert_false(passes(&b, now + 100000, &is_probe));
        tw__breaker_fail(&b, &rule, now, true);
    }
}

static void a_probe_that_succeeds_closes_it(void **state) {
    tw__breaker b = {0};
    bool is_probe;
    (void)state;
    fail_times(&b, 3, 0);
    assert_true(passes(&b, 1000, &is_probe));
    tw__breaker_succeed(&b);
    assert_true(passes(&b, 1000, &is_probe));
    assert_false(is_probe);
    fail_times(&b, 2, 1000);
    assert_false(tw__breaker_is_open(&b));
}

static void a_probe_that_is_called_off_makes_room_for_another(void **state) {
    tw__breaker b = {0};
    bool is_probe;
    (void)state;
    fail_times(&b, 3, 0);
    assert_true(passes(&b, 1000, &is_probe));
    tw__breaker_drop_probe(&b);
    assert_true(passes(&b, 1000, &is_probe));
    assert_true(is_probe);
}

static void
who_began_before_it_opened_does_not_prolong_the_pause(void **state) {
    tw__breaker b = {0};
    bool is_probe;
    (void)state;
    fail_times(&b, 3, 0);
    fail_times(&b, 50, 900);
    assert_true(passes(&b, 1000, &is_probe));
    fail_times(&b, 1, 1000);
    assert_false(passes(&b, 1000, &is_probe));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_after_so_many_failures_in_a_row),
        cmocka_unit_test(failures_far_apart_do_not_add_up),
        cmocka_unit_test(one_probe_passes_and_its_failure_doubles_the_pause),
        cmocka_unit_test(a_probe_that_succeeds_closes_it),
        cmocka_unit_test(a_probe_that_is_called_off_makes_room_for_another),
        cmocka_unit_test(who_began_before_it_opened_does_not_prolong_the_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
