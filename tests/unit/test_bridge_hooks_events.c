/* What scripts are told of subscriptions: gaps, ends, joins and leaves.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

static int fake_recover_fail(tw_conn *conn, const char *channel,
                             tw_position since) {
    tw_server *server = conn->server;
    return server->hooks.on_recover_fail(conn, fake_str(channel), &since,
                                         server->lua);
}

static int fake_unsubscribed(tw_conn *conn, const char *channel,
                             const char *reason) {
    tw_server *server = conn->server;
    return server->hooks.on_unsubscribe(conn, fake_str(channel),
                                        fake_str(reason), server->lua);
}

static void a_gap_is_told_with_the_position_before_it(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_recover_fail = function(conn, channel, since)\n"
        "  conn.state.gaps = (conn.state.gaps or 0) + 1\n"
        "  conn:send(channel .. tostring(since and\n"
        "    since.epoch .. since.offset) .. conn.state.gaps)\n"
        "end }");
    assert_int_equal(fake_route(server, "/*")->config.hooks,
                     TW_HOOK_RECOVER_FAIL);
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_recover_fail(conn, "room", (tw_position){7, "e1"}),
                     TW_DONE);
    assert_string_equal(fake_last_sent(conn), "roome171");
    fake_recover_fail(conn, "plain", (tw_position){0, ""});
    assert_string_equal(fake_last_sent(conn), "plainnil2");
    fake_gone(conn);
    fake_free(server);
}

static void the_end_of_a_subscription_is_told_with_its_reason(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.app { on_unsubscribe = function(conn, channel, reason)\n"
        "  tw.sleep(1)\n"
        "  tw.publish('log', conn.id .. channel .. reason)\n"
        "end }");
    assert_int_equal(fake_route(server, "/*")->config.hooks,
                     TW_HOOK_UNSUBSCRIBE);
    tw_conn *conn = fake_connect(server, "/*");
    assert_int_equal(fake_unsubscribed(conn, "room", "remote"), TW_LATER);
    fake_advance(server, 1100);
    assert_string_equal(fake_last_published(server), "id-1roomremote");
    assert_int_equal(conn->done_count, 1);
    fake_free(server);
}

static void a_raising_hook_costs_what_errors_says(void **state) {
    (void)state;
    tw_server *server =
        fake_start("local function fail() error('broken') end\n"
                   "return tw.routes {\n"
                   "  ['/a'] = tw.app { on_recover_fail = fail },\n"
                   "  ['/b'] = tw.app { on_unsubscribe = fail },\n"
                   "  ['/c'] = tw.app { on_recover_fail = fail,\n"
                   "                    errors = 'ignore' } }");
    tw_conn *a = fake_connect(server, "/a"), *b = fake_connect(server, "/b");
    tw_conn *c = fake_connect(server, "/c");
    fake_recover_fail(a, "room", (tw_position){1, "e"});
    fake_unsubscribed(b, "room", "failed");
    fake_recover_fail(c, "room", (tw_position){1, "e"});
    assert_int_equal(a->close_code, 1011);
    assert_int_equal(b->close_code, 1011);
    assert_true(c->is_open);
    assert_int_equal(server->counters[TW_COUNTER_HOOK_ERRORS], 3);
    assert_has(fake_log_text, "call=on_recover_fail");
    assert_has(fake_log_text, "call=on_unsubscribe");
    fake_free(server);
}

static void a_new_generation_s_hooks_are_called(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_message = function(conn)\n"
                   "  conn.state.name = 'bob' end }");
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    fake_reload(server,
                "return tw.app { on_unsubscribe = function(conn, channel)\n"
                "  tw.publish('log', conn.state.name .. channel) end }");
    fake_unsubscribed(conn, "room", "closed");
    assert_string_equal(fake_last_published(server), "bobroom");
    fake_gone(conn);
    fake_free(server);
}

/* ---- joins and leaves ---------------------------------------------------- */

#define TELL(body)                                                             \
    "tw.channels { ['room:*'] = { presence = 'events',\n"                      \
    "  tell = function(channel, change)\n" body "\nend } }\n"                  \
    "return tw.app {}"

/* Of the class that the server was given first. */
static void fake_changed(tw_server *server, tw_presence_change change) {
    char *channel = strdup("room:1");
    change.channel = fake_str(channel);
    change.class_data = server->class_list[0].data;
    server->hooks.on_presence(server, &change, server->lua);
    free(channel);
}

static const tw_presence_member ann = {.id = "a", .connections = 1};

