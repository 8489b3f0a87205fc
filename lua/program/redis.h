/* redis.h - the Redis servers that the settings name.
 * SPDX-License-Identifier: MIT */
#ifndef TWP_REDIS_H
#define TWP_REDIS_H

#include <jansson.h>

#include "settings.h"
#include "text.h"
#include "tidewire/redis.h"

typedef struct twp_redis_entry twp_redis_entry;

typedef struct twp_redis {
    twp_redis_entry *entries;
    size_t count;
} twp_redis;

/* Takes the settings apart and reads the files they name; what is wrong goes to
 * `problems`, a line each, without anything secret. */
void twp_redis_init(twp_redis *redis, const twp_settings *settings,
                    twp_text *problems);
void twp_redis_deinit(twp_redis *redis); /* wipes passwords */

/* Makes all of them known to a server. 0, or an error and a sentence of at most
 * TW_REPORT_MAX bytes. */
int twp_redis_add(const twp_redis *redis, tw_server *server, char *report);

/* Paths in the table are relative to the folder of the configuration file: a
 * copy in which they are not. Given (json_decref). */
json_t *twp_redis_resolve(const json_t *table, const char *file);

#endif
