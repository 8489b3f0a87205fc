/* SPDX-License-Identifier: MIT */
#include "http/breaker.h"

bool tw__breaker_would_pass(const tw__breaker *breaker, uint64_t now_ms) {
    return !tw__breaker_is_open(breaker) ||
           (!breaker->_is_probing && now_ms >= breaker->_until_ms);
}

bool tw__breaker_pass(tw__breaker *breaker, uint64_t now_ms, bool *is_probe) {
    if (!tw__breaker_would_pass(breaker, now_ms)) {
        return false;
    }
    *is_probe = breaker->_is_probing = tw__breaker_is_open(breaker);
    return true;
}

void tw__breaker_succeed(tw__breaker *breaker) {
    *breaker = (tw__breaker){0};
}

static void pause_for(tw__breaker *breaker, uint64_t now_ms, uint64_t ms,
                      uint32_t most_ms) {
    breaker->_pause_ms = ms < most_ms ? (uint32_t)ms : most_ms;
    breaker->_until_ms = now_ms + breaker->_pause_ms;
}

/* Requests that began before it opened fail after it did: only a probe tells
 * anything new. */
void tw__breaker_fail(tw__breaker *breaker, const tw__breaker_rule *rule,
                      uint64_t now_ms, bool is_probe) {
    bool is_late = now_ms - breaker->_failed_ms > rule->window_ms;
    if (tw__breaker_is_open(breaker)) {
        if (is_probe) {
            breaker->_is_probing = false;
            pause_for(breaker, now_ms, (uint64_t)breaker->_pause_ms * 2,
                      rule->most_ms);
        }
        return;
    }
    breaker->_failures = is_late ? 1 : breaker->_failures + 1;
    breaker->_failed_ms = now_ms;
    if (breaker->_failures >= rule->failures) {
        pause_for(breaker, now_ms, rule->pause_ms, rule->most_ms);
    }
}

void tw__breaker_drop_probe(tw__breaker *breaker) {
    breaker->_is_probing = false;
}
