/* Subscribing and publishing through real connections.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

static void note_status(tw_conn *conn, int status, const tw_subscribed *result,
                        void *arg) {
    (void)result;
    world *w = arg;
    world_note(w, "sub:%d:%s ", number_of(conn), tw_err_name(status));
}

static int ask(world *w, int number, const char *channel) {
    return tw_conn_subscribe(w->conns[number], str_of(channel), NULL,
                             note_status, w);
}

static void open_with(world *w, int clients, client **c) {
    world_open(w);
    for (int i = 0; i < clients; i++) {
        c[i] = client_open(w);
    }
    world_forget(w);
}

/* ---- subscribing ---- */

static void a_subscription_is_answered_later_and_once(void **state) {
    world w;
    client *c;
    (void)state;
    open_with(&w, 1, &c);
    assert_int_equal(ask(&w, 1, "room"), 0);
    assert_int_equal(ask(&w, 1, "room"), TW_EEXISTS);
    assert_false(tw_conn_is_subscribed(w.conns[1], str_of("room")));
    world_turns(&w, 5);
    assert_log(&w, "sub:1:ok ");
    assert_true(tw_conn_is_subscribed(w.conns[1], str_of("room")));
    assert_int_equal(ask(&w, 1, "room"), TW_EEXISTS);
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("room")), 0);
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("room")),
                     TW_ENOT_FOUND);
    assert_int_equal(ask(&w, 1, "room"), 0);
    world_turns(&w, 5);
    assert_log(&w, "sub:1:ok ");
    world_close(&w);
}

static void names_have_one_to_255_bytes(void **state) {
    world w;
    client *c;
    char name[257];
    (void)state;
    open_with(&w, 1, &c);
    memset(name, 'n', sizeof name);
    tw_conn *conn = w.conns[1];
    assert_int_equal(
        tw_conn_subscribe(conn, (tw_str){name, 0}, NULL, NULL, NULL),
        TW_EINVALID);
    assert_int_equal(
        tw_conn_subscribe(conn, (tw_str){name, 256}, NULL, NULL, NULL),
        TW_EINVALID);
    assert_int_equal(
        tw_conn_subscribe(conn, (tw_str){name, 255}, NULL, NULL, NULL), 0);
    assert_int_equal(tw_publish(w.server, (tw_str){name, 0}, "x", 1, NULL),
                     TW_EINVALID);
    assert_int_equal(tw_publish(w.server, (tw_str){name, 256}, "x", 1, NULL),
                     TW_EINVALID);
    world_turns(&w, 3);
    assert_int_equal(tw_publish(w.server, (tw_str){name, 255}, "x", 1, NULL),
                     0);
    expect_text(&w, c, "x");
    world_close(&w);
}

static void the_number_of_subscriptions_is_limited(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.max_subscriptions = 3;
    world_start(&w);
    client_open(&w);
    world_subscribe(&w, 1, "a");
    world_subscribe(&w, 1, "b");
    world_subscribe(&w, 1, "c");
    assert_int_equal(ask(&w, 1, "d"), TW_ELIMIT);
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("b")), 0);
    world_subscribe(&w, 1, "d");
    tw_slot_stats stats;
    assert_int_equal(tw_server_stats(w.server, 0, &stats), 0);
    assert_int_equal(stats.gauges[TW_GAUGE_SUBSCRIPTIONS], 3);
    assert_int_equal(stats.gauges[TW_GAUGE_CHANNELS], 3);
    world_close(&w);
}

static void
a_subscription_under_way_ends_with_unsubscribe_or_close(void **state) {
    world w;
    client *c[2];
    (void)state;
    open_with(&w, 2, c);
    assert_int_equal(ask(&w, 1, "room"), 0);
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("room")), 0);
    assert_int_equal(ask(&w, 1, "room"), 0);
    assert_int_equal(ask(&w, 2, "room"), 0);
    assert_int_equal(tw_conn_close(w.conns[2], 4000, str_of("")), 0);
    assert_log(&w, "");
    world_turns(&w, 5);
    assert_non_null(strstr(w.log, "sub:1:closed "));
    assert_non_null(strstr(w.log, "sub:1:ok "));
    assert_non_null(strstr(w.log, "sub:2:closed "));
    assert_int_equal(w.log_len, strlen("sub:1:closed sub:1:ok sub:2:closed "
                                       "close:2:4000: "));
    world_close(&w);
}

