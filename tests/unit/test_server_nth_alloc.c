/* A session on a server in which the nth allocation fails, for every n that
 * there is: it costs at most the one connection or request that it was for.
 * SPDX-License-Identifier: MIT */
#include "server_session.h"

enum { ALL = 1 << 20 };

typedef struct nth {
    size_t left; /* 0: it has failed */
} nth;

static void go_on(void *arg) {
    nth *at = arg;
    tw__alloc_fail_nth(at->left);
}

static void hold(void *arg) {
    nth *at = arg;
    at->left = tw__alloc_fail_nth(0);
}

/* How many allocations there were, when fewer than `n`; else 0. */
static size_t run_with(size_t n, const char *folder) {
    nth at = {n};
    session_fault fault = {go_on, hold, &at};
    size_t cut = session_run(&fault, folder);
    if (at.left > 0) {
        assert_int_equal(cut, 0);
        return n - at.left;
    }
    if (cut > 1) {
        fail_msg("allocation %zu cost %zu connections", n, cut);
    }
    return 0;
}

static void a_failed_allocation_costs_one_connection(void **state) {
    char folder[64];
    (void)state;
    session_write_file(folder);
    size_t all = run_with(ALL, folder);
    print_message("%zu allocations in a session\n", all);
    for (size_t n = 1; run_with(n, folder) == 0; n++) {
        assert_true(n < 2 * all + 100);
    }
    session_remove_file(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_allocation_costs_one_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
