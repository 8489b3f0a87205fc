/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

void tw__random_bytes(void *out, size_t len) {
    uint8_t *place = out;
    while (len > 0) {
        ssize_t got = getrandom(place, len, 0);
        if (got < 0 && errno != EINTR) {
            abort();
        }
        if (got > 0) {
            place += got;
            len -= (size_t)got;
        }
    }
}

void tw__random_pooled(void *out, size_t len) {
    static uint8_t pool[4096];
    static size_t left;
    static pid_t owner;
    assert(len <= sizeof pool);
    if (owner != getpid()) {
        owner = getpid();
        left = 0;
    }
    if (left < len) {
        tw__random_bytes(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= len;
    memcpy(out, pool + left, len);
    memset(pool + left, 0, len);
}

uint32_t tw__random_below(uint32_t bound) {
    uint32_t value;
    assert(bound != 0);
    tw__random_pooled(&value, sizeof value);
    return (uint32_t)(((uint64_t)value * bound) >> 32);
}
