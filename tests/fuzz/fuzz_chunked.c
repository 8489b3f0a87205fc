/* Chunked bodies, http/chunked.h. Small: a quarter of the time.
 *
 * Read as a body in chunks, the input must give the same however it is cut,
 * and what a plain reading of RFC 9112 gives; taken as a body, it must come
 * back from any chunks that it is put into.
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "http/chars.h"
#include "http/chunked.h"

enum { LIMIT = 300 };

static const tw__http_limits limits = {
    .max_head_bytes = 200, .max_target_bytes = 20, .max_headers = 4};

typedef struct result {
    tw__http_event event;
    int status;
    size_t consumed;
    fuzz_log body;
} result;

static result decode(const uint8_t *data, size_t len, uint64_t limit,
                     unsigned salt) {
    fuzz_random random = fuzz_random_of(data, len, salt);
    tw__http_chunked chunked;
    result r = {.event = TW__HTTP_MORE};
    tw__http_chunked_init(&chunked, limit, &limits);
    while (r.event == TW__HTTP_MORE && r.consumed < len) {
        size_t left = len - r.consumed;
        size_t size = salt == 0 ? left : fuzz_piece(&random, left);
        char *block = fuzz_copy(data + r.consumed, size);
        const char *piece = NULL;
        size_t used = 0, piece_len = 0;
        r.event = tw__http_chunked_feed(&chunked, block, size, &used, &piece,
                                        &piece_len);
        FUZZ_CHECK(used <= size && piece_len <= used);
        fuzz_log_add(&r.body, piece, piece_len);
        free(block);
        r.consumed += used;
    }
    FUZZ_CHECK((chunked.error.status != 0) == (r.event == TW__HTTP_ERROR));
    FUZZ_CHECK(r.body.len <= limit);
    r.status = chunked.error.status;
    return r;
}

/* Whether the input begins with one chunk after another, up to and with the
 * last line of size zero; the body then is in `body` and the end at *end. */
static bool read_plainly(const uint8_t *data, size_t len, fuzz_log *body,
                         size_t *end) {
    for (size_t at = 0;;) {
        size_t size = 0, digits = 0, line = at;
        for (; at < len && tw__http_hex((char)data[at]) >= 0; at++, digits++) {
            size = size * 16 + (size_t)tw__http_hex((char)data[at]);
        }
        if (digits == 0 || digits > 15) {
            return false;
        }
        if (at < len && data[at] == ';') {
            for (; at < len && tw__http_is_value_char(data[at]); at++) {
            }
        }
        if (at - line > TW__HTTP_MAX_CHUNK_LINE || len - at < 2 ||
            memcmp(data + at, "\r\n", 2) != 0 || size > LIMIT - body->len) {
            return false;
        }
        at += 2;
        if (size == 0) {
            *end = at;
            return true;
        }
        if (len - at < size + 2 || memcmp(data + at + size, "\r\n", 2) != 0) {
            return false;
        }
        fuzz_log_add(body, data + at, size);
        at += size + 2;
    }
}

static void check_reading(const uint8_t *data, size_t len,
                          const result *whole) {
    fuzz_log body = {0};
    size_t end = 0;
    bool is_good = read_plainly(data, len, &body, &end);
    FUZZ_CHECK(is_good || whole->event != TW__HTTP_COMPLETE);
    if (is_good) {
        bool has_end = len - end >= 2 && memcmp(data + end, "\r\n", 2) == 0;
        FUZZ_CHECK(fuzz_log_same(&body, &whole->body));
        FUZZ_CHECK(!has_end || whole->event == TW__HTTP_COMPLETE);
        FUZZ_CHECK(!has_end || whole->consumed == end + 2);
    }
    fuzz_log_free(&body);
}

static void check_pieces(const uint8_t *data, size_t len) {
    result whole = decode(data, len, LIMIT, 0);
    check_reading(data, len, &whole);
    for (unsigned salt = 1; salt < 4; salt++) {
        result other = decode(data, len, LIMIT, salt);
        FUZZ_CHECK(other.event == whole.event);
        FUZZ_CHECK(other.status == whole.status);
        FUZZ_CHECK(other.event == TW__HTTP_ERROR ||
                   other.consumed == whole.consumed);
        FUZZ_CHECK(fuzz_log_same(&other.body, &whole.body));
        fuzz_log_free(&other.body);
    }
    fuzz_log_free(&whole.body);
}

static void check_round_trip(const uint8_t *data, size_t len) {
    static const char *const lines[] = {"%zx\r\n", "%zX;name=value\r\n",
                                        "000%zx\r\n"};
    static const char *const ends[] = {"0\r\n\r\n", "0\r\nA: b\r\n\r\n"};
    fuzz_random random = fuzz_random_of(data, len, 7);
    fuzz_log text = {0};
    for (size_t at = 0; at < len;) {
        size_t size = fuzz_piece(&random, len - at);
        char line[64];
        int n =
            snprintf(line, sizeof line, lines[fuzz_below(&random, 3)], size);
        fuzz_log_add(&text, line, (size_t)n);
        fuzz_log_add(&text, data + at, size);
        fuzz_log_add(&text, "\r\n", 2);
        at += size;
    }
    const char *end = ends[fuzz_below(&random, 2)];
    fuzz_log_add(&text, end, strlen(end));
    result r = decode(text.data, text.len, len, 8);
    FUZZ_CHECK(r.event == TW__HTTP_COMPLETE && r.consumed == text.len);
    FUZZ_CHECK(fuzz_same(r.body.data, r.body.len, data, len));
    fuzz_log_free(&r.body);
    fuzz_log_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    check_pieces(data, size);
    check_round_trip(data, size);
    return 0;
}
