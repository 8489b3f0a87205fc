/* What a subscriber missed is sent before what is live, each once and in order;
 * and it is told truly whether that is all.
 * SPDX-License-Identifier: MIT */
#include "recover_probe.h"

static const tw_class_config log_of_ten = {.pattern = "room", .history = 10};

/* Connection 1 subscribed, was sent n1 to n3, and left at that position. */
static tw_position visit(world *w, client *c) {
    tw_subscribed got = recover_subscribe(w, 1, "room", NULL);
    assert_told(&got, 0, false, 0);
    publish_numbers(w, "room", 1, 3);
    expect_numbers(w, c, 1, 3);
    recover_leave(w, 1, "room");
    got.position.offset = 3;
    return got.position;
}

/* ---- since ---- */

static void what_was_missed_comes_before_what_is_live(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    assert_true(strlen(at.epoch) > 0);
    publish_numbers(&w, "room", 4, 6);
    tw_subscribe_options since = since_of(&at);
    tw_subscribed got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 6, true, 3);
    assert_string_equal(got.position.epoch, at.epoch);
    publish_numbers(&w, "room", 7, 7);
    expect_numbers(&w, c, 4, 7);
    expect_nothing(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_RECOVERIES), 1);
    assert_int_equal(counter(&w, TW_COUNTER_RECOVERED), 1);
    assert_int_equal(counter(&w, TW_COUNTER_HOLES), 0);
    world_close(&w);
}

static void who_missed_nothing_is_told_so(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    tw_subscribe_options since = since_of(&at);
    tw_subscribed got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 3, true, 0);
    publish_numbers(&w, "room", 4, 4);
    expect_numbers(&w, c, 4, 4);
    world_close(&w);
}

/* The second one of a channel needs no confirmation any more. */
static void others_in_the_channel_do_not_spare_the_recovery(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w), *other = client_open(&w);
    tw_position at = visit(&w, c);
    recover_subscribe(&w, 2, "room", NULL);
    publish_numbers(&w, "room", 4, 6);
    tw_subscribe_options since = since_of(&at);
    tw_subscribed got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 6, true, 3);
    publish_numbers(&w, "room", 7, 7);
    expect_numbers(&w, c, 4, 7);
    expect_numbers(&w, other, 4, 7);
    expect_nothing(&w, c);
    expect_nothing(&w, other);
    world_close(&w);
}

static void what_is_not_kept_any_more_is_told(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    publish_numbers(&w, "room", 4, 13);
    tw_subscribe_options since = since_of(&at);
    tw_subscribed got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 13, true, 10);
    expect_numbers(&w, c, 4, 13);
    recover_leave(&w, 1, "room");
    publish_numbers(&w, "room", 14, 14); /* and 4 goes */
    got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 14, false, 10);
    expect_numbers(&w, c, 5, 14);
    assert_int_equal(counter(&w, TW_COUNTER_RECOVER_FAILED), 1);
    assert_log(&w, "open:1 "); /* the answer told it: no hook */
    world_close(&w);
}

static void a_position_of_another_epoch_or_the_future_is_none(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    tw_subscribe_options since = since_offset(&at, 4);
    tw_subscribed got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 3, false, 0);
    recover_leave(&w, 1, "room");
    since = since_of(&at);
    since.since.epoch[0] ^= 1;
    got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 3, false, 0);
    recover_leave(&w, 1, "room");
    since.since = (tw_position){0};
    got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 3, false, 0);
    expect_nothing(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_RECOVER_FAILED), 3);
    world_close(&w);
}

/* ---- last ---- */

static void the_newest_are_sent_to_who_asks_for_them(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    visit(&w, c);
    tw_subscribe_options options = {.last = 2};
    tw_subscribed got = recover_subscribe(&w, 1, "room", &options);
    assert_told(&got, 3, false, 2);
    expect_numbers(&w, c, 2, 3);
    recover_leave(&w, 1, "room");
    options.last = 100;
    got = recover_subscribe(&w, 1, "room", &options);
    assert_told(&got, 3, false, 3);
    expect_numbers(&w, c, 1, 3);
    expect_nothing(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_RECOVERIES), 0);
    world_close(&w);
}

