/* Counted, immutable bytes. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"

static void a_buffer_goes_with_its_last_reference(void **state) {
    size_t live = tw__alloc_live();
    tw__buf *buf = tw__buf_copy("hello", 5);
    (void)state;
    assert_int_equal(tw__buf_len(buf), 5);
    assert_memory_equal(tw__buf_data(buf), "hello", 5);
    assert_ptr_equal(tw__buf_ref(buf), buf);
    tw__buf_unref(buf);
    assert_int_equal(tw__alloc_live(), live + 1);
    tw__buf_unref(buf);
    assert_int_equal(tw__alloc_live(), live);
    tw__buf_unref(NULL);
}

static void a_buffer_may_be_empty(void **state) {
    tw__buf *buf = tw__buf_copy(NULL, 0);
    (void)state;
    assert_non_null(buf);
    assert_int_equal(tw__buf_len(buf), 0);
    tw__buf_unref(buf);
}

static void there_may_be_no_memory_or_too_much_wanted(void **state) {
    (void)state;
    tw__alloc_fail_nth(1);
    assert_null(tw__buf_create(1));
    tw__alloc_fail_nth(1);
    assert_null(tw__buf_copy("x", 1));
    tw__alloc_fail_nth(0);
    assert_null(tw__buf_create((size_t)UINT32_MAX + 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_goes_with_its_last_reference),
        cmocka_unit_test(a_buffer_may_be_empty),
        cmocka_unit_test(there_may_be_no_memory_or_too_much_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
