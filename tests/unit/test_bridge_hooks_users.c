/* Users, and connections by their id.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

#define ID "AAAAAAAAAAAAAAAAAAAA-_"

static void a_user_is_sent_subscribed_and_disconnected(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "  local bob = tw.user('bob')\n"
                   "  assert(bob.id == 'bob' and tw.user(42).id == '42')\n"
                   "  assert(bob:send(msg) == true)\n"
                   "  assert(bob:send({ a = 1 }, { history = false }))\n"
                   "  assert(bob:send('\\255', { binary = true }))\n"
                   "  assert(bob:subscribe('room'))\n"
                   "  assert(bob:unsubscribe('room'))\n"
                   "  assert(bob:disconnect())\n"
                   "  assert(bob:disconnect(4001, 'bye'))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "hi"), TW_DONE);
    assert_string_equal(fake_acts(server),
                        "send(bob, hi);send past history(bob, {\"a\":1});"
                        "send(bob, \xff);subscribe(bob, room);"
                        "unsubscribe(bob, room);disconnect(bob, 1000, );"
                        "disconnect(bob, 4001, bye);");
    fake_free(server);
}

static void what_a_user_cannot_be_given_raises(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local function why(...) return select(2, pcall(...)) end\n"
                   "return tw.app { on_message = function(conn)\n"
                   "  local bob = tw.user('bob')\n"
                   "  conn:send(why(tw.user))\n"
                   "  conn:send(why(tw.user, ''))\n"
                   "  conn:send(why(bob.send, bob, '\\255'))\n"
                   "  conn:send(why(bob.send, bob, 'x', { wat = 1 }))\n"
                   "  conn:send(why(bob.disconnect, bob, 1005))\n"
                   "  conn:send(why(bob.subscribe, bob, ''))\n"
                   "  conn:send(why(bob.send, conn, 'x'))\n"
                   "  conn:send(why(function() return bob.sned end))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_has(conn->sent[0].text, "id must be a string, not nothing");
    assert_has(conn->sent[1].text, "id has 1 to 255 bytes");
    assert_has(conn->sent[2].text, "user:send: the text is not valid UTF-8");
    assert_has(conn->sent[3].text, "did you mean 'wait'?");
    assert_has(conn->sent[4].text, "code 1005 may not be sent");
    assert_has(conn->sent[5].text, "1 to 255 bytes");
    assert_has(conn->sent[6].text, "user:send is a method of tw.User");
    assert_has(conn->sent[7].text, "did you mean 'send'?");
    assert_string_equal(fake_acts(server), "");
    fake_free(server);
}

static void what_the_way_to_a_user_refuses_is_returned(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  local ok, err = tw.user('bob'):send('x')\n"
                   "  conn:send(tostring(ok) .. err.code)\n"
                   "  ok, err = tw.conn('" ID "'):send('x')\n"
                   "  conn:send(tostring(ok) .. err.code)\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    server->asked.error = TW_EUNAVAILABLE;
    fake_message(conn, "x");
    assert_string_equal(conn->sent[0].text, "nilunavailable");
    assert_string_equal(conn->sent[1].text, "nilunavailable");
    fake_free(server);
}

static void sending_to_a_user_may_wait_for_the_position(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn)\n"
        "  local bob = tw.user('bob')\n"
        "  local ok, at = pcall(bob.send, bob, 'x', { wait = true })\n"
        "  conn:send(ok and at.epoch .. at.offset or at)\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    tw_position at = {3, "e"};
    fake_answer_published(server, 0, &at);
    assert_string_equal(fake_last_sent(conn), "e3");
    server->asked.error = TW_EINVALID;
    fake_message(conn, "x");
    assert_has(fake_last_sent(conn), "wait needs a class for \"user:*\"");
    fake_free(server);
}

static void connections_of_a_user_are_handles(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  local list, err = tw.user('bob'):connections()\n"
                   "  if not list then conn:send(err.code) return end\n"
                   "  local c = list[1]\n"
                   "  conn:send(#list .. c.id .. c.node .. c.slot .. c.ip)\n"
                   "  conn:send(c.opened .. ' ' .. c.idle)\n"
                   "  conn:send(tostring(c == tw.conn(c.id)) ..\n"
                   "    tostring(c == list[2]) .. tostring(c ~= list[2]) .. \n"
                   "    tostring(tw.conn(c.id).ip))\n"
                   "  c:send('hello')\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    assert_string_equal(server->asked.name, "bob");
    char *ip = strdup("10.0.0.7");
    tw_user_conn conns[] = {{.id = ID,
                             .slot = 3,
                             .ip = fake_str(ip),
                             .opened_ms = 1700000000500,
                             .idle_ms = 1500},
                            {.id = "BBBBBBBBBBBBBBBBBBBBBB"}};
    fake_answer_user(server, 0, conns, 2);
    free(ip);
    assert_string_equal(conn->sent[0].text, "2" ID "node-1310.0.0.7");
    assert_string_equal(conn->sent[1].text, "1700000000.5 1.5");
    assert_string_equal(conn->sent[2].text, "truefalsetruenil");
    assert_string_equal(fake_acts(server), "send(" ID ", hello);");
    fake_message(conn, "x");
    fake_answer_user(server, TW_EUNAVAILABLE, NULL, 0);
    assert_string_equal(fake_last_sent(conn), "unavailable");
    fake_free(server);
}

static void a_connection_elsewhere_is_acted_on_by_its_id(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn, msg)\n"
                   "  local c = tw.conn('" ID "')\n"
                   "  assert(c:send(msg))\n"
                   "  assert(c:send('\\255', { binary = true }))\n"
                   "  assert(c:subscribe('room'))\n"
                   "  assert(c:unsubscribe('room'))\n"
                   "  assert(c:close(4000, 'go'))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "hi");
    assert_string_equal(fake_acts(server),
                        "send(" ID ", hi);send bytes(" ID ", \xff);"
                        "subscribe(" ID ", room);unsubscribe(" ID ", room);"
                        "disconnect(" ID ", 4000, go);");
    fake_free(server);
}

/* Ids come from clients: they may be anything. */
static void what_is_no_id_is_returned_and_not_raised(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn)\n"
        "  for _, id in ipairs { '', 'x', ('A'):rep(21) .. '!',\n"
        "      ('A'):rep(23), ('A'):rep(21) .. '\\0' } do\n"
        "    local c = tw.conn(id)\n"
        "    assert(c.id == id)\n"
        "    for _, name in ipairs { 'send', 'subscribe', 'unsubscribe' } do\n"
        "      local ok, err = c[name](c, 'x')\n"
        "      assert(not ok and err.code == 'invalid')\n"
        "    end\n"
        "    local ok, err = c:close()\n"
        "    assert(not ok and err.code == 'invalid')\n"
        "  end\n"
        "  local c = tw.conn('" ID "')\n"
        "  conn:send(select(2, pcall(tw.conn, 5)))\n"
        "  conn:send(select(2, pcall(c.send, c, '\\255')))\n"
        "  conn:send(select(2, pcall(c.close, c, 1005)))\n"
        "  conn:send(select(2, pcall(c.send, conn, 'x')))\n"
        "  conn:send(select(2, pcall(function() return c.usr end)))\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_int_equal(conn->sent_count, 5);
    assert_has(conn->sent[0].text, "id must be a string");
    assert_has(conn->sent[1].text, "not valid UTF-8");
    assert_has(conn->sent[2].text, "code 1005 may not be sent");
    assert_has(conn->sent[3].text, "method of tw.RemoteConn");
    assert_has(conn->sent[4].text, "unknown field 'usr'");
    assert_string_equal(fake_acts(server), "");
    fake_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_sent_subscribed_and_disconnected),
        cmocka_unit_test(what_a_user_cannot_be_given_raises),
        cmocka_unit_test(what_the_way_to_a_user_refuses_is_returned),
        cmocka_unit_test(sending_to_a_user_may_wait_for_the_position),
        cmocka_unit_test(connections_of_a_user_are_handles),
        cmocka_unit_test(a_connection_elsewhere_is_acted_on_by_its_id),
        cmocka_unit_test(what_is_no_id_is_returned_and_not_raised),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
