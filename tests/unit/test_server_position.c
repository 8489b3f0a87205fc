/* What comes into a channel on a worker comes in order and without holes, or
 * its subscribers are told. The engine is the test's own: it says what the home
 * of the channel "far" delivers, loses and answers.
 * SPDX-License-Identifier: MIT */
#include "recover_probe.h"

static const tw_class_config kept = {.pattern = "far", .history = 100};

/* `connections` subscribed to "far", which stands at offset 5 of epoch E. */
static void stand(world *w, const tw_class_config *class, int connections) {
    static told t[WORLD_CLIENTS];
    far_open(w, class, connections);
    for (int i = 1; i <= connections; i++) {
        recover_ask(w, i, "far", NULL, &t[i]);
    }
    world_rest(w);
    far_confirms("E", 5);
    world_rest(w);
    for (int i = 1; i <= connections; i++) {
        assert_int_equal(t[i].calls, 1);
        assert_told(&t[i].result, 5, false, 0);
        assert_string_equal(t[i].result.position.epoch, "E");
    }
}

static void deliver_all(uint64_t first, uint64_t last) {
    while (first <= last) {
        far_delivers(first++);
    }
}

/* ---- holes ----
 *
 * Who has the hook gets nothing behind a gap until it is called. */

static void a_hole_is_filled_before_anything_newer(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    client *c = w.clients[0];
    far_delivers(6);
    deliver_all(8, 9);
    far_tells("typing");
    world_rest(&w);
    expect_text(&w, c, "n6");
    expect_nothing(&w, c);
    assert_int_equal(far.asked, 1);
    assert_int_equal(far.questions[0].query.since.offset, 6);
    assert_string_equal(far.questions[0].query.since.epoch, "E");
    far_answers(0, "E", 9, 7, 9);
    far_delivers(10);
    expect_numbers(&w, c, 7, 9);
    expect_text(&w, c, "typing");
    expect_text(&w, c, "n10");
    expect_nothing(&w, c);
    assert_log(&w, "");
    assert_int_equal(far.asked, 1);
    assert_int_equal(counter(&w, TW_COUNTER_HOLES), 1);
    far_close(&w);
}

static void what_comes_twice_is_sent_once(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    deliver_all(4, 7);
    deliver_all(6, 8);
    expect_numbers(&w, w.clients[0], 6, 8);
    expect_nothing(&w, w.clients[0]);
    assert_int_equal(far.asked, 0);
    far_close(&w);
}

static void what_has_expired_is_no_hole(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    client *c = w.clients[0];
    far_delivers(8);
    far_delivers(11);
    far_answers(0, "E", 10, 6, 8); /* 9 and 10 are past their time */
    expect_numbers(&w, c, 6, 8);
    expect_text(&w, c, "n11");
    far_loses(2);
    far_answers(0, "E", 13, 12, 11); /* as are 12 and 13 */
    far_delivers(14);
    expect_text(&w, c, "n14");
    expect_nothing(&w, c);
    assert_log(&w, "");
    far_close(&w);
}

static void a_gap_with_nothing_behind_it_is_filled_too(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    far_loses(3);
    assert_int_equal(far.questions[0].query.since.offset, 5);
    far_answers(0, "E", 8, 6, 8);
    expect_numbers(&w, w.clients[0], 6, 8);
    far_moves("E", 8); /* nothing new */
    assert_int_equal(far.waiting, 0);
    far_moves("E", 10);
    far_answers(0, "E", 10, 9, 10);
    expect_numbers(&w, w.clients[0], 9, 10);
    expect_nothing(&w, w.clients[0]);
    far_close(&w);
}

