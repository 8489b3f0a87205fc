/* The engine with several members: order, interest, counts, budgets.
 * SPDX-License-Identifier: MIT */
#include "test_bus_world.h"

static void a_publication_reaches_those_who_want_it(void **state) {
    (void)state;
    world *w = world_of(3);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1],
           *other = &w->members[2];
    subscribe(far, a);
    assert_int_equal(publish(other, a, "hello"), 0);
    UNTIL(w, far->publications == 1);
    UNTIL(w, is_quiet(w));
    assert_int_equal(home->publications, 0);
    assert_int_equal(other->publications, 0);
    subscribe(home, a);
    subscribe(other, a);
    assert_int_equal(publish(other, a, "again"), 0);
    UNTIL(w, far->publications == 2 && home->publications == 1 &&
                 other->publications == 1);
    UNTIL(w, is_quiet(w));
    assert_int_equal(tw__bus_get_stats(home->bus)->forwarded, 3);
    assert_int_equal(tw__bus_get_stats(home->bus)->sequenced, 2);
    world_destroy(w);
}

static void local_traffic_opens_no_stream(void **state) {
    (void)state;
    world *w = world_of(2);
    const char *a = name_at(w, 0, 0);
    member *m = &w->members[0];
    subscribe(m, a);
    assert_int_equal(publish(m, a, "x"), 0);
    UNTIL(w, m->publications == 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tw__bus_get_stats(w->members[i].bus)->link_bytes_sent,
                         0);
    }
    world_destroy(w);
}

static void a_burst_keeps_its_order_everywhere(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    world *w = world_of(3);
    const char *a = name_at(w, 2, 0);
    for (int i = 0; i < 3; i++) {
        subscribe(&w->members[i], a);
        journal_clear(&w->members[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(publish(&w->members[i % 2], a, text), 0);
        if (i % 64 == 0) {
            tw__loop_run_once(&w->loop, 0);
        }
    }
    for (int i = 0; i < 3; i++) {
        UNTIL(w, w->members[i].publications == COUNT);
        assert_string_equal(journal_of(&w->members[i]),
                            journal_of(&w->members[0]));
    }
    int last[2] = {-2, -1}; /* of each publisher */
    const char *line = journal_of(&w->members[0]);
    for (int i = 0; i < COUNT; i++) {
        int number = atoi(strchr(line + 4, ' '));
        assert_int_equal(number, last[number % 2] + 2);
        last[number % 2] = number;
        line = strchr(line, '\n') + 1;
    }
    world_destroy(w);
}

static void the_confirmation_comes_before_the_first_delivery(void **state) {
    (void)state;
    world *w = world_of(2);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    assert_int_equal(publish(home, a, "before"), 0);
    interest(far, a);
    while (far->confirms == 0) {
        assert_int_equal(publish(home, a, "meanwhile"), 0);
        tw__loop_run_once(&w->loop, 0);
    }
    UNTIL(w, is_quiet(w) && far->publications > 0);
    assert_memory_equal(journal_of(far), "confirm", 7);
    world_destroy(w);
}

/* A publication that follows the confirmation in the same turn is not lost. */
static void publish_back(member *m) {
    assert_int_equal(publish(m, "{x}", "own"), 0);
}

static void what_a_confirmation_publishes_comes_back(void **state) {
    (void)state;
    world *w = world_of(2);
    uint16_t home = tw__bus_home("{x}", 3, 2);
    member *far = &w->members[1 - home];
    far->on_confirm = publish_back;
    interest(far, "{x}");
    UNTIL(w, far->publications == 1);
    assert_string_equal(journal_of(far), "confirm {x}\npub {x} own\n");
    world_destroy(w);
}

static void a_dropped_interest_costs_the_home_nothing(void **state) {
    (void)state;
    world *w = world_of(2);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    subscribe(far, a);
    drop(far, a);
    UNTIL(w, tw__bus_get_stats(home->bus)->home_channels == 0);
    assert_int_equal(publish(home, a, "x"), 0);
    UNTIL(w, tw__bus_get_stats(home->bus)->sequenced == 1);
    assert_int_equal(tw__bus_get_stats(home->bus)->forwarded, 0);
    world_destroy(w);
}

/* Old deliveries on their way do not belong to an interest taken anew. */
static void an_interest_taken_again_gets_only_what_is_new(void **state) {
    (void)state;
    world *w = world_of(2);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    for (int round = 0; round < 50; round++) {
        subscribe(far, a);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(publish(home, a, "old"), 0);
        }
        if (round % 2 == 0) {
            tw__loop_run_once(&w->loop, 0);
        }
        drop(far, a);
        journal_clear(far);
        interest(far, a);
        unsigned confirms = far->confirms;
        UNTIL(w, far->confirms > confirms);
        assert_memory_equal(journal_of(far), "confirm", 7);
        drop(far, a);
        UNTIL(w, is_quiet(w));
    }
    world_destroy(w);
}

static void dropping_while_asking_answers_closed(void **state) {
    (void)state;
    world *w = world_of(2);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0];
    interest(far, a);
    drop(far, a);
    interest(far, a);
    UNTIL(w, tw__bus_get_stats(far->bus)->link_records_sent >= 2);
    drop(far, a); /* asked, not answered */
    UNTIL(w, far->answers == 2 && is_quiet(w));
    assert_int_equal(far->confirms, 0);
    assert_int_equal(tw__bus_get_stats(w->members[1].bus)->home_channels, 0);
    world_destroy(w);
}

