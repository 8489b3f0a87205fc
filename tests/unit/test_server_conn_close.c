/* How connections end: who speaks first, in which order, and who vanishes.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

static int wait_for_ever(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    (void)conn;
    (void)msg;
    return TW_LATER;
}

static int close_self(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    (void)msg;
    assert_int_equal(tw_conn_close(conn, 4001, str_of("mine")), 0);
    return TW_DONE;
}

/* No timer helps in these tests unless they let time pass: what must come comes
 * by itself. */

static void end_orderly(world *w, client *c) {
    expect_end(w, c);
    assert_int_equal(counter(w, TW_COUNTER_CLOSED_PROTOCOL), 0);
    client_close(c);
    world_until(w, w->gone == w->opened);
}

/* ---- order ---- */

static void what_was_sent_before_a_close_leaves_before_it(void **state) {
    static char block[50000];
    world w;
    (void)state;
    world_open(&w);
    world_narrow(&w, 4096);
    client *c = client_open_with(&w, 4096);
    c->is_lazy = true;
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(tw_conn_send(w.conns[1], block, sizeof block, false),
                         0);
    }
    assert_int_equal(tw_conn_close(w.conns[1], 4000, str_of("")), 0);
    assert_int_equal(tw_conn_send(w.conns[1], "x", 1, false), TW_ECLOSED);
    world_turns(&w, 20);
    c->is_lazy = false;
    for (int i = 0; i < 10; i++) {
        expect_frame(&w, c, TW__WS_TEXT, block, sizeof block);
    }
    expect_close(&w, c, 4000, "");
    client_say_close(&w, c, 4000);
    end_orderly(&w, c);
    assert_log(&w, "open:1 close:1:4000: gone:1 ");
    world_close(&w);
}

static void publications_queued_before_a_close_leave_before_it(void **state) {
    static char block[5000];
    world w;
    (void)state;
    world_open(&w);
    world_narrow(&w, 4096);
    client *c = client_open_with(&w, 4096);
    world_subscribe(&w, 1, "room");
    c->is_lazy = true;
    memset(block, 'x', sizeof block - 1);
    for (int i = 0; i < 50; i++) {
        world_publish(&w, "room", block);
        world_turn(&w);
    }
    assert_int_equal(tw_conn_close(w.conns[1], 4000, str_of("")), 0);
    c->is_lazy = false;
    for (int i = 0; i < 50; i++) {
        expect_text(&w, c, block);
    }
    expect_close(&w, c, 4000, "");
    assert_int_equal(counter(&w, TW_COUNTER_DELIVERED), 50);
    world_close(&w);
}

static void
the_close_of_a_peer_is_seen_behind_the_message_that_closed(void **state) {
    world w;
    wire out = {0};
    (void)state;
    world_open(&w);
    w.on_message = close_self;
    client *c = client_open(&w);
    wire_text(&out, FIN | TW__WS_TEXT, "go");
    wire_text(&out, FIN | TW__WS_TEXT, "too late");
    wire_frame(&out, FIN | TW__WS_CLOSE, "\x03\xe8", 2);
    client_send(&w, c, out.data, out.len);
    expect_close(&w, c, 4001, "mine");
    end_orderly(&w, c);
    assert_log(&w, "open:1 msg:1:go close:1:4001:mine gone:1 ");
    wire_free(&out);
    world_close(&w);
}

static void a_frame_half_arrived_does_not_disturb_a_close(void **state) {
    world w;
    wire out = {0};
    (void)state;
    world_open(&w);
    w.on_message = close_self;
    client *c = client_open(&w);
    wire_text(&out, FIN | TW__WS_TEXT, "go");
    size_t first = out.len + 4;
    wire_text(&out, FIN | TW__WS_TEXT, "begun before, ended after");
    wire_frame(&out, FIN | TW__WS_CLOSE, "\x03\xe8", 2);
    client_send(&w, c, out.data, first);
    expect_close(&w, c, 4001, "mine");
    client_send(&w, c, out.data + first, out.len - first);
    end_orderly(&w, c);
    wire_free(&out);
    world_close(&w);
}