static void on_nested(tw_conn *conn, int status, const tw_subscribed *result,
                      void *arg) {
    (void)result;
    world *w = arg;
    assert_int_equal(status, 0);
    assert_int_equal(tw_conn_unsubscribe(conn, str_of("first")), 0);
    assert_int_equal(
        tw_conn_subscribe(conn, str_of("second"), NULL, note_status, w), 0);
    world_publish(w, "second", "news");
    tw_conn_send(conn, "sent", 4, false);
    tw_conn_done(conn);
}

static void the_answer_may_do_anything(void **state) {
    world w;
    client *c;
    (void)state;
    open_with(&w, 1, &c);
    assert_int_equal(
        tw_conn_subscribe(w.conns[1], str_of("first"), NULL, on_nested, &w), 0);
    expect_text(&w, c, "sent");
    expect_text(&w, c, "news");
    assert_log(&w, "sub:1:ok ");
    world_close(&w);
}

static void on_close_it(tw_conn *conn, int status, const tw_subscribed *result,
                        void *arg) {
    note_status(conn, status, result, arg);
    tw_conn_close(conn, 4000, str_of(""));
}

static void the_answer_may_close_those_who_wait_behind_it(void **state) {
    world w;
    client *c;
    (void)state;
    open_with(&w, 1, &c);
    for (const char *name = "abc"; *name != '\0'; name++) {
        assert_int_equal(tw_conn_subscribe(w.conns[1], (tw_str){name, 1}, NULL,
                                           on_close_it, &w),
                         0);
    }
    world_turns(&w, 5);
    assert_log(&w, "sub:1:ok close:1:4000: sub:1:closed sub:1:closed ");
    world_close(&w);
}

/* ---- who gets what ---- */

static void what_is_published_behind_a_subscribe_arrives(void **state) {
    world w;
    client *c[2];
    (void)state;
    open_with(&w, 2, c);
    assert_int_equal(ask(&w, 1, "room"), 0);
    world_publish(&w, "room", "1");
    expect_text(&w, c[0], "1");
    assert_int_equal(ask(&w, 2, "room"), 0);
    world_turns(&w, 3);
    world_publish(&w, "room", "2");
    expect_text(&w, c[0], "2");
    expect_text(&w, c[1], "2");
    world_close(&w);
}

static void a_publisher_gets_its_own_unless_excepted(void **state) {
    world w;
    client *c[3];
    (void)state;
    open_with(&w, 3, c);
    for (int i = 1; i <= 3; i++) {
        world_subscribe(&w, i, "room");
    }
    for (int i = 0; i < 6; i++) {
        char text[2] = {(char)('0' + i), '\0'};
        tw_publish_options options = {.except = i % 3 < 2 ? w.conns[1 + i % 3]
                                                          : NULL};
        tw_publish(w.server, str_of("room"), text, 1, &options);
    }
    const char *expected[] = {"1245", "0235", "012345"};
    for (int i = 0; i < 3; i++) {
        for (const char *at = expected[i]; *at != '\0'; at++) {
            expect_frame(&w, c[i], TW__WS_TEXT, at, 1);
        }
        expect_nothing(&w, c[i]);
    }
    assert_int_equal(counter(&w, TW_COUNTER_INTENDED), 14);
    world_close(&w);
}

static void an_excepted_connection_that_closes_costs_nobody_else(void **state) {
    world w;
    client *c[2];
    (void)state;
    open_with(&w, 2, c);
    world_subscribe(&w, 1, "room");
    world_subscribe(&w, 2, "room");
    tw_publish_options options = {.except = w.conns[1]};
    tw_publish(w.server, str_of("room"), "x", 1, &options);
    tw_conn_close(w.conns[1], 4000, str_of(""));
    expect_text(&w, c[1], "x");
    expect_close(&w, c[0], 4000, "");
    world_close(&w);
}

static void payloads_keep_their_kind(void **state) {
    world w;
    client *c;
    char key[256];
    (void)state;
    open_with(&w, 1, &c);
    world_subscribe(&w, 1, "room");
    memset(key, 'k', sizeof key);
    tw_publish_options binary = {.binary = true};
    tw_publish_options keyed = {.key = {key, 256}};
    assert_int_equal(tw_publish(w.server, str_of("room"), "\xff", 1, NULL),
                     TW_EINVALID);
    assert_int_equal(tw_publish(w.server, str_of("room"), "x", 1, &keyed),
                     TW_EINVALID);
    assert_int_equal(tw_publish(w.server, str_of("room"), "\xff", 1, &binary),
                     0);
    keyed.key.len = 255;
    assert_int_equal(tw_publish(w.server, str_of("room"), NULL, 0, &keyed), 0);
    expect_frame(&w, c, TW__WS_BINARY, "\xff", 1);
    expect_text(&w, c, "");
    world_close(&w);
}

