/* tw.dict, tw.limit and conn:limit. SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

/* A script whose on_message runs `text`; the connection. */
static tw_conn *run(tw_server **server, const char *text) {
    char script[4096];
    snprintf(script, sizeof script,
             "local function why(...)\n"
             "  local ok, a = pcall(...)\n"
             "  assert(not ok)\n"
             "  return a\n"
             "end\n"
             "local d = tw.dict('d', { bytes = 65536 })\n"
             "return tw.app { on_message = function(conn)\n%s\nend }",
             text);
    *server = fake_start(script);
    tw_conn *conn = fake_connect(*server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_DONE);
    assert_int_equal(conn->close_code, 0); /* no assert of the script failed */
    return conn;
}

static void passes(const char *text) {
    tw_server *server;
    run(&server, text);
    fake_free(server);
}

static void values_of_all_kinds_come_back(void **state) {
    (void)state;
    passes("assert(d:get('k') == nil and select('#', d:get('k')) == 1)\n"
           "for _, v in ipairs { 'text', '', '\\0\\255', 1.5, -0.1, true,\n"
           "    1 / 0, 2^53 } do\n"
           "  assert(d:set('k', v) == true)\n"
           "  assert(d:get('k') == v)\n"
           "end\n"
           "assert(d:set('k', false) and d:get('k') == false)\n"
           "assert(d:set('k', { a = { 1, 2 }, s = 'x' }))\n"
           "local t = d:get('k')\n"
           "assert(t.a[2] == 2 and t.s == 'x')\n"
           "t.a[2] = 3\n"
           "assert(d:get('k').a[2] == 2) -- a copy\n"
           "assert(d:set('k', tw.json.decode '[]'))\n"
           "assert(tw.json.encode(d:get('k')) == '[]')");
}

static void entries_are_added_counted_and_removed(void **state) {
    (void)state;
    passes("assert(d:add('k', 1) == true)\n"
           "local ok, err = d:add('k', 2)\n"
           "assert(ok == nil and err.code == 'exists')\n"
           "assert(d:incr('k') == 2 and d:incr('k', -5) == -3)\n"
           "assert(d:incr('new', 2, 10) == 12)\n"
           "d:set('text', 'x')\n"
           "ok, err = d:incr('text')\n"
           "assert(ok == nil and err.code == 'invalid')\n"
           "assert(d:delete('k') == true and d:delete('k') == false)\n"
           "local keys = d:keys()\n"
           "table.sort(keys)\n"
           "assert(table.concat(keys, ' ') == 'new text')\n"
           "assert(#d:keys(1) == 1)\n"
           "assert(d:flush() == true and #d:keys() == 0)");
}

static void time_is_given_in_seconds(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local d = tw.dict 'd'\n"
                   "return tw.app { on_message = function(conn, msg)\n"
                   "  if msg.data == 'set' then\n"
                   "    d:set('set', 1, 1.5) d:add('add', 1, 1.5)\n"
                   "    d:incr('incr', 1, 0, 1.5)\n"
                   "    d:set('update', 1, 1.5) d:set('longer', 1, 1.5)\n"
                   "    d:update('update', function(v) return v + 1 end)\n"
                   "    d:update('longer', function(v) return v + 1, 60 end)\n"
                   "  end\n"
                   "  conn:send(tostring(#d:keys()))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "set");
    assert_string_equal(fake_last_sent(conn), "5");
    server->now += 1499;
    fake_message(conn, "look");
    assert_string_equal(fake_last_sent(conn), "5");
    server->now += 1;
    fake_message(conn, "look");
    assert_string_equal(fake_last_sent(conn), "1");
    fake_free(server);
}

static void an_update_runs_again_when_somebody_was_faster(void **state) {
    (void)state;
    passes("local runs = 0\n"
           "assert(d:update('n', function(v)\n"
           "  runs = runs + 1\n"
           "  if runs < 4 then d:incr('n', 10) end\n"
           "  return (v or 0) + 1\n"
           "end) == 31)\n"
           "assert(runs == 4 and d:get('n') == 31)\n"
           "local ok, err = d:update('n', function(v)\n"
           "  d:incr('n')\n"
           "  return v\n"
           "end)\n"
           "assert(ok == nil and err.code == 'overloaded')\n"
           "assert(err.message:find('busy'))\n"
           "assert(d:get('n') == 47)");
}

