/* Two VMs at once, the switch between them, and how one goes.
 * SPDX-License-Identifier: MIT */
#include "test_bridge_vm.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const char BUSY[] = "local n = 0 while true do n = n + 1 end";

static void assert_stops(world *w) {
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world_run(w, BUSY), TWL_FAILED);
        assert_int_equal(twl_vm_failure(w->vm)->kind, TWL_BUDGET);
        assert_eval(w, "return 1 + 1", "2");
    }
}

static void both_are_stoppable_whichever_is_active(void **state) {
    (void)state;
    world one, two;
    world_open(&one);
    assert_int_equal(twl_vm_activate(one.vm), 0);
    assert_true(twl_vm_is_active(one.vm));
    assert_stops(&one);
    world_open(&two);
    assert_stops(&two);
    assert_stops(&one);
    assert_int_equal(twl_vm_activate(two.vm), 0);
    assert_true(twl_vm_is_active(two.vm));
    assert_false(twl_vm_is_active(one.vm));
    assert_stops(&one);
    assert_stops(&two);
    assert_int_equal(twl_vm_activate(one.vm), 0);
    assert_stops(&two);
    assert_stops(&one);
    assert_int_equal(twl_vm_activate(NULL), 0);
    assert_stops(&one);
    world_close(&one);
    world_close(&two);
}

static void many_generations_come_and_go(void **state) {
    (void)state;
    world worlds[2];
    world_open(&worlds[0]);
    twl_vm_activate(worlds[0].vm);
    for (int i = 1; i <= 30; i++) {
        world *old = &worlds[(i - 1) % 2];
        world *new = &worlds[i % 2];
        assert_eval(old, "local n = 0 for i = 1, 1e4 do n = n + 1 end return n",
                    "10000");
        world_open_with(new, (twl_vm_config){.generation = (uint64_t)i});
        assert_eval(new, "return tw.json.encode({1})", "[1]");
        assert_int_equal(twl_vm_activate(new->vm), 0);
        assert_int_equal(twl_vm_freeze(old->vm), 0);
        if (i % 10 == 0) {
            assert_stops(new);
            assert_stops(old);
        }
        assert_int_equal(twl_vm_drop(old->vm), 0);
        while (!twl_vm_collect_step(old->vm, 1000)) {
        }
        world_close(old);
        assert_int_equal(twl_vm_generation(new->vm), (uint64_t)i);
    }
    world_close(&worlds[30 % 2]);
}

static void a_frozen_vm_still_finishes_what_waits(void **state) {
    (void)state;
    world old, new;
    world_open(&old);
    world_open(&new);
    twl_vm_activate(old.vm);
    assert_eval(&old,
                "local n = 0 for i = 1, 1e5 do n = n + 1 end "
                "tw.wait() for i = 1, 1e5 do n = n + 1 end return n",
                "waiting");
    assert_eval(&new, "return 1", "1");
    twl_vm_activate(new.vm);
    twl_vm_freeze(old.vm);
    assert_int_equal(twl_resume(old.waiting, NULL, NULL), TWL_DONE);
    assert_string_equal(old.result, "200000");
    world_close(&old);
    world_close(&new);
}

static int finalized;

static int finalize(lua_State *L) {
    assert_non_null(twl_vm_user(twl_vm_of(L)));
    finalized++;
    return 0;
}

static int new_object(lua_State *L) {
    lua_newuserdata(L, 16);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, finalize);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return 1;
}

static int open_objects(lua_State *L) {
    lua_pushcfunction(L, new_object);
    return 1;
}

