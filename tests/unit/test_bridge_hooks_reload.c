/* One generation after another: what goes over and what ends.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

static void new_hooks_run_in_the_new_generation(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  conn:send('old' .. tw.generation) end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_reload(server, "return tw.app { on_message = function(conn)\n"
                        "  conn:send('new' .. tw.generation) end }");
    fake_message(conn, "x");
    assert_string_equal(conn->sent[0].text, "old1");
    assert_string_equal(conn->sent[1].text, "new2");
    assert_int_equal(tw_lua_generation(server->lua), 2);
    assert_int_equal(server->counters[TW_COUNTER_GENERATIONS], 1);
    assert_int_equal(server->gauges[TW_GAUGE_GENERATION], 2);
    fake_turns(server, 50);
    assert_null(server->idle); /* the old VM has been collected */
    fake_free(server);
}

static void a_script_that_does_not_load_changes_nothing(void **state) {
    (void)state;
    const char *good = "return tw.app { on_message = function(conn)\n"
                       "  conn:send('g' .. tw.generation) end }";
    tw_server *server = fake_start(good);
    tw_conn *conn = fake_connect(server, "/*");
    char report[TW_REPORT_MAX];
    fake_source("return tw.app { on_message = = }");
    assert_int_equal(tw_lua_reload(server->lua, report), TW_EINVALID);
    assert_has(report, "app.lua:2:");
    fake_source("return tw.app { restore = 3 }");
    assert_int_equal(tw_lua_reload(server->lua, report), TW_EINVALID);
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "g1");
    assert_int_equal(server->frozen, 0);
    fake_reload(server, good);
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "g2");
    fake_free(server);
}

static void state_goes_over_at_the_next_hook_or_in_idle_turns(void **state) {
    (void)state;
    const char *script = "return tw.app { on_message = function(conn, msg)\n"
                         "  local s = conn.state\n"
                         "  s.n = (s.n or 0) + 1\n"
                         "  s.fn = function() end\n"
                         "  conn:send(s.n .. tw.generation) end }";
    tw_server *server = fake_start(script);
    tw_conn *a = fake_connect(server, "/*"), *b = fake_connect(server, "/*");
    fake_message(a, "x");
    fake_message(b, "x");
    fake_reload(server, script);
    fake_message(a, "x");
    assert_string_equal(fake_last_sent(a), "22");
    assert_int_equal(server->counters[TW_COUNTER_STATES_CARRIED], 1);
    assert_has(fake_log_text, "state.fn");
    fake_turns(server, 50);
    assert_int_equal(server->counters[TW_COUNTER_STATES_CARRIED], 2);
    fake_message(b, "x");
    assert_string_equal(fake_last_sent(b), "22");
    fake_gone(a);
    fake_gone(b);
    fake_free(server);
}

/* A reload right behind another would have to carry what is left at once. */
static void a_master_lets_the_old_generation_end_in_steps(void **state) {
    (void)state;
    const char *script = "return tw.app { on_message = function(conn, msg)\n"
                         "  conn.state.n = (conn.state.n or 0) + 1\n"
                         "  conn:send(conn.state.n .. tw.generation) end }";
    tw_server *server = fake_start(script);
    tw_member_hooks hooks = tw_lua_member_hooks(server->lua);
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_true(hooks.settle(server, server->lua)); /* there is no old one */
    fake_reload(server, script);
    assert_false(hooks.settle(server, server->lua));
    assert_int_equal(server->counters[TW_COUNTER_STATES_CARRIED], 0);
    fake_turn(server);
    assert_int_equal(server->counters[TW_COUNTER_STATES_CARRIED], 1);
    for (int i = 0; i < 50 && !hooks.settle(server, server->lua); i++) {
        fake_turn(server);
    }
    assert_true(hooks.settle(server, server->lua));
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "22");
    fake_gone(conn);
    fake_free(server);
}

static void migrate_runs_when_the_version_differs(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { version = 1, on_message = function(conn)\n"
                   "  conn.state.name = 'bob' end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_reload(server,
                "return tw.app { version = 'two',\n"
                "  migrate = function(state, version)\n"
                "    return { names = { state.name }, from = version } end,\n"
                "  on_message = function(conn)\n"
                "    conn:send(conn.state.names[1] .. conn.state.from) end }");
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "bob1");
    fake_gone(conn);
    fake_free(server);
}

