/* What a Lua file uses, told from its text. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidewire/errors.h>

#include "scan.h"

typedef struct told {
    char text[4096];
} told;

/* "W1:count F3:json.encode K4:app.ping", a key with its place: "K4/3:..." when
 * it is not the first. */
static void on_use(const twl_use *use, void *arg) {
    static const char letters[] = "RWFKQ";
    told *t = arg;
    size_t len = strlen(t->text);
    char place[16] = "";
    if (use->place > 1) {
        snprintf(place, sizeof place, "/%d", use->place);
    }
    snprintf(t->text + len, sizeof t->text - len, "%s%c%d%s:%s%s%s%s%s",
             len > 0 ? " " : "", letters[use->kind], use->line, place,
             use->owner, *use->owner != '\0' ? "." : "", use->name,
             *use->near != '\0' ? "~" : "", use->near);
}

static void assert_uses(const char *text, const char *expected) {
    told t = {""};
    /* Exactly so long that a read behind the end is noticed. */
    size_t len = strlen(text);
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    char *exact = realloc(copy, len > 0 ? len : 1);
    assert_non_null(exact);
    assert_int_equal(twl_scan(exact, len, on_use, &t), 0);
    free(exact);
    assert_string_equal(t.text, expected);
}

static void globals_are_told_with_their_lines(void **state) {
    (void)state;
    assert_uses("", "");
    assert_uses("x = 1", "W1:x");
    assert_uses("print(x)", "R1:print R1:x");
    assert_uses("\n\nx.y = z", "R3:x R3:z");
    assert_uses("a, b.c = 1", "W1:a R1:b");
    assert_uses("function f() end function g.h:i() return self end",
                "W1:f R1:g");
    assert_uses("return #x, -y, not z .. 'w'", "R1:x R1:y R1:z");
}

static void locals_are_none(void **state) {
    (void)state;
    assert_uses("local x; x = 1; x.y = x", "");
    assert_uses("local function f(a, ...) return f, a, ... end f()", "");
    assert_uses("for i, v in pairs({}) do local w = i + v end", "R1:pairs");
    assert_uses("for i = 1, 2 do i = i end", "");
    assert_uses("repeat local x = 1 until x", "");
    assert_uses("local t = {} function t:f() return self end", "");
}

static void a_local_ends_with_its_block(void **state) {
    (void)state;
    assert_uses("do local abc end return abc", "R1:abc");
    assert_uses("if true then local abc elseif abc then else abc = 1 end",
                "R1:abc W1:abc");
    assert_uses("local abc = abc", "R1:abc");
    assert_uses("local function f(abc) end return abc", "R1:abc");
    assert_uses("while true do local abc end abc()", "R1:abc");
}

static void a_local_that_was_meant_is_named(void **state) {
    (void)state;
    assert_uses("local names; print(naems)", "R1:print R1:naems~names");
    assert_uses("local a; return b", "R1:b");
}

static void all_that_lua_allows_is_understood(void **state) {
    (void)state;
    assert_uses("#!/bin/tidewire\nreturn x", "R2:x");
    assert_uses("-- x\n--[[ y\n]] --[==[ ]] ]==] z()", "R3:z");
    assert_uses("return 'a\\'b', \"\\\"x\", [[\n]], [==[ ]] ]==], '\\z\n  ', w",
                "R3:w");
    assert_uses("return 0x1p-3, 0xep, 1e+9, .5, 12ULL, 3i, 2 ..x", "R1:x");
    assert_uses("goto over ::over:: local goto; goto = 1", "");
    assert_uses("f{}.g'x':h[[y]](z)", "R1:f R1:z");
    assert_uses("return {x; [y] = z, w = 1, function() return v end}",
                "R1:x R1:y R1:z R1:v");
    assert_uses("while x do break end;;; return", "R1:x");
}

static void names_of_tidewire_are_told(void **state) {
    (void)state;
    const char head[] = "local tw = require 'tidewire'\n";
    char text[512];
    snprintf(text, sizeof text, "%stw.publsh(tw.json.encode {}, tw)", head);
    assert_uses(text, "R1:require F2:publsh F2:json.encode");
    snprintf(text, sizeof text,
             "%sreturn tw.app({ ping = 1, [x] = 2, { y = 1 } })", head);
    assert_uses(text, "R1:require F2:app K2:app.ping R2:x");
    assert_uses("local t = require(\"tidewire\") return t.app { on_x = y }",
                "R1:require F1:app K1:app.on_x R1:y");
}

