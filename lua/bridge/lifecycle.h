/* lifecycle.h - on_start and on_stop of a generation's apps.
 *
 * They are asked for by setting start_reason or stop_reason of the generation
 * and posting; twl_lifecycle_turn (bridge.h) runs them.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_LIFECYCLE_H
#define TWL_LIFECYCLE_H

#include "bridge.h"

/* One on_stop has ended; the last one of a worker about to end ends it. */
void twl_lifecycle_stopped(tw_lua *lua);

#endif
