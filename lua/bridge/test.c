/* A file of tests, from the first case to the last.
 *
 * The file is loaded as a script that no server runs, in a VM of its own; what
 * tests do with servers they do through the library in lua/tidewire/test. Each
 * case is a call by itself, under a budget; what ends it, an error, its budget
 * or its memory, is handed to the library, which cleans up and reports.
 *
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidewire/lua_test.h>

#include "bridge.h"
#include "err.h"
#include "loader.h"
#include "loader_cache.h"
#include "member.h"
#include "test_native.h"
#include "test_world.h"
#include "vm_alloc.h"

enum { CASE_MS = 10000, REPORT_MS = 10000 };

static const char driver_key;

typedef struct testing {
    const tw_lua_test_config *config;
    tw_lua_test_result *result;
    twl_gen *gen;
    int run, finish; /* of the driver */
    lua_Number count;
    lua_Number current;
    char message[2048], traceback[8192];
    const char *kind; /* NULL: the case has not failed */
} testing;

/* ---- the library -------------------------------------------------------- */

static int print(lua_State *L) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    const testing *t = lua_touserdata(L, lua_upvalueindex(1));
    t->config->print(text, len, t->config->print_arg);
    return 0;
}

/* What the tests themselves log or print. */
static void on_log(tw_log_level level, const char *message,
                   const tw_log_field *fields, size_t count, void *arg) {
    const tw_lua_test_config *config = arg;
    (void)level, (void)fields, (void)count;
    config->print("# ", 2, config->print_arg);
    config->print(message, strlen(message), config->print_arg);
    config->print("\n", 1, config->print_arg);
}

/* Where what is named starts: as written, for reports, and for good. */
static void push_folders(lua_State *L) {
    const char *dir = twl_gen_of(L)->lua->script_dir;
    char *root = realpath(dir, NULL);
    lua_pushstring(L, dir);
    lua_setfield(L, -2, "dir");
    lua_pushstring(L, root ? root : dir);
    lua_setfield(L, -2, "root");
    free(root);
}

static void push_options(lua_State *L, testing *t) {
    const tw_lua_test_config *config = t->config;
    lua_createtable(L, 0, 8);
    lua_pushstring(L, config->filter);
    lua_setfield(L, -2, "filter");
    lua_pushstring(L, config->file);
    lua_setfield(L, -2, "file");
    push_folders(L);
    lua_pushnumber(L, config->first ? config->first : 1);
    lua_setfield(L, -2, "first");
    lua_pushboolean(L, config->is_tap);
    lua_setfield(L, -2, "tap");
    lua_pushboolean(L, config->has_colour);
    lua_setfield(L, -2, "colour");
    lua_pushboolean(L, config->is_quiet);
    lua_setfield(L, -2, "quiet");
    lua_pushlightuserdata(L, t);
    lua_pushcclosure(L, print, 1);
    lua_setfield(L, -2, "print");
}

/* require "tidewire.test": the library gets what it is built on and gives what
 * tests see, and what drives them. */
static int open_test(lua_State *L) {
    testing *t = lua_touserdata(L, lua_upvalueindex(1));
    lua_getglobal(L, "require");
    lua_pushliteral(L, "tidewire.test.main");
    lua_call(L, 1, 1);
    twl_test_open(L);
    push_options(L, t);
    lua_call(L, 2, 2);
    twl_reg_set(L, &driver_key);
    return 1;
}

static void preload(lua_State *L, void *arg) {
    lua_pushlightuserdata(L, arg);
    lua_pushcclosure(L, open_test, 1);
    twl_loader_push_preload(L, "tidewire.test");
}

static int push_collect(lua_State *L, void *arg) {
    (void)arg;
    twl_reg_get(L, &driver_key);
    if (!lua_istable(L, -1)) {
        return luaL_error(L, "it does not require \"tidewire.test\"");
    }
    lua_getfield(L, -1, "collect");
    return 1;
}

static void read_collected(lua_State *L, int count, void *arg) {
    testing *t = arg;
    t->count = count > 0 ? lua_tonumber(L, 1) : 0;
    twl_reg_get(L, &driver_key);
    lua_getfield(L, -1, "run");
    t->run = twl_ref(L);
    lua_getfield(L, -1, "finish");
    t->finish = twl_ref(L);
}

/* ---- a case ------------------------------------------------------------- */

static int push_current(lua_State *L, void *arg) {
    const testing *t = arg;
    lua_pushnumber(L, t->current);
    return 1;
}