static void what_the_home_has_no_longer_is_told_first(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 2);
    far_delivers(6);
    far_delivers(20);
    far_answers(0, "E", 20, 15, 20);
    for (int i = 0; i < 2; i++) {
        expect_text(&w, w.clients[i], "n6");
    }
    world_rest(&w);
    far_delivers(21);
    for (int i = 0; i < 2; i++) {
        expect_text(&w, w.clients[i], "n21");
        expect_nothing(&w, w.clients[i]);
    }
    assert_non_null(strstr(w.log, "missed:1:far:E:6 "));
    assert_non_null(strstr(w.log, "missed:2:far:E:6 "));
    assert_int_equal(w.log_len, 2 * strlen("missed:1:far:E:6 "));
    assert_int_equal(counter(&w, TW_COUNTER_GAPS_TOLD), 1);
    far_close(&w);
}

static int say_marker(world *w, tw_conn *conn) {
    (void)w;
    tw_conn_send(conn, "marker", 6, false);
    return TW_DONE;
}

static void the_hook_speaks_between_what_was_and_what_is(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    recover_on_fail = say_marker;
    far_delivers(6);
    far_delivers(20);
    far_answers(0, "E", 20, 20, 20);
    world_rest(&w);
    far_delivers(21);
    expect_text(&w, w.clients[0], "n6");
    expect_text(&w, w.clients[0], "marker");
    expect_text(&w, w.clients[0], "n21");
    expect_nothing(&w, w.clients[0]);
    far_close(&w);
}

static void who_has_no_hook_goes_on(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    w.routes[0].hooks &= ~(unsigned)TW_HOOK_RECOVER_FAIL;
    world_set_routes(&w);
    far_delivers(20);
    far_answers(0, "E", 20, 15, 20);
    far_delivers(21);
    expect_numbers(&w, w.clients[0], 15, 21);
    assert_log(&w, "");
    far_close(&w);
}

static void a_home_that_does_not_answer_is_told_once(void **state) {
    static const int ways[] = {0, 1};
    (void)state;
    for (int i = 0; i < 2; i++) {
        world w;
        stand(&w, &kept, 1);
        far.refuses = ways[i] ? TW_EOVERLOADED : 0;
        deliver_all(8, 9);
        if (ways[i] == 0) {
            far_answers(TW_EUNAVAILABLE, "", 0, 1, 0);
        }
        world_turns(&w, 20);
        far_delivers(10);
        expect_text(&w, w.clients[0], "n10");
        assert_log(&w, "missed:1:far:E:5 ");
        assert_int_equal(far.asked, 1);
        far_close(&w);
    }
}

/* What has no offset says nothing of where the hole ends. */
static void one_without_an_offset_does_not_end_a_hole(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    far_loses(0);
    far_tells("typing");
    far_answers(TW_EUNAVAILABLE, "", 0, 1, 0);
    world_rest(&w);
    assert_log(&w, "missed:1:far:E:5 ");
    deliver_all(6, 7);
    expect_numbers(&w, w.clients[0], 6, 7);
    far_close(&w);
}

/* ---- epochs ---- */

static void another_epoch_is_told(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    deliver_all(6, 7);
    far_moves("F", 2);
    world_rest(&w);
    deliver_all(3, 4);
    expect_numbers(&w, w.clients[0], 6, 7);
    expect_numbers(&w, w.clients[0], 3, 4);
    expect_nothing(&w, w.clients[0]);
    assert_log(&w, "missed:1:far:E:7 ");
    assert_int_equal(far.asked, 0);
    far_close(&w);
}

static void what_was_asked_in_an_older_epoch_is_of_no_use(void **state) {
    static const char *const answered[] = {"E", "F"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        world w;
        stand(&w, &kept, 1);
        far_delivers(8);
        far_moves("F", 0);
        deliver_all(1, 2);
        world_rest(&w);
        far_answers(0, answered[i], 9, 7, 9);
        deliver_all(3, 4);
        expect_numbers(&w, w.clients[0], 1, 4);
        expect_nothing(&w, w.clients[0]);
        assert_log(&w, "missed:1:far:E:5 ");
        assert_int_equal(far.asked, 1);
        far_close(&w);
    }
}

