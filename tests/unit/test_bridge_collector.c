/* The collector goes in steps: scripts with many live objects are never held
 * up for long. How long is measured in CPU time of the thread, which leaves
 * out what others do, as the longest call of each of several cycles; the
 * shortest of those is what the collector needs even then, and the rest is the
 * machine's. tests/bench/guard/pauses.c prints such figures for a server.
 *
 * SPDX-License-Identifier: MIT */
#include "test_bridge_vm.h"

enum { CYCLES = 5, CALLS_MAX = 2000000 };
#define MIB ((size_t)1 << 20)
#define LONGEST_MS 20.0

/* `keep(first, last)` fills one table, the worst for a collector, which goes
 * over it in one step; `replace` puts new objects in the place of old ones, as
 * messages do. */
static const char SCRIPT[] =
    "local tw = require 'tidewire'\n"
    "local kept, at, serial = {}, 0, 0\n"
    "local function entry(bytes)\n"
    "  serial = serial + 1\n"
    "  return {name = ('%08d'):format(serial):rep(bytes / 8)}\n"
    "end\n"
    "return function(count, bytes)\n"
    "  if count > 0 then\n"
    "    for i = 1, count do kept[#kept + 1] = entry(bytes) end\n"
    "    return\n"
    "  elseif count < 0 then\n"
    "    kept = {}\n"
    "    return\n"
    "  end\n"
    "  local text = '{\"name\":\"hello\",\"ids\":[1,2,3],\"at\":1.5}'\n"
    "  at = at % #kept + 1\n"
    "  kept[at] = entry(bytes)\n"
    "  kept[at].message = tw.json.decode(text)\n"
    "end\n";

typedef struct order {
    int count, bytes;
} order;

static int push_order(lua_State *L, void *arg) {
    const order *o = arg;
    lua_pushinteger(L, o->count);
    lua_pushinteger(L, o->bytes);
    return 2;
}

static void call(world *w, int ref, int count, int bytes) {
    static const twl_spec spec = {.name = "on_test", .push = push_order};
    order o = {count, bytes};
    assert_int_equal(twl_run(w->vm, &spec, ref, &o, NULL), TWL_DONE);
}

static void keep(world *w, int ref, int count, int bytes) {
    enum { AT_ONCE = 100 };
    for (int i = 0; i < count; i += AT_ONCE) {
        call(w, ref, AT_ONCE, bytes);
    }
}

/* ---- cycles -------------------------------------------------------------- */

/* A userdata that nothing refers to is finalized once in each cycle, and makes
 * the next one. */
static int cycles;

static void plant(lua_State *L, void *arg);

static int on_cycle(lua_State *L) {
    cycles++;
    plant(L, NULL);
    return 0;
}

static void plant(lua_State *L, void *arg) {
    (void)arg;
    lua_newuserdata(L, 1);
    lua_newtable(L);
    lua_pushcfunction(L, on_cycle);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
}

static void count_cycles(world *w) {
    cycles = 0;
    assert_int_equal(twl_vm_protect(w->vm, plant, NULL), 0);
}

/* ---- tests --------------------------------------------------------------- */

static void with_100000_objects_no_call_waits_long_for_it(void **state) {
    (void)state;
    double longest[CYCLES + 1] = {0}, best = 1e9;
    world w;
    world_open_with(&w, (twl_vm_config){.script_dir = "."});
    twl_vm_activate(w.vm);
    int ref = world_load(&w, SCRIPT);
    keep(&w, ref, 100000, 16);
    count_cycles(&w);
    for (int i = 0; i < CALLS_MAX && cycles <= CYCLES; i++) {
        int cycle = cycles;
        double start = cpu_ms();
        call(&w, ref, 0, 16);
        double took = cpu_ms() - start;
        longest[cycle] = took > longest[cycle] ? took : longest[cycle];
    }
    assert_true(cycles > CYCLES);
    for (int i = 1; i <= CYCLES; i++) {
        best = longest[i] < best ? longest[i] : best;
    }
    print_message("the longest call of a cycle: %.2f ms\n", best);
    assert_true(best > 0);
    assert_true(best < LONGEST_MS);
    world_close(&w);
}

/* A full collection stops everything for as long as it takes, so it is for
 * heaps that are full, not for those that grow. It would show as memory that
 * falls by much in one call. */
static void
a_heap_of_a_third_of_the_limit_is_never_collected_at_a_stroke(void **state) {
    (void)state;
    world w;
    world_open_with(
        &w, (twl_vm_config){.script_dir = ".", .memory_limit_bytes = 64 * MIB});
    twl_vm_activate(w.vm);
    int ref = world_load(&w, SCRIPT);
    keep(&w, ref, 20000, 1024);
    assert_true(twl_vm_memory(w.vm) > 20 * MIB);
    count_cycles(&w);
    for (int i = 0; i < CALLS_MAX && cycles <= CYCLES; i++) {
        size_t before = twl_vm_memory(w.vm);
        call(&w, ref, 0, 1024);
        assert_true(twl_vm_memory(w.vm) + MIB > before);
    }
    assert_true(cycles > CYCLES);
    world_close(&w);
}

/* The pause is read by setting it. */
static int pause_of(world *w) {
    lua_State *L = twl_vm_lua(w->vm);
    int pause = lua_gc(L, LUA_GCSETPAUSE, 200);
    lua_gc(L, LUA_GCSETPAUSE, pause);
    return pause;
}

static void the_pace_follows_the_heap(void **state) {
    (void)state;
    world w;
    world_open_with(
        &w, (twl_vm_config){.script_dir = ".", .memory_limit_bytes = 64 * MIB});
    int ref = world_load(&w, SCRIPT);
    int small = pause_of(&w);
    keep(&w, ref, 10000, 1024);
    int middle = pause_of(&w);
    keep(&w, ref, 25000, 1024);
    int large = pause_of(&w);
    assert_true(small > middle && middle > large);
    call(&w, ref, -1, 0);
    lua_gc(twl_vm_lua(w.vm), LUA_GCCOLLECT, 0);
    assert_int_equal(pause_of(&w), large);
    twl_vm_pace(w.vm);
    assert_int_equal(pause_of(&w), small);
    world_close(&w);
}

int main(void) {
    assert_int_equal(twl_budget_start(&(twl_budget_options){0}), 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_100000_objects_no_call_waits_long_for_it),
        cmocka_unit_test(
            a_heap_of_a_third_of_the_limit_is_never_collected_at_a_stroke),
        cmocka_unit_test(the_pace_follows_the_heap),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    twl_budget_stop();
    return failed;
}
