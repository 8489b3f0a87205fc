/* on_upgrade and HTTP handlers.
 * SPDX-License-Identifier: MIT */
#include "bridge_hooks_fake.h"

static void upgrade(tw_server *server, tw_req *req, const char *pattern) {
    req->server = server;
    req->route = fake_route(server, pattern);
    req->refs = 1;
    server->hooks.on_upgrade(req, server->lua);
}

static void request(tw_server *server, tw_req *req, const char *pattern) {
    req->server = server;
    req->route = fake_route(server, pattern);
    req->refs = 1;
    server->hooks.on_request(req, server->lua);
}

static void each_result_of_on_upgrade_has_its_answer(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "local function app(f) return tw.app { on_upgrade = f } end\n"
        "return tw.routes {\n"
        "  ['/true'] = app(function() return true end),\n"
        "  ['/table'] = app(function(req) return { user = 'bob',\n"
        "     info = { n = 1 }, subprotocol = 'chat', expires = 1.5 } end),\n"
        "  ['/number'] = app(function() return { user = 12 } end),\n"
        "  ['/err'] = app(function() return nil, tw.error('limit', 'm') end),\n"
        "  ['/text'] = app(function() return nil, 'no' end),\n"
        "  ['/status'] = app(function() return nil,\n"
        "     { status = 451, reason = 'law' } end),\n"
        "  ['/nothing'] = app(function() end),\n"
        "  ['/raise'] = app(function() error('broken') end),\n"
        "  ['/typo'] = app(function() return { usr = 'x' } end),\n"
        "  ['/proto'] = app(function() return { subprotocol = 'x' } end),\n"
        "  ['/absent'] = tw.app {},\n"
        "}");
    static const char *offered[][3] = {{"s", "chat", ""}, {NULL, NULL, NULL}};
    tw_req ok = {0}, table = {.pairs = offered}, number = {0}, err = {0};
    tw_req text = {0}, status = {0}, nothing = {0}, raise = {0}, typo = {0};
    tw_req proto = {0}, absent = {0};
    upgrade(server, &ok, "/true");
    assert_true(ok.is_accepted);
    upgrade(server, &table, "/table");
    assert_true(table.is_accepted);
    assert_string_equal(table.user, "bob");
    assert_string_equal(table.info, "{\"n\":1}");
    assert_string_equal(table.subprotocol, "chat");
    assert_int_equal(table.expires_ms, 1500);
    upgrade(server, &number, "/number");
    assert_string_equal(number.user, "12");
    upgrade(server, &err, "/err");
    assert_int_equal(err.status, 429);
    assert_string_equal(err.reason, "m");
    upgrade(server, &text, "/text");
    assert_int_equal(text.status, 403);
    assert_string_equal(text.reason, "no");
    upgrade(server, &status, "/status");
    assert_int_equal(status.status, 451);
    assert_string_equal(status.reason, "law");
    assert_string_equal(fake_log_text, "");
    upgrade(server, &nothing, "/nothing");
    assert_int_equal(nothing.status, 403);
    assert_has(fake_log_text, "returned nothing");
    upgrade(server, &raise, "/raise");
    assert_int_equal(raise.status, 500);
    assert_has(fake_log_text, "broken");
    upgrade(server, &typo, "/typo");
    assert_int_equal(typo.status, 500);
    assert_has(fake_log_text, "did you mean 'user'?");
    upgrade(server, &proto, "/proto");
    assert_int_equal(proto.status, 500);
    assert_has(fake_log_text, "was not offered");
    upgrade(server, &absent, "/absent");
    assert_true(absent.is_accepted);
    assert_int_equal(ok.refs, 1);
    assert_int_equal(raise.refs, 1);
    fake_free(server);
}

static void on_upgrade_may_wait(void **state) {
    (void)state;
    tw_server *server =
        fake_start("return tw.app { on_upgrade = function(req)\n"
                   "  tw.sleep(1)\n"
                   "  return { user = req.headers.token }\n"
                   "end }");
    static const char *pairs[][3] = {{"h", "token", "bob"}, {NULL, NULL, NULL}};
    tw_req req = {.pairs = pairs};
    upgrade(server, &req, "/*");
    assert_false(req.is_answered);
    assert_int_equal(req.refs, 2);
    fake_advance(server, 1500);
    assert_true(req.is_accepted);
    assert_string_equal(req.user, "bob");
    assert_int_equal(req.refs, 1);
    fake_free(server);
}

