/* JSON there and back. SPDX-License-Identifier: MIT */
#include "test_bridge_vm.h"

static world w;

static int open_world(void **state) {
    (void)state;
    world_open_with(&w, (twl_vm_config){.budget_ms = 2000});
    return 0;
}

static int close_world(void **state) {
    (void)state;
    world_close(&w);
    return 0;
}

/* encode(decode(text)) */
static const char *round_trip(const char *text) {
    char body[2048];
    snprintf(body, sizeof body,
             "local v, e = tw.json.decode([==[%s]==]) "
             "if v == nil then return 'error: ' .. e.code end "
             "return tw.json.encode(v)",
             text);
    return world_eval(&w, body);
}

static void what_json_can_say_survives_a_round_trip(void **state) {
    (void)state;
    static const char *const SAME[] = {
        "[]",
        "{}",
        "[[],{}]",
        "{\"a\":[]}",
        "null",
        "true",
        "[false,null,1]",
        "\"text\"",
        "9007199254740992",
        "-9007199254740992",
        "9007199254740991",
        "0.1",
        "-1.5e-07",
        "1e+300",
        "123456789012345",
        "\"\\\"\\\\\\n\\t\\u0000\\u001f\"",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
        "[1,[2,[3,[4]]]]",
        "{\"k\":{\"k\":{\"k\":[null]}}}",
    };
    for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++) {
        assert_string_equal(round_trip(SAME[i]), SAME[i]);
    }
    assert_string_equal(round_trip(" [ 1 , 2 ] "), "[1,2]");
    assert_string_equal(round_trip("\"\\u00e9\\ud83d\\ude00\\/\""),
                        "\"\xc3\xa9\xf0\x9f\x98\x80/\"");
    assert_string_equal(round_trip("-0"), "0");
    assert_string_equal(round_trip("1e2"), "100");
}

static void what_is_no_json_is_an_error(void **state) {
    (void)state;
    static const char *const BAD[] = {
        "",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "nan",
        "NaN",
        "0x10",
        "01",
        "+1",
        "1.",
        "'a'",
        "[1] x",
        "\"a",
        "\"\\x\"",
        "tru",
        "\"\n\"",
        "{a:1}",
        "[\"\xff\"]",
        "\"\xed\xa0\x80\"",
        "\"\xc0\xaf\"",
        "1e999",
        "\"\\ud800\"",
        "// x\n1",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_string_equal(round_trip(BAD[i]), "error: invalid");
    }
}

static void depth_and_size_are_bounded(void **state) {
    (void)state;
    assert_eval(&w,
                "local v, e = tw.json.decode(('['):rep(129) .. (']'):rep(129)) "
                "return v, e",
                "nil limit: JSON text is nested too deep");
    assert_eval(&w,
                "return #tw.json.encode(tw.json.decode(('['):rep(128) .. "
                "(']'):rep(128)))",
                "256");
    assert_eval(&w,
                "local v, e = tw.json.decode(('['):rep(1e5)) return v, e.code",
                "nil limit");
    assert_eval(&w,
                "local v, e = tw.json.decode('[' .. ('1,'):rep(3e5) .. '1]') "
                "return v, e",
                "nil limit: JSON text has too many values");
    assert_eval(&w,
                "local v, e = tw.json.decode('\"' .. (','):rep(3e5) .. '\"') "
                "return #v",
                "300000");
    assert_eval(&w,
                "local v, e = tw.json.decode((' '):rep(17 * 2^20)) "
                "return v, e",
                "nil limit: JSON text too long");
    assert_fails(&w, "return tw.json.encode(('x'):rep(17 * 2^20))",
                 "JSON text too long");
    assert_fails(&w, "local t = {} t.t = t return tw.json.encode(t)",
                 "nested too deep (a cycle?)");
}

