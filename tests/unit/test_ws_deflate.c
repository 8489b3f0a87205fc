/* Messages compressed and expanded, ws/deflate.h, and what comes out of an
 * input that may get compressed ones.
 * SPDX-License-Identifier: MIT */
#include "ws_probe.h"

#include <zlib.h>

#include "ws/deflate.h"

#define RSV1 TW__WS_RSV1

typedef struct bytes {
    uint8_t *data;
    size_t len;
} bytes;

/* ---- the other side, by zlib itself ---- */

/* The payload of a message, compressed by another hand; `finish` marks its last
 * block as the last. */
static bytes squeeze(const void *data, size_t len, int level, int window,
                     bool finish) {
    z_stream stream = {0};
    bytes out = {malloc(len + len / 8 + 256), 0};
    assert_non_null(out.data);
    assert_int_equal(deflateInit2(&stream, level, Z_DEFLATED, -window, 8,
                                  Z_DEFAULT_STRATEGY),
                     Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (unsigned)len;
    stream.next_out = out.data;
    stream.avail_out = (unsigned)(len + len / 8 + 256);
    deflate(&stream, finish ? Z_FINISH : Z_SYNC_FLUSH);
    out.len = stream.total_out;
    deflateEnd(&stream);
    if (finish) {
        out.data[out.len++] = 0;
    } else {
        out.len -= 4;
    }
    return out;
}

static void assert_expands_to(const uint8_t *packed, size_t packed_len,
                              const void *data, size_t len) {
    z_stream stream = {0};
    uint8_t *in = malloc(packed_len + 4), *out = malloc(len + 1);
    assert_true(in != NULL && out != NULL);
    memcpy(in, packed, packed_len);
    memcpy(in + packed_len, "\x00\x00\xff\xff", 4);
    assert_int_equal(inflateInit2(&stream, -15), Z_OK);
    stream.next_in = in;
    stream.avail_in = (unsigned)packed_len + 4;
    stream.next_out = out;
    stream.avail_out = (unsigned)len + 1;
    assert_int_equal(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(stream.avail_in, 0);
    assert_int_equal(stream.total_out, len);
    assert_memory_equal(out, data, len);
    inflateEnd(&stream);
    free(in);
    free(out);
}

/* ---- messages ---- */

static void fill_text(uint8_t *data, size_t len) {
    static const char words[] =
        "{\"type\":\"message\",\"text\":\"tide and wire\"},";
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)words[i % (sizeof words - 1)];
    }
    for (size_t i = 0; i < len; i += 7) {
        data[i] = (uint8_t)('a' + rand() % 26);
    }
}

static void fill_noise(uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)rand();
    }
}

static void assert_inflates(tw__inflater *inflater, const void *packed,
                            size_t packed_len, size_t max, const void *data,
                            size_t len) {
    tw__inflated message;
    tw__ws_error error = {0};
    uint8_t *block = malloc(packed_len ? packed_len : 1);
    assert_non_null(block);
    memcpy(block, packed, packed_len);
    bool is_done =
        tw__inflate(inflater, block, packed_len, max, &message, &error);
    free(block);
    if (!is_done) {
        fail_msg("%d %s", error.code, error.reason);
    }
    assert_non_null(message.data);
    assert_int_equal(message.len, len);
    assert_memory_equal(message.data, data, len);
    tw__inflater_release(inflater, &message);
}

static void assert_fails(tw__inflater *inflater, const void *packed,
                         size_t packed_len, size_t max, int code) {
    tw__inflated message;
    tw__ws_error error = {0};
    assert_false(
        tw__inflate(inflater, packed, packed_len, max, &message, &error));
    assert_int_equal(error.code, code);
    assert_null(message.data);
}

