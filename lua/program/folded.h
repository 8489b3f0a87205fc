/* folded.h - what a worker says of a profile, as folded stacks.
 *
 * Folded stacks are lines of frames, the outermost first and parted by ";", and
 * how often they were seen: "a;b;c 12".
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_FOLDED_H
#define TWP_FOLDED_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

typedef struct twp_folded {
    twp_text lines;
    unsigned long long samples, lost;
    unsigned tick_ms;
} twp_folded;

/* Gives the name of the function at a place of a file, or NULL. */
typedef const char *(*twp_name_cb)(void *arg, const char *path, bool is_program,
                                   uint64_t offset);

/* Adds the text of one worker (lua/bridge/profile.h says what it looks like),
 * each stack below a frame `root`. Lines that it does not know are left out.
 * False: it is no profile. */
bool twp_folded_add(twp_folded *folded, const char *text, const char *root,
                    twp_name_cb name, void *arg);

/* Makes one line of those that came to be the same by their names, in the order
 * of the alphabet. */
void twp_folded_merge(twp_folded *folded);

void twp_folded_deinit(twp_folded *folded);

#endif
