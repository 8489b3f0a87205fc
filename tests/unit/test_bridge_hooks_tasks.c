/* Publishing, tasks, timers, counting.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

static void publishing_takes_data_and_options(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn, msg)\n"
        "  assert(tw.publish('room', msg))\n"
        "  tw.publish('room', { a = 1 }, { except = conn, key = 'k',\n"
        "                                  ttl = 1.5 })\n"
        "  tw.publish('room', '\\255', { binary = true })\n"
        "  conn:send(select(2, pcall(tw.publish, 'room', '\\255')))\n"
        "  conn:send(select(2, pcall(tw.publish, 'r', 'x', { at = 1 })))\n"
        "  conn:send(select(2, pcall(tw.publish, '', 'x')))\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "hello");
    assert_string_equal(server->published[0].data.text, "hello");
    assert_string_equal(server->published[0].channel, "room");
    assert_string_equal(server->published[1].data.text, "{\"a\":1}");
    assert_string_equal(server->published[1].key, "k");
    assert_ptr_equal(server->published[1].except, conn);
    assert_int_equal(server->published[1].ttl_ms, 1500);
    assert_true(server->published[2].data.binary);
    assert_has(conn->sent[0].text, "not valid UTF-8");
    assert_has(conn->sent[1].text, "'at' is not available");
    assert_has(conn->sent[2].text, "1 to 255 bytes");
    fake_free(server);
}

static void a_refused_publication_gives_an_error(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "  local ok, err = tw.publish('room', msg)\n"
                   "  conn:send(tostring(ok) .. err.code)\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    server->publish_error = TW_EOVERLOADED;
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "niloverloaded");
    server->publish_error = TW_ENOMEM;
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "niloverloaded");
    fake_free(server);
}

static void counting_waits_for_the_answer(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn, msg)\n"
        "  local ch = tw.channel('room')\n"
        "  conn:send(ch:count())\n"
        "  conn:send(select(2, pcall(function() return ch.histry end)))\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    tw_count_cb cb = server->count_cb;
    server->count_cb = NULL;
    cb(0, 42, server->count_arg);
    assert_string_equal(conn->sent[0].text, "42");
    assert_has(conn->sent[1].text, "did you mean 'history'?");
    fake_free(server);
}

static void a_task_runs_later_and_gives_its_results(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "  local task = tw.spawn(function()\n"
                   "    conn:send('task')\n"
                   "    tw.sleep(1)\n"
                   "    return 1, nil, 'three'\n"
                   "  end)\n"
                   "  conn:send('hook')\n"
                   "  local a, b, c = task:wait()\n"
                   "  conn:send(tostring(a) .. tostring(b) .. c)\n"
                   "  conn:send(tostring(select('#', task:wait())))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    assert_string_equal(fake_last_sent(conn), "hook");
    fake_turn(server);
    assert_string_equal(fake_last_sent(conn), "task");
    fake_advance(server, 1500);
    assert_string_equal(conn->sent[2].text, "1nilthree");
    assert_string_equal(conn->sent[3].text, "3");
    assert_int_equal(conn->done_count, 1);
    fake_free(server);
}

static void a_failing_task_raises_in_its_waiter(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "  local task = tw.spawn(function() error('broken') end)\n"
                   "  conn:send(select(2, pcall(task.wait, task)))\n"
                   "  conn:send(select(2, pcall(task.wait, task)))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_turns(server, 3);
    assert_has(conn->sent[0].text, "app.lua:3: broken");
    assert_has(conn->sent[1].text, "app.lua:3: broken");
    assert_has(fake_log_text, "broken");
    fake_free(server);
}

static void a_cancelled_task_ends_quietly(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "local task\n"
        "return tw.app { on_message = function(conn, msg)\n"
        "  task = tw.spawn(function() tw.sleep(5) conn:send('no') end)\n"
        "  tw.sleep(1)\n"
        "  conn:send(tostring(task:cancel()))\n"
        "  conn:send(tostring(task:cancel()))\n"
        "  local ok, err = task:wait()\n"
        "  conn:send(tostring(ok) .. err.code)\n"
        "  local never = tw.spawn(function() conn:send('no') end)\n"
        "  never:cancel()\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_turn(server);
    fake_advance(server, 10000);
    fake_turns(server, 3);
    assert_int_equal(conn->sent_count, 3);
    assert_string_equal(conn->sent[0].text, "true");
    assert_string_equal(conn->sent[1].text, "false");
    assert_string_equal(conn->sent[2].text, "nilclosed");
    assert_string_equal(fake_log_text, "");
    fake_free(server);
}

static void all_waits_for_all_and_raises_the_first_failure(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn, msg)\n"
        "  local a, b = tw.all(function() tw.sleep(2) return 'a' end,\n"
        "                      function() tw.sleep(1) return 'b' end)\n"
        "  conn:send(a .. b)\n"
        "  local ok, why = pcall(tw.all,\n"
        "    function() tw.sleep(1) error('broken') end,\n"
        "    function() tw.sleep(60) conn:send('no') end)\n"
        "  conn:send(why)\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_turn(server);
    fake_advance(server, 1500);
    assert_int_equal(conn->sent_count, 0);
    fake_advance(server, 1000);
    assert_string_equal(fake_last_sent(conn), "ab");
    fake_turn(server);
    fake_advance(server, 1500);
    assert_has(fake_last_sent(conn), "broken");
    fake_advance(server, 100000);
    assert_int_equal(conn->sent_count, 2);
    fake_free(server);
}

static void waiting_is_refused_where_it_cannot_be(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn, msg)\n"
        "  conn:send(select(2, pcall(string.gsub, 'a', 'a', function()\n"
        "    tw.sleep(1) end)))\n"
        "  local co = coroutine.wrap(function()\n"
        "    coroutine.yield(1) tw.sleep(1) coroutine.yield(2) end)\n"
        "  conn:send(co() + co())\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    assert_has(conn->sent[0].text, "tw.sleep cannot wait inside a callback");
    fake_advance(server, 1500);
    assert_string_equal(fake_last_sent(conn), "3");
    fake_free(server);
}

static void a_task_may_run_for_ever(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_start = function()\n"
        "  tw.spawn(function() for i = 1, 50 do\n"
        "    local t = os.clock() + 0.01 while os.clock() < t do end\n"
        "    tw.sleep(1) end tw.publish('done', 'x') end)\n"
        "end }");
    fake_turns(server, 2);
    fake_advance(server, 60000);
    assert_string_equal(fake_log_text, "");
    assert_string_equal(fake_last_published(server), "x");
    fake_free(server);
}

static void timers_tick_skip_and_are_cancelled(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local n, timer = 0\n"
                   "timer = tw.every(1, function()\n"
                   "  n = n + 1\n"
                   "  tw.publish('tick', tostring(n))\n"
                   "  if n == 2 then tw.sleep(2.5) end\n"
                   "  if n == 3 then timer:cancel() end\n"
                   "end)\n"
                   "tw.after(0.5, function() tw.publish('once', 'once') end)\n"
                   "return tw.app {}");
    assert_int_equal(server->published_count, 0);
    fake_advance(server, 900);
    assert_string_equal(fake_last_published(server), "once");
    fake_advance(server, 200);
    assert_string_equal(fake_last_published(server), "1");
    fake_advance(server, 1000);
    assert_string_equal(fake_last_published(server), "2");
    assert_int_equal(server->counters[TW_COUNTER_TIMER_SKIPS], 0);
    fake_advance(server, 2000); /* it sleeps over two ticks */
    assert_string_equal(fake_last_published(server), "2");
    assert_int_equal(server->counters[TW_COUNTER_TIMER_SKIPS], 2);
    fake_advance(server, 1000);
    assert_string_equal(fake_last_published(server), "3");
    fake_advance(server, 10000);
    assert_string_equal(fake_last_published(server), "3");
    assert_int_equal(server->counters[TW_COUNTER_TIMER_RUNS], 4);
    fake_free(server);
}

