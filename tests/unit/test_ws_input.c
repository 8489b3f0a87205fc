/* What comes out of which bytes: every case is fed whole, byte by byte and in
 * random pieces (ws_probe.h). SPDX-License-Identifier: MIT */
#include "ws_probe.h"

#define TEXT (FIN | TW__WS_TEXT)
#define BINARY (FIN | TW__WS_BINARY)
#define CLOSE (FIN | TW__WS_CLOSE)
#define PING (FIN | TW__WS_PING)
#define PONG (FIN | TW__WS_PONG)
#define MAX 100000

/* Expects and frees. */
static void gives(wire *w, const char *log) {
    expect(w, MAX, log, 0, NULL);
    wire_free(w);
}

static void fails(wire *w, const char *log, int code, const char *reason) {
    expect(w, MAX, log, code, reason);
    wire_free(w);
}

static void the_masked_hello_of_rfc_5_7_is_a_text(void **state) {
    (void)state;
    wire w = {0};
    wire_add(&w, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    gives(&w, "text(Hello) ");
}

static void the_masked_pong_of_rfc_5_7_is_a_pong(void **state) {
    (void)state;
    wire w = {0};
    wire_add(&w, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    gives(&w, "pong(Hello) ");
}

static void the_fragments_of_rfc_5_7_are_one_text(void **state) {
    (void)state;
    wire w = {0};
    wire_text(&w, TW__WS_TEXT, "Hel");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "lo");
    gives(&w, "text(Hello) ");
}

static void messages_keep_their_order_and_kind(void **state) {
    (void)state;
    wire w = {0};
    wire_text(&w, TEXT, "one");
    wire_text(&w, BINARY, "two");
    wire_text(&w, PING, "three");
    wire_text(&w, PONG, "");
    wire_text(&w, TEXT, "four");
    gives(&w, "text(one) binary(two) ping(three) pong() text(four) ");
}

static void an_empty_message_is_a_message(void **state) {
    (void)state;
    wire w = {0};
    wire_text(&w, TEXT, "");
    wire_text(&w, BINARY, "");
    gives(&w, "text() binary() ");
}

static void empty_fragments_are_legal_everywhere(void **state) {
    (void)state;
    wire w = {0};
    wire_text(&w, TW__WS_TEXT, "");
    wire_text(&w, TW__WS_CONTINUATION, "");
    wire_text(&w, TW__WS_CONTINUATION, "middle");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "");
    wire_text(&w, TW__WS_BINARY, "");
    wire_text(&w, TW__WS_CONTINUATION, "");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "");
    gives(&w, "text(middle) binary() ");
}

static void control_frames_may_stand_between_fragments(void **state) {
    (void)state;
    wire w = {0};
    wire_text(&w, TW__WS_TEXT, "a");
    wire_text(&w, PING, "1");
    wire_text(&w, TW__WS_CONTINUATION, "b");
    wire_text(&w, PONG, "2");
    wire_text(&w, PING, "");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "c");
    wire_text(&w, BINARY, "d");
    gives(&w, "ping(1) pong(2) ping() text(abc) binary(d) ");
}

static void a_full_control_frame_is_taken(void **state) {
    (void)state;
    char data[125];
    memset(data, 'p', sizeof data);
    wire w = {0};
    wire_frame(&w, TW__WS_BINARY, data, 3);
    wire_frame(&w, PING, data, 125);
    wire_frame(&w, FIN | TW__WS_CONTINUATION, data, 1);
    wire_frame(&w, PONG, data, 125);
    probe p;
    probe_init(&p, MAX);
    note(&p, "ping", data, 125);
    note(&p, "binary", data, 4);
    note(&p, "pong", data, 125);
    expect(&w, 4, p.log, 0, NULL);
    probe_deinit(&p);
    wire_free(&w);
}

