/* pool.h - the wslay contexts of one loop.
 *
 * A context is some 4.3 KB, and a connection needs one only while a frame is
 * partial. So there is one pool per loop: whole frames of all connections go
 * through one context, and a connection keeps one bound from the read in
 * which a frame began to the read in which it ends. How many may be bound is
 * capped. Belongs to the thread of its loop and outlives its connections.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_WS_POOL_H
#define TW_WS_POOL_H

#include <stdbool.h>
#include <stddef.h>

struct tw__ws_reader;

typedef struct tw__ws_pool {
    struct tw__ws_reader *_idle;
    size_t _idle_count, _max_idle;
    size_t _bound, _max_bound;
} tw__ws_pool;

/* An empty pool; nothing is allocated yet. At most `max_bound` connections
 * have a partial frame at a time, others are closed with 1013; `max_idle`
 * contexts (1 at least) are kept for the next frames. */
void tw__ws_pool_init(tw__ws_pool *pool, size_t max_bound, size_t max_idle);

/* Frees the idle contexts. Every input that used the pool is deinitialised
 * before. */
void tw__ws_pool_deinit(tw__ws_pool *pool);

/* How many connections have a context bound: a gauge. */
static inline size_t tw__ws_pool_bound(const tw__ws_pool *pool) {
    return pool->_bound;
}

/* For input.c: a clean context, given; NULL when there is no memory. */
struct tw__ws_reader *tw__ws_pool_take(tw__ws_pool *pool);

/* For input.c: takes a context back. One that is not clean, or is too many,
 * is freed. */
void tw__ws_pool_give(tw__ws_pool *pool, struct tw__ws_reader *reader);

/* For input.c: counts one more bound context; false when the cap is reached. */
bool tw__ws_pool_bind(tw__ws_pool *pool);
void tw__ws_pool_unbind(tw__ws_pool *pool);

#endif