static void counts_are_summed_over_the_members(void **state) {
    (void)state;
    world *w = world_of(4);
    const char *a = name_at(w, 2, 0);
    for (uint32_t i = 0; i < 4; i++) {
        interest(&w->members[i], a);
        set_count(&w->members[i], a, 10 + i);
    }
    UNTIL(w, is_quiet(w));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(count_of(&w->members[i], a), 46);
    }
    set_count(&w->members[0], a, 11);
    set_count(&w->members[0], a, 12);
    uint64_t sent = tw__bus_get_stats(w->members[0].bus)->link_records_sent;
    UNTIL(w, is_quiet(w));
    assert_int_equal(tw__bus_get_stats(w->members[0].bus)->link_records_sent,
                     sent + 1);
    assert_int_equal(count_of(&w->members[3], a), 48);
    drop(&w->members[1], a);
    UNTIL(w, is_quiet(w));
    assert_int_equal(count_of(&w->members[0], a), 37);
    world_destroy(w);
}

/* Of what is to be told at once, only three of the long names fit, and the
 * short one of the question would fit before the fourth. */
static void an_answer_holds_what_was_told_before_the_question(void **state) {
    enum { LONG = 4, NAME = 230 };
    (void)state;
    world *w = world_create(3, 0);
    w->config.control_budget_bytes = 2048;
    for (uint16_t i = 0; i < 3; i++) {
        start(w, i);
    }
    member *far = &w->members[0], *home = &w->members[1];
    const char *tag = name_at(w, 1, 0);
    char names[LONG + 1][NAME + 1];
    for (int i = 0; i <= LONG; i++) {
        int len = snprintf(names[i], NAME + 1, "%d{%s}", i, tag);
        memset(names[i] + len, '0', (size_t)(NAME - len));
        names[i][NAME] = '\0';
    }
    snprintf(names[LONG], NAME + 1, "{%s}", tag);
    for (int i = 0; i <= LONG; i++) {
        interest(far, names[i]);
        assert_true(set_count(far, names[i], 1)); /* with the request */
    }
    UNTIL(w, far->confirms == LONG + 1);
    for (uint32_t count = 2; count < 10; count++) {
        for (int i = 0; i <= LONG; i++) {
            assert_false(set_count(far, names[i], count));
        }
        assert_int_equal(count_of(far, names[LONG]), count);
        assert_int_equal(count_of(&w->members[2], names[LONG]), count);
    }
    subscribe(home, names[LONG]);
    assert_true(set_count(home, names[LONG], 100));
    assert_int_equal(count_of(far, names[LONG]), 109);
    world_destroy(w);
}

static void an_extra_member_takes_part_and_is_home_of_nothing(void **state) {
    (void)state;
    world *w = world_create(2, 1);
    for (uint16_t i = 0; i < 3; i++) {
        start(w, i);
    }
    member *extra = &w->members[2];
    for (int i = 0; i < 20; i++) {
        const char *a = name_at(w, (uint16_t)(i % 2), i);
        subscribe(extra, a);
        assert_int_equal(publish(extra, a, "canary"), 0);
        UNTIL(w, extra->publications == (unsigned)i + 1);
    }
    assert_int_equal(tw__bus_get_stats(extra->bus)->home_channels, 0);
    world_destroy(w);
}

