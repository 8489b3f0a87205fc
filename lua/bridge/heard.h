/* heard.h - the publications that wait for a listener.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_HEARD_H
#define TWL_HEARD_H

#include "job.h"
#include "listen.h"

/* Copies it to the end of the queue; drops the oldest where there is no room,
 * or itself without memory. */
void twl_heard_add(twl_listener *listener, const tw_publication *publication);

/* Moves the first one into the job, as its message; false when none waits. */
bool twl_heard_take(twl_listener *listener, twl_job *job);

/* What waited for `from` waits for `to`, which has nothing yet. */
void twl_heard_move(twl_listener *to, twl_listener *from);

void twl_heard_clear(twl_listener *listener);

#endif
