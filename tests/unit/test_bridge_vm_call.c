/* The doorway: statuses, waiting, failing, nesting.
 * SPDX-License-Identifier: MIT */
#include "test_bridge_vm.h"

static int open_world(void **state) {
    static world w;
    world_open(&w);
    twl_vm_activate(w.vm);
    *state = &w;
    return 0;
}

static int close_world(void **state) {
    world_close(*state);
    return 0;
}

static int push_two(lua_State *L, void *arg) {
    (void)arg;
    lua_pushliteral(L, "not an argument");
    lua_pushliteral(L, "a");
    lua_pushinteger(L, 2);
    return 2;
}

static int push_failing(lua_State *L, void *arg) {
    (void)arg;
    return luaL_error(L, "no arguments today");
}

static int push_huge(lua_State *L, void *arg) {
    (void)arg;
    for (;;) {
        lua_newuserdata(L, 1 << 20);
        luaL_checkstack(L, 1, "stack");
    }
    return 0;
}

static void read_failing(lua_State *L, int count, void *arg) {
    (void)arg;
    luaL_error(L, "cannot read %d", count);
}

/* --- running ---------------------------------------------------------- */

static void arguments_and_results_cross(void **state) {
    world *w = *state;
    static const twl_spec spec = {
        .name = "on_test", .push = push_two, .read = test_read};
    int ref = world_load(w, "return function(...) return select('#', ...), ... "
                            "end");
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(twl_run(w->vm, &spec, ref, w, NULL), TWL_DONE);
        assert_string_equal(w->result, "2 a 2");
    }
    twl_unref(w->vm, ref);
}

static int push_function(lua_State *L, void *arg) {
    twl_push_ref(L, *(int *)arg);
    lua_pushinteger(L, 41);
    return 2;
}

static void a_function_may_be_pushed(void **state) {
    world *w = *state;
    static const twl_spec spec = {.name = "on_test", .push = push_function};
    int ref = world_load(w, "return function(n) if n ~= 41 then error(n) end "
                            "end");
    assert_int_equal(twl_run(w->vm, &spec, LUA_NOREF, &ref, NULL), TWL_DONE);
    twl_unref(w->vm, ref);
}

static void more_results_than_allowed_are_cut(void **state) {
    assert_eval(*state,
                "local t = {} for i = 1, 100 do t[i] = i end "
                "return unpack(t)",
                "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16");
}

static void an_error_has_place_traceback_and_name(void **state) {
    world *w = *state;
    assert_fails(w, "local x = nil\n return x.y", "test.lua:2: attempt to");
    const twl_failure *failure = twl_vm_failure(w->vm);
    assert_int_equal(failure->kind, TWL_RAISED);
    assert_string_equal(failure->call, "on_test");
    assert_contains(failure->traceback, "in function <test.lua:1>");
    assert_string_equal(failure->code, "");
    assert_fails(w, "local function f()\n error('deep')\n end\n f()",
                 "test.lua:2: deep");
    assert_contains(failure->traceback, "test.lua:2: in function 'f'");
    assert_contains(failure->traceback, "test.lua:4: in function");
}

static void an_error_object_gives_its_code(void **state) {
    world *w = *state;
    assert_fails(w, "error(tw.error('denied', 'go away'))", "denied: go away");
    assert_string_equal(twl_vm_failure(w->vm)->code, "denied");
    assert_fails(w, "error({})", "(error object is a table value)");
    assert_fails(w, "error(nil)", "(error object is a nil value)");
}

static void push_and_read_may_raise(void **state) {
    world *w = *state;
    static const twl_spec pushes = {.name = "on_test", .push = push_failing};
    static const twl_spec reads = {.name = "on_test", .read = read_failing};
    int ref = world_load(w, "return function() return 1, 2 end");
    for (int i = 0; i < 100; i++) {
        assert_int_equal(twl_run(w->vm, &pushes, ref, NULL, NULL), TWL_FAILED);
        assert_string_equal(twl_vm_failure(w->vm)->message,
                            "no arguments today");
        assert_int_equal(twl_run(w->vm, &reads, ref, NULL, NULL), TWL_FAILED);
        assert_string_equal(twl_vm_failure(w->vm)->message, "cannot read 2");
        assert_int_equal(lua_gettop(twl_vm_lua(w->vm)), 0);
    }
    twl_unref(w->vm, ref);
}

