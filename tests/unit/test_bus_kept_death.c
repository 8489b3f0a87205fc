/* What homes keep, when one dies, a stream breaks or the engine ends: another
 * epoch or the same, and everybody who waits is answered.
 * SPDX-License-Identifier: MIT */
#include "test_bus_state.h"

static void a_new_home_counts_anew_in_another_epoch(void **state) {
    (void)state;
    world *w = state_of(2, 5, 0);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0];
    publish_letters(far, a, 3);
    subscribe(far, a);
    tw__position old = far->position;
    journal_clear(far);
    stop(&w->members[1]);
    start(w, 1);
    UNTIL(w, far->position.offset == 0);
    char want[80];
    snprintf(want, sizeof want, "at %s 0\n", a);
    assert_string_equal(journal_of(far), want); /* and no gap: it says more */
    assert_string_not_equal(far->position.epoch, old.epoch);
    kept_text kept =
        ask_kept(far, a, (tw__kept_query){.what = LOG | SINCE, .since = old});
    assert_string_equal(kept.text, "");
    assert_string_equal(kept.position.epoch, far->position.epoch);
    assert_int_equal(publish_wait(far, make_pub(a, NULL, NULL, "x")), 1);
    world_destroy(w);
}

static void a_stream_that_breaks_leaves_the_epoch(void **state) {
    (void)state;
    world *w = state_of(2, 9, 0);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    publish_letters(far, a, 2);
    subscribe(far, a);
    tw__position old = far->position;
    /* To the home: the interest is told anew. */
    break_stream(far, home);
    publish_letters(home, a, 2);
    journal_clear(far);
    UNTIL(w, strncmp(journal_of(far), "at ", 3) == 0);
    assert_string_equal(far->position.epoch, old.epoch);
    assert_int_equal(far->position.offset, 4);
    UNTIL(w, is_quiet(w) || far->gaps > 0);
    /* From the home: what came may not be all. */
    far->gaps = 0;
    break_stream(home, far);
    UNTIL(w, far->gaps == 1);
    assert_int_equal(far->gap_total, 0);
    kept_text kept =
        ask_kept(far, a, (tw__kept_query){.what = LOG | SINCE, .since = old});
    assert_string_equal(kept.text, "3:a 4:b");
    assert_string_equal(kept.position.epoch, old.epoch);
    world_destroy(w);
}

/* The confirmation answers a question that has been asked anew since. */
static void a_late_confirmation_tells_where_the_channel_stands(void **state) {
    (void)state;
    world *w = state_of(2, 9, 0);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    publish_letters(far, a, 3);
    subscribe(far, a);
    stop(home);
    start(w, 1);
    journal_clear(far);
    UNTIL(w, tw__bus_get_stats(home->bus)->home_channels == 1);
    break_stream(far, home);
    assert_int_equal(publish(home, a, "x"), 0);
    UNTIL(w, far->publications == 1);
    char want[80];
    snprintf(want, sizeof want, "at %s 0\npub %s x\n", a, a);
    assert_int_equal(strncmp(journal_of(far), want, strlen(want)), 0);
    world_destroy(w);
}

static void
a_confirmation_that_was_lost_is_told_before_what_follows(void **state) {
    (void)state;
    world *w = state_of(2, 9, 0);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    publish_letters(far, a, 3);
    subscribe(far, a);
    stop(home);
    start(w, 1);
    journal_clear(far);
    UNTIL(w, tw__bus_get_stats(home->bus)->home_channels == 1);
    assert_int_equal(publish(home, a, "x"), 0);
    UNTIL(w, tw__bus_get_stats(home->bus)->sequenced == 1);
    break_stream(home, far);
    assert_int_equal(publish(home, a, "y"), 0);
    UNTIL(w, strstr(journal_of(far), " y\n") != NULL);
    assert_int_equal(strncmp(journal_of(far), "at ", 3), 0);
    world_destroy(w);
}

