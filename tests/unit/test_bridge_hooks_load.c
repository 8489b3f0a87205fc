/* What a script may say while it loads, and how it is told of mistakes.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

static void an_unknown_hook_names_the_nearest_and_its_place(void **state) {
    (void)state;
    const char *report = fake_refusal("\nreturn tw.app { on_mesage = print }");
    assert_has(report, "app.lua:3: unknown hook 'on_mesage' "
                       "(did you mean 'on_message'?)");
}

static void mistakes_in_options_are_told(void **state) {
    (void)state;
    static const struct {
        const char *script, *part;
    } cases[] = {
        {"return tw.app { pings = 3 }", "unknown option 'pings' (did you mean "
                                        "'ping'?)"},
        {"return tw.app { ping = 'x' }", "ping must be a number, not string"},
        {"return tw.app { ping = -1 }", "ping must be a number from"},
        {"return tw.app { on_open = 1 }", "on_open must be a function"},
        {"return tw.app { on_rpc = print }",
         "hook 'on_rpc' is not available in this version"},
        {"return tw.app { wire = 'centrifuge' }", "not available"},
        {"return tw.app { wire = 'tin' }", "unknown wire 'tin'"},
        {"return tw.app { deflate = true }", "'shared' or 'off'"},
        {"return tw.app { errors = 'maybe' }", "'close' or 'ignore'"},
        {"return tw.app { rate = { message = 3 } }",
         "did you mean 'messages'?"},
        {"return tw.app { rate = { burst = 3 } }", "needs messages or bytes"},
        {"return tw.app { rate = { messages = 3, over = 'x' } }",
         "'close', 'drop' or 'wait'"},
        {"return tw.app { drain = { code = 1 } }", "code must be a number"},
        {"return tw.app { version = {} }", "version must be"},
        {"return tw.app { origins = {} }", "origins must be a list"},
        {"return tw.app(3)", "takes a table"},
        {"return 3", "must return tw.app{...} or tw.routes{...}, not a number"},
        {"return nil", "not nothing"},
        {"return tw.routes {}", "from 1 to"},
        {"return tw.routes { ['chat'] = tw.app {} }", "must begin with '/'"},
        {"return tw.routes { ['/a/*/b'] = tw.app {} }", "'*' must be the last"},
        {"return tw.routes { ['/a'] = 3 }", "not to a number"},
        {"return tw.routes { ['get /a'] = print }", "bad method"},
        {"return tw.routes { ['GET /a'] = tw.app {} }", "only functions"},
        {"return tw.routes { ['/a'] = tw.static 'www' }", "ends in '*'"},
        {"return tw.routes { ['/:a'] = print, ['/:b'] = print }",
         "are the same path"},
        {"tw.channels { ['a*b'] = {} }", "may only stand at the end"},
        {"tw.channels { a = { history = 1.5 } }", "must be a whole number"},
        {"tw.channels { a = { history = 1e6 } }", "from 0 to 100000"},
        {"tw.channels { a = { retain = -1 } }", "from 0 to 100000"},
        {"tw.channels { a = { ttl = 5 } }", "history or retain"},
        {"tw.channels { a = { history = 1, ttl = 0 } }", "ttl must be"},
        {"tw.channels { a = { presence = 'lits' } }",
         "unknown presence 'lits' (did you mean 'list'?)"},
        {"tw.channels { a = { presence = 5 } }", "presence must be a string"},
        {"tw.channels { a = { presence = 'events', tell = 5 } }",
         "tell must be a function"},
        {"tw.channels { a = { presence = 'list', tell = print } }",
         "tell needs presence = \"events\""},
        {"return tw.app { user_connections = {} }", "needs max"},
        {"return tw.app { user_connections = { max = 0 } }", "max must be"},
        {"return tw.app { user_connections = { max = 1, over = 'x' } }",
         "'oldest' or 'newest'"},
        {"tw.user('x'):send('y')", "cannot be used while the script loads"},
        {"tw.conn('x'):send('y')", "cannot be used while the script loads"},
        {"tw.channel('x'):history()", "cannot be used while"},
        {"tw.subscribe('x')", "the callback must be a function"},
        {"tw.subscribe('', print)", "1 to 255 bytes"},
        {"tw.channels { a = { slow = 'drop' } }", "unknown slow policy"},
        {"tw.channels { a = {} } tw.channels { a = {} }", "declared twice"},
        {"tw.publsh('a', 'b')", "did you mean 'publish'?"},
        {"tw.rooms('x')", "name 'rooms' is not available in this version"},
        {"require 'tidewire.test'", "tidewire.test is for files"},
        {"tw.mine = 1", "read-only"},
        {"tw.publish('a', 'b')", "cannot be used while the script loads"},
        {"tw.spawn(print)", "cannot be used while the script loads"},
        {"tw.sleep(1)", "tw.sleep cannot wait while the script loads"},
        {"tw.every(1, print, { once = 'server' })", "needs a name"},
        {"tw.every(1, print, { name = 'a' }) "
         "tw.every(1, print, { name = 'a' })",
         "named 'a' already"},
        {"tw.every(1, print, { once = 'cluster', name = 'a' })",
         "not available"},
        {"tw.every(0, print)", "seconds must be a number from"},
        {"tw.after(1)", "must be a function"},
        {"mistake = 1", "app.lua:2:"},
        {"local x = = 1", "app.lua:2:"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *report = fake_refusal(cases[i].script);
        assert_has(report, cases[i].part);
    }
}

