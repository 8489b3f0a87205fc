/* Numbers and plain text of JSON, and the decoder's grammar.
 * SPDX-License-Identifier: MIT */
#include <float.h>
#include <math.h>

#include "json_text.h"
#include "test_bridge_vm.h"

/* ---- numbers ------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void assert_read(const char *text, double expected) {
    double value = 0;
    assert_int_equal(twl_json_read_number(text, strlen(text), &value),
                     strlen(text));
    if (memcmp(&value, &expected, sizeof value) != 0) {
        fail_msg("%s reads as %.17g, not %.17g", text, value, expected);
    }
}

static void numbers_are_read_as_the_nearest_double(void **state) {
    (void)state;
    static const char *const TEXTS[] = {
        "0",
        "-0",
        "1",
        "0.1",
        "0.30000000000000004",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9007199254740993.0",
        "18446744073709551615",
        "18446744073709551616",
        "123456789012345678901234567890",
        "1e22",
        "1e23",
        "1E-22",
        "1e-23",
        "8.41e21",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "4.9e-324",
        "1e-400",
        "1.7976931348623157e308",
        "0.000000000000000000000000000000000000001e39",
        "100000000000000000000000000000000000000000000000000000000000000000e-"
        "60",
        "0e99999999999",
        "1e-99999999999",
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        assert_read(TEXTS[i], strtod(TEXTS[i], NULL));
    }
}

static void numbers_of_any_shape_are_read_right(void **state) {
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        uint64_t a = next_random(&seed), b = next_random(&seed);
        int digits = (int)(b % 19);
        int len = snprintf(text, sizeof text, "%s%llu.%llu", a & 1 ? "-" : "",
                           (unsigned long long)(a >> (a >> 8 & 63)),
                           (unsigned long long)(b >> (b >> 8 & 63)));
        if (digits > 9) {
            snprintf(text + len, sizeof text - (size_t)len, "e%d",
                     (int)(b >> 16 & 63) - 32);
        }
        assert_read(text, strtod(text, NULL));
    }
}

static void what_begins_no_number_is_none(void **state) {
    (void)state;
    static const char *const BAD[] = {"",      "-",      "+1",      ".5",  "1.",
                                      "1.e3",  "e1",     "1e",      "1e+", "-a",
                                      "1e999", "-1e309", "Infinity"};
    double value;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_int_equal(twl_json_read_number(BAD[i], strlen(BAD[i]), &value),
                         0);
    }
    assert_int_equal(twl_json_read_number("01", 2, &value), 1);
    assert_int_equal(twl_json_read_number("12,3", 4, &value), 2);
    assert_int_equal(twl_json_read_number("1234", 2, &value), 2);
    assert_true(value == 12);
}

/* The shortest of 15 to 17 digits that reads back as the same. */
static void expect_text(double value, char *out, size_t size) {
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, value);
        if (strtod(out, NULL) == value) {
            return;
        }
    }
}

static void assert_written(double value) {
    char text[TWL_JSON_NUMBER_MAX + 1], expected[64];
    text[twl_json_write_number(value, text)] = '\0';
    if (fabs(value) <= 9007199254740992.0 && value == floor(value)) {
        snprintf(expected, sizeof expected, "%lld", (long long)value);
    } else {
        expect_text(value, expected, sizeof expected);
    }
    assert_string_equal(text, expected);
    assert_true(strtod(text, NULL) == value);
}

static void numbers_are_written_in_their_shortest_form(void **state) {
    (void)state;
    static const double VALUES[] = {0,
                                    -0.0,
                                    1,
                                    -1,
                                    0.1,
                                    -0.5,
                                    4.35,
                                    1.1,
                                    0.0001,
                                    0.00012,
                                    0.00001,
                                    1e15,
                                    1e16,
                                    1e17,
                                    1e21,
                                    1e22,
                                    1e300,
                                    -1e-300,
                                    DBL_MAX,
                                    DBL_MIN,
                                    DBL_EPSILON,
                                    4.9e-324,
                                    9007199254740992.0,
                                    -9007199254740992.0,
                                    9007199254740994.0,
                                    0.1 + 0.2,
                                    1.0 / 3,
                                    99999.99999,
                                    999999999.999999,
                                    1700000000.25,
                                    123456789012345.6,
                                    1e14 + 0.1,
                                    5e-5,
                                    2.5,
                                    1e8 + 0.0625};
    for (size_t i = 0; i < sizeof VALUES / sizeof *VALUES; i++) {
        assert_written(VALUES[i]);
    }
    uint64_t seed = 2463534242u;
    for (int i = 0; i < 100000; i++) {
        uint64_t a = next_random(&seed);
        double any;
        memcpy(&any, &a, sizeof any);
        if (isfinite(any)) {
            assert_written(any);
        }
        int64_t whole = (int64_t)(a >> (a & 31));
        static const double SCALES[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e9};
        assert_written((double)whole / SCALES[a >> 40 & 7]);
        assert_written((double)(whole >> 20) * 1e-3);
    }
}

