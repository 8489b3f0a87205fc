/* The engine without memory: the nth allocation fails, for every n.
 * SPDX-License-Identifier: MIT */
#include "bus/home.h"
#include "test_bus_world.h"

static void a_home_without_memory_keeps_what_it_had(void **state) {
    (void)state;
    size_t live = tw__alloc_live();
    for (size_t nth = 1; nth < 6; nth++) {
        tw__home home;
        tw__list wants, own;
        tw__home_interest *interest_;
        tw__home_init(&home, 0, NULL, 1 << 20);
        tw__list_init(&wants);
        tw__list_init(&own);
        tw__alloc_fail_nth(nth);
        while (tw__home_add_interest(&home, "a", 1, 3, &wants, &interest_) !=
               0) {
            assert_int_equal(tw__home_channels(&home), 0);
            assert_true(tw__list_is_empty(&wants));
        }
        tw__alloc_fail_nth(1);
        assert_int_equal(
            tw__home_add_interest(&home, "a", 1, 0, &own, &interest_),
            TW_ENOMEM);
        assert_int_equal(
            tw__home_add_interest(&home, "a", 1, 0, &own, &interest_), 0);
        interest_->count = 4;
        assert_int_equal(tw__home_count(tw__home_find(&home, "a", 1)), 4);
        tw__home_interest *again;
        assert_int_equal(tw__home_add_interest(&home, "a", 1, 0, &own, &again),
                         0);
        assert_ptr_equal(again, interest_);
        assert_non_null(tw__home_find_interest(&home, "a", 1, 3));
        assert_null(tw__home_find_interest(&home, "a", 1, 2));
        tw__home_remove_interest(&home, interest_);
        assert_int_equal(tw__home_channels(&home), 1);
        tw__home_deinit(&home);
        assert_true(tw__list_is_empty(&wants));
        assert_int_equal(tw__alloc_live(), live);
    }
}

/* Everything between two members that allocates, with one allocation failing
 * somewhere in it. Calls that say so are repeated; whatever fails inside is
 * made good, or told as a gap. */
static void one_round(world *w, size_t nth) {
    member *far = &w->members[0], *home = &w->members[1];
    const char *a = name_at(w, 1, 0);
    tw__alloc_fail_nth(nth);
    int err;
    for (uint16_t slot = 0; slot < 2; slot++) {
        while ((err = try_start(w, slot)) != 0) {
            assert_int_equal(err, TW_ENOMEM);
        }
    }
    while ((err = try_interest(far, a)) != 0) {
        assert_int_equal(err, TW_ENOMEM);
    }
    set_count(far, a, 6);
    UNTIL(w, far->confirms == 1);
    unsigned sent = 0;
    for (unsigned i = 0; i < 4; i++) {
        while (publish(i % 2 == 0 ? far : home, a, "text") != 0) {
        }
        sent++;
    }
    /* A gap of unknown size may stand for all that is missing. */
    UNTIL(w, far->publications + far->gap_total == sent ||
                 (far->gaps > 0 && far->gap_total == 0));
    while (try_count(far, a) != 0) {
    }
    UNTIL(w, far->answers == 2);
    assert_int_equal(far->last_count, 6);
    tw__alloc_fail_nth(0);
    journal_clear(far);
    assert_int_equal(publish(far, a, "last"), 0);
    UNTIL(w, strstr(journal_of(far), "last") != NULL);
    drop(far, a);
    UNTIL(w, tw__bus_get_stats(home->bus)->home_channels == 0);
}

static void every_allocation_of_the_link_may_fail(void **state) {
    (void)state;
    for (size_t nth = 1; nth < 60; nth++) {
        world *w = world_create(2, 0);
        one_round(w, nth);
        world_destroy(w);
    }
}

/* The home dies with publications half written, and there is no memory to take
 * them back: they are counted as lost, and the rest goes on. */
static void recovery_without_memory_counts_what_is_lost(void **state) {
    (void)state;
    enum { COUNT = 40, SIZE = 20000 };
    static const char data[SIZE];
    for (size_t nth = 1; nth < 20; nth++) {
        world *w = world_create(2, 0);
        w->config.away_ms = NEVER_MS;
        member *far = start(w, 0), *home = start(w, 1);
        const char *a = name_at(w, 1, 0);
        assert_int_equal(publish(far, a, "x"), 0);
        UNTIL(w, tw__bus_get_stats(home->bus)->sequenced == 1);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(publish_bytes(far, a, data, SIZE), 0);
        }
        tw__loop_run_once(&w->loop, 0);
        stop(home);
        tw__alloc_fail_nth(nth);
        for (int i = 0; i < 3; i++) {
            tw__loop_run_once(&w->loop, 0);
        }
        tw__alloc_fail_nth(0);
        start(w, 1);
        UNTIL(w, tw__bus_is_idle(far->bus));
        const tw__bus_stats *stats = tw__bus_get_stats(far->bus);
        assert_true(stats->publications_lost <= 1);
        assert_int_equal(stats->queued_bytes, 0);
        world_destroy(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_home_without_memory_keeps_what_it_had),
        cmocka_unit_test(every_allocation_of_the_link_may_fail),
        cmocka_unit_test(recovery_without_memory_counts_what_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