static void running_out_of_memory_in_push_fails_the_call(void **state) {
    world *w = *state;
    static const twl_spec spec = {.name = "on_test", .push = push_huge};
    int ref = world_load(w, "return function() end");
    assert_int_equal(twl_run(w->vm, &spec, ref, NULL, NULL), TWL_FAILED);
    assert_int_equal(twl_vm_failure(w->vm)->kind, TWL_MEMORY);
    assert_int_equal(world_call(w, ref), TWL_DONE);
    twl_unref(w->vm, ref);
}

static void a_long_message_is_cut(void **state) {
    world *w = *state;
    assert_int_equal(world_run(w, "error(('é'):rep(1e5), 0)"), TWL_FAILED);
    const char *message = twl_vm_failure(w->vm)->message;
    assert_true(strlen(message) < 2048);
    assert_true(twl_utf8_is_valid(message, strlen(message)));
}

/* --- waiting ---------------------------------------------------------- */

static int push_answer(lua_State *L, void *arg) {
    lua_pushstring(L, arg);
    lua_pushinteger(L, 7);
    return 2;
}

static void a_wait_returns_what_it_is_resumed_with(void **state) {
    world *w = *state;
    assert_eval(w, "local a, b = tw.wait() local c = tw.wait() return a, b, c",
                "waiting");
    assert_int_equal(twl_call_count_waiting(w->vm), 1);
    assert_string_equal(twl_call_waits_in(w->waiting), "tw.wait");
    assert_int_equal(twl_resume(w->waiting, push_answer, "first"), TWL_WAITING);
    assert_int_equal(twl_resume(w->waiting, push_answer, "second"), TWL_DONE);
    assert_string_equal(w->result, "first 7 second");
    assert_int_equal(twl_call_count_waiting(w->vm), 0);
    assert_int_equal(w->cancels, 0);
}

static void many_calls_wait_at_once(void **state) {
    world *w = *state;
    enum { N = 200 };
    twl_call *calls[N];
    int ref = world_load(w, "local tw = require 'tidewire' local n = 0 "
                            "return function() n = n + 1 local me = n "
                            "tw.wait() return me end");
    for (int i = 0; i < N; i++) {
        assert_int_equal(world_call(w, ref), TWL_WAITING);
        calls[i] = w->waiting;
    }
    assert_int_equal(twl_call_count_waiting(w->vm), N);
    for (int i = 0; i < N; i += 2) {
        assert_int_equal(twl_resume(calls[i], NULL, NULL), TWL_DONE);
        assert_int_equal(atoi(w->result), i + 1);
    }
    for (int i = 1; i < N; i += 2) {
        twl_cancel(calls[i], "enough");
    }
    assert_int_equal(twl_call_count_waiting(w->vm), 0);
    assert_int_equal(w->cancels, N / 2);
    twl_unref(w->vm, ref);
}

static void waiting_works_through_pcall_and_metamethods(void **state) {
    world *w = *state;
    assert_eval(w,
                "local t = setmetatable({}, {__index = function() "
                "return (tw.wait()) end}) "
                "local ok, v = pcall(function() return t.x end) return ok, v",
                "waiting");
    assert_int_equal(twl_resume(w->waiting, push_answer, "x"), TWL_DONE);
    assert_string_equal(w->result, "true x");
    assert_eval(w, "return xpcall(function() return (tw.wait()) end, print)",
                "waiting");
    assert_int_equal(twl_resume(w->waiting, push_answer, "y"), TWL_DONE);
    assert_string_equal(w->result, "true y");
}

static void waiting_is_transparent_to_coroutines(void **state) {
    world *w = *state;
    assert_eval(w,
                "local inner = coroutine.wrap(function(a) "
                "  local b = coroutine.yield(a .. tw.wait()) "
                "  return b .. tw.wait() end) "
                "local outer = coroutine.wrap(function() "
                "  coroutine.yield(inner('1')) "
                "  coroutine.yield(inner('2')) end) "
                "return outer() .. outer()",
                "waiting");
    assert_int_equal(twl_resume(w->waiting, push_answer, "x"), TWL_WAITING);
    assert_int_equal(twl_resume(w->waiting, push_answer, "y"), TWL_DONE);
    assert_string_equal(w->result, "1x2y");
}

