/* Batches on their way to the members. SPDX-License-Identifier: MIT */
#include "hub_probe.h"

static void everybody_gets_the_batch_in_order(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    probe_join(&p, 1, "room");
    probe_join(&p, 2, "room");
    probe_publish(&p, "room", "abc", -1);
    assert_false(probe_walk(&p));
    expect_log(&p, "1:abc 2:abc ");
    assert_int_equal(p.encoded, 3); /* once for all */
    assert_false(probe_walk(&p));
    expect_log(&p, "");
    probe_deinit(&p);
}

static void what_is_not_due_waits(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    probe_join(&p, 1, "room");
    tw__pub *pub = tw__pub_create("room", 4, NULL, 0, "a", 1);
    tw__channel_publish(probe_channel(&p, "room"), pub, NULL);
    assert_false(probe_walk(&p));
    expect_log(&p, "");
    tw__channel_set_due(probe_channel(&p, "room"));
    tw__channel_set_due(probe_channel(&p, "room"));
    assert_false(probe_walk(&p));
    expect_log(&p, "1:a ");
    probe_deinit(&p);
}

static void each_codec_gets_its_own_encoding(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    p.members[2].codec = 1;
    for (int i = 1; i <= 4; i++) {
        probe_join(&p, i, "room");
    }
    probe_publish(&p, "room", "ab", -1);
    probe_walk(&p);
    expect_log(&p, "1:ab 2:*a*b 3:ab 4:ab ");
    assert_int_equal(p.encoded, 4);
    probe_deinit(&p);
}

/* What an encoding costs is spent for those who get something. */
static void who_is_owed_nothing_needs_no_encoding(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    p.members[2].codec = 1;
    for (int i = 1; i <= 3; i++) {
        probe_join(&p, i, "room");
    }
    probe_publish(&p, "room", "ab", 2);
    probe_walk(&p);
    expect_log(&p, "1:ab 3:ab ");
    assert_int_equal(p.encoded, 2);
    probe_publish(&p, "room", "c", 2);
    probe_publish(&p, "room", "d", 1);
    probe_walk(&p);
    expect_log(&p, "1(c) 2(*d) 3:cd ");
    assert_int_equal(p.encoded, 6);
    probe_deinit(&p);
}

static void a_walk_goes_on_in_slices(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    for (int i = 1; i <= 5; i++) {
        probe_join(&p, i, "room");
    }
    probe_publish(&p, "room", "a", -1);
    assert_true(tw__hub_walk(&p.hub, 2));
    expect_log(&p, "1:a 2:a ");
    probe_publish(&p, "room", "b", -1);
    assert_true(tw__hub_walk(&p.hub, 2));
    expect_log(&p, "3:a 4:a ");
    assert_true(tw__hub_walk(&p.hub, 2));
    expect_log(&p, "5:a ");
    assert_int_equal(p.encoded, 1);
    assert_true(tw__hub_walk(&p.hub, 4));
    assert_false(tw__hub_walk(&p.hub, 4));
    expect_log(&p, "1:b 2:b 3:b 4:b 5:b ");
    probe_deinit(&p);
}

static void channels_take_turns(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    for (int i = 0; i < 4; i++) {
        probe_join(&p, i, "large");
    }
    probe_join(&p, 4, "small");
    probe_publish(&p, "large", "a", -1);
    probe_publish(&p, "small", "b", -1);
    assert_true(tw__hub_walk(&p.hub, 2));
    expect_log(&p, "0:a 1:a ");
    assert_true(tw__hub_walk(&p.hub, 2));
    expect_log(&p, "4:b 2:a ");
    assert_false(tw__hub_walk(&p.hub, 2));
    expect_log(&p, "3:a ");
    probe_deinit(&p);
}

/* ---- between slices ---- */