static void who_waits_is_told_when_the_home_dies(void **state) {
    (void)state;
    world *w = state_of(2, 5, 0);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0];
    publish_wait(far, make_pub(a, NULL, NULL, "x"));
    journal_clear(far);
    /* This one has left, the next has not. */
    assert_int_equal(try_wait(far, make_pub(a, NULL, NULL, "y")), 0);
    tw__peer_flush(&far->bus->peers[1]);
    stop(&w->members[1]);
    assert_int_equal(try_wait(far, make_pub(a, NULL, NULL, "z")), 0);
    UNTIL(w, strcmp(journal_of(far), "unavailable\n") == 0);
    start(w, 1);
    UNTIL(w, strcmp(journal_of(far), "unavailable\npos 1\n") == 0);
    world_destroy(w);
}

static void who_waits_or_asks_is_told_when_the_home_stays_away(void **state) {
    (void)state;
    world *w = state_create(2, 0, 5, 0);
    member *far = start(w, 0);
    const char *a = name_at(w, 1, 0);
    kept_text kept;
    const tw__kept_query query = {.what = LOG};
    assert_int_equal(try_wait(far, make_pub(a, NULL, NULL, "x")), 0);
    assert_int_equal(try_kept(far, a, &query, &kept), 0);
    world_pass(w, 1500);
    assert_false(kept.is_there);
    assert_string_equal(journal_of(far), "");
    UNTIL(w, kept.is_there && far->answers == 1);
    assert_int_equal(kept.status, TW_EUNAVAILABLE);
    assert_string_equal(journal_of(far), "unavailable\n");
    assert_int_equal(tw__bus_get_stats(far->bus)->publications_lost, 1);
    assert_int_equal(try_kept(far, a, &query, &kept), TW_EUNAVAILABLE);
    assert_int_equal(try_wait(far, make_pub(a, NULL, NULL, "x")),
                     TW_EUNAVAILABLE);
    start(w, 1);
    UNTIL(w, try_kept(far, a, &query, &kept) == 0);
    UNTIL(w, kept.is_there);
    assert_int_equal(kept.status, 0);
    assert_int_equal(far->answers, 1);
    world_destroy(w);
}

/* The home breaks the stream when the answers are in it, not written. */
static void break_to_the_other(member *m, tw__pub *pub) {
    (void)pub;
    m->on_publication = NULL;
    break_stream(m, &m->world->members[m->slot == 0]);
}

/* Also when it would have been the first that the home says. */
static void who_waits_is_told_when_the_answer_is_lost(void **state) {
    (void)state;
    for (uint64_t before = 0; before < 2; before++) {
        world *w = state_of(2, 5, 0);
        const char *a = name_at(w, 1, 0);
        member *far = &w->members[0], *home = &w->members[1];
        subscribe(home, a);
        if (before > 0) {
            publish_wait(far, make_pub(a, NULL, NULL, "x"));
        }
        home->on_publication = break_to_the_other;
        unsigned answers = far->answers;
        assert_int_equal(try_wait(far, make_pub(a, NULL, NULL, "y")), 0);
        UNTIL(w, far->answers == answers + 1);
        assert_non_null(strstr(journal_of(far), "unavailable\n"));
        assert_int_equal(publish_wait(far, make_pub(a, NULL, NULL, "z")),
                         before + 2);
        world_destroy(w);
    }
}

/* An extra member, whom the home calls on only when it has something for it;
 * the answer is longer than a socket holds. */
static void who_asks_is_answered_though_the_answer_is_lost(void **state) {
    (void)state;
    enum { SIZE = 1 << 19 };
    char *data = calloc(1, SIZE);
    assert_non_null(data);
    world *w = state_create(1, 1, 5, 0);
    member *home = start(w, 0), *far = start(w, 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(publish_bytes(home, "a", data, SIZE), 0);
    }
    assert_int_equal(count_of(far, "a"), 0);
    kept_text kept;
    const tw__kept_query query = {.what = LOG};
    assert_int_equal(try_kept(far, "a", &query, &kept), 0);
    UNTIL(w, home->bus->peers[1].is_blocked);
    break_stream(home, far);
    UNTIL(w, kept.is_there);
    assert_int_equal(kept.status, 0);
    assert_int_equal(kept.log_count, 4);
    world_destroy(w);
    free(data);
}

