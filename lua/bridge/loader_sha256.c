/* SPDX-License-Identifier: MIT */
#include "loader_sha256.h"

#include <string.h>

/* The first 32 bits of the fractions of the cube roots of the first 64 primes,
 * and of the square roots of the first 8. */
static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
static const uint32_t START[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static uint32_t rotate(uint32_t x, unsigned n) {
    return x >> n | x << (32 - n);
}

static uint32_t read_word(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static void expand(uint32_t words[64], const uint8_t *block) {
    for (int i = 0; i < 16; i++) {
        words[i] = read_word(block + 4 * i);
    }
    for (int i = 16; i < 64; i++) {
        uint32_t a = words[i - 15];
        uint32_t b = words[i - 2];
        words[i] = words[i - 16] + words[i - 7] +
                   (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
                   (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
}

static void compress(twl_sha256 *sha, const uint8_t *block) {
    uint32_t words[64];
    uint32_t v[8];
    expand(words, block);
    memcpy(v, sha->state, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t e = v[4];
        uint32_t a = v[0];
        uint32_t one = v[7] + ROUND[i] + words[i] + ((e & v[5]) ^ (~e & v[6])) +
                       (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25));
        uint32_t two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                       ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (int i = 0; i < 8; i++) {
        sha->state[i] += v[i];
    }
}

void twl_sha256_init(twl_sha256 *sha) {
    memcpy(sha->state, START, sizeof sha->state);
    sha->total = 0;
    sha->filled = 0;
}

void twl_sha256_add(twl_sha256 *sha, const void *data, size_t len) {
    const uint8_t *p = data;
    sha->total += len;
    while (len > 0) {
        size_t room = sizeof sha->block - sha->filled;
        size_t part = len < room ? len : room;
        memcpy(sha->block + sha->filled, p, part);
        sha->filled += part;
        p += part;
        len -= part;
        if (sha->filled == sizeof sha->block) {
            compress(sha, sha->block);
            sha->filled = 0;
        }
    }
}

void twl_sha256_finish(twl_sha256 *sha, uint8_t digest[TWL_SHA256_BYTES]) {
    static const uint8_t PAD[64] = {0x80};
    uint64_t bits = sha->total * 8;
    size_t used = sha->filled;
    twl_sha256_add(sha, PAD, (used < 56 ? 56 : 120) - used);
    uint8_t length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    }
    twl_sha256_add(sha, length, sizeof length);
    for (int i = 0; i < TWL_SHA256_BYTES; i++) {
        digest[i] = (uint8_t)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}