static void what_waits_behind_a_hook_does_not_disturb_a_close(void **state) {
    world w;
    wire out = {0};
    (void)state;
    world_open(&w);
    w.on_message = wait_for_ever;
    client *c = client_open(&w);
    wire_text(&out, FIN | TW__WS_TEXT, "go");
    wire_text(&out, FIN | TW__WS_TEXT, "behind");
    size_t first = out.len + 4;
    wire_text(&out, FIN | TW__WS_TEXT, "begun before, ended after");
    wire_frame(&out, FIN | TW__WS_CLOSE, "\x03\xe8", 2);
    client_send(&w, c, out.data, first);
    world_until(&w, strstr(w.log, "msg") != NULL);
    assert_int_equal(tw_conn_close(w.conns[1], 4001, str_of("mine")), 0);
    expect_close(&w, c, 4001, "mine");
    client_send(&w, c, out.data + first, out.len - first);
    expect_end(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_CLOSED_PROTOCOL), 0);
    assert_log(&w, "open:1 msg:1:go ");
    tw_conn_done(w.conns[1]);
    client_close(c);
    world_until(&w, w.gone == 1);
    assert_log(&w, "close:1:4001:mine gone:1 ");
    wire_free(&out);
    world_close(&w);
}

static void on_close_waits_for_the_hook_that_runs(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.on_message = wait_for_ever;
    client *c = client_open(&w);
    client_say(&w, c, "go");
    world_until(&w, strstr(w.log, "msg") != NULL);
    client_reset(c);
    world_until(&w, !tw_conn_is_open(w.conns[1])); /* it is noticed */
    world_rest(&w);
    assert_log(&w, "open:1 msg:1:go ");
    tw_conn_done(w.conns[1]);
    world_until(&w, w.gone == 1);
    assert_log(&w, "close:1:1006: gone:1 ");
    world_close(&w);
}

static int wait_in_close(world *w, tw_conn *conn) {
    tw_str channel;
    (void)w;
    assert_true(tw_conn_channel(conn, 0, &channel));
    assert_string_equal(channel.data, "room");
    assert_false(tw_conn_channel(conn, 1, &channel));
    return TW_LATER;
}

static void on_close_may_wait_until_the_socket_is_gone(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.on_close = wait_in_close;
    client *c = client_open(&w);
    world_subscribe(&w, 1, "room");
    client_reset(c);
    world_until(&w, strstr(w.log, "close:") != NULL);
    world_rest(&w);
    assert_log(&w, "open:1 close:1:1006: ");
    tw_conn_done(w.conns[1]);
    world_until(&w, w.gone == 1);
    assert_log(&w, "gone:1 ");
    world_close(&w);
}

static void on_close_may_be_done_before_the_socket_is_gone(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.on_close = wait_in_close;
    client *c = client_open(&w);
    world_subscribe(&w, 1, "room");
    assert_int_equal(tw_conn_close(w.conns[1], 1000, str_of("")), 0);
    expect_close(&w, c, 1000, "");
    tw_conn_done(w.conns[1]);
    world_rest(&w);
    assert_int_equal(w.gone, 0);
    client_say_close(&w, c, 1000);
    end_orderly(&w, c);
    world_close(&w);
}

/* ---- what is said ---- */

static void both_sides_close_at_once(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    client_say_close(&w, c, 4444);
    assert_int_equal(tw_conn_close(w.conns[1], 4001, str_of("")), 0);
    expect_close(&w, c, 4001, "");
    end_orderly(&w, c);
    assert_log(&w, "open:1 close:1:4001: gone:1 ");
    world_close(&w);
}

static void a_close_without_a_code_is_answered_by_one(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    client_say_close(&w, c, 0);
    expect_close(&w, c, 0, "");
    end_orderly(&w, c);
    assert_log(&w, "open:1 close:1:1005: gone:1 ");
    world_close(&w);
}

static void codes_that_may_not_be_sent_are_refused(void **state) {
    static const int codes[] = {0,    999,  1004, 1005, 1006, 1010,
                                1015, 2999, 5000, -1,   66536};
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_int_equal(tw_conn_close(w.conns[1], codes[i], str_of("")),
                         TW_EINVALID);
    }
    assert_int_equal(tw_conn_close(w.conns[1], 4000, str_of("\xff")),
                     TW_EINVALID);
    assert_true(tw_conn_is_open(w.conns[1]));
    assert_int_equal(tw_conn_close(w.conns[1], 4000, (tw_str){NULL, 0}), 0);
    expect_close(&w, c, 4000, "");
    world_close(&w);
}