static void check_header(member *m, tw__pub *pub) {
    (void)m;
    assert_int_equal(pub->header.flags, 0xfff0 | TW__PUB_TRACED);
    assert_int_equal(pub->header.lane, 2);
    assert_int_equal(pub->header.colour, 200);
    assert_int_equal(pub->header.except, UINT64_MAX);
    assert_int_equal(pub->header.origin.node, 99);
    assert_int_equal(pub->header.origin.slot, 3);
    assert_int_equal(pub->header.origin.incarnation, 4);
    assert_int_equal(pub->header.deadline_ms, UINT64_MAX);
    assert_memory_equal(pub->header.trace, "fedcba9876543210", 16);
    assert_string_equal(tw__pub_key(pub), "the key");
    assert_int_equal(pub->len, 300000);
    for (uint32_t i = 0; i < pub->len; i++) {
        assert_int_equal(tw__pub_data(pub)[i], (uint8_t)(i * 7));
    }
}

/* Also longer than what is read at once. */
static void everything_of_a_publication_travels(void **state) {
    (void)state;
    world *w = world_of(3);
    const char *a = name_at(w, 2, 0);
    for (int i = 0; i < 3; i++) {
        subscribe(&w->members[i], a);
        w->members[i].on_publication = check_header;
    }
    for (int i = 0; i < 3; i++) {
        tw__pub *pub = tw__pub_create(a, strlen(a), "the key", 7, NULL, 300000);
        assert_non_null(pub);
        for (uint32_t k = 0; k < pub->len; k++) {
            tw__pub_data(pub)[k] = (uint8_t)(k * 7);
        }
        pub->header = (tw__pub_header){.flags = 0xfff0 | TW__PUB_TRACED,
                                       .lane = 2,
                                       .colour = 200,
                                       .except = UINT64_MAX,
                                       .origin = {99, 4, 3},
                                       .deadline_ms = UINT64_MAX};
        memcpy(pub->header.trace, "fedcba9876543210", 16);
        tw__broker *broker = w->members[i].broker;
        assert_int_equal(broker->ops->publish(broker, pub), 0);
    }
    for (int i = 0; i < 3; i++) {
        UNTIL(w, w->members[i].publications == 3);
    }
    world_destroy(w);
}

static void a_large_burst_is_paced_by_the_socket(void **state) {
    (void)state;
    enum { COUNT = 100, SIZE = 120 * 1024 };
    world *w = world_of(2);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    char *data = calloc(1, SIZE);
    assert_non_null(data);
    subscribe(far, a);
    subscribe(home, a);
    for (int i = 0; i < COUNT; i++) {
        snprintf(data, SIZE, "%d", i);
        assert_int_equal(publish_bytes(far, a, data, SIZE), 0);
    }
    UNTIL(w, far->publications == COUNT && home->publications == COUNT);
    assert_int_equal(far->gaps, 0);
    assert_true(is_quiet(w));
    assert_int_equal(tw__bus_get_stats(far->bus)->queued_bytes, 0);
    free(data);
    world_destroy(w);
}

static void a_full_publish_budget_refuses_and_loses_nothing(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    w->config.publish_budget_bytes = 20000;
    start(w, 0);
    start(w, 1);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    unsigned accepted = 0, refused = 0;
    subscribe(home, a);
    journal_clear(home);
    for (int i = 0; i < 1000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", accepted);
        int err = publish(far, a, text);
        accepted += err == 0;
        refused += err == TW_EOVERLOADED;
        assert_true(err == 0 || err == TW_EOVERLOADED);
        if (i % 300 == 299) {
            tw__loop_run_once(&w->loop, 0);
        }
    }
    assert_true(accepted > 200 && refused > 100);
    UNTIL(w, home->publications == accepted);
    const char *line = journal_of(home);
    for (unsigned i = 0; i < accepted; i++) {
        assert_int_equal(atoi(strchr(line + 4, ' ')), i);
        line = strchr(line, '\n') + 1;
    }
    assert_int_equal(publish(far, a, "again"), 0);
    world_destroy(w);
}

/* The far member's loop stands still for the home: it is the same loop, but a
 * turn reads at most one batch, so that a burst of the home is over budget. */
