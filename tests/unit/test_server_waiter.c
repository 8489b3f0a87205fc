/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "server/waiter.h"

enum { MANY = 100 };

static void a_number_leads_to_its_waiter(void **state) {
    tw__waiters waiters = {0};
    tw__waiter *all[MANY];
    (void)state;
    for (int i = 0; i < MANY; i++) {
        all[i] = tw__waiters_add(&waiters);
        assert_int_not_equal(all[i]->number, 0);
    }
    for (int i = 0; i < MANY; i++) {
        assert_ptr_equal(tw__waiters_at(&waiters, all[i]->number), all[i]);
        tw__waiters_remove(&waiters, all[i]);
    }
    tw__waiters_deinit(&waiters);
    assert_int_equal(tw__alloc_live(), 0);
}

static void numbers_are_used_again_and_never_twice_at_a_time(void **state) {
    tw__waiters waiters = {0};
    tw__waiter *all[MANY] = {0};
    uint32_t highest = 0;
    (void)state;
    for (unsigned step = 0; step < 50 * MANY; step++) {
        unsigned at = step * 7919 % 31;
        if (all[at] != NULL) {
            tw__waiters_remove(&waiters, all[at]);
        }
        all[at] = tw__waiters_add(&waiters);
        highest = all[at]->number > highest ? all[at]->number : highest;
        for (unsigned other = 0; other < 31; other++) {
            assert_true(other == at || all[other] == NULL ||
                        all[other]->number != all[at]->number);
        }
    }
    assert_true(highest <= 31);
    for (unsigned at = 0; at < 31; at++) {
        tw__waiters_remove(&waiters, all[at]);
    }
    tw__waiters_deinit(&waiters);
    assert_int_equal(tw__alloc_live(), 0);
}

static void without_memory_nobody_waits(void **state) {
    (void)state;
    for (size_t nth = 1; nth <= 2; nth++) {
        tw__waiters waiters = {0};
        tw__alloc_fail_nth(nth);
        assert_null(tw__waiters_add(&waiters));
        tw__waiter *waiter = tw__waiters_add(&waiters);
        assert_non_null(waiter);
        tw__waiters_remove(&waiters, waiter);
        tw__waiters_deinit(&waiters);
        assert_int_equal(tw__alloc_live(), 0);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_leads_to_its_waiter),
        cmocka_unit_test(numbers_are_used_again_and_never_twice_at_a_time),
        cmocka_unit_test(without_memory_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