static void a_long_reason_is_cut_at_a_character(void **state) {
    world w;
    char reason[201] = "a", cut[124] = "a";
    (void)state;
    for (int i = 0; i < 66; i++) {
        memcpy(reason + 1 + 3 * i, "\xe2\x82\xac", 4);
    }
    memcpy(cut, reason, 121);
    world_open(&w);
    client *c = client_open(&w);
    assert_int_equal(tw_conn_close(w.conns[1], 4000, str_of(reason)), 0);
    expect_close(&w, c, 4000, cut);
    world_close(&w);
}

/* The answer to a broken peer is a close, and then the end: it is not asked for
 * its own. */
static void expect_failed(const void *bytes, size_t len, int code,
                          const char *reason) {
    world w;
    char log[100];
    world_init(&w);
    w.routes[0].max_message_bytes = 1000;
    world_start(&w);
    client *c = client_open(&w);
    client_send(&w, c, bytes, len);
    expect_close(&w, c, code, reason);
    expect_end(&w, c);
    client_close(c);
    world_until(&w, w.gone == 1);
    snprintf(log, sizeof log, "open:1 close:1:%d:%s gone:1 ", code, reason);
    assert_log(&w, log);
    assert_int_equal(counter(&w, TW_COUNTER_CLOSED_PROTOCOL), 1);
    world_close(&w);
}

static void a_peer_that_breaks_the_protocol_is_told_how(void **state) {
    (void)state;
    expect_failed("\x81\x02hi", 4, 1002, "masked frame required");
    expect_failed("\x83\x80....", 6, 1002, "reserved opcode");
    expect_failed("\x82\xfe\x03\xe9....", 8, 1009, "message too big");
    expect_failed("\x81\x81\0\0\0\0\xff", 7, 1007, "text is not UTF-8");
    expect_failed("\x88\x82\0\0\0\0\x03\xee", 8, 1002, "invalid close code");
    expect_failed("\x80\x80....", 6, 1002, "fragment without start");
}

/* ---- who does not answer ---- */

static void a_peer_that_does_not_answer_is_cut(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    assert_int_equal(tw_conn_close(w.conns[1], 4000, str_of("")), 0);
    expect_close(&w, c, 4000, "");
    expect_in(&w, 5000, w.gone == 1);
    world_close(&w);
}

/* With input unread the kernel would send RST at the close, which destroys
 * what is on its way. */
static void a_peer_that_goes_on_talking_gets_the_close(void **state) {
    static uint8_t block[200000];
    world w;
    (void)state;
    world_init(&w);
    w.routes[0].max_message_bytes = 100;
    world_start(&w);
    client *c = client_open(&w);
    c->is_lazy = true;
    for (int i = 0; i < 5; i++) {
        client_send_frame(&w, c, FIN | TW__WS_BINARY, block, sizeof block);
    }
    world_turns(&w, 10);
    client_send_frame(&w, c, FIN | TW__WS_BINARY, block, sizeof block);
    c->is_lazy = false;
    expect_close(&w, c, 1009, "message too big");
    expect_end(&w, c);
    world_close(&w);
}

static void a_peer_that_lingers_is_cut_after_a_second(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    client_say_close(&w, c, 1000);
    expect_close(&w, c, 1000, "");
    expect_end(&w, c);
    world_rest(&w);
    expect_in(&w, 1000, w.gone == 1);
    assert_log(&w, "open:1 close:1:1000: gone:1 ");
    world_close(&w);
}

/* ---- who vanishes ---- */

enum vanish_state {
    IN_ACCEPT,
    IN_HEAD,
    IN_UPGRADE, /* the host has not answered */
    IN_OPEN,    /* on_open waits */
    IDLE,
    IN_FRAME,
    IN_MESSAGE, /* on_message waits */
    WITH_QUEUE,
    CLOSING,
    VANISH_STATES
};

static int wait_in_open(world *w, tw_conn *conn, tw_req *req) {
    (void)w;
    (void)conn;
    (void)req;
    return TW_LATER;
}

static void keep_req(world *w, tw_req *req) {
    (void)w;
    (void)req; /* answered never */
}

