/* The core's memory. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "tidewire/errors.h"

static void live_blocks_are_counted(void **state) {
    size_t live = tw__alloc_live();
    void *a = tw__malloc(0), *b = tw__calloc(3, 5), *c = tw__realloc(NULL, 1);
    char *d = tw__strndup("text and more", 4);
    (void)state;
    assert_string_equal(d, "text");
    assert_memory_equal(b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
    assert_int_equal(tw__alloc_live(), live + 4);
    c = tw__realloc(c, 1000);
    assert_int_equal(tw__alloc_live(), live + 4);
    tw__free(NULL);
    tw__free(a);
    tw__free(b);
    tw__free(c);
    tw__free(d);
    assert_int_equal(tw__alloc_live(), live);
}

static void the_nth_allocation_fails_once(void **state) {
    size_t live = tw__alloc_live();
    void *a, *b;
    (void)state;
    tw__alloc_fail_nth(3);
    a = tw__malloc(1);
    b = tw__calloc(1, 1);
    assert_null(tw__strndup("x", 1));
    assert_non_null(a);
    assert_non_null(b);
    tw__alloc_fail_nth(1);
    assert_null(tw__realloc(a, 100)); /* and `a` is as it was */
    a = tw__realloc(a, 100);
    assert_non_null(a);
    tw__free(a);
    tw__free(b);
    tw__alloc_fail_nth(1);
    tw__alloc_fail_nth(0);
    a = tw__malloc(1);
    assert_non_null(a);
    tw__free(a);
    assert_int_equal(tw__alloc_live(), live);
}

/* Over the limit and back, in steps of all sizes. */
static void an_array_keeps_its_bytes_while_it_grows_and_shrinks(void **state) {
    static const size_t sizes[] = {100,
                                   TW__PAGES_MIN - 1,
                                   TW__PAGES_MIN,
                                   50000,
                                   1000000,
                                   20000,
                                   16383,
                                   40000,
                                   1};
    size_t live = tw__alloc_live(), old = 0;
    uint8_t *array = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        tw__alloc_fail_nth(1);
        assert_null(tw__resize(array, old, sizes[i])); /* nothing changed */
        array = tw__resize(array, old, sizes[i]);
        assert_non_null(array);
        assert_int_equal(tw__alloc_live(), live + 1);
        size_t kept = old < sizes[i] ? old : sizes[i];
        for (size_t at = 0; at < kept; at++) {
            assert_int_equal(array[at], at * 7 & 255);
        }
        for (size_t at = kept; at < sizes[i]; at++) {
            array[at] = (uint8_t)(at * 7);
        }
        old = sizes[i];
    }
    tw__resize_free(array, old);
    tw__resize_free(NULL, 0);
    assert_int_equal(tw__alloc_live(), live);
}

static void every_error_has_a_name_and_a_text(void **state) {
    (void)state;
#define CHECK(symbol, value, name, text)                                       \
    assert_int_equal(TW_E##symbol, value);                                     \
    assert_string_equal(tw_err_name(TW_E##symbol), name);                      \
    assert_string_equal(tw_strerror(TW_E##symbol), text);
    TW_ERRORS(CHECK)
#undef CHECK
    assert_string_equal(tw_err_name(0), "ok");
    assert_string_equal(tw_err_name(1), "unknown");
    assert_string_equal(tw_err_name(-1000), "unknown");
    assert_non_null(tw_strerror(-1000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_blocks_are_counted),
        cmocka_unit_test(the_nth_allocation_fails_once),
        cmocka_unit_test(an_array_keeps_its_bytes_while_it_grows_and_shrinks),
        cmocka_unit_test(every_error_has_a_name_and_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
