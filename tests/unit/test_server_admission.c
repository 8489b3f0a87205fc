/* How many handshakes there may be in a second.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/admission.h"

enum { NOW = 5000 };

/* How many of so many that come at once are admitted. */
static int admitted(tw__admission *a, uint64_t now_ms, int count) {
    int taken = 0;
    unsigned retry_s;
    while (count-- > 0) {
        taken += tw__admission_take(a, now_ms, &retry_s);
    }
    return taken;
}

static void without_a_rate_all_are_admitted(void **state) {
    tw__admission a;
    (void)state;
    tw__admission_init(&a, 0, 0, NOW);
    assert_int_equal(admitted(&a, NOW, 10000), 10000);
}

static void a_burst_is_admitted_and_one_more_is_not(void **state) {
    tw__admission a;
    (void)state;
    for (int count = 9; count <= 11; count++) {
        tw__admission_init(&a, 100, 10, NOW);
        assert_int_equal(admitted(&a, NOW, count), count <= 10 ? count : 10);
    }
}

static void after_a_burst_they_are_admitted_at_the_rate(void **state) {
    tw__admission a;
    (void)state;
    tw__admission_init(&a, 100, 10, NOW);
    admitted(&a, NOW, 10);
    int total = 0;
    for (uint64_t ms = 1; ms <= 1000; ms++) {
        total += admitted(&a, NOW + ms, 3);
    }
    assert_int_equal(total, 100);
    assert_int_equal(admitted(&a, NOW + 1009, 3), 0);
    assert_int_equal(admitted(&a, NOW + 1010, 3), 1);
}

static void what_is_not_used_is_kept_up_to_the_burst(void **state) {
    tw__admission a;
    (void)state;
    tw__admission_init(&a, 100, 10, NOW);
    assert_int_equal(admitted(&a, NOW + 3600000, 20), 10);
}

static void a_small_rate_admits_one_at_a_time(void **state) {
    tw__admission a;
    (void)state;
    tw__admission_init(&a, 0.5, 0.5, NOW);
    assert_int_equal(admitted(&a, NOW, 2), 1);
    assert_int_equal(admitted(&a, NOW + 1999, 2), 0);
    assert_int_equal(admitted(&a, NOW + 2000, 2), 1);
}

static void those_sent_away_are_told_to_come_one_after_another(void **state) {
    tw__admission a;
    unsigned retry_s = 0;
    (void)state;
    tw__admission_init(&a, 10, 1, NOW);
    admitted(&a, NOW, 1);
    for (int i = 0; i < 1000; i++) {
        assert_false(tw__admission_take(&a, NOW, &retry_s));
        unsigned expected = 1 + (unsigned)i / 10;
        assert_int_equal(retry_s, expected < 60 ? expected : 60);
    }
    assert_int_equal(admitted(&a, NOW + 99000, 1), 1);
    assert_false(tw__admission_take(&a, NOW + 99000, &retry_s));
    assert_int_equal(retry_s, 2); /* ten are still to come */
    assert_int_equal(admitted(&a, NOW + 200000, 1), 1);
    assert_false(tw__admission_take(&a, NOW + 200000, &retry_s));
    assert_int_equal(retry_s, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_rate_all_are_admitted),
        cmocka_unit_test(a_burst_is_admitted_and_one_more_is_not),
        cmocka_unit_test(after_a_burst_they_are_admitted_at_the_rate),
        cmocka_unit_test(what_is_not_used_is_kept_up_to_the_burst),
        cmocka_unit_test(a_small_rate_admits_one_at_a_time),
        cmocka_unit_test(those_sent_away_are_told_to_come_one_after_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