static void plain_runs_end_at_what_must_be_looked_at(void **state) {
    (void)state;
    char text[40];
    for (size_t at = 0; at < 32; at++) {
        for (int c = 0; c < 256; c++) {
            memset(text, 'a', sizeof text);
            text[at] = (char)c;
            bool is_plain = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
            assert_int_equal(twl_json_plain_run(text, 32), is_plain ? 32 : at);
        }
    }
}

/* ---- the decoder --------------------------------------------------------- */

static world w;

static int open_world(void **state) {
    (void)state;
    world_open_with(&w, (twl_vm_config){.budget_ms = 5000});
    return 0;
}

static int close_world(void **state) {
    (void)state;
    world_close(&w);
    return 0;
}

/* The error for each text, which the script has as a Lua string. */
static void an_error_names_its_byte_and_reason(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } CASES[] = {
        {"", "at byte 1: the text ends too early"},
        {"[1,2", "at byte 5: expected ',' or ']'"},
        {"[1 2]", "at byte 4: expected ',' or ']'"},
        {"[1,]", "at byte 4: expected a value"},
        {"{\"a\":1,}", "at byte 8: expected a key in quotes"},
        {"{\"a\" 1}", "at byte 6: expected ':'"},
        {"{\"a\":1 \"b\":2}", "at byte 8: expected ',' or '}'"},
        {"{\"a\":}", "at byte 6: expected a value"},
        {"[1] x", "at byte 5: something behind the value"},
        {"\"abc", "at byte 5: a string without an end"},
        {"\"abc\\\\", "a string without an end"},
        {"\"\\\\u12", "a string without an end"},
        {"\"\\\\q\"", "an unknown escape"},
        {"\"\\\\u12g4\"", "a bad \\u escape"},
        {"\"\\\\ud800\"", "half of a surrogate pair"},
        {"\"\\\\udc00\"", "half of a surrogate pair"},
        {"\"\\\\ud800\\\\u0041\"", "half of a surrogate pair"},
        {"\"a\\tb\"", "at byte 3: a control character in a string"},
        {"\"a\\195(\"", "at byte 3: a string that is not UTF-8"},
        {"\"a\\195", "at byte 3: a string that is not UTF-8"},
        {"[truE]", "at byte 2: expected a value"},
        {"nul", "expected a value"},
        {"-", "at byte 1: a bad number"},
        {"[1.]", "at byte 2: a bad number"},
        {"[01]", "at byte 3: expected ',' or ']'"},
        {"\\0", "at byte 1: expected a value"},
        {"[1\\0]", "at byte 3: expected ',' or ']'"},
        {"\\239\\187\\1911", "at byte 1: expected a value"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char body[256], message[128];
        snprintf(body, sizeof body,
                 "local v, e = tw.json.decode('%s') return v, e.message",
                 CASES[i].text);
        const char *result = world_eval(&w, body);
        snprintf(message, sizeof message, "%s", CASES[i].message);
        assert_contains(result, "nil invalid JSON at byte ");
        assert_contains(result, message);
    }
}

static void texts_cut_off_anywhere_are_errors(void **state) {
    (void)state;
    assert_eval(&w,
                "local text = '{\"a\":[1,-2.5e3,true,false,null,\"x\\\\u00e9"
                "\\\\n\\195\\169\"],\"b\":{\"c\":{}}}'\n"
                "assert(tw.json.decode(text))\n"
                "for n = 0, #text - 1 do\n"
                "  local v, e = tw.json.decode(text:sub(1, n))\n"
                "  assert(v == nil and e.code == 'invalid', n)\n"
                "end\n"
                "for n = 1, #text do\n"
                "  tw.json.decode(text:sub(1, n - 1) .. '\\1' .. "
                "text:sub(n + 1))\n"
                "end\n"
                "return 'fine'",
                "fine");
}