static void what_cannot_be_said_is_named_with_its_path(void **state) {
    (void)state;
    static const struct {
        const char *value, *message;
    } CASES[] = {
        {"0/0", "cannot encode value as JSON: a NaN"},
        {"{a = {1, 2, 1/0}}", "value.a[3] as JSON: an infinity"},
        {"-1/0", "an infinity"},
        {"{users = {{name = print}}}",
         "value.users[1].name as JSON: a function"},
        {"{['a b'] = {coroutine.create(print)}}",
         "value[\"a b\"][1] as JSON: a thread"},
        {"{1, 2, a = 3}", "both list entries and other keys"},
        {"{a = 3, [7] = 2}", ""},
        {"{1, nil, 3}", "a list with holes"},
        {"{[2] = 1}", "a list with holes"},
        {"{[1.5] = 1}", "a list with holes"},
        {"{x = {[true] = 1}}", "value.x as JSON: a key that is no string"},
        {"'\\255'", "cannot encode value as JSON: a string that is not UTF-8"},
        {"{['\\192\\175'] = 1}", "a string that is not UTF-8"},
        {"nil", "cannot encode value as JSON: a nil"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char body[256];
        snprintf(body, sizeof body, "local s = tw.json.encode(%s)",
                 CASES[i].value);
        assert_fails(&w, body, CASES[i].message);
        assert_contains(w.result, "test.lua:1: ");
    }
}

static void arrays_null_and_raw(void **state) {
    (void)state;
    assert_eval(&w,
                "local j = tw.json return j.encode({}), "
                "j.encode(j.array()), j.encode(j.array({1})), j.encode(j.null),"
                "j.encode({j.raw('{\"a\": 1}')}), j.null == j.decode('null')",
                "{} [] [1] null [{\"a\": 1}] true");
    assert_eval(&w, "return require('cjson').null == tw.json.null", "true");
    assert_fails(&w, "tw.json.array(setmetatable({}, {}))", "has a metatable");
    assert_fails(&w, "tw.json.raw('\\255')", "invalid UTF-8");
    assert_fails(&w, "tw.json.raw('')", "empty");
    assert_fails(&w, "tw.json.array(1)", "table expected");
    assert_fails(&w, "return tw.json.encode(tw.json.array({a = 1}))",
                 "both list entries and other keys");
    assert_eval(&w,
                "return getmetatable(tw.json.array()), "
                "getmetatable(tw.json.raw('1'))",
                "false false");
    assert_eval(&w,
                "local t = tw.json.decode('[1]') t[2] = 'x' t[1] = nil "
                "t[1] = tw.json.null return tw.json.encode(t)",
                "[null,\"x\"]");
}

static void scalars_may_be_refused(void **state) {
    (void)state;
    assert_eval(&w, "return tw.json.decode('1', {scalars = false})",
                "nil invalid: JSON text is no object or array");
    assert_eval(&w, "return #tw.json.decode('[1]', {scalars = false})", "1");
}

static void metamethods_are_not_called(void **state) {
    (void)state;
    assert_eval(&w,
                "return tw.json.encode(setmetatable({a = 1}, {__index = error,"
                "__len = error, __pairs = error, __tostring = error}))",
                "{\"a\":1}");
}

static void cjson_is_the_packaged_one_but_bounded(void **state) {
    (void)state;
    assert_eval(&w, "return require('cjson').encode({1, 'a'})", "[1,\"a\"]");
    assert_eval(&w, "return require('cjson').decode('{\"a\":[1]}').a[1]", "1");
    assert_fails(&w, "require('cjson').decode((' '):rep(2^24 + 1))",
                 "text of more than 16777216 bytes");
    assert_fails(&w,
                 "local t, s = {}, ('x'):rep(1e6) for i = 1, 100 do t[i] = s "
                 "end require('cjson').encode(t)",
                 "result could exceed");
    assert_fails(&w, "require('cjson').decode_max_depth(1e6)", "too deep");
    assert_fails(&w, "require('cjson').new().encode_max_depth(1e6)",
                 "too deep");
    assert_fails(&w, "local t = {} t.t = t require('cjson').encode(t)",
                 "excessive nesting");
}

/* --- from C ----------------------------------------------------------- */

typedef struct encoding {
    twl_bytes out;
    int err;
} encoding;

static int encode_here(lua_State *L) {
    encoding *e = lua_touserdata(L, lua_upvalueindex(1));
    e->err = twl_json_encode(L, 1, &e->out);
    return e->err != 0 ? 1 : 0;
}

static void push_encoder(lua_State *L, void *arg) {
    lua_pushlightuserdata(L, arg);
    lua_pushcclosure(L, encode_here, 1);
    *(int *)((char *)arg + sizeof(encoding)) = twl_ref(L);
}

static int open_encoder_ref;

static int open_encoder(lua_State *L) {
    twl_push_ref(L, open_encoder_ref);
    return 1;
}

static void encoding_from_c_appends_or_leaves_the_bytes_alone(void **state) {
    (void)state;
    struct {
        encoding e;
        int ref;
    } here = {0};
    assert_int_equal(twl_vm_protect(w.vm, push_encoder, &here), 0);
    open_encoder_ref = here.ref;
    twl_loader_preload(w.vm, "encoder", open_encoder);
    twl_bytes_add(&here.e.out, "head ", 5);
    assert_eval(&w, "require 'encoder' ({1})", "");
    assert_int_equal(here.e.err, 0);
    assert_memory_equal(here.e.out.data, "head [1]", 8);
    assert_eval(&w, "return require 'encoder' ({1, print})",
                "cannot encode value[2] as JSON: a function");
    assert_int_equal(here.e.err, TW_EINVALID);
    assert_int_equal(here.e.out.len, 8);
    here.e.out.limit = 10;
    assert_eval(&w, "return require 'encoder' ({1, 2})",
                "cannot encode value as JSON: JSON text too long");
    assert_int_equal(here.e.err, TW_ELIMIT);
    assert_int_equal(here.e.out.len, 8);
    twl_bytes_deinit(&here.e.out);
}

static void a_decoding_that_runs_out_of_memory_leaks_nothing(void **state) {
    (void)state;
    world small;
    world_open_with(&small, (twl_vm_config){.memory_limit_bytes = 2 << 20});
    for (int i = 0; i < 5; i++) {
        assert_int_equal(
            world_run(&small, "tw.json.decode('[' .. ('[1],'):rep(60000) .. "
                              "'[]]')"),
            TWL_FAILED);
        assert_int_equal(twl_vm_failure(small.vm)->kind, TWL_MEMORY);
    }
    assert_eval(&small, "return #tw.json.decode('[1,2]')", "2");
    world_close(&small);
}

#define json(test)                                                             \
    cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void) {
    const struct CMUnitTest tests[] = {
        json(what_json_can_say_survives_a_round_trip),
        json(what_is_no_json_is_an_error),
        json(depth_and_size_are_bounded),
        json(what_cannot_be_said_is_named_with_its_path),
        json(arrays_null_and_raw),
        json(scalars_may_be_refused),
        json(metamethods_are_not_called),
        json(cjson_is_the_packaged_one_but_bounded),
        json(encoding_from_c_appends_or_leaves_the_bytes_alone),
        json(a_decoding_that_runs_out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
