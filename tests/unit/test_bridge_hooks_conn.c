/* Hooks of connections: messages, handles, sending, waiting.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

static int fake_open(tw_conn *conn, tw_req *req) {
    tw_server *server = conn->server;
    return server->hooks.on_open(conn, req, server->lua);
}

static void a_message_is_echoed_as_it_came(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "  assert(conn:send(msg))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "hello"), TW_DONE);
    assert_string_equal(fake_last_sent(conn), "hello");
    assert_int_equal(conn->sent_count, 1);
    fake_free(server);
}

static void absent_hooks_are_not_in_the_mask(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = print, on_alarm = print }");
    assert_int_equal(fake_route(server, "/*")->config.hooks,
                     TW_HOOK_MESSAGE | TW_HOOK_ALARM);
    fake_free(server);
}

static void data_is_text_bytes_or_json(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn, msg)\n"
        "  conn:send('text')\n"
        "  conn:send('\\255\\0', { binary = true })\n"
        "  conn:send({ a = { 1, 2 } })\n"
        "  conn:send(12)\n"
        "  conn:send(true)\n"
        "  conn:send(tw.json.raw('[1, 2]'))\n"
        "  local ok, why = pcall(conn.send, conn, '\\255')\n"
        "  conn:send(ok and 'sent' or why)\n"
        "  conn:send(select(2, pcall(conn.send, conn, print)))\n"
        "  conn:send(select(2, pcall(conn.send, conn, 'x', { bin = true })))\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_string_equal(conn->sent[0].text, "text");
    assert_true(conn->sent[1].binary);
    assert_int_equal(conn->sent[1].len, 2);
    assert_string_equal(conn->sent[2].text, "{\"a\":[1,2]}");
    assert_string_equal(conn->sent[3].text, "12");
    assert_string_equal(conn->sent[4].text, "true");
    assert_string_equal(conn->sent[5].text, "[1, 2]");
    assert_has(conn->sent[6].text, "not valid UTF-8");
    assert_has(conn->sent[7].text, "not function");
    assert_has(conn->sent[8].text, "did you mean 'binary'?");
    fake_free(server);
}

static void a_message_shows_its_data(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn, msg)\n"
        "  conn:send(msg.data .. #msg .. tostring(msg.binary))\n"
        "  local t, err = msg:json()\n"
        "  conn:send(t and t.a or err.code)\n"
        "  conn:send(select(2, pcall(function() return msg.dat end)))\n"
        "  conn:send(select(2, pcall(function() return msg.pb end)))\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "{\"a\":\"b\"}");
    assert_string_equal(conn->sent[0].text, "{\"a\":\"b\"}9false");
    assert_string_equal(conn->sent[1].text, "b");
    assert_has(conn->sent[2].text, "did you mean 'data'?");
    assert_has(conn->sent[3].text, "not available");
    fake_message(conn, "12");
    assert_string_equal(conn->sent[5].text, "invalid");
    fake_free(server);
}

static void
a_message_kept_beyond_its_hook_raises_and_a_copy_does_not(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local kept, copy\n"
                   "return tw.app { on_message = function(conn, msg)\n"
                   "  if kept then\n"
                   "    conn:send(select(2, pcall(conn.send, conn, kept)))\n"
                   "    conn:send(copy)\n"
                   "  end\n"
                   "  kept, copy = msg, msg:keep()\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "first");
    fake_message(conn, "second");
    assert_has(conn->sent[0].text, "valid until its hook returned");
    assert_string_equal(conn->sent[1].text, "first");
    fake_free(server);
}

static void a_message_lives_through_waits(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "  tw.sleep(1)\n"
                   "  conn:send(msg)\n"
                   "  tw.sleep(1)\n"
                   "  conn:send(msg.data)\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "hello"), TW_LATER);
    assert_int_equal(server->gauges[TW_GAUGE_WAITING_HOOKS], 1);
    assert_int_equal(conn->done_count, 0);
    fake_advance(server, 1100);
    assert_string_equal(fake_last_sent(conn), "hello");
    assert_int_equal(conn->done_count, 0);
    fake_advance(server, 1100);
    assert_int_equal(conn->sent_count, 2);
    assert_int_equal(conn->done_count, 1);
    assert_int_equal(server->gauges[TW_GAUGE_WAITING_HOOKS], 0);
    fake_free(server);
}

static void a_connection_has_one_handle_while_it_is_referenced(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local first\n"
                   "return tw.app { on_message = function(conn, msg)\n"
                   "  first = first or conn\n"
                   "  conn:send(tostring(first == conn) .. conn.id)\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    tw_conn *other = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_message(conn, "x");
    fake_message(other, "x");
    assert_string_equal(conn->sent[0].text, "trueid-1");
    assert_string_equal(conn->sent[1].text, "trueid-1");
    assert_string_equal(other->sent[0].text, "falseid-2");
    fake_free(server);
}

static void a_handle_of_a_gone_connection_answers_closed(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "local first\n"
        "return tw.app { on_message = function(conn, msg)\n"
        "  if not first then first = conn return end\n"
        "  local ok, err = first:send('x')\n"
        "  conn:send(tostring(ok) .. err.code)\n"
        "  ok, err = first:subscribe('a')\n"
        "  conn:send(tostring(ok) .. err.code)\n"
        "  ok, err = first:close()\n"
        "  conn:send(tostring(ok) .. err.code .. first.id)\n"
        "  conn:send(tostring(first.user) .. tostring(first.state))\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    tw_conn *other = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_close(conn, 1000, "");
    fake_gone(conn);
    assert_int_equal(fake_message(other, "x"), TW_DONE);
    assert_string_equal(other->sent[0].text, "nilclosed");
    assert_string_equal(other->sent[1].text, "nilclosed");
    assert_string_equal(other->sent[2].text, "nilclosedid-1");
    assert_string_equal(other->sent[3].text, "nilnil");
    fake_free(server);
}

static void unknown_and_reserved_fields_of_a_connection_raise(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn, msg)\n"
        "  conn:send(select(2, pcall(function() return conn.usr end)))\n"
        "  conn:send(select(2, pcall(function() return conn.join end)))\n"
        "  conn:send(select(2, pcall(function() conn.x = 1 end)))\n"
        "  conn:send(select(2, pcall(conn.subscribe, conn, 'a',\n"
        "                            { lst = 1 })))\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_has(conn->sent[0].text, "did you mean 'user'?");
    assert_has(conn->sent[1].text, "not available in this version");
    assert_has(conn->sent[2].text, "use conn.state");
    assert_has(conn->sent[3].text, "did you mean 'last'?");
    fake_free(server);
}

static void subscribe_waits_until_the_home_confirms(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_open = function(conn, req)\n"
                   "  local ok, err = conn:subscribe('room:1')\n"
                   "  conn:send(ok and 'in' or err.code)\n"
                   "  conn:send(table.concat(conn:channels(), ','))\n"
                   "  conn:send(tostring(conn:subscribed('room:1')))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    tw_req req = {.server = server, .refs = 1};
    assert_int_equal(fake_open(conn, &req), TW_LATER);
    assert_int_equal(req.refs, 2);
    assert_int_equal(conn->sent_count, 0);
    fake_confirm(conn, 0);
    assert_int_equal(conn->sent_count, 3);
    assert_string_equal(conn->sent[0].text, "in");
    assert_string_equal(conn->sent[1].text, "room:1");
    assert_string_equal(conn->sent[2].text, "true");
    assert_int_equal(conn->done_count, 1);
    assert_int_equal(req.refs, 1);
    fake_free(server);
}

static void a_refused_subscribe_gives_an_error(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  local ok, err = conn:subscribe('a')\n"
                   "  conn:send(ok and 'in' or err.code)\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    conn->subscribe_error = TW_ELIMIT;
    assert_int_equal(fake_message(conn, "x"), TW_DONE);
    assert_string_equal(fake_last_sent(conn), "limit");
    conn->subscribe_error = 0;
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    fake_confirm(conn, TW_EUNAVAILABLE);
    assert_string_equal(fake_last_sent(conn), "unavailable");
    fake_free(server);
}

static void a_hook_waits_for_its_limit_only(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  tw.sleep(20)\n"
                   "  local ok, err = conn:subscribe('a')\n"
                   "  conn:send(err.code)\n"
                   "  ok, err = tw.sleep(1)\n"
                   "  conn:send(err.code)\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_advance(server, 20001);
    assert_non_null(conn->pending_cb);
    fake_advance(server, 9000);
    assert_int_equal(conn->sent_count, 0);
    fake_advance(server, 1100);
    assert_string_equal(conn->sent[0].text, "timeout");
    assert_string_equal(conn->sent[1].text, "timeout");
    assert_int_equal(conn->done_count, 1);
    assert_int_equal(server->counters[TW_COUNTER_HOOK_TIMEOUTS], 1);
    assert_null(conn->pending_cb); /* it has been unsubscribed */
    fake_free(server);
}

