/* SPDX-License-Identifier: MIT */
#include "redis/pool.h"

#include "base/alloc.h"

int tw__redis_pool_create(tw_redis **out, tw__redis_env *env,
                          const tw_redis_config *config, char *detail,
                          size_t size) {
    tw__redis_target target;
    int err = tw__redis_target_init(&target, config, detail, size);
    if (err != 0) {
        return err;
    }
    tw_redis *pool = tw__calloc(1, sizeof *pool + target.config.pool *
                                                      sizeof *pool->_streams);
    if (pool == NULL) {
        tw__redis_target_deinit(&target);
        return TW_ENOMEM;
    }
    tw__list_init(&pool->_node);
    pool->target = target;
    pool->_env = env;
    *out = pool;
    return 0;
}

void tw__redis_pool_destroy(tw_redis *pool) {
    size_t count = pool->_count;
    pool->_count = 0; /* callbacks that call again are refused */
    pool->target.config.pool = 0;
    for (size_t i = 0; i < count; i++) {
        tw__redis_stream_destroy(pool->_streams[i]);
    }
    tw__list_remove(&pool->_node);
    tw__redis_target_deinit(&pool->target);
    tw__free(pool);
}

size_t tw__redis_pool_pending(const tw_redis *pool) {
    size_t pending = 0;
    for (size_t i = 0; i < pool->_count; i++) {
        pending += tw__redis_stream_pending(pool->_streams[i]);
    }
    return pending;
}

size_t tw__redis_pool_ready(const tw_redis *pool) {
    size_t ready = 0;
    for (size_t i = 0; i < pool->_count; i++) {
        ready += tw__redis_stream_is_ready(pool->_streams[i]);
    }
    return ready;
}

/* ---- calls --------------------------------------------------------------- */

/* Those that cannot be made now are made with a later call. */
static void open_streams(tw_redis *pool) {
    while (pool->_count < pool->target.config.pool) {
        tw__redis_stream *stream =
            tw__redis_stream_create(pool->_env, &pool->target, NULL);
        if (stream == NULL) {
            return;
        }
        pool->_streams[pool->_count++] = stream;
    }
}

/* Ready ones before those that try, and these before those that failed. */
static int rank_of(const tw__redis_stream *stream) {
    return tw__redis_stream_is_ready(stream)  ? 0
           : tw__redis_stream_is_down(stream) ? 2
                                              : 1;
}

static bool is_better(const tw__redis_stream *a, const tw__redis_stream *b) {
    int rank_a = rank_of(a), rank_b = rank_of(b);
    return rank_a != rank_b
               ? rank_a < rank_b
               : tw__redis_stream_pending(a) < tw__redis_stream_pending(b);
}

static tw__redis_stream *choose(const tw_redis *pool) {
    tw__redis_stream *best = pool->_streams[0];
    for (size_t i = 1; i < pool->_count; i++) {
        if (is_better(pool->_streams[i], best)) {
            best = pool->_streams[i];
        }
    }
    return best;
}

int tw_redis_call(tw_redis *pool, const tw_redis_command *commands,
                  size_t count, uint32_t timeout_ms, tw_redis_cb cb,
                  void *arg) {
    if (count == 0 || !tw__redis_is_shareable(commands, count)) {
        return TW_EINVALID;
    }
    const tw__redis_env *env = pool->_env;
    int fault =
        env->fault != NULL ? env->fault(env->dial_arg, &pool->target) : 0;
    if (fault != 0) {
        return fault;
    }
    open_streams(pool);
    if (pool->_count == 0) {
        return pool->target.config.pool == 0 ? TW_EUNAVAILABLE : TW_ENOMEM;
    }
    return tw__redis_stream_send(choose(pool), commands, count, timeout_ms, cb,
                                 arg);
}
