/* SPDX-License-Identifier: MIT */
#include "redis.h"

#include <lauxlib.h>
#include <string.h>

#include "err.h"
#include "handle.h"
#include "job.h"
#include "loader_cache.h"
#include "names.h"
#include "opts.h"
#include "redis_value.h"
#include "sandbox.h"

/* The name is kept, not what is behind it: while a script is only checked there
 * is no server. */
typedef struct redis_handle {
    twl_handle head;
    size_t len;
    char name[]; /* and a NUL */
} redis_handle;

enum { MAX_COMMANDS = 100000 };

static const twl_name fields[] = {
    {"name", false}, {"call", false}, {"pipeline", false}, {NULL, false}};

/* ---- the handle ---------------------------------------------------------- */

static tw_redis *find(lua_State *L, tw_str name) {
    tw_server *server = twl_gen_of(L)->lua->server;
    return server ? tw_redis_find(server, name) : NULL;
}

static int raise_unknown(lua_State *L, const char *what, const char *name) {
    return twl_raise(L, "%s: no Redis named '%s' is configured", what, name);
}

int twl_redis_new(lua_State *L) {
    static const char what[] = "tw.redis";
    tw_str name = {"main", 4};
    if (!lua_isnoneornil(L, 1)) {
        name = twl_arg_string(L, 1, what, "name");
    }
    if (twl_gen_of(L)->lua->server && !find(L, name)) {
        return raise_unknown(L, what, name.data);
    }
    redis_handle *handle =
        twl_handle_new(L, TWL_HANDLE_REDIS, sizeof *handle + name.len + 1);
    handle->len = name.len;
    memcpy(handle->name, name.data, name.len + 1);
    return 1;
}

static tw_str name_of(const twl_handle *head) {
    const redis_handle *handle = (const redis_handle *)(const void *)head;
    return (tw_str){handle->name, handle->len};
}

static tw_redis *self(lua_State *L, const char *what) {
    tw_str name = name_of(twl_handle_self(L, TWL_HANDLE_REDIS, what));
    twl_gen_check_live(L, what);
    tw_redis *redis = find(L, name);
    if (!redis) {
        raise_unknown(L, what, name.data);
    }
    return redis;
}

/* ---- asking -------------------------------------------------------------- */

static int push_one(lua_State *L, twl_job *job) {
    const twl_redis_answer *answer = job->answer;
    return twl_redis_push_result(L, &answer->values[0]);
}

