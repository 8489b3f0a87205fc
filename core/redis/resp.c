/* SPDX-License-Identifier: MIT */
#include "redis/resp.h"

#include <hiredis/read.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* ---- values -------------------------------------------------------------- */

/* NULL is out of memory to the reader; `fault` tells which it was. */
static void *take(tw__resp *resp, size_t size) {
    if (size > resp->max_bytes - resp->bytes) {
        resp->fault = TW_ELIMIT;
        return NULL;
    }
    void *block = tw__arena_alloc(&resp->_arena, size);
    if (block == NULL) {
        resp->fault = TW_ENOMEM;
        return NULL;
    }
    resp->bytes += size;
    return block;
}

/* An item's place is in its array; a whole reply has a place of its own. */
static tw_redis_value *place_of(const redisReadTask *task) {
    tw__resp *resp = task->privdata;
    tw_redis_value *value;
    if (task->parent != NULL) {
        tw_redis_value *array = task->parent->obj;
        value = (tw_redis_value *)array->items + task->idx;
    } else {
        value = take(resp, sizeof *value);
    }
    if (value != NULL) {
        memset(value, 0, sizeof *value);
    }
    return value;
}

static tw_redis_kind kind_of(int type) {
    return type == REDIS_REPLY_STATUS  ? TW_REDIS_STATUS
           : type == REDIS_REPLY_ERROR ? TW_REDIS_ERROR
                                       : TW_REDIS_STRING;
}

/* Followed by a NUL, as all text that the library gives. */
static void *create_string(const redisReadTask *task, char *data, size_t len) {
    tw_redis_value *value = place_of(task);
    char *text = value != NULL ? take(task->privdata, len + 1) : NULL;
    if (text == NULL) {
        return NULL;
    }
    memcpy(text, data, len);
    text[len] = '\0';
    value->kind = kind_of(task->type);
    value->text = (tw_str){text, len};
    return value;
}

static void *create_array(const redisReadTask *task, int count) {
    tw_redis_value *value = place_of(task);
    if (value == NULL) {
        return NULL;
    }
    value->kind = TW_REDIS_ARRAY;
    if (count > 0) {
        tw_redis_value *items =
            take(task->privdata, (size_t)count * sizeof *items);
        if (items == NULL) {
            return NULL;
        }
        value->items = items;
        value->count = (size_t)count;
    }
    return value;
}

static void *create_integer(const redisReadTask *task, long long integer) {
    tw_redis_value *value = place_of(task);
    if (value != NULL) {
        value->kind = TW_REDIS_INTEGER;
        value->integer = integer;
    }
    return value;
}

static void *create_nil(const redisReadTask *task) {
    return place_of(task);
}

/* The arena frees. */
static void free_object(void *object) {
    (void)object;
}

static redisReplyObjectFunctions functions = {
    create_string, create_array, create_integer, create_nil, free_object};

/* ---- life ---------------------------------------------------------------- */

int tw__resp_init(tw__resp *resp, size_t max_bytes) {
    memset(resp, 0, sizeof *resp);
    resp->max_bytes = max_bytes;
    return tw__resp_reset(resp);
}

void tw__resp_deinit(tw__resp *resp) {
    if (resp->_reader != NULL) {
        redisReaderFree(resp->_reader);
        resp->_reader = NULL;
    }
    tw__arena_deinit(&resp->_arena);
}

int tw__resp_reset(tw__resp *resp) {
    tw__resp_deinit(resp);
    resp->bytes = 0;
    resp->_is_under_way = false;
    resp->_reader = redisReaderCreateWithFunctions(&functions);
    resp->fault = resp->_reader != NULL ? 0 : TW_ENOMEM;
    if (resp->_reader != NULL) {
        resp->_reader->privdata = resp;
    }
    return resp->fault;
}

void tw__resp_release(tw__resp *resp) {
    tw__arena_clear(&resp->_arena);
    resp->bytes = 0;
}

void tw__resp_drop(tw__resp *resp) {
    tw__arena_rewind(&resp->_arena, resp->_mark);
    resp->bytes = resp->_mark_bytes;
}

/* A value may come in many pieces. */
static void begin_value(tw__resp *resp) {
    if (!resp->_is_under_way) {
        resp->_mark = tw__arena_mark_of(&resp->_arena);
        resp->_mark_bytes = resp->bytes;
        resp->_is_under_way = true;
    }
}

/* ---- bytes --------------------------------------------------------------- */

int tw__resp_feed(tw__resp *resp, const void *data, size_t len) {
    if (resp->fault == 0 &&
        redisReaderFeed(resp->_reader, data, len) != REDIS_OK) {
        resp->fault = TW_ENOMEM;
    }
    return resp->fault;
}

/* The reader waits for all of a bulk string, however long it says it is, and
 * for the end of a line, however long that gets. It has taken the type's byte
 * already when it does. */
static int check_pending(const tw__resp *resp) {
    const redisReader *reader = resp->_reader;
    if (reader->ridx < 0 || reader->len <= reader->pos) {
        return 0;
    }
    const char *line = reader->buf + reader->pos;
    size_t len = reader->len - reader->pos;
    const char *end = memmem(line, len, "\r\n", 2);
    if (end == NULL) {
        return len > TW__RESP_LINE_MAX ? TW_ELIMIT : 0;
    }
    bool is_bulk = reader->rstack[reader->ridx].type == REDIS_REPLY_STRING;
    long long declared = is_bulk ? strtoll(line, NULL, 10) : 0;
    bool is_large = declared > 0 && (unsigned long long)declared >=
                                        resp->max_bytes - resp->bytes;
    return is_large ? TW_ELIMIT : 0;
}

static int fault_of(const redisReader *reader) {
    return reader->err == REDIS_ERR_OOM ? TW_ENOMEM : TW_EINVALID;
}

int tw__resp_next(tw__resp *resp, const tw_redis_value **value) {
    void *reply = NULL;
    if (resp->fault != 0) {
        return resp->fault;
    }
    begin_value(resp);
    if (redisReaderGetReply(resp->_reader, &reply) != REDIS_OK) {
        /* Ours, when it was ours that failed. */
        resp->fault = resp->fault != 0 ? resp->fault : fault_of(resp->_reader);
        return resp->fault;
    }
    if (reply == NULL) {
        resp->fault = check_pending(resp);
    } else {
        resp->_is_under_way = false;
    }
    if (resp->fault == 0) {
        *value = reply;
    }
    return resp->fault;
}
