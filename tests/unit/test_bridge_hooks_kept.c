/* What channels keep and who is in them: subscribing with a position, waiting
 * for a publication, history, presence.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

/* What the script answers to "x". */
static const char *answer_of(tw_conn *conn) {
    fake_message(conn, "x");
    return fake_last_sent(conn);
}

static void a_subscribe_says_where_it_goes_on(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  conn:send(conn:subscribe('room', { info = { a = 1 },\n"
                   "    since = { epoch = 'e1', offset = 7 } }))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    assert_true(conn->asked.has_since);
    assert_string_equal(conn->asked.since.epoch, "e1");
    assert_int_equal(conn->asked.since.offset, 7);
    assert_int_equal(conn->asked.last, 0);
    assert_string_equal(conn->asked_info, "{\"a\":1}");
    conn->subscribed =
        (tw_subscribed){.position = {9, "e1"}, .recovered = true, .count = 2};
    fake_confirm(conn, 0);
    assert_has(fake_last_sent(conn), "\"epoch\":\"e1\"");
    assert_has(fake_last_sent(conn), "\"offset\":9");
    assert_has(fake_last_sent(conn), "\"recovered\":true");
    assert_has(fake_last_sent(conn), "\"count\":2");
    fake_free(server);
}

static void a_subscribe_may_want_the_last_ones(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  local s = conn:subscribe('room',\n"
                   "    { last = 5, info = 'plain' })\n"
                   "  conn:send(s.epoch .. s.offset .. s.count ..\n"
                   "    tostring(s.recovered))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_false(conn->asked.has_since);
    assert_int_equal(conn->asked.last, 5);
    assert_string_equal(conn->asked_info, "plain");
    fake_confirm(conn, 0); /* of a channel without history */
    assert_string_equal(fake_last_sent(conn), "00false");
    fake_free(server);
}

static void what_is_no_position_raises(void **state) {
    (void)state;
    static const struct {
        const char *options, *part;
    } cases[] = {
        {"since = 5", "since must be a table"},
        {"since = {}", "since needs an epoch and an offset"},
        {"since = { epoch = 'a' }", "since needs an epoch and an offset"},
        {"since = { offset = 1 }", "since needs an epoch and an offset"},
        {"since = { epoch = 1, offset = 1 }", "epoch must be a string"},
        {"since = { epoch = ('a'):rep(17), offset = 1 }", "at most 16 bytes"},
        {"since = { epoch = 'a\\0', offset = 1 }", "an epoch is text"},
        {"since = { epoch = 'a', offset = '1' }", "offset must be a number"},
        {"since = { epoch = 'a', offset = -1 }", "offset must be a number"},
        {"since = { epoch = 'a', offset = 0 / 0 }", "offset must be a number"},
        {"since = { epoch = 'a', offset = 1.5 }", "a whole number"},
        {"since = { epoch = 'a', ofset = 1 }", "did you mean 'offset'?"},
        {"last = -1", "last must be a number from 0 to 100000"},
        {"last = 100001", "last must be a number from 0 to 100000"},
        {"info = 5", "info must be a table or a string, not number"},
        {"info = { print }", "cannot encode"},
        {"info = ('a'):rep(4097)", "info has at most 4096 bytes"},
        {"info = { ('a'):rep(4096) }", "info has at most 4096 bytes"},
    };
    char script[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(script, sizeof script,
                 "return tw.app { on_message = function(conn)\n"
                 "  conn:send(select(2, pcall(conn.subscribe, conn, 'a',\n"
                 "    { %s })))\n"
                 "end }",
                 cases[i].options);
        tw_server *server = fake_start(script);
        tw_conn *conn = fake_connect(server, "/*");
        assert_has(answer_of(conn), cases[i].part);
        assert_null(conn->pending_cb);
        fake_free(server);
    }
}

static void publishing_may_wait_for_the_position(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  local at, err = tw.publish('room', { a = 1 },\n"
                   "    { wait = true, id = 'order-1', key = 'k' })\n"
                   "  conn:send(at and at.epoch .. at.offset or err.code)\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    assert_string_equal(server->published[0].id, "order-1");
    assert_string_equal(server->published[0].data.text, "{\"a\":1}");
    assert_false(server->published[0].no_history);
    tw_position at = {12, "e3"};
    fake_answer_published(server, 0, &at);
    assert_string_equal(fake_last_sent(conn), "e312");
    assert_int_equal(conn->done_count, 1);

    fake_message(conn, "x");
    fake_answer_published(server, TW_EUNAVAILABLE, NULL);
    assert_string_equal(fake_last_sent(conn), "unavailable");
    server->publish_error = TW_EOVERLOADED;
    assert_string_equal(answer_of(conn), "overloaded");
    fake_free(server);
}

static void publishing_may_pass_by_the_history(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn)\n"
        "  tw.publish('a', 'x', { history = false, wait = false })\n"
        "  tw.publish('a', 'x', { history = true })\n"
        "  conn:send(select(2, pcall(tw.publish, 'a', 'x', { id = '' })))\n"
        "  conn:send(select(2, pcall(tw.publish, 'a', 'x', { wait = 1 })))\n"
        "  conn:send(select(2, pcall(tw.publish, 'a', '\\255',\n"
        "    { wait = true })))\n"
        "  conn:send(select(2, pcall(string.gsub, 'a', 'a', function()\n"
        "    tw.publish('a', 'x', { wait = true }) end)))\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_true(server->published[0].no_history);
    assert_false(server->published[1].no_history);
    assert_int_equal(server->published_count, 2);
    assert_has(conn->sent[0].text, "id has 1 to 255 bytes");
    assert_has(conn->sent[1].text, "wait must be true or false");
    assert_has(conn->sent[2].text, "not valid UTF-8");
    assert_has(conn->sent[3].text, "tw.publish cannot wait inside");
    fake_free(server);
}

static void a_waiting_publication_has_the_hook_s_time_only(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn)\n"
        "  local at, err = tw.publish('room', 'x', { wait = true })\n"
        "  conn:send(err.code)\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_advance(server, 30001);
    assert_string_equal(fake_last_sent(conn), "timeout");
    tw_position at = {1, "e"};
    fake_answer_published(server, 0, &at); /* nobody cares any more */
    assert_int_equal(conn->sent_count, 1);
    fake_free(server);
}

/* ---- history ------------------------------------------------------------- */

static void history_is_a_list_with_its_position(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn)\n"
        "  local list = tw.channel('room'):history {\n"
        "    since = { epoch = 'e1', offset = 3 }, limit = 10,\n"
        "    reverse = true }\n"
        "  conn:send(list.epoch .. list.offset .. tostring(list.recovered) ..\n"
        "    #list.publications)\n"
        "  list = list.publications\n"
        "  conn:send(list[1])\n"
        "  conn:send(list[2].data, { binary = list[2].binary })\n"
        "  conn:send(tostring(list[2].key))\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    assert_string_equal(server->asked.name, "room");
    assert_int_equal(server->asked.history.since.offset, 3);
    assert_int_equal(server->asked.history.limit, 10);
    assert_true(server->asked.history.reverse);
    char *text = strdup("hello"), *key = strdup("k");
    tw_publication items[] = {
        {.data = text, .len = 5, .offset = 5, .key = fake_str(key)},
        {.data = "\xff", .len = 1, .offset = 4, .binary = true},
    };
    tw_history history = {
        .position = {5, "e1"}, .items = items, .count = 2, .recovered = true};
    fake_answer_history(server, 0, &history);
    free(text);
    free(key);
    assert_string_equal(conn->sent[0].text, "e15true2");
    assert_has(conn->sent[1].text, "\"data\":\"hello\"");
    assert_has(conn->sent[1].text, "\"key\":\"k\"");
    assert_has(conn->sent[1].text, "\"offset\":5");
    assert_has(conn->sent[1].text, "\"binary\":false");
    assert_true(conn->sent[2].binary);
    assert_string_equal(conn->sent[3].text, "nil");
    fake_free(server);
}

static void an_answer_outlives_the_freeze(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  local list = tw.channel('room'):history().publications\n"
                   "  conn:send(list[1].data)\n"
                   "  tw.sleep(1)\n"
                   "  conn:send(list[1].data)\n"
                   "end }");
    tw_member_hooks hooks = tw_lua_member_hooks(server->lua);
    char report[TW_REPORT_MAX];
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    tw_member next = {.generation = 2, .writes_snapshot = true};
    assert_int_equal(hooks.prepare(server, &next, report, server->lua), 0);
    assert_int_equal(hooks.freeze(server, report, server->lua), 0);
    char *text = strdup("kept");
    tw_publication item = {.data = text, .len = 4, .offset = 1};
    tw_history history = {.items = &item, .count = 1};
    fake_answer_history(server, 0, &history);
    memset(text, 'x', 4);
    free(text);
    fake_turns(server, 2);
    assert_int_equal(conn->sent_count, 0);
    hooks.commit(server, server->lua);
    fake_turns(server, 2);
    assert_string_equal(fake_last_sent(conn), "kept");
    fake_advance(server, 1100);
    assert_int_equal(conn->sent_count, 2);
    fake_free(server);
}

static void history_needs_no_options_and_refuses_wrong_ones(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn)\n"
        "  local ch = tw.channel('room')\n"
        "  for _, options in ipairs { { limit = 0 }, { limit = 1001 },\n"
        "      { limit = 1.5 }, { reverse = 1 }, { lmit = 1 } } do\n"
        "    conn:send(select(2, pcall(ch.history, ch, options)))\n"
        "  end\n"
        "  local list, err = ch:history()\n"
        "  conn:send(list and #list .. '' or err.code)\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_has(conn->sent[0].text, "limit must be a number from 1 to 1000");
    assert_has(conn->sent[1].text, "limit must be a number from 1 to 1000");
    assert_has(conn->sent[2].text, "limit must be a whole number");
    assert_has(conn->sent[3].text, "reverse must be true or false");
    assert_has(conn->sent[4].text, "did you mean 'limit'?");
    assert_int_equal(server->asked.history.limit, 0);
    tw_history none = {0};
    fake_answer_history(server, 0, &none);
    assert_string_equal(fake_last_sent(conn), "0");
    fake_message(conn, "x");
    fake_answer_history(server, TW_EUNAVAILABLE, NULL);
    assert_string_equal(fake_last_sent(conn), "unavailable");
    server->asked.error = TW_EOVERLOADED;
    assert_string_equal(answer_of(conn), "overloaded");
    fake_free(server);
}

