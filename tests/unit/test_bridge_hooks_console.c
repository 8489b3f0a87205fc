/* Lines that the operator runs. SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

static const char APP[] =
    "local m = { n = 5 }\n"
    "return tw.app { on_message = function(conn, msg)\n"
    "  conn:send(tostring((pcall(function() return x end))))\n"
    "end }";

/* Asks; the answer may come later. */
static tw_question *ask(tw_server *server, const char *session,
                        const char *line) {
    tw_question *question = calloc(1, sizeof *question);
    question->asked = (tw_asked){.kind = {"console", 7},
                                 .text = {line, strlen(line)},
                                 .session = {session, strlen(session)},
                                 .by = {"uid 1, pid 2", 12}};
    tw_lua_member_hooks(server->lua).ask(server, question, server->lua);
    return question;
}

static void assert_line(tw_server *server, const char *line,
                        const char *outcome, const char *text) {
    tw_question *question = ask(server, "s", line);
    assert_int_equal(question->answers, 1);
    assert_string_equal(question->text, text);
    assert_string_equal(question->outcome, outcome);
    free(question);
}

static void assert_fails(tw_server *server, const char *line,
                         const char *part) {
    tw_question *question = ask(server, "s", line);
    assert_int_equal(question->answers, 1);
    assert_string_equal(question->outcome, "failed");
    assert_has(question->text, part);
    free(question);
}

static void an_expression_shows_its_values(void **state) {
    (void)state;
    tw_server *server = fake_start(APP);
    assert_line(server, "1 + 1", "done", "2\n");
    assert_line(server, "=2 * 3", "done", "6\n");
    assert_line(server, "1, 'a', nil", "done", "1, \"a\", nil\n");
    assert_line(server, "nil, tw.error('closed', 'gone')", "done",
                "nil, closed: gone\n");
    assert_line(server, "select('#')", "done", "0\n");
    assert_line(server, "1 -- one", "done", "1\n");
    assert_line(server, "(function() end)()", "done", "");
    assert_line(server, "0.1, 1e100, -0, 1/0", "done",
                "0.1, 1e+100, -0, inf\n");
    fake_free(server);
}

static void statements_run_and_print_to_the_console(void **state) {
    (void)state;
    tw_server *server = fake_start(APP);
    assert_line(server, "for i = 1, 2 do print(i, 'x') end", "done",
                "1\tx\n2\tx\n");
    assert_line(server, "local a = 1; return a", "done", "1\n");
    assert_line(server, "print{1}", "done", "{ 1 }\n");
    fake_free(server);
}

static void tables_are_shown_within_bounds(void **state) {
    (void)state;
    tw_server *server = fake_start(APP);
    assert_line(server, "{ b = 1, a = 2, 3, ['x y'] = 4, [true] = 5 }", "done",
                "{ 3, a = 2, b = 1, [\"x y\"] = 4, [true] = 5 }\n");
    assert_line(server, "t = {} t.t = t", "done", "");
    assert_line(server, "t", "done", "{ t = (a table around this) }\n");
    assert_line(server, "{{{{{{}}}}}}", "done", "{ { { { { {...} } } } } }\n");
    assert_line(server, "'a\\n\\1\\\"'", "done", "\"a\\n\\001\\\"\"\n");
    assert_line(server,
                "setmetatable({}, {__tostring = function() return 'T' "
                "end})",
                "done", "T\n");
    tw_question *question = ask(server, "s",
                                "(function() local t = {} for i = 1, 5000 do "
                                "t['k' .. i] = i end return t end)()");
    assert_has(question->text, "... (4900 more)");
    free(question);
    question = ask(server, "s", "('x'):rep(100000)");
    assert_has(question->text, "... (100000 bytes)");
    assert_true(question->len < 3000);
    free(question);
    question = ask(server, "s", "for i = 1, 9000 do print('0123456789') end");
    assert_has(question->text, "cut: more than 64 KiB");
    assert_true(question->len < 66000);
    free(question);
    fake_free(server);
}

