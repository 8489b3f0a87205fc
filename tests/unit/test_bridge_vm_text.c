/* Patterns and UTF-8. Our matcher is held against LuaJIT's own.
 * SPDX-License-Identifier: MIT */
#include "test_bridge_vm.h"

#include <lualib.h>

static world w;
static lua_State *own; /* LuaJIT as it comes */

static int open_both(void **state) {
    (void)state;
    world_open_with(&w, (twl_vm_config){.budget_ms = 5000});
    own = luaL_newstate();
    luaL_openlibs(own);
    return 0;
}

static int close_both(void **state) {
    (void)state;
    lua_close(own);
    world_close(&w);
    return 0;
}

/* Calls string functions with a subject and a pattern and joins what they
 * say; errors count as an answer. */
static const char ASK[] =
    "return function(s, p)\n"
    "  local out = {}\n"
    "  local function put(...)\n"
    "    for i = 1, select('#', ...) do\n"
    "      local v = select(i, ...)\n"
    "      if type(v) == 'string' then v = v:gsub('^[^\\n]-:%d+: ', '') end\n"
    "      out[#out + 1] = tostring(v)\n"
    "    end\n"
    "    out[#out + 1] = '|'\n"
    "  end\n"
    "  put(pcall(string.find, s, p))\n"
    "  put(pcall(string.find, s, p, 2))\n"
    "  put(pcall(string.find, s, p, -2))\n"
    "  put(pcall(string.find, s, p, 10, true))\n"
    "  put(pcall(string.match, s, p))\n"
    "  put(pcall(string.match, s, p, 3))\n"
    "  put(pcall(string.gsub, s, p, '<%0>'))\n"
    "  put(pcall(string.gsub, s, p, '%1', 2))\n"
    "  put(pcall(string.gsub, s, p, function(a, b) return b end))\n"
    "  put(pcall(string.gsub, s, p, {a = 'A', ab = 'AB', b = false}))\n"
    "  put(pcall(function() for a, b in s:gmatch(p) do put(a, b) end end))\n"
    "  return table.concat(out, ' ')\n"
    "end\n";

static int push_case(lua_State *L, void *arg) {
    const char *const *texts = arg;
    lua_pushstring(L, texts[0]);
    lua_pushstring(L, texts[1]);
    return 2;
}

static void read_case(lua_State *L, int count, void *arg) {
    (void)arg;
    test_read(L, count, &w);
}

/* Error messages are compared by their beginnings only where LuaJIT decorates
 * them with names. */
static void assert_same(int ref, const char *subject, const char *pattern) {
    static const twl_spec spec = {
        .name = "on_test", .push = push_case, .read = read_case};
    const char *texts[] = {subject, pattern};
    assert_int_equal(twl_run(w.vm, &spec, ref, texts, NULL), TWL_DONE);
    lua_pushvalue(own, -1);
    lua_pushstring(own, subject);
    lua_pushstring(own, pattern);
    assert_int_equal(lua_pcall(own, 2, 1, 0), 0);
    if (strcmp(lua_tostring(own, -1), w.result) != 0) {
        print_message("subject '%s' pattern '%s'\n", subject, pattern);
    }
    assert_string_equal(w.result, lua_tostring(own, -1));
    lua_pop(own, 1);
}

static void our_patterns_are_luas(void **state) {
    (void)state;
    static const char *const PATTERNS[] = {
        "",
        "a",
        ".",
        "^a",
        "a$",
        "^a*$",
        "a-b",
        "a+b?",
        "(a)(b)",
        "(a*(.)%w(%s*))",
        "()ll()",
        "%a+",
        "%d%d",
        "%f[%w]%w+",
        "%b()",
        "[a-c]+",
        "[^a-c]+",
        "[]]",
        "[^]]",
        "[a-]",
        "[%w_]+",
        "%%",
        "%.",
        "(.)%1",
        "(%w+) = (%w+)",
        "^%s*(.-)%s*$",
        "%z",
        "%g+",
        "%x+",
        "%u%l*",
        "%p",
        "%c",
        "%S+",
        "[%a%d]-$",
        "a.-$",
        "x*",
        "$",
        "^",
        "^^",
        "$$",
        "a**",
        "(a)(b)(c)(d)",
        "(()())",
        "[a-z%d]+$",
        "%A",
    };
    static const char *const BROKEN[] = {"(",   ")",  "%",   "[",  "[a",
                                         "(()", "%b", "%bx", "%f", "%1",
                                         "[%",  "(a", "a)",  "%0", "[]"};
    static const char *const SUBJECTS[] = {
        "",
        "a",
        "ab",
        "hello world",
        "aaab",
        "abc123",
        "(a(b)c)",
        "key = value",
        "  trim me  ",
        "THE (quick) fox",
        "a.b.c",
        "xx--yy",
        "]]",
        "aabbccdd",
        "tab\there\n",
        "\xc3\xa9t\xc3\xa9",
    };
    assert_int_equal(luaL_dostring(own, ASK), 0);
    int ref = world_load(&w, ASK);
    for (size_t i = 0; i < sizeof SUBJECTS / sizeof *SUBJECTS; i++) {
        for (size_t j = 0; j < sizeof PATTERNS / sizeof *PATTERNS; j++) {
            assert_same(ref, SUBJECTS[i], PATTERNS[j]);
        }
    }
    for (size_t j = 0; j < sizeof BROKEN / sizeof *BROKEN; j++) {
        char body[128];
        snprintf(body, sizeof body, "return pcall(string.match, 'ab', '%s')",
                 BROKEN[j]);
        assert_contains(world_eval(&w, body), "false ");
    }
    lua_pop(own, 1);
    twl_unref(w.vm, ref);
}

