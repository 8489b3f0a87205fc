/* Each way a script can run away costs its own call and no more, with the JIT
 * on and off. SPDX-License-Identifier: MIT */
#include "test_bridge_vm.h"

/* A call of 50 ms may be charged a little late, and its report costs: what that
 * comes to is the machine's affair, but it ends. Where memory shall run out
 * first there is more time. */
enum { BUDGET_MS = 50, ROOMY_MS = 30000, MAX_MS = 10000 };

static bool no_jit;

static int open_for(void **state, unsigned budget_ms) {
    static world w;
    world_open_with(&w, (twl_vm_config){.script_dir = ".",
                                        .budget_ms = budget_ms,
                                        .memory_limit_bytes = 64 << 20,
                                        .no_jit = no_jit});
    twl_vm_activate(w.vm);
    *state = &w;
    return 0;
}

static int open_world(void **state) {
    return open_for(state, BUDGET_MS);
}

static int open_roomy(void **state) {
    return open_for(state, ROOMY_MS);
}

static int close_world(void **state) {
    world_close(*state);
    return 0;
}

static void assert_usable(world *w) {
    assert_eval(w,
                "local n = 0 for i = 1, 1000 do n = n + i end "
                "local ok, e = pcall(error, 'x', 0) "
                "return n, ok, e, coroutine.wrap(function() return 7 end)()",
                "500500 false x 7");
}

/* Runs `body` and expects it to be stopped for `kind`, with a place. */
static void assert_stopped(world *w, const char *body, twl_fault kind) {
    for (int round = 0; round < 3; round++) {
        double start = cpu_ms();
        twl_status status = world_run(w, body);
        double took = cpu_ms() - start;
        const twl_failure *failure = twl_vm_failure(w->vm);
        if (status != TWL_FAILED || failure->kind != kind || took > MAX_MS) {
            print_message("%s: status %d kind %d %s, %.0f ms\n", body, status,
                          failure->kind, failure->message, took);
        }
        assert_int_equal(status, TWL_FAILED);
        assert_int_equal(failure->kind, kind);
        assert_true(took < MAX_MS);
        assert_string_equal(failure->call, "on_test");
        assert_contains(failure->message, "test.lua:");
        assert_contains(failure->traceback, "stack traceback:");
        assert_usable(w);
    }
}

static void assert_over_budget(world *w, const char *body) {
    assert_stopped(w, body, TWL_BUDGET);
    assert_contains(twl_vm_failure(w->vm)->message,
                    "over its CPU budget of 50 ms");
}

static void loops_of_every_shape_are_stopped(void **state) {
    static const char *const LOOPS[] = {
        "while true do end",
        "local n = 0 while true do n = n + 1 end",
        "repeat until false",
        "for i = 1, math.huge do end",
        "for i = 1, 1e15 do local x = i * 2 end",
        "::top:: goto top",
        "local function f() return f() end return f()",
        "local function g() return true end while g() do end",
        "local t = {} for i = 1, 10 do t[i] = i end "
        "while true do for k, v in pairs(t) do end end",
        "local t = {1, 2, 3} while true do for i, v in ipairs(t) do end end",
        "while true do local s = 'a' .. math.random() end",
        "while true do local t = {1} end",
        "while true do local f = function() end f() end",
        "while true do tostring({}) end",
        "local t = setmetatable({}, {__index = function() return 1 end}) "
        "while true do local x = t.y end",
    };
    for (size_t i = 0; i < sizeof LOOPS / sizeof *LOOPS; i++) {
        assert_over_budget(*state, LOOPS[i]);
    }
}

static void a_pcall_does_not_outlive_the_budget(void **state) {
    assert_over_budget(*state, "while true do pcall(function() "
                               "while true do end end) end");
    assert_over_budget(*state,
                       "return pcall(function() while true do end end)");
    assert_over_budget(*state, "pcall(pcall, pcall, function() "
                               "while true do end end) return 1");
    assert_over_budget(*state, "local function f() pcall(f) f() end f()");
    assert_over_budget(*state,
                       "while true do xpcall(function() while true do end end,"
                       "function() while true do end end) end");
    assert_over_budget(*state, "xpcall(function() error(1) end, "
                               "function() while true do end end)");
}