static void who_joins_during_a_walk_waits_for_the_next(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    probe_join(&p, 1, "room");
    probe_join(&p, 2, "room");
    probe_publish(&p, "room", "a", -1);
    tw__hub_walk(&p.hub, 1);
    probe_join(&p, 3, "room");
    probe_publish(&p, "room", "b", 1);
    probe_join(&p, 4, "room");
    probe_publish(&p, "room", "c", -1);
    while (probe_walk(&p)) {
    }
    expect_log(&p, "1:a 2:a 1(c) 2:bc 3:bc 4(c) ");
    probe_deinit(&p);
}

static void who_leaves_during_a_walk_gets_no_more(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    for (int i = 1; i <= 5; i++) {
        probe_join(&p, i, "room");
    }
    probe_publish(&p, "room", "a", -1);
    tw__hub_walk(&p.hub, 2);
    probe_publish(&p, "room", "b", -1);
    assert_int_equal(probe_leave(&p, 1), 1); /* had its a */
    assert_int_equal(probe_leave(&p, 4), 2);
    assert_int_equal(tw__channel_len(probe_channel(&p, "room")), 3);
    probe_join(&p, 6, "room");
    while (probe_walk(&p)) {
    }
    expect_log(&p, "1:a 2:a 3:a 5:a 2:b 3:b 5:b ");
    tw__channel *channel = probe_channel(&p, "room");
    assert_int_equal(channel->count, 4);
    for (uint32_t i = 0; i < channel->count; i++) {
        assert_int_equal(channel->members[i].sub->index, i);
    }
    probe_deinit(&p);
}

/* ---- inside of a visit ---- */

static void leave_self(probe *p, member *m) {
    if (m->number != 2) {
        probe_leave(p, m->number);
    }
}

static void a_visitor_may_leave(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    for (int i = 1; i <= 3; i++) {
        probe_join(&p, i, "room");
    }
    probe_publish(&p, "room", "a", -1);
    p.on_deliver = leave_self;
    probe_walk(&p);
    expect_log(&p, "1:a 2:a 3:a ");
    assert_int_equal(tw__channel_len(probe_channel(&p, "room")), 1);
    probe_deinit(&p);
}

static void leave_all(probe *p, member *m) {
    (void)m;
    p->on_deliver = NULL;
    for (int i = 1; i <= 3; i++) {
        probe_leave(p, i);
    }
}

static void a_visitor_may_end_the_channel(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    for (int i = 1; i <= 3; i++) {
        probe_join(&p, i, "room");
    }
    probe_publish(&p, "room", "a", -1);
    p.on_deliver = leave_all;
    assert_false(probe_walk(&p));
    expect_log(&p, "1:a ");
    assert_null(probe_channel(&p, "room"));
    probe_deinit(&p);
}

static void leave_between_runs(probe *p, member *m) {
    if (m->number == 1) {
        p->on_deliver = NULL;
        assert_int_equal(probe_leave(p, 1), 3);
    }
}

static void a_visitor_may_leave_between_two_runs(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    probe_join(&p, 1, "room");
    probe_join(&p, 2, "room");
    probe_publish(&p, "room", "ab", -1);
    probe_publish(&p, "room", "c", 1);
    probe_publish(&p, "room", "de", -1);
    probe_publish(&p, "room", "f", 1);
    probe_publish(&p, "room", "g", -1);
    p.on_deliver = leave_between_runs;
    probe_walk(&p);
    expect_log(&p, "1(ab) 2:abcdefg ");
    assert_int_equal(p.lost, 0);
    probe_deinit(&p);
}

static void leave_and_return(probe *p, member *m) {
    if (m->number == 1) {
        p->on_deliver = NULL;
        probe_leave(p, 1);
        probe_join(p, 1, "room");
        probe_publish(p, "room", "z", -1);
    }
}

static void a_visitor_may_leave_and_come_back(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    probe_join(&p, 1, "room");
    probe_join(&p, 2, "room");
    probe_publish(&p, "room", "a", 1);
    probe_publish(&p, "room", "b", -1);
    probe_publish(&p, "room", "c", 1);
    probe_publish(&p, "room", "d", -1);
    p.on_deliver = leave_and_return;
    while (probe_walk(&p)) {
    }
    expect_log(&p, "1(b) 2:abcd 2:z 1:z ");
    probe_deinit(&p);
}