static const size_t sizes[] = {1,    2,    20,    255,   256,   4095,  4096,
                               4097, 8192, 32768, 65535, 65536, 65537, 200000};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void what_is_compressed_expands_to_itself(void **state) {
    tw__deflater deflater = {0};
    tw__inflater inflater = {0};
    size_t live = tw__alloc_live();
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        uint8_t *data = malloc(sizes[i]);
        const uint8_t *packed;
        assert_non_null(data);
        fill_text(data, sizes[i]);
        size_t len = tw__deflate(&deflater, data, sizes[i], &packed);
        assert_true(len < sizes[i]);
        if (sizes[i] >= 255) {
            assert_true(len > 0);
        }
        if (len > 0) {
            assert_expands_to(packed, len, data, sizes[i]);
            assert_inflates(&inflater, packed, len, sizes[i], data, sizes[i]);
        }
        tw__deflater_trim(&deflater);
        assert_true(deflater._cap <= TW__DEFLATE_KEEP);
        free(data);
    }
    tw__deflater_deinit(&deflater);
    tw__inflater_deinit(&inflater);
    assert_int_equal(tw__alloc_live(), live);
}

/* The same message gives the same bytes, whatever went before: no message
 * refers to another. */
static void messages_are_compressed_each_by_itself(void **state) {
    tw__deflater deflater = {0};
    uint8_t data[600], first[600];
    const uint8_t *packed;
    (void)state;
    fill_text(data, sizeof data);
    size_t len = tw__deflate(&deflater, data, sizeof data, &packed);
    assert_true(len > 0);
    memcpy(first, packed, len);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tw__deflate(&deflater, data, sizeof data, &packed),
                         len);
        assert_memory_equal(packed, first, len);
    }
    tw__deflater_deinit(&deflater);
}

static void noise_is_left_alone(void **state) {
    tw__deflater deflater = {0};
    const uint8_t *packed;
    static uint8_t data[100000];
    (void)state;
    fill_noise(data, sizeof data);
    assert_int_equal(tw__deflate(&deflater, data, 0, &packed), 0);
    for (size_t len = 1; len <= sizeof data; len = len * 3 + 1) {
        assert_int_equal(tw__deflate(&deflater, data, len, &packed), 0);
    }
    fill_text(data, 500);
    assert_true(tw__deflate(&deflater, data, 500, &packed) > 0);
    tw__deflater_deinit(&deflater);
}

static void messages_of_any_level_and_window_expand(void **state) {
    tw__inflater inflater = {0};
    static uint8_t data[70000];
    (void)state;
    for (int noise = 0; noise < 2; noise++) {
        noise ? fill_noise(data, sizeof data) : fill_text(data, sizeof data);
        for (int level = 0; level <= 9; level += 3) {
            for (int window = 9; window <= 15; window += 2) {
                for (int finish = 0; finish < 2; finish++) {
                    bytes packed =
                        squeeze(data, sizeof data, level, window, finish != 0);
                    assert_true(packed.len <= tw__inflate_bound(sizeof data));
                    assert_inflates(&inflater, packed.data, packed.len,
                                    sizeof data, data, sizeof data);
                    free(packed.data);
                }
            }
        }
    }
    tw__inflater_deinit(&inflater);
}

#define INFLATES(inflater, packed, text)                                       \
    assert_inflates((inflater), (packed), sizeof(packed) - 1, 64, (text),      \
                    sizeof(text) - 1)

