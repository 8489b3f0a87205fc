/* What arrives: in which pieces, how much at once, and when nobody may take it.
 * SPDX-License-Identifier: MIT */
#include <poll.h>

#include "server_probe.h"

static int echo(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    assert_int_equal(tw_conn_send(conn, msg->data, msg->len, msg->binary), 0);
    return TW_DONE;
}

static int wait_for_ever(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    (void)conn;
    (void)msg;
    return TW_LATER;
}

static void a_frame_that_rides_with_the_handshake_is_not_lost(void **state) {
    world w;
    wire out = {0};
    (void)state;
    world_open(&w);
    w.on_message = echo;
    client *c = client_connect(&w, 0);
    wire_add(&out, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    wire_text(&out, FIN | TW__WS_TEXT, "first");
    wire_text(&out, TW__WS_TEXT, "sec");
    client_send(&w, c, out.data, out.len);
    assert_int_equal(client_status(&w, c), 101);
    expect_text(&w, c, "first");
    wire_free(&out);
    wire_text(&out, FIN | TW__WS_CONTINUATION, "ond");
    client_send(&w, c, out.data, out.len);
    expect_text(&w, c, "second");
    assert_log(&w, "open:1 msg:1:first msg:1:second ");
    wire_free(&out);
    world_close(&w);
}

static void everything_may_arrive_byte_by_byte(void **state) {
    world w;
    wire out = {0};
    (void)state;
    world_open(&w);
    w.on_message = echo;
    client *c = client_connect(&w, 0);
    wire_add(&out, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    wire_text(&out, FIN | TW__WS_TEXT, "one");
    wire_text(&out, FIN | TW__WS_PING, "p");
    wire_frame(&out, FIN | TW__WS_BINARY, "two", 3);
    wire_frame(&out, FIN | TW__WS_CLOSE, "\x03\xe8", 2);
    for (size_t i = 0; i < out.len; i++) {
        client_send(&w, c, out.data + i, 1);
        world_turn(&w);
    }
    assert_int_equal(client_status(&w, c), 101);
    expect_text(&w, c, "one");
    expect_frame(&w, c, TW__WS_PONG, "p", 1);
    expect_frame(&w, c, TW__WS_BINARY, "two", 3);
    expect_close(&w, c, 1000, "");
    expect_end(&w, c);
    wire_free(&out);
    world_close(&w);
}

/* Waits without a turn until the kernel has something for connection `number`.
 */
static void await_input(world *w, int number) {
    struct pollfd wait = {.fd = w->conns[number]->io.fd, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, WORLD_PATIENCE_MS), 1);
}

static void a_flood_is_taken_in_turns_and_in_order(void **state) {
    world w;
    wire out = {0};
    char text[16];
    (void)state;
    world_init(&w);
    w.config.read_turn_frames = 3;
    w.config.read_turn_bytes = 1000;
    world_start(&w);
    w.is_silent = true;
    w.on_message = echo;
    client *c = client_open(&w), *d = client_open(&w);
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "%d", i);
        wire_text(&out, FIN | TW__WS_TEXT, text);
    }
    client_send(&w, c, out.data, out.len);
    world_turns(&w, 4);
    client_say(&w, d, "me too");
    await_input(&w, 2);
    uint64_t before = counter(&w, TW_COUNTER_MESSAGES_IN);
    expect_text(&w, d, "me too");
    assert_true(counter(&w, TW_COUNTER_MESSAGES_IN) - before < 50);
    for (int i = 0; i < 2000; i++) {
        snprintf(text, sizeof text, "%d", i);
        expect_text(&w, c, text);
    }
    wire_free(&out);
    world_close(&w);
}