/* The answer comes before the engine's own word of it. */
static void an_answer_from_another_epoch_tells_of_it(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    far_delivers(8);
    far_answers(0, "F", 2, 3, 2);
    far_moves("F", 2);
    world_rest(&w);
    deliver_all(3, 4);
    expect_numbers(&w, w.clients[0], 3, 4);
    assert_log(&w, "missed:1:far:E:5 ");
    far_close(&w);
}

static void a_channel_that_is_not_kept_any_more_has_lost_nothing(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    far_delivers(6);
    far_moves("", 0);
    far_tells("live");
    expect_text(&w, w.clients[0], "n6");
    expect_text(&w, w.clients[0], "live");
    assert_log(&w, "");
    far_moves("G", 1); /* kept again, from now on */
    far_delivers(2);
    expect_text(&w, w.clients[0], "n2");
    far_delivers(4);
    far_moves("", 0); /* with a hole that nobody can fill */
    far_answers(0, "", 0, 1, 0);
    world_rest(&w);
    far_tells("again");
    expect_text(&w, w.clients[0], "again");
    assert_log(&w, "missed:1:far:G:2 ");
    far_close(&w);
}

static void who_comes_while_others_are_to_be_told_is_not(void **state) {
    static const tw_class_config slowly = {
        .pattern = "far", .history = 100, .batch_ms = 100};
    world w;
    told t, u;
    (void)state;
    far_open(&w, &slowly, 3);
    recover_ask(&w, 1, "far", NULL, &t);
    world_rest(&w);
    far_confirms("E", 5);
    world_rest(&w);
    deliver_all(6, 7); /* they gather */
    far_moves("F", 2);
    recover_ask(&w, 2, "far", NULL, &t);
    tw_subscribe_options last = {.last = 1};
    recover_ask(&w, 3, "far", &last, &u);
    far_delivers(3);
    world_rest(&w);
    far_answers(0, "F", 3, 3, 3);
    world_pass(&w, 100);
    assert_told(&t.result, 3, false, 0);
    assert_told(&u.result, 3, false, 1);
    expect_numbers(&w, w.clients[0], 6, 7);
    expect_text(&w, w.clients[2], "n3");
    far_delivers(4);
    world_pass(&w, 100);
    for (int i = 0; i < 3; i++) {
        expect_text(&w, w.clients[i], "n4");
        expect_nothing(&w, w.clients[i]);
    }
    assert_log(&w, "missed:1:far:E:7 ");
    far_close(&w);
}

/* ---- recovering from a home far away ---- */

static tw_subscribe_options behind(const char *epoch, uint64_t offset) {
    tw_subscribe_options options = {.has_since = true};
    snprintf(options.since.epoch, sizeof options.since.epoch, "%s", epoch);
    options.since.offset = offset;
    return options;
}

static void an_answer_from_before_is_asked_again(void **state) {
    world w;
    told t;
    (void)state;
    stand(&w, &kept, 2);
    recover_leave(&w, 2, "far");
    tw_subscribe_options since = behind("E", 3);
    recover_ask(&w, 2, "far", &since, &t);
    deliver_all(6, 7);
    far_answers(0, "E", 5, 4, 5);
    assert_int_equal(far.waiting, 1);
    far_answers(0, "E", 8, 4, 8);
    far_answers(0, "E", 8, 8, 8); /* of 8 it had not heard */
    far_delivers(8);
    world_rest(&w);
    assert_told(&t.result, 7, true, 4);
    expect_numbers(&w, w.clients[1], 4, 8);
    expect_numbers(&w, w.clients[0], 6, 8);
    expect_nothing(&w, w.clients[1]);
    far_close(&w);
}

