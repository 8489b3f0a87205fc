/* Heartbeats, deadlines, alarms, rates and timers, to the millisecond. Where no
 * time is set it is the default one. SPDX-License-Identifier: MIT */
#include "server_probe.h"

enum { PING_MS = 30000, IDLE_MS = 60000, FRAME_MS = 30000, LONG_MS = 600000 };

static void open_with(world *w, uint32_t ping_ms, uint32_t idle_ms) {
    world_init(w);
    w->routes[0].ping_ms = ping_ms;
    w->routes[0].idle_ms = idle_ms;
    world_start(w);
}

static int wait_for_ever(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    (void)conn;
    (void)msg;
    return TW_LATER;
}

/* ---- heartbeats ---- */

static void a_silent_peer_is_pinged_and_then_closed(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    world_pass(&w, PING_MS);
    assert_int_equal(counter(&w, TW_COUNTER_PINGS_OUT), 1);
    expect_frame(&w, c, TW__WS_PING, NULL, 0);
    expect_in(&w, IDLE_MS - PING_MS, !tw_conn_is_open(w.conns[1]));
    expect_close(&w, c, 1008, "nothing heard");
    expect_end(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_CLOSED_IDLE), 1);
    assert_int_equal(counter(&w, TW_COUNTER_PINGS_OUT), 1);
    world_close(&w);
}

/* Those that opened in the same moment are not pinged in one. */
static void pings_are_spread_over_an_eighth_before_their_time(void **state) {
    world w;
    enum { PEERS = 40, PARTS = 10 };
    uint64_t part_ms = PING_MS / 8 / PARTS, seen = 0, parts = 0;
    (void)state;
    world_open(&w);
    for (int i = 0; i < PEERS; i++) {
        client_open(&w);
    }
    world_pass(&w, PING_MS - PING_MS / 8 - 1);
    assert_int_equal(counter(&w, TW_COUNTER_PINGS_OUT), 0);
    for (int i = 0; i < PARTS; i++) {
        world_pass(&w, part_ms);
        parts += counter(&w, TW_COUNTER_PINGS_OUT) > seen;
        seen = counter(&w, TW_COUNTER_PINGS_OUT);
    }
    assert_true(parts >= 3); /* 40 dice, and all in two of ten: never */
    world_pass(&w, 1);
    assert_int_equal(counter(&w, TW_COUNTER_PINGS_OUT), PEERS);
    world_close(&w);
}

static void a_short_interval_is_kept_to_the_millisecond(void **state) {
    world w;
    (void)state;
    open_with(&w, 500, 800);
    client_open(&w);
    expect_in(&w, 500, counter(&w, TW_COUNTER_PINGS_OUT) == 1);
    expect_in(&w, 300, !tw_conn_is_open(w.conns[1]));
    world_close(&w);
}

static void pongs_keep_a_connection_and_the_pings_go_on(void **state) {
    world w;
    (void)state;
    open_with(&w, 500, 800);
    client *c = client_open(&w);
    for (unsigned i = 1; i <= 4; i++) {
        expect_in(&w, 500, counter(&w, TW_COUNTER_PINGS_OUT) == i);
        expect_frame(&w, c, TW__WS_PING, NULL, 0);
        client_send_frame(&w, c, FIN | TW__WS_PONG, "", 0);
        world_heard(&w);
    }
    expect_in(&w, 500, counter(&w, TW_COUNTER_PINGS_OUT) == 5);
    expect_in(&w, 300, !tw_conn_is_open(w.conns[1])); /* this time it does not
                                                         answer */
    world_close(&w);
}

static void messages_count_as_life(void **state) {
    world w;
    (void)state;
    open_with(&w, LONG_MS, 800);
    client *c = client_open(&w);
    for (int i = 0; i < 5; i++) {
        world_pass(&w, 799);
        client_say(&w, c, "x");
        world_heard(&w);
    }
    assert_int_equal(counter(&w, TW_COUNTER_PINGS_OUT), 0);
    world_pass(&w, 799);
    assert_true(tw_conn_is_open(w.conns[1]));
    world_pass(&w, 4); /* a tick of the wheel */
    assert_false(tw_conn_is_open(w.conns[1]));
    world_close(&w);
}

