/* redis.h - the part of a server that knows Redis; see tidewire/redis.h.
 * Inside of core/server only. SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_REDIS_H
#define TW_SERVER_REDIS_H

#include "tidewire/redis.h"

/* Its gauges into the page. */
void tw__server_note_redis(tw_server *server);

/* Every call ends; before the loop's parts close. */
void tw__server_close_redis(tw_server *server);
/* After they are closed. */
void tw__server_free_redis(tw_server *server);

#endif
