/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lua/program/bench/frame.c"

#define MAX 100000

/* What was read, as text: the opcode, then the payload, each message in
 * brackets. */
typedef struct seen {
    char text[4096];
    size_t at;
    size_t last_len;
    int stop_after;
} seen;

static bool on_frame(void *arg, int opcode, const uint8_t *data, size_t len) {
    seen *s = arg;
    s->last_len = len;
    s->at += (size_t)snprintf(s->text + s->at, sizeof s->text - s->at,
                              "[%d%.*s]", opcode, len < 200 ? (int)len : 0,
                              len > 0 ? (const char *)data : "");
    return --s->stop_after != 0;
}

/* Feeds in pieces of `piece` bytes, as a connection does. */
static const char *feed(tw__bench_reader *reader, const void *data, size_t len,
                        size_t piece, seen *s) {
    static uint8_t buffer[MAX + 1024];
    for (size_t at = 0; at < len; at += piece) {
        size_t part = len - at < piece ? len - at : piece;
        size_t kept = tw__bench_reader_resume(reader, buffer, sizeof buffer);
        memcpy(buffer + kept, (const uint8_t *)data + at, part);
        const char *wrong = tw__bench_reader_feed(reader, buffer, kept + part,
                                                  MAX, on_frame, s);
        if (wrong != NULL) {
            return wrong;
        }
    }
    return NULL;
}

static void assert_empty(tw__bench_reader *reader) {
    assert_null(reader->_stash);
    assert_null(reader->_message);
    assert_int_equal(reader->_opcode, 0);
}

/* Whole, byte by byte, and in pieces between. */
static void assert_reads(const char *bytes, size_t len, const char *expected) {
    for (size_t piece = 1; piece <= len; piece++) {
        tw__bench_reader reader = {0};
        seen s = {0};
        assert_null(feed(&reader, bytes, len, piece, &s));
        assert_string_equal(s.text, expected);
        assert_empty(&reader);
    }
}

static void assert_refuses(const char *bytes, size_t len, const char *why) {
    for (size_t piece = 1; piece <= len; piece++) {
        tw__bench_reader reader = {0};
        seen s = {0};
        const char *wrong = feed(&reader, bytes, len, piece, &s);
        assert_non_null(wrong);
        assert_string_equal(wrong, why);
        assert_int_equal(s.at, 0);
        assert_empty(&reader);
    }
}

#define READS(bytes, expected) assert_reads(bytes, sizeof bytes - 1, expected)
#define REFUSES(bytes, why) assert_refuses(bytes, sizeof bytes - 1, why)

static void messages_come_out_however_they_arrive(void **state) {
    (void)state;
    READS("\x81\x05Hello", "[1Hello]");
    READS("\x82\x00", "[2]");
    READS("\x81\x01"
          "a\x81\x01"
          "b\x82\x01"
          "c",
          "[1a][1b][2c]");
}

static void fragments_are_put_together(void **state) {
    (void)state;
    READS("\x01\x03Hel\x80\x02lo", "[1Hello]");
    READS("\x02\x00\x00\x01x\x00\x00\x80\x00", "[2x]");
    READS("\x01\x00\x80\x00", "[1]");
}

static void control_frames_come_out_between_fragments(void **state) {
    (void)state;
    READS("\x01\x01H\x89\x01p\x00\x01i\x8a\x00\x80\x01!\x88\x02\x03\xe8",
          "[9p][10][1Hi!][8\x03\xe8]");
}

static void all_length_encodings_are_read(void **state) {
    (void)state;
    static uint8_t bytes[70000];
    const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 69000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t len = lengths[i];
        size_t head = len < 126 ? 2 : len < 65536 ? 4 : 10;
        bytes[0] = 0x82;
        bytes[1] = (uint8_t)(head == 2 ? len : head == 4 ? 126 : 127);
        for (size_t k = 2; k < head; k++) {
            bytes[k] = (uint8_t)((uint64_t)len >> 8 * (head - 1 - k));
        }
        for (size_t piece = 1000; piece <= 80000; piece += 39500) {
            tw__bench_reader reader = {0};
            seen s = {0};
            assert_null(feed(&reader, bytes, head + len, piece, &s));
            assert_int_equal(s.last_len, len);
            assert_true(s.at > 0);
            assert_empty(&reader);
        }
    }
}