static void a_full_delivery_budget_becomes_a_counted_gap(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    world *w = world_create(2, 0);
    w->config.delivery_budget_bytes = 30000;
    start(w, 0);
    start(w, 1);
    char a[64], b[64];
    snprintf(a, sizeof a, "%s", name_at(w, 1, 0));
    snprintf(b, sizeof b, "%s", name_at(w, 1, 1));
    member *far = &w->members[0], *home = &w->members[1];
    subscribe(far, a);
    subscribe(far, b);
    journal_clear(far);
    for (int i = 0; i < COUNT; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(publish(home, i % 100 == 99 ? b : a, text), 0);
    }
    UNTIL(w, far->publications + far->gap_total == COUNT);
    UNTIL(w, is_quiet(w));
    assert_int_equal(far->publications + far->gap_total, COUNT);
    assert_true(far->publications >= 300 && far->gaps >= 2);
    const tw__bus_stats *stats = tw__bus_get_stats(home->bus);
    assert_int_equal(stats->deliveries_dropped, far->gap_total);
    assert_int_equal(stats->gaps_sent, far->gaps);
    assert_int_equal(stats->forwarded, far->publications);
    assert_int_equal(tw__bus_get_stats(far->bus)->gap_publications,
                     far->gap_total);
    /* The gaps stand where the publications are missing. */
    unsigned next[2] = {0, 99};
    for (const char *line = journal_of(far); *line != '\0';
         line = strchr(line, '\n') + 1) {
        const char *value = strchr(strchr(line, ' ') + 1, ' ') + 1;
        unsigned number = (unsigned)atoi(value);
        bool is_b = strncmp(strchr(line, ' ') + 1, b, strlen(b)) == 0;
        if (line[0] == 'p') {
            assert_int_equal(number, next[is_b]);
        }
        for (unsigned i = 0; i < (line[0] == 'p' ? 1 : number); i++) {
            next[is_b] += is_b ? 100 : next[0] % 100 == 98 ? 2 : 1;
        }
    }
    assert_int_equal(next[0], COUNT);
    assert_int_equal(next[1], COUNT + 99);
    journal_clear(far);
    assert_int_equal(publish(home, a, "live"), 0);
    UNTIL(w, journal_of(far)[0] == 'p');
    world_destroy(w);
}

/* It cannot ever fit; the others are not made to suffer for it. */
static void a_delivery_over_the_whole_budget_is_a_gap_of_one(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    w->config.delivery_budget_bytes = 1000;
    start(w, 0);
    start(w, 1);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    static const char big[2000];
    subscribe(far, a);
    journal_clear(far);
    assert_int_equal(publish(home, a, "1"), 0);
    assert_int_equal(publish_bytes(home, a, big, sizeof big), 0);
    assert_int_equal(publish(home, a, "2"), 0);
    UNTIL(w, far->publications == 2);
    char expected[200];
    snprintf(expected, sizeof expected, "pub %s 1\ngap %s 1\npub %s 2\n", a, a,
             a);
    assert_string_equal(journal_of(far), expected);
    world_destroy(w);
}

/* More requests than the budget holds are told as room comes. */
static void many_interests_need_little_budget(void **state) {
    (void)state;
    enum { COUNT = 500 };
    world *w = world_create(2, 0);
    w->config.control_budget_bytes = 4000;
    start(w, 0);
    start(w, 1);
    member *far = &w->members[0], *home = &w->members[1];
    for (int i = 0; i < COUNT; i++) {
        interest(far, name_at(w, 1, i));
    }
    UNTIL(w, far->confirms == COUNT);
    assert_int_equal(tw__bus_get_stats(home->bus)->home_channels, COUNT);
    for (int i = 0; i < COUNT; i++) {
        set_count(far, name_at(w, 1, i), 2);
    }
    UNTIL(w, is_quiet(w));
    assert_int_equal(count_of(home, name_at(w, 1, COUNT - 1)), 2);
    assert_int_equal(tw__bus_get_stats(far->bus)->link_resets, 0);
    assert_int_equal(tw__bus_get_stats(home->bus)->link_resets, 0);
    world_destroy(w);
}

static void too_many_questions_are_refused(void **state) {
    (void)state;
    world *w = world_create(2, 0);
    w->config.control_budget_bytes = 2000;
    start(w, 0);
    start(w, 1);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0];
    unsigned asked_of_it = 0;
    int err;
    while ((err = try_count(far, a)) == 0) {
        asked_of_it++;
    }
    assert_int_equal(err, TW_EOVERLOADED);
    assert_true(asked_of_it >= 10);
    UNTIL(w, far->answers == asked_of_it);
    assert_int_equal(try_count(far, a), 0);
    UNTIL(w, far->answers == asked_of_it + 1);
    world_destroy(w);
}