static void a_position_that_helps_comes_before_the_newest(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    tw_subscribe_options options = since_offset(&at, 2);
    options.last = 3;
    tw_subscribed got = recover_subscribe(&w, 1, "room", &options);
    assert_told(&got, 3, true, 1);
    expect_numbers(&w, c, 3, 3);
    recover_leave(&w, 1, "room");
    options.since.epoch[0] ^= 1;
    got = recover_subscribe(&w, 1, "room", &options);
    assert_told(&got, 3, false, 3);
    expect_numbers(&w, c, 1, 3);
    recover_leave(&w, 1, "room");
    options = since_offset(&at, 50);
    options.last = 2;
    got = recover_subscribe(&w, 1, "room", &options);
    assert_told(&got, 3, false, 2);
    expect_numbers(&w, c, 2, 3);
    expect_nothing(&w, c);
    world_close(&w);
}

/* ---- retained ---- */

static void a_newcomer_gets_the_newest_of_each_key(void **state) {
    static const tw_class_config class = {.pattern = "room", .retain = 5};
    world w;
    (void)state;
    recover_open(&w, &class);
    client *c = client_open(&w);
    publish_keyed(&w, "room", "a", "a1");
    publish_keyed(&w, "room", "b", "b1");
    publish_keyed(&w, "room", "a", "a2");
    tw_subscribed got = recover_subscribe(&w, 1, "room", NULL);
    assert_told(&got, 3, false, 2);
    expect_text(&w, c, "b1");
    expect_text(&w, c, "a2");
    publish_keyed(&w, "room", "c", "c1");
    expect_text(&w, c, "c1");
    recover_leave(&w, 1, "room");
    publish_keyed(&w, "room", "b", "b2");
    tw_subscribe_options since = since_offset(&got.position, 4);
    got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 5, true, 1);
    expect_text(&w, c, "b2");
    recover_leave(&w, 1, "room");
    tw_subscribe_options last = {.last = 2};
    got = recover_subscribe(&w, 1, "room", &last);
    assert_told(&got, 5, false, 2);
    expect_text(&w, c, "c1");
    expect_text(&w, c, "b2");
    recover_leave(&w, 1, "room");
    since.since.epoch[0] ^= 1; /* of no use: as a newcomer */
    got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 5, false, 3);
    expect_text(&w, c, "a2");
    expect_text(&w, c, "c1");
    expect_text(&w, c, "b2");
    expect_nothing(&w, c);
    world_close(&w);
}

static void with_a_log_a_position_brings_all_and_not_the_newest(void **state) {
    static const tw_class_config class = {
        .pattern = "room", .history = 10, .retain = 5};
    world w;
    (void)state;
    recover_open(&w, &class);
    client *c = client_open(&w);
    publish_keyed(&w, "room", "a", "a1");
    publish_keyed(&w, "room", "b", "b1");
    tw_subscribed got = recover_subscribe(&w, 1, "room", NULL);
    assert_told(&got, 2, false, 2);
    expect_text(&w, c, "a1");
    expect_text(&w, c, "b1");
    recover_leave(&w, 1, "room");
    publish_keyed(&w, "room", "b", "b2");
    publish_keyed(&w, "room", "b", "b3");
    tw_subscribe_options since = since_of(&got.position);
    got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 4, true, 2);
    expect_text(&w, c, "b2");
    expect_text(&w, c, "b3");
    recover_leave(&w, 1, "room");
    since.since.offset = 99; /* of the future: the newest of each key, then */
    got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 4, false, 2);
    expect_text(&w, c, "a1");
    expect_text(&w, c, "b3");
    expect_nothing(&w, c);
    world_close(&w);
}

/* ---- limits ---- */

static void over_the_limit_the_newest_are_sent(void **state) {
    world w;
    char block[1000];
    (void)state;
    recover_init(&w);
    w.config.recover_limit_bytes = 3500;
    recover_start(&w, &log_of_ten);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(
            tw_publish(w.server, str_of("room"), block, sizeof block, NULL), 0);
    }
    world_rest(&w);
    tw_subscribe_options since = since_of(&at);
    tw_subscribed got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 8, false, 3);
    for (int i = 0; i < 3; i++) {
        expect_frame(&w, c, TW__WS_TEXT, block, sizeof block);
    }
    expect_nothing(&w, c);
    world_close(&w);
}