static void a_refused_open_closes_with_the_reason(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.routes {\n"
        "  ['/a'] = tw.app { on_open = function(conn)\n"
        "    return nil, tw.error('denied', 'not you') end },\n"
        "  ['/b'] = tw.app { on_open = function(conn)\n"
        "    return nil, tw.error('overloaded', 'full') end },\n"
        "  ['/c'] = tw.app { on_open = function(conn) return nil end },\n"
        "}");
    tw_req req = {.refs = 1};
    tw_conn *a = fake_connect(server, "/a"), *b = fake_connect(server, "/b");
    tw_conn *c = fake_connect(server, "/c");
    fake_open(a, &req);
    fake_open(b, &req);
    fake_open(c, &req);
    assert_int_equal(a->close_code, 1008);
    assert_string_equal(a->close_reason, "not you");
    assert_int_equal(b->close_code, 1013);
    assert_true(c->is_open);
    fake_free(server);
}

static void a_raising_hook_is_reported_and_closes(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  error('broken')\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_int_equal(conn->close_code, 1011);
    assert_int_equal(server->counters[TW_COUNTER_HOOK_ERRORS], 1);
    assert_has(fake_log_text, "app.lua:3: broken");
    assert_has(fake_log_text, "on_message");
    assert_has(fake_log_text, "conn=id-1");
    assert_has(fake_log_text, "traceback");
    fake_free(server);
}

