/* Plain data between VMs and as bytes. SPDX-License-Identifier: MIT */
#include "test_bridge_vm.h"

static world from, to;

static int open_worlds(void **state) {
    (void)state;
    world_open(&from);
    world_open(&to);
    return 0;
}

static int close_worlds(void **state) {
    (void)state;
    world_close(&from);
    world_close(&to);
    return 0;
}

typedef struct reports {
    int count;
    char text[2048];
} reports;

static void on_dropped(const char *path, const char *why, void *arg) {
    reports *r = arg;
    size_t at = strlen(r->text);
    snprintf(r->text + at, sizeof r->text - at, "%s%s: %s", at > 0 ? "; " : "",
             path, why);
    r->count++;
}

/* Copies the value of `expression`; a function of it is left in `to`. */
static int copy(const char *expression, reports *r, int *ref) {
    char text[1024];
    snprintf(text, sizeof text,
             "local tw = require 'tidewire' local f = function() end return %s",
             expression);
    int value = world_load(&from, text);
    twl_plain_options options = {
        .root = "state", .dropped = r != NULL ? on_dropped : NULL, .arg = r};
    int err = twl_plain_copy(from.vm, value, &options, to.vm, ref);
    twl_unref(from.vm, value);
    assert_int_equal(lua_gettop(twl_vm_lua(from.vm)), 0);
    assert_int_equal(lua_gettop(twl_vm_lua(to.vm)), 0);
    return err;
}

static int push_copy(lua_State *L, void *arg) {
    twl_push_ref(L, *(int *)arg);
    return 1;
}

static void read_text(lua_State *L, int count, void *arg) {
    (void)arg;
    test_read(L, count, &to);
}

/* What `body` says about the copy `v` in the other VM. */
static const char *ask(const char *body, int ref) {
    static const twl_spec spec = {
        .name = "on_test", .push = push_copy, .read = read_text};
    char text[1024];
    snprintf(text, sizeof text,
             "local tw = require 'tidewire' return function(v) return %s end",
             body);
    int fn = world_load(&to, text);
    assert_int_equal(twl_run(to.vm, &spec, fn, &ref, NULL), TWL_DONE);
    twl_unref(to.vm, fn);
    twl_unref(to.vm, ref);
    return to.result;
}

static void plain_data_arrives_whole(void **state) {
    (void)state;
    int ref;
    assert_int_equal(copy("{a = 1, b = 'x\\0y', c = {true, false, {}}, "
                          "[1.5] = -0.25, [true] = 'yes', [-3] = 1e300}",
                          NULL, &ref),
                     0);
    assert_string_equal(ask("v.a, #v.b, v.c[1], v.c[2], next(v.c[3]), v[1.5], "
                            "v[true], v[-3]",
                            ref),
                        "1 3 true false nil -0.25 yes 1e+300");
    assert_int_equal(copy("'text'", NULL, &ref), 0);
    assert_string_equal(ask("v", ref), "text");
    assert_int_equal(copy("nil", NULL, &ref), 0);
    assert_int_equal(ref, LUA_REFNIL);
    assert_int_equal(copy("0/0", NULL, &ref), 0);
    assert_string_equal(ask("v ~= v", ref), "true");
}

static void arrays_and_null_stay_what_they_are(void **state) {
    (void)state;
    int ref;
    assert_int_equal(
        copy("{a = tw.json.array(), n = tw.json.null}", NULL, &ref), 0);
    assert_string_equal(ask("tw.json.encode(v.a), v.n == tw.json.null", ref),
                        "[] true");
}

static void what_is_not_plain_is_dropped_and_named(void **state) {
    (void)state;
    reports r = {0};
    int ref;
    assert_int_equal(copy("{a = {f, 2, {g = f}}, k = {[f] = 1}, "
                          "m = setmetatable({x = 1}, {})}",
                          &r, &ref),
                     0);
    assert_contains(r.text, "state.a[1]: a function");
    assert_contains(r.text, "state.a[3].g: a function");
    assert_contains(r.text, "state.k.function: its key is no string");
    assert_contains(r.text, "state.m: its metatable");
    assert_int_equal(r.count, 4);
    assert_string_equal(
        ask("v.a[1], v.a[2], next(v.a[3]), next(v.k), v.m.x", ref),
        "nil 2 nil nil 1");
    assert_int_equal(copy("f", NULL, &ref), TW_EINVALID);
}

static void a_cycle_is_dropped(void **state) {
    (void)state;
    reports r = {0};
    int ref;
    assert_int_equal(copy("(function() local t = {a = {}} t.a.up = t "
                          "t.twice = {t.a, t.a} return t end)()",
                          &r, &ref),
                     0);
    assert_contains(r.text, "state.a.up: a table that contains itself");
    assert_int_equal(r.count, 3);
    assert_string_equal(ask("type(v.twice[2]), v.a.up", ref), "table nil");
    r = (reports){0};
    assert_int_equal(copy("(function() local t = {} for i = 1, 100 do "
                          "t = {t} end return t end)()",
                          &r, &ref),
                     0);
    assert_contains(r.text, ": nested too deep");
    twl_unref(to.vm, ref);
}