static void trickled_bytes_do_not_count_as_life(void **state) {
    world w;
    (void)state;
    open_with(&w, LONG_MS, 800);
    client *c = client_open(&w);
    client_send(&w, c, "\x82\xfe\x01\x00....", 8);
    for (int i = 0; i < 7; i++) {
        world_heard(&w);
        world_pass(&w, 100);
        client_send(&w, c, "x", 1);
    }
    world_heard(&w);
    expect_in(&w, 100, !tw_conn_is_open(w.conns[1]));
    expect_close(&w, c, 1008, "nothing heard");
    world_close(&w);
}

static void silence_while_a_hook_waits_does_not_count(void **state) {
    world w;
    (void)state;
    open_with(&w, LONG_MS, 800);
    w.on_message = wait_for_ever;
    client *c = client_open(&w);
    client_say(&w, c, "go");
    world_until(&w, strstr(w.log, "msg") != NULL);
    world_pass(&w, 8000);
    assert_true(tw_conn_is_open(w.conns[1]));
    tw_conn_done(w.conns[1]);
    expect_in(&w, 800, !tw_conn_is_open(w.conns[1]));
    world_close(&w);
}

static void
silence_of_a_peer_that_cannot_be_reached_does_not_count(void **state) {
    static char block[500000];
    world w;
    (void)state;
    open_with(&w, 500, 800);
    world_narrow(&w, 4096);
    client *c = client_open_with(&w, 4096);
    c->is_lazy = true;
    tw_conn_send(w.conns[1], block, sizeof block, true);
    world_pass(&w, 8000);
    assert_true(tw_conn_is_open(w.conns[1]));
    assert_int_equal(counter(&w, TW_COUNTER_PINGS_OUT), 0);
    c->is_lazy = false;
    expect_frame(&w, c, TW__WS_BINARY, block, sizeof block);
    expect_in(&w, 500, counter(&w, TW_COUNTER_PINGS_OUT) == 1);
    expect_in(&w, 300, !tw_conn_is_open(w.conns[1]));
    world_close(&w);
}

/* The noted time of life has 32 bits of milliseconds: it wraps after 49 days.
 */
static void a_server_may_run_for_months(void **state) {
    world w;
    (void)state;
    open_with(&w, 60, LONG_MS);
    w.server->started_ms = tw_server_now(w.server) - UINT32_MAX + 30;
    client_open(&w);
    client *after = client_open(&w);
    for (int i = 0; i < 49; i++) {
        client_say(&w, after, "x");
        world_heard(&w);
        world_pass(&w, 1);
    }
    assert_int_equal(counter(&w, TW_COUNTER_PINGS_OUT), 0);
    expect_in(&w, 60 - 49, counter(&w, TW_COUNTER_PINGS_OUT) == 1);
    expect_in(&w, 48, counter(&w, TW_COUNTER_PINGS_OUT) == 2);
    assert_true(tw_conn_is_open(w.conns[1]) && tw_conn_is_open(w.conns[2]));
    world_close(&w);
}

/* ---- deadlines ---- */

static void a_frame_begun_must_end_in_time(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    client_send(&w, c, "\x81\xfe", 2);
    world_heard(&w);
    expect_in(&w, FRAME_MS, !tw_conn_is_open(w.conns[1]));
    expect_frame(&w, c, TW__WS_PING, NULL, 0);
    expect_close(&w, c, 1008, "a frame took too long");
    world_close(&w);
}

static void a_frame_that_ends_in_the_last_moment_is_in_time(void **state) {
    world w;
    wire out = {0};
    (void)state;
    open_with(&w, LONG_MS, LONG_MS);
    client *c = client_open(&w);
    wire_text(&out, FIN | TW__WS_TEXT, "hello");
    client_send(&w, c, out.data, 3);
    world_heard(&w);
    world_pass(&w, FRAME_MS - 1);
    client_send(&w, c, out.data + 3, out.len - 3);
    world_heard(&w);
    world_pass(&w, 2 * FRAME_MS);
    assert_log(&w, "open:1 msg:1:hello ");
    assert_true(tw_conn_is_open(w.conns[1]));
    wire_free(&out);
    world_close(&w);
}

