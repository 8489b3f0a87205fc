/* test_bridge_vm.h - a VM to try things in, for test_bridge_vm_*.c.
 * SPDX-License-Identifier: MIT */
#ifndef TEST_BRIDGE_VM_H
#define TEST_BRIDGE_VM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tidewire/errors.h>

#include "budget.h"
#include "call.h"
#include "crypto.h"
#include "err.h"
#include "json.h"
#include "jwt.h"
#include "loader.h"
#include "log.h"
#include "plain.h"
#include "utf8.h"
#include "vm.h"

typedef struct world {
    twl_sources *sources;
    twl_vm *vm;
    char result[4096]; /* the last result of run, as text */
    char logged[4096];
    int records;
    twl_call *waiting; /* of the last run or of a pending tw.wait */
    int cancels;
} world;

static inline void test_log(tw_log_level level, const char *message,
                            const tw_log_field *fields, size_t count,
                            void *arg) {
    world *w = arg;
    w->records++;
    int at =
        snprintf(w->logged, sizeof w->logged, "%d %s", (int)level, message);
    for (size_t i = 0; i < count && at < (int)sizeof w->logged; i++) {
        at += snprintf(w->logged + at, sizeof w->logged - (size_t)at, " %s=%s",
                       fields[i].key, fields[i].value);
    }
}

static inline void test_on_cancel(void *arg) {
    ((world *)arg)->cancels++;
}

/* tw.wait(): waits until the test resumes the call. */
static inline int test_wait(lua_State *L) {
    world *w = twl_vm_user(twl_vm_of(L));
    twl_wait_check(L, "tw.wait");
    return twl_wait(L, "tw.wait", test_on_cancel, w);
}

static inline int test_open_tw(lua_State *L) {
    lua_newtable(L);
    twl_err_open(L);
    twl_json_open(L);
    twl_utf8_open(L);
    twl_log_open(L);
    twl_crypto_open(L);
    twl_jwt_open(L);
    lua_pushcfunction(L, test_wait);
    lua_setfield(L, -2, "wait");
    return 1;
}

static inline void world_open_with(world *w, twl_vm_config config) {
    memset(w, 0, sizeof *w);
    w->sources = twl_sources_create_disk();
    assert_non_null(w->sources);
    config.sources = w->sources;
    config.log = test_log;
    config.log_arg = w;
    config.user = w;
    assert_int_equal(twl_vm_create(&w->vm, &config), 0);
    assert_int_equal(twl_loader_preload(w->vm, "tidewire", test_open_tw), 0);
}

static inline void world_open(world *w) {
    world_open_with(w, (twl_vm_config){.script_dir = "."});
}

static inline void world_close(world *w) {
    assert_int_equal(lua_gettop(twl_vm_lua(w->vm)), 0);
    twl_vm_destroy(w->vm);
    twl_sources_destroy(w->sources);
}

/* Compiles `text`, which returns a function, and returns a reference to it. */
static inline int world_load(world *w, const char *text) {
    int ref = LUA_NOREF;
    int err = twl_loader_text(w->vm, "@test.lua", text, strlen(text), &ref);
    if (err != 0) {
        print_message("load: %s\n", twl_vm_failure(w->vm)->message);
    }
    assert_int_equal(err, 0);
    assert_int_equal(lua_gettop(twl_vm_lua(w->vm)), 0);
    return ref;
}

static inline void test_read(lua_State *L, int count, void *arg) {
    world *w = arg;
    w->result[0] = '\0';
    for (int i = 1; i <= count; i++) {
        const char *text = lua_type(L, i) == LUA_TBOOLEAN
                               ? (lua_toboolean(L, i) ? "true" : "false")
                           : lua_isnil(L, i) ? "nil"
                                             : twl_push_error_text(L, i);
        size_t at = strlen(w->result);
        snprintf(w->result + at, sizeof w->result - at, "%s%s",
                 i > 1 ? " " : "", text);
    }
}

static inline twl_status world_call(world *w, int ref) {
    static const twl_spec spec = {.name = "on_test", .read = test_read};
    twl_status status = twl_run(w->vm, &spec, ref, w, &w->waiting);
    assert_int_equal(lua_gettop(twl_vm_lua(w->vm)), 0);
    assert_ptr_equal(twl_call_current(w->vm), NULL);
    return status;
}

/* Runs a function's body as a hook; "local tw" is there. */
static inline twl_status world_run(world *w, const char *body) {
    char text[16384];
    snprintf(text, sizeof text,
             "local tw = require 'tidewire' return function() %s end", body);
    int ref = world_load(w, text);
    twl_status status = world_call(w, ref);
    twl_unref(w->vm, ref);
    return status;
}

/* Runs it and says what it returns, "failed: ..." or "waiting". */
static inline const char *world_eval(world *w, const char *body) {
    switch (world_run(w, body)) {
    case TWL_DONE:
        return w->result;
    case TWL_WAITING:
        return "waiting";
    default:
        snprintf(w->result, sizeof w->result, "failed: %s",
                 twl_vm_failure(w->vm)->message);
        return w->result;
    }
}

static inline double cpu_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

#define assert_contains(text, part)                                            \
    do {                                                                       \
        const char *text_ = (text);                                            \
        if (strstr(text_, part) == NULL) {                                     \
            print_message("no '%s' in '%s'\n", part, text_);                   \
            fail();                                                            \
        }                                                                      \
    } while (0)

#define assert_eval(w, body, expected)                                         \
    assert_string_equal(world_eval(w, body), expected)

#define assert_fails(w, body, part)                                            \
    do {                                                                       \
        assert_contains(world_eval(w, body), "failed: ");                      \
        assert_contains((w)->result, part);                                    \
    } while (0)

#endif
