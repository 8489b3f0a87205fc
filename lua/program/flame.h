/* flame.h - folded stacks as a flame graph: one SVG that needs nothing else.
 *
 * Each box is a function, as wide as the time in it and what it called; what
 * called it is below. A click makes a box as wide as the picture, the search
 * marks names; without scripts it can be read all the same.
 *
 * Pure.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_FLAME_H
#define TWP_FLAME_H

#include "text.h"

/* Appends the SVG. `lines` is folded stacks (folded.h); what is none is left
 * out. The texts go on top, the second one below the first. */
void twp_flame_draw(twp_text *out, const char *lines, const char *title,
                    const char *subtitle);

#endif