static void a_connection_may_be_in_many_channels(void **state) {
    world w;
    client *c;
    tw_str name;
    (void)state;
    open_with(&w, 1, &c);
    for (int i = 0; i < 100; i++) {
        char channel[16];
        sprintf(channel, "c%d", i);
        world_subscribe(&w, 1, channel);
    }
    for (int i = 0; i < 100; i += 2) {
        char channel[16];
        sprintf(channel, "c%d", i);
        assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of(channel)), 0);
    }
    for (int i = 0; i < 100; i++) {
        char channel[16];
        sprintf(channel, "c%d", i);
        world_publish(&w, channel, channel);
    }
    bool got[100] = {false};
    for (int i = 0; i < 50; i++) {
        int opcode = 0;
        const uint8_t *payload = NULL;
        size_t len;
        world_until(&w, client_has_frame(c));
        size_t size = client_peek(c, &opcode, &payload, &len);
        got[atoi((const char *)payload + 1)] = true;
        client_take(c, size);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(got[i], i % 2);
    }
    assert_true(tw_conn_channel(w.conns[1], 49, &name));
    assert_false(tw_conn_channel(w.conns[1], 50, &name));
    world_close(&w);
}

static void a_full_publish_budget_refuses(void **state) {
    static char block[5000];
    world w;
    (void)state;
    world_init(&w);
    w.config.publish_budget_bytes = 20000;
    world_start(&w);
    int err = 0, count = 0;
    tw_publish_options binary = {.binary = true};
    while (err == 0 && count < 100) {
        err =
            tw_publish(w.server, str_of("room"), block, sizeof block, &binary);
        count += err == 0;
    }
    assert_int_equal(err, TW_EOVERLOADED);
    assert_int_equal(count, 3);
    assert_int_equal(counter(&w, TW_COUNTER_PUBLISHED), 3);
    assert_int_equal(counter(&w, TW_COUNTER_PUBLISH_REFUSED), 1);
    world_turns(&w, 2);
    assert_int_equal(
        tw_publish(w.server, str_of("room"), block, sizeof block, &binary), 0);
    world_close(&w);
}

static void note_count(int status, uint64_t count, void *arg) {
    world_note(arg, "count:%d:%d ", status, (int)count);
}

static void subscribers_are_counted(void **state) {
    world w;
    client *c[3];
    (void)state;
    open_with(&w, 3, c);
    world_subscribe(&w, 1, "room");
    world_subscribe(&w, 2, "room");
    tw_channel_count(w.server, str_of("room"), note_count, &w);
    tw_channel_count(w.server, str_of("none"), note_count, &w);
    assert_int_equal(tw_channel_count(w.server, str_of(""), note_count, &w),
                     TW_EINVALID);
    world_turns(&w, 3);
    assert_log(&w, "count:0:2 count:0:0 ");
    tw_conn_close(w.conns[1], 4000, str_of(""));
    world_turns(&w, 3);
    world_forget(&w);
    tw_channel_count(w.server, str_of("room"), note_count, &w);
    world_turns(&w, 3);
    assert_log(&w, "count:0:1 ");
    world_close(&w);
}

/* ---- classes and batches ---- */

static void a_batch_gathers_for_its_time(void **state) {
    world w;
    client *c;
    (void)state;
    open_with(&w, 1, &c);
    world_set_class(&w, "slow:*", TW_SLOW_CLOSE, 60);
    world_subscribe(&w, 1, "slow:1");
    uint64_t writes = counter(&w, TW_COUNTER_WRITES);
    for (int i = 0; i < 5; i++) {
        world_publish(&w, "slow:1", "x");
        world_pass(&w, 10);
    }
    expect_in(&w, 10, counter(&w, TW_COUNTER_WRITES) > writes);
    world_until(&w, c->len >= 15);
    assert_int_equal(counter(&w, TW_COUNTER_WRITES), writes + 1);
    world_close(&w);
}