static void every_length_arrives_unharmed(void **state) {
    (void)state;
    const size_t lengths[] = {0,    1,     2,     3,     4,     5,     7,
                              8,    9,     31,    32,    33,    63,    64,
                              65,   124,   125,   126,   127,   128,   255,
                              256,  4085,  4086,  4087,  4095,  4096,  4097,
                              8192, 16384, 65534, 65535, 65536, 65537, 100000};
    uint8_t *data = malloc(MAX);
    assert_non_null(data);
    for (size_t i = 0; i < MAX; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
    }
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        probe p;
        wire w = {0};
        probe_init(&p, MAX);
        note(&p, "binary", data, lengths[i]);
        note(&p, "text", "then", 4);
        wire_frame(&w, BINARY, data, lengths[i]);
        wire_text(&w, TEXT, "then");
        gives(&w, p.log);
        probe_deinit(&p);
    }
    free(data);
}

static void a_long_text_may_end_a_piece_inside_a_character(void **state) {
    (void)state;
    probe p;
    wire text = {0}, w = {0};
    while (text.len < 9000) {
        wire_add(&text, "z\xC5\xBC\xE2\x82\xAC\xF0\x9F\x8C\x8A", 10);
    }
    probe_init(&p, MAX);
    note(&p, "text", text.data, text.len);
    wire_frame(&w, TEXT, text.data, text.len);
    gives(&w, p.log);
    /* The same in fragments of one byte. */
    wire_frame(&w, TW__WS_TEXT, text.data, 1);
    for (size_t i = 1; i < text.len; i++) {
        int fin = i + 1 == text.len ? FIN : 0;
        wire_frame(&w, fin | TW__WS_CONTINUATION, text.data + i, 1);
    }
    gives(&w, p.log);
    probe_deinit(&p);
    wire_free(&text);
}

static void many_tiny_fragments_are_one_message(void **state) {
    (void)state;
    probe p;
    wire body = {0}, w = {0};
    for (int i = 0; i < 1500; i++) {
        char piece[64];
        memset(piece, 'a' + i % 26, sizeof piece);
        wire_add(&body, piece, sizeof piece);
        wire_frame(&w,
                   i == 0      ? TW__WS_BINARY
                   : i == 1499 ? FIN | TW__WS_CONTINUATION
                               : TW__WS_CONTINUATION,
                   piece, sizeof piece);
    }
    probe_init(&p, MAX);
    note(&p, "binary", body.data, body.len);
    gives(&w, p.log);
    probe_deinit(&p);
    wire_free(&body);
}

static void a_continuation_needs_a_start(void **state) {
    (void)state;
    const int first[] = {TW__WS_CONTINUATION, FIN | TW__WS_CONTINUATION};
    for (int i = 0; i < 2; i++) {
        wire w = {0};
        wire_text(&w, TEXT, "a");
        wire_text(&w, first[i], "b");
        fails(&w, "text(a) ", 1002, "fragment without start");
    }
    wire w = {0};
    wire_text(&w, TW__WS_TEXT, "a");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "b");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "c");
    fails(&w, "text(ab) ", 1002, "fragment without start");
}

static void a_message_may_not_begin_inside_another(void **state) {
    (void)state;
    const int first[] = {TW__WS_TEXT, TEXT, TW__WS_BINARY, BINARY};
    for (int i = 0; i < 4; i++) {
        wire w = {0};
        wire_text(&w, TW__WS_TEXT, "a");
        wire_text(&w, PING, "p");
        wire_text(&w, first[i], "b");
        fails(&w, "ping(p) ", 1002, "message inside a message");
    }
}

