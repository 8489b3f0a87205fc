/* loader_sha256.h - SHA-256 (FIPS 180-4) over pieces.
 *
 * Beside crypto/digest.h because this one asks for no memory: it cannot fail.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_LOADER_SHA256_H
#define TWL_LOADER_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { TWL_SHA256_BYTES = 32 };

typedef struct twl_sha256 {
    uint32_t state[8];
    uint64_t total;
    uint8_t block[64];
    size_t filled;
} twl_sha256;

void twl_sha256_init(twl_sha256 *sha);
void twl_sha256_add(twl_sha256 *sha, const void *data, size_t len);
void twl_sha256_finish(twl_sha256 *sha, uint8_t digest[TWL_SHA256_BYTES]);

#endif