static void a_failing_migrate_closes_the_connection(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { version = 1, on_message = function(conn)\n"
                   "  conn.state.name = 'bob' end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_reload(server, "return tw.app { version = 2,\n"
                        "  migrate = function() tw.sleep(1) end,\n"
                        "  on_message = function(conn) conn:send('no') end }");
    fake_message(conn, "x");
    assert_int_equal(conn->close_code, 1011);
    assert_int_equal(conn->sent_count, 0);
    assert_has(fake_log_text, "tw.sleep cannot wait in migrate");
    fake_free(server);
}

static void a_waiting_hook_finishes_in_the_old_generation(void **state) {
    (void)state;
    const char *script =
        "return tw.app { on_message = function(conn, msg)\n"
        "  conn.state.at = tw.generation\n"
        "  tw.sleep(5)\n"
        "  conn:send(msg.data .. tw.generation .. conn.state.at)\n"
        "  conn.state.after = 'kept'\n"
        "end,\n"
        "on_alarm = function(conn)\n"
        "  conn:send(conn.state.after .. tw.generation) end }";
    tw_server *server = fake_start(script);
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    fake_reload(server, script);
    fake_turns(server, 20);
    fake_advance(server, 6000);
    assert_string_equal(fake_last_sent(conn), "x11");
    assert_int_equal(conn->done_count, 1);
    fake_turns(server, 50);
    server->hooks.on_alarm(conn, fake_str("a"), server->lua);
    assert_string_equal(fake_last_sent(conn), "kept2");
    assert_string_equal(fake_log_text, "");
    fake_gone(conn);
    fake_free(server);
}

static void a_second_reload_retires_what_waits_and_closes_nobody(void **state) {
    (void)state;
    const char *script = "return tw.app { on_message = function(conn, msg)\n"
                         "  tw.sleep(20) conn:send('no') end }";
    tw_server *server = fake_start(script);
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_reload(server, script);
    assert_int_equal(conn->done_count, 0);
    fake_reload(server, script);
    assert_int_equal(conn->done_count, 1);
    assert_true(conn->is_open);
    assert_has(fake_log_text, "retired");
    fake_advance(server, 60000);
    assert_int_equal(conn->sent_count, 0);
    fake_free(server);
}

static void the_old_generation_ends_after_its_time(void **state) {
    (void)state;
    const char *script = "return tw.app { on_start = function()\n"
                         "  local g = tw.generation\n"
                         "  tw.spawn(function() while true do\n"
                         "    tw.sleep(1) tw.publish('g', g .. '') end end)\n"
                         "end }";
    tw_server *server = fake_start(script);
    fake_turn(server);
    fake_reload(server, "return tw.app {}");
    fake_advance(server, 29500);
    assert_int_equal(server->published_count, 29);
    fake_advance(server, 5000);
    assert_int_equal(server->published_count, 29);
    assert_has(fake_log_text, "retired");
    fake_turns(server, 50);
    assert_null(server->idle);
    fake_free(server);
}

static void
a_hook_that_ends_in_the_old_generation_may_use_timers(void **state) {
    (void)state;
    const char *script =
        "return tw.app { on_message = function(conn, msg)\n"
        "  tw.sleep(1)\n"
        "  tw.after(1, function() tw.publish('t', tw.generation .. '') end)\n"
        "end }";
    tw_server *server = fake_start(script);
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_reload(server, script);
    fake_advance(server, 1500);
    assert_int_equal(conn->done_count, 1);
    fake_turns(server, 50);
    fake_advance(server, 1000);
    assert_string_equal(fake_last_published(server), "1");
    fake_turns(server, 50);
    assert_null(server->idle);
    assert_true(conn->is_open);
    assert_string_equal(fake_log_text, "");
    fake_free(server);
}

static void save_and_restore_carry_variables(void **state) {
    (void)state;
    const char *script =
        "local n = 0\n"
        "return tw.routes { ['/a'] = tw.app { version = 7,\n"
        "  on_message = function(conn) n = n + 1 conn:send(n .. '') end,\n"
        "  save = function() return { n = n } end,\n"
        "  restore = function(saved, version)\n"
        "    n = saved.n + version * 100 end } }";
    tw_server *server = fake_start(script);
    tw_conn *conn = fake_connect(server, "/a");
    fake_message(conn, "x");
    fake_message(conn, "x");
    fake_reload(server, script);
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "703");
    fake_free(server);
}