static void a_coroutine_does_not_outlive_the_budget(void **state) {
    assert_over_budget(*state, "coroutine.wrap(function() "
                               "while true do end end)()");
    assert_over_budget(*state, "while true do local c = coroutine.create("
                               "function() while true do end end) "
                               "coroutine.resume(c) end");
    assert_over_budget(*state,
                       "local c = coroutine.wrap(function() while true do "
                       "pcall(coroutine.wrap(function() while true do end end"
                       ")) end end) while true do pcall(c) end");
    assert_over_budget(*state, "local c = coroutine.wrap(function() "
                               "while true do coroutine.yield() end end) "
                               "while true do c() end");
}

static void callbacks_of_c_functions_are_stopped(void **state) {
    assert_over_budget(*state, "table.sort({3, 2, 1}, function() "
                               "while true do end end)");
    assert_over_budget(*state, "('x'):gsub('x', function() "
                               "while true do end end)");
    assert_over_budget(*state, "load(function() while true do end end)");
    assert_over_budget(*state, "tostring(setmetatable({}, {__tostring = "
                               "function() while true do end end}))");
    assert_over_budget(*state, "print(setmetatable({}, {__tostring = "
                               "function() while true do end end}))");
}

static void a_table_that_grows_for_ever_meets_the_limit(void **state) {
    world *w = *state;
    static const char *const GROWERS[] = {
        "local s = 'x' while true do s = s .. s end",
        "local s = {} while true do s[#s + 1] = ('x'):rep(1e6 + #s) end",
        "while true do pcall(function() local s = 'x' "
        "while true do s = s .. s end end) end",
        "return pcall(function() local s = 'x' "
        "while true do s = s .. s end end)",
        "coroutine.wrap(function() local s = 'x' "
        "while true do s = s .. s end end)()",
    };
    for (size_t i = 0; i < sizeof GROWERS / sizeof *GROWERS; i++) {
        assert_stopped(w, GROWERS[i], TWL_MEMORY);
        assert_contains(twl_vm_failure(w->vm)->message,
                        "over the memory limit of 64 MiB");
        assert_true(twl_vm_memory(w->vm) < 32 << 20);
    }
}

/* Whichever comes first: what counts is that it ends, and soon. */
static void a_growing_table_of_tables_ends(void **state) {
    world *w = *state;
    double start = cpu_ms();
    assert_int_equal(world_run(w, "local t = {} while true do "
                                  "t = {t, {}, {}} end"),
                     TWL_FAILED);
    assert_true(cpu_ms() - start < MAX_MS);
    twl_fault kind = twl_vm_failure(w->vm)->kind;
    assert_true(kind == TWL_BUDGET || kind == TWL_MEMORY);
    assert_usable(w);
}

/* Nothing collects by itself near the limit: what a call has grown when its
 * time is over must not be left for the next one. */
static void a_call_stopped_for_its_time_leaves_no_full_heap(void **state) {
    world *w = *state;
    assert_stopped(w,
                   "local t = {} "
                   "for i = 1, 58 do t[i] = ('x'):rep(2^20 + i) end "
                   "while true do end",
                   TWL_BUDGET);
    assert_true(twl_vm_memory(w->vm) < 32 << 20);
}

static void garbage_does_not_count_as_held_memory(void **state) {
    world *w = *state;
    /* 40 MiB are held; the garbage beside them is many times the limit. */
    assert_eval(w,
                "local kept = {} for i = 1, 4 do "
                "kept[i] = ('k'):rep(1e7 + i) end "
                "for i = 1, 40 do local s = ('g'):rep(4e6 + i) end "
                "return #kept",
                "4");
}

static void huge_strings_are_refused(void **state) {
    world *w = *state;
    assert_fails(w, "return ('x'):rep(2^31)", "string.rep: result of more");
    assert_fails(w, "return ('x'):rep(2^62, 'y')", "string.rep: result of");
    assert_fails(w, "return string.format('%99999999d', 1)", "invalid");
    assert_eval(w, "return #('x'):rep(0), #('x'):rep(-5), ('ab'):rep(2, '-')",
                "0 0 ab-ab");
    assert_int_equal(world_run(w, "local t, s = {}, ('x'):rep(1e6) "
                                  "for i = 1, 1000 do t[i] = s end "
                                  "return #table.concat(t)"),
                     TWL_FAILED);
    assert_int_equal(twl_vm_failure(w->vm)->kind, TWL_MEMORY);
    assert_usable(w);
}