static void settings_reach_the_server(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "tw.channels { ['m'] = { slow = 'conflate', batch = 0.02 } }\n"
        "tw.channels { ['n:*'] = { slow = 'drop_old', history = 10,\n"
        "  ttl = 1.5, retain = 3, presence = 'list' } }\n"
        "tw.channels { ['r'] = { slow = 'resync', presence = 'events',\n"
        "  tell = print } }\n"
        "return tw.routes {\n"
        "  ['/ws'] = tw.app {\n"
        "    ping = 1.5, idle = 4, max_message = 100, origins = { 'a', 'b' },\n"
        "    rate = { messages = 20, burst = 40, over = 'wait' },\n"
        "    drain = { spread = 2, code = 4000 }, deflate = 'off',\n"
        "    wire = 'raw', errors = 'close', version = 3,\n"
        "    user_connections = { max = 5, over = 'newest' } },\n"
        "  ['/*'] = tw.static 'www',\n"
        "  ['POST /hook'] = function() end,\n"
        "}");
    const tw_route_config *config = &fake_route(server, "/ws")->config;
    assert_int_equal(config->ping_ms, 1500);
    assert_int_equal(config->idle_ms, 4000);
    assert_int_equal(config->max_message_bytes, 100);
    assert_int_equal(config->origin_count, 2);
    assert_string_equal(config->origins[1], "b");
    assert_true(config->rate.messages == 20);
    assert_true(config->rate.burst == 2);
    assert_int_equal(config->rate.over, TW_RATE_WAIT);
    assert_int_equal(config->drain_spread_ms, 2000);
    assert_int_equal(config->drain_code, 4000);
    assert_int_equal(config->user_connections, 5);
    assert_true(config->closes_newest);
    const tw_route_config *files = &fake_route(server, "/*")->config;
    assert_int_equal(files->kind, TW_ROUTE_STATIC);
    assert_has(fake_log_text, "");
    assert_int_equal(fake_route(server, "/hook")->kind, TW_ROUTE_HTTP);
    assert_string_equal(fake_route(server, "/hook")->method, "POST");
    assert_has(server->classes, "m=3/20;");
    assert_has(server->classes, "n:*=2/0;");
    assert_int_equal(server->class_count, 3);
    const tw_class_config *kept = &server->class_list[1];
    assert_string_equal(kept->pattern, "n:*");
    assert_int_equal(kept->history, 10);
    assert_int_equal(kept->ttl_ms, 1500);
    assert_int_equal(kept->retain, 3);
    assert_int_equal(kept->presence, TW_PRESENCE_LIST);
    assert_null(kept->data);
    const tw_class_config *told = &server->class_list[2];
    assert_int_equal(told->slow, TW_SLOW_RESYNC);
    assert_int_equal(told->presence, TW_PRESENCE_EVENTS);
    assert_non_null(told->data);
    fake_free(server);
}

