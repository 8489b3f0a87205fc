/* SPDX-License-Identifier: MIT */
#include "ws/utf8.h"

#include <string.h>

#define HIGH_BITS 0x8080808080808080u
#define EXPECT(missing, low, high)                                             \
    ((uint32_t)(missing) << 16 | (uint32_t)(low) << 8 | (uint32_t)(high))

/* The length of the ASCII run at the front. */
static size_t skip_ascii(const uint8_t *data, size_t len) {
    size_t at = 0;
    uint64_t word[4];
    while (len - at >= sizeof word) {
        memcpy(word, data + at, sizeof word);
        if ((word[0] | word[1] | word[2] | word[3]) & HIGH_BITS) {
            break;
        }
        at += sizeof word;
    }
    while (len - at >= sizeof word[0]) {
        memcpy(word, data + at, sizeof word[0]);
        if (word[0] & HIGH_BITS) {
            break;
        }
        at += sizeof word[0];
    }
    while (at < len && data[at] < 0x80) {
        at++;
    }
    return at;
}

/* What must follow a byte above 7F that starts a character, 0 when none can:
 * table 3-7 of the Unicode Standard. Only the second byte's range varies. */
static uint32_t after_lead(uint8_t lead) {
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    if (lead < 0xE0) {
        return EXPECT(1, 0x80, 0xBF);
    }
    if (lead < 0xF0) {
        return EXPECT(2, lead == 0xE0 ? 0xA0 : 0x80,
                      lead == 0xED ? 0x9F : 0xBF);
    }
    return EXPECT(3, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
}

/* One byte further, wherever the text stands. */
static bool step(uint32_t *state, uint8_t byte) {
    uint32_t missing = *state >> 16;
    if (*state == 0) {
        *state = byte < 0x80 ? 0 : after_lead(byte);
        return byte < 0x80 || *state != 0;
    }
    if (byte < ((*state >> 8) & 0xFF) || byte > (*state & 0xFF)) {
        return false;
    }
    *state = missing == 1 ? 0 : EXPECT(missing - 1, 0x80, 0xBF);
    return true;
}

static bool is_continuation(uint8_t byte) {
    return (byte & 0xC0) == 0x80;
}

/* The length of the character above 7F at the front if it is valid and at
 * least four bytes are there, else 0: going by steps is slower, and decides. */
static size_t skip_character(const uint8_t *data, size_t len) {
    if (len < 4) {
        return 0;
    }
    uint32_t expected = after_lead(data[0]);
    if (expected == 0 || data[1] < ((expected >> 8) & 0xFF) ||
        data[1] > (expected & 0xFF)) {
        return 0;
    }
    switch (expected >> 16) {
    case 1:
        return 2;
    case 2:
        return is_continuation(data[2]) ? 3 : 0;
    default:
        return is_continuation(data[2]) && is_continuation(data[3]) ? 4 : 0;
    }
}

/* How far the quick ways get, from and to a place between two characters. */
static size_t skip(const uint8_t *data, size_t len) {
    size_t at = 0;
    while (at < len) {
        size_t run = data[at] < 0x80 ? skip_ascii(data + at, len - at)
                                     : skip_character(data + at, len - at);
        if (run == 0) {
            break;
        }
        at += run;
    }
    return at;
}

bool tw__utf8_feed(tw__utf8_state *state, const uint8_t *data, size_t len) {
    size_t at = 0;
    while (at < len) {
        if (*state == 0) {
            at += skip(data + at, len - at);
        }
        if (at < len && !step(state, data[at++])) {
            return false;
        }
    }
    return true;
}

bool tw__utf8_valid(const uint8_t *data, size_t len) {
    tw__utf8_state state = 0;
    return tw__utf8_feed(&state, data, len) && tw__utf8_is_whole(state);
}
