/* shared.c - which commands may be sent on a connection that others use, too.
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "redis/pool.h"

/* They subscribe, block, or change what the connection is. What CLIENT does is
 * looked at by its argument. */
static const char *const refused[] = {
    "SUBSCRIBE",    "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE",
    "SUNSUBSCRIBE", "MONITOR",    "SYNC",       "PSYNC",       "REPLCONF",
    "QUIT",         "RESET",      "HELLO",      "AUTH",        "SELECT",
    "WATCH",        "READONLY",   "READWRITE",  "ASKING",      "BLPOP",
    "BRPOP",        "BRPOPLPUSH", "BLMOVE",     "BLMPOP",      "BZPOPMIN",
    "BZPOPMAX",     "BZMPOP",     "WAIT",       "WAITAOF"};
static const char *const refused_client[] = {"REPLY", "TRACKING", "CACHING",
                                             "NO-EVICT", "PAUSE"};

static bool is_word(tw_str text, const char *word) {
    return text.len == strlen(word) &&
           strncasecmp(text.data, word, text.len) == 0;
}

static bool is_among(tw_str text, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (is_word(text, words[i])) {
            return true;
        }
    }
    return false;
}

/* XREAD and XREADGROUP block when they are told to, before they name streams.
 */
static bool is_blocking_read(const tw_redis_command *command) {
    if (!is_word(command->args[0], "XREAD") &&
        !is_word(command->args[0], "XREADGROUP")) {
        return false;
    }
    for (size_t i = 1; i < command->count; i++) {
        if (is_word(command->args[i], "STREAMS")) {
            return false;
        }
        if (is_word(command->args[i], "BLOCK")) {
            return true;
        }
    }
    return false;
}

static bool is_refused(const tw_redis_command *command) {
    bool is_client = is_word(command->args[0], "CLIENT") && command->count > 1;
    return is_among(command->args[0], refused,
                    sizeof refused / sizeof *refused) ||
           (is_client &&
            is_among(command->args[1], refused_client,
                     sizeof refused_client / sizeof *refused_client)) ||
           is_blocking_read(command);
}

/* A transaction ends where it began, or the next one's commands get into it. */
bool tw__redis_is_shareable(const tw_redis_command *commands, size_t count) {
    bool is_open = false;
    for (size_t i = 0; i < count; i++) {
        const tw_redis_command *command = &commands[i];
        if (command->count == 0 || is_refused(command)) {
            return false;
        }
        if (is_word(command->args[0], "MULTI")) {
            is_open = true;
        } else if (is_word(command->args[0], "EXEC") ||
                   is_word(command->args[0], "DISCARD")) {
            is_open = false;
        }
    }
    return !is_open;
}
