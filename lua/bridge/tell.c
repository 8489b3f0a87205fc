/* SPDX-License-Identifier: MIT */
#include "tell.h"

#include <lauxlib.h>

#include "data.h"
#include "err.h"
#include "job.h"
#include "log.h"
#include "names.h"
#include "opts.h"
#include "presence.h"

static const char what[] = "tell";

static const twl_name options[] = {{"binary", false}, {NULL, false}};

/* ---- which function ------------------------------------------------------ */

/* NULL has to mean none. */
void *twl_tell_data(size_t index) {
    return (void *)(uintptr_t)(index + 1);
}

/* Where the server could not take over the classes of the current generation,
 * its numbers are those of another one. */
static int function_of(const twl_gen *gen, const void *data) {
    size_t number = (size_t)(uintptr_t)data;
    bool is_known = gen && gen->are_classes_used && number > 0 &&
                    number <= gen->class_count;
    return is_known ? gen->tells[number - 1] : LUA_NOREF;
}

/* ---- the change ---------------------------------------------------------- */

static void push_members(lua_State *L, const tw_presence_member *members,
                         size_t count) {
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        twl_member_push(L, &members[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static int push_change(lua_State *L, void *arg) {
    const twl_job *job = arg;
    const tw_presence_change *change = job->input;
    lua_pushlstring(L, change->channel.data, change->channel.len);
    lua_createtable(L, 0, 4);
    push_members(L, change->joined, change->joined_count);
    lua_setfield(L, -2, "joined");
    push_members(L, change->left, change->left_count);
    lua_setfield(L, -2, "left");
    lua_pushnumber(L, (lua_Number)change->members);
    lua_setfield(L, -2, "count");
    if (change->is_reset) {
        lua_pushboolean(L, true);
        lua_setfield(L, -2, "reset");
    }
    return 2;
}

/* ---- what it says -------------------------------------------------------- */

static void tell(lua_State *L, const twl_job *job, const tw_msg *data) {
    const tw_presence_change *change = job->input;
    int code = tw_channel_tell(job->gen->lua->server, change->channel,
                               data->data, data->len, data->binary);
    if (code == TW_EINVALID) {
        twl_raise(L,
                  "%s: the text is not valid UTF-8 (return data, "
                  "{ binary = true } for bytes)",
                  what);
    } else if (code && code != TW_ENOT_FOUND) {
        tw_log_field field = {"error", tw_strerror(code)};
        twl_log_write(job->gen->vm, TW_LOG_ERROR,
                      "a change of presence could not be told", &field, 1);
    }
}

static void read_told(lua_State *L, int count, void *arg) {
    const twl_job *job = arg;
    bool binary = false;
    tw_msg data;
    (void)count;
    lua_settop(L, 2);
    if (lua_isnil(L, 1)) {
        return;
    }
    if (twl_arg_options(L, 2, what, options)) {
        twl_opt_bool(L, 2, what, "binary", &binary);
    }
    twl_data_read(L, job->gen->lua, 1, what, &data);
    data.binary = data.binary || binary;
    tell(L, job, &data);
}

static const twl_kind kind = {
    .spec = {.name = "tell",
             .push = push_change,
             .read = read_told,
             .no_wait = "in tell"},
    .row = TWL_ROW_TELL,
    .may_act = true,
};

void twl_tell_on_presence(tw_server *server, const tw_presence_change *change,
                          void *user) {
    tw_lua *lua = user;
    (void)server;
    twl_gen *gen = lua->is_stopped ? NULL : lua->current;
    int fn = function_of(gen, change->class_data);
    twl_job *job = fn != LUA_NOREF ? twl_job_take(gen, &kind) : NULL;
    if (job) {
        job->input = change;
        job->channel = change->channel.data;
        twl_job_start(job, fn);
    }
}