static void a_raising_restore_keeps_the_old_generation(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { save = function() return 1 end,\n"
                   "  on_message = function(conn) conn:send('old') end }");
    tw_conn *conn = fake_connect(server, "/*");
    char report[TW_REPORT_MAX];
    fake_source("return tw.app { restore = function() error('broken') end }");
    assert_int_equal(tw_lua_reload(server->lua, report), TW_EINVALID);
    assert_has(report, "restore: ");
    assert_has(report, "broken");
    fake_source("return tw.app { restore = function()\n"
                "  tw.publish('a', 'b') end }");
    assert_int_equal(tw_lua_reload(server->lua, report), TW_EINVALID);
    assert_has(report, "tw.publish cannot be used in restore");
    assert_int_equal(server->frozen, 0);
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "old");
    fake_free(server);
}

static void start_and_stop_are_told_why(void **state) {
    (void)state;
    const char *script =
        "return tw.app {\n"
        "  on_start = function(ctx) tw.sleep(0.1)\n"
        "    tw.publish('l', 'start ' .. ctx.reason .. tw.generation) end,\n"
        "  on_stop = function(ctx) tw.sleep(0.1)\n"
        "    tw.publish('l', 'stop ' .. ctx.reason .. tw.generation) end }";
    tw_server *server = fake_start(script);
    fake_advance(server, 200);
    assert_string_equal(fake_last_published(server), "start start1");
    fake_reload(server, script);
    fake_turn(server);
    fake_advance(server, 200);
    assert_int_equal(server->published_count, 3);
    assert_string_equal(server->published[1].data.text, "stop reload1");
    assert_string_equal(server->published[2].data.text, "start reload2");
    tw_member_hooks member = tw_lua_member_hooks(server->lua);
    member.stop(server, server->lua);
    fake_turn(server);
    assert_int_equal(server->stopped_count, 0);
    fake_advance(server, 200);
    assert_string_equal(fake_last_published(server), "stop shutdown2");
    fake_turns(server, 2);
    assert_int_equal(server->stopped_count, 1);
    /* Hooks that still come find nothing, and no harm is done. */
    tw_req req = {.server = server, .route = server->routes[0], .refs = 1};
    server->hooks.on_upgrade(&req, server->lua);
    assert_int_equal(req.status, 503);
    tw_conn *conn = fake_connect(server, "/*");
    tw_msg msg = {"x", 1, false, 0};
    assert_int_equal(server->hooks.on_message(conn, &msg, server->lua),
                     TW_DONE);
    fake_free(server);
}

static void a_named_timer_keeps_its_beat(void **state) {
    (void)state;
    const char *script =
        "tw.every(10, function() tw.publish('t', tw.generation .. '') end,\n"
        "  { name = 'beat' })\n"
        "tw.every(10, function() tw.publish('u', 'x') end)\n"
        "return tw.app {}";
    tw_server *server = fake_start(script);
    fake_advance(server, 6000);
    fake_reload(server, script);
    fake_advance(server, 4500);
    assert_int_equal(server->published_count, 1);
    assert_string_equal(fake_last_published(server), "2");
    fake_advance(server, 6000);
    assert_int_equal(server->published_count, 2);
    assert_string_equal(server->published[1].channel, "u");
    fake_free(server);
}

static void a_removed_route_runs_no_hooks(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.routes {\n"
        "  ['/a'] = tw.app { on_message = function(conn)\n"
        "      conn.state.x = 1 end,\n"
        "    on_close = function() tw.publish('l', 'closed') end },\n"
        "  ['/b'] = tw.app {} }");
    tw_conn *conn = fake_connect(server, "/a");
    fake_message(conn, "x");
    fake_reload(server, "return tw.routes { ['/b'] = tw.app {} }");
    fake_turns(server, 50);
    assert_null(server->idle);
    assert_int_equal(
        server->hooks.on_close(conn, 1000, fake_str(""), server->lua), TW_DONE);
    assert_int_equal(server->published_count, 0);
    fake_gone(conn);
    fake_free(server);
}

