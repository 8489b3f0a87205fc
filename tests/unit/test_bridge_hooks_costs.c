/* What hooks cost: which row it is counted in, and what is counted.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

static tw_hook_row *row_of(tw_server *server, const char *name,
                           uint32_t generation) {
    for (size_t i = 0; server->row_generations[i] != 0; i++) {
        if (server->row_generations[i] == generation &&
            strcmp(server->rows[i].name, name) == 0) {
            return &server->rows[i];
        }
    }
    fail_msg("no row of %s in generation %u", name, generation);
    return NULL;
}

static void each_kind_of_call_has_a_row(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "tw.after(1, function() end)\n"
        "tw.every(1, function() end)\n"
        "return tw.app {\n"
        "  on_message = function() tw.spawn(function() end) end,\n"
        "  on_start = function() end, save = function() return 1 end,\n"
        "  restore = function() end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_message(conn, "x");
    fake_advance(server, 2500);
    assert_int_equal(row_of(server, "on_start", 1)->calls, 1);
    assert_int_equal(row_of(server, "on_message", 1)->calls, 2);
    assert_int_equal(row_of(server, "task", 1)->calls, 2);
    assert_int_equal(row_of(server, "tw.after", 1)->calls, 1);
    assert_int_equal(row_of(server, "tw.every", 1)->calls, 2);
    assert_int_equal(row_of(server, "on_message", 1)->errors, 0);
    assert_true(row_of(server, "on_message", 1)->busy_ticks > 0);
    assert_int_equal(row_of(server, "on_message", 1)->waiting_ticks, 0);
    assert_int_equal(server->counters[TW_COUNTER_HOOK_CALLS], 8);
    fake_free(server);
}

static void failures_are_errors_and_cancelled_calls_are_not(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { errors = 'ignore',\n"
                   "  on_message = function(conn, msg)\n"
                   "    if msg.data == 'bad' then error('no') end\n"
                   "    if msg.data == 'endless' then while true do end end\n"
                   "    if msg.data == 'wait' then tw.sleep(5) end\n"
                   "  end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "good");
    fake_message(conn, "bad");
    fake_message(conn, "endless");
    assert_int_equal(fake_message(conn, "wait"), TW_LATER);
    tw_hook_row *row = row_of(server, "on_message", 1);
    assert_int_equal(row->calls, 4);
    assert_int_equal(row->errors, 2);
    fake_free(server);
}

/* Moves until at least so many ticks have passed: for these the clock of the
 * fake server is none. */
static void pass_ticks(uint64_t count) {
    uint64_t began = tw_ticks();
    while (tw_ticks_since(began) < count) {
    }
}

static void waiting_is_counted_apart_from_running(void **state) {
    (void)state;
    enum { TICKS = 2000000 };
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "    tw.sleep(1) tw.sleep(1) end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    tw_hook_row *row = row_of(server, "on_message", 1);
    uint64_t first = row->busy_ticks;
    assert_int_equal(row->slowest_ticks, first);
    pass_ticks(TICKS);
    assert_int_equal(row->busy_ticks, first);
    fake_advance(server, 1000);
    assert_true(row->waiting_ticks >= TICKS);
    pass_ticks(TICKS);
    fake_advance(server, 1000);
    assert_true(row->waiting_ticks >= 2 * TICKS);
    assert_true(row->busy_ticks > first);
    /* It is the whole call that was slow, whatever it waited for. */
    assert_int_equal(row->slowest_ticks, row->busy_ticks);
    assert_int_equal(row->calls, 1);
    fake_free(server);
}

static void a_task_that_never_ends_is_counted_as_it_goes(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_start = function()\n"
                   "  tw.spawn(function() while true do tw.sleep(1) end end)\n"
                   "end }");
    fake_turns(server, 3);
    tw_hook_row *row = row_of(server, "task", 1);
    uint64_t before = row->busy_ticks;
    assert_true(before > 0);
    fake_advance(server, 5000);
    assert_true(row->busy_ticks > before);
    assert_true(row->slowest_ticks < row->busy_ticks);
    assert_int_equal(row->calls, 1);
    fake_free(server);
}

static void generations_have_rows_of_their_own(void **state) {
    (void)state;
    const char *script = "return tw.app { on_message = function(conn, msg)\n"
                         "  if msg.data == 'wait' then tw.sleep(1) end end,\n"
                         "  save = function() return 1 end,\n"
                         "  restore = function() end }";
    tw_server *server = fake_start(script);
    tw_conn *conn = fake_connect(server, "/*"), *b = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_int_equal(fake_message(b, "wait"), TW_LATER);
    fake_reload(server, script);
    fake_message(conn, "x");
    fake_message(conn, "x");
    pass_ticks(1000);
    fake_advance(server, 1000); /* it ends where it began */
    assert_int_equal(row_of(server, "on_message", 1)->calls, 2);
    assert_true(row_of(server, "on_message", 1)->waiting_ticks >= 1000);
    assert_int_equal(row_of(server, "on_message", 2)->calls, 2);
    assert_int_equal(row_of(server, "on_message", 2)->waiting_ticks, 0);
    assert_int_equal(row_of(server, "save", 1)->calls, 1);
    /* restore ran before its generation was the one that holds. */
    for (size_t i = 0; server->row_generations[i] != 0; i++) {
        assert_string_not_equal(server->rows[i].name, "restore");
    }
    fake_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_call_has_a_row),
        cmocka_unit_test(failures_are_errors_and_cancelled_calls_are_not),
        cmocka_unit_test(waiting_is_counted_apart_from_running),
        cmocka_unit_test(a_task_that_never_ends_is_counted_as_it_goes),
        cmocka_unit_test(generations_have_rows_of_their_own),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