static void
one_that_is_over_the_limit_by_itself_is_not_passed_over(void **state) {
    world w;
    char block[5000];
    (void)state;
    recover_init(&w);
    w.config.recover_limit_bytes = 3500;
    recover_start(&w, &log_of_ten);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    memset(block, 'x', sizeof block);
    assert_int_equal(
        tw_publish(w.server, str_of("room"), block, sizeof block, NULL), 0);
    world_rest(&w);
    tw_subscribe_options since = since_of(&at);
    tw_subscribed got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 4, false, 0);
    expect_nothing(&w, c);
    world_close(&w);
}

/* ---- order ---- */

static void greet(tw_conn *conn, int status, const tw_subscribed *result,
                  void *arg) {
    world *w = arg;
    assert_int_equal(status, 0);
    assert_true(result->recovered);
    assert_int_equal(tw_conn_send(conn, "hello", 5, false), 0);
    world_publish(w, "room", "n6");
    w->answered++;
}

static void what_the_callback_sends_comes_first(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    publish_numbers(&w, "room", 4, 4);
    tw_subscribe_options since = since_of(&at);
    assert_int_equal(
        tw_conn_subscribe(w.conns[1], str_of("room"), &since, greet, &w), 0);
    world_publish(&w, "room", "n5"); /* under way with the question */
    world_until(&w, w.answered == 1);
    expect_text(&w, c, "hello");
    expect_numbers(&w, c, 4, 6);
    expect_nothing(&w, c);
    world_close(&w);
}

/* One in each turn, before, while and after it is asked. */
static void what_is_published_meanwhile_comes_once(void **state) {
    world w;
    told t;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w), *other = client_open(&w);
    tw_position at = visit(&w, c);
    recover_subscribe(&w, 2, "room", NULL);
    for (int round = 0; round < 30; round++) {
        char text[32];
        tw_subscribe_options since = since_of(&at);
        recover_ask(&w, 1, "room", &since, &t);
        for (int i = 0; i < 6; i++) {
            snprintf(text, sizeof text, "n%d", (int)++at.offset);
            world_publish(&w, "room", text);
            world_turn(&w);
        }
        world_rest(&w);
        assert_int_equal(t.calls, 1);
        assert_true(t.result.recovered);
        expect_numbers(&w, c, (int)at.offset - 5, (int)at.offset);
        recover_leave(&w, 1, "room");
    }
    expect_nothing(&w, c);
    expect_numbers(&w, other, 4, (int)at.offset);
    world_close(&w);
}

/* ---- frozen ---- */

/* No callback can be heard then, and nothing may come before it. */
static void while_frozen_nothing_begins(void **state) {
    static const tw_class_config classes[] = {
        {.pattern = "room", .history = 10}, {.pattern = "bare"}};
    world w;
    told t, u;
    (void)state;
    recover_init(&w);
    world_start(&w);
    recover_classes(&w, classes, 2);
    client *c = client_open(&w), *d = client_open(&w), *e = client_open(&w);
    tw_position at = visit(&w, c);
    recover_subscribe(&w, 3, "room", NULL);
    recover_subscribe(&w, 3, "bare", NULL);
    publish_numbers(&w, "room", 4, 5);
    expect_numbers(&w, e, 4, 5);
    tw_subscribe_options since = since_of(&at);
    recover_ask(&w, 1, "room", &since, &t);
    recover_ask(&w, 2, "bare", NULL, &u);
    tw_server_freeze(w.server);
    for (int i = 6; i <= 8; i++) {
        publish_numbers(&w, "room", i, i);
        publish_numbers(&w, "bare", i, i);
        expect_numbers(&w, e, i, i);
        expect_numbers(&w, e, i, i);
    }
    assert_int_equal(t.calls + u.calls, 0);
    expect_nothing(&w, c);
    expect_nothing(&w, d);
    tw_server_thaw(w.server);
    world_rest(&w);
    assert_int_equal(t.calls, 1);
    assert_told(&t.result, 8, true, 5);
    assert_int_equal(u.calls, 1);
    expect_numbers(&w, c, 4, 8);
    publish_numbers(&w, "room", 9, 9);
    publish_numbers(&w, "bare", 9, 9);
    expect_numbers(&w, c, 9, 9);
    expect_numbers(&w, d, 9, 9);
    expect_nothing(&w, c);
    expect_nothing(&w, d);
    world_close(&w);
}

