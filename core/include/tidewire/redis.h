/* tidewire/redis.h - calls to Redis servers from the server's loop.
 *
 * A server knows any number of Redis servers by name, and keeps a few
 * connections to each, which are opened with the first call and come back by
 * themselves. Calls of one turn leave together. Belongs to the server's thread.
 *
 * A call is sent once or not at all. When its connection breaks after it was
 * sent nobody knows whether Redis did it: it ends with TW_EUNAVAILABLE, as does
 * one that could not be sent because Redis is away.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TIDEWIRE_REDIS_H
#define TIDEWIRE_REDIS_H

#include "tidewire/tidewire.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tw_redis tw_redis;

/* Zero-initialise; 0 takes the default in brackets. All of it is copied. */
typedef struct tw_redis_config {
    const char *name; /* ["main"] at most 64 bytes */
    /* "redis://[[user]:password@]host[:port][/db]", "rediss://..." with TLS,
     * or "unix:/path". Percent signs escape in user and password. */
    const char *url;
    const char *user;     /* instead of the URL's */
    const char *password; /* likewise */
    const char *ca; /* [the system's] PEM file of those who sign certificates */
    uint32_t db;    /* [the URL's, or 0] */
    uint32_t pool;  /* [2] connections, at most 64 */
    uint32_t connect_ms;     /* [2000] until it can be used */
    uint32_t timeout_ms;     /* [1000] of one call or pipeline */
    uint32_t ping_ms;        /* [1000] silence before a PING */
    uint32_t dead_ms;        /* [3000] without an answer: dead */
    uint32_t max_pending;    /* [100,000] commands of one connection */
    size_t max_queued_bytes; /* [16 MiB] of them, waiting to be sent */
    size_t max_reply_bytes;  /* [16 MiB] of the answers to one call */
} tw_redis_config;

/* Reads a configuration as tw_redis_add does, certificates included. 0,
 * TW_EINVALID or TW_ENOMEM; `detail` (may be NULL) gets a sentence, which never
 * holds user or password. */
TW_API int tw_redis_check(const tw_redis_config *config, char *detail,
                          size_t detail_size);

/* Makes a Redis server known. Errors as above, and TW_EEXISTS. */
TW_API int tw_redis_add(tw_server *server, const tw_redis_config *config,
                        char *detail, size_t detail_size);

/* By its name; NULL when there is none. Valid as long as the server. */
TW_API tw_redis *tw_redis_find(tw_server *server, tw_str name);

typedef enum tw_redis_kind {
    TW_REDIS_NIL,
    TW_REDIS_STRING,
    TW_REDIS_STATUS, /* "OK" */
    TW_REDIS_INTEGER,
    TW_REDIS_ERROR, /* "WRONGTYPE Operation against ..." */
    TW_REDIS_ARRAY
} tw_redis_kind;

typedef struct tw_redis_value {
    tw_redis_kind kind;
    tw_str text; /* STRING, STATUS, ERROR */
    int64_t integer;
    const struct tw_redis_value *items; /* ARRAY */
    size_t count;
} tw_redis_value;

/* A command with its arguments; any bytes. */
typedef struct tw_redis_command {
    const tw_str *args;
    size_t count;
} tw_redis_command;

/* One value for each command with 0; an error that Redis answers with is a
 * value. Otherwise none: TW_EUNAVAILABLE, TW_ETIMEOUT, TW_ELIMIT (an answer was
 * too large), TW_ENOMEM or TW_ECLOSED (the server ends). Values are borrowed.
 * May call, and may not destroy the server. */
typedef void (*tw_redis_cb)(int status, const tw_redis_value *values,
                            size_t count, void *arg);

/* Sends commands back to back on one connection; `cb` is called once, never
 * within this call. `timeout_ms` 0: the configured one. 0; TW_EINVALID (a
 * command that cannot share a connection: it subscribes, blocks, or begins a
 * transaction that does not end within the call; or none at all),
 * TW_EOVERLOADED, TW_EUNAVAILABLE, TW_ENOMEM: no callback then. */
TW_API int tw_redis_call(tw_redis *redis, const tw_redis_command *commands,
                         size_t count, uint32_t timeout_ms, tw_redis_cb cb,
                         void *arg);

#ifdef __cplusplus
}
#endif
#endif
