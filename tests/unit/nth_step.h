/* nth_step.h - which ones are tried of more than there is time for.
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_NTH_STEP_H
#define TW_TESTS_NTH_STEP_H

#include <stddef.h>
#include <time.h>

/* Of `count` at most `most` are tried; which ones is another choice every
 * day, that after a while all have been. */
static inline size_t nth_step(size_t count, size_t most, size_t *first) {
    size_t step = count / most + 1;
    *first = 1 + (size_t)(time(NULL) / 86400) % step;
    return step;
}

#endif
