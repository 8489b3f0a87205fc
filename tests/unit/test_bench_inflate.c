/* What the load generator expands. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include "../../lua/program/bench/frame.c"
#include "../../lua/program/bench/inflate.c"

#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00"

static void assert_expands(tw__bench_inflater *inflater, const char *packed,
                           size_t len, const char *text) {
    size_t got_len;
    const uint8_t *got =
        tw__bench_inflate(inflater, (const uint8_t *)packed, len, 10, &got_len);
    assert_non_null(got);
    assert_int_equal(got_len, strlen(text));
    assert_memory_equal(got, text, got_len);
}

static void messages_are_expanded_also_when_they_repeat(void **state) {
    tw__bench_inflater inflater = {0};
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_expands(&inflater, HELLO, 7, "Hello");
        assert_expands(&inflater, HELLO, 7, "Hello");
        assert_expands(&inflater, "\x00", 1, "");
    }
    tw__bench_inflater_deinit(&inflater);
}

static void damage_and_length_show(void **state) {
    tw__bench_inflater inflater = {0};
    size_t len;
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_null(
            tw__bench_inflate(&inflater, (const uint8_t *)"\x07", 1, 10, &len));
        assert_null(
            tw__bench_inflate(&inflater, (const uint8_t *)HELLO, 7, 4, &len));
    }
    assert_expands(&inflater, HELLO, 7, "Hello");
    tw__bench_inflater_deinit(&inflater);
}

static bool note_opcode(void *arg, int opcode, const uint8_t *data,
                        size_t len) {
    (void)data;
    (void)len;
    *(int *)arg = opcode;
    return true;
}

static const char *feed_one(bool deflates, const char *bytes, size_t len,
                            int *opcode) {
    tw__bench_reader reader = {.deflates = deflates};
    *opcode = 0;
    const char *wrong = tw__bench_reader_feed(&reader, (const uint8_t *)bytes,
                                              len, 100, note_opcode, opcode);
    tw__bench_reader_deinit(&reader);
    return wrong;
}

static void the_bit_is_told_where_it_may_be(void **state) {
    int opcode;
    (void)state;
    assert_null(feed_one(true, "\xc1\x07" HELLO, 9, &opcode));
    assert_int_equal(opcode, TW__BENCH_TEXT | TW__BENCH_DEFLATED);
    assert_null(feed_one(true, "\x81\x01x", 3, &opcode));
    assert_int_equal(opcode, TW__BENCH_TEXT);
    assert_null(feed_one(true, "\x42\x01\xf2\x80\x01\x00", 6, &opcode));
    assert_int_equal(opcode, TW__BENCH_BINARY | TW__BENCH_DEFLATED);
    assert_non_null(feed_one(true, "\x41\x01\xf2\xc0\x01\x00", 6, &opcode));
    assert_non_null(feed_one(true, "\xc9\x00", 2, &opcode));
    assert_non_null(feed_one(true, "\xa1\x00", 2, &opcode));
    assert_non_null(feed_one(false, "\xc1\x07" HELLO, 9, &opcode));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_expanded_also_when_they_repeat),
        cmocka_unit_test(damage_and_length_show),
        cmocka_unit_test(the_bit_is_told_where_it_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
