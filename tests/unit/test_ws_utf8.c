/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ws/utf8.h"

static size_t encode(uint32_t c, uint8_t out[4]) {
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (uint8_t)(0xC0 | c >> 6);
        out[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (uint8_t)(0xE0 | c >> 12);
        out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | c >> 18);
    out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}

static bool is_scalar(uint32_t c) {
    return c < 0xD800 || (c > 0xDFFF && c <= 0x10FFFF);
}

static void every_character_is_valid_whole_and_byte_by_byte(void **state) {
    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        uint8_t text[4];
        size_t len = encode(c, text);
        tw__utf8_state now = 0;
        bool ok = true;
        for (size_t i = 0; i < len && ok; i++) {
            ok = tw__utf8_feed(&now, text + i, 1);
            ok = ok && tw__utf8_is_whole(now) == (i + 1 == len);
        }
        assert_int_equal(tw__utf8_valid(text, len), is_scalar(c));
        assert_int_equal(ok, is_scalar(c));
    }
}

/* Marks what can still become, or is, one valid character. */
static void mark_prefixes(uint8_t *first, uint8_t *second, uint8_t *third) {
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        uint8_t b[4];
        size_t len = is_scalar(c) ? encode(c, b) : 0;
        if (len > 0) {
            first[b[0]] = 1;
        }
        if (len > 1) {
            second[b[0] << 8 | b[1]] = 1;
        }
        if (len > 2) {
            third[b[0] << 16 | b[1] << 8 | b[2]] = 1;
        }
    }
}

static bool feeds(const uint8_t *text, size_t len) {
    tw__utf8_state now = 0;
    return tw__utf8_feed(&now, text, len);
}

/* All strings of one to three bytes that begin with a byte above 7F, and those
 * of four which can be a character: accepted if and only if some continuation
 * is valid. */
static void a_text_fails_at_the_first_byte_that_no_end_can_mend(void **state) {
    (void)state;
    static uint8_t first[256], second[65536];
    uint8_t *third = calloc(1, 1 << 24);
    assert_non_null(third);
    mark_prefixes(first, second, third);
    size_t wrong = 0;
    for (uint32_t a = 0x80; a < 0x100; a++) {
        uint8_t text[4] = {(uint8_t)a};
        wrong += feeds(text, 1) != first[a];
        for (uint32_t b = 0; first[a] && b < 0x100; b++) {
            uint32_t ab = a << 8 | b;
            text[1] = (uint8_t)b;
            wrong += feeds(text, 2) != second[ab];
            for (uint32_t c = 0; a >= 0xE0 && second[ab] && c < 0x100; c++) {
                uint32_t abc = ab << 8 | c;
                text[2] = (uint8_t)c;
                wrong += feeds(text, 3) != third[abc];
                for (uint32_t d = 0; a >= 0xF0 && third[abc] && d < 0x100;
                     d++) {
                    text[3] = (uint8_t)d;
                    wrong += feeds(text, 4) != (d >= 0x80 && d <= 0xBF);
                }
            }
        }
    }
    free(third);
    assert_int_equal(wrong, 0);
}

static void assert_fails_at(const char *text, size_t at) {
    tw__utf8_state now = 0;
    for (size_t i = 0; i < at; i++) {
        assert_true(tw__utf8_feed(&now, (const uint8_t *)text + i, 1));
    }
    assert_false(tw__utf8_feed(&now, (const uint8_t *)text + at, 1));
    assert_false(tw__utf8_valid((const uint8_t *)text, strlen(text)));
}

