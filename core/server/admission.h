/* admission.h - how many handshakes there may be in a second.
 *
 * A token bucket that also counts who was sent away: they come again, and are
 * told to do so one after another rather than all in the next second. Pure.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_ADMISSION_H
#define TW_SERVER_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

typedef struct tw__admission {
    double _per_ms, _burst; /* 0 per ms: no limit */
    double _tokens, _away;
    uint64_t _filled_ms;
} tw__admission;

/* `per_second` 0: no limit. A burst below 1 is 1. Full at first. */
void tw__admission_init(tw__admission *admission, double per_second,
                        double burst, uint64_t now_ms);

/* Whether one more may come now. If not, *retry_s, from 1 to 60, is when it
 * should ask again. */
bool tw__admission_take(tw__admission *admission, uint64_t now_ms,
                        unsigned *retry_s);

#endif
