/* Worlds in Lua: made, driven, looked at. The library checks what a test gives
 * it; here only what would do harm is looked at again.
 *
 * SPDX-License-Identifier: MIT */
#include "test_native.h"

#include <lauxlib.h>
#include <string.h>

#include "budget.h"
#include "test_limits.h"
#include "test_native_parts.h"
#include "vm_alloc.h"

enum { MAX_WORKERS = 64 };

static const char world_magic;
static const char metatable_key;

/* Begins with a pointer of ours, as every userdata in a VM does. */
typedef struct world_handle {
    const void *magic;
    twl_world *world;
} world_handle;

twl_world *twl_test_world(lua_State *L) {
    const world_handle *handle = lua_touserdata(L, 1);
    if (lua_type(L, 1) != LUA_TUSERDATA || handle->magic != &world_magic ||
        !handle->world) {
        luaL_error(L, "the server has ended with its case");
        return NULL;
    }
    return handle->world;
}

uint32_t twl_test_slot(lua_State *L, const twl_world *world, int index) {
    lua_Number slot = luaL_checknumber(L, index);
    if (!(slot >= 0 && slot < twl_world_workers(world))) {
        luaL_error(L, "there is no worker %s, only 0 to %d",
                   lua_tostring(L, index), (int)twl_world_workers(world) - 1);
    }
    return (uint32_t)slot;
}

twl_peer *twl_test_peer(lua_State *L) {
    twl_peer *peer =
        twl_world_peer(twl_test_world(L), (uint32_t)luaL_checknumber(L, 2));
    if (!peer) {
        luaL_error(L, "there is no such client");
    }
    return peer;
}

tw_str twl_test_text(lua_State *L, int index) {
    tw_str text;
    text.data = luaL_checklstring(L, index, &text.len);
    return text;
}

/* ---- worlds ------------------------------------------------------------- */

static int close_world(lua_State *L) {
    world_handle *handle = lua_touserdata(L, 1);
    if (lua_type(L, 1) == LUA_TUSERDATA && handle->magic == &world_magic) {
        twl_world *world = handle->world;
        handle->world = NULL;
        twl_world_destroy(world);
    }
    return 0;
}

/* The texts of the list in a field, borrowed; the list stays on the stack. */
static const char **read_list(lua_State *L, const char *name, size_t *count) {
    lua_getfield(L, 1, name);
    luaL_checktype(L, -1, LUA_TTABLE);
    *count = lua_objlen(L, -1);
    const char **list = lua_newuserdata(L, (*count + 1) * sizeof *list);
    for (size_t i = 0; i < *count; i++) {
        lua_rawgeti(L, -2, (int)i + 1);
        list[i] = luaL_checkstring(L, -1);
        lua_pop(L, 1);
    }
    return list;
}

static void read_values(lua_State *L, twl_world_config *config) {
    size_t count, json_count;
    const char **keys = read_list(L, "keys", &count);
    const char **json = read_list(L, "values", &json_count);
    tw_lua_value *values = lua_newuserdata(L, (count + 1) * sizeof *values);
    for (size_t i = 0; i < count && i < json_count; i++) {
        values[i] = (tw_lua_value){keys[i], json[i]};
    }
    config->values = values;
    config->value_count = count < json_count ? count : json_count;
}

/* server { workers, keys, values, files, limits, wall } */
static int create(lua_State *L) {
    twl_world_config config = {.library_dir = twl_gen_of(L)->lua->library_dir};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "workers");
    lua_Number workers = luaL_checknumber(L, -1);
    if (!(workers >= 1 && workers <= MAX_WORKERS)) {
        return luaL_error(L, "workers: 1 to %d", (int)MAX_WORKERS);
    }
    config.workers = (uint32_t)workers;
    read_values(L, &config);
    config.files = read_list(L, "files", &config.file_count);
    lua_getfield(L, 1, "limits");
    twl_test_limits(L, lua_gettop(L), &config.limits);
    lua_getfield(L, 1, "wall");
    config.wall_ms = (int64_t)(luaL_optnumber(L, -1, 0) * 1000);
    world_handle *handle = lua_newuserdata(L, sizeof *handle);
    *handle = (world_handle){&world_magic, NULL};
    twl_reg_get(L, &metatable_key);
    lua_setmetatable(L, -2);
    int code = twl_world_create(&handle->world, &config);
    if (code) {
        return luaL_error(L, "the server could not be made: %s",
                          tw_strerror(code));
    }
    return 1;
}

/* ---- scripts ------------------------------------------------------------ */

static int add_code(lua_State *L, const void *data, size_t len, void *arg) {
    (void)L;
    return twl_bytes_add(arg, data, len);
}

/* As bytecode, which only this program itself hands from VM to VM. */
static void dump_function(lua_State *L, int index, twl_test_script *script) {
    const char *name = lua_getupvalue(L, index, 1);
    if (name) {
        luaL_error(L,
                   "the script is a function that uses '%s' from outside of "
                   "it, which workers do not have",
                   name);
    }
    twl_bytes *bytes = twl_vm_scratch(twl_vm_of(L));
    lua_pushvalue(L, index);
    if (lua_dump(L, add_code, bytes) != 0) {
        luaL_error(L, "the function cannot be copied into the workers");
    }
    lua_pop(L, 1);
    script->code = twl_memdup(bytes->data, bytes->len);
    script->len = bytes->len;
    script->is_binary = true;
}