static void many_reloads_in_a_burst_leave_one_generation(void **state) {
    (void)state;
    const char *script =
        "local n = 0\n"
        "tw.every(1, function() end, { name = 'a' })\n"
        "return tw.app { on_message = function(conn, msg)\n"
        "  conn.state.n = (conn.state.n or 0) + 1\n"
        "  if conn.state.n % 3 == 0 then tw.sleep(0.5) end\n"
        "  if conn.state.n == 40 then conn:send('forty') end end,\n"
        "save = function() return n end,\n"
        "restore = function(s) n = s + 1 end }";
    tw_server *server = fake_start(script);
    tw_conn *conn = fake_connect(server, "/*");
    bool is_busy = false;
    for (int i = 0; i < 100; i++) {
        int done = conn->done_count;
        if (!is_busy) {
            is_busy = fake_message(conn, "x") == TW_LATER;
        }
        fake_reload(server, script);
        fake_turns(server, i % 4);
        if (i % 5 == 0) {
            fake_advance(server, 200);
        }
        is_busy = is_busy && conn->done_count == done;
    }
    assert_true(conn->is_open);
    assert_string_equal(fake_last_sent(conn), "forty");
    assert_int_equal(tw_lua_generation(server->lua), 101);
    fake_turns(server, 50);
    fake_gone(conn);
    fake_free(server);
}

static void a_snapshot_is_loaded_instead_of_the_disk(void **state) {
    (void)state;
    char path[128], report[TW_REPORT_MAX];
    tw_lua_config config = fake_config();
    snprintf(path, sizeof path, "%s/snapshot", fake_dir);
    const char *script = "return tw.app { on_message = function(conn)\n"
                         "  conn:send('one') end }";
    tw_server *first = fake_server_with(&config, script);
    tw_member_hooks member = tw_lua_member_hooks(first->lua);
    tw_member who = {
        .slots = 1, .generation = 5, .snapshot = path, .writes_snapshot = true};
    assert_int_equal(member.start(first, &who, report, first->lua), 0);
    member.started(first, &who, first->lua);
    fake_free(first);
    tw_server *second = fake_server_with(
        &config, "return tw.app { on_message = function(conn)\n"
                 "  conn:send('two') end }");
    who.writes_snapshot = false;
    assert_int_equal(member.start(second, &who, report, second->lua), 0);
    who.is_respawn = true;
    member.started(second, &who, second->lua);
    tw_conn *conn = fake_connect(second, "/*");
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "one");
    assert_int_equal(tw_lua_generation(second->lua), 5);
    fake_free(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_hooks_run_in_the_new_generation),
        cmocka_unit_test(a_script_that_does_not_load_changes_nothing),
        cmocka_unit_test(state_goes_over_at_the_next_hook_or_in_idle_turns),
        cmocka_unit_test(a_master_lets_the_old_generation_end_in_steps),
        cmocka_unit_test(migrate_runs_when_the_version_differs),
        cmocka_unit_test(a_failing_migrate_closes_the_connection),
        cmocka_unit_test(a_waiting_hook_finishes_in_the_old_generation),
        cmocka_unit_test(a_second_reload_retires_what_waits_and_closes_nobody),
        cmocka_unit_test(the_old_generation_ends_after_its_time),
        cmocka_unit_test(a_hook_that_ends_in_the_old_generation_may_use_timers),
        cmocka_unit_test(save_and_restore_carry_variables),
        cmocka_unit_test(a_raising_restore_keeps_the_old_generation),
        cmocka_unit_test(start_and_stop_are_told_why),
        cmocka_unit_test(a_named_timer_keeps_its_beat),
        cmocka_unit_test(a_removed_route_runs_no_hooks),
        cmocka_unit_test(many_reloads_in_a_burst_leave_one_generation),
        cmocka_unit_test(a_snapshot_is_loaded_instead_of_the_disk),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