static void an_update_can_remove_and_refuse(void **state) {
    (void)state;
    passes("d:set('k', { n = 1 })\n"
           "local ok, err = d:update('k', function(t)\n"
           "  return nil, tw.error('denied', 'sold out')\n"
           "end)\n"
           "assert(ok == nil and err.message == 'sold out')\n"
           "assert(d:get('k').n == 1)\n"
           "assert(d:update('k', function(t) t.n = 2 return t end).n == 2)\n"
           "assert(d:get('k').n == 2)\n"
           "assert(why(d.update, d, 'k', function(t) t.n = 3 end)\n"
           "  :find('returned nothing'))\n"
           "assert(why(d.update, d, 'k', function() error('mine', 0) end)\n"
           "  == 'mine')\n"
           "assert(d:get('k').n == 2)\n"
           "assert(d:update('k', function() return nil end) == nil)\n"
           "assert(d:get('k') == nil)");
}

static void an_update_may_wait(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local d = tw.dict 'd'\n"
                   "return tw.app { on_message = function(conn)\n"
                   "  conn:send(tostring(d:update('k', function(v)\n"
                   "    tw.sleep(1)\n"
                   "    return (v or 0) + 1\n"
                   "  end)))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    fake_advance(server, 1000);
    assert_string_equal(fake_last_sent(conn), "1");
    fake_free(server);
}

static void what_is_wrong_raises(void **state) {
    (void)state;
    passes("local function has(text, ...)\n"
           "  local said = why(...)\n"
           "  assert(said:find(text, 1, true), said)\n"
           "end\n"
           "has('key must be a string, not number', d.get, d, 1)\n"
           "has('key has 1 to 1024 bytes', d.get, d, '')\n"
           "has('key has 1 to 1024 bytes', d.set, d, ('x'):rep(1025), 1)\n"
           "has('dict:get is a method of tw.Dict', d.get, 'd', 'k')\n"
           "has('there is no value', d.set, d, 'k')\n"
           "has('must be a string, number, boolean or table, not function',\n"
           "  d.set, d, 'k', print)\n"
           "has('value.a.f cannot be kept: a function', d.set, d, 'k',\n"
           "  { a = { f = print } })\n"
           "has('ttl must be a number', d.set, d, 'k', 1, 0)\n"
           "has('n must be a number', d.incr, d, 'k', 'x')\n"
           "has('limit must be a number', d.keys, d, 0)\n"
           "has('fn must be a function', d.update, d, 'k')\n"
           "has(\"did you mean 'get'?\", function() return d.gett end)\n"
           "has('name has 1 to 63 bytes', tw.dict, '.limits')\n"
           "has('bytes must be a number', tw.dict, 'x', { bytes = 100 })\n"
           "has(\"did you mean 'bytes'?\", tw.dict, 'x', { byte = 1 })\n"
           "has('asked for with 65536 bytes before', tw.dict, 'd',\n"
           "  { bytes = 131072 })\n"
           "has('needs rate', tw.limit, 'k')\n"
           "has('rate must be a number', tw.limit, 'k', { rate = 0 })\n"
           "has('key has 1 to 1024 bytes', tw.limit, '', { rate = 1 })\n"
           "assert(d:get('k') == nil)");
}

static void what_does_not_fit_is_an_error(void **state) {
    (void)state;
    passes("local ok, err = d:set('k', ('x'):rep(60000))\n"
           "assert(ok == nil and err.code == 'limit')\n"
           "ok, err = d:set('k', { ('x'):rep(60000) })\n"
           "assert(ok == nil and err.code == 'limit')\n"
           "ok, err = tw.dict('large', { bytes = 2^25 })\n"
           "assert(ok == nil and err.code == 'limit')\n"
           "assert(tw.dict 'd' == d)");
}

static const char *refusal(tw_server *server, const char *text) {
    static char report[TW_REPORT_MAX];
    fake_source(text);
    assert_int_equal(tw_lua_reload(server->lua, report), TW_EINVALID);
    return report;
}

