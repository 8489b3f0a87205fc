/* What homes keep, without memory: the nth allocation fails, for every n.
 * SPDX-License-Identifier: MIT */
#include "nth_step.h"
#include "test_bus_session.h"

enum { MOST = 300 };

/* How many allocations a session has. */
static size_t run_with(size_t nth) {
    world *w = session_create();
    tw__alloc_fail_nth(nth);
    for (uint16_t slot = 0; slot < 2; slot++) {
        REPEAT(try_start(w, slot));
    }
    session_run(w);
    size_t left = tw__alloc_fail_nth(0);
    session_works(w);
    world_destroy(w);
    return left;
}

static void a_session_survives_every_allocation_that_fails(void **state) {
    (void)state;
    enum { MANY = 1000000 };
    size_t count = MANY - run_with(MANY), first;
    size_t step = nth_step(count, MOST, &first);
    print_message("%zu allocations\n", count);
    assert_in_range(count, 200, 20000);
    for (size_t nth = first; nth <= count; nth += step) {
        run_with(nth);
    }
}

/* Questions and waits are refused, and nothing stays behind. */
static void a_question_without_memory_is_refused(void **state) {
    (void)state;
    world *w = session_create();
    start(w, 0);
    start(w, 1);
    member *m = &w->members[0];
    const tw__kept_query query = {.what = TW__KEPT_LOG};
    for (int home = 0; home < 2; home++) {
        const char *name = session_channels[home];
        kept_text kept;
        for (size_t nth = 1; nth <= 2; nth++) {
            tw__alloc_fail_nth(nth);
            assert_int_equal(try_kept(m, name, &query, &kept), TW_ENOMEM);
            tw__alloc_fail_nth(nth);
            assert_int_equal(try_persons(m, name, 1), TW_ENOMEM);
            tw__alloc_fail_nth(nth);
            assert_int_equal(try_conns(m, name), TW_ENOMEM);
        }
        tw__pub *pub = make_pub(name, NULL, NULL, "x");
        tw__alloc_fail_nth(1);
        assert_int_equal(try_wait(m, pub), TW_ENOMEM);
        tw__alloc_fail_nth(1);
        assert_int_equal(try_user_send(m, name, "x"), TW_ENOMEM);
        tw__alloc_fail_nth(0);
    }
    UNTIL(w, tw__bus_is_idle(m->bus));
    assert_int_equal(m->answers, 0);
    world_destroy(w);
}

/* What cannot be kept of a channel nobody wants leaves no channel. */
static void what_cannot_be_kept_leaves_no_channel(void **state) {
    (void)state;
    for (uint16_t from = 0; from < 2; from++) {
        for (size_t nth = 1; nth < 12; nth++) {
            world *w = session_create();
            start(w, 0);
            member *home = start(w, 1);
            const char *name = session_channels[1];
            UNTIL(w, count_of(&w->members[0], name) == 0);
            UNTIL(w, is_quiet(w));
            assert_int_equal(publish(&w->members[from], name, "x"), 0);
            if (from == 0) {
                tw__peer_flush(&w->members[0].bus->peers[1]);
            }
            tw__alloc_fail_nth(nth);
            tw__loop_run_once(&w->loop, 0);
            tw__loop_run_once(&w->loop, 0);
            tw__alloc_fail_nth(0);
            UNTIL(w, is_quiet(w));
            const tw__bus_stats *stats = tw__bus_get_stats(home->bus);
            assert_int_equal(stats->home_channels, stats->histories);
            world_destroy(w);
        }
    }
}

/* The home dies with what is waited for half written, and there is no memory to
 * take it back. */
static void
whoever_waits_is_answered_though_it_cannot_be_sent_again(void **state) {
    (void)state;
    enum { COUNT = 40, SIZE = 20000 };
    char *text = calloc(1, SIZE);
    assert_non_null(text);
    memset(text, 't', SIZE - 1);
    for (size_t nth = 1; nth < 20; nth++) {
        world *w = session_create();
        member *far = start(w, 0), *home = start(w, 1);
        const char *name = session_channels[1];
        assert_int_equal(count_of(far, name), 0);
        far->answers = 0;
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(try_wait(far, make_pub(name, NULL, NULL, text)),
                             0);
        }
        tw__peer_flush(&far->bus->peers[1]);
        tw__alloc_fail_nth(nth);
        stop(home);
        for (int i = 0; i < 3; i++) {
            tw__loop_run_once(&w->loop, 0);
        }
        tw__alloc_fail_nth(0);
        start(w, 1);
        UNTIL(w, far->answers == COUNT);
        world_destroy(w);
    }
    free(text);
}

static void check_behind(member *m, tw__pub *pub) {
    assert_true(pub->header.offset > m->position.offset);
}

static void what_follows_a_confirmation_lies_behind_it(void **state) {
    (void)state;
    for (size_t nth = 1; nth < 30; nth++) {
        world *w = session_create();
        member *far = start(w, 0), *home = start(w, 1);
        const char *name = session_channels[1];
        far->on_publication = check_behind;
        interest(far, name);
        assert_int_equal(publish(far, name, "x"), 0);
        assert_int_equal(publish(far, name, "y"), 0);
        tw__alloc_fail_nth(nth);
        UNTIL(w, far->confirms == 1);
        tw__alloc_fail_nth(0);
        UNTIL(w, far->confirms == 1 && tw__bus_is_idle(far->bus) &&
                     tw__bus_is_idle(home->bus));
        world_destroy(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_survives_every_allocation_that_fails),
        cmocka_unit_test(a_question_without_memory_is_refused),
        cmocka_unit_test(what_cannot_be_kept_leaves_no_channel),
        cmocka_unit_test(
            whoever_waits_is_answered_though_it_cannot_be_sent_again),
        cmocka_unit_test(what_follows_a_confirmation_lies_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