static void whoever_waits_is_told_when_the_engine_ends(void **state) {
    (void)state;
    world *w = state_of(2, 5, 0);
    kept_text kept[2];
    const tw__kept_query query = {.what = LOG};
    member *m = &w->members[0];
    for (uint16_t home = 0; home < 2; home++) {
        const char *a = name_at(w, home, 0);
        assert_int_equal(try_kept(m, a, &query, &kept[home]), 0);
        assert_int_equal(try_wait(m, make_pub(a, NULL, NULL, "x")), 0);
    }
    tw__bus_destroy(m->bus);
    assert_int_equal(kept[0].status, TW_ECLOSED);
    assert_int_equal(kept[1].status, TW_ECLOSED);
    assert_string_equal(journal_of(m), "closed\nclosed\n");
    assert_int_equal(try_kept(m, "a", &query, &kept[0]), TW_ECLOSED);
    assert_int_equal(try_wait(m, make_pub("a", NULL, NULL, "x")), TW_ECLOSED);
    m->bus = NULL;
    world_destroy(w);
}

/* The first of these callbacks ends the engine, and all others are answered
 * within that. */
enum { ENDINGS = 4 };
static unsigned endings;

static void end_on_wait(int status, const tw__position *position, void *arg) {
    member *m = arg;
    tw__bus *bus = m->bus;
    (void)position;
    endings++;
    if (bus != NULL) {
        m->bus = NULL;
        tw__bus_destroy(bus);
        assert_int_equal(endings, ENDINGS);
    } else {
        assert_int_equal(status, TW_ECLOSED);
    }
}

static void end_on_kept(int status, const tw__kept *kept, void *arg) {
    end_on_wait(status, NULL, arg);
    if (kept != NULL && kept->log_count > 0) {
        assert_int_equal(tw__pub_data(kept->log[0])[0], 'x');
    }
}

static int ask_or_wait(member *m, const char *name, bool is_kept) {
    const tw__kept_query query = {.what = LOG};
    tw__broker *broker = m->broker;
    return is_kept ? broker->ops->kept(broker, name, strlen(name), &query,
                                       end_on_kept, m)
                   : broker->ops->publish_wait(broker,
                                               make_pub(name, NULL, NULL, "y"),
                                               end_on_wait, m);
}

static void any_answer_may_end_the_engine(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        world *w = state_of(2, 5, 0);
        const char *a = name_at(w, (uint16_t)(i % 2), 0);
        member *m = &w->members[0];
        publish_wait(m, make_pub(a, NULL, NULL, "x"));
        endings = 0;
        for (int j = 0; j < ENDINGS; j++) {
            assert_int_equal(ask_or_wait(m, a, i / 2 == 0), 0);
        }
        UNTIL(w, m->bus == NULL);
        assert_int_equal(endings, ENDINGS);
        world_destroy(w);
    }
}

static void a_failed_wait_may_end_the_engine(void **state) {
    (void)state;
    world *w = state_of(2, 5, 0);
    const char *a = name_at(w, 1, 0);
    member *m = &w->members[0];
    publish_wait(m, make_pub(a, NULL, NULL, "x"));
    endings = 0;
    for (int i = 0; i < ENDINGS; i++) {
        assert_int_equal(ask_or_wait(m, a, false), 0);
    }
    tw__peer_flush(&m->bus->peers[1]);
    stop(&w->members[1]);
    UNTIL(w, m->bus == NULL);
    assert_int_equal(endings, ENDINGS);
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_home_counts_anew_in_another_epoch),
        cmocka_unit_test(a_stream_that_breaks_leaves_the_epoch),
        cmocka_unit_test(
            a_confirmation_that_was_lost_is_told_before_what_follows),
        cmocka_unit_test(a_late_confirmation_tells_where_the_channel_stands),
        cmocka_unit_test(who_waits_is_told_when_the_home_dies),
        cmocka_unit_test(who_waits_or_asks_is_told_when_the_home_stays_away),
        cmocka_unit_test(who_waits_is_told_when_the_answer_is_lost),
        cmocka_unit_test(who_asks_is_answered_though_the_answer_is_lost),
        cmocka_unit_test(whoever_waits_is_told_when_the_engine_ends),
        cmocka_unit_test(any_answer_may_end_the_engine),
        cmocka_unit_test(a_failed_wait_may_end_the_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