static void a_script_that_asks_for_too_much_does_not_load(void **state) {
    (void)state;
    tw_server *server = fake_start("local tw = require 'tidewire'\n"
                                   "local d = tw.dict('a', { bytes = 2^22 })\n"
                                   "return tw.app { on_message = function()\n"
                                   "  d:set('k', 1)\n"
                                   "end }");
    fake_message(fake_connect(server, "/*"), "make it");
    /* What is there is not promised again; the two others are too much. */
    const char *report = refusal(server, "local tw = require 'tidewire'\n"
                                         "tw.dict('a', { bytes = 2^22 })\n"
                                         "tw.dict('b', { bytes = 2^21 })\n"
                                         "tw.dict('c', { bytes = 2^21 })\n"
                                         "return tw.app {}");
    assert_has(report, ":5: tw.dict: 'c' does not fit: ");
    assert_has(report, " bytes of limits.dict_memory are left");
    report = refusal(server, "local tw = require 'tidewire'\n"
                             "tw.dict('a'):get('k')\n"
                             "return tw.app {}");
    assert_has(report, "dict:get cannot be used while the script loads");
    fake_reload(server, "local tw = require 'tidewire'\n"
                        "local d = tw.dict('a', { bytes = 2^20 })\n"
                        "return tw.app { on_message = function(conn)\n"
                        "  conn:send(tostring(d:get('k')))\n"
                        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "1");
    assert_has(fake_log_text, "tw.dict 'a' has 4194304 bytes until");
    fake_free(server);
}

static void one_that_cannot_be_had_now_is_asked_for_again(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local d = tw.dict 'd'\n"
                   "return tw.app { on_message = function(conn)\n"
                   "  local n, err = d:incr 'k'\n"
                   "  conn:send(tostring(n) .. ' ' .. tostring(err))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    server->dict_error = TW_EOVERLOADED;
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "nil overloaded: busy");
    server->dict_error = 0;
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "1 nil");
    fake_free(server);
}

static void a_limit_says_when_to_come_again(void **state) {
    (void)state;
    passes("local options = { rate = 2, burst = 3 }\n"
           "for _ = 1, 3 do assert(tw.limit('ann', options) == true) end\n"
           "local ok, err = tw.limit('ann', options)\n"
           "assert(ok == nil and err.code == 'limit')\n"
           "assert(err.retry_after == 0.5)\n"
           "assert(tw.limit('bob', { rate = 0.5 }))\n"
           "assert(not tw.limit('bob', { rate = 0.5 }))\n"
           "for _ = 1, 10 do assert(tw.limit('c', { rate = 10 })) end\n"
           "assert(not tw.limit('c', { rate = 10 }))");
}

static void a_connection_gets_a_rate_of_its_own(void **state) {
    (void)state;
    tw_server *server;
    tw_conn *conn = run(
        &server, "assert(conn:limit { rate = 5, burst = 20, over = 'drop' })\n"
                 "assert(not pcall(conn.limit, conn, {}))\n"
                 "assert(not pcall(conn.limit, conn, { rate = 1, over = 'x' }))"
                 "assert(not pcall(conn.limit, conn, { messages = 1 }))");
    assert_int_equal(conn->limit_count, 1);
    assert_true(conn->limit.messages == 5 && conn->limit.burst == 4);
    assert_int_equal(conn->limit.over, TW_RATE_DROP);
    fake_free(server);
    conn = run(&server, "assert(conn:limit { bytes = 100, over = 'wait' })\n"
                        "assert(conn:limit())");
    assert_int_equal(conn->limit_count, 2);
    assert_true(conn->limit.bytes == 0); /* the route's again */
    fake_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_all_kinds_come_back),
        cmocka_unit_test(entries_are_added_counted_and_removed),
        cmocka_unit_test(time_is_given_in_seconds),
        cmocka_unit_test(an_update_runs_again_when_somebody_was_faster),
        cmocka_unit_test(an_update_can_remove_and_refuse),
        cmocka_unit_test(an_update_may_wait),
        cmocka_unit_test(what_is_wrong_raises),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        cmocka_unit_test(a_script_that_asks_for_too_much_does_not_load),
        cmocka_unit_test(one_that_cannot_be_had_now_is_asked_for_again),
        cmocka_unit_test(a_limit_says_when_to_come_again),
        cmocka_unit_test(a_connection_gets_a_rate_of_its_own),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
