/* What scripts see, and what they cannot do.
 * SPDX-License-Identifier: MIT */
#include "test_bridge_vm.h"

static world w;

static int open_world(void **state) {
    (void)state;
    world_open(&w);
    return 0;
}

static int close_world(void **state) {
    (void)state;
    world_close(&w);
    return 0;
}

static void absent_things_are_absent_by_name(void **state) {
    (void)state;
    static const char *const NAMES[] = {
        "io",     "ffi",      "debug",   "jit",     "newproxy",
        "dofile", "loadfile", "getfenv", "setfenv", "module"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        char body[64], expected[96];
        snprintf(body, sizeof body, "return %s", NAMES[i]);
        snprintf(expected, sizeof expected,
                 "failed: test.lua:1: '%s' is not available to scripts",
                 NAMES[i]);
        assert_eval(&w, body, expected);
        snprintf(body, sizeof body, "return require '%s'", NAMES[i]);
        assert_fails(&w, body, "not found");
        snprintf(body, sizeof body, "return package.loaded['%s']", NAMES[i]);
        assert_eval(&w, body, "nil");
    }
    assert_eval(&w,
                "return os.exit, os.execute, os.remove, os.rename, os.tmpname,"
                "os.setlocale, string.dump, package.loadlib",
                "nil nil nil nil nil nil nil nil");
    assert_eval(&w, "return package.cpath", "");
}

static void usual_things_are_there(void **state) {
    (void)state;
    assert_eval(&w,
                "return type(os.time()), type(os.clock()), type(os.date()), "
                "type(os.getenv('PATH')), type(math.pi), bit.band(6, 3), "
                "table.concat({1, 2}, ','), select('#', unpack({1, 2})), "
                "#('x'):rep(3), ('x'):upper(), tostring(1), tonumber('0x10'), "
                "next({}), rawequal(_G, _G), _VERSION",
                "number number string string number 2 1,2 2 3 X 1 16 nil true "
                "Lua 5.1");
}

static void globals_are_read_only(void **state) {
    (void)state;
    assert_eval(&w, "x = 1",
                "failed: test.lua:1: assignment to global 'x' (_G is "
                "read-only: declare it local)");
    assert_fails(&w, "_G.x = 1", "assignment to global 'x'");
    assert_fails(&w, "print = nil", "assignment to global 'print'");
    assert_fails(&w, "rawset(_G, 'x', 1)", "_G is read-only");
    assert_fails(&w, "setmetatable(_G, nil)", "protected");
    assert_eval(&w, "return getmetatable(_G)", "false");
    assert_eval(&w, "\n\nlocal a = b",
                "failed: test.lua:3: undefined variable 'b'");
    assert_fails(&w, "function later() end", "assignment to global 'later'");
    assert_eval(&w, "return rawget(_G, 'x'), rawget(_G, 'print') == print",
                "nil true");
    assert_fails(&w, "coroutine.wrap(function() y = 1 end)()",
                 "test.lua:1: assignment to global 'y'");
    assert_fails(&w, "load('z = 1')()", "assignment to global 'z'");
}

static void strings_metatable_is_protected(void **state) {
    (void)state;
    assert_eval(&w, "return getmetatable('')", "false");
    assert_fails(&w, "getmetatable('').__index = nil", "");
}

static void only_text_is_loaded(void **state) {
    (void)state;
    assert_eval(&w, "return load('\\27LJ')",
                "nil attempt to load chunk with "
                "wrong mode");
    assert_eval(&w, "return loadstring('\\27Lua', 'x', 'b')",
                "nil attempt to load chunk with wrong mode");
    assert_eval(&w, "return load('return 1 + 1')()", "2");
    assert_eval(&w, "return load('return a', 'n', 't', {a = 5})()", "5");
    assert_eval(&w, "return load('x x', '=chunk')",
                "nil chunk:1: '=' expected near 'x'");
    assert_eval(&w,
                "local parts, i = {'return ', '4', '2'}, 0 "
                "return load(function() i = i + 1 return parts[i] end)()",
                "42");
    assert_eval(&w, "return load(('x=1 '):rep(3e6))",
                "nil chunk of more than 8388608 bytes");
    assert_fails(&w, "load(function() return {} end)", "must return a string");
    assert_fails(&w, "load(nil)", "bad argument #1");
}

static void the_collector_cannot_be_stopped(void **state) {
    (void)state;
    assert_fails(&w, "collectgarbage('stop')", "'stop') is not available");
    assert_fails(&w, "collectgarbage('setpause', 1000)", "not available");
    assert_eval(&w, "return type(collectgarbage('count')), collectgarbage()",
                "number 0");
}