static void the_examples_of_the_rfc_expand(void **state) {
    tw__inflater inflater = {0};
    (void)state;
    INFLATES(&inflater, "\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello");
    /* without compression */
    INFLATES(&inflater, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
             "Hello");
    /* a last block, and the start of an empty one */
    INFLATES(&inflater, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello");
    /* two blocks */
    INFLATES(&inflater, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
             "Hello");
    /* an empty message */
    INFLATES(&inflater, "\x00", "");
    assert_int_equal(inflater.messages, 5);
    assert_int_equal(inflater.bytes_out, 20);
    tw__inflater_deinit(&inflater);
}

static void more_blocks_may_follow_a_last_one(void **state) {
    tw__inflater inflater = {0};
    (void)state;
    INFLATES(&inflater,
             "\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
             "HelloHello");
    INFLATES(&inflater,
             "\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07"
             "\x00",
             "HelloHello");
    INFLATES(&inflater, "\x03\x00\x03\x00\x03\x00\x00", "");
    INFLATES(&inflater, "\x03\x00\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello");
    tw__inflater_deinit(&inflater);
}

/* What lacks nothing but the byte behind a last block. */
static void a_last_block_may_end_a_message(void **state) {
    tw__inflater inflater = {0};
    (void)state;
    INFLATES(&inflater, "\xf3\x48\xcd\xc9\xc9\x07\x00", "Hello");
    INFLATES(&inflater, "\x03\x00", "");
    INFLATES(&inflater, "\x01", "");
    INFLATES(&inflater, "", "");
    tw__inflater_deinit(&inflater);
}

#define CORRUPT(inflater, packed)                                              \
    assert_fails((inflater), (packed), sizeof(packed) - 1, 64,                 \
                 TW__WS_CLOSE_BAD_DATA)

static void corrupt_data_is_1007(void **state) {
    tw__inflater inflater = {0};
    (void)state;
    CORRUPT(&inflater, "\x07");             /* a kind of block there is not */
    CORRUPT(&inflater, "\xff\xff\xff\xff"); /* the same */
    CORRUPT(&inflater, "\x00\x05\x00\x05\x00Hello\x00"); /* lengths differ */
    CORRUPT(&inflater, "\x00\x05\x00\xfa\xff\x48\x65");  /* cut off, stored */
    CORRUPT(&inflater, "\xf2\x48\xcd");                  /* cut off */
    CORRUPT(&inflater, "\xf3\x48\xcd\xc9"); /* in the midst of a last */
    CORRUPT(&inflater, "\x02\x03\x00\x00"); /* reaches before its start */
    CORRUPT(&inflater, "Hello, not compressed at all");
    CORRUPT(&inflater, "\xf3\x48\xcd\xc9\xc9\x07\x00\x07");
    /* The tail itself: it is not sent. */
    CORRUPT(&inflater, "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff");
    INFLATES(&inflater, "\xf2\x48\xcd\xc9\xc9\x07\x00", "Hello");
    assert_int_equal(inflater.bombs, 0);
    tw__inflater_deinit(&inflater);
}

/* The window of a message is not that of the next one. */
static void a_message_cannot_refer_to_the_one_before(void **state) {
    tw__inflater inflater = {0};
    z_stream stream = {0};
    uint8_t text[300], out[2][600];
    size_t len[2];
    (void)state;
    fill_text(text, sizeof text);
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, 0), Z_OK);
    for (int i = 0; i < 2; i++) {
        stream.next_in = text;
        stream.avail_in = sizeof text;
        stream.next_out = out[i];
        stream.avail_out = sizeof out[i];
        deflate(&stream, Z_SYNC_FLUSH);
        len[i] = sizeof out[i] - stream.avail_out - 4;
    }
    deflateEnd(&stream);
    assert_inflates(&inflater, out[0], len[0], 300, text, 300);
    assert_fails(&inflater, out[1], len[1], 300, TW__WS_CLOSE_BAD_DATA);
    tw__inflater_deinit(&inflater);
}

/* ---- size ---- */

static void the_limit_is_exact(void **state) {
    static const size_t lens[] = {1,    100,   4095,  4096,
                                  4097, 65536, 65537, 100000};
    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        tw__inflater inflater = {0};
        size_t len = lens[i];
        uint8_t *data = malloc(len);
        assert_non_null(data);
        fill_text(data, len);
        bytes packed = squeeze(data, len, 6, 15, false);
        assert_inflates(&inflater, packed.data, packed.len, len, data, len);
        assert_inflates(&inflater, packed.data, packed.len, len + 1, data, len);
        assert_fails(&inflater, packed.data, packed.len, len - 1,
                     TW__WS_CLOSE_TOO_BIG);
        assert_int_equal(inflater.bombs, 1);
        free(packed.data);
        free(data);
        tw__inflater_deinit(&inflater);
    }
}

/* A stored block whose last four bytes are the tail's fills the message to its
 * limit, so that nothing is left for zlib to do when it is asked again. */
static void a_block_that_the_tail_completes_may_end_at_the_limit(void **state) {
    static const char packed[] = "\x00\x05\x00\xfa\xff\x00";
    static const uint8_t text[] = {0, 0, 0, 0xFF, 0xFF};
    tw__inflater inflater = {0};
    (void)state;
    assert_inflates(&inflater, packed, sizeof packed - 1, 6, text, 5);
    assert_inflates(&inflater, packed, sizeof packed - 1, 5, text, 5);
    assert_fails(&inflater, packed, sizeof packed - 1, 4, TW__WS_CLOSE_TOO_BIG);
    tw__inflater_deinit(&inflater);
}