static void errors_ignore_keeps_the_connection(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { errors = 'ignore', on_message = function(conn)\n"
        "  tw.sleep(1)\n"
        "  error('broken')\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_advance(server, 2000);
    assert_true(conn->is_open);
    assert_int_equal(conn->done_count, 1);
    assert_int_equal(server->counters[TW_COUNTER_HOOK_ERRORS], 1);
    fake_free(server);
}

static void a_hook_over_its_budget_ends_with_its_own_counter(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  pcall(function() while true do end end)\n"
                   "  conn:send('survived')\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_int_equal(conn->sent_count, 0);
    assert_int_equal(conn->close_code, 1011);
    assert_int_equal(server->counters[TW_COUNTER_HOOK_BUDGET], 1);
    assert_int_equal(server->counters[TW_COUNTER_HOOK_ERRORS], 0);
    fake_free(server);
}

static void closing_shows_code_reason_state_and_channels(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app {\n"
        "  on_message = function(conn, msg)\n"
        "    conn.state.name = msg.data\n"
        "    conn:subscribe('a')\n"
        "  end,\n"
        "  on_close = function(conn, code, reason)\n"
        "    tw.publish('log', conn.state.name .. code .. reason ..\n"
        "      table.concat(conn:channels()) ..\n"
        "      tostring((conn:send('x'))))\n"
        "  end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "bob");
    fake_confirm(conn, 0);
    fake_close(conn, 1006, "lost");
    assert_string_equal(fake_last_published(server), "bob1006losta"
                                                     "nil");
    fake_gone(conn);
    fake_free(server);
}

static void slow_reports_and_alarms_reach_their_hooks(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app {\n"
        "  on_slow = function(conn, info)\n"
        "    tw.publish('log', info.channel .. info.queued .. info.dropped)\n"
        "  end,\n"
        "  on_alarm = function(conn, name) conn:send(name) end,\n"
        "  on_message = function(conn) conn:alarm(2.5, 'wake') end }");
    tw_conn *conn = fake_connect(server, "/*");
    tw_slow slow = {fake_str("room"), 100, 7};
    server->hooks.on_slow(conn, &slow, server->lua);
    assert_string_equal(fake_last_published(server), "room1007");
    fake_message(conn, "x");
    assert_string_equal(conn->alarm, "wake");
    assert_int_equal(conn->alarm_ms, 2500);
    server->hooks.on_alarm(conn, fake_str("wake"), server->lua);
    assert_string_equal(fake_last_sent(conn), "wake");
    fake_free(server);
}

static void login_sets_the_user_once(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  assert(conn:login('bob', { name = 'Bob' }))\n"
                   "  local ok, err = conn:login('eve')\n"
                   "  conn:send(conn.user .. conn.info.name .. err.code)\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "bobBobexists");
    fake_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_echoed_as_it_came),
        cmocka_unit_test(absent_hooks_are_not_in_the_mask),
        cmocka_unit_test(data_is_text_bytes_or_json),
        cmocka_unit_test(a_message_shows_its_data),
        cmocka_unit_test(
            a_message_kept_beyond_its_hook_raises_and_a_copy_does_not),
        cmocka_unit_test(a_message_lives_through_waits),
        cmocka_unit_test(a_connection_has_one_handle_while_it_is_referenced),
        cmocka_unit_test(a_handle_of_a_gone_connection_answers_closed),
        cmocka_unit_test(unknown_and_reserved_fields_of_a_connection_raise),
        cmocka_unit_test(subscribe_waits_until_the_home_confirms),
        cmocka_unit_test(a_refused_subscribe_gives_an_error),
        cmocka_unit_test(a_hook_waits_for_its_limit_only),
        cmocka_unit_test(a_refused_open_closes_with_the_reason),
        cmocka_unit_test(a_raising_hook_is_reported_and_closes),
        cmocka_unit_test(errors_ignore_keeps_the_connection),
        cmocka_unit_test(a_hook_over_its_budget_ends_with_its_own_counter),
        cmocka_unit_test(closing_shows_code_reason_state_and_channels),
        cmocka_unit_test(slow_reports_and_alarms_reach_their_hooks),
        cmocka_unit_test(login_sets_the_user_once),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