static void xpcall_hands_errors_to_its_handler(void **state) {
    (void)state;
    assert_eval(&w,
                "return xpcall(function(...) error({...}) end, "
                "function(e) return e[1] + e[2] end, 3, 4)",
                "false 7");
    assert_eval(&w, "return xpcall(function(a) return a, 2 end, print, 1)",
                "true 1 2");
    assert_eval(&w,
                "local ok, e = xpcall(error, function() error('in', 0) end) "
                "return ok, e",
                "false in");
}

static void print_goes_to_the_log(void **state) {
    (void)state;
    assert_eval(&w, "print('a', 1, nil, true, {1, {x = 'y'}})", "");
    assert_string_equal(w.logged, "1 a\t1\tnil\ttrue\t[1,{\"x\":\"y\"}]");
    assert_fails(&w, "print(('x'):rep(1e5))", "too long");
}

static void logging_takes_fields(void **state) {
    (void)state;
    assert_eval(&w, "tw.log.warn('hello', {n = 1.5})", "");
    assert_string_equal(w.logged, "2 hello n=1.5");
    assert_eval(&w, "tw.log.error(tw.error('denied', 'no'))", "");
    assert_string_equal(w.logged, "3 denied: no");
    assert_eval(&w, "tw.log.debug('d', {t = {a = {1}}})", "");
    assert_string_equal(w.logged, "0 d t={\"a\":[1]}");
    assert_eval(&w, "tw.log.info('f', {f = print})", "");
    assert_string_equal(w.logged, "1 f f=(function)");
    assert_fails(&w, "tw.log.info('x', {'y'})", "field's name is a number");
    assert_fails(&w, "tw.log.info()", "bad argument #1");
    assert_fails(&w, "tw.log.info('x', 'y')", "bad argument #2");
    assert_eval(&w,
                "local t = {} for i = 1, 100 do t['k' .. i] = i end "
                "tw.log.info('many', t)",
                "");
}

static size_t context(twl_vm *vm, tw_log_field *fields, size_t room,
                      void *arg) {
    (void)vm;
    assert_true(room >= 2);
    fields[0] = (tw_log_field){"connection", arg};
    fields[1] = (tw_log_field){"generation", "3"};
    return 2;
}

static void the_context_is_added_to_every_record(void **state) {
    (void)state;
    twl_log_set_context(w.vm, context, "c1");
    assert_eval(&w, "tw.log.info('x', {a = 'b'})", "");
    assert_string_equal(w.logged, "1 x a=b connection=c1 generation=3");
    assert_fails(&w, "error('oh')", "oh");
    twl_log_failure(w.vm, TW_LOG_ERROR, "a hook raised");
    assert_contains(w.logged, "3 a hook raised call=on_test kind=error "
                              "error=test.lua:1: oh traceback=stack");
    assert_contains(w.logged, "connection=c1");
}

static void error_objects_say_what_they_are(void **state) {
    (void)state;
    assert_eval(&w,
                "local e = tw.error('limit', 'slow down', {retry_after = 2}) "
                "return e.code, e.message, e.retry_after, tostring(e)",
                "limit slow down 2 limit: slow down");
    assert_eval(&w, "return tostring(tw.error('closed'))", "closed: closed");
    assert_eval(&w, "return getmetatable(tw.error('x'))", "false");
    assert_fails(&w, "tw.error()", "bad argument #1 to");
    assert_fails(&w, "tw.error('x', 1)", "bad argument #2 to");
    assert_fails(&w, "tw.error('x', 'y', 1)", "bad argument #3 to");
    assert_eval(&w,
                "local e = tw.error('x') e.code = {} e.message = nil "
                "return tostring(e)",
                "?: ?");
}

static int binding(lua_State *L) {
    return twl_nil_error(L, TW_ECLOSED, NULL);
}

static int open_binding(lua_State *L) {
    lua_pushcfunction(L, binding);
    return 1;
}

static void bindings_return_nil_and_an_error(void **state) {
    (void)state;
    twl_loader_preload(w.vm, "binding", open_binding);
    assert_eval(&w, "local a, e = require 'binding' () return a, e.code, e",
                "nil closed closed: the connection or server is closed");
}

#define box(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        box(absent_things_are_absent_by_name),
        box(usual_things_are_there),
        box(globals_are_read_only),
        box(strings_metatable_is_protected),
        box(only_text_is_loaded),
        box(the_collector_cannot_be_stopped),
        box(xpcall_hands_errors_to_its_handler),
        box(print_goes_to_the_log),
        box(logging_takes_fields),
        box(the_context_is_added_to_every_record),
        box(error_objects_say_what_they_are),
        box(bindings_return_nil_and_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
