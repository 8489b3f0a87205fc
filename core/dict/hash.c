/* SPDX-License-Identifier: MIT */
#include "dict/hash.h"

#include <string.h>

static uint64_t turn(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static void mix(uint64_t v[4]) {
    v[0] += v[1];
    v[1] = turn(v[1], 13) ^ v[0];
    v[0] = turn(v[0], 32);
    v[2] += v[3];
    v[3] = turn(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = turn(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = turn(v[1], 17) ^ v[2];
    v[2] = turn(v[2], 32);
}

static void take(uint64_t v[4], uint64_t word) {
    v[3] ^= word;
    mix(v);
    v[0] ^= word;
}

/* Words as the machine has them: nobody else reads the result. */
uint64_t tw__dict_hash(const tw__dict_secret *secret, const char *key,
                       size_t len) {
    uint64_t v[4] = {secret->a ^ UINT64_C(0x736f6d6570736575),
                     secret->b ^ UINT64_C(0x646f72616e646f6d),
                     secret->a ^ UINT64_C(0x6c7967656e657261),
                     secret->b ^ UINT64_C(0x7465646279746573)};
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, key + i, sizeof word);
        take(v, word);
    }
    uint64_t last = (uint64_t)len << 56;
    for (int shift = 0; i < len; i++, shift += 8) {
        last |= (uint64_t)(uint8_t)key[i] << shift;
    }
    take(v, last);
    v[2] ^= 0xff;
    mix(v);
    mix(v);
    mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