static void dropping_collects_in_slices(void **state) {
    (void)state;
    world w;
    finalized = 0;
    world_open(&w);
    twl_loader_preload(w.vm, "objects", open_objects);
    int ref = world_load(&w, "local new = require 'objects' local all = {} "
                             "return function() for i = 1, 1e4 do "
                             "all[#all + 1] = {new(), {}, tostring(i)} end "
                             "end");
    for (int i = 0; i < 10; i++) {
        assert_int_equal(world_call(&w, ref), TWL_DONE);
    }
    assert_eval(&w, "tw.wait()", "waiting");
    size_t held = twl_vm_memory(w.vm);
    assert_true(held > 8 << 20);
    assert_int_equal(twl_vm_drop(w.vm), 0);
    assert_int_equal(w.cancels, 1);
    assert_int_equal(world_call(&w, ref), TWL_FAILED);
    assert_int_equal(twl_vm_failure(w.vm)->kind, TWL_CANCELLED);
    int steps = 0;
    double longest = 0;
    for (bool is_done = false; !is_done; steps++) {
        double start = cpu_ms();
        is_done = twl_vm_collect_step(w.vm, 500);
        double took = cpu_ms() - start;
        longest = took > longest ? took : longest;
    }
    assert_true(steps > 3);
    assert_int_equal(finalized, 100000);
    assert_true(twl_vm_memory(w.vm) < held / 20);
    world_close(&w); /* what is left is a twentieth of what it held */
    print_message("%d slices of 0.5 ms, the longest %.1f ms\n", steps, longest);
}

static void destroying_runs_finalizers_without_steps(void **state) {
    (void)state;
    world w;
    finalized = 0;
    world_open(&w);
    twl_loader_preload(w.vm, "objects", open_objects);
    int ref = world_load(&w, "local new = require 'objects' local o = new() "
                             "return function() return o end");
    assert_int_equal(world_call(&w, ref), TWL_DONE);
    world_close(&w);
    assert_int_equal(finalized, 1);
}

static int activate_inside(lua_State *L) {
    twl_vm *vm = twl_vm_of(L);
    lua_pushinteger(L, twl_vm_activate(NULL));
    lua_pushinteger(L, twl_vm_freeze(vm));
    lua_pushinteger(L, twl_vm_drop(vm));
    return 3;
}

static int open_activate(lua_State *L) {
    lua_pushcfunction(L, activate_inside);
    return 1;
}

static void nothing_switches_inside_a_call(void **state) {
    (void)state;
    world w;
    world_open(&w);
    twl_vm_activate(w.vm);
    twl_loader_preload(w.vm, "activate", open_activate);
    assert_eval(&w, "return require 'activate' ()", "-8 -8 -8");
    world_close(&w);
}

static void a_vm_that_does_not_fit_is_not_made(void **state) {
    (void)state;
    twl_sources *sources = twl_sources_create_disk();
    int made = 0, refused = 0;
    /* Every size up to where it fits: each allocation has failed once. */
    for (size_t limit = 1000; limit < 60000 && made < 20; limit += 97) {
        twl_vm *vm = NULL;
        twl_vm_config config = {.sources = sources,
                                .memory_limit_bytes = limit};
        int err = twl_vm_create(&vm, &config);
        if (err == 0) {
            made++;
            twl_vm_destroy(vm);
        } else {
            assert_int_equal(err, TW_ENOMEM);
            assert_null(vm);
            refused++;
        }
    }
    assert_true(made > 0 && refused > 0);
    twl_vm_config none = {0};
    twl_vm *vm;
    assert_int_equal(twl_vm_create(&vm, &none), TW_EINVALID);
    twl_sources_destroy(sources);
}

/* --- every allocation may fail ---------------------------------------- */

static int push_words(lua_State *L, void *arg) {
    (void)arg;
    for (int i = 0; i < 8; i++) {
        lua_pushfstring(L, "word %d", i);
    }
    return 8;
}

static const char USE[] =
    "local tw = require 'tidewire'\n"
    "return function(...)\n"
    "  local v = tw.json.decode('{\"a\":[1,\"two\",null]}')\n"
    "  v.all = {...}\n"
    "  local s = tw.json.encode(v)\n"
    "  pcall(error, tw.error('limit', s, {n = 1}))\n"
    "  print(s, v)\n"
    "  local f = coroutine.wrap(function() return (tw.wait()) end)\n"
    "  local got = f()\n"
    "  return s:gsub('w', '%0%0'), got .. s\n"
    "end\n";

/* Runs everything once, in a VM that may be too small for it; it must say so
 * and end. True when it got to the end. */