static void a_raising_timer_goes_on(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "tw.every(1, function() tw.publish('t', 'x') error('broken') end)\n"
        "return tw.app {}");
    fake_advance(server, 3500);
    assert_int_equal(server->published_count, 3);
    assert_int_equal(server->counters[TW_COUNTER_HOOK_ERRORS], 3);
    fake_free(server);
}

static void once_per_server_runs_in_slot_0_only(void **state) {
    (void)state;
    const char *script = "tw.every(1, function() tw.publish('t', 'x') end,\n"
                         "  { once = 'server', name = 'n' })\n"
                         "return tw.app {}";
    for (uint32_t slot = 0; slot < 2; slot++) {
        tw_lua_config config = fake_config();
        tw_server *server = fake_server_with(&config, script);
        server->slot = slot;
        char report[TW_REPORT_MAX];
        assert_int_equal(tw_lua_start(server->lua, server, report), 0);
        fake_advance(server, 1500);
        assert_int_equal(server->published_count, slot == 0 ? 1 : 0);
        fake_free(server);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publishing_takes_data_and_options),
        cmocka_unit_test(a_refused_publication_gives_an_error),
        cmocka_unit_test(counting_waits_for_the_answer),
        cmocka_unit_test(a_task_runs_later_and_gives_its_results),
        cmocka_unit_test(a_failing_task_raises_in_its_waiter),
        cmocka_unit_test(a_cancelled_task_ends_quietly),
        cmocka_unit_test(all_waits_for_all_and_raises_the_first_failure),
        cmocka_unit_test(waiting_is_refused_where_it_cannot_be),
        cmocka_unit_test(a_task_may_run_for_ever),
        cmocka_unit_test(timers_tick_skip_and_are_cancelled),
        cmocka_unit_test(a_raising_timer_goes_on),
        cmocka_unit_test(once_per_server_runs_in_slot_0_only),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