static void waiting_is_refused_by_name_where_it_cannot_be(void **state) {
    world *w = *state;
    const char *part = "tw.wait cannot wait inside a callback of gsub";
    assert_fails(w, "('x'):gsub('x', tw.wait)", part);
    assert_fails(w, "table.sort({2, 1}, function() tw.wait() end)", part);
    assert_contains(w->result, "test.lua:1: ");
    assert_fails(w, "('x'):gsub('x', coroutine.wrap(function() tw.wait() end))",
                 "tw.wait cannot wait in a coroutine that is resumed inside");
    assert_int_equal(w->cancels, 1);
    assert_int_equal(twl_call_count_waiting(w->vm), 0);
    assert_eval(w, "return pcall(('x').gsub, 'x', 'x', tw.wait)",
                "false tw.wait cannot wait inside a callback of gsub, "
                "table.sort or require");
}

static void a_place_that_may_not_wait_says_so(void **state) {
    world *w = *state;
    static const twl_spec save = {
        .name = "save", .read = test_read, .no_wait = "in save"};
    static const twl_spec plain = {.name = "on_test"};
    int ref = world_load(w, "local tw = require 'tidewire' "
                            "return function() tw.wait() end");
    twl_call *waiting;
    assert_int_equal(twl_run(w->vm, &save, ref, w, &waiting), TWL_FAILED);
    assert_contains(twl_vm_failure(w->vm)->message,
                    "test.lua:1: tw.wait cannot wait in save");
    assert_int_equal(twl_run(w->vm, &plain, ref, w, NULL), TWL_FAILED);
    assert_contains(twl_vm_failure(w->vm)->message, "cannot wait in on_test");
    twl_unref(w->vm, ref);
    const char *main = "require('tidewire').wait()";
    assert_int_equal(
        twl_loader_text(w->vm, "@main.lua", main, strlen(main), &ref),
        TW_EINVALID);
    assert_contains(twl_vm_failure(w->vm)->message,
                    "main.lua:1: tw.wait cannot wait while the script loads");
}

static void a_cancelled_call_is_never_resumed(void **state) {
    world *w = *state;
    assert_eval(w, "pcall(tw.wait) error('resumed')", "waiting");
    w->result[0] = '\0';
    twl_cancel(w->waiting, "retired");
    assert_string_equal(w->result, "");
    assert_int_equal(w->cancels, 1);
    const twl_failure *failure = twl_vm_failure(w->vm);
    assert_int_equal(failure->kind, TWL_CANCELLED);
    assert_string_equal(failure->message, "retired");
    assert_string_equal(failure->call, "on_test");
    assert_contains(failure->traceback, "test.lua:1: in function");
}

static void destroying_the_vm_cancels_what_waits(void **state) {
    (void)state;
    world w;
    world_open(&w);
    assert_eval(&w, "tw.wait()", "waiting");
    assert_eval(&w, "coroutine.wrap(function() tw.wait() end)()", "waiting");
    world_close(&w);
    assert_int_equal(w.cancels, 2);
}

static void the_budget_adds_up_over_resumes(void **state) {
    (void)state;
    world w;
    world_open_with(&w, (twl_vm_config){.budget_ms = 100});
    assert_eval(&w,
                "while true do tw.wait() for i = 1, 3e6 do "
                "local s = tostring(i % 10) end end",
                "waiting");
    int resumes = 0;
    twl_status status = TWL_WAITING;
    while (status == TWL_WAITING && resumes < 1000) {
        status = twl_resume(w.waiting, NULL, NULL);
        resumes++;
    }
    assert_int_equal(status, TWL_FAILED);
    assert_int_equal(twl_vm_failure(w.vm)->kind, TWL_BUDGET);
    world_close(&w);
}

static void a_script_cannot_reach_the_calls_own_coroutine(void **state) {
    world *w = *state;
    assert_eval(w, "return coroutine.running()", "nil");
    assert_fails(w, "coroutine.yield(1)", "outside a coroutine");
    assert_eval(w,
                "return coroutine.wrap(function() "
                "return type(coroutine.running()) end)()",
                "thread");
    assert_eval(w,
                "local c = coroutine.create(function(a) "
                "local b = coroutine.yield(a) error('oh ' .. b, 0) end) "
                "local r = {coroutine.resume(c, 'a')} "
                "local s = {coroutine.resume(c, 'b')} "
                "return r[1], r[2], s[1], s[2], coroutine.status(c)",
                "true a false oh b dead");
}

