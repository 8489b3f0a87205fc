/* Every limit at n-1, n and n+1, to the byte and the millisecond, and the
 * metric that tells of it. Those of time that belong to heartbeats are in
 * test_server_conn_time.c, those of proxies in test_server_conn_proxy.c.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

#define HELLO "GET /page HTTP/1.1\r\nHost: a\r\n\r\n"

static void add_page(world *w) {
    w->routes[w->route_count++] =
        (tw_route_config){.kind = TW_ROUTE_HTTP, .pattern = "/page"};
}

static void expect_page(world *w, client *c) {
    char body[5];
    assert_int_equal(client_status(w, c), 200);
    client_body(w, c, body, 4);
}

static void send_text(world *w, client *c, const char *text) {
    client_send(w, c, text, strlen(text));
}

static bool is_over(const client *c) {
    return c->is_ended || c->error != 0;
}

/* ---- connections -------------------------------------------------------- */

static void connections_in_all(void **state) {
    (void)state;
    for (unsigned count = 2; count <= 4; count++) {
        world w;
        client *last = NULL;
        world_init(&w);
        w.config.max_connections = 3;
        world_start(&w);
        for (unsigned i = 1; i <= count; i++) {
            last = client_connect(&w, 0);
            world_until(&w, counter(&w, TW_COUNTER_ACCEPTED) == i);
        }
        if (count > 3) {
            world_until(&w, is_over(last));
        }
        world_rest(&w);
        unsigned refused = count > 3;
        assert_int_equal(w.server->conn_live, count - refused);
        assert_int_equal(counter(&w, TW_COUNTER_ACCEPT_REFUSED), refused);
        assert_int_equal(counter(&w, TW_COUNTER_ACCEPT_REFUSED_LIMIT), refused);
        world_close(&w);
    }
}

static void connections_of_one_address(void **state) {
    (void)state;
    for (unsigned count = 2; count <= 4; count++) {
        world w;
        client *last = NULL;
        world_init(&w);
        w.config.max_connections_per_address = 3;
        world_start(&w);
        for (unsigned i = 1; i <= count; i++) {
            last = client_connect(&w, 0);
            world_until(&w, counter(&w, TW_COUNTER_ACCEPTED) == i);
        }
        if (count > 3) {
            world_until(&w, is_over(last));
        }
        world_rest(&w);
        unsigned refused = count > 3;
        assert_int_equal(w.server->conn_live, count - refused);
        assert_int_equal(counter(&w, TW_COUNTER_ACCEPT_REFUSED), refused);
        assert_int_equal(counter(&w, TW_COUNTER_ADDRESS_REFUSED), refused);
        world_close(&w);
    }
}

static void handshakes_in_a_second(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.handshakes_per_second = 4;
    w.config.handshake_burst = 3;
    w.routes[0].hooks = TW_HOOK_ALL;
    world_start(&w);
    for (int i = 1; i <= 4; i++) {
        client *c = client_connect(&w, 0);
        send_text(&w, c, HANDSHAKE("/chat"));
        assert_int_equal(client_status(&w, c), i <= 3 ? 101 : 503);
        if (i == 4) {
            assert_non_null(strstr(c->head, "\r\nRetry-After: 1\r\n"));
            assert_non_null(strstr(c->head, "\r\nConnection: close\r\n"));
        }
    }
    world_until(&w, w.opened == 3);
    /* No hook ran for the fourth. */
    assert_log(&w, "upgrade open:1 upgrade open:2 upgrade open:3 ");
    assert_int_equal(counter(&w, TW_COUNTER_HANDSHAKES_LIMITED), 1);
    assert_int_equal(counter(&w, TW_COUNTER_HANDSHAKES_REFUSED), 1);
    for (int i = 0; i < 2; i++) {
        world_pass(&w, 250);
        client *c = client_connect(&w, 0), *d = client_connect(&w, 0);
        send_text(&w, c, HANDSHAKE("/chat"));
        assert_int_equal(client_status(&w, c), 101);
        send_text(&w, d, HANDSHAKE("/chat"));
        assert_int_equal(client_status(&w, d), 503);
    }
    world_close(&w);
}

