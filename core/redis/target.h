/* target.h - where a Redis server is and how to talk to it: a configuration
 * taken apart. Immutable once it is open; outlives the streams that use it.
 * SPDX-License-Identifier: MIT */
#ifndef TW_REDIS_TARGET_H
#define TW_REDIS_TARGET_H

#include "net/socket.h"
#include "net/tls_client.h"
#include "tidewire/redis.h"

enum { TW__REDIS_NAME_MAX = 64, TW__REDIS_SECRET_MAX = 1024 };

typedef struct tw__redis_target {
    char name[TW__REDIS_NAME_MAX + 1];
    char host[256];  /* or the socket's path */
    char port[8];    /* "" for a Unix socket */
    char label[280]; /* where it is, for logs */
    char *user;      /* NULL: none; this and the password are wiped */
    char *password;  /* NULL: none */
    tw__tls *tls;    /* NULL: not encrypted */
    bool has_address;
    tw__address address;    /* when the host is no name */
    tw_redis_config config; /* the numbers, with defaults; texts are NULL */
} tw__redis_target;

/* 0, TW_EINVALID or TW_ENOMEM; `detail` gets a sentence without user and
 * password. */
int tw__redis_target_init(tw__redis_target *target,
                          const tw_redis_config *config, char *detail,
                          size_t size);
void tw__redis_target_deinit(tw__redis_target *target);

#endif