static void globals_are_the_sessions_own(void **state) {
    (void)state;
    tw_server *server = fake_start(APP);
    assert_line(server, "x = 5", "done", "");
    assert_line(server, "x", "done", "5\n");
    tw_question *question = ask(server, "other", "x");
    assert_string_equal(question->outcome, "failed");
    assert_has(question->text, "undefined variable 'x'");
    free(question);
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "false");
    /* The longest unused session goes. */
    for (int i = 0; i < 16; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        free(ask(server, name, "y = 1"));
    }
    assert_fails(server, "x", "undefined variable 'x'");
    question = ask(server, "n15", "y");
    assert_string_equal(question->text, "1\n");
    free(question);
    fake_free(server);
}

static void what_is_not_whole_is_not_run(void **state) {
    (void)state;
    tw_server *server = fake_start(APP);
    static const char *const lines[] = {
        "{1,", "for i = 1, 2 do", "f = ",     "f(", "if true then",
        "[[a", "x = {\n",         "--[[ note"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_line(server, lines[i], "incomplete", "");
    }
    assert_fails(server, "1 1", "console:1:");
    assert_fails(server, ")", "console:1:");
    assert_line(server, "for i = 1, 1 do\nprint(i)\nend", "done", "1\n");
    fake_free(server);
}

static void a_failure_tells_what_and_where(void **state) {
    (void)state;
    tw_server *server = fake_start(APP);
    assert_line(server, "error('no')", "failed", "console:1: no\n");
    assert_line(server, "print(1)\nerror('no')", "failed",
                "1\nconsole:2: no\n");
    assert_fails(server, "local t = nil; t.x = 1", "console:1:");
    assert_fails(server, "while true do end", "over its CPU budget");
    assert_line(server, "1", "done", "1\n");
    /* A console's mistakes are no hook's. */
    assert_int_equal(server->counters[TW_COUNTER_HOOK_ERRORS], 0);
    assert_int_equal(server->counters[TW_COUNTER_HOOK_BUDGET], 0);
    fake_free(server);
}

static void a_line_may_wait(void **state) {
    (void)state;
    tw_server *server = fake_start(APP);
    tw_question *question = ask(server, "s", "tw.sleep(1) return 7");
    assert_int_equal(question->answers, 0);
    fake_advance(server, 1000);
    fake_turn(server);
    assert_int_equal(question->answers, 1);
    assert_string_equal(question->text, "7\n");
    free(question);
    fake_free(server);
}

static void a_line_that_waits_for_nobody_is_cancelled(void **state) {
    (void)state;
    tw_server *server = fake_start(APP);
    tw_question *question = ask(server, "s", "tw.sleep(1) late = 1");
    question->on_gone(question->gone_arg);
    assert_int_equal(question->answers, 0);
    fake_advance(server, 1000);
    fake_turn(server);
    assert_int_equal(question->answers, 0);
    free(question);
    assert_fails(server, "late", "undefined variable 'late'");
    fake_free(server);
}

static void the_end_of_the_scripts_ends_a_line(void **state) {
    (void)state;
    tw_server *server = fake_start(APP);
    tw_question *question = ask(server, "s", "tw.sleep(1)");
    tw_lua_stop(server->lua);
    assert_int_equal(question->answers, 1);
    assert_string_equal(question->outcome, "failed");
    free(question);
    question = ask(server, "s", "1");
    assert_string_equal(question->outcome, "unavailable");
    free(question);
    fake_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_expression_shows_its_values),
        cmocka_unit_test(statements_run_and_print_to_the_console),
        cmocka_unit_test(tables_are_shown_within_bounds),
        cmocka_unit_test(globals_are_the_sessions_own),
        cmocka_unit_test(what_is_not_whole_is_not_run),
        cmocka_unit_test(a_failure_tells_what_and_where),
        cmocka_unit_test(a_line_may_wait),
        cmocka_unit_test(a_line_that_waits_for_nobody_is_cancelled),
        cmocka_unit_test(the_end_of_the_scripts_ends_a_line),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