/* Requests that are refused anyway, and those that are none of it. */
static void only_handshakes_take_a_place_in_the_second(void **state) {
    static const char other_origin[] =
        "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\nOrigin: http://b\r\n\r\n";
    world w;
    (void)state;
    world_init(&w);
    add_page(&w);
    w.config.handshakes_per_second = 1;
    world_start(&w);
    for (int i = 0; i < 3; i++) {
        client *c = client_connect(&w, 0), *d = client_connect(&w, 0),
               *e = client_connect(&w, 0);
        send_text(&w, c, HELLO);
        expect_page(&w, c);
        send_text(&w, d, HANDSHAKE("/nowhere"));
        assert_int_equal(client_status(&w, d), 404);
        send_text(&w, e, other_origin);
        assert_int_equal(client_status(&w, e), 403);
    }
    client_open(&w);
    assert_int_equal(counter(&w, TW_COUNTER_HANDSHAKES_LIMITED), 0);
    world_close(&w);
}

/* ---- requests ----------------------------------------------------------- */

static void bytes_of_a_head(void **state) {
    static const char request[] = "GET /page HTTP/1.1\r\nHost: a\r\nPadding: ";
    (void)state;
    for (size_t len = 499; len <= 501; len++) {
        world w;
        char head[600];
        memset(head, 'x', sizeof head);
        memcpy(head, request, sizeof request - 1);
        memcpy(head + len - 4, "\r\n\r\n", 4);
        world_init(&w);
        add_page(&w);
        w.config.max_head_bytes = 500;
        world_start(&w);
        client *c = client_connect(&w, 0);
        client_send(&w, c, head, len);
        assert_int_equal(client_status(&w, c), len <= 500 ? 200 : 431);
        assert_int_equal(counter(&w, TW_COUNTER_HTTP_TOO_LONG), len > 500);
        world_close(&w);
    }
}

static void lines_of_a_head(void **state) {
    (void)state;
    for (int lines = 6; lines <= 8; lines++) {
        world w;
        char head[600] = "GET /page HTTP/1.1\r\nHost: a\r\n";
        for (int i = 1; i < lines; i++) {
            strcat(head, "A: b\r\n");
        }
        strcat(head, "\r\n");
        world_init(&w);
        add_page(&w);
        w.config.max_headers = 7;
        world_start(&w);
        client *c = client_connect(&w, 0);
        send_text(&w, c, head);
        assert_int_equal(client_status(&w, c), lines <= 7 ? 200 : 431);
        assert_int_equal(counter(&w, TW_COUNTER_HTTP_TOO_LONG), lines > 7);
        world_close(&w);
    }
}

static void bytes_of_a_target(void **state) {
    (void)state;
    for (size_t len = 8191; len <= 8193; len++) {
        world w;
        static char head[9000];
        memcpy(head, "GET /page?", 10);
        memset(head + 10, 'x', len - 6);
        strcpy(head + 4 + len, " HTTP/1.1\r\nHost: a\r\n\r\n");
        world_init(&w);
        add_page(&w);
        world_start(&w);
        client *c = client_connect(&w, 0);
        send_text(&w, c, head);
        assert_int_equal(client_status(&w, c), len <= 8192 ? 200 : 414);
        assert_int_equal(counter(&w, TW_COUNTER_HTTP_TOO_LONG), len > 8192);
        world_close(&w);
    }
}

static void bytes_of_a_body(void **state) {
    (void)state;
    for (size_t len = 9; len <= 11; len++) {
        world w;
        char text[200];
        world_init(&w);
        add_page(&w);
        w.routes[1].max_body_bytes = 10;
        world_start(&w);
        client *c = client_connect(&w, 0);
        snprintf(text, sizeof text,
                 "POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n"
                 "%.*s",
                 len, (int)len, "hello, world");
        send_text(&w, c, text);
        assert_int_equal(client_status(&w, c), len <= 10 ? 200 : 413);
        world_close(&w);
    }
}

static void requests_of_a_kept_connection(void **state) {
    world w;
    (void)state;
    world_init(&w);
    add_page(&w);
    w.config.max_requests = 3;
    world_start(&w);
    client *c = client_connect(&w, 0);
    for (int i = 1; i <= 3; i++) {
        send_text(&w, c, HELLO);
        expect_page(&w, c);
        bool is_last = strstr(c->head, "\r\nConnection: close\r\n") != NULL;
        assert_int_equal(is_last, i == 3);
    }
    expect_end(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_HTTP_REQUESTS), 3);
    assert_int_equal(counter(&w, TW_COUNTER_HTTP_KEPT_LIMIT), 1);
    world_close(&w);
}