static void a_pattern_that_backtracks_is_stopped(void **state) {
    assert_over_budget(*state, "local s = ('a'):rep(50000) "
                               "local r = s:find('.-.-.-b') return r");
    assert_over_budget(*state, "local s = ('a'):rep(50000) "
                               "local r = s:match('(.*)(.*)(.*)b') return r");
    assert_over_budget(*state, "local s = ('a'):rep(50000) "
                               "for x in s:gmatch('a*a*a*b') do end");
    assert_over_budget(*state, "local s = ('a'):rep(50000) "
                               "return s:gsub('.*.*.*b', '')");
    assert_over_budget(*state, "local s = ('('):rep(100000) "
                               "return s:find('%b()')");
}

static void a_tail_call_into_c_still_has_a_place(void **state) {
    assert_over_budget(*state, "local s = ('a'):rep(50000) "
                               "return s:find('.-.-.-b')");
    assert_over_budget(*state, "return table.sort({3, 2, 1}, function() "
                               "while true do end end)");
}

static void sorting_a_large_table_is_stopped(void **state) {
    assert_over_budget(*state, "local t = {} for i = 1, 4e5 do "
                               "t[i] = i * 7919 % 1000003 end "
                               "for i = 1, 100 do t[#t + 1] = 0 "
                               "table.sort(t) end");
}

static void endless_metamethods_end(void **state) {
    world *w = *state;
    assert_fails(w,
                 "local t = setmetatable({}, {__index = function(t, k) "
                 "return t[k + 1] .. '' end}) return t[1]",
                 "overflow");
    assert_fails(w,
                 "local t = setmetatable({}, {}) getmetatable(t).__index = t "
                 "return t.x",
                 "loop");
    assert_usable(w);
}

static void an_error_object_that_loops_is_reported(void **state) {
    world *w = *state;
    assert_fails(w,
                 "error(setmetatable({}, {__tostring = function() "
                 "while true do end end}))",
                 "error object whose tostring fails");
    assert_int_equal(twl_vm_failure(w->vm)->kind, TWL_RAISED);
    assert_fails(w,
                 "error(setmetatable({}, {__tostring = function() "
                 "return 'own text' end}))",
                 "own text");
    assert_usable(w);
}

static void json_of_anything_large_is_stopped(void **state) {
    world *w = *state;
    assert_over_budget(w, "local t = {} for i = 1, 30 do t = {t, t} end "
                          "return tw.json.encode(t)");
    assert_fails(w,
                 "local t = {} for i = 1, 30 do t = {t, t} end "
                 "return require('cjson').encode(t)",
                 "");
    assert_usable(w);
}

static void a_late_tick_does_not_hit_the_next_call(void **state) {
    world *w = *state;
    int busy = world_load(w, "return function() local n = 0 "
                             "for i = 1, 2e5 do n = n + i % 7 end end");
    double start = cpu_ms();
    int calls = 0;
    while (cpu_ms() - start < 300) {
        assert_int_equal(world_call(w, busy), TWL_DONE);
        calls++;
    }
    assert_true(calls > 5);
    twl_unref(w->vm, busy);
}

#define shape(test)                                                            \
    cmocka_unit_test_setup_teardown(test, open_world, close_world)
#define roomy(test)                                                            \
    cmocka_unit_test_setup_teardown(test, open_roomy, close_world)

static int run_all(void) {
    const struct CMUnitTest tests[] = {
        shape(loops_of_every_shape_are_stopped),
        shape(a_pcall_does_not_outlive_the_budget),
        shape(a_coroutine_does_not_outlive_the_budget),
        shape(callbacks_of_c_functions_are_stopped),
        roomy(a_table_that_grows_for_ever_meets_the_limit),
        shape(a_growing_table_of_tables_ends),
        shape(a_call_stopped_for_its_time_leaves_no_full_heap),
        roomy(garbage_does_not_count_as_held_memory),
        roomy(huge_strings_are_refused),
        shape(a_pattern_that_backtracks_is_stopped),
        shape(a_tail_call_into_c_still_has_a_place),
        shape(sorting_a_large_table_is_stopped),
        shape(endless_metamethods_end),
        shape(an_error_object_that_loops_is_reported),
        shape(json_of_anything_large_is_stopped),
        shape(a_late_tick_does_not_hit_the_next_call),
    };
    return cmocka_run_group_tests_name(no_jit ? "JIT off" : "JIT on", tests,
                                       NULL, NULL);
}

int main(void) {
    if (twl_budget_start(NULL) != 0 || !twl_budget_allows_jit()) {
        print_message("no JIT here: %s\n", twl_budget_report());
    }
    int failures = run_all();
    no_jit = true;
    failures += run_all();
    twl_budget_stop();
    return failures;
}
