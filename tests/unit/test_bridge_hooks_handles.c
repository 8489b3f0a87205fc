/* Handles of connections and messages: whose they are, and for how long.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

/* As many connections have their handles kept; see lua/bridge/conn.h. */
enum { KEPT = 4096 };

static void a_task_of_a_waiting_hook_may_use_its_message(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "  tw.all(function() conn:send(msg) end,\n"
                   "    function() tw.sleep(1) conn:send(msg.data) end)\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "hello"), TW_LATER);
    fake_turns(server, 4);
    assert_int_equal(conn->sent_count, 1);
    fake_advance(server, 1100);
    fake_turns(server, 4);
    assert_int_equal(conn->sent_count, 2);
    assert_string_equal(conn->sent[0].text, "hello");
    assert_string_equal(conn->sent[1].text, "hello");
    assert_int_equal(conn->done_count, 1);
    fake_free(server);
}

static void a_task_that_outlives_the_hook_may_not(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn, msg)\n"
        "  tw.spawn(function()\n"
        "    conn:send(select(2, pcall(function() return msg.data end)))\n"
        "  end)\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "hello"), TW_DONE);
    fake_turns(server, 4);
    assert_has(fake_last_sent(conn), "valid until its hook returned");
    fake_free(server);
}

static void hooks_that_wait_together_have_their_own_messages(void **state) {
    (void)state;
    tw_conn *conns[20];
    char text[24];
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "  tw.sleep(1)\n"
                   "  conn:send(msg)\n"
                   "end }");
    for (int i = 0; i < 20; i++) {
        conns[i] = fake_connect(server, "/*");
        snprintf(text, sizeof text, "text %d", i);
        assert_int_equal(fake_message(conns[i], text), TW_LATER);
    }
    fake_advance(server, 1100);
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "text %d", i);
        assert_string_equal(fake_last_sent(conns[i]), text);
    }
    fake_free(server);
}

static void another_hook_may_use_the_message_of_one_that_waits(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local kept\n"
                   "return tw.app {\n"
                   "  on_message = function(conn, msg)\n"
                   "    if kept then conn:send(kept) return end\n"
                   "    kept = msg\n"
                   "    tw.sleep(1)\n"
                   "  end }");
    tw_conn *first = fake_connect(server, "/*");
    tw_conn *second = fake_connect(server, "/*");
    assert_int_equal(fake_message(first, "the first"), TW_LATER);
    fake_message(second, "the second");
    assert_string_equal(fake_last_sent(second), "the first");
    fake_advance(server, 1100);
    fake_message(second, "once more"); /* raises: the hook is over */
    assert_int_equal(second->sent_count, 1);
    assert_has(fake_log_text, "valid until its hook returned");
    fake_free(server);
}

static void a_message_and_null_tell_what_they_are(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local function why(f) return select(2, pcall(f)) end\n"
                   "return tw.app { on_message = function(conn, msg)\n"
                   "  local null = tw.json.null\n"
                   "  conn:send(type(msg) .. ' ' .. tostring(msg))\n"
                   "  conn:send(tostring(null) .. tostring(msg == null))\n"
                   "  conn:send(why(function() return null.x end))\n"
                   "  conn:send(why(function() return #null end))\n"
                   "  conn:send(why(function() msg.x = 1 end))\n"
                   "  conn:send({ getmetatable(msg) })\n"
                   "  conn:send({ null })\n"
                   "  conn:send(why(function() conn:send({ msg }) end))\n"
                   "  conn:send(why(function() conn:close(msg) end))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "hello");
    assert_has(conn->sent[0].text, "userdata tw.Message: ");
    assert_string_equal(conn->sent[1].text, "userdata: NULLfalse");
    assert_has(conn->sent[2].text, "attempt to index tw.json.null");
    assert_has(conn->sent[3].text, "get the length of tw.json.null");
    assert_has(conn->sent[4].text, "attempt to index");
    assert_string_equal(conn->sent[5].text, "[false]");
    assert_string_equal(conn->sent[6].text, "[null]");
    assert_has(conn->sent[7].text, "cannot encode value[1] as JSON");
    assert_has(conn->sent[8].text, "must be a number");
    fake_free(server);
}

static void what_only_looks_like_a_handle_is_none(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "local function why(...) return select(2, pcall(...)) end\n"
        "return tw.app { on_message = function(conn, msg)\n"
        "  local send = conn.send\n"
        "  conn:send(why(send, tw.json.raw('1'), 'x'))\n"
        "  conn:send(why(send, tw.json.raw('\"a string of some length\"')))\n"
        "  conn:send(why(send, msg, 'x'))\n"
        "  conn:send(why(send, tw.json.null, 'x'))\n"
        "  conn:send(why(send, {}, 'x'))\n"
        "  conn:send(why(send, tw.channel('a'), 'x'))\n"
        "  conn:send(why(send))\n"
        "  conn:send(why(msg.json, conn))\n"
        "  conn:send(why(tw.publish, 'a', 'b', { except = msg }))\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "hello");
    assert_int_equal(conn->sent_count, 9);
    for (int i = 0; i < 7; i++) {
        assert_has(conn->sent[i].text, "conn:send is a method of tw.Conn");
    }
    assert_has(conn->sent[7].text, "msg:json is a method of tw.Message");
    assert_has(conn->sent[8].text, "must be a connection, not tw.Message");
    fake_free(server);
}