static void the_latest_of_a_key_is_one_or_none(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn, msg)\n"
        "  local key = msg.data ~= 'none' and msg.data or nil\n"
        "  local entry, err = tw.channel('m'):latest(key)\n"
        "  conn:send(err and err.code or entry and entry.data or 'nothing')\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "cpu");
    assert_string_equal(server->asked.key, "cpu");
    tw_publication item = {.data = "42", .len = 2, .offset = 7};
    tw_history one = {.items = &item, .count = 1};
    fake_answer_history(server, 0, &one);
    assert_string_equal(fake_last_sent(conn), "42");
    fake_message(conn, "none");
    assert_string_equal(server->asked.key, "");
    tw_history none = {0};
    fake_answer_history(server, 0, &none);
    assert_string_equal(fake_last_sent(conn), "nothing");
    fake_message(conn, "cpu");
    fake_answer_history(server, TW_ECLOSED, NULL);
    assert_string_equal(fake_last_sent(conn), "closed");
    fake_free(server);
}

static void removing_does_not_wait(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn)\n"
        "  local ch = tw.channel('m')\n"
        "  conn:send(tostring(ch:remove('cpu')) .. tostring(ch:remove()))\n"
        "  conn:send(select(2, pcall(ch.remove, ch, ('k'):rep(256))))\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_DONE);
    assert_string_equal(fake_acts(server), "remove(m, cpu);remove(m, );");
    assert_string_equal(conn->sent[0].text, "truetrue");
    assert_has(conn->sent[1].text, "key has at most 255 bytes");
    fake_free(server);
}

