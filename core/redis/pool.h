/* pool.h - a few streams to one Redis server.
 *
 * They are made with the first call. A call goes to the stream with the fewest
 * unanswered commands among those that are ready, else among those that may
 * still become it. What would change a connection for those who share it is
 * refused.
 *
 * Belongs to the loop's thread. SPDX-License-Identifier: MIT */
#ifndef TW_REDIS_POOL_H
#define TW_REDIS_POOL_H

#include "redis/stream.h"

struct tw_redis {
    tw__list _node; /* the owner's */
    tw__redis_target target;
    tw__redis_env *_env;
    size_t _count; /* streams; 0 before the first call */
    tw__redis_stream *_streams[];
};

/* 0, or an error of tw__redis_target_init. `env` outlives it. */
int tw__redis_pool_create(tw_redis **pool, tw__redis_env *env,
                          const tw_redis_config *config, char *detail,
                          size_t size);

/* Every call ends with TW_ECLOSED within this one. */
void tw__redis_pool_destroy(tw_redis *pool);

/* Unanswered commands and ready streams. */
size_t tw__redis_pool_pending(const tw_redis *pool);
size_t tw__redis_pool_ready(const tw_redis *pool);

/* shared.c: whether the commands leave a connection as it was for whoever uses
 * it next, and do not hold up those who share it. */
bool tw__redis_is_shareable(const tw_redis_command *commands, size_t count);

#endif
