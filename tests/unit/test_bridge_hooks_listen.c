/* tw.subscribe: scripts that listen to a channel.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

/* As in lua/bridge/listen.h. */
enum { HEARD_MAX = 1000 };

/* What was published meanwhile: "a b c". */
static const char *said(tw_server *server) {
    static char text[FAKE_TEXT];
    text[0] = '\0';
    for (size_t i = 0; i < server->published_count; i++) {
        strcat(text, i ? " " : "");
        strcat(text, server->published[i].data.text);
    }
    server->published_count = 0;
    return text;
}

#define SAY(text) "tw.publish('log', " text ")"

static void a_function_gets_what_is_published(void **state) {
    (void)state;
    tw_server *server =
        fake_start("tw.subscribe('room', function(msg, channel)\n"
                   "  local kept = msg:keep()\n"
                   "  " SAY("channel .. msg.data .. msg.offset .. "
                            "msg.key") "\n"
                                       "  " SAY("kept.data .. kept.offset "
                                                ".. kept.key") "\n"
                                                               "end)\n"
                                                               "return "
                                                               "tw.app {}");
    fake_publish(server, "room", "hello", 7, "k");
    assert_string_equal(said(server), "roomhello7k hello7k");
    assert_int_equal(server->counters[TW_COUNTER_HOOK_CALLS], 1);
    fake_free(server);
}

static void what_is_not_there_is_nil(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "local function show(msg)\n"
        "  local kept = msg:keep()\n"
        "  " SAY("tostring(msg.offset) .. tostring(msg.key) .. #msg ..\n"
                 "    tostring(kept.offset) .. tostring(kept.key) .. "
                 "#kept") "\n"
                          "end\n"
                          "tw.subscribe('room', show)\n"
                          "return tw.app { on_message = function(conn, "
                          "msg) show(msg) end }");
    fake_publish(server, "room", "", 0, "");
    fake_message(fake_connect(server, "/*"), "abc");
    assert_string_equal(said(server), "nilnil0nilnil0 nilnil3nilnil3");
    fake_free(server);
}

static void listening_begins_with_the_generation(void **state) {
    (void)state;
    tw_lua_config config = fake_config();
    char report[TW_REPORT_MAX];
    tw_server *server = fake_server_with(
        &config, "tw.subscribe('room', print) return tw.app {}");
    tw_member_hooks hooks = tw_lua_member_hooks(server->lua);
    tw_member member = {.generation = 1, .writes_snapshot = true};
    assert_int_equal(hooks.start(server, &member, report, server->lua), 0);
    assert_null(server->subscriptions);
    hooks.started(server, &member, server->lua);
    assert_non_null(fake_subscription(server, "room"));
    fake_free(server);
}

/* The next ones come while it waits; they come in order, one at a time. */
static void publications_run_one_after_the_other(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "tw.subscribe('room', function(msg)\n"
        "  " SAY("'<' .. msg.data") "\n"
                                    "  tw.sleep(1)\n"
                                    "  " SAY(
                                        "msg.data .. msg.offset .. msg.key .. "
                                        "'>'") "\n"
                                               "end)\n"
                                               "return tw.app {}");
    fake_publish(server, "room", "a", 1, "x");
    fake_publish(server, "room", "b", 2, "yy");
    fake_publish(server, "room", "c", 3, "z");
    assert_string_equal(said(server), "<a");
    fake_advance(server, 1001);
    assert_string_equal(said(server), "a1x> <b");
    fake_advance(server, 1001);
    fake_publish(server, "room", "d", 4, "k");
    fake_advance(server, 1001);
    assert_string_equal(said(server), "b2yy> <c c3z> <d");
    fake_advance(server, 3000);
    assert_string_equal(said(server), "d4k>");
    fake_free(server);
}

static void two_functions_do_not_wait_for_each_other(void **state) {
    (void)state;
    tw_server *server =
        fake_start("tw.subscribe('room', function(msg) tw.sleep(1) end)\n"
                   "tw.subscribe('room', function(msg) " SAY(
                       "msg.data") " end)\n"
                                   "return tw.app {}");
    assert_int_equal(server->subscribed_count, 1);
    fake_publish(server, "room", "a", 1, "");
    fake_publish(server, "room", "b", 2, "");
    assert_string_equal(said(server), "a b");
    fake_free(server);
}

static void an_error_is_logged_and_the_subscription_goes_on(void **state) {
    (void)state;
    tw_server *server =
        fake_start("tw.subscribe('room', function(msg)\n"
                   "  if msg.data == 'a' then error('bad') end\n"
                   "  " SAY("msg.data") "\n"
                                        "end)\n"
                                        "return tw.app {}");
    fake_publish(server, "room", "a", 1, "");
    fake_publish(server, "room", "b", 2, "");
    assert_string_equal(said(server), "b");
    assert_has(fake_log_text, "app.lua:3: bad");
    assert_has(fake_log_text, "channel=room");
    assert_int_equal(server->counters[TW_COUNTER_HOOK_ERRORS], 1);
    fake_free(server);
}