static void publish_more(probe *p, member *m) {
    if (m->number == 2) {
        p->on_deliver = NULL;
        probe_publish(p, "room", "b", 1);
        probe_publish(p, "other", "c", -1);
    }
}

static void a_visitor_may_publish(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    for (int i = 1; i <= 3; i++) {
        probe_join(&p, i, "room");
    }
    probe_join(&p, 4, "other");
    probe_publish(&p, "room", "a", -1);
    p.on_deliver = publish_more;
    while (probe_walk(&p)) {
    }
    /* The batch under way is not touched; what was published comes with the
     * next walk. */
    assert_int_equal(strncmp(p.log, "1:a 2:a 3:a ", 12), 0);
    assert_non_null(strstr(p.log, "2:b 3:b "));
    assert_non_null(strstr(p.log, "4:c "));
    assert_null(strstr(p.log, "1:b"));
    p.log_len = 0;
    probe_deinit(&p);
}

/* ---- no memory ---- */

static void a_batch_without_memory_is_lost_and_counted(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    for (int i = 1; i <= 3; i++) {
        probe_join(&p, i, "room");
    }
    probe_publish(&p, "room", "ab", -1);
    probe_publish(&p, "room", "c", 1);
    tw__alloc_fail_nth(1);
    probe_walk(&p);
    tw__alloc_fail_nth(0);
    /* Only the first attempt failed. */
    expect_log(&p, "2:abc 3:abc ");
    assert_int_equal(p.lost, 2);
    probe_deinit(&p);
}

/* ---- the list of exceptions ---- */

static void runs_are_what_is_left_between_exceptions(void **state) {
    tw__exceptions list = {0};
    int me, other;
    tw__run run = {0};
    (void)state;
    tw__exceptions_add(&list, &other, 0, false);
    tw__exceptions_add(&list, &me, 2, true);
    tw__exceptions_add(&list, &me, 2, false);
    tw__exceptions_add(&list, &other, 3, false);
    tw__exceptions_add(&list, &me, 5, false);
    tw__exceptions_add(&list, &me, 6, false);
    tw__exceptions_add(&list, &me, 9, false);
    assert_int_equal(tw__exceptions_allow(&list, &me, 10), 4);
    assert_true(tw__exceptions_next_run(&list, &me, 10, &run));
    assert_int_equal(run.first, 3);
    assert_int_equal(run.len, 2);
    assert_true(tw__exceptions_next_run(&list, &me, 10, &run));
    assert_int_equal(run.first, 7);
    assert_int_equal(run.len, 2);
    assert_false(tw__exceptions_next_run(&list, &me, 10, &run));
    tw__exceptions_remove(&list, &me);
    assert_int_equal(tw__exceptions_allow(&list, &me, 10), 10);
    assert_int_equal(tw__exceptions_allow(&list, &other, 10), 8);
    tw__exceptions_deinit(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_gets_the_batch_in_order),
        cmocka_unit_test(what_is_not_due_waits),
        cmocka_unit_test(each_codec_gets_its_own_encoding),
        cmocka_unit_test(who_is_owed_nothing_needs_no_encoding),
        cmocka_unit_test(a_walk_goes_on_in_slices),
        cmocka_unit_test(channels_take_turns),
        cmocka_unit_test(who_joins_during_a_walk_waits_for_the_next),
        cmocka_unit_test(who_leaves_during_a_walk_gets_no_more),
        cmocka_unit_test(a_visitor_may_leave),
        cmocka_unit_test(a_visitor_may_end_the_channel),
        cmocka_unit_test(a_visitor_may_leave_between_two_runs),
        cmocka_unit_test(a_visitor_may_leave_and_come_back),
        cmocka_unit_test(a_visitor_may_publish),
        cmocka_unit_test(a_batch_without_memory_is_lost_and_counted),
        cmocka_unit_test(runs_are_what_is_left_between_exceptions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