/* It comes from a worker that was quicker. */
static void who_is_ahead_of_the_worker_gets_nothing_twice(void **state) {
    world w;
    told t, u;
    (void)state;
    stand(&w, &kept, 2);
    recover_leave(&w, 2, "far");
    tw_subscribe_options since = behind("E", 7);
    recover_ask(&w, 2, "far", &since, &t);
    assert_int_equal(far.waiting, 1);
    deliver_all(6, 8);
    far_answers(0, "E", 8, 6, 8);
    world_rest(&w);
    assert_told(&t.result, 8, true, 1);
    expect_text(&w, w.clients[1], "n8");
    recover_leave(&w, 2, "far");
    since = behind("E", 11);
    deliver_all(10, 11); /* behind a hole */
    recover_ask(&w, 2, "far", &since, &u);
    world_rest(&w);
    assert_int_equal(far.waiting, 1); /* for the hole */
    far_answers(0, "E", 11, 9, 11);
    world_rest(&w);
    assert_told(&u.result, 11, true, 0);
    far_delivers(12);
    expect_text(&w, w.clients[1], "n12");
    expect_numbers(&w, w.clients[0], 6, 12);
    expect_nothing(&w, w.clients[1]);
    assert_int_equal(far.asked, 2);
    far_close(&w);
}

static void a_position_of_the_future_gets_the_newest_instead(void **state) {
    world w;
    told t;
    (void)state;
    stand(&w, &kept, 2);
    recover_leave(&w, 2, "far");
    tw_subscribe_options since = behind("E", 50);
    since.last = 2;
    recover_ask(&w, 2, "far", &since, &t);
    far_answers(0, "E", 5, 6, 5);
    assert_int_equal(far.questions[0].query.since.offset, 3);
    far_answers(0, "E", 5, 4, 5);
    world_rest(&w);
    assert_told(&t.result, 5, false, 2);
    expect_numbers(&w, w.clients[1], 4, 5);
    far_close(&w);
}

static void an_epoch_that_ends_meanwhile_is_told_in_the_answer(void **state) {
    world w;
    told t;
    (void)state;
    stand(&w, &kept, 2);
    recover_leave(&w, 2, "far");
    tw_subscribe_options since = behind("E", 3);
    since.last = 2;
    recover_ask(&w, 2, "far", &since, &t);
    far_moves("F", 9);
    world_rest(&w);
    far_answers(0, "F", 9, 10, 9); /* to the question for E */
    assert_string_equal(far.questions[0].query.since.epoch, "F");
    assert_int_equal(far.questions[0].query.since.offset, 7);
    far_answers(0, "F", 9, 8, 9);
    world_rest(&w);
    assert_told(&t.result, 9, false, 2);
    assert_string_equal(t.result.position.epoch, "F");
    expect_numbers(&w, w.clients[1], 8, 9);
    assert_log(&w, "missed:1:far:E:5 "); /* of the other one */
    far_close(&w);
}

/* More than one question would be needed: they have not the same wish. */
static void a_question_that_fails_holds_nobody_up(void **state) {
    static const tw_class_config class = {
        .pattern = "far", .history = 100, .retain = 5};
    world w;
    told t[3];
    (void)state;
    far_open(&w, &class, 3);
    tw_subscribe_options options[3] = {behind("E", 3), {0}, {.last = 3}};
    for (int i = 0; i < 3; i++) {
        recover_ask(&w, i + 1, "far", &options[i], &t[i]);
    }
    world_rest(&w);
    far.refuses = TW_EOVERLOADED;
    far_confirms("E", 5);
    world_rest(&w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(t[i].calls, 1);
        assert_int_equal(t[i].status, 0);
        assert_told(&t[i].result, 5, false, 0);
    }
    assert_int_equal(far.asked, 2);
    far_delivers(6);
    expect_text(&w, w.clients[0], "n6");
    far_close(&w);
}

static void an_engine_that_ends_is_told(void **state) {
    world w;
    told t;
    (void)state;
    stand(&w, &kept, 2);
    recover_leave(&w, 2, "far");
    far_delivers(7); /* a hole */
    tw_subscribe_options since = behind("E", 3);
    recover_ask(&w, 2, "far", &since, &t);
    far.refuses = TW_ECLOSED;
    far_answers(TW_ECLOSED, "", 0, 1, 0);
    world_rest(&w);
    assert_int_equal(t.status, TW_ECLOSED);
    assert_int_equal(t.calls, 1);
    far_close(&w);
}

