/* Limits at n-1, n and n+1; draining, freezing and the account of sockets.
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>

#include "server_probe.h"

#include "server/conn_id.h"

enum { SPREAD_MS = 5000 /* the default */ };

static int wait_in_open(world *w, tw_conn *conn, tw_req *req) {
    (void)w;
    (void)conn;
    (void)req;
    return TW_LATER;
}

/* ---- limits ---- */

static void a_connection_over_the_limit_is_closed_at_once(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.max_connections = 3;
    world_start(&w);
    client *first = client_open(&w);
    client_open(&w);
    client_open(&w);
    client *c = client_connect(&w, 0);
    world_until(&w, c->is_ended || c->error != 0);
    assert_int_equal(counter(&w, TW_COUNTER_ACCEPT_REFUSED), 1);
    client_reset(first);
    world_until(&w, w.gone == 1);
    client_open(&w);
    world_close(&w);
}

static client *connect_from(world *w, const char *ip) {
    client *c = client_connect(w, 0);
    struct sockaddr_in from = {.sin_family = AF_INET}, to = world_address(w);
    close(c->fd);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, ip, &from.sin_addr);
    assert_int_equal(bind(c->fd, (struct sockaddr *)&from, sizeof from), 0);
    connect(c->fd, (struct sockaddr *)&to, sizeof to);
    return c;
}

static void
an_address_over_its_limit_is_refused_and_others_are_not(void **state) {
    world w;
    client *c[4];
    (void)state;
    world_init(&w);
    w.config.max_connections_per_address = 2;
    world_start(&w);
    for (int i = 0; i < 4; i++) {
        c[i] = connect_from(&w, i < 3 ? "127.0.0.2" : "127.0.0.3");
        world_until(&w, counter(&w, TW_COUNTER_ACCEPTED) >= 2u * i + 2);
    }
    world_until(&w, c[2]->is_ended || c[2]->error != 0);
    world_rest(&w);
    assert_false(c[1]->is_ended || c[3]->is_ended);
    client_reset(c[0]);
    world_until(&w, w.server->conn_live == 2);
    c[0] = connect_from(&w, "127.0.0.2");
    world_until(&w, w.server->conn_live == 3);
    world_close(&w);
}

static void
a_message_of_the_limit_passes_and_one_over_it_does_not(void **state) {
    static char block[1001];
    (void)state;
    for (size_t len = 999; len <= 1001; len++) {
        world w;
        world_init(&w);
        w.routes[0].max_message_bytes = 1000;
        world_start(&w);
        client *c = client_open(&w);
        client_send_frame(&w, c, FIN | TW__WS_BINARY, block, len);
        if (len <= 1000) {
            world_until(&w, strstr(w.log, "bin:1:#") != NULL);
        } else {
            expect_close(&w, c, 1009, "message too big");
        }
        world_close(&w);
    }
}

static void a_head_over_the_limit_is_answered_431(void **state) {
    static const char request[] = "GET /x HTTP/1.1\r\nHost: a\r\nPadding: ";
    (void)state;
    for (size_t len = 499; len <= 501; len++) {
        world w;
        char head[600];
        memset(head, 'x', sizeof head);
        memcpy(head, request, sizeof request - 1);
        memcpy(head + len - 4, "\r\n\r\n", 4);
        world_init(&w);
        w.config.max_head_bytes = 500;
        world_start(&w);
        client *c = client_connect(&w, 0);
        client_send(&w, c, head, len);
        assert_int_equal(client_status(&w, c), len <= 500 ? 404 : 431);
        world_close(&w);
    }
}

static void what_is_reset_in_the_queue_of_accept_leaves_nothing(void **state) {
    world w;
    (void)state;
    world_open(&w);
    for (int i = 0; i < 20; i++) {
        client *c = client_connect(&w, 0);
        client_send(&w, c, "GET", 3);
        client_reset(c);
        client_free(&w, c);
    }
    world_until(&w, counter(&w, TW_COUNTER_ACCEPTED) == 20);
    world_until(&w, w.server->conn_live == 0);
    assert_int_equal(w.server->page->gauges[TW_GAUGE_SOCKETS], 0);
    world_close(&w);
}

/* ---- draining ---- */

static void on_drained(tw_server *server, void *arg) {
    (void)server;
    world_note(arg, "drained ");
}