static void a_function_that_is_too_slow_loses_the_oldest(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local n, first, last = 0\n"
                   "tw.subscribe('room', function(msg)\n"
                   "  if n == 0 then tw.sleep(1) end\n"
                   "  n, last = n + 1, msg.data\n"
                   "  first = first or n == 2 and msg.data or nil\n"
                   "end)\n"
                   "return tw.app { on_message = function(conn)\n"
                   "  conn:send(n .. ' ' .. first .. ' ' .. last) end }");
    tw_conn *conn = fake_connect(server, "/*");
    char text[24];
    for (int i = 0; i <= HEARD_MAX + 5; i++) {
        snprintf(text, sizeof text, "p%d", i);
        fake_publish(server, "room", text, 0, "");
    }
    assert_int_equal(server->counters[TW_COUNTER_LISTEN_DROPPED], 5);
    assert_has(fake_log_text, "a function of tw.subscribe is too slow "
                              "channel=room dropped=1");
    fake_advance(server, 1100);
    fake_turns(server, 100);
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "1001 p6 p1005");
    fake_free(server);
}

static void what_waits_is_bounded_in_bytes_too(void **state) {
    (void)state;
    enum { BIG = 1 << 20, COUNT = 20 };
    tw_server *server = fake_start(
        "local n = 0\n"
        "tw.subscribe('room', function(msg)\n"
        "  if n == 0 then tw.sleep(1) end\n"
        "  n = n + 1\n"
        "end)\n"
        "return tw.app { on_message = function(conn) conn:send(n) end }");
    tw_conn *conn = fake_connect(server, "/*");
    char *text = malloc(BIG + 1);
    memset(text, 'x', BIG);
    text[BIG] = '\0';
    for (int i = 0; i <= COUNT; i++) {
        fake_publish(server, "room", text, 0, "");
    }
    free(text);
    assert_int_equal(server->counters[TW_COUNTER_LISTEN_DROPPED], COUNT - 16);
    fake_advance(server, 1100);
    fake_turns(server, 20);
    fake_message(conn, "x");
    assert_string_equal(fake_last_sent(conn), "17");
    fake_free(server);
}

static void cancelling_ends_it_also_from_inside(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "local sub, other\n"
        "sub = tw.subscribe('room', function(msg)\n"
        "  " SAY(
            "msg.data") "\n"
                        "  sub:cancel() sub:cancel() other:cancel()\n"
                        "  sub = tw.subscribe('room', function(m) " SAY(
                            "'new ' .. m.data") "\n"
                                                "    sub:cancel() end)\n"
                                                "end)\n"
                                                "other = tw.subscribe('room', "
                                                "function(msg) " SAY(
                                                    "'other'") " end)\n"
                                                               "return tw.app "
                                                               "{}");
    fake_publish(server, "room", "a", 1, "");
    assert_string_equal(said(server), "a");
    fake_publish(server, "room", "b", 2, "");
    assert_string_equal(said(server), "new b");
    assert_null(server->subscriptions);
    fake_free(server);
}

static void what_waits_is_dropped_by_cancelling(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "local sub = tw.subscribe('room', function(msg)\n"
        "  tw.sleep(1) " SAY("msg.data") " end)\n"
                                         "return tw.app { on_message = "
                                         "function() sub:cancel() end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_publish(server, "room", "a", 1, "");
    fake_publish(server, "room", "b", 2, "");
    fake_message(conn, "x");
    assert_null(server->subscriptions);
    fake_advance(server, 5000);
    assert_string_equal(said(server), "a"); /* what runs goes on */
    fake_free(server);
}

static void a_hook_may_listen(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_message = function(conn, msg)\n"
        "  local sub, err = tw.subscribe(msg.data, function(m)\n"
        "    " SAY("m.data") " end)\n"
                             "  conn:send(sub and "
                             "tostring(sub):match('^[%a.]+') or err.code)\n"
                             "  conn:send(select(2, pcall(function() return "
                             "sub.cancl end)))\n"
                             "end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "room");
    assert_string_equal(conn->sent[0].text, "tw.Listener");
    assert_has(conn->sent[1].text, "did you mean 'cancel'?");
    fake_publish(server, "room", "a", 1, "");
    assert_string_equal(said(server), "a");
    server->asked.error = TW_ENOMEM;
    fake_message(conn, "other");
    assert_string_equal(conn->sent[2].text, "overloaded");
    fake_free(server);
}

static void there_is_an_end_to_listening(void **state) {
    (void)state;
    assert_has(fake_refusal("for i = 1, 1001 do tw.subscribe('a', print) end"),
               "tw.subscribe: more than 1000 at a time");
    tw_server *server =
        fake_start("for i = 1, 3000 do tw.subscribe('a', print):cancel() end\n"
                   "return tw.app {}");
    assert_null(server->subscriptions);
    fake_free(server);
}

/* ---- generations --------------------------------------------------------- */

