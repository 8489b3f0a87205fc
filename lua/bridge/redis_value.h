/* redis_value.h - between values of Redis and those of scripts.
 * SPDX-License-Identifier: MIT */
#ifndef TWL_REDIS_VALUE_H
#define TWL_REDIS_VALUE_H

#include <lua.h>
#include <tidewire/redis.h>

/* The answer to a call, in one block with all that it points to. */
typedef struct twl_redis_answer {
    size_t count;
    tw_redis_value values[];
} twl_redis_answer;

/* Given (twl_free); NULL without memory. */
twl_redis_answer *twl_redis_copy(const tw_redis_value *values, size_t count);

/* Pushes the result of one command: a value, or nil and an error object. How
 * many. */
int twl_redis_push_result(lua_State *L, const tw_redis_value *value);

/* Pushes one value that stands in a table: nil is false there, and what Redis
 * answered with an error an error object. */
void twl_redis_push_item(lua_State *L, const tw_redis_value *value);

/* An argument of a command at `index`, which is a string, a number or a
 * boolean; what is no string is replaced by one, which the text is borrowed
 * from. Raises with `what` and the argument's number for anything else. */
tw_str twl_redis_read(lua_State *L, int index, const char *what, int number);

#endif