static void
who_joined_and_was_not_told_before_a_freeze_joins_anew(void **state) {
    world w;
    told t;
    (void)state;
    far_open(&w, &kept, 1);
    recover_ask(&w, 1, "far", NULL, &t);
    world_rest(&w);
    far_confirms("E", 5); /* it joins */
    far_delivers(6);
    tw_server_freeze(w.server);
    far_delivers(7);
    world_rest(&w);
    far_delivers(8);
    world_rest(&w);
    assert_int_equal(t.calls, 0);
    assert_false(tw_conn_is_subscribed(w.conns[1], str_of("far")));
    tw_server_thaw(w.server);
    world_rest(&w);
    assert_told(&t.result, 8, false, 0);
    far_delivers(9);
    expect_text(&w, w.clients[0], "n9");
    expect_nothing(&w, w.clients[0]);
    far_close(&w);
}

/* ---- answers that nobody waits for ---- */

static void late_answers_find_nobody(void **state) {
    world w;
    told t;
    (void)state;
    stand(&w, &kept, 2);
    recover_leave(&w, 2, "far");
    tw_subscribe_options since = behind("E", 3);
    recover_ask(&w, 2, "far", &since, &t);
    far_delivers(7); /* a hole */
    assert_int_equal(far.waiting, 2);
    recover_leave(&w, 2, "far");
    tw_conn_close(w.conns[1], 1000, str_of(""));
    world_rest(&w);
    assert_int_equal(t.status, TW_ECLOSED);
    assert_int_equal(far.dropped, 1);
    recover_ask(&w, 2, "far", &since, &t); /* a new interest */
    far_answers(0, "E", 7, 4, 7);
    far_answers(0, "E", 7, 6, 7);
    assert_int_equal(t.calls, 0);
    far_confirms("E", 7);
    far_answers(0, "E", 7, 4, 7);
    world_rest(&w);
    assert_told(&t.result, 7, true, 4);
    expect_numbers(&w, w.clients[1], 4, 7);
    far_close(&w);
}

/* ---- much ---- */

static void what_is_too_much_to_hold_is_asked_for(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    w.server->config.delivery_budget_bytes = 1000;
    deliver_all(7, 40);
    far_answers(0, "E", 40, 6, 40);
    expect_numbers(&w, w.clients[0], 6, 40);
    far_delivers(41);
    expect_text(&w, w.clients[0], "n41");
    assert_log(&w, "");
    /* While others are told of a gap nothing is asked; then it is. */
    far_delivers(60);
    far_answers(0, "E", 60, 60, 60);
    deliver_all(61, 90);
    world_rest(&w);
    assert_log(&w, "missed:1:far:E:41 ");
    assert_int_equal(far.waiting, 1);
    uint64_t last = far.questions[0].query.since.offset;
    assert_true(last >= 60 && last < 90);
    far_answers(0, "E", 90, last + 1, 90);
    expect_numbers(&w, w.clients[0], (int)last + 1, 90);
    expect_nothing(&w, w.clients[0]);
    assert_log(&w, "");
    far_close(&w);
}

static void what_is_too_much_at_once_is_walked_first(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    w.server->config.delivery_budget_bytes = 3000; /* with what is held */
    for (uint64_t i = 6; i < 12; i++) {
        tw__pub *pub = far_pub(i);
        uint32_t len = 900;
        char block[900];
        memset(block, (int)('a' + i), sizeof block);
        tw__pub_unref(pub);
        pub = tw__pub_create("far", 3, "", 0, block, len);
        pub->header.offset = i;
        tw__server_on_publication(w.server, pub);
    }
    world_rest(&w);
    while (far.waiting > 0) { /* what could not be held, either */
        uint64_t last = far.questions[0].query.since.offset;
        far_answers(0, "E", 11, last + 1, 11);
        world_rest(&w);
    }
    for (int i = 6; i < 12; i++) {
        int opcode = 0;
        const uint8_t *payload = NULL;
        size_t len = 0;
        char text[16];
        world_until(&w, client_has_frame(w.clients[0]));
        size_t size = client_peek(w.clients[0], &opcode, &payload, &len);
        snprintf(text, sizeof text, "n%d", i); /* of the answer */
        assert_true((len == 900 && payload[0] == 'a' + i) ||
                    (len == strlen(text) && memcmp(payload, text, len) == 0));
        client_take(w.clients[0], size);
    }
    assert_int_equal(counter(&w, TW_COUNTER_DROPPED), 0);
    assert_log(&w, "");
    far_close(&w);
}

