/* handshake.h - the client's side of the opening handshake, RFC 6455 4.1.
 *
 * Pure. No subprotocol is offered, and no extension but, when `deflate` says
 * so, permessage-deflate without context takeover, which must be granted then.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_HANDSHAKE_H
#define TW_BENCH_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TW__BENCH_NONCE_LEN 16
#define TW__BENCH_KEY_SIZE 25    /* base64 of the nonce and a zero */
#define TW__BENCH_ACCEPT_SIZE 29 /* base64 of a SHA-1 and a zero */
#define TW__BENCH_HEAD_MAX 16384 /* a longer answer is refused */

/* From 16 random bytes the key to send and the answer to expect. */
void tw__bench_handshake_keys(const uint8_t nonce[TW__BENCH_NONCE_LEN],
                              char key[TW__BENCH_KEY_SIZE],
                              char accept[TW__BENCH_ACCEPT_SIZE]);

/* Writes the request; returns its length, or 0 when it does not fit. */
size_t tw__bench_handshake_request(char *out, size_t cap, const char *host,
                                   const char *target, const char *key,
                                   bool deflate);

/* Looks at the answer so far, from its first byte.
 * Returns 0 when it is not all there; the length of its head when the
 * connection is open (what follows are frames); -1 when it is refused or
 * wrong, and `why`, of `why_size` bytes, says how. */
int tw__bench_handshake_check(const char *data, size_t len, const char *accept,
                              bool deflate, char *why, size_t why_size);

#endif