static void a_reload_loses_no_publication(void **state) {
    (void)state;
    const char *script = "tw.subscribe('room', function(msg)\n"
                         "  local g = tw.generation\n"
                         "  tw.sleep(1)\n"
                         "  " SAY("msg.data .. g") "\n"
                                                   "end)\n"
                                                   "return tw.app {}";
    tw_server *server = fake_start(script);
    fake_publish(server, "room", "a", 1, "");
    fake_publish(server, "room", "b", 2, "");
    fake_reload(server, script);
    assert_int_equal(server->subscribed_count, 1); /* it never let go */
    fake_publish(server, "room", "c", 3, "");
    fake_advance(server, 5000);
    assert_string_equal(said(server), "a1 b2 c2");
    assert_string_equal(fake_log_text, "");
    fake_turns(server, 50);
    assert_null(server->idle); /* the old VM has been collected */
    fake_free(server);
}

static void functions_of_one_channel_follow_each_other(void **state) {
    (void)state;
    const char *script =
        "local function add(name)\n"
        "  tw.subscribe('room', function(msg)\n"
        "    tw.sleep(1) " SAY("name .. msg.data") " end)\n"
                                                   "end\n"
                                                   "add('x') add('y')\n"
                                                   "return tw.app {}";
    tw_server *server = fake_start(script);
    fake_publish(server, "room", "a", 1, "");
    fake_publish(server, "room", "b", 2, "");
    fake_reload(server, script);
    fake_advance(server, 5000);
    const char *all = said(server);
    assert_has(all, "xa");
    assert_has(all, "ya");
    assert_has(all, "xb");
    assert_has(all, "yb");
    assert_int_equal(strlen(all), 11);
    fake_free(server);
}

static void a_generation_that_does_not_listen_hears_nothing(void **state) {
    (void)state;
    tw_server *server =
        fake_start("tw.subscribe('room', function(msg)\n"
                   "  tw.sleep(1) " SAY("msg.data") " end)\n"
                                                    "return tw.app {}");
    fake_publish(server, "room", "a", 1, "");
    fake_publish(server, "room", "b", 2, "");
    fake_reload(server, "return tw.app {}");
    assert_null(server->subscriptions);
    fake_advance(server, 5000);
    assert_string_equal(said(server), "a");
    fake_free(server);
}

static void a_reload_that_fails_leaves_the_old_one_listening(void **state) {
    (void)state;
    char report[TW_REPORT_MAX];
    tw_server *server = fake_start("tw.subscribe('room', function(msg) " SAY(
        "msg.data") " end)\n"
                    "return tw.app {}");
    fake_source("tw.subscribe('other', print) error('no')");
    assert_int_equal(tw_lua_reload(server->lua, report), TW_EINVALID);
    assert_null(fake_subscription(server, "other"));
    fake_publish(server, "room", "a", 1, "");
    assert_string_equal(said(server), "a");
    fake_free(server);
}

static void without_memory_at_the_switch_it_is_logged(void **state) {
    (void)state;
    tw_server *server = fake_start("return tw.app {}");
    server->asked.error = TW_ENOMEM;
    fake_reload(server, "tw.subscribe('room', print) return tw.app {}");
    assert_has(fake_log_text, "tw.subscribe: out of memory channel=room");
    assert_null(server->subscriptions);
    fake_free(server);
}

/* A publication may come while a hook runs, or while all is frozen. */
static void what_comes_at_a_bad_time_is_heard_later(void **state) {
    (void)state;
    char report[TW_REPORT_MAX];
    tw_server *server = fake_start("tw.subscribe('room', function(msg) " SAY(
        "msg.data") " end)\n"
                    "return tw.app {}");
    tw_member_hooks hooks = tw_lua_member_hooks(server->lua);
    tw_member next = {.generation = 2, .writes_snapshot = true};
    assert_int_equal(hooks.prepare(server, &next, report, server->lua), 0);
    assert_int_equal(hooks.freeze(server, report, server->lua), 0);
    fake_publish(server, "room", "a", 1, "");
    fake_turns(server, 2);
    assert_string_equal(said(server), "");
    hooks.abort(server, server->lua);
    fake_turns(server, 2);
    assert_string_equal(said(server), "a");
    fake_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_gets_what_is_published),
        cmocka_unit_test(what_is_not_there_is_nil),
        cmocka_unit_test(listening_begins_with_the_generation),
        cmocka_unit_test(publications_run_one_after_the_other),
        cmocka_unit_test(two_functions_do_not_wait_for_each_other),
        cmocka_unit_test(an_error_is_logged_and_the_subscription_goes_on),
        cmocka_unit_test(a_function_that_is_too_slow_loses_the_oldest),
        cmocka_unit_test(what_waits_is_bounded_in_bytes_too),
        cmocka_unit_test(cancelling_ends_it_also_from_inside),
        cmocka_unit_test(what_waits_is_dropped_by_cancelling),
        cmocka_unit_test(a_hook_may_listen),
        cmocka_unit_test(there_is_an_end_to_listening),
        cmocka_unit_test(a_reload_loses_no_publication),
        cmocka_unit_test(functions_of_one_channel_follow_each_other),
        cmocka_unit_test(a_generation_that_does_not_listen_hears_nothing),
        cmocka_unit_test(a_reload_that_fails_leaves_the_old_one_listening),
        cmocka_unit_test(without_memory_at_the_switch_it_is_logged),
        cmocka_unit_test(what_comes_at_a_bad_time_is_heard_later),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