/* ---- presence ------------------------------------------------------------ */

static void presence_lists_members_with_their_info(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn)\n"
        "  local list = tw.channel('room'):presence { limit = 7 }\n"
        "  conn:send(list.count .. ' ' .. list.connections .. ' ' ..\n"
        "    #list.members)\n"
        "  list = list.members\n"
        "  conn:send(list[1])\n"
        "  conn:send(list[2].info .. tostring(list[2].user))\n"
        "  conn:send(list[3].info .. tostring(list[4].info) ..\n"
        "    list[5].info)\n"
        "end }");
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_message(conn, "x"), TW_LATER);
    assert_int_equal(server->asked.limit, 7);
    tw_presence_member items[] = {
        {.id = "a",
         .user = fake_str("bob"),
         .info = fake_str("{\"n\":[1]}"),
         .connections = 2},
        {.id = "b", .info = fake_str("plain"), .connections = 1},
        {.id = "c", .info = fake_str("12"), .connections = 1},
        {.id = "d", .connections = 1},
        {.id = "e", .info = fake_str("{broken"), .connections = 1},
    };
    tw_presence_list list = {
        .members = 40, .connections = 50, .items = items, .count = 5};
    fake_answer_presence(server, 0, &list);
    assert_string_equal(conn->sent[0].text, "40 50 5");
    assert_has(conn->sent[1].text, "\"user\":\"bob\"");
    assert_has(conn->sent[1].text, "\"info\":{\"n\":[1]}");
    assert_has(conn->sent[1].text, "\"id\":\"a\"");
    assert_has(conn->sent[1].text, "\"connections\":2");
    assert_string_equal(conn->sent[2].text, "plainnil");
    assert_string_equal(conn->sent[3].text, "12nil{broken");
    fake_free(server);
}