static void who_ends_while_frozen_is_told_at_once(void **state) {
    world w;
    told t, u;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    client_open(&w);
    client_open(&w);
    tw_position at = visit(&w, c);
    recover_subscribe(&w, 3, "room", NULL);
    publish_numbers(&w, "room", 4, 5);
    tw_subscribe_options since = since_of(&at);
    recover_ask(&w, 1, "room", &since, &t);
    recover_ask(&w, 2, "room", NULL, &u);
    tw_server_freeze(w.server);
    world_rest(&w);
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("room")), 0);
    tw_conn_close(w.conns[2], 4000, str_of(""));
    world_rest(&w);
    assert_int_equal(t.calls, 1);
    assert_int_equal(t.status, TW_ECLOSED);
    assert_int_equal(u.status, TW_ECLOSED);
    tw_server_thaw(w.server);
    world_rest(&w);
    assert_int_equal(t.calls + u.calls, 2);
    world_close(&w);
}

/* ---- leaving ---- */

static void leave_in_callback(tw_conn *conn, int status,
                              const tw_subscribed *result, void *arg) {
    world *w = arg;
    (void)result;
    assert_int_equal(status, 0);
    assert_int_equal(tw_conn_unsubscribe(conn, str_of("room")), 0);
    w->answered++;
}

static void close_in_callback(tw_conn *conn, int status,
                              const tw_subscribed *result, void *arg) {
    world *w = arg;
    (void)result;
    assert_int_equal(status, 0);
    tw_conn_close(conn, 4000, str_of("enough"));
    w->answered++;
}

static void who_leaves_in_the_callback_is_sent_nothing(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    publish_numbers(&w, "room", 4, 5);
    tw_subscribe_options since = since_of(&at);
    assert_int_equal(tw_conn_subscribe(w.conns[1], str_of("room"), &since,
                                       leave_in_callback, &w),
                     0);
    world_until(&w, w.answered == 1);
    publish_numbers(&w, "room", 6, 6);
    expect_nothing(&w, c);
    assert_int_equal(tw_conn_subscribe(w.conns[1], str_of("room"), &since,
                                       close_in_callback, &w),
                     0);
    world_until(&w, w.answered == 2);
    expect_close(&w, c, 4000, "enough");
    world_close(&w);
}

static void again(tw_conn *conn, int status, const tw_subscribed *result,
                  void *arg) {
    world *w = arg;
    tw_subscribe_options since = since_of(&result->position);
    assert_int_equal(status, 0);
    since.since.offset = 4;
    assert_int_equal(tw_conn_unsubscribe(conn, str_of("room")), 0);
    assert_int_equal(
        tw_conn_subscribe(conn, str_of("room"), &since, world_on_subscribed, w),
        0);
}

static void
who_begins_anew_in_the_callback_gets_what_that_asked_for(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    publish_numbers(&w, "room", 4, 6);
    tw_subscribe_options since = since_of(&at);
    assert_int_equal(
        tw_conn_subscribe(w.conns[1], str_of("room"), &since, again, &w), 0);
    world_until(&w, w.answered == 1);
    publish_numbers(&w, "room", 7, 7);
    expect_numbers(&w, c, 5, 7);
    expect_nothing(&w, c);
    world_close(&w);
}

static void who_leaves_while_it_is_asked_is_told_so(void **state) {
    world w;
    told t, other;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w), *d = client_open(&w);
    client_open(&w);
    tw_position at = visit(&w, c);
    recover_subscribe(&w, 3, "room", NULL); /* nobody waits for the interest */
    publish_numbers(&w, "room", 4, 4);
    tw_subscribe_options since = since_of(&at);
    recover_ask(&w, 1, "room", &since, &t);
    recover_ask(&w, 2, "room", &since, &other);
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("room")), 0);
    tw_conn_close(w.conns[2], 4000, str_of(""));
    world_rest(&w);
    assert_int_equal(t.calls, 1);
    assert_int_equal(t.status, TW_ECLOSED);
    assert_int_equal(other.calls, 1);
    assert_int_equal(other.status, TW_ECLOSED);
    expect_nothing(&w, c);
    expect_close(&w, d, 4000, "");
    world_close(&w);
}

static void the_server_may_end_while_it_is_asked(void **state) {
    static told t[2]; /* told of after this function's end */
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    client_open(&w);
    tw_position at = visit(&w, c);
    publish_numbers(&w, "room", 4, 4);
    tw_subscribe_options since = since_of(&at);
    recover_subscribe(&w, 2, "room", NULL);
    recover_ask(&w, 1, "room", &since, &t[0]);
    world_close(&w);
    assert_int_equal(t[0].calls, 1);
}