static void a_drain_closes_all_with_the_routes_code(void **state) {
    world w;
    client *c[6];
    (void)state;
    world_init(&w);
    w.routes[0].drain_code = 1001;
    w.routes[0].drain_spread_ms = 1000;
    world_start(&w);
    for (int i = 0; i < 6; i++) {
        c[i] = client_open(&w);
    }
    world_subscribe(&w, 1, "room");
    world_publish(&w, "room", "last words");
    tw_server_drain(w.server, 60000, on_drained, &w);
    tw_server_drain(w.server, 60000, on_drained, &w); /* the second is none */
    expect_text(&w, c[0], "last words");
    world_pass(&w, 1020);
    for (int i = 0; i < 6; i++) {
        expect_close(&w, c[i], 1001, "server is draining");
        client_say_close(&w, c[i], 1001);
        expect_end(&w, c[i]);
        assert_null(strstr(w.log, "drained"));
        client_close(c[i]);
    }
    world_until(&w, strstr(w.log, "drained ") != NULL);
    world_rest(&w);
    assert_string_equal(strstr(w.log, "drained "), "drained ");
    assert_int_equal(w.gone, 6);
    client *late = client_connect(&w, 0);
    world_turns(&w, 3);
    assert_int_equal(w.server->conn_live, 0);
    client_free(&w, late);
    world_close(&w);
}

/* Each at the place in the spread that its id gives it, in steps of 20 ms. */
static void a_drain_is_spread_over_the_routes_time(void **state) {
    world w;
    enum { PEERS = 12, FIRST_MS = 4, STEP_MS = 20 };
    uint64_t place_ms[PEERS + 1];
    (void)state;
    world_open(&w);
    for (int i = 1; i <= PEERS; i++) {
        client_open(&w);
        uint64_t place = tw__conn_id_dice(w.conns[i]->id);
        place_ms[i] = place * SPREAD_MS / 65536;
    }
    tw_server_drain(w.server, 60000, on_drained, &w);
    world_pass(&w, FIRST_MS);
    for (uint64_t ms = FIRST_MS; ms < SPREAD_MS + STEP_MS; ms += STEP_MS) {
        for (int i = 1; i <= PEERS; i++) {
            assert_int_equal(tw_conn_is_open(w.conns[i]), place_ms[i] > ms);
        }
        world_pass(&w, STEP_MS);
    }
    world_close(&w);
}

static void a_drain_with_nobody_there_is_over_at_once(void **state) {
    world w;
    (void)state;
    world_open(&w);
    tw_server_drain(w.server, 60000, on_drained, &w);
    world_rest(&w);
    assert_log(&w, "drained ");
    world_close(&w);
}

static void a_drain_ends_at_its_limit_also_for_a_hook_that_waits(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.on_open = wait_in_open;
    client_open(&w);
    tw_server_drain(w.server, 30000, on_drained, &w);
    world_pass(&w, 30000 - 1);
    assert_log(&w, "open:1 ");
    world_pass(&w, 20); /* the next of its steps */
    assert_log(&w, "drained ");
    world_close(&w);
}

static void a_drain_lets_requests_end_and_refuses_upgrades(void **state) {
    world w;
    char body[8];
    (void)state;
    world_init(&w);
    w.routes[w.route_count++] =
        (tw_route_config){.kind = TW_ROUTE_HTTP, .pattern = "/page"};
    world_start(&w);
    const char *request = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    client *idle = client_connect(&w, 0), *half = client_connect(&w, 0),
           *late = client_connect(&w, 0);
    client_send(&w, half, request, 10);
    client_send(&w, late, HANDSHAKE("/chat"), 10);
    world_until(&w, w.server->conn_live == 3);
    world_heard(&w);
    tw_server_drain(w.server, 60000, on_drained, &w);
    world_pass(&w, 1100); /* newcomers have a second to speak */
    expect_end(&w, idle);
    client_send(&w, half, request + 10, strlen(request) - 10);
    assert_int_equal(client_status(&w, half), 200);
    assert_non_null(strstr(half->head, "Connection: close"));
    client_body(&w, half, body, 4);
    expect_end(&w, half);
    client_send(&w, late, HANDSHAKE("/chat") + 10,
                sizeof HANDSHAKE("/chat") - 11);
    assert_int_equal(client_status(&w, late), 503);
    world_close(&w);
}

/* ---- freezing ---- */