static void what_came_before_a_bad_frame_is_delivered(void **state) {
    (void)state;
    const struct {
        const char *bytes;
        size_t len;
        const char *reason;
    } bad[] = {
        {"\xc1\x80\1\2\3\4", 6, "reserved bit set"},
        {"\xd9\x80\1\2\3\4", 6, "reserved bit set"},
        {"\x83\x80\1\2\3\4", 6, "reserved opcode"},
        {"\x8b\x80\1\2\3\4", 6, "reserved opcode"},
        {"\x81\x01z", 3, "masked frame required"},
        {"\x09\x80\1\2\3\4", 6, "fragmented control frame"},
        {"\x89\xfe\x00\x7e\1\2\3\4", 8, "control frame too long"},
        {"\x81\xfe\x00\x05\1\2\3\4", 8, "frame length not minimal"},
        {"\x81\xff\0\0\0\0\0\0\xff\xff\1\2\3\4", 14,
         "frame length not minimal"},
        {"\x81\xff\x80\0\0\0\0\0\0\0\1\2\3\4", 14, "frame length out of range"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wire w = {0};
        wire_text(&w, TEXT, "good");
        wire_add(&w, bad[i].bytes, bad[i].len);
        wire_text(&w, TEXT, "never");
        fails(&w, "text(good) ", 1002, bad[i].reason);
        wire_text(&w, TW__WS_TEXT, "half");
        wire_add(&w, bad[i].bytes, bad[i].len);
        fails(&w, "", 1002, bad[i].reason);
    }
}

static void a_message_may_be_as_long_as_the_limit_and_no_longer(void **state) {
    (void)state;
    const size_t limits[] = {1, 125, 126, 127, 4086, 5000, 65535, 65536};
    uint8_t *data = calloc(1, 65537);
    assert_non_null(data);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        for (size_t more = 0; more < 3; more++) {
            size_t len = limits[i] - 1 + more;
            wire w = {0};
            wire_frame(&w, BINARY, data, len);
            expect(&w, limits[i], NULL, more == 2 ? 1009 : 0,
                   more == 2 ? "message too big" : NULL);
            wire_free(&w);
        }
    }
    free(data);
}

static void the_limit_counts_all_fragments(void **state) {
    (void)state;
    for (size_t more = 0; more < 3; more++) {
        uint8_t data[10] = {0};
        wire w = {0};
        wire_frame(&w, TW__WS_BINARY, data, 4);
        wire_frame(&w, PING, data, 10);
        wire_frame(&w, TW__WS_CONTINUATION, data, 4);
        wire_frame(&w, FIN | TW__WS_CONTINUATION, data, 1 + more);
        expect(&w, 10, NULL, more == 2 ? 1009 : 0, NULL);
        wire_free(&w);
    }
}

static void a_limit_of_zero_allows_empty_messages(void **state) {
    (void)state;
    wire w = {0};
    wire_text(&w, TEXT, "");
    wire_text(&w, PING, "still");
    expect(&w, 0, "text() ping(still) ", 0, NULL);
    wire_text(&w, TEXT, "x");
    expect(&w, 0, "text() ping(still) ", 1009, "message too big");
    wire_free(&w);
}

static void bad_utf8_fails_a_text_and_not_a_binary(void **state) {
    (void)state;
    wire w = {0};
    wire_text(&w, BINARY, "\xff");
    wire_text(&w, TEXT, "ok \xC0\x80");
    fails(&w, "binary(\xff) ", 1007, "text is not UTF-8");
    wire_text(&w, TW__WS_BINARY, "\xff");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "\xfe");
    gives(&w, "binary(\xff\xfe) ");
}

static void a_text_may_not_end_inside_a_character(void **state) {
    (void)state;
    wire w = {0};
    wire_text(&w, TEXT, "cut \xE2\x82");
    fails(&w, "", 1007, "text is not UTF-8");
    wire_text(&w, TW__WS_TEXT, "cut \xE2");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "\x82");
    fails(&w, "", 1007, "text is not UTF-8");
    wire_text(&w, TW__WS_TEXT, "cut \xE2");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "");
    fails(&w, "", 1007, "text is not UTF-8");
}

static void fragments_may_cut_characters(void **state) {
    (void)state;
    wire w = {0};
    wire_text(&w, TW__WS_TEXT, "\xF0");
    wire_text(&w, TW__WS_CONTINUATION, "\x9F\x8C");
    wire_text(&w, PING, "\xff");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "\x8A");
    gives(&w, "ping(\xff) text(\xF0\x9F\x8C\x8A) ");
}

/* How many bytes of `w` it takes to see the failure, one by one. */
static size_t fails_after(const wire *w, int code) {
    probe p;
    size_t at = 0;
    probe_init(&p, MAX);
    while (at < w->len && p.status == TW__WS_MORE) {
        probe_feed(&p, w->data + at++, 1);
    }
    assert_int_equal(p.status, TW__WS_FAILED);
    assert_int_equal(p.error.code, code);
    probe_deinit(&p);
    return at;
}