static void answer_twice(world *w, tw_req *req) {
    tw_header split = {str_of("x-a"), str_of("b\r\nx-c: d")};
    (void)w;
    assert_int_equal(tw_req_respond(req, 200, &split, 1, "fine", 4),
                     TW_EINVALID);
    assert_int_equal(tw_req_respond(req, 200, NULL, 0, "fine", 4), 0);
}

/* As long as a connection reaches its limit once it is counted once, however
 * often an answer was tried. */
static void an_answer_that_may_not_be_is_no_second_last_one(void **state) {
    world w;
    (void)state;
    world_init(&w);
    add_page(&w);
    w.config.max_requests = 2;
    w.on_request = answer_twice;
    world_start(&w);
    client *c = client_connect(&w, 0);
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(counter(&w, TW_COUNTER_HTTP_KEPT_LIMIT), 0);
        send_text(&w, c, HELLO);
        expect_page(&w, c);
    }
    expect_end(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_HTTP_REQUESTS), 2);
    assert_int_equal(counter(&w, TW_COUNTER_HTTP_KEPT_LIMIT), 1);
    world_close(&w);
}

/* What comes behind the last one is not read. */
static void requests_that_are_pipelined_are_counted_too(void **state) {
    world w;
    (void)state;
    world_init(&w);
    add_page(&w);
    w.config.max_requests = 3;
    world_start(&w);
    client *c = client_connect(&w, 0);
    send_text(&w, c, HELLO HELLO HELLO HELLO HELLO);
    for (int i = 1; i <= 3; i++) {
        expect_page(&w, c);
    }
    expect_end(&w, c);
    assert_log(&w, "request:/page request:/page request:/page ");
    world_close(&w);
}

static void time_for_a_head(void **state) {
    (void)state;
    for (uint64_t ms = 499; ms <= 501; ms++) {
        world w;
        world_init(&w);
        add_page(&w);
        w.config.handshake_ms = 500;
        world_start(&w);
        client *c = client_connect(&w, 0);
        send_text(&w, c, "GET /page HTTP/1.1\r\n");
        world_until(&w, w.server->conn_live == 1);
        world_heard(&w);
        world_pass(&w, ms);
        send_text(&w, c, "Host: a\r\n\r\n");
        assert_int_equal(client_status(&w, c), ms < 500 ? 200 : 408);
        assert_int_equal(counter(&w, TW_COUNTER_HANDSHAKE_TIMEOUTS), ms >= 500);
        world_close(&w);
    }
}

static void time_between_two_requests(void **state) {
    (void)state;
    for (uint64_t ms = 499; ms <= 501; ms++) {
        world w;
        world_init(&w);
        add_page(&w);
        w.config.http_idle_ms = 500;
        world_start(&w);
        client *c = client_connect(&w, 0);
        send_text(&w, c, HELLO);
        expect_page(&w, c);
        world_rest(&w);
        world_pass(&w, ms);
        if (ms < 500) {
            send_text(&w, c, HELLO);
            expect_page(&w, c);
        } else {
            expect_end(&w, c);
        }
        assert_int_equal(counter(&w, TW_COUNTER_HTTP_IDLE), ms >= 500);
        assert_int_equal(counter(&w, TW_COUNTER_HANDSHAKE_TIMEOUTS), 0);
        world_close(&w);
    }
}

/* ---- messages ----------------------------------------------------------- */

static void bytes_of_a_message(void **state) {
    static char block[1001];
    (void)state;
    for (size_t len = 999; len <= 1001; len++) {
        world w;
        world_init(&w);
        w.routes[0].max_message_bytes = 1000;
        world_start(&w);
        client *c = client_open(&w);
        /* In two fragments: it is the message that counts. */
        client_send_frame(&w, c, TW__WS_BINARY, block, 600);
        client_send_frame(&w, c, FIN, block, len - 600);
        if (len <= 1000) {
            world_until(&w, strstr(w.log, "bin:1:#") != NULL);
        } else {
            expect_close(&w, c, 1009, "message too big");
        }
        assert_int_equal(counter(&w, TW_COUNTER_CLOSED_TOO_BIG), len > 1000);
        world_close(&w);
    }
}

