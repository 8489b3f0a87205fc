/* A session on a server in which the nth system call of a kind fails, or
 * carries one byte.
 * SPDX-License-Identifier: MIT */
#include "session_calls.h"

static int set_up(void **state) {
    static const session_way plainly;
    (void)state;
    calls_way = &plainly;
    calls_tries = 6;
    session_write_file(calls_folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    session_remove_file(calls_folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call_that_fails_costs_one_connection),
        cmocka_unit_test(calls_that_fall_short_cost_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