/* ---- classes ---- */

static void a_batch_that_gathers_is_not_sent_twice(void **state) {
    static const tw_class_config class = {
        .pattern = "room", .history = 10, .batch_ms = 100};
    world w;
    (void)state;
    recover_open(&w, &class);
    client *c = client_open(&w), *other = client_open(&w);
    tw_subscribed got = recover_subscribe(&w, 2, "room", NULL);
    publish_numbers(&w, "room", 1, 3); /* it gathers */
    expect_nothing(&w, other);
    tw_subscribe_options since = since_offset(&got.position, 1);
    got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 3, true, 2);
    expect_numbers(&w, c, 2, 3);
    publish_numbers(&w, "room", 4, 4);
    expect_nothing(&w, c);
    world_pass(&w, 100);
    expect_numbers(&w, c, 4, 4);
    expect_numbers(&w, other, 1, 4);
    expect_nothing(&w, c);
    expect_nothing(&w, other);
    world_close(&w);
}

static void a_channel_that_begins_to_be_kept_goes_on(void **state) {
    static const tw_class_config none = {.pattern = "room"};
    world w;
    (void)state;
    recover_open(&w, &none);
    client *c = client_open(&w), *other = client_open(&w);
    tw_subscribed got = recover_subscribe(&w, 1, "room", NULL);
    assert_string_equal(got.position.epoch, "");
    publish_numbers(&w, "room", 1, 2);
    recover_classes(&w, &log_of_ten, 1);
    publish_numbers(&w, "room", 3, 4);
    tw_subscribe_options last = {.last = 9};
    got = recover_subscribe(&w, 2, "room", &last);
    assert_int_equal(got.count, 2);
    expect_numbers(&w, other, 3, 4);
    recover_leave(&w, 2, "room");
    publish_numbers(&w, "room", 5, 5);
    tw_subscribe_options since = since_of(&got.position);
    got = recover_subscribe(&w, 2, "room", &since);
    assert_true(got.recovered);
    expect_numbers(&w, other, 5, 5);
    recover_classes(&w, &none, 1); /* and ceases to be */
    publish_numbers(&w, "room", 6, 7);
    expect_numbers(&w, c, 1, 7);
    expect_numbers(&w, other, 6, 7);
    recover_leave(&w, 2, "room");
    got = recover_subscribe(&w, 2, "room", &since);
    assert_told(&got, 0, false, 0);
    recover_classes(&w, &log_of_ten, 1); /* again: nobody is taken in */
    publish_numbers(&w, "room", 8, 8);
    recover_leave(&w, 2, "room");
    got = recover_subscribe(&w, 2, "room", &since);
    assert_false(got.recovered);
    assert_null(strstr(w.log, "missed"));
    world_close(&w);
}

static void a_shorter_history_forgets_and_tells(void **state) {
    static const tw_class_config shorter = {.pattern = "room", .history = 1};
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    publish_numbers(&w, "room", 4, 6);
    recover_classes(&w, &shorter, 1);
    tw_subscribe_options since = since_of(&at);
    tw_subscribed got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 6, false, 1);
    expect_numbers(&w, c, 6, 6);
    world_close(&w);
}

/* ---- single publications ---- */

static void publish_with(world *w, const char *text,
                         const tw_publish_options *options) {
    assert_int_equal(
        tw_publish(w->server, str_of("room"), text, strlen(text), options), 0);
    world_rest(w);
}

static void who_is_excepted_is_so_afterwards(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w), *other = client_open(&w);
    tw_position at = visit(&w, c);
    tw_publish_options options = {.except = w.conns[1]};
    publish_with(&w, "not for one", &options);
    publish_numbers(&w, "room", 5, 5);
    tw_subscribe_options since = since_of(&at);
    tw_subscribed got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 5, true, 1);
    expect_numbers(&w, c, 5, 5);
    got = recover_subscribe(&w, 2, "room", &since);
    assert_told(&got, 5, true, 2);
    expect_text(&w, other, "not for one");
    expect_numbers(&w, other, 5, 5);
    expect_nothing(&w, c);
    world_close(&w);
}