static void check_says_what_it_found(void **state) {
    (void)state;
    char report[TW_REPORT_MAX];
    tw_lua_config config = fake_config();
    fake_source("tw.channels { a = {} }\n"
                "tw.every(1, print, { name = 'x', once = 'server' })\n"
                "return tw.routes { ['/a'] = tw.app {}, ['/b'] = print }");
    assert_int_equal(tw_lua_check(&config, report), 0);
    assert_string_equal(report, "2 routes, 1 channel class");
}

static void a_missing_script_is_told(void **state) {
    (void)state;
    char report[TW_REPORT_MAX];
    tw_lua_config config = fake_config();
    config.script = "/nowhere/app.lua";
    assert_int_equal(tw_lua_check(&config, report), TW_ENOT_FOUND);
    assert_has(report, "/nowhere/app.lua");
}

static void facts_are_there(void **state) {
    (void)state;
    tw_lua_config config = fake_config();
    tw_lua_value values[] = {{"n", "12"}, {"t", "{\"a\":[1]}"}};
    config.values = values;
    config.value_count = 2;
    const char *files[] = {"/proc/loadavg", "granted.txt", "gone.txt"};
    config.files = files;
    config.file_count = 3;
    fake_write("granted.txt", "content");
    fake_write("secret.txt", "secret");
    tw_server *server = fake_server_with(
        &config,
        "local n, t, d = tw.config.get('n'), tw.config.get('t').a[1],\n"
        "  tw.config.get('d', 'e')\n"
        "return tw.app { on_message = function(conn)\n"
        "  conn:send(n .. t .. d)\n"
        "  conn:send(tw.node.id .. tw.worker .. tw.generation)\n"
        "  conn:send(tw.file.read('granted.txt'))\n"
        "  conn:send(select(2, tw.file.read('secret.txt')).code)\n"
        "  conn:send(select(2, tw.file.read('gone.txt')).code)\n"
        "  conn:send(select(2, tw.file.read('/etc/../etc/passwd')).code)\n"
        "  conn:send(tostring(#tw.file.read('/proc/loadavg') > 5))\n"
        "  local s = tw.stats()\n"
        "  conn:send(s.connections .. #s.workers .. s.workers[1].pid ..\n"
        "            s.workers[1].uptime)\n"
        "  conn:send(tostring(tw.now() > 1.6e9 and tw.clock() > 0))\n"
        "end }");
    char report[TW_REPORT_MAX];
    assert_int_equal(tw_lua_start(server->lua, server, report), 0);
    tw_conn *conn = fake_connect(server, "/*");
    fake_message(conn, "x");
    assert_string_equal(fake_log_text, "");
    assert_string_equal(conn->sent[0].text, "121e");
    assert_string_equal(conn->sent[1].text, "node-101");
    assert_string_equal(conn->sent[2].text, "content");
    assert_string_equal(conn->sent[3].text, "denied");
    assert_string_equal(conn->sent[4].text, "not_found");
    assert_string_equal(conn->sent[5].text, "denied");
    assert_string_equal(conn->sent[6].text, "true");
    assert_string_equal(conn->sent[7].text, "311002.5");
    assert_string_equal(conn->sent[8].text, "true");
    fake_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_hook_names_the_nearest_and_its_place),
        cmocka_unit_test(mistakes_in_options_are_told),
        cmocka_unit_test(settings_reach_the_server),
        cmocka_unit_test(check_says_what_it_found),
        cmocka_unit_test(a_missing_script_is_told),
        cmocka_unit_test(facts_are_there),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
