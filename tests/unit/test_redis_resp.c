/* What Redis says, byte by byte, in every split, and what no Redis would say.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "redis/resp.h"

enum { LIMIT = 1 << 16 };

static tw__resp resp;

static int set_up(void **state) {
    (void)state;
    return tw__resp_init(&resp, LIMIT);
}

static int tear_down(void **state) {
    (void)state;
    tw__resp_deinit(&resp);
    assert_int_equal(tw__alloc_live(), 0);
    return 0;
}

/* A value in a form of its own, to compare by. */
static size_t describe(const tw_redis_value *value, char *out, size_t size) {
    size_t len = 0;
    switch (value->kind) {
    case TW_REDIS_NIL:
        return (size_t)snprintf(out, size, "nil ");
    case TW_REDIS_INTEGER:
        return (size_t)snprintf(out, size, "%lld ", (long long)value->integer);
    case TW_REDIS_ARRAY:
        len = (size_t)snprintf(out, size, "[ ");
        for (size_t i = 0; i < value->count; i++) {
            len += describe(&value->items[i], out + len, size - len);
        }
        return len + (size_t)snprintf(out + len, size - len, "] ");
    default:
        assert_int_equal(value->text.data[value->text.len], 0);
        return (size_t)snprintf(out, size, "%c%zu'%.*s' ",
                                value->kind == TW_REDIS_ERROR    ? '-'
                                : value->kind == TW_REDIS_STATUS ? '+'
                                                                 : '$',
                                value->text.len, (int)value->text.len,
                                value->text.data);
    }
}

/* Takes all values that are there; the error that ended it, or 0. */
static int take_all(char *out, size_t size, size_t *len) {
    const tw_redis_value *value;
    int err;
    while ((err = tw__resp_next(&resp, &value)) == 0 && value != NULL) {
        *len += describe(value, out + *len, size - *len);
    }
    return err;
}

static int feed(const char *data, size_t len, char *out, size_t size,
                size_t *used) {
    int err = tw__resp_feed(&resp, data, len);
    return err != 0 ? err : take_all(out, size, used);
}

static const char answers[] = "+OK\r\n"
                              "-ERR no\r\n"
                              ":42\r\n"
                              ":-9223372036854775808\r\n"
                              "$5\r\nhello\r\n"
                              "$0\r\n\r\n"
                              "$-1\r\n"
                              "*-1\r\n"
                              "*0\r\n"
                              "*3\r\n$1\r\na\r\n$-1\r\n*2\r\n:1\r\n+x\r\n"
                              "$4\r\n\r\n\r\n\r\n";
static const char described[] = "+2'OK' -6'ERR no' 42 -9223372036854775808 "
                                "$5'hello' $0'' nil nil [ ] "
                                "[ $1'a' nil [ 1 +1'x' ] ] $4'\r\n\r\n' ";

static void values_come_out_as_they_went_in(void **state) {
    char out[512];
    size_t len = 0;
    (void)state;
    assert_int_equal(feed(answers, sizeof answers - 1, out, sizeof out, &len),
                     0);
    assert_string_equal(out, described);
    tw__resp_release(&resp);
    assert_int_equal(resp.bytes, 0);
}

static void they_do_byte_by_byte(void **state) {
    char out[512];
    size_t len = 0;
    (void)state;
    for (size_t i = 0; i < sizeof answers - 1; i++) {
        assert_int_equal(feed(answers + i, 1, out, sizeof out, &len), 0);
    }
    assert_string_equal(out, described);
}

static void they_do_at_every_split(void **state) {
    (void)state;
    for (size_t at = 0; at < sizeof answers; at++) {
        char out[512];
        size_t len = 0;
        assert_int_equal(tw__resp_reset(&resp), 0);
        assert_int_equal(feed(answers, at, out, sizeof out, &len), 0);
        assert_int_equal(
            feed(answers + at, sizeof answers - 1 - at, out, sizeof out, &len),
            0);
        assert_string_equal(out, described);
    }
}

static void a_half_value_is_no_value(void **state) {
    static const char half[] = "*2\r\n$5\r\nhello\r\n$5\r\nwor";
    char out[64];
    size_t len = 0;
    (void)state;
    assert_int_equal(feed(half, sizeof half - 1, out, sizeof out, &len), 0);
    assert_int_equal(len, 0);
}

static void expect_fault(const char *text, int expected) {
    char out[256];
    size_t len = 0;
    assert_int_equal(tw__resp_reset(&resp), 0);
    assert_int_equal(feed(text, strlen(text), out, sizeof out, &len), expected);
    assert_int_equal(feed("+OK\r\n", 5, out, sizeof out, &len), expected);
    assert_int_equal(len, 0);
}

static void what_is_no_resp_is_a_fault_for_good(void **state) {
    (void)state;
    expect_fault("HTTP/1.1 400 Bad Request\r\n", TW_EINVALID);
    expect_fault(":twelve\r\n", TW_EINVALID);
    expect_fault("$x\r\n", TW_EINVALID);
    expect_fault("$-2\r\n", TW_EINVALID);
    expect_fault("*-2\r\n", TW_EINVALID);
    expect_fault("*1x\r\n", TW_EINVALID);
    expect_fault("*99999999999\r\n", TW_EINVALID);
    expect_fault("$99999999999999999999\r\n", TW_EINVALID);
    expect_fault("%1\r\n", TW_EINVALID);
}