static void what_is_past_its_time_is_left_out(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    tw_publish_options options = {.ttl_ms = 1000};
    publish_numbers(&w, "room", 4, 4);
    publish_with(&w, "short", &options);
    publish_numbers(&w, "room", 6, 6);
    publish_with(&w, "short, too", &options);
    tw_subscribe_options since = since_of(&at);
    tw_subscribed got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 7, true, 4);
    expect_numbers(&w, c, 4, 4);
    expect_text(&w, c, "short");
    expect_numbers(&w, c, 6, 6);
    expect_text(&w, c, "short, too");
    recover_leave(&w, 1, "room");
    world_pass(&w, 1000);
    got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 7, true, 2);
    expect_numbers(&w, c, 4, 4);
    expect_numbers(&w, c, 6, 6);
    publish_numbers(&w, "room", 8, 8);
    expect_numbers(&w, c, 8, 8);
    expect_nothing(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_HOLES), 0);
    world_close(&w);
}

static void what_the_class_keeps_no_longer_is_told(void **state) {
    static const tw_class_config class = {
        .pattern = "room", .history = 10, .ttl_ms = 5000};
    world w;
    (void)state;
    recover_open(&w, &class);
    client *c = client_open(&w);
    tw_position at = visit(&w, c);
    publish_numbers(&w, "room", 4, 4);
    world_pass(&w, 3000);
    publish_numbers(&w, "room", 5, 5);
    world_pass(&w, 3000);
    tw_subscribe_options since = since_of(&at);
    tw_subscribed got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 5, false, 1);
    expect_numbers(&w, c, 5, 5);
    recover_leave(&w, 1, "room");
    since.since.offset = 4;
    got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 5, true, 1);
    expect_numbers(&w, c, 5, 5);
    world_close(&w);
}

static void what_is_not_for_the_history_comes_live_only(void **state) {
    world w;
    (void)state;
    recover_open(&w, &log_of_ten);
    client *c = client_open(&w), *other = client_open(&w);
    tw_position at = visit(&w, c);
    tw_publish_options options = {.no_history = true};
    recover_subscribe(&w, 2, "room", NULL);
    publish_numbers(&w, "room", 4, 4);
    publish_with(&w, "typing", &options);
    publish_numbers(&w, "room", 5, 5);
    expect_numbers(&w, other, 4, 4);
    expect_text(&w, other, "typing");
    expect_numbers(&w, other, 5, 5);
    tw_subscribe_options since = since_of(&at);
    tw_subscribed got = recover_subscribe(&w, 1, "room", &since);
    assert_told(&got, 5, true, 2);
    expect_numbers(&w, c, 4, 5);
    expect_nothing(&w, c);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_missed_comes_before_what_is_live),
        cmocka_unit_test(who_missed_nothing_is_told_so),
        cmocka_unit_test(others_in_the_channel_do_not_spare_the_recovery),
        cmocka_unit_test(what_is_not_kept_any_more_is_told),
        cmocka_unit_test(a_position_of_another_epoch_or_the_future_is_none),
        cmocka_unit_test(the_newest_are_sent_to_who_asks_for_them),
        cmocka_unit_test(a_position_that_helps_comes_before_the_newest),
        cmocka_unit_test(a_newcomer_gets_the_newest_of_each_key),
        cmocka_unit_test(with_a_log_a_position_brings_all_and_not_the_newest),
        cmocka_unit_test(over_the_limit_the_newest_are_sent),
        cmocka_unit_test(
            one_that_is_over_the_limit_by_itself_is_not_passed_over),
        cmocka_unit_test(what_the_callback_sends_comes_first),
        cmocka_unit_test(what_is_published_meanwhile_comes_once),
        cmocka_unit_test(while_frozen_nothing_begins),
        cmocka_unit_test(who_ends_while_frozen_is_told_at_once),
        cmocka_unit_test(who_leaves_in_the_callback_is_sent_nothing),
        cmocka_unit_test(
            who_begins_anew_in_the_callback_gets_what_that_asked_for),
        cmocka_unit_test(who_leaves_while_it_is_asked_is_told_so),
        cmocka_unit_test(the_server_may_end_while_it_is_asked),
        cmocka_unit_test(a_batch_that_gathers_is_not_sent_twice),
        cmocka_unit_test(a_channel_that_begins_to_be_kept_goes_on),
        cmocka_unit_test(a_shorter_history_forgets_and_tells),
        cmocka_unit_test(who_is_excepted_is_so_afterwards),
        cmocka_unit_test(what_is_past_its_time_is_left_out),
        cmocka_unit_test(what_the_class_keeps_no_longer_is_told),
        cmocka_unit_test(what_is_not_for_the_history_comes_live_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
