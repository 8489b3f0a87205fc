/* utf8.h - is this UTF-8 (RFC 3629), whole or piece by piece.
 *
 * Overlong forms, surrogates and values above U+10FFFF are refused, at the
 * first byte that rules out every continuation: ED A0 fails at A0, C0 at
 * once. Pure, any thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_WS_UTF8_H
#define TW_WS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a text stands between two pieces; 0 at its start. Packs how many
 * bytes the character begun still lacks and the range its next byte has. */
typedef uint32_t tw__utf8_state;

/* Goes over the next piece. False as soon as no continuation can make the text
 * valid; the state is useless then. */
bool tw__utf8_feed(tw__utf8_state *state, const uint8_t *data, size_t len);

/* Whether a text may end here: no character is begun. */
static inline bool tw__utf8_is_whole(tw__utf8_state state) {
    return state == 0;
}

/* Whether `len` bytes are a whole valid text. */
bool tw__utf8_valid(const uint8_t *data, size_t len);

#endif
