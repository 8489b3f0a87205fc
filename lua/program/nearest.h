/* nearest.h - the known name that a mistyped one was probably meant to be.
 *
 * Pure. Names over 63 bytes are near to nothing.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_NEAREST_H
#define TWP_NEAREST_H

#include <stdbool.h>

/* Edits that make one word of the other: a letter added, dropped, changed, or
 * two neighbours swapped. A large number when a word is too long. */
int twp_distance(const char *a, const char *b);

/* Collects the nearest of the names offered. */
typedef struct twp_nearest {
    const char *word;
    const char *name; /* NULL while none is near */
    int _least;
} twp_nearest;

void twp_nearest_init(twp_nearest *nearest, const char *word);
/* Whether the name, borrowed, is now the nearest; the first of equals wins. */
bool twp_nearest_offer(twp_nearest *nearest, const char *name);

#endif