/* The last byte is the zero of the string, and of the message. */
static const char hello[] = "\xf2\x48\xcd\xc9\xc9\x07";

/* How many allocations it takes until the answer is another than "no memory",
 * which is put in *code (0: expanded). */
static size_t count_allocations(const bytes *packed, size_t max, int *code,
                                size_t *cap) {
    for (size_t nth = 1;; nth++) {
        tw__inflater inflater = {0};
        tw__inflated message;
        tw__ws_error error = {0};
        assert_inflates(&inflater, hello, 7, 64, "Hello", 5);
        tw__alloc_fail_nth(nth);
        bool is_done = tw__inflate(&inflater, packed->data, packed->len, max,
                                   &message, &error);
        tw__alloc_fail_nth(0);
        *cap = message.cap;
        *code = error.code;
        if (is_done) {
            tw__inflater_release(&inflater, &message);
        }
        tw__inflater_deinit(&inflater);
        if (is_done || error.code != TW__WS_CLOSE_INTERNAL) {
            return nth - 1;
        }
    }
}

/* 64 MiB in 64 KiB: a thousand to one. It costs the allocations of a message
 * that is as long as the limit, the last of which is as long as that. */
static void a_bomb_costs_no_more_than_the_limit(void **state) {
    enum { BYTES = 64 << 20 };
    static const size_t limits[] = {4096, 5000, 65536, 1 << 20};
    uint8_t *zeros = calloc(1, BYTES);
    (void)state;
    assert_non_null(zeros);
    bytes bomb = squeeze(zeros, BYTES, 9, 15, false);
    assert_true(bomb.len < BYTES / 1000);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        int code;
        size_t cap, live = tw__alloc_live();
        bytes fair = squeeze(zeros, limits[i], 9, 15, false);
        size_t count = count_allocations(&fair, limits[i], &code, &cap);
        assert_int_equal(code, 0);
        assert_int_equal(cap, limits[i]);
        assert_int_equal(count_allocations(&bomb, limits[i], &code, &cap),
                         count);
        assert_int_equal(code, TW__WS_CLOSE_TOO_BIG);
        assert_int_equal(tw__alloc_live(), live);
        free(fair.data);
    }
    free(zeros);
    free(bomb.data);
}

static void a_long_message_leaves_no_long_block(void **state) {
    tw__inflater inflater = {0};
    static uint8_t data[300000];
    (void)state;
    bytes packed = squeeze(data, sizeof data, 6, 15, false);
    assert_inflates(&inflater, packed.data, packed.len, 1 << 20, data,
                    sizeof data);
    assert_true(inflater._cap <= TW__DEFLATE_KEEP);
    assert_inflates(&inflater, hello, 7, 64, "Hello", 5);
    size_t kept = inflater._cap;
    assert_true(kept > 0);
    assert_inflates(&inflater, hello, 7, 64, "Hello", 5);
    assert_int_equal(inflater._cap, kept);
    free(packed.data);
    tw__inflater_deinit(&inflater);
}

/* ---- no memory ---- */

static void without_memory_nothing_is_compressed_or_expanded(void **state) {
    static uint8_t data[20000];
    (void)state;
    fill_text(data, sizeof data);
    bytes packed = squeeze(data, sizeof data, 6, 15, false);
    size_t live = tw__alloc_live(), failures = 0;
    for (size_t nth = 1;; nth++) {
        tw__deflater deflater = {0};
        const uint8_t *out;
        tw__alloc_fail_nth(nth);
        size_t len = tw__deflate(&deflater, data, sizeof data, &out);
        tw__alloc_fail_nth(0);
        if (len == 0) {
            failures++;
            len = tw__deflate(&deflater, data, sizeof data, &out);
        }
        assert_expands_to(out, len, data, sizeof data);
        tw__deflater_deinit(&deflater);
        assert_int_equal(tw__alloc_live(), live);
        if (failures < nth) {
            break;
        }
    }
    assert_true(failures > 3);
    for (size_t nth = 1; nth < 5; nth++) {
        tw__inflater inflater = {0};
        tw__alloc_fail_nth(nth);
        assert_fails(&inflater, packed.data, packed.len, sizeof data,
                     TW__WS_CLOSE_INTERNAL);
        tw__alloc_fail_nth(0);
        assert_inflates(&inflater, packed.data, packed.len, sizeof data, data,
                        sizeof data);
        tw__inflater_deinit(&inflater);
        assert_int_equal(tw__alloc_live(), live);
    }
    free(packed.data);
}

