/* Bytes as text and back. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <tidewire/errors.h>

#include "../crypto/base64.h"

/* In blocks of just their size, for the sanitizer. */
static char *encoded(twl_base64 kind, const void *data, size_t len) {
    char *out = malloc(twl_base64_encoded_max(len) + 1);
    assert_non_null(out);
    size_t size = twl_base64_encode(kind, data, len, out);
    assert_true(size <= twl_base64_encoded_max(len));
    out[size] = '\0';
    return out;
}

static int decode(twl_base64 kind, const char *text, size_t len, uint8_t *out,
                  size_t *size) {
    char *in = malloc(len + 1);
    uint8_t *room = malloc(twl_base64_decoded_max(len) + 1);
    assert_true(in && room);
    memcpy(in, text, len);
    int err = twl_base64_decode(kind, in, len, room, size);
    if (err == 0) {
        assert_true(*size <= twl_base64_decoded_max(len));
        memcpy(out, room, *size);
    }
    free(room);
    free(in);
    return err;
}

static void the_texts_of_rfc_4648_go_both_ways(void **state) {
    (void)state;
    static const char *const PAIRS[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        uint8_t bytes[16];
        size_t size = 99, len = strlen(PAIRS[i][0]);
        char *text = encoded(TWL_BASE64, PAIRS[i][0], len);
        assert_string_equal(text, PAIRS[i][1]);
        assert_int_equal(decode(TWL_BASE64, text, strlen(text), bytes, &size),
                         0);
        assert_int_equal(size, len);
        assert_memory_equal(bytes, PAIRS[i][0], len);
        free(text);
    }
}

static void each_kind_has_its_own_last_two_letters(void **state) {
    (void)state;
    static const uint8_t data[] = {0xfb, 0xef, 0xff, 0xfe};
    uint8_t bytes[4];
    size_t size;
    char *plain = encoded(TWL_BASE64, data, sizeof data);
    char *url = encoded(TWL_BASE64URL, data, sizeof data);
    assert_string_equal(plain, "++///g==");
    assert_string_equal(url, "--__"
                             "_g");
    assert_int_equal(decode(TWL_BASE64, plain, 8, bytes, &size), 0);
    assert_memory_equal(bytes, data, 4);
    assert_int_equal(decode(TWL_BASE64URL, url, 6, bytes, &size), 0);
    assert_memory_equal(bytes, data, 4);
    assert_int_equal(decode(TWL_BASE64URL, "++//", 4, bytes, &size),
                     TW_EINVALID);
    assert_int_equal(decode(TWL_BASE64, "--__", 4, bytes, &size), TW_EINVALID);
    free(url);
    free(plain);
}

static void every_length_and_byte_comes_back(void **state) {
    (void)state;
    uint8_t data[256], bytes[300];
    for (int i = 0; i < 256; i++) {
        data[i] = (uint8_t)(i * 7);
    }
    for (size_t len = 0; len <= sizeof data; len++) {
        for (int kind = TWL_BASE64; kind <= TWL_BASE64URL_LENIENT; kind++) {
            size_t size;
            char *text = encoded((twl_base64)kind, data, len);
            assert_int_equal(
                decode((twl_base64)kind, text, strlen(text), bytes, &size), 0);
            assert_int_equal(size, len);
            assert_memory_equal(bytes, data, len);
            free(text);
        }
    }
}

typedef struct bad {
    twl_base64 kind;
    const char *text;
} bad;

static void what_is_not_quite_base64_is_refused(void **state) {
    (void)state;
    static const bad BAD[] = {{TWL_BASE64, "Zg"},
                              {TWL_BASE64, "Zg="},
                              {TWL_BASE64, "Zg==="},
                              {TWL_BASE64, "Zg=a"},
                              {TWL_BASE64, "Z==="},
                              {TWL_BASE64, "===="},
                              {TWL_BASE64, "Zm9v\n"},
                              {TWL_BASE64, "Zm 9v"},
                              {TWL_BASE64, "Zm9v===="},
                              {TWL_BASE64, "Zh=="},
                              {TWL_BASE64, "Zm9="},
                              {TWL_BASE64, "Zm9\x80"},
                              {TWL_BASE64URL, "Zg=="},
                              {TWL_BASE64URL, "Zm8="},
                              {TWL_BASE64URL, "Z"},
                              {TWL_BASE64URL, "Zm9vY"},
                              {TWL_BASE64URL, "Zh"},
                              {TWL_BASE64URL, "Zm9"},
                              {TWL_BASE64URL, "Zm.v"},
                              {TWL_BASE64URL, "Zm9v="},
                              {TWL_BASE64URL, "Zm\xff"},
                              {TWL_BASE64URL_LENIENT, "Zg="},
                              {TWL_BASE64URL_LENIENT, "Zm9v="},
                              {TWL_BASE64URL_LENIENT, "="},
                              {TWL_BASE64URL_LENIENT, "Zg==Zg=="}};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        uint8_t bytes[16];
        size_t size = 77;
        if (decode(BAD[i].kind, BAD[i].text, strlen(BAD[i].text), bytes,
                   &size) != TW_EINVALID) {
            fail_msg("taken: %s", BAD[i].text);
        }
        assert_int_equal(size, 77);
    }
    uint8_t bytes[4];
    size_t size;
    assert_int_equal(decode(TWL_BASE64, "Zm9\0", 4, bytes, &size), TW_EINVALID);
}

static void the_lenient_kind_takes_padding_or_none(void **state) {
    (void)state;
    uint8_t bytes[8];
    size_t size;
    assert_int_equal(decode(TWL_BASE64URL_LENIENT, "Zg==", 4, bytes, &size), 0);
    assert_int_equal(size, 1);
    assert_int_equal(decode(TWL_BASE64URL_LENIENT, "Zg", 2, bytes, &size), 0);
    assert_int_equal(size, 1);
    assert_int_equal(decode(TWL_BASE64URL_LENIENT, "Zm8=", 4, bytes, &size), 0);
    assert_int_equal(size, 2);
}

static void hex_goes_both_ways(void **state) {
    (void)state;
    char text[8];
    uint8_t bytes[4];
    twl_hex_encode("\x00\x9f\xaf\xff", 4, text);
    assert_memory_equal(text, "009fafff", 8);
    assert_int_equal(twl_hex_decode("009FaFff", 8, bytes), 0);
    assert_memory_equal(bytes, "\x00\x9f\xaf\xff", 4);
    assert_int_equal(twl_hex_decode("", 0, bytes), 0);
    static const char *const BAD[] = {"0",   "0g", "g0", "0x", " 0",
                                      "00a", "/0", ":0", "@0", "`0"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_int_equal(twl_hex_decode(BAD[i], strlen(BAD[i]), bytes),
                         TW_EINVALID);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_texts_of_rfc_4648_go_both_ways),
        cmocka_unit_test(each_kind_has_its_own_last_two_letters),
        cmocka_unit_test(every_length_and_byte_comes_back),
        cmocka_unit_test(what_is_not_quite_base64_is_refused),
        cmocka_unit_test(the_lenient_kind_takes_padding_or_none),
        cmocka_unit_test(hex_goes_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
