/* vm.h - one Lua VM for the targets of the bridge, and a comparison of values.
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_FUZZ_VM_H
#define TW_TESTS_FUZZ_VM_H

#include <lauxlib.h>

#include "call.h"
#include "fuzz.h"
#include "json.h"
#include "loader.h"
#include "vm.h"

static twl_vm *fuzz_vm;
static twl_sources *fuzz_sources;

static inline void fuzz_vm_close(void) {
    twl_vm_destroy(fuzz_vm);
    twl_sources_destroy(fuzz_sources);
}

/* Made once: inputs leave nothing in it. */
static inline void fuzz_vm_open(void) {
    fuzz_sources = twl_sources_create_disk();
    FUZZ_CHECK(fuzz_sources != NULL);
    twl_vm_config config = {.memory_limit_bytes = 64 << 20,
                            .no_jit = true,
                            .script_dir = ".",
                            .sources = fuzz_sources};
    FUZZ_CHECK(twl_vm_create(&fuzz_vm, &config) == 0);
    atexit(fuzz_vm_close);
}

/* Runs `fn` protected; an error is one of the code under test. */
static inline void fuzz_vm_run(twl_protect_cb fn, fuzz_span input) {
    if (twl_vm_protect(fuzz_vm, fn, &input) != 0) {
        fprintf(stderr, "raised: %s\n", twl_vm_failure(fuzz_vm)->message);
        abort();
    }
    FUZZ_CHECK(lua_gettop(twl_vm_lua(fuzz_vm)) == 0);
}

static inline bool fuzz_values_same(lua_State *L, int a, int b);

static inline size_t fuzz_count(lua_State *L, int table) {
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        lua_pop(L, 1);
        count++;
    }
    return count;
}

/* Whether all entries of one table are in the other. */
static inline bool fuzz_has_entries(lua_State *L, int a, int b) {
    luaL_checkstack(L, 6, "nested too deep");
    lua_pushnil(L);
    while (lua_next(L, a) != 0) {
        int value = lua_gettop(L);
        lua_pushvalue(L, value - 1);
        lua_rawget(L, b);
        bool is_same = fuzz_values_same(L, value, value + 1);
        lua_settop(L, value - 1);
        if (!is_same) {
            lua_pop(L, 1);
            return false;
        }
    }
    return true;
}

/* Deep equality; NaN is NaN, an array is no object, as JSON has it. */
static inline bool fuzz_values_same(lua_State *L, int a, int b) {
    if (lua_type(L, a) != lua_type(L, b)) {
        return false;
    }
    if (lua_type(L, a) == LUA_TTABLE) {
        return twl_json_is_array(L, a) == twl_json_is_array(L, b) &&
               fuzz_count(L, a) == fuzz_count(L, b) &&
               fuzz_has_entries(L, a, b);
    }
    if (lua_type(L, a) == LUA_TNUMBER) {
        double x = lua_tonumber(L, a), y = lua_tonumber(L, b);
        return x == y || (x != x && y != y);
    }
    return lua_rawequal(L, a, b) ||
           (twl_json_is_null(L, a) && twl_json_is_null(L, b));
}

#endif
