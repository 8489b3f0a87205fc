/* SPDX-License-Identifier: MIT */
#include "ws/pool.h"

#include <assert.h>

#include "ws/reader.h"

void tw__ws_pool_init(tw__ws_pool *pool, size_t max_bound, size_t max_idle) {
    *pool = (tw__ws_pool){
        ._max_bound = max_bound,
        ._max_idle = max_idle > 0 ? max_idle : 1,
    };
}

static tw__ws_reader *pop(tw__ws_pool *pool) {
    tw__ws_reader *reader = pool->_idle;
    if (reader != NULL) {
        pool->_idle = reader->_next;
        pool->_idle_count--;
    }
    return reader;
}

void tw__ws_pool_deinit(tw__ws_pool *pool) {
    assert(pool->_bound == 0);
    tw__ws_reader *reader;
    while ((reader = pop(pool)) != NULL) {
        tw__ws_reader_destroy(reader);
    }
}

tw__ws_reader *tw__ws_pool_take(tw__ws_pool *pool) {
    tw__ws_reader *reader = pop(pool);
    return reader != NULL ? reader : tw__ws_reader_create();
}

void tw__ws_pool_give(tw__ws_pool *pool, tw__ws_reader *reader) {
    if (!tw__ws_reader_is_clean(reader) ||
        pool->_idle_count >= pool->_max_idle) {
        tw__ws_reader_destroy(reader);
        return;
    }
    reader->_next = pool->_idle;
    pool->_idle = reader;
    pool->_idle_count++;
}

bool tw__ws_pool_bind(tw__ws_pool *pool) {
    if (pool->_bound >= pool->_max_bound) {
        return false;
    }
    pool->_bound++;
    return true;
}

void tw__ws_pool_unbind(tw__ws_pool *pool) {
    assert(pool->_bound > 0);
    pool->_bound--;
}
