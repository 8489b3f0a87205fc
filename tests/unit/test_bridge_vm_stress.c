/* A million calls of every kind, in an order that a seed decides, while ticks
 * arrive. SPDX-License-Identifier: MIT */
#include "test_bridge_vm.h"

enum { CALLS = 1000000, SLOTS = 64, KINDS = 9 };

static const char SCRIPT[] =
    "local tw = require 'tidewire'\n"
    "local kept, count = {}, 0\n"
    "local co = coroutine.wrap(function()\n"
    "  local n = 0 while true do n = n + 1 coroutine.yield(n) end end)\n"
    "local kinds = {\n"
    "  function(s) return s end,\n"
    "  function(s)\n"
    "    local v = tw.json.decode(s)\n"
    "    assert(tw.json.encode(v) == s)\n"
    "    return s end,\n"
    "  function(s) local a = tw.wait() return a or s end,\n"
    "  function(s) pcall(error, 'x') error('wrong ' .. #s) end,\n"
    "  function(s)\n"
    "    local f = coroutine.wrap(function() return (tw.wait()) end)\n"
    "    return f() or s end,\n"
    "  function(s) count = count + 1 kept[count % 1000] = {s, count} return s "
    "end,\n"
    "  function(s) local n = 0 for i = 1, 100 do n = n + i % 3 end\n"
    "    return s:gsub('%d+', tostring(n)) and s end,\n"
    "  function(s) co() return s:match('^%[(.*)%]$') and s end,\n"
    "  function(s) error(tw.error('denied', s)) end,\n"
    "}\n"
    "return function(kind, s) return kinds[kind](s) end\n";

typedef struct request {
    int kind;
    char text[128];
    size_t len;
} request;

static int push_request(lua_State *L, void *arg) {
    const request *r = arg;
    lua_pushinteger(L, r->kind);
    lua_pushlstring(L, r->text, r->len);
    return 2;
}

static int answers;

static void read_answer(lua_State *L, int count, void *arg) {
    const request *r = arg;
    size_t len;
    assert_int_equal(count, 1);
    const char *text = lua_tolstring(L, 1, &len);
    assert_int_equal(len, r->len);
    assert_memory_equal(text, r->text, len);
    answers++;
}

static int push_text(lua_State *L, void *arg) {
    const request *r = arg;
    lua_pushlstring(L, r->text, r->len);
    return 1;
}

static unsigned next_random(unsigned *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void stress(int calls, bool no_jit) {
    static const twl_spec spec = {
        .name = "on_test", .push = push_request, .read = read_answer};
    static request requests[SLOTS];
    twl_call *waiting[SLOTS] = {0};
    world w;
    world_open_with(
        &w, (twl_vm_config){.memory_limit_bytes = 16 << 20, .no_jit = no_jit});
    twl_vm_activate(w.vm);
    int ref = world_load(&w, SCRIPT);
    unsigned seed = 7;
    int done = 0, failed = 0, cancelled = 0;
    answers = 0;
    for (int i = 0; i < calls; i++) {
        unsigned slot = next_random(&seed) % SLOTS;
        request *r = &requests[slot];
        twl_status status;
        if (waiting[slot] != NULL && next_random(&seed) % 16 == 0) {
            twl_cancel(waiting[slot], "stress");
            waiting[slot] = NULL;
            cancelled++;
        }
        if (waiting[slot] != NULL) {
            status = twl_resume(waiting[slot], push_text, r);
            waiting[slot] = NULL;
        } else {
            r->kind = 1 + (int)(next_random(&seed) % KINDS);
            r->len = (size_t)snprintf(r->text, sizeof r->text,
                                      "[%u,\"%x\",{\"k\":[%u,true,null]}]",
                                      next_random(&seed), next_random(&seed),
                                      next_random(&seed) % 100);
            status = twl_run(w.vm, &spec, ref, r, &waiting[slot]);
        }
        done += status == TWL_DONE;
        failed += status == TWL_FAILED;
        if (status == TWL_FAILED) {
            const twl_failure *failure = twl_vm_failure(w.vm);
            if (failure->kind != TWL_RAISED) {
                print_message("kind %d: %s\n", failure->kind, failure->message);
            }
            assert_int_equal(failure->kind, TWL_RAISED);
            assert_true(r->kind == 4 || r->kind == 9);
        }
    }
    assert_int_equal(answers, done);
    assert_int_equal(w.cancels, cancelled);
    assert_int_equal(lua_gettop(twl_vm_lua(w.vm)), 0);
    assert_true(failed > calls / 10);
    assert_true(done > calls / 2);
    world_close(&w);
}

static void a_million_calls_end_as_they_should(void **state) {
    (void)state;
    stress(CALLS, false);
}

static void and_with_the_jit_off(void **state) {
    (void)state;
    stress(CALLS / 5, true);
}

/* Budgets of one tick that run out anywhere, in between calls that must not
 * be hit. */
static void ticks_land_everywhere_and_hit_only_their_own(void **state) {
    (void)state;
    static const twl_spec tight = {.name = "tight", .budget_ms = 10};
    static const twl_spec wide = {.name = "wide", .budget_ms = 10000};
    world w;
    world_open(&w);
    twl_vm_activate(w.vm);
    int loops[] = {
        world_load(&w, "return function() while true do end end"),
        world_load(&w, "return function() while true do pcall(function() "
                       "while true do local s = {} end end) end end"),
        world_load(&w, "return function() local tw = require 'tidewire' "
                       "while true do tw.json.decode(tw.json.encode({1, 'a'})) "
                       "end end"),
        world_load(&w, "return function() while true do "
                       "coroutine.wrap(function() while true do "
                       "pcall(error) end end)() end end"),
        world_load(&w, "return function() while true do "
                       "(('a'):rep(5000)):find('.-.-b') end end"),
    };
    int fine = world_load(&w, "return function() local n = 0 "
                              "for i = 1, 300 do n = n + #tostring(i) end end");
    enum { LOOPS = sizeof loops / sizeof *loops };
    for (int i = 0; i < 60; i++) {
        assert_int_equal(twl_run(w.vm, &tight, loops[i % LOOPS], NULL, NULL),
                         TWL_FAILED);
        assert_int_equal(twl_vm_failure(w.vm)->kind, TWL_BUDGET);
        for (int j = 0; j < 200; j++) {
            assert_int_equal(twl_run(w.vm, &wide, fine, NULL, NULL), TWL_DONE);
        }
    }
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_calls_end_as_they_should),
        cmocka_unit_test(and_with_the_jit_off),
        cmocka_unit_test(ticks_land_everywhere_and_hit_only_their_own),
    };
    twl_budget_start(NULL);
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    twl_budget_stop();
    return failures;
}