static bool use_all(twl_sources *sources, size_t limit) {
    static const twl_spec spec = {
        .name = "on_test", .push = push_words, .read = test_read};
    world w = {.sources = sources};
    twl_vm_config config = {.sources = sources,
                            .memory_limit_bytes = limit,
                            .log = test_log,
                            .log_arg = &w,
                            .user = &w};
    if (twl_vm_create(&w.vm, &config) != 0) {
        return false;
    }
    bool ok = false;
    int ref, copy = LUA_NOREF;
    twl_call *call = NULL;
    if (twl_loader_preload(w.vm, "tidewire", test_open_tw) != 0 ||
        twl_loader_text(w.vm, "@use.lua", USE, sizeof USE - 1, &ref) != 0) {
        goto end;
    }
    switch (twl_run(w.vm, &spec, ref, &w, &call)) {
    case TWL_WAITING:
        ok = twl_resume(call, push_words, NULL) == TWL_DONE;
        break;
    default:
        break;
    }
    ok = twl_plain_copy(w.vm, ref, NULL, w.vm, &copy) == TW_EINVALID && ok;
    if (!ok) {
        twl_log_failure(w.vm, TW_LOG_ERROR, "did not fit");
        assert_contains(w.logged, "did not fit");
    }
end:
    assert_int_equal(lua_gettop(twl_vm_lua(w.vm)), 0);
    twl_vm_destroy(w.vm);
    return ok;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    twl_sources *sources = twl_sources_create_disk();
    int reached = 0, fell_short = 0;
    for (size_t limit = 30000; limit < 200000 && reached < 50; limit += 53) {
        if (use_all(sources, limit)) {
            reached++;
        } else {
            fell_short++;
        }
    }
    assert_true(reached == 50 && fell_short > 100);
    twl_sources_destroy(sources);
}

/* --- without the profiler, without anything --------------------------- */

static void without_the_profiler_there_is_a_budget_but_no_jit(void **state) {
    (void)state;
    world w;
    twl_budget_stop();
    struct sigaction before, after;
    sigaction(SIGPROF, NULL, &before);
    twl_budget_options options = {.no_profiler = true};
    assert_int_equal(twl_budget_start(&options), 0);
    assert_false(twl_budget_allows_jit());
    assert_contains(twl_budget_report(), "the JIT is off");
    world_open(&w);
    twl_vm_activate(w.vm);
    assert_stops(&w);
    world_close(&w);
    sigaction(SIGPROF, NULL, &after);
    assert_ptr_equal(before.sa_handler, after.sa_handler);
    twl_budget_stop();
    assert_int_equal(twl_budget_start(NULL), 0);
}

static void unstarted_calls_run_without_a_budget(void **state) {
    (void)state;
    world w;
    twl_budget_stop();
    world_open_with(&w, (twl_vm_config){.memory_limit_bytes = 4 << 20});
    twl_vm_activate(w.vm);
    assert_eval(&w, "return 1", "1");
    assert_int_equal(world_run(&w, "while true do pcall(function() "
                                   "local s = 'x' while true do s = s .. s end "
                                   "end) end"),
                     TWL_FAILED);
    assert_int_equal(twl_vm_failure(w.vm)->kind, TWL_MEMORY);
    world_close(&w);
    assert_int_equal(twl_budget_start(NULL), 0);
    assert_int_equal(twl_budget_start(NULL), 0);
}

static void a_fork_starts_a_timer_of_its_own(void **state) {
    (void)state;
    world w;
    world_open(&w);
    twl_vm_activate(w.vm);
    assert_stops(&w);
    pid_t child = fork();
    if (child == 0) {
        bool ok = twl_budget_start(NULL) == 0 &&
                  world_run(&w, BUSY) == TWL_FAILED &&
                  twl_vm_failure(w.vm)->kind == TWL_BUDGET;
        _exit(ok ? 7 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_stops(&w);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_are_stoppable_whichever_is_active),
        cmocka_unit_test(many_generations_come_and_go),
        cmocka_unit_test(a_frozen_vm_still_finishes_what_waits),
        cmocka_unit_test(dropping_collects_in_slices),
        cmocka_unit_test(destroying_runs_finalizers_without_steps),
        cmocka_unit_test(nothing_switches_inside_a_call),
        cmocka_unit_test(a_vm_that_does_not_fit_is_not_made),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(without_the_profiler_there_is_a_budget_but_no_jit),
        cmocka_unit_test(a_fork_starts_a_timer_of_its_own),
        cmocka_unit_test(unstarted_calls_run_without_a_budget),
    };
    twl_budget_start(NULL);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    twl_budget_stop();
    return failures;
}
