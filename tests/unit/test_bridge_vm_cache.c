/* Chunks that were compiled before: loader_cache.h. SPDX-License-Identifier:
 * MIT
 */
#include "loader_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

static const char text[] = "local n = ...\nif n then\n  error('here')\nend\n"
                           "return 'made', 7";

static lua_State *open_state(void) {
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    luaL_openlibs(L);
    return L;
}

static int load(lua_State *L, const char *source, const char *name) {
    return twl_cache_load(L, source, strlen(source), name);
}

static void check_chunk(const char *name, const char *place) {
    lua_State *L = open_state();
    assert_int_equal(load(L, text, name), 0);
    lua_pushvalue(L, -1);
    assert_int_equal(lua_pcall(L, 0, 2, 0), 0);
    assert_string_equal(lua_tostring(L, -2), "made");
    assert_int_equal(lua_tointeger(L, -1), 7);
    lua_pop(L, 2);
    lua_pushboolean(L, 1);
    assert_int_equal(lua_pcall(L, 1, 0, 0), LUA_ERRRUN);
    assert_string_equal(lua_tostring(L, -1), place);
    lua_close(L);
}

static void a_chunk_is_the_same_every_time_also_in_its_errors(void **state) {
    (void)state;
    for (int is_open = 0; is_open < 2; is_open++) {
        if (is_open) {
            twl_cache_open();
        }
        for (int i = 0; i < 3; i++) {
            check_chunk("@a.lua", "a.lua:3: here");
            check_chunk("@b.lua", "b.lua:3: here");
        }
    }
    twl_cache_close();
}

static void what_changed_is_compiled_anew(void **state) {
    lua_State *L = open_state();
    (void)state;
    twl_cache_open();
    const char *versions[] = {"return 1", "return 2", "return 1"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(load(L, versions[i], "@a.lua"), 0);
        lua_call(L, 0, 1);
        assert_int_equal(lua_tointeger(L, -1), versions[i][7] - '0');
    }
    twl_cache_close();
    lua_close(L);
}

static void what_is_wrong_stays_wrong_and_bytecode_is_none(void **state) {
    lua_State *L = open_state();
    (void)state;
    twl_cache_open();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(load(L, "x = = 1", "@a.lua"), LUA_ERRSYNTAX);
        assert_int_equal(load(L, LUA_SIGNATURE "J\2", "@a.lua"), LUA_ERRSYNTAX);
    }
    twl_cache_close();
    lua_close(L);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_is_the_same_every_time_also_in_its_errors),
        cmocka_unit_test(what_changed_is_compiled_anew),
        cmocka_unit_test(what_is_wrong_stays_wrong_and_bytecode_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