/* Drops that cannot be told in time make the link begin anew, which tells them
 * all at once. */
static void control_overflow_resets_the_link_and_resyncs(void **state) {
    (void)state;
    enum { COUNT = 300 };
    world *w = world_create(2, 0);
    w->config.control_budget_bytes = 8000;
    start(w, 0);
    start(w, 1);
    char kept[64];
    snprintf(kept, sizeof kept, "%s", name_at(w, 1, COUNT));
    member *far = &w->members[0], *home = &w->members[1];
    subscribe(far, kept);
    for (int i = 0; i < COUNT; i++) {
        interest(far, name_at(w, 1, i));
    }
    UNTIL(w, far->confirms == COUNT + 1);
    for (int i = 0; i < COUNT; i++) {
        drop(far, name_at(w, 1, i));
    }
    assert_true(tw__bus_get_stats(far->bus)->link_resets >= 1);
    UNTIL(w, far->gaps > 0); /* of the channel that was kept */
    UNTIL(w, tw__bus_get_stats(home->bus)->home_channels == 1);
    journal_clear(far);
    assert_int_equal(publish(home, kept, "on"), 0);
    UNTIL(w, journal_of(far)[0] == 'p');
    world_destroy(w);
}

static void fifty_three_slots_and_an_admin_work(void **state) {
    (void)state;
    enum { SLOTS = 53 };
    world *w = world_create(SLOTS, 1);
    for (uint16_t i = 0; i <= SLOTS; i++) {
        start(w, i);
    }
    for (uint16_t i = 0; i <= SLOTS; i++) {
        interest(&w->members[i], "everybody");
        set_count(&w->members[i], "everybody", 1);
    }
    UNTIL(w, is_quiet(w));
    assert_int_equal(count_of(&w->members[SLOTS], "everybody"), SLOTS + 1);
    for (uint16_t i = 0; i <= SLOTS; i++) {
        for (uint16_t k = 0; k < SLOTS; k++) {
            assert_int_equal(publish(&w->members[i], name_at(w, k, 1), "x"), 0);
        }
        assert_int_equal(publish(&w->members[i], "everybody", "x"), 0);
        journal_clear(&w->members[i]);
    }
    for (uint16_t i = 0; i <= SLOTS; i++) {
        UNTIL(w, w->members[i].publications == SLOTS + 1);
        assert_string_equal(journal_of(&w->members[i]),
                            journal_of(&w->members[0]));
    }
    UNTIL(w, is_quiet(w));
    uint64_t sequenced = 0;
    for (uint16_t i = 0; i < SLOTS; i++) {
        sequenced += tw__bus_get_stats(w->members[i].bus)->sequenced;
    }
    assert_int_equal(sequenced, (SLOTS + 1) * (SLOTS + 1));
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_publication_reaches_those_who_want_it),
        cmocka_unit_test(local_traffic_opens_no_stream),
        cmocka_unit_test(a_burst_keeps_its_order_everywhere),
        cmocka_unit_test(the_confirmation_comes_before_the_first_delivery),
        cmocka_unit_test(what_a_confirmation_publishes_comes_back),
        cmocka_unit_test(a_dropped_interest_costs_the_home_nothing),
        cmocka_unit_test(an_interest_taken_again_gets_only_what_is_new),
        cmocka_unit_test(dropping_while_asking_answers_closed),
        cmocka_unit_test(counts_are_summed_over_the_members),
        cmocka_unit_test(an_answer_holds_what_was_told_before_the_question),
        cmocka_unit_test(an_extra_member_takes_part_and_is_home_of_nothing),
        cmocka_unit_test(everything_of_a_publication_travels),
        cmocka_unit_test(a_large_burst_is_paced_by_the_socket),
        cmocka_unit_test(a_full_publish_budget_refuses_and_loses_nothing),
        cmocka_unit_test(a_full_delivery_budget_becomes_a_counted_gap),
        cmocka_unit_test(a_delivery_over_the_whole_budget_is_a_gap_of_one),
        cmocka_unit_test(many_interests_need_little_budget),
        cmocka_unit_test(too_many_questions_are_refused),
        cmocka_unit_test(control_overflow_resets_the_link_and_resyncs),
        cmocka_unit_test(fifty_three_slots_and_an_admin_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