static void a_string_is_refused_by_its_length(void **state) {
    (void)state;
    expect_fault("$9223372036854775807\r\n", TW_ELIMIT);
    expect_fault("$65536\r\n", TW_ELIMIT);
    expect_fault("*2\r\n:1\r\n$1000000\r\nx", TW_ELIMIT);
}

static void an_array_is_refused_by_its_count(void **state) {
    (void)state;
    expect_fault("*2147483647\r\n", TW_ELIMIT);
    expect_fault("*100000\r\n", TW_ELIMIT);
    assert_true(tw__alloc_live() < 4);
}

static void nesting_ends(void **state) {
    (void)state;
    expect_fault("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
                 TW_EINVALID);
}

static void many_arrays_in_arrays_count_together(void **state) {
    char out[256];
    size_t len = 0;
    int err = feed("*1000\r\n", 7, out, sizeof out, &len);
    (void)state;
    for (int i = 0; i < 1000 && err == 0; i++) {
        err = feed("*100\r\n", 6, out, sizeof out, &len);
        for (int k = 0; k < 100 && err == 0; k++) {
            err = feed("$-1\r\n", 5, out, sizeof out, &len);
        }
    }
    assert_int_equal(err, TW_ELIMIT);
}

static void a_line_without_an_end_is_refused(void **state) {
    char block[1024], out[64];
    size_t len = 0, fed = 0;
    int err = feed("+", 1, out, sizeof out, &len);
    (void)state;
    memset(block, 'x', sizeof block);
    while (err == 0 && fed < 4 * TW__RESP_LINE_MAX) {
        err = feed(block, sizeof block, out, sizeof out, &len);
        fed += sizeof block;
    }
    assert_int_equal(err, TW_ELIMIT);
    assert_true(fed <= TW__RESP_LINE_MAX + 2 * sizeof block);
}

static void values_that_are_dropped_make_room(void **state) {
    const tw_redis_value *value;
    char text[32768];
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "$32700\r\n", 8);
    memcpy(text + 8 + 32700, "\r\n", 2);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(tw__resp_feed(&resp, text, 100), 0);
        assert_int_equal(tw__resp_next(&resp, &value), 0);
        assert_null(value);
        assert_int_equal(tw__resp_feed(&resp, text + 100, 8 + 32700 + 2 - 100),
                         0);
        assert_int_equal(tw__resp_next(&resp, &value), 0);
        assert_int_equal(value->text.len, 32700);
        tw__resp_drop(&resp);
        assert_int_equal(resp.bytes, 0);
    }
}

static void every_allocation_may_fail(void **state) {
    bool has_failed = true;
    (void)state;
    for (size_t nth = 1; has_failed; nth++) {
        char out[512];
        size_t len = 0;
        assert_int_equal(tw__resp_reset(&resp), 0);
        tw__alloc_fail_nth(nth);
        int err = feed(answers, sizeof answers - 1, out, sizeof out, &len);
        has_failed = tw__alloc_fail_nth(0) == 0;
        assert_int_equal(err, has_failed ? TW_ENOMEM : 0);
    }
}

/* Whatever comes: it ends, and within the limits. */
static void garbage_ends_in_a_fault_or_in_values(void **state) {
    static const char letters[] = "*$:+-0123456789\r\n\r\n\r\n1ab";
    unsigned seed = 1;
    (void)state;
    for (int round = 0; round < 3000; round++) {
        char text[64], out[8192];
        size_t len = 0;
        for (size_t i = 0; i < sizeof text; i++) {
            seed = seed * 1103515245 + 12345;
            text[i] = letters[(seed >> 16) % (sizeof letters - 1)];
        }
        assert_int_equal(tw__resp_reset(&resp), 0);
        for (size_t i = 0; i < sizeof text; i += 8) {
            if (feed(text + i, 8, out, sizeof out, &len) != 0) {
                break;
            }
            assert_true(resp.bytes <= LIMIT);
            if (len > 4096) {
                break;
            }
        }
    }
}

static void a_command_is_an_array_of_bulk_strings(void **state) {
    static const tw_str args[] = {
        {"SET", 3}, {"k\r\n\0", 4}, {"", 0}, {"0123456789", 10}};
    static const char expected[] =
        "*4\r\n$3\r\nSET\r\n$4\r\nk\r\n\0\r\n$0\r\n\r\n$10\r\n0123456789\r\n";
    tw_redis_command command = {args, 4};
    char out[128];
    (void)state;
    assert_int_equal(tw__resp_command_size(&command), sizeof expected - 1);
    assert_ptr_equal(tw__resp_command_write(out, &command),
                     out + sizeof expected - 1);
    assert_memory_equal(out, expected, sizeof expected - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(values_come_out_as_they_went_in),
        CASE(they_do_byte_by_byte),
        CASE(they_do_at_every_split),
        CASE(a_half_value_is_no_value),
        CASE(what_is_no_resp_is_a_fault_for_good),
        CASE(a_string_is_refused_by_its_length),
        CASE(an_array_is_refused_by_its_count),
        CASE(nesting_ends),
        CASE(many_arrays_in_arrays_count_together),
        CASE(a_line_without_an_end_is_refused),
        CASE(values_that_are_dropped_make_room),
        CASE(every_allocation_may_fail),
        CASE(garbage_ends_in_a_fault_or_in_values),
        CASE(a_command_is_an_array_of_bulk_strings),
#undef CASE
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