/* ---- through an input ---- */

static void expect_deflated(const wire *w, size_t max_message, const char *log,
                            int code, const char *reason) {
    for (int run = 0; run < 12; run++) {
        tw__inflater inflater = {0};
        probe p;
        size_t live = tw__alloc_live();
        probe_init(&p, max_message);
        p.how.inflater = &inflater;
        srand((unsigned)run);
        probe_feed_all(&p, w, run == 0 ? w->len : run < 8 ? (size_t)run : 0);
        assert_string_equal(p.log, log);
        assert_int_equal(p.error.code, code);
        assert_int_equal(p.status == TW__WS_FAILED, code != 0);
        if (reason != NULL) {
            assert_string_equal(p.error.reason, reason);
        }
        tw__inflater_deinit(&inflater);
        probe_deinit(&p);
        assert_int_equal(tw__alloc_live(), live);
    }
}

static void compressed_and_plain_messages_alternate(void **state) {
    wire w = {0};
    (void)state;
    wire_frame(&w, FIN | RSV1 | TW__WS_TEXT, hello, 7);
    wire_text(&w, FIN | TW__WS_TEXT, "plain");
    wire_frame(&w, FIN | RSV1 | TW__WS_BINARY, hello, 7);
    wire_frame(&w, FIN | RSV1 | TW__WS_TEXT, "\x00", 1);
    wire_frame(&w, FIN | RSV1 | TW__WS_TEXT, "", 0);
    wire_text(&w, FIN | TW__WS_TEXT, "end");
    expect_deflated(&w, 100,
                    "text(Hello) text(plain) binary(Hello) text() text() "
                    "text(end) ",
                    0, NULL);
    wire_free(&w);
}

static void fragments_are_expanded_together(void **state) {
    wire w = {0};
    (void)state;
    wire_frame(&w, RSV1 | TW__WS_TEXT, hello, 3);
    wire_text(&w, FIN | TW__WS_PING, "now");
    wire_frame(&w, TW__WS_CONTINUATION, hello + 3, 0);
    wire_frame(&w, TW__WS_CONTINUATION, hello + 3, 3);
    wire_frame(&w, FIN | TW__WS_CONTINUATION, hello + 6, 1);
    wire_frame(&w, RSV1 | TW__WS_BINARY, "", 0);
    wire_frame(&w, FIN | TW__WS_CONTINUATION, hello, 7);
    wire_text(&w, TW__WS_TEXT, "a");
    wire_text(&w, FIN | TW__WS_CONTINUATION, "b");
    expect_deflated(&w, 100, "ping(now) text(Hello) binary(Hello) text(ab) ", 0,
                    NULL);
    wire_free(&w);
}

static void long_messages_come_whole(void **state) {
    static uint8_t data[150000];
    wire w = {0};
    (void)state;
    fill_text(data, sizeof data);
    bytes packed = squeeze(data, sizeof data, 1, 15, false);
    assert_true(packed.len > 20000);
    wire_frame(&w, FIN | RSV1 | TW__WS_TEXT, packed.data, packed.len);
    wire_frame(&w, RSV1 | TW__WS_TEXT, packed.data, 10000);
    wire_frame(&w, FIN, packed.data + 10000, packed.len - 10000);
    wire plain = {0};
    wire_frame(&plain, FIN | TW__WS_TEXT, data, sizeof data);
    wire_frame(&plain, FIN | TW__WS_TEXT, data, sizeof data);
    probe p;
    probe_init(&p, sizeof data);
    probe_feed_all(&p, &plain, 0);
    expect_deflated(&w, sizeof data, p.log, 0, NULL);
    expect_deflated(&w, sizeof data - 1, "", TW__WS_CLOSE_TOO_BIG,
                    "message too big");
    probe_deinit(&p);
    wire_free(&plain);
    wire_free(&w);
    free(packed.data);
}

