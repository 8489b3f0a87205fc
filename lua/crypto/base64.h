/* base64.h - bytes as text and back: base64, base64url (RFC 4648) and hex.
 *
 * Pure: from the caller's bytes into the caller's room, which it has measured.
 * Decoding is strict, so that one run of bytes has one text: no blanks, no
 * other characters, and the bits that the last character has too many are 0.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_BASE64_H
#define TWL_BASE64_H

#include <stddef.h>
#include <stdint.h>

typedef enum twl_base64 {
    TWL_BASE64,           /* "+/", padded */
    TWL_BASE64URL,        /* "-_", not padded: what tokens are made of */
    TWL_BASE64URL_LENIENT /* decodes with and without padding */
} twl_base64;

/* Room that is enough for what `len` bytes or characters become. */
static inline size_t twl_base64_encoded_max(size_t len) {
    return (len + 2) / 3 * 4;
}
static inline size_t twl_base64_decoded_max(size_t len) {
    return (len + 3) / 4 * 3;
}

/* Writes the text, without a NUL, and returns its length. */
size_t twl_base64_encode(twl_base64 kind, const void *data, size_t len,
                         char *out);

/* Writes the bytes and says in *out_len how many. 0, or TW_EINVALID: then what
 * lies in `out` means nothing and *out_len is untouched. */
int twl_base64_decode(twl_base64 kind, const char *text, size_t len, void *out,
                      size_t *out_len);

/* Writes 2 * len characters, in lower case. */
void twl_hex_encode(const void *data, size_t len, char *out);

/* Writes len / 2 bytes; either case. 0 or TW_EINVALID (a length that is odd,
 * too). */
int twl_hex_decode(const char *text, size_t len, void *out);

#endif
