/* resp.h - what Redis says (RESP2), with bounds; and how commands are worded.
 *
 * Pure: bytes in, values out. hiredis' reader takes the bytes apart; what is
 * around it keeps a hostile or broken server from costing more than the limits
 * say: a bulk string is refused by its declared length before it is buffered,
 * an array by its declared count before it is allocated, nesting ends at seven
 * arrays and a line at 64 KiB. Values live in an arena until they are released.
 *
 * Belongs to one thread. hiredis keeps its input buffer in memory of its own.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_REDIS_RESP_H
#define TW_REDIS_RESP_H

#include "redis/arena.h"
#include "tidewire/redis.h"

struct redisReader;

enum { TW__RESP_LINE_MAX = 65536 };

typedef struct tw__resp {
    size_t max_bytes; /* of all values that are not released */
    size_t bytes;     /* what they take now */
    int fault;        /* 0, or what every further call answers */
    struct redisReader *_reader;
    tw__arena _arena;
    tw__arena_mark _mark; /* where the value under way, or the last, begins */
    size_t _mark_bytes;
    bool _is_under_way;
} tw__resp;

/* 0 or TW_ENOMEM. The struct must not move. */
int tw__resp_init(tw__resp *resp, size_t max_bytes);
void tw__resp_deinit(tw__resp *resp);

/* As after init: a new connection. 0 or TW_ENOMEM (it is at fault then). */
int tw__resp_reset(tw__resp *resp);

/* Takes bytes in. 0 or TW_ENOMEM. */
int tw__resp_feed(tw__resp *resp, const void *data, size_t len);

/* The next whole value, valid until it is released; NULL: more bytes are
 * needed. 0; TW_EINVALID (not RESP), TW_ELIMIT (too large) or TW_ENOMEM:
 * nothing more can be read then. */
int tw__resp_next(tw__resp *resp, const tw_redis_value **value);

/* All values are gone; only between two values. */
void tw__resp_release(tw__resp *resp);

/* The one that was given last is; at once. */
void tw__resp_drop(tw__resp *resp);

/* resp_command.c: how long a command is, and the command itself; `out` has that
 * many bytes, and its end is given. */
size_t tw__resp_command_size(const tw_redis_command *command);
char *tw__resp_command_write(char *out, const tw_redis_command *command);

#endif
