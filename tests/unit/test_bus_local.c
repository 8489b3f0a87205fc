/* The engine with one slot: everything stays in the process.
 * SPDX-License-Identifier: MIT */
#include "test_bus_world.h"

static world *alone(void) {
    world *w = world_create(1, 0);
    w->config.dir = NULL;
    close(w->members[0].listen_fd);
    w->members[0].listen_fd = -1;
    return w;
}

static void nothing_is_answered_inside_of_a_call(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    interest(m, "a");
    assert_int_equal(publish(m, "a", "1"), 0);
    assert_int_equal(try_count(m, "a"), 0);
    assert_string_equal(journal_of(m), "");
    assert_false(tw__bus_is_idle(m->bus));
    UNTIL(w, m->publications == 1);
    assert_string_equal(journal_of(m), "confirm a\npub a 1\ncount 0\n");
    assert_true(tw__bus_is_idle(m->bus));
    world_destroy(w);
}

static void publications_keep_their_order(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    subscribe(m, "a");
    for (int i = 0; i < 20; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(publish(m, "a", text), 0);
    }
    journal_clear(m);
    UNTIL(w, m->publications == 20);
    assert_string_equal(journal_of(m),
                        "pub a 0\npub a 1\npub a 2\npub a 3\npub a 4\n"
                        "pub a 5\npub a 6\npub a 7\npub a 8\npub a 9\n"
                        "pub a 10\npub a 11\npub a 12\npub a 13\npub a 14\n"
                        "pub a 15\npub a 16\npub a 17\npub a 18\npub a 19\n");
    world_destroy(w);
}

static void what_nobody_wants_is_sequenced_and_gone(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    assert_int_equal(publish(m, "a", "1"), 0);
    UNTIL(w, tw__bus_get_stats(m->bus)->sequenced == 1);
    assert_string_equal(journal_of(m), "");
    world_destroy(w);
}

static void an_interest_exists_once(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    interest(m, "a");
    assert_int_equal(try_interest(m, "a"), TW_EEXISTS);
    UNTIL(w, m->confirms == 1);
    assert_int_equal(try_interest(m, "a"), TW_EEXISTS);
    drop(m, "a");
    drop(m, "a");
    subscribe(m, "a");
    assert_int_equal(tw__bus_get_stats(m->bus)->interests, 1);
    assert_int_equal(tw__bus_get_stats(m->bus)->home_channels, 1);
    world_destroy(w);
}

static void a_dropped_interest_gets_nothing_more(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    subscribe(m, "a");
    assert_int_equal(publish(m, "a", "1"), 0);
    drop(m, "a");
    UNTIL(w, tw__bus_get_stats(m->bus)->sequenced == 1);
    assert_int_equal(m->publications, 0);
    assert_int_equal(tw__bus_get_stats(m->bus)->home_channels, 0);
    world_destroy(w);
}

static void dropping_before_the_confirmation_answers_closed(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    interest(m, "a");
    drop(m, "a");
    assert_int_equal(m->answers, 0);
    interest(m, "a");
    UNTIL(w, m->answers == 2);
    assert_string_equal(journal_of(m), "closed a\nconfirm a\n");
    world_destroy(w);
}

static void counts_are_those_that_were_set(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    interest(m, "a");
    set_count(m, "a", 3);
    set_count(m, "never wanted", 9);
    assert_int_equal(count_of(m, "a"), 3);
    set_count(m, "a", 1000000);
    assert_int_equal(count_of(m, "a"), 1000000);
    assert_int_equal(count_of(m, "never wanted"), 0);
    drop(m, "a");
    assert_int_equal(count_of(m, "a"), 0);
    world_destroy(w);
}

static void a_full_queue_refuses_and_recovers(void **state) {
    (void)state;
    world *w = alone();
    w->config.publish_budget_bytes = 3 * (TW__RECORD_HEADER + 2);
    member *m = start(w, 0);
    subscribe(m, "a");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(publish(m, "a", "x"), 0);
    }
    assert_int_equal(publish(m, "a", "x"), TW_EOVERLOADED);
    UNTIL(w, m->publications == 3);
    assert_int_equal(publish(m, "a", "y"), 0);
    UNTIL(w, m->publications == 4);
    assert_int_equal(tw__bus_get_stats(m->bus)->publications_refused, 1);
    assert_int_equal(tw__bus_get_stats(m->bus)->publications_accepted, 4);
    world_destroy(w);
}

static void publication_header(member *m, tw__pub *pub) {
    assert_int_equal(pub->header.flags, 0x8001);
    assert_int_equal(pub->header.colour, 5);
    assert_int_equal(pub->header.except, 42);
    assert_int_equal(pub->header.origin.node, 7);
    assert_int_equal(pub->header.origin.slot, m->slot);
    assert_int_equal(pub->header.origin.incarnation, m->incarnation);
    assert_string_equal(tw__pub_key(pub), "key");
}

