/* A server opens, echoes, fans out and closes. SPDX-License-Identifier: MIT */
#include "server_probe.h"

static int echo(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    assert_int_equal(tw_conn_send(conn, msg->data, msg->len, msg->binary), 0);
    return TW_DONE;
}

static void a_server_opens_and_is_destroyed_with_nothing_left(void **state) {
    world w;
    (void)state;
    world_open(&w);
    world_turns(&w, 3);
    world_close(&w);
}

static void a_message_is_echoed(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.on_message = echo;
    client *c = client_open(&w);
    client_say(&w, c, "hello");
    expect_text(&w, c, "hello");
    client_send_frame(&w, c, FIN | TW__WS_BINARY, "\xff\0", 2);
    expect_frame(&w, c, TW__WS_BINARY, "\xff\0", 2);
    assert_int_equal(counter(&w, TW_COUNTER_MESSAGES_IN), 2);
    assert_int_equal(counter(&w, TW_COUNTER_REPLIES), 2);
    world_close(&w);
}

static void a_publication_reaches_all_subscribers_in_order(void **state) {
    world w;
    client *c[5];
    (void)state;
    world_open(&w);
    for (int i = 0; i < 5; i++) {
        c[i] = client_open(&w);
        world_subscribe(&w, i + 1, "room");
    }
    world_publish(&w, "room", "one");
    world_publish(&w, "room", "two");
    for (int i = 0; i < 5; i++) {
        expect_text(&w, c[i], "one");
        expect_text(&w, c[i], "two");
    }
    assert_int_equal(counter(&w, TW_COUNTER_INTENDED), 10);
    assert_int_equal(counter(&w, TW_COUNTER_DELIVERED), 10);
    world_close(&w);
}

static void the_server_closes_and_the_peer_answers(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    assert_int_equal(tw_conn_send(w.conns[1], "last", 4, false), 0);
    assert_int_equal(tw_conn_close(w.conns[1], 4000, str_of("enough")), 0);
    expect_text(&w, c, "last");
    expect_close(&w, c, 4000, "enough");
    client_say_close(&w, c, 4000);
    expect_end(&w, c);
    client_close(c);
    world_until(&w, w.gone == 1);
    assert_log(&w, "open:1 close:1:4000:enough gone:1 ");
    world_close(&w);
}

static void the_peer_closes_and_the_server_answers(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    client_say_close(&w, c, 1001);
    expect_close(&w, c, 1001, "");
    expect_end(&w, c);
    client_close(c);
    world_until(&w, w.gone == 1);
    assert_log(&w, "open:1 close:1:1001: gone:1 ");
    world_close(&w);
}

static void a_plain_request_is_answered(void **state) {
    world w;
    char body[8];
    (void)state;
    world_init(&w);
    w.routes[w.route_count++] =
        (tw_route_config){.kind = TW_ROUTE_HTTP, .pattern = "/page"};
    world_start(&w);
    client *c = client_connect(&w, 0);
    const char *request = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    client_send(&w, c, request, strlen(request));
    assert_int_equal(client_status(&w, c), 200);
    client_body(&w, c, body, 4);
    assert_string_equal(body, "fine");
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_opens_and_is_destroyed_with_nothing_left),
        cmocka_unit_test(a_message_is_echoed),
        cmocka_unit_test(a_publication_reaches_all_subscribers_in_order),
        cmocka_unit_test(the_server_closes_and_the_peer_answers),
        cmocka_unit_test(the_peer_closes_and_the_server_answers),
        cmocka_unit_test(a_plain_request_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