static void a_fragmented_message_must_end_in_time(void **state) {
    world w;
    (void)state;
    open_with(&w, LONG_MS, LONG_MS);
    client *c = client_open(&w);
    client_send_frame(&w, c, TW__WS_TEXT, "a", 1);
    for (int i = 0; i < 29; i++) {
        world_heard(&w);
        world_pass(&w, FRAME_MS / 30);
        client_send_frame(&w, c, TW__WS_CONTINUATION, "b", 1);
        client_send_frame(&w, c, FIN | TW__WS_PING, "", 0);
    }
    world_heard(&w);
    expect_in(&w, FRAME_MS / 30, !tw_conn_is_open(w.conns[1]));
    assert_log(&w, "open:1 close:1:1008:a frame took too long ");
    world_close(&w);
}

/* Each read ends inside of a frame, though of another one each time. */
static void a_busy_stream_is_not_taken_for_one_long_frame(void **state) {
    world w;
    wire out = {0};
    (void)state;
    open_with(&w, LONG_MS, LONG_MS);
    client *c = client_open(&w);
    wire_text(&out, FIN | TW__WS_TEXT, "12345678");
    client_send(&w, c, out.data, 5);
    for (int i = 0; i < 6; i++) {
        world_heard(&w);
        world_pass(&w, FRAME_MS - 1000);
        client_send(&w, c, out.data + 5, out.len - 5);
        client_send(&w, c, out.data, 5);
    }
    world_heard(&w);
    expect_in(&w, FRAME_MS, !tw_conn_is_open(w.conns[1]));
    assert_int_equal(counter(&w, TW_COUNTER_MESSAGES_IN), 6);
    wire_free(&out);
    world_close(&w);
}

static void accept_for(world *w, tw_req *req) {
    tw_accept accept = {.user = str_of("ann"), .expires_ms = 20000};
    (void)w;
    assert_int_equal(tw_req_accept(req, &accept), 0);
}

static void a_connection_expires(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.routes[0].hooks |= TW_HOOK_UPGRADE;
    w.on_upgrade = accept_for;
    world_start(&w);
    client *c = client_open(&w);
    assert_string_equal(tw_conn_user(w.conns[1]).data, "ann");
    expect_in(&w, 20000, !tw_conn_is_open(w.conns[1]));
    expect_close(&w, c, 3005, "expired");
    world_close(&w);
}

static void a_handshake_must_end_in_ten_seconds(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *silent = client_connect(&w, 0), *slow = client_connect(&w, 0);
    client_send(&w, slow, "GET / HT", 8);
    world_until(&w, w.server->conn_live == 2);
    world_heard(&w);
    expect_in(&w, 10000, counter(&w, TW_COUNTER_HANDSHAKE_TIMEOUTS) == 2);
    assert_int_equal(client_status(&w, slow), 408);
    expect_end(&w, silent);
    world_close(&w);
}

static void bytes_do_not_give_a_handshake_more_time(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_connect(&w, 0);
    world_until(&w, w.server->conn_live == 1);
    for (int i = 0; i < 9; i++) {
        world_pass(&w, 1000);
        client_send(&w, c, &"GET / HTTP/1.1"[i], 1);
        world_heard(&w);
    }
    expect_in(&w, 1000, counter(&w, TW_COUNTER_HANDSHAKE_TIMEOUTS) == 1);
    assert_int_equal(client_status(&w, c), 408);
    world_close(&w);
}

/* ---- alarms ---- */

static int set_again(world *w, tw_conn *conn, tw_str name) {
    static int times;
    (void)w;
    if (times++ < 2) {
        assert_int_equal(tw_conn_alarm(conn, name, 8), 0);
    }
    return TW_DONE;
}

static void an_alarm_comes_once_and_may_be_set_again(void **state) {
    world w;
    (void)state;
    open_with(&w, LONG_MS, LONG_MS);
    w.on_alarm = set_again;
    client_open(&w);
    world_forget(&w);
    assert_int_equal(tw_conn_alarm(w.conns[1], str_of("bell"), 40000), 0);
    expect_in(&w, 40000, w.log_len > 0);
    assert_log(&w, "alarm:1:bell ");
    expect_in(&w, 8, w.log_len > 0);
    assert_log(&w, "alarm:1:bell ");
    expect_in(&w, 8, w.log_len > 0);
    world_pass(&w, 20000);
    assert_log(&w, "alarm:1:bell ");
    world_close(&w);
}