static void changes_are_told_in_the_script_s_words(void **state) {
    (void)state;
    tw_server *server = fake_start(
        TELL("  assert(change.reset == nil)\n"
             "  return { at = channel, count = change.count,\n"
             "    joined = change.joined[1].user, left = #change.left,\n"
             "    info = change.joined[1].info }"));
    tw_presence_member bob = {.id = "b",
                              .user = fake_str("bob"),
                              .info = fake_str("{\"n\":1}"),
                              .connections = 1};
    fake_changed(server, (tw_presence_change){
                             .joined = &bob, .joined_count = 1, .members = 3});
    const char *acts = fake_acts(server);
    assert_has(acts, "tell(room:1, {");
    assert_has(acts, "\"at\":\"room:1\"");
    assert_has(acts, "\"count\":3");
    assert_has(acts, "\"joined\":\"bob\"");
    assert_has(acts, "\"left\":0");
    assert_has(acts, "\"info\":{\"n\":1}");
    fake_free(server);
}

static void nothing_bytes_and_a_reset_are_told_too(void **state) {
    (void)state;
    tw_server *server = fake_start(
        TELL("  if change.reset then return '\\255', { binary = true } end\n"
             "  if #change.left > 0 then\n"
             "    tw.publish('log', change.left[1].id) end"));
    fake_changed(server, (tw_presence_change){.left = &ann, .left_count = 1});
    assert_string_equal(fake_acts(server), "");
    assert_string_equal(fake_last_published(server), "a");
    fake_changed(server, (tw_presence_change){.is_reset = true});
    assert_string_equal(fake_acts(server), "tell bytes(room:1, \xff);");
    assert_string_equal(fake_log_text, "");
    fake_free(server);
}

static void what_cannot_be_told_is_logged_and_counted(void **state) {
    (void)state;
    static const struct {
        const char *script, *part;
    } cases[] = {
        {TELL("  error('broken')"), "app.lua:4: broken"},
        {TELL("  tw.sleep(1)"), "tw.sleep cannot wait in tell"},
        {TELL("  return print"), "tell: data must be"},
        {TELL("  return '\\255'"), "not valid UTF-8"},
        {TELL("  return 'x', 5"), "options must be a table"},
        {TELL("  return 'x', { bin = true }"), "did you mean 'binary'?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tw_server *server = fake_start(cases[i].script);
        fake_changed(server, (tw_presence_change){.members = 1});
        assert_string_equal(fake_acts(server), "");
        assert_has(fake_log_text, cases[i].part);
        assert_has(fake_log_text, "call=tell");
        assert_has(fake_log_text, "channel=room:1");
        assert_int_equal(server->counters[TW_COUNTER_HOOK_ERRORS], 1);
        fake_free(server);
    }
}

static void the_present_generation_tells(void **state) {
    (void)state;
    tw_server *server = fake_start(TELL("  return 'old'"));
    tw_presence_change change = {.members = 1};
    fake_changed(server, change);
    fake_reload(server, TELL("  return 'new'"));
    fake_changed(server, change);
    assert_string_equal(fake_acts(server),
                        "tell(room:1, old);tell(room:1, new);");
    fake_reload(server, "return tw.app {}");
    change.class_data = (void *)1; /* as it was */
    change.channel = fake_str("room:1");
    server->hooks.on_presence(server, &change, server->lua);
    assert_string_equal(fake_acts(server), "");
    tw_lua_stop(server->lua);
    server->hooks.on_presence(server, &change, server->lua);
    fake_free(server);
}

/* The server's classes are those of a generation that is gone then. */
static void classes_that_were_not_taken_tell_nothing(void **state) {
    (void)state;
    tw_server *server = fake_start(TELL("  return 'old'"));
    server->classes_error = TW_ENOMEM;
    fake_reload(server, TELL("  return 'new'"));
    fake_turns(server, 50);
    fake_changed(server, (tw_presence_change){.members = 1});
    assert_string_equal(fake_acts(server), "");
    assert_has(fake_log_text, "classes could not be set");
    fake_free(server);
}

static void events_without_a_function_are_told_nobody(void **state) {
    (void)state;
    tw_server *server =
        fake_start("tw.channels { ['room:*'] = { presence = 'events' } }\n"
                   "return tw.app {}");
    assert_null(server->class_list[0].data);
    fake_changed(server, (tw_presence_change){.members = 1});
    assert_string_equal(fake_acts(server), "");
    fake_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gap_is_told_with_the_position_before_it),
        cmocka_unit_test(the_end_of_a_subscription_is_told_with_its_reason),
        cmocka_unit_test(a_raising_hook_costs_what_errors_says),
        cmocka_unit_test(a_new_generation_s_hooks_are_called),
        cmocka_unit_test(changes_are_told_in_the_script_s_words),
        cmocka_unit_test(nothing_bytes_and_a_reset_are_told_too),
        cmocka_unit_test(what_cannot_be_told_is_logged_and_counted),
        cmocka_unit_test(the_present_generation_tells),
        cmocka_unit_test(classes_that_were_not_taken_tell_nothing),
        cmocka_unit_test(events_without_a_function_are_told_nobody),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
