/* Plain requests and refused upgrades on the public listener.
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/stat.h>

#include "server_probe.h"

static tw_req *kept;

static void keep(world *w, tw_req *req) {
    (void)w;
    kept = tw_req_ref(req);
}

static void http_world(world *w) {
    world_init(w);
    w->routes[1] = (tw_route_config){
        .kind = TW_ROUTE_HTTP, .method = "GET", .pattern = "/page"};
    w->routes[2] = (tw_route_config){.kind = TW_ROUTE_HTTP,
                                     .method = "POST",
                                     .pattern = "/page",
                                     .max_body_bytes = 10};
    w->routes[3] =
        (tw_route_config){.kind = TW_ROUTE_HTTP, .pattern = "/doc/:id"};
    w->route_count = 4;
    world_start(w);
}

static void tell(world *w, client *c, const char *request) {
    client_send(w, c, request, strlen(request));
}

/* Sends a request and gives the status of the answer. */
static int ask(world *w, client *c, const char *request) {
    tell(w, c, request);
    return client_status(w, c);
}

static void expect_body(world *w, client *c, const char *body) {
    char got[1024];
    client_body(w, c, got, strlen(body));
    assert_string_equal(got, body);
}

static size_t length_of(const client *c) {
    const char *line = strstr(c->head, "Content-Length: ");
    assert_non_null(line);
    return (size_t)atoi(line + 16);
}

static void skip_body(world *w, client *c) {
    world_until(w, c->len >= length_of(c));
    client_take(c, length_of(c));
}

/* ---- answers ---- */

