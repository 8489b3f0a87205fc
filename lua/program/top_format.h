/* top_format.h - one picture of tidewire top. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_TOP_FORMAT_H
#define TWP_TOP_FORMAT_H

#include <jansson.h>

#include "text.h"

/* Appends lines made of two answers of /api/top, `seconds` apart: rates are of
 * the time between. At most `listed` rows of hooks, queues and channels each.
 * Whatever of the answers is missing counts as 0. */
void twp_top_format(twp_text *out, const json_t *before, const json_t *now,
                    double seconds, unsigned listed);

#endif