static void an_answer_over_the_budget_is_taken_in_parts(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 1);
    w.server->config.delivery_budget_bytes = 40; /* some ten texts */
    far_loses(50);
    far_answers(0, "E", 55, 6, 55);
    expect_numbers(&w, w.clients[0], 6, 55);
    expect_nothing(&w, w.clients[0]);
    assert_int_equal(counter(&w, TW_COUNTER_DROPPED), 0);
    assert_int_equal(far.asked, 1);
    far_close(&w);
}

/* ---- memory ---- */

static void who_cannot_be_told_is_closed(void **state) {
    world w;
    (void)state;
    stand(&w, &kept, 2);
    far_moves("F", 0);
    tw__alloc_fail_nth(1);
    tw__position_run(w.server);
    tw__alloc_fail_nth(0);
    world_rest(&w);
    expect_close(&w, w.clients[1], 1013, "out of memory");
    world_rest(&w);
    far_delivers(1);
    expect_text(&w, w.clients[0], "n1");
    assert_non_null(strstr(w.log, "missed:1:far:E:5 "));
    assert_null(strstr(w.log, "missed:2"));
    far_moves("G", 0);
    tw__alloc_fail_nth(1);
    tw__position_run(w.server); /* nobody is left */
    tw__alloc_fail_nth(0);
    expect_close(&w, w.clients[0], 1013, "out of memory");
    assert_int_equal(far.dropped, 1);
    far_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hole_is_filled_before_anything_newer),
        cmocka_unit_test(what_comes_twice_is_sent_once),
        cmocka_unit_test(what_has_expired_is_no_hole),
        cmocka_unit_test(a_gap_with_nothing_behind_it_is_filled_too),
        cmocka_unit_test(what_the_home_has_no_longer_is_told_first),
        cmocka_unit_test(the_hook_speaks_between_what_was_and_what_is),
        cmocka_unit_test(who_has_no_hook_goes_on),
        cmocka_unit_test(a_home_that_does_not_answer_is_told_once),
        cmocka_unit_test(one_without_an_offset_does_not_end_a_hole),
        cmocka_unit_test(another_epoch_is_told),
        cmocka_unit_test(what_was_asked_in_an_older_epoch_is_of_no_use),
        cmocka_unit_test(an_answer_from_another_epoch_tells_of_it),
        cmocka_unit_test(a_channel_that_is_not_kept_any_more_has_lost_nothing),
        cmocka_unit_test(who_comes_while_others_are_to_be_told_is_not),
        cmocka_unit_test(an_answer_from_before_is_asked_again),
        cmocka_unit_test(who_is_ahead_of_the_worker_gets_nothing_twice),
        cmocka_unit_test(a_position_of_the_future_gets_the_newest_instead),
        cmocka_unit_test(an_epoch_that_ends_meanwhile_is_told_in_the_answer),
        cmocka_unit_test(a_question_that_fails_holds_nobody_up),
        cmocka_unit_test(an_engine_that_ends_is_told),
        cmocka_unit_test(
            who_joined_and_was_not_told_before_a_freeze_joins_anew),
        cmocka_unit_test(late_answers_find_nobody),
        cmocka_unit_test(what_is_too_much_to_hold_is_asked_for),
        cmocka_unit_test(what_is_too_much_at_once_is_walked_first),
        cmocka_unit_test(an_answer_over_the_budget_is_taken_in_parts),
        cmocka_unit_test(who_cannot_be_told_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