static int push_end(lua_State *L, void *arg) {
    const testing *t = arg;
    lua_pushnumber(L, t->current);
    if (!t->kind) {
        return 1;
    }
    lua_pushstring(L, t->message);
    lua_pushstring(L, t->traceback);
    lua_pushstring(L, t->kind);
    return 4;
}

static void read_end(lua_State *L, int count, void *arg) {
    testing *t = arg;
    const char *how = count > 0 && lua_type(L, 1) == LUA_TSTRING
                          ? lua_tostring(L, 1)
                          : "failed";
    t->result->passed += strcmp(how, "passed") == 0;
    t->result->failed += strcmp(how, "failed") == 0;
    t->result->skipped += strcmp(how, "skipped") == 0;
}

static const char *kind_of(const twl_failure *failure) {
    switch (failure->kind) {
    case TWL_BUDGET:
        return "time";
    case TWL_MEMORY:
        return "memory";
    default:
        return "error";
    }
}

static void keep_failure(testing *t) {
    const twl_failure *failure = twl_vm_failure(t->gen->vm);
    snprintf(t->message, sizeof t->message, "%s", failure->message);
    snprintf(t->traceback, sizeof t->traceback, "%s", failure->traceback);
    t->kind = kind_of(failure);
}

static void run_case(testing *t) {
    twl_vm *vm = t->gen->vm;
    unsigned ms = t->config->case_ms ? t->config->case_ms : CASE_MS;
    const twl_spec run = {.name = "the case",
                          .push = push_current,
                          .no_wait = "in a test",
                          .budget_ms = ms};
    const twl_spec finish = {.name = "the end of the case",
                             .push = push_end,
                             .read = read_end,
                             .no_wait = "in a test",
                             .budget_ms = REPORT_MS};
    t->kind = NULL;
    if (twl_run(vm, &run, t->run, t, NULL) != TWL_DONE) {
        keep_failure(t);
    }
    if (twl_run(vm, &finish, t->finish, t, NULL) != TWL_DONE) {
        const char *why = twl_vm_failure(vm)->message;
        t->config->print(why, strlen(why), t->config->print_arg);
        t->config->print("\n", 1, t->config->print_arg);
        t->result->failed++;
    }
}

static void run_cases(testing *t) {
    for (t->current = 1; t->current <= t->count; t->current++) {
        run_case(t);
    }
}

/* ---- a file ------------------------------------------------------------- */

static int load(testing *t, char *report) {
    static const twl_spec collect = {.name = "load",
                                     .push = push_collect,
                                     .read = read_collected,
                                     .no_wait = "while the tests load"};
    twl_gen *gen = t->gen;
    int ref = LUA_NOREF;
    int code = twl_vm_protect(gen->vm, preload, t);
    code = code ? code : twl_loader_main(gen->vm, gen->lua->script, &ref);
    twl_unref(gen->vm, ref);
    if (!code && twl_run(gen->vm, &collect, LUA_NOREF, t, NULL) != TWL_DONE) {
        twl_report(report, "%s: %s", gen->lua->script,
                   twl_vm_failure(gen->vm)->message);
        return TW_EINVALID;
    }
    if (code) {
        twl_report(report, "%s", twl_vm_failure(gen->vm)->message);
    }
    return code;
}

static int run_file(tw_lua *lua, testing *t, char *report) {
    int code = twl_gen_empty(&t->gen, lua, report);
    code = code ? code : load(t, report);
    if (!code) {
        run_cases(t);
    }
    twl_gen_destroy(t->gen);
    return code;
}

int tw_lua_test(const tw_lua_test_config *config, tw_lua_test_result *result,
                char *report) {
    tw_lua *lua;
    tw_lua_config of_lua = {.script = config->file,
                            .library_dir = config->library_dir,
                            .no_jit = true,
                            .no_profiler = true,
                            .log = on_log,
                            .log_arg = (void *)(uintptr_t)config,
                            .may_read = config->may_read,
                            .may_read_arg = config->may_read_arg};
    testing t = {.config = config,
                 .result = result,
                 .run = LUA_NOREF,
                 .finish = LUA_NOREF};
    *result = (tw_lua_test_result){0};
    int code = tw_lua_create(&lua, &of_lua);
    if (code) {
        twl_report(report, "%s", tw_strerror(code));
        return code;
    }
    twl_lua_start_budget(lua);
    twl_cache_open();
    code = run_file(lua, &t, report);
    twl_cache_close();
    twl_world_drop_spare();
    tw_lua_destroy(lua);
    return code;
}