static void
bad_utf8_fails_in_mid_frame_at_the_byte_that_shows_it(void **state) {
    (void)state;
    wire w = {0};
    /* Autobahn 6.4.1 and 6.4.2, a surrogate and a value too large. */
    wire_text(&w, TW__WS_TEXT, "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5");
    size_t start = w.len + 6;
    wire_text(&w, TW__WS_CONTINUATION, "\xF4\x90\x80\x80 and more");
    assert_int_equal(fails_after(&w, 1007), start + 2);
    wire_free(&w);
    wire_text(&w, TEXT, "abc\xED\xA0\x80 and more");
    assert_int_equal(fails_after(&w, 1007), 6 + 5);
    wire_free(&w);
    wire_text(&w, TEXT, "\xC1 and more");
    assert_int_equal(fails_after(&w, 1007), 6 + 1);
    wire_free(&w);
}

static void a_bad_header_fails_at_the_byte_that_shows_it(void **state) {
    (void)state;
    wire w = {0};
    wire_text(&w, TEXT, "a");
    size_t start = w.len;
    wire_add(&w, "\x84\x80\1\2\3\4", 6);
    assert_int_equal(fails_after(&w, 1002), start + 1);
    wire_free(&w);
    wire_add(&w, "\x81\x05Hello", 7);
    assert_int_equal(fails_after(&w, 1002), 2);
    wire_free(&w);
    wire_head(&w, BINARY, MAX + 1, 8);
    wire_add(&w, "payload", 7);
    assert_int_equal(fails_after(&w, 1009), 14);
    wire_free(&w);
}

static void a_close_gives_its_code_and_reason_and_ends_all(void **state) {
    (void)state;
    wire w = {0};
    wire_frame(&w, CLOSE,
               "\x03\xe8"
               "bye",
               5);
    wire_text(&w, TEXT, "never");
    wire_add(&w, "\xff\xff\xff", 3);
    gives(&w, "close:1000(bye) ");
    wire_frame(&w, CLOSE, "", 0);
    gives(&w, "close:1005() ");
    wire_frame(&w, CLOSE, "\x0f\xa0", 2);
    gives(&w, "close:4000() ");
}

static void a_close_may_interrupt_a_message(void **state) {
    (void)state;
    wire w = {0};
    wire_text(&w, TW__WS_TEXT, "half");
    wire_frame(&w, CLOSE, "\x03\xe9", 2);
    wire_text(&w, FIN | TW__WS_CONTINUATION, "rest");
    gives(&w, "close:1001() ");
}

static void close_codes_and_reasons_are_checked(void **state) {
    (void)state;
    const int good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                        1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
    const int bad[] = {0,    999,  1004, 1005, 1006, 1015,
                       1016, 1100, 2000, 2999, 5000, 65535};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char log[32];
        uint8_t body[2] = {(uint8_t)(good[i] >> 8), (uint8_t)good[i]};
        wire w = {0};
        wire_frame(&w, CLOSE, body, 2);
        snprintf(log, sizeof log, "close:%d() ", good[i]);
        gives(&w, log);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t body[2] = {(uint8_t)(bad[i] >> 8), (uint8_t)bad[i]};
        wire w = {0};
        wire_frame(&w, CLOSE, body, 2);
        fails(&w, "", 1002, "invalid close code");
    }
    wire w = {0};
    wire_frame(&w, CLOSE, "\x03", 1);
    fails(&w, "", 1002, "malformed close frame");
    wire_frame(&w, CLOSE, "\x03\xe8\xE2\x82", 4);
    fails(&w, "", 1007, "close reason is not UTF-8");
    wire_frame(&w, CLOSE, "\x03\xe8\xE2\x82\xAC", 5);
    gives(&w, "close:1000(\xE2\x82\xAC) ");
}

static void the_longest_close_reason_is_taken(void **state) {
    (void)state;
    uint8_t body[125] = {0x03, 0xe8};
    memset(body + 2, 'r', 123);
    wire w = {0};
    wire_frame(&w, CLOSE, body, 125);
    probe p;
    probe_init(&p, MAX);
    note(&p, "close:1000", body + 2, 123);
    gives(&w, p.log);
    probe_deinit(&p);
}

/* A random mixture of legal frames, now and then spoiled in one byte: pieces
 * must make no difference to what comes out and how it ends. */