static void time_for_a_frame(void **state) {
    (void)state;
    for (uint64_t ms = 499; ms <= 501; ms++) {
        world w;
        wire out = {0};
        world_init(&w);
        w.config.frame_ms = 500;
        world_start(&w);
        client *c = client_open(&w);
        wire_frame(&out, FIN | TW__WS_TEXT, "abc", 3);
        client_send(&w, c, out.data, 4);
        world_heard(&w);
        world_pass(&w, ms);
        client_send(&w, c, out.data + 4, out.len - 4);
        wire_free(&out);
        if (ms < 500) {
            world_until(&w, strstr(w.log, "msg:1:abc") != NULL);
        } else {
            expect_close(&w, c, 1008, "a frame took too long");
        }
        assert_int_equal(counter(&w, TW_COUNTER_CLOSED_FRAME), ms >= 500);
        assert_int_equal(counter(&w, TW_COUNTER_CLOSED_IDLE), 0);
        world_close(&w);
    }
}

static void rate_world(world *w, tw_rate rate) {
    world_init(w);
    w->routes[0].rate = rate;
    world_start(w);
}

static void messages_in_a_second(void **state) {
    (void)state;
    for (int count = 4; count <= 6; count++) {
        world w;
        rate_world(&w, (tw_rate){.messages = 5, .over = TW_RATE_CLOSE});
        client *c = client_open(&w);
        for (int i = 0; i < count; i++) {
            client_say(&w, c, "x");
        }
        if (count > 5) {
            expect_close(&w, c, 1008, "rate limit exceeded");
        } else {
            world_heard(&w);
            assert_true(tw_conn_is_open(w.conns[1]));
            world_pass(&w, 1000); /* and in the next second as many */
            for (int i = 0; i < count; i++) {
                client_say(&w, c, "x");
            }
            world_heard(&w);
            assert_true(tw_conn_is_open(w.conns[1]));
        }
        assert_int_equal(counter(&w, TW_COUNTER_CLOSED_RATE), count > 5);
        world_close(&w);
    }
}

static void bytes_in_a_second(void **state) {
    static char block[61];
    (void)state;
    for (size_t len = 59; len <= 61; len++) {
        world w;
        rate_world(&w, (tw_rate){.bytes = 100, .over = TW_RATE_DROP});
        client *c = client_open(&w);
        client_send_frame(&w, c, FIN | TW__WS_BINARY, block, 40);
        client_send_frame(&w, c, FIN | TW__WS_BINARY, block, len);
        world_heard(&w);
        assert_int_equal(counter(&w, TW_COUNTER_MESSAGES_RATED), len > 60);
        world_close(&w);
    }
}

/* The one that is over the rate is taken, and what follows waits. */
static void a_rate_that_waits_is_counted(void **state) {
    (void)state;
    for (int count = 4; count <= 6; count++) {
        world w;
        rate_world(&w, (tw_rate){.messages = 5, .over = TW_RATE_WAIT});
        client *c = client_open(&w);
        for (int i = 0; i < count; i++) {
            client_say(&w, c, "x");
        }
        world_heard(&w);
        assert_int_equal(counter(&w, TW_COUNTER_RATE_WAITS), count > 5);
        assert_int_equal((w.conns[1]->flags & TW__RATED) != 0, count > 5);
        world_close(&w);
    }
}

/* ---- subscriptions and queues ------------------------------------------- */

static void subscriptions_of_a_connection(void **state) {
    world w;
    char name[16];
    (void)state;
    world_init(&w);
    w.config.max_subscriptions = 5;
    world_start(&w);
    client_open(&w);
    for (int i = 1; i <= 5; i++) {
        snprintf(name, sizeof name, "c%d", i);
        world_subscribe(&w, 1, name);
    }
    assert_int_equal(counter(&w, TW_COUNTER_SUBSCRIBE_REFUSED), 0);
    assert_int_equal(tw_conn_subscribe(w.conns[1], str_of("c6"), NULL, NULL, NULL),
                     TW_ELIMIT);
    assert_int_equal(counter(&w, TW_COUNTER_SUBSCRIBE_REFUSED), 1);
    world_close(&w);
}

enum { BUDGET = 20000, STEP = 500 };