static void options_are_told_with_their_place(void **state) {
    (void)state;
#define TW "local tw = require 'tidewire' "
    assert_uses(TW "tw.f(x, {a = 1}, {b = 2})",
                "R1:require F1:f R1:x K1/2:f.a K1/3:f.b");
    assert_uses(TW "tw.f(1, {a = 1} == y, g {h = 1})",
                "R1:require F1:f K1/2:f.a R1:y R1:g");
    assert_uses(TW "tw.f 'x':g {a = 1}:h {b = 1}",
                "R1:require F1:f K1:f():g.a");
    assert_uses(TW "tw.f().x:g {a = 1} tw.f()[1]:g {a = 1}",
                "R1:require F1:f F1:f");
    assert_uses(TW "tw.f(1):g(2, {a = 1}) tw.f()() {b = 1}",
                "R1:require F1:f K1/2:f():g.a F1:f");
#undef TW
}

static void a_tw_that_is_not_certain_is_left_alone(void **state) {
    (void)state;
    assert_uses("local tw = require 'tidewire' tw = {} tw.x()", "R1:require");
    assert_uses("local tw = require 'tidewire' or {} tw.x()", "R1:require");
    assert_uses("local tw = require('tidewire').x tw.y()", "R1:require");
    assert_uses("local tw = require 'tidewire' "
                "local function f(tw) return tw.x end",
                "R1:require");
    assert_uses("local require = f local tw = require 'tidewire' tw.x()",
                "R1:f");
}

static void a_module_wanted_in_a_function_is_told(void **state) {
    (void)state;
    assert_uses("require 'a' local function f() require('b.c') end",
                "R1:require Q1:b.c R1:require");
    assert_uses("local function f(x) require(x) end", "R1:require");
}

static void what_is_not_lua_tells_nothing(void **state) {
    (void)state;
    static const char *const broken[] = {
        "x = ",    "f(",           "x = [[ y", "--[[",  "return 'a\nb'",
        "end",     "local 1",      "x y",      "if x",  "for i do end",
        "{",       "a.1",          "$",        "x = }", "function 1() end",
        "x = 1 2", "repeat x",     "a:b",      "::x",   "return return",
        "\"\\",    "local x = [=",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        told t = {""};
        int error = twl_scan(broken[i], strlen(broken[i]), on_use, &t);
        if (error != TW_EINVALID || *t.text != '\0') {
            fail_msg("'%s': %d, %s", broken[i], error, t.text);
        }
    }
}

static void any_bytes_end(void **state) {
    (void)state;
    static const char whole[] =
        "local tw = require 'tidewire' --[[ x ]] for i = 1, 0x2 do "
        "tw.app { a = [==[ ]] ]==], ['b'] = function(...) goto x end } end "
        "repeat local y = 'z\\z  ' until #y == 1e-3 ::x:: return tw.json.null";
    for (size_t from = 0; from < sizeof whole; from++) {
        for (size_t to = from; to < sizeof whole; to++) {
            told t = {""};
            char *copy = malloc(to - from + 1);
            assert_non_null(copy);
            memcpy(copy, whole + from, to - from);
            twl_scan(copy, to - from, on_use, &t);
            free(copy);
        }
    }
}

static void nesting_without_end_is_not_followed(void **state) {
    (void)state;
    enum { DEPTH = 100000 };
    char *text = malloc(DEPTH);
    told t = {""};
    assert_non_null(text);
    memset(text, '(', DEPTH);
    memcpy(text, "x = ", 4);
    assert_int_equal(twl_scan(text, DEPTH, on_use, &t), TW_EINVALID);
    memset(text, '{', DEPTH);
    memcpy(text, "x = ", 4);
    assert_int_equal(twl_scan(text, DEPTH, on_use, &t), TW_EINVALID);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globals_are_told_with_their_lines),
        cmocka_unit_test(locals_are_none),
        cmocka_unit_test(a_local_ends_with_its_block),
        cmocka_unit_test(a_local_that_was_meant_is_named),
        cmocka_unit_test(all_that_lua_allows_is_understood),
        cmocka_unit_test(names_of_tidewire_are_told),
        cmocka_unit_test(options_are_told_with_their_place),
        cmocka_unit_test(a_tw_that_is_not_certain_is_left_alone),
        cmocka_unit_test(a_module_wanted_in_a_function_is_told),
        cmocka_unit_test(what_is_not_lua_tells_nothing),
        cmocka_unit_test(any_bytes_end),
        cmocka_unit_test(nesting_without_end_is_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
