/* SPDX-License-Identifier: MIT */
#include "ws_probe.h"

#include "ws/frame.h"

static void assert_header(int opcode, size_t len, const char *bytes,
                          size_t size) {
    uint8_t out[TW__WS_SERVER_HEADER_MAX];
    assert_int_equal(tw__ws_frame_header(out, opcode, len), size);
    assert_memory_equal(out, bytes, size);
}

static void a_server_header_uses_the_shortest_length(void **state) {
    (void)state;
    assert_header(TW__WS_TEXT, 0, "\x81\x00", 2);
    assert_header(TW__WS_TEXT, 1, "\x81\x01", 2);
    assert_header(TW__WS_BINARY, 125, "\x82\x7d", 2);
    assert_header(TW__WS_BINARY, 126, "\x82\x7e\x00\x7e", 4);
    assert_header(TW__WS_BINARY, 127, "\x82\x7e\x00\x7f", 4);
    assert_header(TW__WS_BINARY, 65535, "\x82\x7e\xff\xff", 4);
    assert_header(TW__WS_BINARY, 65536, "\x82\x7f\0\0\0\0\0\x01\0\0", 10);
    assert_header(TW__WS_BINARY, (size_t)1 << 40, "\x82\x7f\0\0\x01\0\0\0\0\0",
                  10);
}

static void server_headers_equal_the_examples_of_rfc_5_7(void **state) {
    (void)state;
    assert_header(TW__WS_TEXT, 5, "\x81\x05", 2);
    assert_header(TW__WS_PING, 5, "\x89\x05", 2);
    assert_header(TW__WS_BINARY, 256, "\x82\x7e\x01\x00", 4);
    assert_header(TW__WS_CLOSE, 2, "\x88\x02", 2);
    assert_header(TW__WS_PONG, 125, "\x8a\x7d", 2);
}

/* Every shorter piece must ask for more, and bytes behind change nothing. */
static void assert_peek(int first, uint64_t length) {
    wire w = {0};
    tw__ws_frame frame;
    const char *reason = NULL;
    wire_head(&w, first, length, length_size(length));
    for (size_t len = 0; len < w.len; len++) {
        assert_int_equal(tw__ws_frame_peek(w.data, len, &frame, &reason),
                         TW__WS_PEEK_MORE);
    }
    size_t header_len = w.len;
    for (int extra = 0; extra < 2; extra++) {
        assert_int_equal(tw__ws_frame_peek(w.data, w.len, &frame, &reason),
                         TW__WS_PEEK_FRAME);
        assert_int_equal(frame.header_len, header_len);
        assert_int_equal(frame.length, length);
        assert_int_equal(frame.opcode, first & 0x0f);
        assert_int_equal(frame.fin, (first & FIN) != 0);
        assert_memory_equal(frame.mask, "\x37\xfa\x21\x3d", 4);
        wire_add(&w, "\xff\xff", 2);
    }
    assert_null(reason);
    wire_free(&w);
}

static void a_client_header_is_read_at_every_length(void **state) {
    (void)state;
    const uint64_t lengths[] = {0,     1,     125,     126,
                                127,   65535, 65536,   (uint64_t)1 << 32,
                                65537, 256,   1000000, INT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_peek(FIN | TW__WS_TEXT, lengths[i]);
        assert_peek(TW__WS_BINARY, lengths[i]);
        assert_peek(TW__WS_CONTINUATION, lengths[i]);
    }
    assert_peek(FIN | TW__WS_PING, 125);
    assert_peek(FIN | TW__WS_PONG, 0);
    assert_peek(FIN | TW__WS_CLOSE, 2);
}

static void reading_back_what_the_server_wrote_gives_the_length(void **state) {
    (void)state;
    for (size_t len = 0; len < 70000; len += 1 + len / 50) {
        uint8_t out[TW__WS_SERVER_HEADER_MAX + 4] = {0};
        size_t size = tw__ws_frame_header(out, TW__WS_BINARY, len);
        tw__ws_frame frame;
        const char *reason;
        out[1] |= 0x80;
        assert_int_equal(tw__ws_frame_peek(out, size + 4, &frame, &reason),
                         TW__WS_PEEK_FRAME);
        assert_int_equal(frame.length, len);
        assert_int_equal(frame.header_len, size + 4);
    }
}