static void on_timer(tw_timer *timer, void *arg) {
    (void)timer;
    world_note(arg, "timer ");
}

static void while_frozen_no_hook_starts_and_nothing_is_lost(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w), *d = client_open(&w);
    world_subscribe(&w, 1, "room");
    world_forget(&w);
    tw_conn_alarm(w.conns[1], str_of("bell"), 5);
    tw_timer_start(w.server, 5, on_timer, &w);
    tw_server_freeze(w.server);
    tw_server_freeze(w.server);
    client_say(&w, c, "one");
    client_say(&w, c, "two");
    client *e = client_connect(&w, 0);
    client_send(&w, e, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    tw_conn_close(w.conns[2], 4000, str_of(""));
    world_publish(&w, "room", "delivered");
    expect_text(&w, c, "delivered");
    expect_close(&w, d, 4000, "");
    client_reset(d);
    tw_server_thaw(w.server);
    world_pass(&w, 2000);
    assert_log(&w, "");
    tw_server_thaw(w.server);
    world_until(&w, w.opened == 3 && w.gone == 1);
    world_until(&w, strstr(w.log, "msg:1:one msg:1:two ") != NULL);
    world_until(&w, strstr(w.log, "alarm:1:bell ") != NULL);
    world_until(&w, strstr(w.log, "timer ") != NULL);
    assert_non_null(strstr(w.log, "close:2:4000: "));
    world_close(&w);
}

static void a_hook_that_waited_may_be_done_while_frozen(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.on_open = wait_in_open;
    client *c = client_open(&w);
    client_say(&w, c, "waits");
    world_turns(&w, 3);
    tw_server_freeze(w.server);
    tw_conn_done(w.conns[1]);
    world_turns(&w, 5);
    assert_log(&w, "open:1 ");
    tw_server_thaw(w.server);
    world_until(&w, w.log_len > 0);
    assert_log(&w, "msg:1:waits ");
    assert_null(w.conns[1]->http); /* the request went with on_open */
    world_close(&w);
}

static void those_who_left_do_not_matter_to_a_thaw(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    tw_conn_alarm(w.conns[1], str_of("bell"), 60000);
    client_reset(c);
    world_until(&w, w.gone == 1);
    tw_server_freeze(w.server);
    world_turn(&w);
    tw_server_thaw(w.server);
    world_turn(&w);
    world_close(&w);
}

static bool count_idle(tw_server *server, void *arg) {
    (void)server;
    ++*(int *)arg;
    return true;
}

static void a_frozen_server_does_not_spin(void **state) {
    world w;
    int calls = 0;
    (void)state;
    world_open(&w);
    tw_server_set_idle(w.server, count_idle, &calls);
    world_turns(&w, 3);
    assert_int_equal(calls, 3);
    tw_server_freeze(w.server);
    world_turn(&w);
    uint64_t turns = w.server->loop.turns, until = real_ms() + 100;
    while (real_ms() < until) {
        tw__loop_run_once(tw__server_loop(w.server), 50);
    }
    assert_true(w.server->loop.turns - turns <= 10); /* it waits for events */
    assert_int_equal(calls, 3);
    tw_server_thaw(w.server);
    world_turns(&w, 2);
    assert_int_equal(calls, 5);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_over_the_limit_is_closed_at_once),
        cmocka_unit_test(
            an_address_over_its_limit_is_refused_and_others_are_not),
        cmocka_unit_test(
            a_message_of_the_limit_passes_and_one_over_it_does_not),
        cmocka_unit_test(a_head_over_the_limit_is_answered_431),
        cmocka_unit_test(what_is_reset_in_the_queue_of_accept_leaves_nothing),
        cmocka_unit_test(a_drain_closes_all_with_the_routes_code),
        cmocka_unit_test(a_drain_is_spread_over_the_routes_time),
        cmocka_unit_test(a_drain_with_nobody_there_is_over_at_once),
        cmocka_unit_test(a_drain_ends_at_its_limit_also_for_a_hook_that_waits),
        cmocka_unit_test(a_drain_lets_requests_end_and_refuses_upgrades),
        cmocka_unit_test(while_frozen_no_hook_starts_and_nothing_is_lost),
        cmocka_unit_test(a_hook_that_waited_may_be_done_while_frozen),
        cmocka_unit_test(those_who_left_do_not_matter_to_a_thaw),
        cmocka_unit_test(a_frozen_server_does_not_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