static void expect_refused_bit(int first, bool is_open, bool is_negotiated) {
    wire w = {0};
    if (is_open) {
        wire_frame(&w, TW__WS_TEXT, "", 0);
    }
    wire_frame(&w, first, hello, 7);
    if (is_negotiated) {
        expect_deflated(&w, 100, "", TW__WS_CLOSE_PROTOCOL, "reserved bit set");
    } else {
        expect(&w, 100, "", TW__WS_CLOSE_PROTOCOL, "reserved bit set");
    }
    wire_free(&w);
}

static void the_bit_stands_on_first_frames_only(void **state) {
    (void)state;
    expect_refused_bit(FIN | RSV1 | TW__WS_PING, false, true);
    expect_refused_bit(FIN | RSV1 | TW__WS_PONG, false, true);
    expect_refused_bit(FIN | RSV1 | TW__WS_CLOSE, false, true);
    expect_refused_bit(FIN | RSV1 | TW__WS_CONTINUATION, true, true);
    expect_refused_bit(RSV1 | TW__WS_CONTINUATION, true, true);
    expect_refused_bit(FIN | RSV1 | TW__WS_PING, true, true);
    expect_refused_bit(FIN | 0x20 | TW__WS_TEXT, false, true);
    expect_refused_bit(FIN | 0x10 | TW__WS_TEXT, false, true);
    expect_refused_bit(FIN | RSV1 | 0x20 | TW__WS_TEXT, false, true);
    expect_refused_bit(FIN | RSV1 | TW__WS_TEXT, false, false);
    expect_refused_bit(FIN | RSV1 | TW__WS_BINARY, false, false);
}

static void text_is_checked_when_it_is_expanded(void **state) {
    static const uint8_t bad[] = {'a', 0xC3, 0x28};
    wire w = {0};
    (void)state;
    bytes packed = squeeze(bad, sizeof bad, 6, 15, false);
    wire_frame(&w, FIN | RSV1 | TW__WS_TEXT, packed.data, packed.len);
    expect_deflated(&w, 100, "", TW__WS_CLOSE_BAD_DATA, "text is not UTF-8");
    wire_free(&w);
    wire_frame(&w, RSV1 | TW__WS_TEXT, packed.data, 2);
    wire_frame(&w, FIN, packed.data + 2, packed.len - 2);
    expect_deflated(&w, 100, "", TW__WS_CLOSE_BAD_DATA, "text is not UTF-8");
    wire_free(&w);
    wire_frame(&w, FIN | RSV1 | TW__WS_BINARY, packed.data, packed.len);
    expect_deflated(&w, 100, "binary(a\xc3\x28) ", 0, NULL);
    wire_free(&w);
    free(packed.data);
}

static void corrupt_messages_are_failed(void **state) {
    wire w = {0};
    (void)state;
    wire_frame(&w, FIN | RSV1 | TW__WS_BINARY, hello, 7);
    wire_frame(&w, FIN | RSV1 | TW__WS_BINARY, "\x07", 1);
    expect_deflated(&w, 100, "binary(Hello) ", TW__WS_CLOSE_BAD_DATA,
                    "compressed data is corrupt");
    wire_free(&w);
    wire_frame(&w, RSV1 | TW__WS_TEXT, hello, 3);
    wire_frame(&w, FIN, "\xff\xff\xff", 3);
    expect_deflated(&w, 100, "", TW__WS_CLOSE_BAD_DATA,
                    "compressed data is corrupt");
    wire_free(&w);
}

/* What is declared is refused at its header, compressed as plain. */
static void frames_that_are_too_long_are_refused_unread(void **state) {
    wire w = {0};
    (void)state;
    size_t bound = tw__inflate_bound(1000);
    wire_head(&w, FIN | RSV1 | TW__WS_TEXT, bound + 1, 2);
    expect_deflated(&w, 1000, "", TW__WS_CLOSE_TOO_BIG, "message too big");
    wire_free(&w);
    wire_head(&w, FIN | RSV1 | TW__WS_TEXT, bound, 2);
    expect_deflated(&w, 1000, "", 0, NULL);
    wire_free(&w);
    wire_frame(&w, RSV1 | TW__WS_TEXT, "", 0);
    wire_head(&w, FIN, bound + 1, 2);
    expect_deflated(&w, 1000, "", TW__WS_CLOSE_TOO_BIG, "message too big");
    wire_free(&w);
}

