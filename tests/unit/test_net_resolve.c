/* Names to addresses, off the loop. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/resolve.h"
#include "tidewire/errors.h"

enum { WAIT_MS = 1000, WAITS = 120 };

static tw__loop loop;
static tw__poller poller;
static tw__resolve resolve;
static int calls;
static size_t found;
static char first[TW__ADDRESS_TEXT];

static void on_resolved(tw__resolve *which, const tw__address *addresses,
                        size_t count) {
    assert_ptr_equal(which, &resolve);
    calls++;
    found = count;
    if (count > 0) {
        tw__address_format(&addresses[0], first);
    }
}

static int set_up(void **state) {
    (void)state;
    calls = 0;
    found = 0;
    resolve = (tw__resolve){.cb = on_resolved};
    return tw__loop_init(&loop, NULL) != 0 ||
           tw__poller_init(&poller, &loop) != 0;
}

static int tear_down(void **state) {
    (void)state;
    tw__resolve_cancel(&resolve);
    tw__poller_close(&poller);
    tw__loop_close(&loop, NULL, NULL);
    return 0;
}

static void wait_for_call(void) {
    for (int i = 0; i < WAITS && calls == 0; i++) {
        tw__loop_run_once(&loop, WAIT_MS);
    }
}

static void a_name_is_resolved(void **state) {
    (void)state;
    assert_int_equal(tw__resolve_start(&resolve, &poller, "127.0.0.9", "6379"),
                     0);
    wait_for_call();
    assert_int_equal(calls, 1);
    assert_int_equal(found, 1);
    assert_string_equal(first, "127.0.0.9:6379");
}

/* No resolver asks anybody about it: it is no name. */
static void what_is_none_has_no_addresses(void **state) {
    (void)state;
    assert_int_equal(tw__resolve_start(&resolve, &poller, "", "6379"), 0);
    wait_for_call();
    assert_int_equal(calls, 1);
    assert_int_equal(found, 0);
}

static void one_that_was_cancelled_is_not_told(void **state) {
    (void)state;
    assert_int_equal(tw__resolve_start(&resolve, &poller, "127.0.0.9", "1"), 0);
    tw__resolve_cancel(&resolve);
    tw__resolve_cancel(&resolve);
    assert_int_equal(tw__resolve_start(&resolve, &poller, "127.0.0.8", "2"), 0);
    wait_for_call();
    assert_int_equal(calls, 1);
    assert_string_equal(first, "127.0.0.8:2");
}

static void too_long_a_name_is_refused(void **state) {
    char name[300];
    (void)state;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(tw__resolve_start(&resolve, &poller, name, "1"),
                     TW_EINVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(a_name_is_resolved),
        CASE(what_is_none_has_no_addresses),
        CASE(one_that_was_cancelled_is_not_told),
        CASE(too_long_a_name_is_refused),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