/* --- nesting ---------------------------------------------------------- */

static int inner_ref;
static twl_status inner_status;

static int call_inside(lua_State *L) {
    twl_vm *vm = twl_vm_of(L);
    world *w = twl_vm_user(vm);
    static const twl_spec spec = {.name = "inner", .read = test_read};
    twl_call *outer = twl_call_current(vm);
    inner_status = twl_run(vm, &spec, inner_ref, w, NULL);
    assert_ptr_equal(twl_call_current(vm), outer);
    lua_pushstring(L, w->result);
    return 1;
}

static int open_nest(lua_State *L) {
    lua_pushcfunction(L, call_inside);
    return 1;
}

static void calls_nest(void **state) {
    world *w = *state;
    twl_loader_preload(w->vm, "nest", open_nest);
    inner_ref = world_load(w, "return function() return 'in' end");
    assert_eval(w, "local n = require 'nest' return n() .. n()", "inin");
    twl_unref(w->vm, inner_ref);
}

static void a_failing_inner_call_leaves_the_outer_one_alone(void **state) {
    (void)state;
    world w;
    world_open_with(&w, (twl_vm_config){.memory_limit_bytes = 8 << 20});
    twl_loader_preload(w.vm, "nest", open_nest);
    inner_ref = world_load(&w, "return function() local s = 'x' while true do "
                               "s = s .. s end end");
    assert_eval(&w, "require 'nest' () return 'goes on'", "goes on");
    assert_int_equal(inner_status, TWL_FAILED);
    assert_int_equal(twl_vm_failure(w.vm)->kind, TWL_MEMORY);
    world_close(&w);
}

static void what_an_inner_call_uses_is_charged_to_the_outer(void **state) {
    world *w = *state;
    twl_loader_preload(w->vm, "nest", open_nest);
    inner_ref = world_load(w, "return function() for i = 1, 2e6 do "
                              "local s = tostring(i % 10) end end");
    assert_fails(w, "local n = require 'nest' while true do n() end",
                 "over its CPU budget of 100 ms");
    assert_string_equal(twl_vm_failure(w->vm)->call, "on_test");
    twl_unref(w->vm, inner_ref);
}

/* --- protect ---------------------------------------------------------- */

static void raise_something(lua_State *L, void *arg) {
    lua_pushstring(L, arg);
    lua_error(L);
}

static void protect_turns_errors_into_codes(void **state) {
    world *w = *state;
    assert_int_equal(twl_vm_protect(w->vm, raise_something, "oh"), TW_EINVALID);
    assert_string_equal(twl_vm_failure(w->vm)->message, "oh");
    assert_int_equal(lua_gettop(twl_vm_lua(w->vm)), 0);
}

#define door(test)                                                             \
    cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        door(arguments_and_results_cross),
        door(a_function_may_be_pushed),
        door(more_results_than_allowed_are_cut),
        door(an_error_has_place_traceback_and_name),
        door(an_error_object_gives_its_code),
        door(push_and_read_may_raise),
        door(running_out_of_memory_in_push_fails_the_call),
        door(a_long_message_is_cut),
        door(a_wait_returns_what_it_is_resumed_with),
        door(many_calls_wait_at_once),
        door(waiting_works_through_pcall_and_metamethods),
        door(waiting_is_transparent_to_coroutines),
        door(waiting_is_refused_by_name_where_it_cannot_be),
        door(a_place_that_may_not_wait_says_so),
        door(a_cancelled_call_is_never_resumed),
        cmocka_unit_test(destroying_the_vm_cancels_what_waits),
        cmocka_unit_test(the_budget_adds_up_over_resumes),
        door(a_script_cannot_reach_the_calls_own_coroutine),
        door(calls_nest),
        cmocka_unit_test(a_failing_inner_call_leaves_the_outer_one_alone),
        door(what_an_inner_call_uses_is_charged_to_the_outer),
        door(protect_turns_errors_into_codes),
    };
    twl_budget_start(NULL);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    twl_budget_stop();
    return failures;
}