static void a_handle_stays_the_same_when_its_place_is_taken(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local first\n"
                   "return tw.app { on_message = function(conn, msg)\n"
                   "  first = first or conn\n"
                   "  conn:send(tostring(first == conn) .. first.id)\n"
                   "end }");
    tw_conn *one = fake_connect(server, "/*");
    server->last_handle += KEPT - 1;
    tw_conn *two = fake_connect(server, "/*");
    assert_int_equal(one->handle % KEPT, two->handle % KEPT);
    for (int i = 0; i < 3; i++) {
        fake_message(one, "x");
        assert_string_equal(fake_last_sent(one), "trueid-1");
        fake_message(two, "x");
        assert_string_equal(fake_last_sent(two), "falseid-1");
    }
    fake_free(server);
}

static void the_handle_of_a_gone_connection_is_collected(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local seen = setmetatable({}, { __mode = 'k' })\n"
                   "return tw.app { on_message = function(conn, msg)\n"
                   "  seen[conn] = true\n"
                   "  collectgarbage()\n"
                   "  local n = 0\n"
                   "  for _ in pairs(seen) do n = n + 1 end\n"
                   "  conn:send(tostring(n))\n"
                   "end }");
    tw_conn *one = fake_connect(server, "/*");
    tw_conn *two = fake_connect(server, "/*");
    fake_message(one, "x");
    fake_message(two, "x");
    assert_string_equal(fake_last_sent(two), "2");
    fake_close(one, 1006, "");
    fake_gone(one);
    fake_message(two, "x");
    assert_string_equal(fake_last_sent(two), "1");
    fake_free(server);
}

static void each_generation_has_handles_of_its_own(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "  tw.sleep(1)\n"
                   "  conn:send('old ' .. conn.id .. msg.data)\n"
                   "end }");
    tw_conn *one = fake_connect(server, "/*");
    tw_conn *two = fake_connect(server, "/*");
    assert_int_equal(fake_message(one, "a"), TW_LATER);
    fake_reload(server, "return tw.app { on_message = function(conn, msg)\n"
                        "  conn:send('new ' .. conn.id .. msg.data)\n"
                        "end }");
    fake_message(two, "b");
    assert_string_equal(fake_last_sent(two), "new id-2b");
    fake_advance(server, 1100);
    assert_string_equal(fake_last_sent(one), "old id-1a");
    fake_message(one, "c");
    assert_string_equal(fake_last_sent(one), "new id-1c");
    fake_close(one, 1006, "");
    fake_gone(one);
    fake_free(server);
}

/* Often enough to be compiled. */
static void a_hot_hook_is_given_each_message_once(void **state) {
    (void)state;
    tw_conn *conns[3];
    char text[24];
    tw_server *server =
        fake_start("local function pass(conn, data) conn:send(data) end\n"
                   "return tw.app { on_message = function(conn, msg)\n"
                   "  for _, v in ipairs({ msg, msg.data }) do\n"
                   "    pass(conn, v)\n"
                   "  end\n"
                   "  if #msg ~= #msg.data then conn:close() end\n"
                   "end }");
    for (int i = 0; i < 3; i++) {
        conns[i] = fake_connect(server, "/*");
    }
    for (int i = 0; i < 3000; i++) {
        tw_conn *conn = conns[i % 3];
        conn->sent_count = 0;
        snprintf(text, sizeof text, "text %d", i);
        fake_message(conn, text);
        assert_int_equal(conn->sent_count, 2);
        assert_string_equal(conn->sent[0].text, text);
        assert_string_equal(conn->sent[1].text, text);
        assert_true(conn->is_open);
    }
    fake_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_of_a_waiting_hook_may_use_its_message),
        cmocka_unit_test(a_task_that_outlives_the_hook_may_not),
        cmocka_unit_test(hooks_that_wait_together_have_their_own_messages),
        cmocka_unit_test(another_hook_may_use_the_message_of_one_that_waits),
        cmocka_unit_test(a_message_and_null_tell_what_they_are),
        cmocka_unit_test(what_only_looks_like_a_handle_is_none),
        cmocka_unit_test(a_handle_stays_the_same_when_its_place_is_taken),
        cmocka_unit_test(the_handle_of_a_gone_connection_is_collected),
        cmocka_unit_test(each_generation_has_handles_of_its_own),
        cmocka_unit_test(a_hot_hook_is_given_each_message_once),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