static void too_much_is_refused_as_a_whole(void **state) {
    (void)state;
    int ref = 77;
    assert_int_equal(copy("('x'):rep(65536)", NULL, &ref), TW_ELIMIT);
    assert_int_equal(copy("(function() local t = {} for i = 1, 1e5 do "
                          "t[i] = i end return t end)()",
                          NULL, &ref),
                     TW_ELIMIT);
    assert_int_equal(ref, 77);
}

static void a_full_target_is_an_error_and_not_the_end(void **state) {
    (void)state;
    world small;
    world_open_with(&small, (twl_vm_config){.memory_limit_bytes = 300 << 10});
    int value = world_load(&from, "return {('x'):rep(5e4), ('y'):rep(5e3)}");
    int ref;
    int err = 0;
    for (int i = 0; i < 8 && err == 0; i++) {
        err = twl_plain_copy(from.vm, value, NULL, small.vm, &ref);
        int more =
            world_load(&from, "return {('z'):rep(5e4) .. math.random()}");
        twl_unref(from.vm, value);
        value = more;
    }
    assert_int_equal(err, TW_ENOMEM);
    twl_unref(from.vm, value);
    world_close(&small);
}

/* --- bytes ------------------------------------------------------------ */

typedef struct loading {
    const char *data;
    size_t len;
    int err;
} loading;

static void load(lua_State *L, void *arg) {
    loading *l = arg;
    int top = lua_gettop(L);
    l->err = twl_plain_load(L, l->data, l->len);
    assert_int_equal(lua_gettop(L), top + (l->err == 0 ? 1 : 0));
}

static int load_bytes(const char *data, size_t len) {
    char *exact = malloc(len > 0 ? len : 1);
    memcpy(exact, data, len);
    loading l = {.data = exact, .len = len};
    assert_int_equal(twl_vm_protect(to.vm, load, &l), 0);
    free(exact);
    return l.err;
}

static void save(lua_State *L, void *arg) {
    twl_push_ref(L, *(int *)arg);
    assert_int_equal(twl_plain_save(L, -1, NULL, twl_vm_scratch(twl_vm_of(L))),
                     0);
}

static void damaged_bytes_are_refused(void **state) {
    (void)state;
    int ref = world_load(&from, "return {a = {1, 'two', true}, b = {c = {}}}");
    assert_int_equal(twl_vm_protect(from.vm, save, &ref), 0);
    twl_unref(from.vm, ref);
    twl_bytes good = {0};
    /* twl_vm_scratch empties: look at what was left there. */
    twl_bytes *scratch = twl_vm_scratch(from.vm);
    ref = world_load(&from, "return {a = {1, 'two', true}, b = {c = {}}}");
    assert_int_equal(twl_vm_protect(from.vm, save, &ref), 0);
    twl_unref(from.vm, ref);
    twl_bytes_add(&good, scratch->data, scratch->len);
    assert_int_equal(load_bytes(good.data, good.len), 0);
    for (size_t len = 0; len < good.len; len++) {
        assert_int_equal(load_bytes(good.data, len), TW_EINVALID);
    }
    for (size_t at = 0; at < good.len; at++) {
        char kept = good.data[at];
        for (int value = 0; value < 256; value++) {
            good.data[at] = (char)value;
            load_bytes(good.data, good.len);
        }
        good.data[at] = kept;
    }
    twl_bytes_deinit(&good);
    assert_int_equal(load_bytes("{zn", 3), TW_EINVALID);
    assert_int_equal(load_bytes("{n\0\0\0\0\0\0\xf8\x7ft}", 11), TW_EINVALID);
    assert_int_equal(load_bytes("tt", 2), TW_EINVALID);
    char deep[400];
    memset(deep, '{', sizeof deep);
    for (size_t i = 0; i + 1 < sizeof deep; i += 2) {
        deep[i + 1] = 't';
    }
    assert_int_equal(load_bytes(deep, sizeof deep), TW_EINVALID);
}

#define two(test)                                                              \
    cmocka_unit_test_setup_teardown(test, open_worlds, close_worlds)

int main(void) {
    const struct CMUnitTest tests[] = {
        two(plain_data_arrives_whole),
        two(arrays_and_null_stay_what_they_are),
        two(what_is_not_plain_is_dropped_and_named),
        two(a_cycle_is_dropped),
        two(too_much_is_refused_as_a_whole),
        two(a_full_target_is_an_error_and_not_the_end),
        two(damaged_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