static void the_header_travels_and_the_origin_is_filled_in(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    subscribe(m, "a");
    m->on_publication = publication_header;
    tw__pub *pub = tw__pub_create("a", 1, "key", 3, "x", 1);
    assert_non_null(pub);
    pub->header.flags = 0x8001;
    pub->header.colour = 5;
    pub->header.except = 42;
    assert_int_equal(m->broker->ops->publish(m->broker, pub), 0);
    UNTIL(w, m->publications == 1);
    world_destroy(w);
}

static void what_is_past_its_deadline_is_dropped_by_the_home(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    subscribe(m, "a");
    tw__pub *late = tw__pub_create("a", 1, NULL, 0, "late", 4);
    tw__pub *early = tw__pub_create("a", 1, NULL, 0, "early", 5);
    late->header.deadline_ms = tw__loop_now(&w->loop);
    early->header.deadline_ms = tw__loop_now(&w->loop) + 1;
    assert_int_equal(m->broker->ops->publish(m->broker, late), 0);
    assert_int_equal(m->broker->ops->publish(m->broker, early), 0);
    journal_clear(m);
    UNTIL(w, m->publications == 1);
    assert_string_equal(journal_of(m), "pub a early\n");
    assert_int_equal(tw__bus_get_stats(m->bus)->publications_expired, 1);
    world_destroy(w);
}

static void publish_again(member *m, tw__pub *pub) {
    (void)pub;
    if (m->publications < 50) {
        assert_int_equal(publish(m, "a", "again"), 0);
    }
}

static void publishing_from_a_delivery_takes_a_turn_each(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    subscribe(m, "a");
    m->on_publication = publish_again;
    assert_int_equal(publish(m, "a", "first"), 0);
    uint64_t turns = w->loop.turns;
    UNTIL(w, m->publications == 50);
    assert_true(w->loop.turns - turns >= 50);
    world_destroy(w);
}

static void drop_it(member *m, tw__pub *pub) {
    (void)pub;
    drop(m, "a");
}

static void an_interest_may_be_dropped_by_its_own_delivery(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    subscribe(m, "a");
    m->on_publication = drop_it;
    assert_int_equal(publish(m, "a", "1"), 0);
    assert_int_equal(publish(m, "a", "2"), 0);
    UNTIL(w, tw__bus_get_stats(m->bus)->sequenced == 2);
    assert_int_equal(m->publications, 1);
    world_destroy(w);
}

static void take_back(member *m) {
    m->on_confirm = NULL;
    drop(m, "a");
    drop(m, "b");
    interest(m, "c");
}

static void interests_may_change_inside_of_a_confirmation(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    m->on_confirm = take_back;
    interest(m, "a");
    interest(m, "b");
    UNTIL(w, m->answers == 3);
    assert_string_equal(journal_of(m), "confirm a\nclosed b\nconfirm c\n");
    world_destroy(w);
}

static void end_it(member *m, tw__pub *pub) {
    (void)pub;
    tw__bus_destroy(m->bus);
    assert_int_equal(publish(m, "a", "too late"), TW_ECLOSED);
    assert_int_equal(try_interest(m, "z"), TW_ECLOSED);
    assert_int_equal(try_count(m, "z"), TW_ECLOSED);
    drop(m, "a");
    set_count(m, "a", 1);
    m->bus = NULL;
}

static void the_engine_may_end_inside_of_a_delivery(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    subscribe(m, "a");
    m->on_publication = end_it;
    assert_int_equal(publish(m, "a", "1"), 0);
    assert_int_equal(publish(m, "a", "2"), 0);
    UNTIL(w, m->publications == 1);
    assert_string_equal(journal_of(m), "confirm a\npub a 1\nlost a closed\n");
    world_destroy(w);
}

static void end_at_once(member *m) {
    tw__bus_destroy(m->bus);
    m->bus = NULL;
}

static void the_engine_may_end_inside_of_a_confirmation(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    m->on_confirm = end_at_once;
    interest(m, "a");
    interest(m, "b");
    assert_int_equal(try_count(m, "a"), 0);
    UNTIL(w, m->answers == 3);
    assert_string_equal(journal_of(m), "confirm a\nclosed b\nclosed count\n");
    world_destroy(w);
}

static void the_end_answers_everything(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    interest(m, "a");
    interest(m, "b");
    drop(m, "b");
    assert_int_equal(try_count(m, "a"), 0);
    assert_int_equal(publish(m, "a", "1"), 0);
    tw__bus_destroy(m->bus);
    assert_string_equal(journal_of(m),
                        "closed b\nclosed a\nclosed count\nlost a closed\n");
    m->bus = NULL;
    world_destroy(w);
}

