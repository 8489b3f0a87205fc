/* UTF-8, ws/utf8.h of the core and utf8.h of the bridge. Small: a quarter of
 * the time.
 *
 * Two implementations and a decoder as plain as the RFC's table must agree,
 * whole, in pieces and at every prefix: an error shows with the first byte
 * that no continuation can mend.
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "utf8.h"
#include "ws/utf8.h"

enum { INPUT_MAX = 1 << 12 };

/* RFC 3629: a row of its table, the ranges of up to four bytes. */
typedef struct row {
    uint8_t size, range[4][2];
} row;

static const row rows[] = {
    {1, {{0x00, 0x7F}}},
    {2, {{0xC2, 0xDF}, {0x80, 0xBF}}},
    {3, {{0xE0, 0xE0}, {0xA0, 0xBF}, {0x80, 0xBF}}},
    {3, {{0xE1, 0xEC}, {0x80, 0xBF}, {0x80, 0xBF}}},
    {3, {{0xED, 0xED}, {0x80, 0x9F}, {0x80, 0xBF}}},
    {3, {{0xEE, 0xEF}, {0x80, 0xBF}, {0x80, 0xBF}}},
    {4, {{0xF0, 0xF0}, {0x90, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}}},
    {4, {{0xF1, 0xF3}, {0x80, 0xBF}, {0x80, 0xBF}, {0x80, 0xBF}}},
    {4, {{0xF4, 0xF4}, {0x80, 0x8F}, {0x80, 0xBF}, {0x80, 0xBF}}},
};

/* How many bytes of the row's character are at `data`. */
static size_t match(const row *r, const uint8_t *data, size_t len) {
    size_t n = 0;
    while (n < r->size && n < len && data[n] >= r->range[n][0] &&
           data[n] <= r->range[n][1]) {
        n++;
    }
    return n;
}

/* The bytes of whole characters, and *good: the bytes up to the first one that
 * cannot be mended, at least as many. */
static size_t measure(const uint8_t *data, size_t len, size_t *good) {
    size_t at = 0;
    for (;;) {
        size_t best = 0;
        bool is_whole = false;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            size_t n = match(&rows[i], data + at, len - at);
            best = n > best ? n : best;
            is_whole = is_whole || (n != 0 && n == rows[i].size);
        }
        *good = at + best;
        if (!is_whole) {
            return at;
        }
        at += best;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0 || size > INPUT_MAX) {
        return 0;
    }
    size_t good, whole = measure(data, size, &good);
    FUZZ_CHECK(tw__utf8_valid(data, size) == (whole == size));
    FUZZ_CHECK(twl_utf8_is_valid((const char *)data, size) == (whole == size));
    FUZZ_CHECK(twl_utf8_valid_prefix((const char *)data, size) == whole);
    fuzz_random random = fuzz_random_of(data, size, 0);
    for (unsigned run = 0; run < 3; run++) {
        tw__utf8_state state = 0;
        bool is_good = true;
        for (size_t at = 0; at < size && is_good;) {
            size_t len = run == 0 ? 1 : fuzz_piece(&random, size - at);
            uint8_t *piece = fuzz_copy(data + at, len);
            is_good = tw__utf8_feed(&state, piece, len);
            free(piece);
            at += len;
            FUZZ_CHECK(is_good == (at <= good));
        }
        FUZZ_CHECK(!is_good || tw__utf8_is_whole(state) == (whole == size));
    }
    return 0;
}
