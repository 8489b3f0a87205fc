/* SPDX-License-Identifier: MIT */
#include "base64.h"

#include <stdbool.h>

#include <tidewire/errors.h>

/* ---- encoding ----------------------------------------------------------- */

static const char COMMON[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz0123456789";

static char letter(unsigned value, bool is_url) {
    value &= 63;
    return value < 62    ? COMMON[value]
           : value == 62 ? (is_url ? '-' : '+')
                         : (is_url ? '_' : '/');
}

size_t twl_base64_encode(twl_base64 kind, const void *data, size_t len,
                         char *out) {
    bool is_url = kind != TWL_BASE64;
    const uint8_t *in = data;
    char *at = out;
    for (; len >= 3; in += 3, len -= 3) {
        unsigned bits = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];
        for (int shift = 18; shift >= 0; shift -= 6) {
            *at++ = letter(bits >> shift, is_url);
        }
    }
    if (len > 0) {
        unsigned bits =
            (unsigned)in[0] << 16 | (len > 1 ? (unsigned)in[1] << 8 : 0);
        *at++ = letter(bits >> 18, is_url);
        *at++ = letter(bits >> 12, is_url);
        if (len > 1) {
            *at++ = letter(bits >> 6, is_url);
        }
        for (; !is_url && len < 3; len++) {
            *at++ = '=';
        }
    }
    return (size_t)(at - out);
}

/* ---- decoding ----------------------------------------------------------- */

/* From '+' to 'z'. 62 and 63 are those of base64, 64 and 65 those that
 * base64url has in their place. */
static const int8_t VALUES[] = {
    62, -1, 64, -1, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1,
    -1, -1, -1, -1, -1, -1, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,
    10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
    -1, -1, -1, -1, 65, -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,
    36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
};

static int value_of(char c, bool is_url) {
    unsigned i = (uint8_t)c - (unsigned)'+';
    int value = i < sizeof VALUES ? VALUES[i] : -1;
    if (value < 62) {
        return value;
    }
    return (value >= 64) == is_url ? 62 + (value & 1) : -1;
}

/* Takes the padding off; false where it is not as the kind wants it. */
static bool take_padding(twl_base64 kind, const char *text, size_t *len) {
    bool is_padded = *len > 0 && text[*len - 1] == '=';
    bool is_whole = *len % 4 == 0;
    if (kind == TWL_BASE64URL
            ? is_padded
            : !is_whole && (kind == TWL_BASE64 || is_padded)) {
        return false;
    }
    for (int i = 0; i < 2 && *len > 0 && text[*len - 1] == '='; i++) {
        --*len;
    }
    return true;
}

/* The last two or three characters. How many bytes; 0 when they are wrong. */
static size_t decode_rest(const char *text, size_t len, bool is_url,
                          uint8_t *out) {
    unsigned bits = 0;
    for (size_t i = 0; i < len; i++) {
        int value = value_of(text[i], is_url);
        if (value < 0) {
            return 0;
        }
        bits = bits << 6 | (unsigned)value;
    }
    unsigned unused = len == 2 ? 4 : 2;
    if (len < 2 || (bits & ((1u << unused) - 1)) != 0) {
        return 0;
    }
    bits >>= unused;
    size_t size = len - 1;
    for (size_t i = size; i > 0; i--, bits >>= 8) {
        out[i - 1] = (uint8_t)bits;
    }
    return size;
}

int twl_base64_decode(twl_base64 kind, const char *text, size_t len, void *out,
                      size_t *out_len) {
    bool is_url = kind != TWL_BASE64;
    uint8_t *at = out;
    if (!take_padding(kind, text, &len)) {
        return TW_EINVALID;
    }
    for (; len >= 4; text += 4, len -= 4) {
        int a = value_of(text[0], is_url), b = value_of(text[1], is_url);
        int c = value_of(text[2], is_url), d = value_of(text[3], is_url);
        if ((a | b | c | d) < 0) {
            return TW_EINVALID;
        }
        unsigned bits = (unsigned)a << 18 | (unsigned)b << 12 |
                        (unsigned)c << 6 | (unsigned)d;
        *at++ = (uint8_t)(bits >> 16);
        *at++ = (uint8_t)(bits >> 8);
        *at++ = (uint8_t)bits;
    }
    if (len > 0) {
        size_t size = decode_rest(text, len, is_url, at);
        if (size == 0) {
            return TW_EINVALID;
        }
        at += size;
    }
    *out_len = (size_t)(at - (uint8_t *)out);
    return 0;
}

/* ---- hex ---------------------------------------------------------------- */

void twl_hex_encode(const void *data, size_t len, char *out) {
    static const char DIGITS[] = "0123456789abcdef";
    const uint8_t *in = data;
    for (size_t i = 0; i < len; i++) {
        *out++ = DIGITS[in[i] >> 4];
        *out++ = DIGITS[in[i] & 15];
    }
}

static int digit_of(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int twl_hex_decode(const char *text, size_t len, void *out) {
    uint8_t *at = out;
    if (len % 2 != 0) {
        return TW_EINVALID;
    }
    for (size_t i = 0; i < len; i += 2) {
        int high = digit_of(text[i]), low = digit_of(text[i + 1]);
        if ((high | low) < 0) {
            return TW_EINVALID;
        }
        *at++ = (uint8_t)(high << 4 | low);
    }
    return 0;
}