static void names_have_a_length(void **state) {
    (void)state;
    world *w = alone();
    member *m = start(w, 0);
    char name[257];
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    assert_int_equal(try_interest(m, name), TW_EINVALID);
    assert_int_equal(try_count(m, name), TW_EINVALID);
    name[255] = '\0';
    subscribe(m, name);
    assert_int_equal(publish(m, name, "x"), 0);
    UNTIL(w, m->publications == 1);
    world_destroy(w);
}

static void impossible_configurations_are_refused(void **state) {
    (void)state;
    world *w = alone();
    char longest[200];
    memset(longest, 'd', sizeof longest);
    longest[199] = '\0';
    assert_int_equal(try_start(w, 1), TW_EINVALID); /* extra, no folder */
    w->config.slots = 0;
    assert_int_equal(try_start(w, 0), TW_EINVALID);
    w->config.slots = 2; /* without a folder */
    assert_int_equal(try_start(w, 0), TW_EINVALID);
    w->config.dir = longest;
    assert_int_equal(try_start(w, 0), TW_EINVALID);
    w->config.dir = w->dir;
    assert_int_equal(try_start(w, 2 + TW__BUS_EXTRA_MEMBERS), TW_EINVALID);
    assert_int_equal(try_start(w, 1 + TW__BUS_EXTRA_MEMBERS), 0);
    world_destroy(w);
}

static void home_of_braces(void **state) {
    (void)state;
    static const char *const same[][2] = {
        {"{42}", "42"},   {"cell:{42}:3:4", "match:{42}"},
        {"a{b}{c}", "b"}, {"a{b}c}", "b"},
        {"a{{b}", "{b"},
    };
    static const char *const whole[] = {"{}x", "x{", "}{", "a{}{b}", ""};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_int_equal(tw__bus_home(same[i][0], strlen(same[i][0]), 60000),
                         tw__bus_home(same[i][1], strlen(same[i][1]), 60000));
    }
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        assert_int_equal(tw__bus_home(whole[i], strlen(whole[i]), 60000),
                         tw__hash_stable(whole[i], strlen(whole[i])) % 60000);
    }
    assert_int_equal(tw__bus_home("anything", 8, 1), 0);
}

/* Without memory a call says so and changes nothing; the same call works when
 * there is memory again. */
static void every_allocation_may_fail(void **state) {
    (void)state;
    for (size_t nth = 1; nth < 40; nth++) {
        world *w = alone();
        tw__alloc_fail_nth(nth);
        int err = try_start(w, 0);
        assert_true(err == 0 || err == TW_ENOMEM);
        if (err != 0) {
            assert_int_equal(try_start(w, 0), 0);
        }
        member *m = &w->members[0];
        err = try_interest(m, "a");
        assert_true(err == 0 || err == TW_ENOMEM);
        if (err != 0) {
            interest(m, "a");
        }
        err = try_count(m, "a");
        assert_true(err == 0 || err == TW_ENOMEM);
        unsigned answers = 1 + (err == 0);
        UNTIL(w, m->answers == answers);
        err = publish(m, "a", "x");
        assert_true(err == 0 || err == TW_ENOMEM);
        unsigned publications = err == 0;
        UNTIL(w, m->publications == publications && tw__bus_is_idle(m->bus));
        tw__alloc_fail_nth(0);
        world_destroy(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_answered_inside_of_a_call),
        cmocka_unit_test(publications_keep_their_order),
        cmocka_unit_test(what_nobody_wants_is_sequenced_and_gone),
        cmocka_unit_test(an_interest_exists_once),
        cmocka_unit_test(a_dropped_interest_gets_nothing_more),
        cmocka_unit_test(dropping_before_the_confirmation_answers_closed),
        cmocka_unit_test(counts_are_those_that_were_set),
        cmocka_unit_test(a_full_queue_refuses_and_recovers),
        cmocka_unit_test(the_header_travels_and_the_origin_is_filled_in),
        cmocka_unit_test(what_is_past_its_deadline_is_dropped_by_the_home),
        cmocka_unit_test(publishing_from_a_delivery_takes_a_turn_each),
        cmocka_unit_test(an_interest_may_be_dropped_by_its_own_delivery),
        cmocka_unit_test(interests_may_change_inside_of_a_confirmation),
        cmocka_unit_test(the_engine_may_end_inside_of_a_delivery),
        cmocka_unit_test(the_engine_may_end_inside_of_a_confirmation),
        cmocka_unit_test(the_end_answers_everything),
        cmocka_unit_test(names_have_a_length),
        cmocka_unit_test(impossible_configurations_are_refused),
        cmocka_unit_test(home_of_braces),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