static void a_channel_without_presence_says_so(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  local list, err = tw.channel('room'):presence()\n"
                   "  conn:send(tostring(list) .. tostring(err))\n"
                   "end }");
    tw_conn *conn = fake_connect(server, "/*");
    server->asked.error = TW_EINVALID;
    assert_string_equal(answer_of(conn),
                        "nilinvalid: the channel's class keeps no presence");
    server->asked.error = 0;
    fake_message(conn, "x");
    fake_answer_presence(server, TW_EINVALID, NULL);
    assert_has(fake_last_sent(conn), "keeps no presence");
    fake_message(conn, "x");
    fake_answer_presence(server, TW_EUNAVAILABLE, NULL);
    assert_has(fake_last_sent(conn), "nilunavailable");
    assert_int_equal(conn->sent_count, 3);
    fake_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscribe_says_where_it_goes_on),
        cmocka_unit_test(a_subscribe_may_want_the_last_ones),
        cmocka_unit_test(what_is_no_position_raises),
        cmocka_unit_test(publishing_may_wait_for_the_position),
        cmocka_unit_test(publishing_may_pass_by_the_history),
        cmocka_unit_test(a_waiting_publication_has_the_hook_s_time_only),
        cmocka_unit_test(history_is_a_list_with_its_position),
        cmocka_unit_test(an_answer_outlives_the_freeze),
        cmocka_unit_test(history_needs_no_options_and_refuses_wrong_ones),
        cmocka_unit_test(the_latest_of_a_key_is_one_or_none),
        cmocka_unit_test(removing_does_not_wait),
        cmocka_unit_test(presence_lists_members_with_their_info),
        cmocka_unit_test(a_channel_without_presence_says_so),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