static void a_request_shows_its_parts(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "local kept\n"
        "return tw.routes { ['/a'] = function(req)\n"
        "  if kept then return 200, select(2, pcall(function()\n"
        "    return kept.path end)) end\n"
        "  kept = req\n"
        "  return 200, table.concat({ req.method, req.path, req.params.id,\n"
        "    req.query.k, req.headers['x-a'], req.cookies.c, req.ip,\n"
        "    req.body, req.protocols[1], req:json().z,\n"
        "    tostring(req.headers == req.headers) }, '|')\n"
        "end }");
    static const char *pairs[][3] = {
        {"p", "id", "7"},   {"q", "k", "first"}, {"q", "k", "last"},
        {"h", "x-a", "1"},  {"h", "x-a", "2"},   {"H", "x-a", "1, 2"},
        {"c", "c", "one"},  {"c", "c", "two"},   {"s", "chat", ""},
        {NULL, NULL, NULL},
    };
    tw_req req = {
        .method = "POST", .path = "/a", .pairs = pairs, .body = "{\"z\":9}"};
    request(server, &req, "/a");
    assert_string_equal(fake_log_text, "");
    assert_string_equal(req.body_out.text,
                        "POST|/a|7|last|1, 2|one|127.0.0.1|{\"z\":9}|chat|9|"
                        "true");
    tw_req late = {0};
    request(server, &late, "/a");
    assert_has(late.body_out.text, "valid until its hook returned");
    fake_free(server);
}

static void handlers_answer_with_status_body_and_headers(void **state) {
    (void)state;
    tw_server *server = fake_start(
        "return tw.routes {\n"
        "  ['/none'] = function() return 204 end,\n"
        "  ['/text'] = function() return 200, 'hi' end,\n"
        "  ['/json'] = function() return 201, { a = 1 } end,\n"
        "  ['/own'] = function() return 200, '<p>',\n"
        "     { ['Content-Type'] = 'text/html', ['x-n'] = 5,\n"
        "       ['set-cookie'] = { 'a=1', 'b=2' } } end,\n"
        "  ['/nil'] = function() end,\n"
        "  ['/word'] = function() return '200' end,\n"
        "  ['/raise'] = function() error('broken') end,\n"
        "  ['/late'] = function() tw.sleep(1) return 200, 'late' end,\n"
        "}");
    tw_req none = {0}, text = {0}, json = {0}, own = {0}, nil = {0};
    tw_req word = {0}, raise = {0}, late = {0};
    request(server, &none, "/none");
    assert_int_equal(none.status, 204);
    assert_string_equal(none.headers, "");
    request(server, &text, "/text");
    assert_string_equal(text.body_out.text, "hi");
    assert_has(text.headers, "content-type: text/plain; charset=utf-8");
    request(server, &json, "/json");
    assert_int_equal(json.status, 201);
    assert_string_equal(json.body_out.text, "{\"a\":1}");
    assert_has(json.headers, "content-type: application/json");
    request(server, &own, "/own");
    assert_has(own.headers, "Content-Type: text/html\n");
    assert_has(own.headers, "x-n: 5\n");
    assert_has(own.headers, "set-cookie: a=1\nset-cookie: b=2\n");
    assert_null(strstr(own.headers, "text/plain"));
    assert_string_equal(fake_log_text, "");
    request(server, &nil, "/nil");
    assert_int_equal(nil.status, 500);
    assert_has(nil.headers, "application/json");
    assert_has(fake_log_text, "must return a status");
    request(server, &word, "/word");
    assert_int_equal(word.status, 500);
    request(server, &raise, "/raise");
    assert_int_equal(raise.status, 500);
    assert_has(fake_log_text, "broken");
    request(server, &late, "/late");
    assert_false(late.is_answered);
    fake_advance(server, 1500);
    assert_string_equal(late.body_out.text, "late");
    fake_free(server);
}

static void a_response_without_memory_is_a_failure_of_the_handler(
    void **state) {
    (void)state;
    tw_server *server = fake_start("return tw.routes {\n"
                                   "['GET /'] = function() return 200, 'a' end"
                                   "}");
    tw_req poor = {.failures = 1};
    request(server, &poor, "/");
    assert_true(poor.is_answered);
    assert_int_equal(poor.status, 500);
    assert_has(fake_log_text, "no memory");
    fake_free(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_result_of_on_upgrade_has_its_answer),
        cmocka_unit_test(on_upgrade_may_wait),
        cmocka_unit_test(a_request_shows_its_parts),
        cmocka_unit_test(handlers_answer_with_status_body_and_headers),
        cmocka_unit_test(
            a_response_without_memory_is_a_failure_of_the_handler),
    };
    return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