static void random_frame(wire *w, bool *is_open) {
    uint8_t data[5000];
    size_t len = rand() % 8 ? (size_t)rand() % 140 : (size_t)rand() % 5000;
    int kind = rand() % 6;
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)('a' + rand() % 26);
    }
    if (kind == 0) {
        wire_frame(w, rand() % 2 ? PING : PONG, data, len % 126);
        return;
    }
    int fin = kind < 4 ? FIN : 0;
    int opcode = *is_open ? TW__WS_CONTINUATION : 1 + rand() % 2;
    wire_frame(w, fin | opcode, data, len);
    *is_open = fin == 0;
}

static void random_traffic_does_not_depend_on_its_pieces(void **state) {
    (void)state;
    for (unsigned seed = 0; seed < 150; seed++) {
        wire w = {0};
        bool is_open = false;
        probe p;
        srand(seed);
        for (int i = 0; i < 20; i++) {
            random_frame(&w, &is_open);
        }
        if (seed % 3 == 0) {
            w.data[(size_t)rand() % w.len] ^= (uint8_t)(1 << rand() % 8);
        }
        probe_init(&p, MAX);
        probe_feed_all(&p, &w, w.len);
        if (seed % 3 != 0) {
            assert_int_equal(p.status, TW__WS_MORE);
        }
        expect(&w, MAX, p.log, p.error.code, p.error.reason);
        probe_deinit(&p);
        wire_free(&w);
    }
}

static void random_bytes_do_no_harm(void **state) {
    (void)state;
    for (unsigned seed = 0; seed < 500; seed++) {
        wire w = {0};
        srand(seed);
        for (int i = 0; i < 60; i++) {
            /* Mostly plausible first bytes, or all would fail at once. */
            uint8_t byte = (uint8_t)rand();
            wire_add(&w,
                     i % 7 == 0   ? (const uint8_t *)"\x81"
                     : i % 7 == 1 ? (const uint8_t *)"\x81"
                                  : &byte,
                     1);
        }
        probe p;
        probe_init(&p, MAX);
        probe_feed_all(&p, &w, w.len);
        expect(&w, MAX, p.log, p.error.code, p.error.reason);
        probe_deinit(&p);
        wire_free(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_masked_hello_of_rfc_5_7_is_a_text),
        cmocka_unit_test(the_masked_pong_of_rfc_5_7_is_a_pong),
        cmocka_unit_test(the_fragments_of_rfc_5_7_are_one_text),
        cmocka_unit_test(messages_keep_their_order_and_kind),
        cmocka_unit_test(an_empty_message_is_a_message),
        cmocka_unit_test(empty_fragments_are_legal_everywhere),
        cmocka_unit_test(control_frames_may_stand_between_fragments),
        cmocka_unit_test(a_full_control_frame_is_taken),
        cmocka_unit_test(every_length_arrives_unharmed),
        cmocka_unit_test(a_long_text_may_end_a_piece_inside_a_character),
        cmocka_unit_test(many_tiny_fragments_are_one_message),
        cmocka_unit_test(a_continuation_needs_a_start),
        cmocka_unit_test(a_message_may_not_begin_inside_another),
        cmocka_unit_test(what_came_before_a_bad_frame_is_delivered),
        cmocka_unit_test(a_message_may_be_as_long_as_the_limit_and_no_longer),
        cmocka_unit_test(the_limit_counts_all_fragments),
        cmocka_unit_test(a_limit_of_zero_allows_empty_messages),
        cmocka_unit_test(bad_utf8_fails_a_text_and_not_a_binary),
        cmocka_unit_test(a_text_may_not_end_inside_a_character),
        cmocka_unit_test(fragments_may_cut_characters),
        cmocka_unit_test(bad_utf8_fails_in_mid_frame_at_the_byte_that_shows_it),
        cmocka_unit_test(a_bad_header_fails_at_the_byte_that_shows_it),
        cmocka_unit_test(a_close_gives_its_code_and_reason_and_ends_all),
        cmocka_unit_test(a_close_may_interrupt_a_message),
        cmocka_unit_test(close_codes_and_reasons_are_checked),
        cmocka_unit_test(the_longest_close_reason_is_taken),
        cmocka_unit_test(random_traffic_does_not_depend_on_its_pieces),
        cmocka_unit_test(random_bytes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
