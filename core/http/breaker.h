/* breaker.h - leaves a host alone that fails again and again.
 *
 * Pure: time is passed in as milliseconds. All zero is one that lets
 * everything through. After `failures` in a row, none of them longer after the
 * one before than `window_ms`, it is open: nothing passes for `pause_ms`, then
 * one probe. A probe that fails doubles the pause, up to `most_ms`; any success
 * closes it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_BREAKER_H
#define TW_HTTP_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct tw__breaker_rule {
    uint32_t failures;
    uint32_t window_ms, pause_ms, most_ms;
} tw__breaker_rule;

typedef struct tw__breaker {
    uint32_t _failures;
    uint32_t _pause_ms; /* 0: closed */
    uint64_t _failed_ms, _until_ms;
    bool _is_probing;
} tw__breaker;

static inline bool tw__breaker_is_open(const tw__breaker *breaker) {
    return breaker->_pause_ms != 0;
}

/* Whether it has anything to remember. */
static inline bool tw__breaker_is_clean(const tw__breaker *breaker) {
    return breaker->_failures == 0 && breaker->_pause_ms == 0;
}

/* Whether a request that began now would be let through. */
bool tw__breaker_would_pass(const tw__breaker *breaker, uint64_t now_ms);

/* Lets one through, or not. *is_probe: how it ends decides; exactly one of the
 * three below is then called for it. */
bool tw__breaker_pass(tw__breaker *breaker, uint64_t now_ms, bool *is_probe);

void tw__breaker_succeed(tw__breaker *breaker);
void tw__breaker_fail(tw__breaker *breaker, const tw__breaker_rule *rule,
                      uint64_t now_ms, bool is_probe);
/* It ended without telling anything about the host: another may try. */
void tw__breaker_drop_probe(tw__breaker *breaker);

#endif