static void what_a_server_must_not_send_is_refused(void **state) {
    (void)state;
    REFUSES("\x81\x81\1\2\3\4x", "masked frame from a server");
    REFUSES("\xc1\x01x", "reserved bit set");
    REFUSES("\x91\x01x", "reserved bit set");
    REFUSES("\x83\x01x", "reserved opcode");
    REFUSES("\x8b\x00", "reserved opcode");
    REFUSES("\x09\x00", "fragmented control frame");
    REFUSES("\x89\x7e\x00\x7e", "control frame too long");
    REFUSES("\x80\x01x", "continuation of nothing");
    REFUSES("\x01\x01x\x81\x01y", "a new message inside a fragmented one");
    REFUSES("\x81\x7e\x00\x7d", "length not in its shortest form");
    REFUSES("\x81\x7f\0\0\0\0\0\0\xff\xff", "length not in its shortest form");
}

static void a_message_over_the_limit_is_refused_before_it_comes(void **state) {
    (void)state;
    REFUSES("\x81\x7f\0\0\0\0\0\x01\x86\xa1", "message too long");
    REFUSES("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "message too long");
    REFUSES("\x01\x01x\x80\x7f\0\0\0\0\0\x01\x86\xa0", "message too long");
}

static void a_callback_that_says_stop_gets_no_more(void **state) {
    (void)state;
    tw__bench_reader reader = {0};
    seen s = {.stop_after = 2};
    const char bytes[] = "\x81\x01"
                         "a\x88\x00\x81\x01"
                         "b\x81";
    assert_null(feed(&reader, bytes, sizeof bytes - 1, sizeof bytes, &s));
    assert_string_equal(s.text, "[1a][8]");
    assert_empty(&reader);
}

static void memory_is_held_only_in_the_middle_of_something(void **state) {
    (void)state;
    tw__bench_reader reader = {0};
    seen s = {0};
    assert_null(feed(&reader, "\x01\x02xy\x80\x05zz", 8, 8, &s));
    assert_non_null(reader._stash);
    assert_non_null(reader._message);
    tw__bench_reader_deinit(&reader);
    assert_empty(&reader);
}

static void writing_masks_and_reading_back_unmasks(void **state) {
    (void)state;
    static uint8_t out[70100], payload[70000];
    for (size_t i = 0; i < sizeof payload; i++) {
        payload[i] = (uint8_t)(i * 7 + i / 256);
    }
    for (size_t len = 0; len < sizeof payload; len += 1 + len / 3) {
        const uint8_t mask[4] = {1, 0x80, 0x33, 0xfe};
        uint32_t word;
        memcpy(&word, mask, 4);
        size_t size =
            tw__bench_frame_write(out, TW__BENCH_BINARY, word, payload, len);
        size_t head = len < 126 ? 2 : len < 65536 ? 4 : 10;
        assert_int_equal(size, head + 4 + len);
        assert_int_equal(out[0], 0x82);
        assert_int_equal(out[1] & 0x80, 0x80);
        assert_memory_equal(out + head, mask, 4);
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(out[head + 4 + i] ^ mask[i % 4], payload[i]);
        }
    }
}

static void writing_equals_the_example_of_rfc_5_7(void **state) {
    (void)state;
    const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t out[TW__BENCH_HEADER_MAX + 5];
    uint32_t word;
    memcpy(&word, mask, 4);
    assert_int_equal(
        tw__bench_frame_write(out, TW__BENCH_TEXT, word, "Hello", 5), 11);
    assert_memory_equal(out, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
                        11);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_however_they_arrive),
        cmocka_unit_test(fragments_are_put_together),
        cmocka_unit_test(control_frames_come_out_between_fragments),
        cmocka_unit_test(all_length_encodings_are_read),
        cmocka_unit_test(what_a_server_must_not_send_is_refused),
        cmocka_unit_test(a_message_over_the_limit_is_refused_before_it_comes),
        cmocka_unit_test(a_callback_that_says_stop_gets_no_more),
        cmocka_unit_test(memory_is_held_only_in_the_middle_of_something),
        cmocka_unit_test(writing_masks_and_reading_back_unmasks),
        cmocka_unit_test(writing_equals_the_example_of_rfc_5_7),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