/* Ten frames of 32 KiB each are not ten frames' work. */
static void a_turn_is_bounded_in_what_is_expanded(void **state) {
    enum { FRAMES = 10, EACH = 32768 };
    static uint8_t zeros[EACH];
    tw__inflater inflater = {0};
    probe p;
    wire w = {0};
    (void)state;
    bytes packed = squeeze(zeros, EACH, 9, 15, false);
    for (int i = 0; i < FRAMES; i++) {
        wire_frame(&w, FIN | RSV1 | TW__WS_BINARY, packed.data, packed.len);
    }
    probe_init(&p, EACH);
    p.how.inflater = &inflater;
    p.how.max_frames = 64;
    size_t used = probe_feed(&p, w.data, w.len);
    assert_int_equal(p.status, TW__WS_BUDGET);
    assert_int_equal(p.messages, 2);
    while (p.status == TW__WS_BUDGET) {
        int before = p.messages;
        used += probe_feed(&p, w.data + used, w.len - used);
        assert_in_range(p.messages, before + 1, before + 2);
    }
    assert_int_equal(p.messages, FRAMES);
    tw__inflater_deinit(&inflater);
    probe_deinit(&p);
    wire_free(&w);
    free(packed.data);
}

static void an_event_may_end_the_input_in_mid_message(void **state) {
    tw__inflater inflater = {0};
    probe p;
    wire w = {0};
    (void)state;
    wire_frame(&w, FIN | RSV1 | TW__WS_TEXT, hello, 7);
    wire_frame(&w, RSV1 | TW__WS_TEXT, hello, 3);
    wire_frame(&w, FIN, hello + 3, 4);
    wire_frame(&w, FIN | RSV1 | TW__WS_TEXT, hello, 7);
    for (int at = 1; at <= 3; at++) {
        probe_init(&p, 100);
        p.how.inflater = &inflater;
        p.deinit_at = at;
        probe_feed_all(&p, &w, w.len);
        assert_int_equal(p.messages, at);
        assert_int_equal(p.status, TW__WS_STOPPED);
        tw__inflater_deinit(&inflater);
        probe_deinit(&p);
    }
    wire_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_compressed_expands_to_itself),
        cmocka_unit_test(messages_are_compressed_each_by_itself),
        cmocka_unit_test(noise_is_left_alone),
        cmocka_unit_test(messages_of_any_level_and_window_expand),
        cmocka_unit_test(the_examples_of_the_rfc_expand),
        cmocka_unit_test(more_blocks_may_follow_a_last_one),
        cmocka_unit_test(a_last_block_may_end_a_message),
        cmocka_unit_test(corrupt_data_is_1007),
        cmocka_unit_test(a_message_cannot_refer_to_the_one_before),
        cmocka_unit_test(the_limit_is_exact),
        cmocka_unit_test(a_block_that_the_tail_completes_may_end_at_the_limit),
        cmocka_unit_test(a_bomb_costs_no_more_than_the_limit),
        cmocka_unit_test(a_long_message_leaves_no_long_block),
        cmocka_unit_test(without_memory_nothing_is_compressed_or_expanded),
        cmocka_unit_test(compressed_and_plain_messages_alternate),
        cmocka_unit_test(fragments_are_expanded_together),
        cmocka_unit_test(long_messages_come_whole),
        cmocka_unit_test(the_bit_stands_on_first_frames_only),
        cmocka_unit_test(text_is_checked_when_it_is_expanded),
        cmocka_unit_test(corrupt_messages_are_failed),
        cmocka_unit_test(frames_that_are_too_long_are_refused_unread),
        cmocka_unit_test(a_turn_is_bounded_in_what_is_expanded),
        cmocka_unit_test(an_event_may_end_the_input_in_mid_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
