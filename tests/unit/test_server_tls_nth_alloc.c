/* The session over TLS in which the nth allocation fails, ours or one of
 * OpenSSL: it costs at most the one connection that it was for.
 * SPDX-License-Identifier: MIT */
#include "nth_step.h"
#include "session_tls.h"

enum { ALL = 1 << 20, TRIES = 100 };

static char folder[64];

/* ---- ours ---- */

static size_t left; /* 0: it has failed */

static void go_on(void *arg) {
    (void)arg;
    tw__alloc_fail_nth(left);
}

static void hold(void *arg) {
    (void)arg;
    left = tw__alloc_fail_nth(0);
}

static size_t run_with(size_t n) {
    static const session_fault fault = {go_on, hold, NULL};
    left = n;
    return session_run_by(&session_by_tls, &fault, folder);
}

static void a_failed_allocation_costs_one_connection(void **state) {
    (void)state;
    assert_int_equal(run_with(ALL), 0);
    size_t all = ALL - left, first, step = nth_step(all, TRIES, &first);
    print_message("%zu allocations in a session\n", all);
    for (size_t n = first; n <= all; n += step) {
        size_t cut = run_with(n);
        if (cut > 1) {
            fail_msg("allocation %zu cost %zu connections", n, cut);
        }
    }
}

/* ---- OpenSSL's ---- */

static struct {
    bool is_on;
    size_t seen, nth; /* 0: none */
} theirs;

static bool fails(void) {
    return theirs.is_on && ++theirs.seen == theirs.nth;
}

static void *allocate(size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return fails() ? NULL : malloc(size);
}

static void *resize(void *block, size_t size, const char *file, int line) {
    (void)file;
    (void)line;
    return fails() ? NULL : realloc(block, size);
}

static void release(void *block, const char *file, int line) {
    (void)file;
    (void)line;
    free(block);
}

static void theirs_go_on(void *arg) {
    (void)arg;
    theirs.is_on = true;
}

static void theirs_hold(void *arg) {
    (void)arg;
    theirs.is_on = false;
}

static size_t run_theirs(size_t n) {
    static const session_fault fault = {theirs_go_on, theirs_hold, NULL};
    theirs.seen = 0;
    theirs.nth = n;
    return session_run_by(&session_by_tls, &fault, folder);
}

static void one_of_openssl_s_that_fails_costs_one_connection(void **state) {
    (void)state;
    assert_int_equal(run_theirs(0), 0);
    size_t all = theirs.seen, first, step = nth_step(all, TRIES, &first);
    print_message("%zu allocations of OpenSSL in a session\n", all);
    for (size_t n = first; n <= all; n += step) {
        size_t cut = run_theirs(n);
        if (cut > 1) {
            fail_msg("allocation %zu of OpenSSL cost %zu connections", n, cut);
        }
    }
}

static int set_up(void **state) {
    (void)state;
    session_tls_open();
    session_write_file(folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    session_remove_file(folder);
    session_tls_close();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_allocation_costs_one_connection),
        cmocka_unit_test(one_of_openssl_s_that_fails_costs_one_connection),
    };
    /* Before anything in the process uses OpenSSL. */
    if (CRYPTO_set_mem_functions(allocate, resize, release) != 1) {
        return 1;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