/* A connection whose kernel buffer is full. */
static tw_conn *blocked(world *w, client *c) {
    static char block[STEP];
    tw_conn *conn = w->conns[1];
    c->is_lazy = true;
    while (!(conn->flags & TW__WANT_WRITE)) {
        assert_int_equal(tw_conn_send(conn, block, sizeof block, true), 0);
        world_rest(w);
    }
    return conn;
}

static void bytes_of_replies_that_wait(void **state) {
    static char block[BUDGET];
    (void)state;
    for (int more = -1; more <= 1; more++) {
        world w;
        world_init(&w);
        w.config.reply_budget_bytes = BUDGET;
        world_start(&w);
        world_narrow(&w, 4096);
        tw_conn *conn = blocked(&w, client_open_with(&w, 4096));
        assert_true(conn->out->reply_bytes < BUDGET - 1);
        size_t room = BUDGET - conn->out->reply_bytes;
        int err = tw_conn_send(conn, block, room + (size_t)more, true);
        assert_int_equal(err, more <= 0 ? 0 : TW_EOVERLOADED);
        assert_int_equal(counter(&w, TW_COUNTER_REPLIES_REFUSED), more > 0);
        world_close(&w);
    }
}

static void bytes_of_publications_that_wait(void **state) {
    static char block[BUDGET];
    (void)state;
    for (int more = -1; more <= 1; more++) {
        world w;
        world_init(&w);
        w.config.publication_budget_bytes = BUDGET;
        world_start(&w);
        world_set_class(&w, "room", TW_SLOW_DROP_NEW, 0);
        world_narrow(&w, 4096);
        client *c = client_open_with(&w, 4096);
        world_subscribe(&w, 1, "room");
        tw_conn *conn = blocked(&w, c);
        /* One that always fits; then as much as there is room for, less the
         * four bytes of a frame's head. */
        assert_int_equal(
            tw_publish(w.server, str_of("room"), block, STEP, NULL), 0);
        world_rest(&w);
        size_t waiting = conn->out->frame_bytes;
        assert_true(waiting > STEP && waiting < STEP + 20);
        size_t len = BUDGET - waiting - 4 + (size_t)more;
        assert_int_equal(tw_publish(w.server, str_of("room"), block, len, NULL),
                         0);
        world_rest(&w);
        assert_int_equal(conn->out->frame_bytes,
                         more <= 0 ? waiting + len + 4 : waiting);
        assert_int_equal(counter(&w, TW_COUNTER_DROPPED), more > 0);
        assert_int_equal(counter(&w, TW_COUNTER_SLOW_EVENTS), more > 0);
        world_close(&w);
    }
}

/* ---- ambiguous requests ------------------------------------------------- */

static void what_is_no_request_is_counted(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_connect(&w, 0), *d = client_connect(&w, 0);
    send_text(&w, c, "GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    assert_int_equal(client_status(&w, c), 400);
    assert_int_equal(counter(&w, TW_COUNTER_HTTP_MALFORMED), 1);
    send_text(&w, d, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(client_status(&w, d), 404);
    assert_int_equal(counter(&w, TW_COUNTER_HTTP_MALFORMED), 1);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_in_all),
        cmocka_unit_test(connections_of_one_address),
        cmocka_unit_test(handshakes_in_a_second),
        cmocka_unit_test(only_handshakes_take_a_place_in_the_second),
        cmocka_unit_test(bytes_of_a_head),
        cmocka_unit_test(lines_of_a_head),
        cmocka_unit_test(bytes_of_a_target),
        cmocka_unit_test(bytes_of_a_body),
        cmocka_unit_test(requests_of_a_kept_connection),
        cmocka_unit_test(an_answer_that_may_not_be_is_no_second_last_one),
        cmocka_unit_test(requests_that_are_pipelined_are_counted_too),
        cmocka_unit_test(time_for_a_head),
        cmocka_unit_test(time_between_two_requests),
        cmocka_unit_test(bytes_of_a_message),
        cmocka_unit_test(time_for_a_frame),
        cmocka_unit_test(messages_in_a_second),
        cmocka_unit_test(bytes_in_a_second),
        cmocka_unit_test(a_rate_that_waits_is_counted),
        cmocka_unit_test(subscriptions_of_a_connection),
        cmocka_unit_test(bytes_of_replies_that_wait),
        cmocka_unit_test(bytes_of_publications_that_wait),
        cmocka_unit_test(what_is_no_request_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
