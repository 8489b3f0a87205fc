/* SPDX-License-Identifier: MIT */
#include "module.h"

#include <lauxlib.h>

#include "app.h"
#include "channel.h"
#include "class.h"
#include "conn.h"
#include "dict.h"
#include "crypto.h"
#include "err.h"
#include "facts.h"
#include "file.h"
#include "handle.h"
#include "http.h"
#include "job.h"
#include "json.h"
#include "jwt.h"
#include "limit.h"
#include "listen.h"
#include "loader.h"
#include "log.h"
#include "metric.h"
#include "msg.h"
#include "names.h"
#include "publish.h"
#include "redis.h"
#include "remote.h"
#include "request.h"
#include "route.h"
#include "task.h"
#include "timer.h"
#include "user.h"
#include "utf8.h"

/* All names of the contract. */
static const twl_name names[] = {
    {"app", false},      {"routes", false},     {"static", false},
    {"channels", false}, {"publish", false},    {"channel", false},
    {"after", false},    {"every", false},      {"sleep", false},
    {"now", false},      {"clock", false},      {"spawn", false},
    {"all", false},      {"stats", false},      {"node", false},
    {"worker", false},   {"generation", false}, {"config", false},
    {"file", false},     {"log", false},        {"json", false},
    {"utf8", false},     {"error", false},      {"conn", false},
    {"user", false},     {"subscribe", false},  {"limit", false},
    {"dict", false},      {"redis", false},       {"http", false},
    {"jwt", false},      {"crypto", false},     {"metric", false},
    {"pb", true},        {"rooms", true},       {"room", true},
    {NULL, false},
};

static const luaL_Reg functions[] = {
    {"app", twl_app_new},
    {"routes", twl_routes_new},
    {"static", twl_static_new},
    {"channels", twl_channels_declare},
    {"publish", twl_publish},
    {"channel", twl_channel_new},
    {"after", twl_timer_after},
    {"every", twl_timer_every},
    {"sleep", twl_sleep},
    {"now", twl_wall_clock},
    {"clock", twl_mono_clock},
    {"spawn", twl_task_spawn},
    {"stats", twl_stats},
    {"conn", twl_remote_new},
    {"user", twl_user_new},
    {"subscribe", twl_listen},
    {"dict", twl_dict_new},
    {"redis", twl_redis_new},
    {"limit", twl_limit},
    {NULL, NULL},
};

static int unknown(lua_State *L) {
    if (lua_type(L, 2) != LUA_TSTRING) {
        lua_pushnil(L);
        return 1;
    }
    return twl_names_raise(L, "tw", "name", names, lua_tostring(L, 2));
}

static int read_only(lua_State *L) {
    return twl_raise(L, "tw is read-only: keep things of your own in a module");
}

static void set_function(lua_State *L, const char *name, lua_CFunction f) {
    lua_pushcfunction(L, f);
    lua_setfield(L, -2, name);
}

/* A table with one function. */
static void set_table(lua_State *L, const char *name, const char *field,
                      lua_CFunction f) {
    lua_createtable(L, 0, 1);
    set_function(L, field, f);
    lua_setfield(L, -2, name);
}

static void set_facts(lua_State *L, const twl_gen *gen) {
    const tw_lua *lua = gen->lua;
    uint32_t slot = lua->server ? tw_server_slot(lua->server) : 0;
    lua_createtable(L, 0, 1);
    lua_pushstring(L, lua->node_id);
    lua_setfield(L, -2, "id");
    lua_setfield(L, -2, "node");
    lua_pushinteger(L, (lua_Integer)slot);
    lua_setfield(L, -2, "worker");
    lua_pushinteger(L, (lua_Integer)gen->number);
    lua_setfield(L, -2, "generation");
}

/* tw.all and task:wait are finished by tidewire/task.lua, which gets what it
 * builds on. */
static void set_tasks(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tidewire.task");
    lua_call(L, 1, 1);
    lua_getfield(L, -2, "spawn");
    twl_task_push_wait(L);
    lua_call(L, 2, 2);
    twl_task_define(L);
    lua_setfield(L, -2, "all");
}

/* The fields themselves are in the table, where compiled code finds them at
 * once; the metatable is asked for what is missing only. */
static int open_tidewire(lua_State *L) {
    lua_createtable(L, 0, 32);
    luaL_register(L, NULL, functions);
    set_table(L, "config", "get", twl_config_get);
    set_table(L, "file", "read", twl_file_read);
    set_facts(L, twl_gen_of(L));
    twl_log_open(L);
    twl_json_open(L);
    twl_utf8_open(L);
    twl_crypto_open(L);
    twl_jwt_open(L);
    twl_http_open(L);
    twl_metric_open(L);
    twl_err_open(L);
    set_tasks(L);
    lua_createtable(L, 0, 3);
    set_function(L, "__index", unknown);
    set_function(L, "__newindex", read_only);
    lua_pushliteral(L, "tidewire");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    return 1;
}

static int open_test(lua_State *L) {
    return luaL_error(L, "%s is for files that `tidewire test` runs",
                      lua_tostring(L, 1));
}

static void define_nothing(lua_State *L, twl_handle_type type) {
    lua_newtable(L);
    twl_handle_define(L, type);
}

static void define(lua_State *L, void *arg) {
    (void)arg;
    define_nothing(L, TWL_HANDLE_APP);
    define_nothing(L, TWL_HANDLE_ROUTES);
    define_nothing(L, TWL_HANDLE_STATIC);
    twl_conn_define(L);
    twl_msg_define(L);
    twl_req_define(L);
    twl_timer_define(L);
    twl_channel_define(L);
    twl_user_define(L);
    twl_remote_define(L);
    twl_listener_define(L);
    twl_dict_define(L);
    twl_redis_define(L);
    twl_metric_define(L);
}

int twl_module_install(twl_gen *gen) {
    int code = twl_vm_protect(gen->vm, define, NULL);
    code = code ? code : twl_loader_preload(gen->vm, "tidewire", open_tidewire);
    return code ? code
                : twl_loader_preload(gen->vm, "tidewire.test", open_test);
}
