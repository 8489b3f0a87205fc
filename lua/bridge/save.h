/* save.h - save() and restore(): a worker's variables over a reload.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_SAVE_H
#define TWL_SAVE_H

#include "bridge.h"

/* Runs save() of every app of `from` that an app of `to` on the same route can
 * restore(). 0, or an error and a report. */
int twl_save_restore(twl_gen *from, twl_gen *to, char *report);

#endif