static void lists_and_objects_of_all_sizes_are_whole(void **state) {
    (void)state;
    assert_eval(
        &w,
        "for _, n in ipairs{0, 1, 31, 32, 33, 64, 65, 1000} do\n"
        "  local list, object = {}, {}\n"
        "  for i = 1, n do\n"
        "    list[i] = i == 3 and 'null' or tostring(i)\n"
        "    object[i] = ('\"k%d\":[%d]'):format(i, i)\n"
        "  end\n"
        "  local a = tw.json.decode('[' .. table.concat(list, ' , ') .. "
        "']')\n"
        "  local o = tw.json.decode('{' .. table.concat(object, ',') "
        ".. '}')\n"
        "  local count = 0\n"
        "  for _ in pairs(o) do count = count + 1 end\n"
        "  assert(#a == n and count == n, n)\n"
        "  for i = 1, n do\n"
        "    assert(a[i] == (i == 3 and tw.json.null or i))\n"
        "    assert(o['k' .. i][1] == i)\n"
        "  end\n"
        "end\n"
        "return 'fine'",
        "fine");
}

static void of_a_key_that_comes_twice_the_last_value_counts(void **state) {
    (void)state;
    assert_eval(&w,
                "local t = tw.json.decode('{\"a\":1,\"b\":2,\"a\":3}')\n"
                "return t.a, t.b",
                "3 2");
    assert_eval(&w,
                "local s = '{\"a\":0'\n"
                "for i = 1, 100 do s = s .. ',\"x' .. i .. '\":1,\"a\":' .. i "
                "end\n"
                "return tw.json.decode(s .. '}').a",
                "100");
}

static void escapes_and_zero_bytes_are_text(void **state) {
    (void)state;
    assert_eval(&w,
                "local s = tw.json.decode('\"a\\\\u0000b\\\\ud83d\\\\ude00\\\\/"
                "\\\\\"\\\\\\\\\\\\b\\\\f\\\\n\\\\r\\\\t\\\\u20AC!\"')\n"
                "return s == 'a\\0b\\240\\159\\152\\128/\"\\\\\\b\\f\\n\\r\\t"
                "\\226\\130\\172!'",
                "true");
    assert_eval(&w, "return tw.json.decode('{\"a\\\\u0000\":1}')['a\\0']", "1");
}

/* As deep as allowed and as wide as it gets: the Lua stack suffices. */
static void deep_and_wide_texts_fit(void **state) {
    (void)state;
    assert_eval(&w,
                "local wide = {}\n"
                "for i = 1, 31 do wide[i] = ('\"k%d\":%d,'):format(i, i) end\n"
                "wide = '{' .. table.concat(wide) .. '\"deep\":'\n"
                "local v, e = tw.json.decode(wide:rep(128) .. '1' .. "
                "('}'):rep(128))\n"
                "local depth = 0\n"
                "while type(v) == 'table' do\n"
                "  assert(v.k1 == 1 and v.k31 == 31)\n"
                "  v, depth = v.deep, depth + 1\n"
                "end\n"
                "return depth, tostring(e)",
                "128 nil");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_as_the_nearest_double),
        cmocka_unit_test(numbers_of_any_shape_are_read_right),
        cmocka_unit_test(what_begins_no_number_is_none),
        cmocka_unit_test(numbers_are_written_in_their_shortest_form),
        cmocka_unit_test(plain_runs_end_at_what_must_be_looked_at),
        cmocka_unit_test(an_error_names_its_byte_and_reason),
        cmocka_unit_test(texts_cut_off_anywhere_are_errors),
        cmocka_unit_test(lists_and_objects_of_all_sizes_are_whole),
        cmocka_unit_test(of_a_key_that_comes_twice_the_last_value_counts),
        cmocka_unit_test(escapes_and_zero_bytes_are_text),
        cmocka_unit_test(deep_and_wide_texts_fit),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