static void requests_are_answered_by_what_serves_them(void **state) {
    static const struct {
        const char *request;
        int status;
        const char *head;
    } cases[] = {
        {"GET /page HTTP/1.1\r\nHost: a\r\n\r\n", 200, "Content-Length: 4"},
        {"GET /none HTTP/1.1\r\nHost: a\r\n\r\n", 404, "application/json"},
        {"PUT /page HTTP/1.1\r\nHost: a\r\n\r\n", 405, "Allow: "},
        {"GET /chat HTTP/1.1\r\nHost: a\r\n\r\n", 426, "Upgrade: websocket"},
        {"POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413,
         "Connection: close"},
        {"POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: "
         "10\r\n\r\n0123456789",
         200, "Connection: keep-alive"},
        {"GET /page HTTP/1.1\r\n\r\n", 400, "Connection: close"},
        {"GET /page HTTP/3.0\r\nHost: a\r\n\r\n", 505, "Connection: close"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world w;
        http_world(&w);
        client *c = client_connect(&w, 0);
        assert_int_equal(ask(&w, c, cases[i].request), cases[i].status);
        if (strstr(c->head, cases[i].head) == NULL) {
            fail_msg("no '%s' in: %s", cases[i].head, c->head);
        }
        skip_body(&w, c);
        if (strstr(c->head, "Connection: close") != NULL) {
            expect_end(&w, c);
        }
        assert_int_equal(counter(&w, TW_COUNTER_HTTP_REQUESTS), 1);
        assert_int_equal(counter(&w, TW_COUNTER_HTTP_ERRORS),
                         cases[i].status >= 400);
        world_close(&w);
    }
}

static void answer_all(world *w, tw_req *req) {
    tw_header headers[] = {{{"X-One", 5}, {"1", 1}},
                           {{"Content-Type", 12}, {"text/x", 6}}};
    tw_str name, value;
    (void)w;
    assert_string_equal(tw_req_method(req).data, "POST");
    assert_string_equal(tw_req_path(req).data, "/doc/a b");
    assert_string_equal(tw_req_ip(req).data, "127.0.0.1");
    assert_string_equal(tw_req_param(req, "id").data, "a b");
    assert_null(tw_req_param(req, "no").data);
    assert_string_equal(tw_req_query(req, "q").data, "2 3");
    assert_string_equal(tw_req_cookie(req, "k").data, "v");
    assert_string_equal(tw_req_header(req, "x-two").data, "a, b");
    assert_null(tw_req_header(req, "x-none").data);
    assert_int_equal(tw_req_body(req).len, 5);
    assert_memory_equal(tw_req_body(req).data, "hello", 5);
    assert_true(tw_req_at(req, TW_REQ_PARAMS, 0, &name, &value));
    assert_string_equal(name.data, "id");
    assert_false(tw_req_at(req, TW_REQ_PARAMS, 1, &name, &value));
    assert_true(tw_req_at(req, TW_REQ_HEADERS, 3, &name, &value));
    assert_string_equal(name.data, "x-two");
    assert_string_equal(value.data, "a, b");
    assert_int_equal(tw_req_accept(req, NULL), TW_ECLOSED);
    assert_int_equal(tw_req_respond(req, 99, NULL, 0, "", 0), TW_EINVALID);
    assert_int_equal(tw_req_respond(req, 201, headers, 2, "done", 4), 0);
    assert_int_equal(tw_req_respond(req, 201, headers, 2, "done", 4),
                     TW_ECLOSED);
}

static void a_handler_sees_the_whole_request(void **state) {
    world w;
    (void)state;
    http_world(&w);
    w.on_request = answer_all;
    client *c = client_connect(&w, 0);
    assert_int_equal(
        ask(&w, c,
            "POST /doc/a%20b?q=1&q=2+3 HTTP/1.1\r\nHost: a\r\nCookie: k=v\r\n"
            "Content-Length: 5\r\nX-Two: a\r\nX-Two: b\r\n\r\nhello"),
        201);
    assert_non_null(strstr(c->head, "X-One: 1\r\n"));
    assert_non_null(strstr(c->head, "Content-Type: text/x\r\n"));
    expect_body(&w, c, "done");
    world_close(&w);
}

static void a_handler_may_answer_later(void **state) {
    world w;
    (void)state;
    http_world(&w);
    w.on_request = keep;
    client *c = client_connect(&w, 0);
    const char *request = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    tell(&w, c, request);
    world_until(&w, w.log_len > 0);
    tell(&w, c, request); /* waits for its turn */
    world_turns(&w, 5);
    assert_log(&w, "request:/page ");
    assert_int_equal(tw_req_respond(kept, 202, NULL, 0, NULL, 0), 0);
    tw_req_unref(kept);
    assert_int_equal(client_status(&w, c), 202);
    assert_int_equal(length_of(c), 0);
    world_until(&w, w.log_len > 0);
    assert_int_equal(tw_req_respond(kept, 203, NULL, 0, "x", 1), 0);
    tw_req_unref(kept);
    assert_int_equal(client_status(&w, c), 203);
    world_close(&w);
}

static void a_handler_that_never_answers_gives_503(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.routes[0].hooks |= TW_HOOK_UPGRADE;
    w.on_upgrade = keep;
    world_start(&w);
    client *c = client_connect(&w, 0);
    client_send(&w, c, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    world_until(&w, w.log_len > 0);
    assert_log(&w, "upgrade ");
    expect_in(&w, 60000, w.log_len > 0);
    assert_log(&w, "abandon ");
    assert_int_equal(client_status(&w, c), 503);
    assert_int_equal(tw_req_accept(kept, NULL), TW_ECLOSED);
    tw_req_unref(kept);
    world_close(&w);
}

static void a_request_may_outlive_its_connection_and_the_server(void **state) {
    world w;
    (void)state;
    http_world(&w);
    w.on_request = keep;
    client *c = client_connect(&w, 0);
    const char *request = "GET /doc/x HTTP/1.1\r\nHost: a\r\n\r\n";
    tell(&w, c, request);
    world_until(&w, w.log_len > 0);
    client_reset(c);
    world_until(&w, w.server->conn_live == 0);
    assert_log(&w, "request:/doc/x abandon ");
    assert_int_equal(tw_req_respond(kept, 200, NULL, 0, "x", 1), TW_ECLOSED);
    tw_server_destroy(w.server, NULL, NULL);
    w.server = NULL;
    assert_string_equal(tw_req_param(kept, "id").data, "x");
    tw_req_unref(kept);
    world_close(&w);
}

static void a_retired_route_does_not_take_its_requests_with_it(void **state) {
    world w;
    (void)state;
    http_world(&w);
    w.on_request = keep;
    client *c = client_connect(&w, 0);
    const char *request = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    tell(&w, c, request);
    world_until(&w, w.log_len > 0);
    assert_int_equal(tw_server_set_routes(w.server, NULL, 0, NULL), 0);
    assert_int_equal(tw_req_respond(kept, 200, NULL, 0, "x", 1), 0);
    tw_req_unref(kept);
    assert_int_equal(client_status(&w, c), 200);
    expect_body(&w, c, "x");
    assert_int_equal(ask(&w, c, request), 404);
    world_close(&w);
}

/* ---- one connection, several requests ---- */

static void requests_may_be_pipelined(void **state) {
    world w;
    (void)state;
    http_world(&w);
    client *c = client_connect(&w, 0);
    const char *three = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n"
                        "GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
                        "POST /page HTTP/1.1\r\nHost: a\r\n"
                        "Content-Length: 2\r\nConnection: close\r\n\r\nhi"
                        "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_int_equal(ask(&w, c, three), 200);
    assert_non_null(strstr(c->head, "Connection: keep-alive"));
    skip_body(&w, c);
    assert_int_equal(client_status(&w, c), 404);
    skip_body(&w, c);
    assert_int_equal(client_status(&w, c), 200);
    skip_body(&w, c);
    expect_end(&w, c); /* nothing behind a close is a request */
    assert_int_equal(counter(&w, TW_COUNTER_HTTP_REQUESTS), 3);
    world_close(&w);
}

static void requests_may_come_byte_by_byte(void **state) {
    world w;
    (void)state;
    http_world(&w);
    client *c = client_connect(&w, 0);
    const char *request = "POST /page HTTP/1.1\r\nHost: a\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n"
                          "2\r\nhi\r\n0\r\n\r\n";
    for (int i = 0; i < 2; i++) {
        for (const char *at = request; *at != '\0'; at++) {
            client_send(&w, c, at, 1);
            world_turn(&w);
        }
        assert_int_equal(client_status(&w, c), 200);
        expect_body(&w, c, "fine");
    }
    world_close(&w);
}

static void an_upgrade_may_follow_requests(void **state) {
    world w;
    (void)state;
    http_world(&w);
    client *c = client_connect(&w, 0);
    tell(&w, c, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(ask(&w, c, HANDSHAKE("/chat")), 200);
    expect_body(&w, c, "fine");
    assert_int_equal(client_status(&w, c), 101);
    client_say(&w, c, "hi");
    world_until(&w, strstr(w.log, "msg:1:hi") != NULL);
    world_close(&w);
}

static void an_idle_connection_is_ended(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_connect(&w, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask(&w, c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
        skip_body(&w, c);
        world_pass(&w, 15000 - 1);
        assert_int_equal(w.server->conns[1].state, TW__CONN_HTTP);
    }
    world_pass(&w, 4); /* a tick of the wheel */
    assert_int_equal(w.server->conns[1].state, TW__CONN_LINGER);
    expect_end(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_HANDSHAKE_TIMEOUTS), 0);
    world_close(&w);
}

static void a_peer_that_shut_its_side_gets_its_answer(void **state) {
    world w;
    (void)state;
    http_world(&w);
    w.on_request = keep;
    client *c = client_connect(&w, 0);
    tell(&w, c, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
    shutdown(c->fd, SHUT_WR);
    world_until(&w, w.log_len > 0);
    world_turns(&w, 5); /* the end may have been seen or not */
    assert_int_equal(tw_req_respond(kept, 200, NULL, 0, "x", 1), 0);
    tw_req_unref(kept);
    assert_int_equal(client_status(&w, c), 200);
    expect_body(&w, c, "x");
    expect_end(&w, c);
    world_until(&w, w.server->conn_live == 0);
    world_close(&w);
}

static void a_client_that_waits_for_100_gets_it(void **state) {
    world w;
    (void)state;
    http_world(&w);
    client *c = client_connect(&w, 0);
    assert_int_equal(ask(&w, c,
                         "POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: 2"
                         "\r\nExpect: 100-continue\r\n\r\n"),
                     100);
    assert_int_equal(ask(&w, c, "hi"), 200);
    world_close(&w);
}

/* ---- files ---- */

static void a_large_file_arrives_whole(void **state) {
    world w;
    char folder[] = "/tmp/tidewire-test-XXXXXX", path[64];
    static char data[1000000];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/big.txt", folder);
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (char)('a' + i % 23);
    }
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, data, sizeof data), sizeof data);
    close(fd);
    world_init(&w);
    w.routes[1] = (tw_route_config){
        .kind = TW_ROUTE_STATIC, .pattern = "/files/*", .folder = folder};
    w.route_count = 2;
    world_start(&w);
    world_narrow(&w, 4096);
    client *c = client_connect(&w, 0);
    assert_int_equal(
        ask(&w, c, "GET /files/big.txt HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    assert_int_equal(length_of(c), sizeof data);
    world_until(&w, c->len >= sizeof data);
    assert_memory_equal(c->in, data, sizeof data);
    client_take(c, sizeof data);
    assert_int_equal(
        ask(&w, c, "HEAD /files/big.txt HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    assert_int_equal(ask(&w, c, "GET /files/none HTTP/1.1\r\nHost: a\r\n\r\n"),
                     404);
    skip_body(&w, c);
    tell(&w, c, "GET /files/big.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    world_turns(&w, 2);
    client_reset(c); /* in the middle of it */
    world_until(&w, w.server->conn_live == 0);
    world_close(&w);
    unlink(path);
    rmdir(folder);
}

/* ---- upgrades ---- */

static void refused_upgrades_say_why_and_close(void **state) {
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {HANDSHAKE("/none"), 404},
        {"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
         "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
         "\r\nSec-WebSocket-Version: 12\r\n\r\n",
         426},
        {"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
         400},
        {"POST /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
         "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
         "\r\nSec-WebSocket-Version: 13\r\n\r\n",
         405},
        {"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
         "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
         "\r\nSec-WebSocket-Version: 13\r\nOrigin: http://evil\r\n\r\n",
         403},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world w;
        char all[1024];
        http_world(&w);
        client *c = client_connect(&w, 0);
        snprintf(all, sizeof all, "%sGET /page HTTP/1.1\r\nHost: a\r\n\r\n",
                 cases[i].request);
        assert_int_equal(ask(&w, c, all), cases[i].status);
        assert_non_null(strstr(c->head, "Connection: "));
        assert_non_null(strstr(c->head, "close"));
        skip_body(&w, c);
        expect_end(&w, c); /* the frames behind it are not a request */
        assert_int_equal(counter(&w, TW_COUNTER_HANDSHAKES_REFUSED), 1);
        assert_int_equal(counter(&w, TW_COUNTER_HTTP_REQUESTS), 0);
        world_close(&w);
    }
}

static void refuse(world *w, tw_req *req) {
    (void)w;
    assert_int_equal(tw_req_respond(req, 200, NULL, 0, "", 0), TW_ECLOSED);
    assert_int_equal(tw_req_refuse(req, 401, str_of("who are you")), 0);
    assert_int_equal(tw_req_refuse(req, 401, str_of("again")), TW_ECLOSED);
    assert_int_equal(tw_req_accept(req, NULL), TW_ECLOSED);
}

static void the_host_may_refuse(void **state) {
    world w;
    (void)state;
    http_world(&w);
    w.routes[0].hooks |= TW_HOOK_UPGRADE;
    world_set_routes(&w);
    w.on_upgrade = refuse;
    client *c = client_connect(&w, 0);
    assert_int_equal(ask(&w, c, HANDSHAKE("/chat")), 401);
    world_until(&w, c->len >= length_of(c));
    assert_non_null(memmem(c->in, c->len, "who are you", 11));
    skip_body(&w, c);
    expect_end(&w, c);
    world_close(&w);
}

static void accept_with(world *w, tw_req *req) {
    tw_accept bad = {.subprotocol = str_of("c")};
    tw_accept good = {.user = str_of("ann"),
                      .info = str_of("{}"),
                      .subprotocol = str_of("b"),
                      .colour = 7};
    tw_str name;
    (void)w;
    assert_true(tw_req_at(req, TW_REQ_PROTOCOLS, 1, &name, NULL));
    assert_memory_equal(name.data, "b", 1);
    assert_int_equal(tw_req_accept(req, &bad), TW_EINVALID);
    assert_int_equal(tw_req_accept(req, &good), 0);
}

static void the_host_may_say_who_it_is(void **state) {
    world w;
    char id[TW_ID_TEXT];
    (void)state;
    http_world(&w);
    w.routes[0].hooks |= TW_HOOK_UPGRADE;
    world_set_routes(&w);
    w.on_upgrade = accept_with;
    client *c = client_connect(&w, 0);
    assert_int_equal(
        ask(&w, c,
            "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ="
            "=\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: a, b\r\n\r\n"),
        101);
    assert_non_null(strstr(c->head, "Sec-WebSocket-Protocol: b\r\n"));
    world_until(&w, w.opened == 1);
    tw_conn *conn = w.conns[1];
    assert_string_equal(tw_conn_user(conn).data, "ann");
    assert_string_equal(tw_conn_info(conn).data, "{}");
    assert_string_equal(tw_conn_subprotocol(conn).data, "b");
    assert_string_equal(tw_conn_ip(conn).data, "127.0.0.1");
    assert_int_equal(tw_conn_colour(conn), 7);
    assert_int_equal(tw_conn_login(conn, str_of("bob"), str_of("")),
                     TW_EEXISTS);
    tw_conn_id(conn, id);
    assert_int_equal(strlen(id), 22);
    assert_int_equal(strspn(id,
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstu"
                            "vwxyz0123456789-_"),
                     22);
    assert_ptr_equal(tw_server_find(w.server, tw_conn_handle(conn)), conn);
    world_close(&w);
}

static void a_user_logs_in_once(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client_open(&w);
    tw_conn *conn = w.conns[1];
    assert_null(tw_conn_user(conn).data);
    assert_int_equal(tw_conn_login(conn, str_of("ann"), str_of("info")), 0);
    assert_string_equal(tw_conn_user(conn).data, "ann");
    assert_string_equal(tw_conn_info(conn).data, "info");
    assert_int_equal(tw_conn_login(conn, str_of("bob"), str_of("")),
                     TW_EEXISTS);
    tw_conn_close(conn, 4000, str_of(""));
    assert_int_equal(tw_conn_login(conn, str_of("bob"), str_of("")),
                     TW_ECLOSED);
    world_close(&w);
}

/* ---- the table of routes ---- */

static void a_bad_table_is_refused_and_the_old_one_stays(void **state) {
    world w;
    size_t bad = 99;
    tw_route_config routes[3] = {{.kind = TW_ROUTE_HTTP, .pattern = "/a"},
                                 {.kind = TW_ROUTE_HTTP, .pattern = "/b"},
                                 {.kind = TW_ROUTE_HTTP, .pattern = "/a"}};
    (void)state;
    http_world(&w);
    tw_server *s = w.server;
    assert_int_equal(tw_server_set_routes(s, routes, 3, &bad), TW_EINVALID);
    assert_int_equal(bad, 2);
    routes[1].pattern = "no slash";
    assert_int_equal(tw_server_set_routes(s, routes, 2, &bad), TW_EINVALID);
    assert_int_equal(bad, 1);
    routes[1].pattern = NULL;
    assert_int_equal(tw_server_set_routes(s, routes, 2, &bad), TW_EINVALID);
    routes[1] = (tw_route_config){
        .kind = TW_ROUTE_STATIC, .pattern = "/f/*", .folder = "/no/such"};
    assert_int_equal(tw_server_set_routes(s, routes, 2, &bad), TW_EINVALID);
    routes[1] = (tw_route_config){.pattern = "/w", .wire = "carrier pigeon"};
    assert_int_equal(tw_server_set_routes(s, routes, 2, &bad), TW_EINVALID);
    client *c = client_connect(&w, 0);
    assert_int_equal(ask(&w, c, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
    world_close(&w);
}

static void a_table_is_made_ahead_and_says_what_is_wrong(void **state) {
    static const char *const evil[] = {"not an origin"};
    static const tw_route_config bad[] = {
        {.pattern = "/chat"},
        {.pattern = NULL},
        {.pattern = "/w", .wire = "carrier pigeon"},
        {.pattern = "/o", .origins = evil, .origin_count = 1},
        {.kind = TW_ROUTE_STATIC, .pattern = "/f/*", .folder = "/no/such"},
        {.kind = TW_ROUTE_STATIC, .pattern = "/f/*"},
    };
    static const char *const why[] = {NULL,     "pattern",  "carrier pigeon",
                                      "origin", "/no/such", "folder"};
    world w;
    tw_routes *routes = NULL;
    char detail[100];
    (void)state;
    world_open(&w);
    for (size_t i = 1; i < sizeof bad / sizeof bad[0]; i++) {
        tw_route_config two[] = {bad[0], bad[i]};
        size_t index = 99;
        assert_int_equal(
            tw_routes_create(&routes, two, 2, &index, detail, sizeof detail),
            TW_EINVALID);
        assert_int_equal(index, 1);
        if (strstr(detail, why[i]) == NULL) {
            fail_msg("no '%s' in: %s", why[i], detail);
        }
        assert_int_equal(tw_routes_create(&routes, two, 2, NULL, NULL, 0),
                         TW_EINVALID);
        assert_null(routes);
    }
    assert_int_equal(tw_routes_create(&routes, bad, 1, NULL, NULL, 0), 0);
    tw_routes_destroy(routes); /* never used */
    tw_routes_destroy(NULL);
    assert_int_equal(tw_routes_create(&routes, bad, 1, NULL, NULL, 0), 0);
    tw_server_use_routes(w.server, routes);
    client *c = client_connect(&w, 0);
    assert_int_equal(ask(&w, c, HANDSHAKE("/chat")), 101);
    w.opened = 1; /* a route without hooks; on_gone comes all the same */
    world_close(&w);
}

static void a_table_without_memory_leaves_the_old_one(void **state) {
    world w;
    int data = 0;
    (void)state;
    http_world(&w);
    client *c = client_open(&w);
    tw_route *route = tw_conn_route(w.conns[1]);
    tw_route_config routes[WORLD_ROUTES];
    memcpy(routes, w.routes, sizeof routes);
    routes[0].data = &data;
    routes[3].pattern = "/other/:id";
    int err = TW_ENOMEM;
    for (size_t nth = 1; err == TW_ENOMEM; nth++) {
        tw__alloc_fail_nth(nth);
        err = tw_server_set_routes(w.server, routes, 4, NULL);
        tw__alloc_fail_nth(0);
        assert_int_equal(nth < 5 ? TW_ENOMEM : err, err);
        assert_ptr_equal(tw_route_data(route), err == 0 ? &data : NULL);
        client *d = client_connect(&w, 0);
        assert_int_equal(ask(&w, d, "GET /doc/x HTTP/1.1\r\nHost: a\r\n\r\n"),
                         err == 0 ? 404 : 200);
        client_free(&w, d);
    }
    assert_int_equal(err, 0);
    client_say(&w, c, "still here");
    world_until(&w, strstr(w.log, "msg:1:still here") != NULL);
    world_close(&w);
}

static void open_connections_live_by_the_new_settings(void **state) {
    world w;
    int data;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    w.routes[0].data = &data;
    w.routes[0].max_message_bytes = 3;
    world_set_routes(&w);
    assert_ptr_equal(tw_route_data(tw_conn_route(w.conns[1])), &data);
    client_say(&w, c, "long");
    expect_close(&w, c, 1009, "message too big");
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_answered_by_what_serves_them),
        cmocka_unit_test(a_handler_sees_the_whole_request),
        cmocka_unit_test(a_handler_may_answer_later),
        cmocka_unit_test(a_handler_that_never_answers_gives_503),
        cmocka_unit_test(a_request_may_outlive_its_connection_and_the_server),
        cmocka_unit_test(a_retired_route_does_not_take_its_requests_with_it),
        cmocka_unit_test(requests_may_be_pipelined),
        cmocka_unit_test(requests_may_come_byte_by_byte),
        cmocka_unit_test(an_upgrade_may_follow_requests),
        cmocka_unit_test(an_idle_connection_is_ended),
        cmocka_unit_test(a_peer_that_shut_its_side_gets_its_answer),
        cmocka_unit_test(a_client_that_waits_for_100_gets_it),
        cmocka_unit_test(a_large_file_arrives_whole),
        cmocka_unit_test(refused_upgrades_say_why_and_close),
        cmocka_unit_test(the_host_may_refuse),
        cmocka_unit_test(the_host_may_say_who_it_is),
        cmocka_unit_test(a_user_logs_in_once),
        cmocka_unit_test(a_bad_table_is_refused_and_the_old_one_stays),
        cmocka_unit_test(a_table_is_made_ahead_and_says_what_is_wrong),
        cmocka_unit_test(a_table_without_memory_leaves_the_old_one),
        cmocka_unit_test(open_connections_live_by_the_new_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
