/* clock.c - the clock of the guard: it stands still but when it is moved.
 *
 * The program's own clock_gettime and getrandom come before those of the C
 * library, for libuv and for the server, so that what depends on time or on
 * chance (timers, the spread of pings) is the same in every run.
 *
 * SPDX-License-Identifier: MIT */
#include "guard.h"

#include <sys/random.h>
#include <time.h>

static uint64_t now_ms = 1000000;

void guard_pass(uint64_t ms) {
    now_ms += ms;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock,
                                                         struct timespec *out) {
    (void)clock;
    out->tv_sec = (time_t)(now_ms / 1000);
    out->tv_nsec = (long)(now_ms % 1000) * 1000000;
    return 0;
}

__attribute__((visibility("default"))) ssize_t getrandom(void *out, size_t len,
                                                         unsigned flags) {
    static uint64_t x = 88172645463325252u;
    uint8_t *bytes = out;
    (void)flags;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bytes[i] = (uint8_t)(x >> 32);
    }
    return (ssize_t)len;
}