static void an_alarm_is_moved_and_dropped(void **state) {
    world w;
    (void)state;
    open_with(&w, LONG_MS, LONG_MS);
    client_open(&w);
    tw_conn *conn = w.conns[1];
    world_forget(&w);
    tw_conn_alarm(conn, str_of("moved"), 5);
    tw_conn_alarm(conn, str_of("moved"), 60000);
    tw_conn_alarm(conn, str_of("gone"), 5);
    tw_conn_alarm(conn, str_of("gone"), 0);
    assert_int_equal(tw_conn_alarm(conn, str_of("never was"), 0), 0);
    tw_conn_alarm(conn, (tw_str){NULL, 0}, 12);
    expect_in(&w, 12, w.log_len > 0);
    assert_log(&w, "alarm:1: ");
    expect_in(&w, 60000 - 12, w.log_len > 0);
    assert_log(&w, "alarm:1:moved ");
    world_close(&w);
}

static void alarms_are_limited(void **state) {
    world w;
    char name[66];
    (void)state;
    world_open(&w);
    client_open(&w);
    tw_conn *conn = w.conns[1];
    memset(name, 'n', sizeof name);
    assert_int_equal(tw_conn_alarm(conn, (tw_str){name, 65}, 5), TW_ELIMIT);
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(tw_conn_alarm(conn, (tw_str){name, 64 - i}, 60000), 0);
    }
    assert_int_equal(tw_conn_alarm(conn, str_of("one more"), 5), TW_ELIMIT);
    assert_int_equal(tw_conn_alarm(conn, (tw_str){name, 64}, 5), 0);
    tw_conn_close(conn, 4000, str_of(""));
    assert_int_equal(tw_conn_alarm(conn, str_of("x"), 5), TW_ECLOSED);
    world_pass(&w, 20);
    assert_log(&w, "open:1 close:1:4000: ");
    world_close(&w);
}

static int wait_in_alarm(world *w, tw_conn *conn, tw_str name) {
    (void)w;
    (void)conn;
    return name.data[0] == 'a' ? TW_LATER : TW_DONE;
}

static void alarms_wait_for_each_other(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.on_alarm = wait_in_alarm;
    client_open(&w);
    world_forget(&w);
    tw_conn_alarm(w.conns[1], str_of("c"), 20);
    tw_conn_alarm(w.conns[1], str_of("a"), 4);
    tw_conn_alarm(w.conns[1], str_of("b"), 12);
    world_pass(&w, 30);
    assert_log(&w, "alarm:1:a ");
    tw_conn_done(w.conns[1]);
    world_rest(&w);
    assert_non_null(strstr(w.log, "alarm:1:b "));
    assert_non_null(strstr(w.log, "alarm:1:c "));
    assert_int_equal(w.log_len, 20);
    world_forget(&w);
    world_close(&w);
}

/* ---- rates ---- */

static void rate_world(world *w, tw_rate rate) {
    world_init(w);
    w->routes[0].rate = rate;
    world_start(w);
}

static void say_many(world *w, client *c, int count) {
    wire out = {0};
    for (int i = 0; i < count; i++) {
        char text[2] = {(char)('0' + i % 10), '\0'};
        wire_text(&out, FIN | TW__WS_TEXT, text);
    }
    client_send(w, c, out.data, out.len);
    wire_free(&out);
}

static void a_rate_closes(void **state) {
    world w;
    (void)state;
    rate_world(
        &w, (tw_rate){.messages = 0.001, .burst = 3000, .over = TW_RATE_CLOSE});
    client *c = client_open(&w);
    say_many(&w, c, 5);
    expect_close(&w, c, 1008, "rate limit exceeded");
    assert_log(&w, "open:1 msg:1:0 msg:1:1 msg:1:2 "
                   "close:1:1008:rate limit exceeded ");
    assert_int_equal(counter(&w, TW_COUNTER_CLOSED_RATE), 1);
    world_close(&w);
}

