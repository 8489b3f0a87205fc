/* redis.c - the Redis servers that a server knows.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "redis/pool.h"
#include "server/redis.h"
#include "server/server.h"

struct tw__server_redis {
    tw__redis_env env;
    tw__list pools;
};

static int dial(void *arg, const tw__redis_target *target, int *fd) {
    tw_server *server = arg;
    return server->lab->dial(server->lab, server->slot, target->name, fd);
}

static int fault(void *arg, const tw__redis_target *target) {
    tw_server *server = arg;
    return server->lab->fault(server->lab, server->slot, target->name);
}

static void fill_env(tw__redis_env *env, tw_server *server) {
    static const tw_counter counters[TW__REDIS_FIGURES] = {
        [TW__REDIS_SENT] = TW_COUNTER_REDIS_SENT,
        [TW__REDIS_ANSWERED] = TW_COUNTER_REDIS_ANSWERED,
        [TW__REDIS_ERRORS] = TW_COUNTER_REDIS_ERRORS,
        [TW__REDIS_UNAVAILABLE] = TW_COUNTER_REDIS_UNAVAILABLE,
        [TW__REDIS_TIMEOUTS] = TW_COUNTER_REDIS_TIMEOUTS,
        [TW__REDIS_REFUSED] = TW_COUNTER_REDIS_REFUSED,
        [TW__REDIS_CONNECTED] = TW_COUNTER_REDIS_CONNECTED,
        [TW__REDIS_BROKEN] = TW_COUNTER_REDIS_BROKEN,
        [TW__REDIS_FAILED] = TW_COUNTER_REDIS_FAILED,
    };
    env->loop = &server->loop;
    env->poller = &server->link;
    env->clock = &server->link_clock;
    env->log = &server->log;
    env->dial = server->lab != NULL ? dial : NULL;
    env->dial_arg = server;
    env->fault = server->lab != NULL ? fault : NULL;
    env->is_held = server->lab != NULL;
    for (int i = 0; i < TW__REDIS_FIGURES; i++) {
        env->figures[i] = &server->page->counters[counters[i]];
    }
}

static int open_redis(tw_server *server) {
    if (server->redis != NULL) {
        return 0;
    }
    tw__server_redis *redis = tw__calloc(1, sizeof *redis);
    if (redis == NULL) {
        return TW_ENOMEM;
    }
    fill_env(&redis->env, server);
    tw__list_init(&redis->pools);
    server->redis = redis;
    return 0;
}

int tw_redis_check(const tw_redis_config *config, char *detail,
                   size_t detail_size) {
    tw__redis_target target;
    char unused[1];
    int err =
        tw__redis_target_init(&target, config, detail != NULL ? detail : unused,
                              detail != NULL ? detail_size : 1);
    if (err == 0) {
        tw__redis_target_deinit(&target);
    }
    return err;
}

static int complain(int err, char *detail, size_t size) {
    if (detail != NULL) {
        snprintf(detail, size, "%s", tw_strerror(err));
    }
    return err;
}

static tw_redis *find(tw_server *server, tw_str name) {
    if (server->redis == NULL) {
        return NULL;
    }
    tw__list *head = &server->redis->pools;
    for (tw__list *node = head->next; node != head; node = node->next) {
        tw_redis *pool = TW__CONTAINER(node, tw_redis, _node);
        if (strlen(pool->target.name) == name.len &&
            memcmp(pool->target.name, name.data, name.len) == 0) {
            return pool;
        }
    }
    return NULL;
}

int tw_redis_add(tw_server *server, const tw_redis_config *config, char *detail,
                 size_t detail_size) {
    const char *name = config->name != NULL ? config->name : "main";
    char unused[1];
    tw_redis *pool;
    if (find(server, (tw_str){name, strlen(name)}) != NULL) {
        return complain(TW_EEXISTS, detail, detail_size);
    }
    if (server->destroying || open_redis(server) != 0) {
        return complain(server->destroying ? TW_ECLOSED : TW_ENOMEM, detail,
                        detail_size);
    }
    int err = tw__redis_pool_create(&pool, &server->redis->env, config,
                                    detail != NULL ? detail : unused,
                                    detail != NULL ? detail_size : 1);
    if (err == TW_ENOMEM) {
        complain(err, detail, detail_size);
    }
    if (err == 0) {
        tw__list_push(&server->redis->pools, &pool->_node);
    }
    return err;
}

/* In a lab every name is known. */
static tw_redis *find_in_lab(tw_server *server, tw_str name) {
    char text[TW__REDIS_NAME_MAX + 1];
    tw_redis_config config = {.name = text, .url = "redis://lab"};
    if (name.len > TW__REDIS_NAME_MAX) {
        return NULL;
    }
    snprintf(text, sizeof text, "%.*s", (int)name.len, name.data);
    tw_redis *found = find(server, name);
    if (found == NULL && tw_redis_add(server, &config, NULL, 0) == 0) {
        found = find(server, name);
    }
    return found;
}

tw_redis *tw_redis_find(tw_server *server, tw_str name) {
    return server->lab != NULL ? find_in_lab(server, name) : find(server, name);
}

void tw__server_note_redis(tw_server *server) {
    size_t ready = 0, pending = 0;
    if (server->redis == NULL) {
        return;
    }
    tw__list *head = &server->redis->pools;
    for (tw__list *node = head->next; node != head; node = node->next) {
        const tw_redis *pool = TW__CONTAINER(node, tw_redis, _node);
        ready += tw__redis_pool_ready(pool);
        pending += tw__redis_pool_pending(pool);
    }
    server->page->gauges[TW_GAUGE_REDIS_CONNECTIONS] = ready;
    server->page->gauges[TW_GAUGE_REDIS_PENDING] = pending;
}

/* What its streams still need is freed with the server: they go at the end of
 * a turn. */
void tw__server_close_redis(tw_server *server) {
    if (server->redis == NULL) {
        return;
    }
    while (!tw__list_is_empty(&server->redis->pools)) {
        tw__redis_pool_destroy(
            TW__CONTAINER(server->redis->pools.next, tw_redis, _node));
    }
}

void tw__server_free_redis(tw_server *server) {
    tw__free(server->redis);
    server->redis = NULL;
}