static client *bring_to(world *w, enum vanish_state state) {
    static char block[500000];
    if (state < IN_OPEN) {
        client *c = client_connect(w, 0);
        client_send(w, c, HANDSHAKE("/chat"),
                    state == IN_ACCEPT ? 0
                    : state == IN_HEAD ? 20
                                       : sizeof HANDSHAKE("/chat") - 1);
        world_until(w, w->server->conn_live == 1);
        world_heard(w);
        return c;
    }
    w->on_open = state == IN_OPEN ? wait_in_open : NULL;
    w->on_message = state == IN_MESSAGE ? wait_for_ever : NULL;
    client *c = client_open(w);
    if (state == IN_FRAME) {
        client_send(w, c, "\x81\xfe\x01\x00....abc", 11);
    } else if (state == IN_MESSAGE) {
        client_say(w, c, "go");
    } else if (state == WITH_QUEUE) {
        c->is_lazy = true;
        world_subscribe(w, 1, "room");
        memset(block, 'x', sizeof block - 1);
        assert_int_equal(tw_conn_send(w->conns[1], block, 900000 / 2, false),
                         0);
        world_publish(w, "room", block);
    } else if (state == CLOSING) {
        assert_int_equal(tw_conn_close(w->conns[1], 4000, str_of("")), 0);
    }
    world_heard(w);
    return c;
}

static void vanish_in_each_state(void (*vanish)(client *c)) {
    for (int at = 0; at < VANISH_STATES; at++) {
        world w;
        world_init(&w);
        w.on_upgrade = keep_req;
        w.routes[0].hooks |= at == IN_UPGRADE ? TW_HOOK_UPGRADE : 0;
        world_start(&w);
        client *c = bring_to(&w, (enum vanish_state)at);
        vanish(c);
        world_turns(&w, 5);
        if (w.conns[1] != NULL) {
            tw_conn_done(w.conns[1]);
        }
        if (at != IN_UPGRADE) {
            world_until(&w, w.server->conn_live == 0);
        }
        assert_int_equal(w.opened, w.gone);
        assert_int_equal(w.opened, at >= IN_OPEN);
        world_close(&w);
    }
}

static void a_peer_may_vanish_with_a_reset_at_any_time(void **state) {
    (void)state;
    vanish_in_each_state(client_reset);
}

static void a_peer_may_vanish_with_an_end_at_any_time(void **state) {
    (void)state;
    vanish_in_each_state(client_close);
}

static void whoever_has_the_request_is_told_that_its_peer_left(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.on_upgrade = keep_req;
    w.routes[0].hooks |= TW_HOOK_UPGRADE;
    world_start(&w);
    client *c = bring_to(&w, IN_UPGRADE);
    client_reset(c);
    world_until(&w, w.server->conn_live == 0);
    assert_log(&w, "upgrade abandon ");
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sent_before_a_close_leaves_before_it),
        cmocka_unit_test(publications_queued_before_a_close_leave_before_it),
        cmocka_unit_test(
            the_close_of_a_peer_is_seen_behind_the_message_that_closed),
        cmocka_unit_test(a_frame_half_arrived_does_not_disturb_a_close),
        cmocka_unit_test(what_waits_behind_a_hook_does_not_disturb_a_close),
        cmocka_unit_test(on_close_waits_for_the_hook_that_runs),
        cmocka_unit_test(on_close_may_wait_until_the_socket_is_gone),
        cmocka_unit_test(on_close_may_be_done_before_the_socket_is_gone),
        cmocka_unit_test(both_sides_close_at_once),
        cmocka_unit_test(a_close_without_a_code_is_answered_by_one),
        cmocka_unit_test(codes_that_may_not_be_sent_are_refused),
        cmocka_unit_test(a_long_reason_is_cut_at_a_character),
        cmocka_unit_test(a_peer_that_breaks_the_protocol_is_told_how),
        cmocka_unit_test(a_peer_that_does_not_answer_is_cut),
        cmocka_unit_test(a_peer_that_goes_on_talking_gets_the_close),
        cmocka_unit_test(a_peer_that_lingers_is_cut_after_a_second),
        cmocka_unit_test(a_peer_may_vanish_with_a_reset_at_any_time),
        cmocka_unit_test(a_peer_may_vanish_with_an_end_at_any_time),
        cmocka_unit_test(whoever_has_the_request_is_told_that_its_peer_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
