/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/master_watch.h"

enum { CPU = 2000, WALL = 30000, EACH = TW__WATCH_EACH_MS };

/* Looks every EACH ms for `ms`, while the worker burns `percent` of a core;
 * answers when it was found hung, or 0. */
static uint64_t watch_for(tw__watch *watch, uint64_t turns, uint64_t *now,
                          uint64_t *cpu, uint64_t ms, unsigned percent) {
    for (uint64_t end = *now + ms; *now < end;) {
        *now += EACH;
        *cpu += EACH * percent / 100;
        if (tw__watch_is_hung(watch, turns, *cpu, *now, CPU, WALL)) {
            return *now;
        }
    }
    return 0;
}

static void
a_loop_without_a_turn_is_hung_after_two_seconds_of_cpu(void **state) {
    (void)state;
    tw__watch watch;
    uint64_t now = 5000, cpu = 900;
    tw__watch_start(&watch, 7, cpu, now);
    assert_int_equal(watch_for(&watch, 7, &now, &cpu, 60000, 100), 7000);
}

static void one_that_waits_is_hung_after_thirty_seconds(void **state) {
    (void)state;
    tw__watch watch;
    uint64_t now = 5000, cpu = 900;
    tw__watch_start(&watch, 7, cpu, now);
    assert_int_equal(watch_for(&watch, 7, &now, &cpu, 60000, 0), 35000);
}

static void on_a_crowded_machine_its_own_time_counts(void **state) {
    (void)state;
    tw__watch watch;
    uint64_t now = 0, cpu = 0;
    tw__watch_start(&watch, 7, cpu, now);
    assert_int_equal(watch_for(&watch, 7, &now, &cpu, 60000, 20), 10000);
}

static void a_turn_forgives_everything(void **state) {
    (void)state;
    tw__watch watch;
    uint64_t now = 0, cpu = 0;
    tw__watch_start(&watch, 0, cpu, now);
    for (uint64_t turn = 1; turn < 20; turn++) {
        assert_int_equal(watch_for(&watch, turn, &now, &cpu, 1900, 100), 0);
    }
}

static void a_master_that_was_stopped_itself_judges_nobody(void **state) {
    (void)state;
    tw__watch watch;
    uint64_t now = 0;
    tw__watch_start(&watch, 7, 0, now);
    now += 3600 * 1000;
    assert_false(tw__watch_is_hung(&watch, 7, 0, now, CPU, WALL));
    uint64_t cpu = 0;
    assert_int_equal(watch_for(&watch, 7, &now, &cpu, 29000, 0), 0);
}

static void one_that_just_died_is_not_called_hung(void **state) {
    (void)state;
    tw__watch watch;
    tw__watch_start(&watch, 7, 500, 1000);
    assert_false(tw__watch_is_hung(&watch, 7, 0, 1250, CPU, WALL));
}

static void
the_first_replacement_comes_at_once_and_later_ones_wait(void **state) {
    (void)state;
    static const uint64_t base[] = {0,    100,  200,  400, 800,
                                    1600, 3200, 5000, 5000};
    for (uint32_t i = 0; i < sizeof base / sizeof *base; i++) {
        assert_int_equal(tw__watch_backoff_ms(i + 1, 0), base[i]);
    }
    assert_int_equal(tw__watch_backoff_ms(UINT32_MAX, 0), 5000);
}

static void the_jitter_is_at_most_a_fifth(void **state) {
    (void)state;
    for (uint32_t random = 0; random < 70000; random += 7) {
        uint64_t ms = tw__watch_backoff_ms(20, random);
        assert_in_range(ms, 5000, 6000);
    }
    assert_int_not_equal(tw__watch_backoff_ms(20, 3),
                         tw__watch_backoff_ms(20, 700));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_loop_without_a_turn_is_hung_after_two_seconds_of_cpu),
        cmocka_unit_test(one_that_waits_is_hung_after_thirty_seconds),
        cmocka_unit_test(on_a_crowded_machine_its_own_time_counts),
        cmocka_unit_test(a_turn_forgives_everything),
        cmocka_unit_test(one_that_just_died_is_not_called_hung),
        cmocka_unit_test(a_master_that_was_stopped_itself_judges_nobody),
        cmocka_unit_test(
            the_first_replacement_comes_at_once_and_later_ones_wait),
        cmocka_unit_test(the_jitter_is_at_most_a_fifth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
