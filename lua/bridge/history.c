/* The answer of a channel's home is copied at once: what waits for it may be
 * unable to go on yet, because another hook runs or the server is frozen.
 *
 * SPDX-License-Identifier: MIT */
#include "history.h"

#include <string.h>

#include "call_options.h"
#include "channel.h"
#include "err.h"
#include "job.h"
#include "json.h"
#include "names.h"
#include "opts.h"
#include "position.h"
#include "vm_alloc.h"

enum { MAX_LIMIT = 1000 };

static const twl_name options[] = {
    {"since", false}, {"limit", false}, {"reverse", false}, {NULL, false}};

const twl_call_options twl_call_history = {"channel():history", 1,
                                           "channel:history", options};

/* ---- the copy ------------------------------------------------------------ */

/* The bytes that the items point to come behind them. */
typedef struct kept {
    tw_position position;
    bool recovered;
    size_t count;
    tw_publication items[];
} kept;

static const char *copy_bytes(char **place, const void *data, size_t len) {
    char *copy = *place;
    if (len > 0) {
        memcpy(copy, data, len);
    }
    *place += len;
    return copy;
}

static kept *copy_history(const tw_history *history) {
    size_t size = sizeof(kept) + history->count * sizeof(tw_publication);
    size_t bytes = 0;
    for (size_t i = 0; i < history->count; i++) {
        bytes += history->items[i].len + history->items[i].key.len;
    }
    kept *copy = twl_malloc(size + bytes);
    if (!copy) {
        return NULL;
    }
    char *place = (char *)copy + size;
    copy->position = history->position;
    copy->recovered = history->recovered;
    copy->count = history->count;
    for (size_t i = 0; i < history->count; i++) {
        const tw_publication *from = &history->items[i];
        tw_publication *to = &copy->items[i];
        *to = *from;
        to->data = copy_bytes(&place, from->data, from->len);
        to->key.data = copy_bytes(&place, from->key.data, from->key.len);
    }
    return copy;
}

static void on_history(int status, const tw_history *history, void *arg) {
    kept *copy = status ? NULL : copy_history(history);
    twl_op_end_answer(arg, status || copy ? status : TW_ENOMEM, copy);
}

/* ---- tables -------------------------------------------------------------- */

static void push_entry(lua_State *L, const tw_publication *item) {
    lua_createtable(L, 0, 4);
    lua_pushnumber(L, (lua_Number)item->offset);
    lua_setfield(L, -2, "offset");
    lua_pushlstring(L, item->data, item->len);
    lua_setfield(L, -2, "data");
    lua_pushboolean(L, item->binary);
    lua_setfield(L, -2, "binary");
    if (item->key.len > 0) {
        lua_pushlstring(L, item->key.data, item->key.len);
        lua_setfield(L, -2, "key");
    }
}

static int push_history(lua_State *L, twl_job *job) {
    const kept *history = job->answer;
    lua_createtable(L, 0, 4);
    twl_position_set(L, &history->position);
    lua_pushboolean(L, history->recovered);
    lua_setfield(L, -2, "recovered");
    lua_createtable(L, (int)history->count, 0);
    twl_json_mark_array(L);
    for (size_t i = 0; i < history->count; i++) {
        push_entry(L, &history->items[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "publications");
    return 1;
}

static int push_latest(lua_State *L, twl_job *job) {
    const kept *history = job->answer;
    if (history->count > 0) {
        push_entry(L, &history->items[0]);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

/* ---- for scripts --------------------------------------------------------- */

static void read_options(lua_State *L, const char *what,
                         tw_history_options *out) {
    uint64_t limit = 0;
    if (twl_arg_options(L, 2, what, options)) {
        out->has_since = twl_opt_since(L, 2, what, &out->since);
        twl_opt_whole(L, 2, what, "limit", 1, MAX_LIMIT, &limit);
        twl_opt_bool(L, 2, what, "reverse", &out->reverse);
        out->limit = (uint32_t)limit;
    }
}

int twl_channel_history(lua_State *L) {
    static const char what[] = "channel:history";
    tw_history_options how = {0};
    tw_str name = twl_channel_self(L, what);
    twl_gen_check_live(L, what);
    read_options(L, what, &how);
    int results;
    twl_job *job = twl_op_begin(L, what, name, &results);
    if (!job) {
        return results;
    }
    int code = tw_channel_history(job->gen->lua->server, name, &how, on_history,
                                  job->op);
    return twl_op_go(L, job, what, code, push_history);
}

/* What was published without a key is retained under the empty one. */
static tw_str read_key(lua_State *L, const char *what) {
    tw_str key = {"", 0};
    if (!lua_isnoneornil(L, 2)) {
        key = twl_arg_string(L, 2, what, "key");
    }
    if (key.len > 255) {
        twl_raise(L, "%s: key has at most 255 bytes", what);
    }
    return key;
}

int twl_channel_latest(lua_State *L) {
    static const char what[] = "channel:latest";
    tw_str name = twl_channel_self(L, what);
    tw_str key = read_key(L, what);
    twl_gen_check_live(L, what);
    int results;
    twl_job *job = twl_op_begin(L, what, name, &results);
    if (!job) {
        return results;
    }
    int code = tw_channel_latest(job->gen->lua->server, name, key, on_history,
                                 job->op);
    return twl_op_go(L, job, what, code, push_latest);
}

int twl_channel_remove(lua_State *L) {
    static const char what[] = "channel:remove";
    tw_str name = twl_channel_self(L, what);
    tw_str key = read_key(L, what);
    twl_gen_check_live(L, what);
    return twl_push_done(
        L, tw_channel_remove(twl_gen_of(L)->lua->server, name, key));
}