static int push_all(lua_State *L, twl_job *job) {
    const twl_redis_answer *answer = job->answer;
    lua_createtable(L, (int)answer->count, 0);
    for (size_t i = 0; i < answer->count; i++) {
        twl_redis_push_item(L, &answer->values[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

/* What waits for it may be unable to go on yet: another hook runs, or the
 * server is frozen. Hence the copy. */
static void on_answer(int status, const tw_redis_value *values, size_t count,
                      void *arg) {
    twl_op *op = arg;
    twl_redis_answer *answer = NULL;
    if (!status && op->job) {
        answer = twl_redis_copy(values, count);
        status = answer ? 0 : TW_ENOMEM;
    }
    twl_op_end_answer(op, status, answer);
}

static int ask(lua_State *L, const char *what, tw_redis *redis,
               const tw_redis_command *commands, size_t count,
               int (*push)(lua_State *L, twl_job *job)) {
    int results;
    twl_job *job = twl_op_begin(L, what, (tw_str){"", 0}, &results);
    if (!job) {
        return results;
    }
    int code = tw_redis_call(redis, commands, count, 0, on_answer, job->op);
    if (code == TW_EINVALID) {
        twl_op_refuse(L, job, code);
        return twl_raise(L,
                         "%s: this command would block or change a connection "
                         "that others use",
                         what);
    }
    return twl_op_go(L, job, what, code, push);
}

/* redis:call(command, ...) */
static int call(lua_State *L) {
    static const char what[] = "redis:call";
    tw_redis *redis = self(L, what);
    int count = lua_gettop(L) - 1;
    if (count < 1) {
        return twl_raise(L, "%s: needs a command", what);
    }
    tw_str *args = lua_newuserdata(L, (size_t)count * sizeof *args);
    for (int i = 0; i < count; i++) {
        args[i] = twl_redis_read(L, i + 2, what, i + 1);
    }
    tw_redis_command command = {args, (size_t)count};
    return ask(L, what, redis, &command, 1, push_one);
}

/* ---- pipelines ----------------------------------------------------------- */

static const char pipeline_what[] = "redis:pipeline";

static int length_of(lua_State *L, int index) {
    lua_getfield(L, index, "n");
    int n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return n;
}

/* Commands and their arguments in one block of Lua's. */
static size_t count_args(lua_State *L, int list, int count) {
    size_t total = 0;
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, list, i);
        int n = length_of(L, lua_gettop(L));
        if (n < 1) {
            twl_raise(L, "%s: command %d is empty", pipeline_what, i);
        }
        total += (size_t)n;
        lua_pop(L, 1);
    }
    return total;
}

/* What the texts are borrowed from goes back into the tables. */
static void read_args(lua_State *L, int table, tw_str *args, int count) {
    for (int i = 0; i < count; i++) {
        lua_rawgeti(L, table, i + 1);
        args[i] = twl_redis_read(L, lua_gettop(L), pipeline_what, i + 1);
        lua_rawseti(L, table, i + 1);
    }
}

/* exec(redis, list), where list and its members are tables with n. */
static int exec(lua_State *L) {
    tw_redis *redis = self(L, pipeline_what);
    int count = length_of(L, 2);
    if (count > MAX_COMMANDS) {
        return twl_raise(L, "%s: at most %d commands", pipeline_what,
                         MAX_COMMANDS);
    }
    if (count == 0) {
        lua_newtable(L);
        return 1;
    }
    size_t total = count_args(L, 2, count);
    tw_redis_command *commands =
        lua_newuserdata(L, (size_t)count * sizeof *commands);
    tw_str *args = lua_newuserdata(L, total * sizeof *args);
    for (int i = 0; i < count; i++) {
        lua_rawgeti(L, 2, i + 1);
        int n = length_of(L, lua_gettop(L));
        read_args(L, lua_gettop(L), args, n);
        commands[i] = (tw_redis_command){args, (size_t)n};
        args += n;
        lua_pop(L, 1);
    }
    return ask(L, pipeline_what, redis, commands, (size_t)count, push_all);
}

static int complain(lua_State *L) {
    return twl_raise(L, "%s: needs a function", pipeline_what);
}

/* In Lua, so that the function may wait before it goes on collecting. */
static const char PIPELINE[] =
    "local exec, complain, setmetatable, select, type = ...\n"
    "local methods = {}\n"
    "methods.__index = methods\n"
    "function methods:call(...)\n"
    "  local n = self.n + 1\n"
    "  self[n] = { n = select('#', ...), ... }\n"
    "  self.n = n\n"
    "end\n"
    "return function(redis, fn)\n"
    "  if type(fn) ~= 'function' then complain() end\n"
    "  local list = setmetatable({ n = 0 }, methods)\n"
    "  fn(list)\n"
    "  return exec(redis, list)\n"
    "end\n";

static void push_pipeline(lua_State *L) {
    if (twl_cache_load(L, PIPELINE, sizeof PIPELINE - 1, TWL_GLUE_NAME) != 0) {
        lua_error(L);
    }
    lua_pushcfunction(L, exec);
    lua_pushcfunction(L, complain);
    lua_getglobal(L, "setmetatable");
    lua_getglobal(L, "select");
    lua_getglobal(L, "type");
    lua_call(L, 5, 1);
}

/* ---- the type ------------------------------------------------------------ */

static const luaL_Reg methods[] = {{"call", call}, {NULL, NULL}};

static int get_field(lua_State *L) {
    twl_handle *head = twl_handle_self(L, TWL_HANDLE_REDIS, "redis");
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?";
    if (twl_handle_method(L)) {
        return 1;
    }
    if (strcmp(name, "name") != 0) {
        return twl_names_raise(L, "redis", "method", fields, name);
    }
    lua_pushlstring(L, name_of(head).data, name_of(head).len);
    return 1;
}

void twl_redis_define(lua_State *L) {
    lua_createtable(L, 0, 4);
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    push_pipeline(L);
    lua_setfield(L, -2, "pipeline");
    lua_pushcclosure(L, get_field, 1);
    lua_setfield(L, -2, "__index");
    twl_handle_define(L, TWL_HANDLE_REDIS);
}