/* Kind, path and text at `index` and behind it; false: there is none. */
static bool read_script(lua_State *L, int index, twl_test_script *script) {
    *script = (twl_test_script){0};
    if (lua_isnoneornil(L, index)) {
        return false;
    }
    const char *kind = luaL_checkstring(L, index);
    tw_str path = twl_test_text(L, index + 1),
           dir = twl_test_text(L, index + 2), code;
    bool is_function = strcmp(kind, "code") == 0;
    if (is_function) {
        luaL_checktype(L, index + 3, LUA_TFUNCTION);
        dump_function(L, index + 3, script);
    } else if (strcmp(kind, "text") == 0) {
        code = twl_test_text(L, index + 3);
        script->code = twl_memdup(code.data, code.len);
        script->len = code.len;
    }
    script->path = twl_memdup(path.data, path.len);
    script->dir = twl_memdup(dir.data, dir.len);
    if (!script->path || !script->dir ||
        (strcmp(kind, "file") != 0 && !script->code)) {
        twl_test_script_deinit(script);
        luaL_error(L, "out of memory");
    }
    return true;
}

static int push_report(lua_State *L, int code, const char *report) {
    lua_pushnil(L);
    lua_pushstring(L, *report != '\0' ? report : tw_strerror(code));
    return 2;
}

/* start(world, kind, path, dir, code) */
static int start(lua_State *L) {
    twl_world *world = twl_test_world(L);
    twl_test_script script;
    char report[TW_REPORT_MAX] = "";
    if (!read_script(L, 2, &script)) {
        return luaL_error(L, "a script is needed");
    }
    int code = twl_world_start(world, &script, report);
    lua_pushboolean(L, 1);
    return code ? push_report(L, code, report) : 1;
}

/* reload(world[, kind, path, dir, code]) */
static int reload(lua_State *L) {
    twl_world *world = twl_test_world(L);
    twl_test_script script;
    char report[TW_REPORT_MAX] = "";
    bool is_other = read_script(L, 2, &script);
    int code = twl_world_reload(world, is_other ? &script : NULL, report);
    lua_pushinteger(L, (lua_Integer)twl_world_generation(world));
    return code ? push_report(L, code, report) : 1;
}

static int kill_worker(lua_State *L) {
    twl_world *world = twl_test_world(L);
    twl_world_kill(world, twl_test_slot(L, world, 2));
    return 0;
}

static int respawn(lua_State *L) {
    twl_world *world = twl_test_world(L);
    char report[TW_REPORT_MAX] = "";
    int code = twl_world_respawn(world, twl_test_slot(L, world, 2), report);
    lua_pushboolean(L, 1);
    return code ? push_report(L, code, report) : 1;
}

static int is_alive(lua_State *L) {
    twl_world *world = twl_test_world(L);
    lua_pushboolean(L, twl_world_server(world, twl_test_slot(L, world, 2)) !=
                           NULL);
    return 1;
}

/* ---- time --------------------------------------------------------------- */

static void check_budget(void *arg) {
    twl_budget_check(arg);
}

/* run(world[, until[, id]]) -> "done", "asked", "restless" */
static int run(lua_State *L) {
    static const char *const names[] = {[TWL_RUN_DONE] = "done",
                                        [TWL_RUN_ASKED] = "asked",
                                        [TWL_RUN_RESTLESS] = "restless"};
    twl_world *world = twl_test_world(L);
    uint64_t until = (uint64_t)luaL_optnumber(L, 2, 0);
    const twl_peer *waiter =
        lua_isnoneornil(L, 3)
            ? NULL
            : twl_world_peer(world, (uint32_t)luaL_checknumber(L, 3));
    twl_run_result result =
        twl_world_run(world, until, waiter, check_budget, L);
    if (result == TWL_RUN_DONE) {
        twl_world_check_states(world);
        result = twl_link_is_empty(twl_world_failures(world)) ? TWL_RUN_DONE
                                                              : TWL_RUN_ASKED;
    }
    lua_pushstring(L, names[result]);
    return 1;
}

/* Both in milliseconds. */
static int now(lua_State *L) {
    const tw_lab *lab = twl_world_lab(twl_test_world(L));
    lua_pushnumber(L, (lua_Number)tw_lab_now(lab));
    lua_pushnumber(L, (lua_Number)tw_lab_wall(lab));
    return 2;
}

/* ---- the table ---------------------------------------------------------- */

static const luaL_Reg functions[] = {
    {"create", create},     {"close_world", close_world},
    {"start", start},       {"reload", reload},
    {"kill", kill_worker},  {"respawn", respawn},
    {"is_alive", is_alive}, {"run", run},
    {"now", now},           {NULL, NULL},
};

void twl_test_open(lua_State *L) {
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, close_world);
    lua_setfield(L, -2, "__gc");
    lua_pushliteral(L, "tidewire.test");
    lua_setfield(L, -2, "__metatable");
    twl_reg_set(L, &metatable_key);
    lua_createtable(L, 0, 32);
    luaL_register(L, NULL, functions);
    twl_test_open_clients(L);
    twl_test_open_asked(L);
}