static void
who_joins_while_a_batch_gathers_gets_what_comes_after(void **state) {
    world w;
    client *c[2];
    (void)state;
    open_with(&w, 2, c);
    world_set_class(&w, "room", TW_SLOW_CLOSE, 50);
    world_subscribe(&w, 1, "room");
    world_publish(&w, "room", "before");
    world_pass(&w, 20);
    world_subscribe(&w, 2, "room");
    world_publish(&w, "room", "after");
    world_pass(&w, 52); /* the one who joined ended no batch */
    expect_text(&w, c[1], "after");
    expect_text(&w, c[0], "before");
    expect_text(&w, c[0], "after");
    assert_int_equal(counter(&w, TW_COUNTER_INTENDED), 3);
    world_close(&w);
}

/* The channel outlives its last subscriber as long as that one lingers, with
 * what had gathered for it. */
static void
a_batch_that_lost_its_subscribers_does_not_hold_up_the_next(void **state) {
    world w;
    client *c[2];
    (void)state;
    open_with(&w, 2, c);
    world_set_class(&w, "room", TW_SLOW_CLOSE, 20);
    world_subscribe(&w, 1, "room");
    world_publish(&w, "room", "lost");
    world_turn(&w);
    assert_int_equal(tw_conn_close(w.conns[1], 4000, str_of("")), 0);
    assert_int_equal(ask(&w, 2, "room"), 0);
    world_rest(&w);
    world_publish(&w, "room", "found");
    world_pass(&w, 20);
    expect_text(&w, c[1], "found");
    assert_int_equal(w.gone, 0);
    world_close(&w);
}

static void a_changed_class_applies_to_living_channels(void **state) {
    world w;
    client *c;
    (void)state;
    open_with(&w, 1, &c);
    world_set_class(&w, "room", TW_SLOW_CLOSE, 100000);
    world_subscribe(&w, 1, "room");
    world_set_class(&w, "room", TW_SLOW_CLOSE, 0);
    world_publish(&w, "room", "at once");
    expect_text(&w, c, "at once");
    tw_class_config twice[] = {
        {.pattern = "a", .slow = TW_SLOW_CLOSE, .batch_ms = 0},
        {.pattern = "a", .slow = TW_SLOW_CLOSE, .batch_ms = 0}};
    size_t bad = 99;
    assert_int_equal(tw_server_set_classes(w.server, twice, 2, &bad),
                     TW_EINVALID);
    assert_int_equal(bad, 1);
    world_close(&w);
}

static void expired_publications_are_not_delivered(void **state) {
    world w;
    client *c;
    (void)state;
    open_with(&w, 1, &c);
    world_subscribe(&w, 1, "room");
    tw_publish_options brief = {.ttl_ms = 1};
    tw_publish(w.server, str_of("room"), "stale", 5, &brief);
    /* The turn in which it is looked at comes late. */
    w.server->loop.clock._target_ms = ++w.server->loop.clock._now_ms;
    world_publish(&w, "room", "fresh");
    expect_text(&w, c, "fresh");
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscription_is_answered_later_and_once),
        cmocka_unit_test(names_have_one_to_255_bytes),
        cmocka_unit_test(the_number_of_subscriptions_is_limited),
        cmocka_unit_test(
            a_subscription_under_way_ends_with_unsubscribe_or_close),
        cmocka_unit_test(the_answer_may_do_anything),
        cmocka_unit_test(the_answer_may_close_those_who_wait_behind_it),
        cmocka_unit_test(what_is_published_behind_a_subscribe_arrives),
        cmocka_unit_test(a_publisher_gets_its_own_unless_excepted),
        cmocka_unit_test(an_excepted_connection_that_closes_costs_nobody_else),
        cmocka_unit_test(payloads_keep_their_kind),
        cmocka_unit_test(a_connection_may_be_in_many_channels),
        cmocka_unit_test(a_full_publish_budget_refuses),
        cmocka_unit_test(subscribers_are_counted),
        cmocka_unit_test(a_batch_gathers_for_its_time),
        cmocka_unit_test(who_joins_while_a_batch_gathers_gets_what_comes_after),
        cmocka_unit_test(
            a_batch_that_lost_its_subscribers_does_not_hold_up_the_next),
        cmocka_unit_test(a_changed_class_applies_to_living_channels),
        cmocka_unit_test(expired_publications_are_not_delivered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