static void the_known_bad_beginnings_fail_early(void **state) {
    (void)state;
    assert_fails_at("\xC0\x80", 0);             /* overlong NUL */
    assert_fails_at("\xC1\xBF", 0);             /* overlong DEL */
    assert_fails_at("\xE0\x9F\xBF", 1);         /* overlong U+07FF */
    assert_fails_at("\xED\xA0\x80", 1);         /* first surrogate */
    assert_fails_at("\xED\xBF\xBF", 1);         /* last surrogate */
    assert_fails_at("\xF0\x8F\xBF\xBF", 1);     /* overlong U+FFFF */
    assert_fails_at("\xF4\x90\x80\x80", 1);     /* U+110000 */
    assert_fails_at("\xF5\x80\x80\x80", 0);     /* above all planes */
    assert_fails_at("\xF8\x88\x80\x80\x80", 0); /* five bytes */
    assert_fails_at("\xFE", 0);
    assert_fails_at("\xFF", 0);
    assert_fails_at("\x80", 0);      /* lone continuation */
    assert_fails_at("\xC3(", 1);     /* continuation missing */
    assert_fails_at("\xE2\x82(", 2); /* the same, later */
    assert_fails_at("\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0",
                    12); /* Autobahn 6.4 */
}

static void a_text_cut_inside_a_character_is_not_whole(void **state) {
    (void)state;
    const char *chars[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8C\x8A"};
    for (size_t i = 0; i < 3; i++) {
        const uint8_t *text = (const uint8_t *)chars[i];
        for (size_t len = 1; len < strlen(chars[i]); len++) {
            tw__utf8_state now = 0;
            assert_true(tw__utf8_feed(&now, text, len));
            assert_false(tw__utf8_is_whole(now));
            assert_false(tw__utf8_valid(text, len));
        }
    }
}

/* The word-wise ways must see a bad byte, and a character, at every place. */
static void position_and_alignment_do_not_matter(void **state) {
    (void)state;
    for (size_t len = 0; len < 80; len++) {
        uint8_t *text = malloc(len + 1);
        assert_non_null(text);
        memset(text, 'a', len + 1);
        assert_true(tw__utf8_valid(text, len));
        for (size_t at = 0; at < len; at++) {
            text[at] = 0xFF;
            assert_false(tw__utf8_valid(text, len));
            text[at] = 'a';
            if (at + 3 <= len) {
                memcpy(text + at, "\xE2\x82\xAC", 3);
                assert_true(tw__utf8_valid(text, len));
                assert_false(tw__utf8_valid(text, at + 2));
                memset(text + at, 'a', 3);
            }
        }
        free(text);
    }
}

static size_t random_text(uint8_t *text, size_t size) {
    size_t len = 0;
    while (len + 4 <= size) {
        uint32_t c = (uint32_t)rand() % (rand() % 2   ? 0x80
                                         : rand() % 2 ? 0x3000
                                                      : 0x110000);
        len += is_scalar(c) ? encode(c, text + len) : 0;
    }
    return len;
}

static void the_cut_into_pieces_does_not_matter(void **state) {
    (void)state;
    srand(1);
    for (int run = 0; run < 3000; run++) {
        uint8_t text[200];
        size_t len = random_text(text, 4 + (size_t)rand() % 196);
        bool spoiled = len > 0 && run % 2;
        if (spoiled) {
            text[(size_t)rand() % len] = (uint8_t)rand();
        }
        tw__utf8_state now = 0;
        bool ok = true;
        for (size_t at = 0; at < len && ok;) {
            size_t step = 1 + (size_t)rand() % 20;
            step = step < len - at ? step : len - at;
            ok = tw__utf8_feed(&now, text + at, step);
            at += step;
        }
        ok = ok && tw__utf8_is_whole(now);
        assert_int_equal(ok, tw__utf8_valid(text, len));
        assert_true(ok || spoiled);
    }
}

static void the_empty_text_is_valid(void **state) {
    (void)state;
    tw__utf8_state now = 0;
    assert_true(tw__utf8_valid(NULL, 0));
    assert_true(tw__utf8_feed(&now, NULL, 0));
    assert_true(tw__utf8_is_whole(now));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_valid_whole_and_byte_by_byte),
        cmocka_unit_test(a_text_fails_at_the_first_byte_that_no_end_can_mend),
        cmocka_unit_test(the_known_bad_beginnings_fail_early),
        cmocka_unit_test(a_text_cut_inside_a_character_is_not_whole),
        cmocka_unit_test(position_and_alignment_do_not_matter),
        cmocka_unit_test(the_cut_into_pieces_does_not_matter),
        cmocka_unit_test(the_empty_text_is_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
