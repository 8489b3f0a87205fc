/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <string.h>

#include "tidewire/errors.h"
#include "ws/close.h"

/* Written as a list on purpose, apart from the ranges in the code. */
static bool is_listed(int code) {
    switch (code) {
    case 1000:
    case 1001:
    case 1002:
    case 1003:
    case 1007:
    case 1008:
    case 1009:
    case 1010:
    case 1011:
    case 1012:
    case 1013:
    case 1014:
        return true;
    default:
        return code / 1000 == 3 || code / 1000 == 4;
    }
}

static bool parse_code(int code, tw__ws_close *close, tw__ws_error *error) {
    uint8_t body[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    return tw__ws_close_parse(body, 2, close, error);
}

static void exactly_the_listed_codes_may_be_received(void **state) {
    (void)state;
    for (int code = 0; code < 65536; code++) {
        tw__ws_close close = {0};
        tw__ws_error error = {0};
        assert_int_equal(tw__ws_close_is_receivable(code), is_listed(code));
        assert_int_equal(parse_code(code, &close, &error), is_listed(code));
        assert_int_equal(close.code, is_listed(code) ? code : 0);
        assert_int_equal(error.code, is_listed(code) ? 0 : 1002);
    }
    assert_false(tw__ws_close_is_receivable(-1));
}

static void a_server_may_send_them_all_but_1010(void **state) {
    (void)state;
    for (int code = -1; code < 66000; code++) {
        assert_int_equal(tw__ws_close_is_sendable(code),
                         is_listed(code) && code != 1010);
    }
}

static void an_empty_body_reads_as_1005(void **state) {
    (void)state;
    tw__ws_close close;
    tw__ws_error error;
    assert_true(tw__ws_close_parse(NULL, 0, &close, &error));
    assert_int_equal(close.code, 1005);
    assert_non_null(close.reason);
    assert_int_equal(close.reason_len, 0);
}

static void a_body_of_one_byte_or_over_125_is_a_protocol_error(void **state) {
    (void)state;
    uint8_t body[126] = {0x03, 0xe8};
    tw__ws_close close;
    tw__ws_error error = {0};
    assert_false(tw__ws_close_parse(body, 1, &close, &error));
    assert_int_equal(error.code, 1002);
    assert_string_equal(error.reason, "malformed close frame");
    error.code = 0;
    assert_false(tw__ws_close_parse(body, 126, &close, &error));
    assert_int_equal(error.code, 1002);
    memset(body + 2, 'r', 123);
    assert_true(tw__ws_close_parse(body, 125, &close, &error));
    assert_int_equal(close.reason_len, 123);
}

static void a_reason_that_is_not_utf8_is_bad_data(void **state) {
    (void)state;
    const uint8_t cut[] = {0x03, 0xe8, 'b', 'y', 0xE2, 0x82};
    tw__ws_close close;
    tw__ws_error error = {0};
    assert_false(tw__ws_close_parse(cut, 6, &close, &error));
    assert_int_equal(error.code, 1007);
    assert_true(tw__ws_close_parse(cut, 4, &close, &error));
    assert_memory_equal(close.reason, "by", 2);
}

static void what_is_built_reads_back(void **state) {
    (void)state;
    uint8_t body[TW__WS_CLOSE_BODY_MAX];
    size_t len = 0;
    tw__ws_close close;
    tw__ws_error error;
    assert_int_equal(tw__ws_close_build(4001, "wróć", 6, body, &len), 0);
    assert_int_equal(len, 8);
    assert_memory_equal(body, "\x0f\xa1wr\xc3\xb3\xc4\x87", 8);
    assert_true(tw__ws_close_parse(body, len, &close, &error));
    assert_int_equal(close.code, 4001);
    assert_int_equal(close.reason_len, 6);
    assert_int_equal(tw__ws_close_build(1000, NULL, 0, body, &len), 0);
    assert_int_equal(len, 2);
    assert_int_equal(tw__ws_close_build(1005, NULL, 0, body, &len), 0);
    assert_int_equal(len, 0);
}

static void what_may_not_be_sent_is_not_built(void **state) {
    (void)state;
    char reason[124];
    uint8_t body[TW__WS_CLOSE_BODY_MAX];
    size_t len = 77;
    memset(reason, 'r', sizeof reason);
    assert_int_equal(tw__ws_close_build(1000, reason, 123, body, &len), 0);
    assert_int_equal(len, 125);
    len = 77;
    const int codes[] = {0, 999, 1004, 1006, 1015, 1016, 2999, 5000};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        assert_int_equal(tw__ws_close_build(codes[i], "", 0, body, &len),
                         TW_EINVALID);
    }
    assert_int_equal(tw__ws_close_build(1000, reason, 124, body, &len),
                     TW_EINVALID);
    assert_int_equal(tw__ws_close_build(1000, "\xff", 1, body, &len),
                     TW_EINVALID);
    assert_int_equal(tw__ws_close_build(1005, "why", 3, body, &len),
                     TW_EINVALID);
    assert_int_equal(len, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_listed_codes_may_be_received),
        cmocka_unit_test(a_server_may_send_them_all_but_1010),
        cmocka_unit_test(an_empty_body_reads_as_1005),
        cmocka_unit_test(a_body_of_one_byte_or_over_125_is_a_protocol_error),
        cmocka_unit_test(a_reason_that_is_not_utf8_is_bad_data),
        cmocka_unit_test(what_is_built_reads_back),
        cmocka_unit_test(what_may_not_be_sent_is_not_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