static void what_waits_behind_a_hook_comes_in_order(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.on_message = wait_for_ever;
    client *c = client_open(&w);
    client_say(&w, c, "1");
    client_say(&w, c, "2");
    client_say(&w, c, "3");
    world_until(&w, strstr(w.log, "msg") != NULL);
    client_say(&w, c, "4");
    world_turns(&w, 5);
    assert_log(&w, "open:1 msg:1:1 ");
    for (int i = 2; i <= 4; i++) {
        char log[32];
        tw_conn_done(w.conns[1]);
        world_until(&w, w.log_len > 0);
        world_turns(&w, 3);
        snprintf(log, sizeof log, "msg:1:%d ", i);
        assert_log(&w, log);
    }
    world_close(&w);
}

static void a_hook_that_is_not_wanted_is_not_called(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.routes[0].hooks = TW_HOOK_CLOSE;
    world_start(&w);
    client *c = client_connect(&w, 0);
    client_send(&w, c, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    assert_int_equal(client_status(&w, c), 101);
    client_say(&w, c, "ignored");
    client_say_close(&w, c, 1000);
    expect_close(&w, c, 1000, "");
    client_close(c);
    world_until(&w, w.gone == 1);
    assert_log(&w, "close:0:1000: gone:0 ");
    w.opened = 1;
    world_close(&w);
}

/* ---- pings ---- */

static void a_ping_is_answered_and_of_several_the_latest(void **state) {
    world w;
    wire out = {0};
    (void)state;
    world_open(&w);
    w.on_message = echo;
    client *c = client_open(&w);
    wire_text(&out, FIN | TW__WS_PING, "1");
    wire_text(&out, FIN | TW__WS_PING, "2");
    wire_text(&out, FIN | TW__WS_TEXT, "x");
    wire_text(&out, FIN | TW__WS_PING, "");
    wire_text(&out, FIN | TW__WS_PING, "3");
    client_send(&w, c, out.data, out.len);
    expect_text(&w, c, "x");
    expect_frame(&w, c, TW__WS_PONG, "3", 1);
    expect_nothing(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_PINGS_IN), 4);
    assert_int_equal(counter(&w, TW_COUNTER_PONGS_SKIPPED), 3);
    wire_free(&out);
    world_close(&w);
}

static void a_ping_parsed_before_a_hook_that_waits_is_answered(void **state) {
    world w;
    wire out = {0};
    (void)state;
    world_open(&w);
    w.on_message = wait_for_ever;
    client *c = client_open(&w);
    wire_text(&out, FIN | TW__WS_PING, "p");
    wire_text(&out, FIN | TW__WS_TEXT, "go");
    client_send(&w, c, out.data, out.len);
    expect_frame(&w, c, TW__WS_PONG, "p", 1);
    wire_free(&out);
    world_close(&w);
}

/* ---- the reply budget ---- */

static void
a_full_reply_budget_pauses_reading_until_it_is_half_empty(void **state) {
    static char block[1000];
    world w;
    (void)state;
    world_init(&w);
    w.config.reply_budget_bytes = 40000;
    world_start(&w);
    w.is_silent = true;
    w.on_message = echo;
    world_narrow(&w, 4096);
    client *c = client_open_with(&w, 4096);
    wire out = {0};
    memset(block, 'x', sizeof block);
    c->is_lazy = true;
    for (int i = 0; i < 300; i++) {
        block[0] = (char)i;
        wire_frame(&out, FIN | TW__WS_BINARY, block, sizeof block);
    }
    client_send(&w, c, out.data, out.len); /* the kernel takes it all */
    world_until(&w, tw_conn_queued(w.conns[1]) >= 20000);
    world_turns(&w, 20);
    assert_true(counter(&w, TW_COUNTER_MESSAGES_IN) < 250);
    assert_true(tw_conn_queued(w.conns[1]) <= 41000);
    assert_int_equal(counter(&w, TW_COUNTER_REPLIES_REFUSED), 0);
    c->is_lazy = false;
    for (int i = 0; i < 300; i++) {
        block[0] = (char)i;
        expect_frame(&w, c, TW__WS_BINARY, block, sizeof block);
    }
    wire_free(&out);
    world_close(&w);
}