static unsigned next_random(unsigned *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void our_patterns_are_luas_on_random_input(void **state) {
    (void)state;
    static const char *const PARTS[] = {
        "a",   "b",  ".",  "%a",   "%d",    "[ab]",   "[^b]", "(",
        ")",   "()", "%1", "a*",   "b-",    ".-",     ".*",   "a?",
        "%w+", "$",  "^",  "%b()", "%f[a]", "[a-c]*", " ",    "1",
    };
    static const char LETTERS[] = "aabb1 ()c";
    assert_int_equal(luaL_dostring(own, ASK), 0);
    int ref = world_load(&w, ASK);
    unsigned seed = 42;
    for (int round = 0; round < 3000; round++) {
        char pattern[64] = "", subject[24] = "";
        int open = 0;
        for (unsigned n = next_random(&seed) % 6; n > 0; n--) {
            const char *part =
                PARTS[next_random(&seed) % (sizeof PARTS / sizeof *PARTS)];
            /* Broken patterns fail when they get there, which may differ. */
            if (strcmp(part, "(") == 0) {
                open++;
            } else if (strcmp(part, ")") == 0 && open-- <= 0) {
                open = 0;
                continue;
            } else if (strcmp(part, "%1") == 0) {
                continue;
            }
            strcat(pattern, part);
        }
        for (; open > 0; open--) {
            strcat(pattern, ")");
        }
        unsigned len = next_random(&seed) % 16;
        for (unsigned i = 0; i < len; i++) {
            subject[i] = LETTERS[next_random(&seed) % (sizeof LETTERS - 1)];
        }
        assert_same(ref, subject, pattern);
    }
    lua_pop(own, 1);
    twl_unref(w.vm, ref);
}

static void too_complex_patterns_are_refused(void **state) {
    (void)state;
    assert_fails(&w, "local x = ('a'):rep(300):find(('a?'):rep(300))",
                 "pattern too complex");
    assert_fails(&w, "local x = ('a'):find(('(a?)'):rep(33))",
                 "too many captures");
    assert_eval(&w, "return (('a'):rep(1e5)):find(('a'):rep(1e5) .. '$')",
                "1 100000");
}

static void zero_bytes_are_ordinary(void **state) {
    (void)state;
    assert_eval(&w,
                "return ('a\\0b'):find('\\0'), ('a\\0b'):find('[%z]'), "
                "('a\\0b'):match('\\0(.)'), #('a\\0b'):gsub('\\0', '')",
                "2 2 b 2");
}

static void utf8_is_strict(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_valid;
    } CASES[] = {
        {"", true},
        {"plain", true},
        {"\xc2\x80", true},
        {"\xdf\xbf", true},
        {"\xe0\xa0\x80", true},
        {"\xed\x9f\xbf", true},
        {"\xee\x80\x80", true},
        {"\xef\xbf\xbf", true},
        {"\xf0\x90\x80\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\x80", false},
        {"\xc0\x80", false},
        {"\xc1\xbf", false},
        {"\xc2", false},
        {"\xe0\x9f\xbf", false},
        {"\xed\xa0\x80", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf4\x90\x80\x80", false},
        {"\xf5\x80\x80\x80", false},
        {"\xe2\x82", false},
        {"12345678\xff", false},
        {"1234567\xc3\xa9"
         "12345678",
         true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        size_t len = strlen(CASES[i].text);
        assert_int_equal(twl_utf8_is_valid(CASES[i].text, len),
                         CASES[i].is_valid);
    }
}

static void utf8_counts_and_cuts_by_characters(void **state) {
    (void)state;
    assert_eval(&w,
                "local u, s = tw.utf8, 'h\xc3\xa9llo\xe2\x82\xac' "
                "return u.len(s), u.sub(s, 2, 3), u.sub(s, -1), "
                "u.sub(s, -2, -2), u.sub(s, 0), #u.sub(s, 4, 2), "
                "u.sub(s, 2, 100), u.sub(s, -100, 1), #u.sub(s, 50)",
                "6 \xc3\xa9l \xe2\x82\xac o h\xc3\xa9llo\xe2\x82\xac 0 "
                "\xc3\xa9llo\xe2\x82\xac h 0");
    assert_eval(&w,
                "return tw.utf8.valid('\\255'), tw.utf8.valid('ok'), "
                "tw.utf8.len('ab\\255')",
                "false true nil 3");
    assert_fails(&w, "local s = tw.utf8.sub('\\255', 1)",
                 "invalid UTF-8 at byte 1");
}

#define both(test) cmocka_unit_test_setup_teardown(test, open_both, close_both)

int main(void) {
    const struct CMUnitTest tests[] = {
        both(our_patterns_are_luas),
        both(our_patterns_are_luas_on_random_input),
        both(too_complex_patterns_are_refused),
        both(zero_bytes_are_ordinary),
        cmocka_unit_test(utf8_is_strict),
        both(utf8_counts_and_cuts_by_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