/* Wrong from byte number `known` on: not before, and at once. */
static void assert_wrong(const char *bytes, size_t known, const char *why) {
    tw__ws_frame frame;
    const char *reason;
    for (size_t len = 0; len < known; len++) {
        assert_int_equal(
            tw__ws_frame_peek((const uint8_t *)bytes, len, &frame, &reason),
            TW__WS_PEEK_MORE);
    }
    for (size_t len = known; len <= 14; len++) {
        assert_int_equal(
            tw__ws_frame_peek((const uint8_t *)bytes, len, &frame, &reason),
            TW__WS_PEEK_ERROR);
        assert_string_equal(reason, why);
    }
}

static void each_reserved_bit_is_refused_on_every_opcode(void **state) {
    (void)state;
    const int opcodes[] = {0, 1, 2, 8, 9, 10};
    for (int rsv = 1; rsv < 8; rsv++) {
        for (size_t i = 0; i < 6; i++) {
            char bytes[14] = {(char)(FIN | rsv << 4 | opcodes[i]), (char)0x80};
            assert_wrong(bytes, 1, "reserved bit set");
        }
    }
}

static void each_reserved_opcode_is_refused(void **state) {
    (void)state;
    for (int opcode = 0; opcode < 16; opcode++) {
        if ((opcode > 2 && opcode < 8) || opcode > 10) {
            char bytes[14] = {(char)(FIN | opcode), (char)0x80};
            assert_wrong(bytes, 1, "reserved opcode");
        }
    }
}

static void a_control_frame_without_fin_is_refused(void **state) {
    (void)state;
    for (int opcode = 8; opcode <= 10; opcode++) {
        char bytes[14] = {(char)opcode, (char)0x80};
        assert_wrong(bytes, 1, "fragmented control frame");
    }
}

static void a_control_frame_over_125_bytes_is_refused(void **state) {
    (void)state;
    assert_wrong("\x89\xfe\x00\x7e\1\2\3\4\0\0\0\0\0", 2,
                 "control frame too long");
    assert_wrong("\x88\xff\0\0\0\0\0\1\0\0\1\2\3", 2, "control frame too long");
}

static void a_frame_without_a_mask_is_refused(void **state) {
    (void)state;
    assert_wrong("\x81\x05Hello\0\0\0\0\0\0", 2, "masked frame required");
    assert_wrong("\x89\x00\0\0\0\0\0\0\0\0\0\0\0", 2, "masked frame required");
}

static void a_length_with_a_shorter_form_is_refused(void **state) {
    (void)state;
    assert_wrong("\x82\xfe\x00\x7d\1\2\3\4\0\0\0\0\0", 4,
                 "frame length not minimal");
    assert_wrong("\x82\xfe\x00\x00\1\2\3\4\0\0\0\0\0", 4,
                 "frame length not minimal");
    assert_wrong("\x82\xff\0\0\0\0\0\0\xff\xff\1\2\3", 8,
                 "frame length not minimal");
    assert_wrong("\x82\xff\0\0\0\0\0\0\0\1\1\2\3", 8,
                 "frame length not minimal");
}

static void a_length_with_its_top_bit_set_is_refused(void **state) {
    (void)state;
    assert_wrong("\x82\xff\x80\0\0\0\0\1\0\0\1\2\3", 3,
                 "frame length out of range");
    assert_wrong("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\2\3", 3,
                 "frame length out of range");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_header_uses_the_shortest_length),
        cmocka_unit_test(server_headers_equal_the_examples_of_rfc_5_7),
        cmocka_unit_test(a_client_header_is_read_at_every_length),
        cmocka_unit_test(reading_back_what_the_server_wrote_gives_the_length),
        cmocka_unit_test(each_reserved_bit_is_refused_on_every_opcode),
        cmocka_unit_test(each_reserved_opcode_is_refused),
        cmocka_unit_test(a_control_frame_without_fin_is_refused),
        cmocka_unit_test(a_control_frame_over_125_bytes_is_refused),
        cmocka_unit_test(a_frame_without_a_mask_is_refused),
        cmocka_unit_test(a_length_with_a_shorter_form_is_refused),
        cmocka_unit_test(a_length_with_its_top_bit_set_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