static void publications_do_not_pause_reading(void **state) {
    static char block[10000];
    world w;
    (void)state;
    world_open(&w);
    world_narrow(&w, 4096);
    client *c = client_open_with(&w, 4096);
    world_subscribe(&w, 1, "room");
    c->is_lazy = true;
    memset(block, 'x', sizeof block - 1);
    for (int i = 0; i < 80; i++) {
        world_publish(&w, "room", block);
        world_turn(&w);
    }
    assert_true(tw_conn_queued(w.conns[1]) > 500000);
    client_say(&w, c, "heard");
    world_until(&w, strstr(w.log, "msg:1:heard") != NULL);
    assert_int_equal(tw_conn_send(w.conns[1], "and sent", 8, false), 0);
    world_close(&w);
}

static void
a_reply_larger_than_the_budget_is_sent_when_it_is_alone(void **state) {
    static char block[100000];
    world w;
    (void)state;
    world_init(&w);
    w.config.reply_budget_bytes = 1000;
    world_start(&w);
    client *c = client_open(&w);
    memset(block, 'x', sizeof block);
    assert_int_equal(tw_conn_send(w.conns[1], block, sizeof block, false), 0);
    expect_frame(&w, c, TW__WS_TEXT, block, sizeof block);
    world_close(&w);
}

static void text_that_is_not_utf8_is_not_sent(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    assert_int_equal(tw_conn_send(w.conns[1], "\xff", 1, false), TW_EINVALID);
    assert_int_equal(tw_conn_send(w.conns[1], "\xff", 1, true), 0);
    assert_int_equal(tw_conn_send(w.conns[1], NULL, 0, false), 0);
    expect_frame(&w, c, TW__WS_BINARY, "\xff", 1);
    expect_text(&w, c, "");
    world_close(&w);
}

static int pass_on(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)conn;
    int err = tw_conn_forward(w->conns[1], msg);
    tw_publish_options known = {.binary = msg->binary, .is_utf8 = true};
    assert_int_equal(
        tw_publish(w->server, str_of("room"), msg->data, msg->len, &known), 0);
    world_note(w, "%s ", tw_err_name(err));
    return TW_DONE;
}

static void a_message_may_be_passed_on_as_it_is(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.on_message = pass_on;
    client *c = client_open(&w), *d = client_open(&w);
    world_subscribe(&w, 2, "room");
    world_forget(&w);
    client_say(&w, d, "text");
    expect_text(&w, c, "text");
    expect_text(&w, d, "text");
    client_send_frame(&w, d, FIN | TW__WS_BINARY, "\xff", 1);
    expect_frame(&w, c, TW__WS_BINARY, "\xff", 1);
    expect_frame(&w, d, TW__WS_BINARY, "\xff", 1);
    tw_conn_close(w.conns[1], 4000, str_of(""));
    client_say(&w, d, "late");
    expect_text(&w, d, "late");
    assert_non_null(strstr(w.log, "msg:2:late closed "));
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_that_rides_with_the_handshake_is_not_lost),
        cmocka_unit_test(everything_may_arrive_byte_by_byte),
        cmocka_unit_test(a_flood_is_taken_in_turns_and_in_order),
        cmocka_unit_test(what_waits_behind_a_hook_comes_in_order),
        cmocka_unit_test(a_hook_that_is_not_wanted_is_not_called),
        cmocka_unit_test(a_ping_is_answered_and_of_several_the_latest),
        cmocka_unit_test(a_ping_parsed_before_a_hook_that_waits_is_answered),
        cmocka_unit_test(
            a_full_reply_budget_pauses_reading_until_it_is_half_empty),
        cmocka_unit_test(publications_do_not_pause_reading),
        cmocka_unit_test(
            a_reply_larger_than_the_budget_is_sent_when_it_is_alone),
        cmocka_unit_test(text_that_is_not_utf8_is_not_sent),
        cmocka_unit_test(a_message_may_be_passed_on_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