static void a_rate_drops(void **state) {
    world w;
    (void)state;
    rate_world(&w,
               (tw_rate){.bytes = 0.001, .burst = 3000, .over = TW_RATE_DROP});
    client *c = client_open(&w);
    say_many(&w, c, 5);
    client_send_frame(&w, c, FIN | TW__WS_PING, "", 0);
    expect_frame(&w, c, TW__WS_PONG, NULL, 0);
    assert_log(&w, "open:1 msg:1:0 msg:1:1 msg:1:2 ");
    assert_int_equal(counter(&w, TW_COUNTER_MESSAGES_RATED), 2);
    world_close(&w);
}

/* One message in a second and two at once: the third goes into debt, and two
 * seconds are waited until it is paid and there is one for the next. */
static void a_rate_waits(void **state) {
    world w;
    (void)state;
    rate_world(&w, (tw_rate){.messages = 1, .burst = 2, .over = TW_RATE_WAIT});
    w.routes[0].idle_ms = 1500; /* resting is not silence */
    world_set_routes(&w);
    client *c = client_open(&w);
    say_many(&w, c, 6);
    world_heard(&w);
    assert_log(&w, "open:1 msg:1:0 msg:1:1 msg:1:2 ");
    world_pass(&w, 2000);
    assert_log(&w, "");
    world_pass(&w, 4);
    assert_log(&w, "msg:1:3 msg:1:4 ");
    world_pass(&w, 1990);
    assert_log(&w, "");
    world_pass(&w, 14);
    assert_log(&w, "msg:1:5 ");
    world_close(&w);
}

/* ---- the host's timers ---- */

static void on_timer(tw_timer *timer, void *arg) {
    (void)timer;
    world_note(arg, "timer ");
}

static void a_timer_comes_once_unless_stopped(void **state) {
    world w;
    (void)state;
    world_open(&w);
    tw_timer_start(w.server, 20000, on_timer, &w);
    tw_timer *stopped = tw_timer_start(w.server, 10000, on_timer, &w);
    tw_timer_start(w.server, 60000, on_timer, &w); /* ends with the server */
    tw_timer_stop(stopped);
    expect_in(&w, 20000, w.log_len > 0);
    world_pass(&w, 60000 - 20000 - 1);
    assert_log(&w, "timer ");
    world_close(&w);
}

static bool idle_thrice(tw_server *server, void *arg) {
    (void)server;
    return ++*(int *)arg < 3;
}

static void idle_work_goes_on_while_it_says_so(void **state) {
    world w;
    int calls = 0;
    (void)state;
    world_open(&w);
    tw_server_set_idle(w.server, idle_thrice, &calls);
    world_turns(&w, 10);
    assert_int_equal(calls, 3);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_peer_is_pinged_and_then_closed),
        cmocka_unit_test(pings_are_spread_over_an_eighth_before_their_time),
        cmocka_unit_test(a_short_interval_is_kept_to_the_millisecond),
        cmocka_unit_test(pongs_keep_a_connection_and_the_pings_go_on),
        cmocka_unit_test(messages_count_as_life),
        cmocka_unit_test(trickled_bytes_do_not_count_as_life),
        cmocka_unit_test(silence_while_a_hook_waits_does_not_count),
        cmocka_unit_test(
            silence_of_a_peer_that_cannot_be_reached_does_not_count),
        cmocka_unit_test(a_server_may_run_for_months),
        cmocka_unit_test(a_frame_begun_must_end_in_time),
        cmocka_unit_test(a_frame_that_ends_in_the_last_moment_is_in_time),
        cmocka_unit_test(a_fragmented_message_must_end_in_time),
        cmocka_unit_test(a_busy_stream_is_not_taken_for_one_long_frame),
        cmocka_unit_test(a_connection_expires),
        cmocka_unit_test(a_handshake_must_end_in_ten_seconds),
        cmocka_unit_test(bytes_do_not_give_a_handshake_more_time),
        cmocka_unit_test(an_alarm_comes_once_and_may_be_set_again),
        cmocka_unit_test(an_alarm_is_moved_and_dropped),
        cmocka_unit_test(alarms_are_limited),
        cmocka_unit_test(alarms_wait_for_each_other),
        cmocka_unit_test(a_rate_closes),
        cmocka_unit_test(a_rate_drops),
        cmocka_unit_test(a_rate_waits),
        cmocka_unit_test(a_timer_comes_once_unless_stopped),
        cmocka_unit_test(idle_work_goes_on_while_it_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
