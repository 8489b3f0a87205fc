/* SPDX-License-Identifier: MIT */
#include "server/admission.h"

enum { LATEST_S = 60 };

void tw__admission_init(tw__admission *admission, double per_second,
                        double burst, uint64_t now_ms) {
    burst = burst < 1 ? 1 : burst;
    *admission = (tw__admission){._per_ms = per_second / 1000,
                                 ._burst = burst,
                                 ._tokens = burst,
                                 ._filled_ms = now_ms};
}

static void refill(tw__admission *admission, uint64_t now_ms) {
    double gained =
        admission->_per_ms * (double)(now_ms - admission->_filled_ms);
    admission->_filled_ms = now_ms;
    admission->_tokens += gained;
    if (admission->_tokens > admission->_burst) {
        admission->_tokens = admission->_burst;
    }
    admission->_away =
        admission->_away > gained ? admission->_away - gained : 0;
}

/* Sums of a thousand thousandths come out a little below one. */
static bool has_token(const tw__admission *admission) {
    return admission->_tokens >= 1 - 1e-6;
}

bool tw__admission_take(tw__admission *admission, uint64_t now_ms,
                        unsigned *retry_s) {
    if (admission->_per_ms <= 0) {
        return true;
    }
    refill(admission, now_ms);
    if (has_token(admission)) {
        admission->_tokens -= 1;
        return true;
    }
    double wait_s = admission->_away / admission->_per_ms / 1000;
    admission->_away += 1;
    *retry_s = wait_s >= LATEST_S - 1 ? LATEST_S : 1 + (unsigned)wait_s;
    return false;
}
