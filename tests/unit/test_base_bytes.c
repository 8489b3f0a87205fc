/* Byte strings. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "tidewire/errors.h"

static void expect(const tw__bytes *bytes, const char *text) {
    assert_int_equal(tw__bytes_len(bytes), strlen(text));
    if (text[0] != '\0') {
        assert_memory_equal(tw__bytes_data(bytes), text, strlen(text));
    }
}

static void bytes_grow_behind_and_shrink_in_front(void **state) {
    tw__bytes bytes = {0};
    (void)state;
    assert_int_equal(tw__bytes_append(&bytes, NULL, 0), 0);
    expect(&bytes, "");
    tw__bytes_append(&bytes, "hello", 5);
    tw__bytes_consume(&bytes, 2);
    assert_int_equal(tw__bytes_printf(&bytes, " %d %s", 42, "x"), 0);
    expect(&bytes, "llo 42 x");
    tw__bytes_consume(&bytes, 8);
    expect(&bytes, "");
    tw__bytes_deinit(&bytes);
    expect(&bytes, "");
    tw__bytes_append(&bytes, "again", 5);
    expect(&bytes, "again");
    tw__bytes_deinit(&bytes);
}

static void reserved_bytes_count_when_they_are_committed(void **state) {
    tw__bytes bytes = {0};
    uint8_t *place;
    (void)state;
    assert_int_equal(tw__bytes_reserve(&bytes, 10, &place), 0);
    memcpy(place, "0123456789", 10);
    expect(&bytes, "");
    tw__bytes_commit(&bytes, 4);
    expect(&bytes, "0123");
    tw__bytes_deinit(&bytes);
}

static void at_random_they_are_a_plain_string(void **state) {
    static char model[1 << 16];
    (void)state;
    for (unsigned seed = 0; seed < 30; seed++) {
        tw__bytes bytes = {0};
        size_t len = 0;
        srand(seed);
        for (int step = 0; step < 300; step++) {
            char piece[600];
            size_t n = (size_t)rand() % sizeof piece;
            if (rand() % 2 && len + n < sizeof model) {
                memset(piece, 'a' + rand() % 26, n);
                tw__bytes_append(&bytes, piece, n);
                memcpy(model + len, piece, n);
                len += n;
            } else {
                n = n < len ? n : len;
                tw__bytes_consume(&bytes, n);
                memmove(model, model + n, len - n);
                len -= n;
            }
            assert_int_equal(tw__bytes_len(&bytes), len);
            assert_true(len == 0 ||
                        memcmp(tw__bytes_data(&bytes), model, len) == 0);
        }
        tw__bytes_deinit(&bytes);
    }
}

/* What is consumed and appended in turn does not make the block grow. */
static void a_stream_stays_small(void **state) {
    tw__bytes bytes = {0};
    char piece[100] = {0};
    (void)state;
    for (int i = 0; i < 1000; i++) {
        tw__bytes_append(&bytes, piece, sizeof piece);
        tw__bytes_consume(&bytes, i == 0 ? 50 : 100);
    }
    assert_true(bytes._cap <= 512);
    tw__bytes_deinit(&bytes);
}

static void without_memory_nothing_has_changed(void **state) {
    size_t live = tw__alloc_live();
    tw__bytes bytes = {0};
    char piece[1000] = {0};
    (void)state;
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__bytes_append(&bytes, "x", 1), TW_ENOMEM);
    tw__bytes_append(&bytes, "kept", 4);
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__bytes_append(&bytes, piece, sizeof piece), TW_ENOMEM);
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__bytes_printf(&bytes, "%1000d", 1), TW_ENOMEM);
    tw__alloc_fail_nth(0);
    expect(&bytes, "kept");
    tw__bytes_deinit(&bytes);
    assert_int_equal(tw__alloc_live(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_grow_behind_and_shrink_in_front),
        cmocka_unit_test(reserved_bytes_count_when_they_are_committed),
        cmocka_unit_test(at_random_they_are_a_plain_string),
        cmocka_unit_test(a_stream_stays_small),
        cmocka_unit_test(without_memory_nothing_has_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
