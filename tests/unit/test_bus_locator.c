/* Who is where: persons in channels and their news, users and their
 * connections, and what is done to connections of other members.
 * SPDX-License-Identifier: MIT */
#include "test_bus_people.h"

/* What one is told besides questions. */
static const char *news(const member *m) {
    return last_line(m, "news");
}

#define HAS_NEWS(m, ...)                                                       \
    do {                                                                       \
        char want_[200];                                                       \
        snprintf(want_, sizeof want_, __VA_ARGS__);                            \
        UNTIL((m)->world, strcmp(news(m), want_) == 0);                        \
    } while (0)

/* ---- persons ---- */

static void persons_are_known_to_all_members(void **state) {
    (void)state;
    world *w = people_of(3);
    const char *a = name_at(w, 1, 0);
    enter(&w->members[0], a, 1, "ann");
    enter(&w->members[1], a, 2, "ann");
    enter(&w->members[2], a, 3, "bob");
    enter(&w->members[2], a, 4, "");
    UNTIL(w, is_quiet(w));
    subscribe(&w->members[2], a);
    set_count(&w->members[2], a, 9);
    UNTIL(w, is_quiet(w));
    for (int i = 0; i < 3; i++) {
        const char *line = ask_persons(&w->members[i], a, 10);
        assert_non_null(strstr(line, "persons 3 9:"));
        assert_non_null(strstr(line, " ann"));
        assert_non_null(strstr(line, " bob"));
        assert_non_null(strstr(line, " /4"));
        assert_string_equal(ask_persons(&w->members[i], a, 0), "persons 3 9:");
    }
    assert_int_equal(tw__bus_get_stats(w->members[1].bus)->persons, 3);
    leave(&w->members[2], a, 4);
    leave(&w->members[0], a, 1);
    UNTIL(w, is_quiet(w));
    const char *line = ask_persons(&w->members[0], a, 10);
    assert_non_null(strstr(line, "persons 2 9:"));
    assert_string_equal(ask_persons(&w->members[0], "other", 10),
                        "persons 0 0:");
    world_destroy(w);
}

static void who_asks_after_entering_is_in_the_answer(void **state) {
    (void)state;
    world *w = people_of(2);
    for (uint16_t home = 0; home < 2; home++) {
        const char *a = name_at(w, home, 0);
        UNTIL(w, is_quiet(w));
        enter(&w->members[0], a, 1, "ann");
        assert_string_equal(ask_persons(&w->members[0], a, 3),
                            "persons 1 0: ann");
    }
    world_destroy(w);
}

static void info_goes_along_with_a_person(void **state) {
    (void)state;
    world *w = people_of(2);
    const char *a = name_at(w, 1, 0);
    char info[TW__INFO_MAX + 2];
    memset(info, 'i', sizeof info);
    info[TW__INFO_MAX] = '\0';
    assert_int_equal(try_enter(&w->members[0], a, 1, "ann", info, false), 0);
    UNTIL(w, is_quiet(w));
    assert_string_equal(ask_persons(&w->members[0], a, 3), "persons 1 0: ann");
    info[TW__INFO_MAX] = 'i';
    info[TW__INFO_MAX + 1] = '\0';
    assert_int_equal(try_enter(&w->members[0], a, 2, "bob", info, false),
                     TW_EINVALID);
    world_destroy(w);
}

static void names_must_have_a_length(void **state) {
    (void)state;
    world *w = people_of(2);
    member *m = &w->members[0];
    tw__locator *locator = locator_of(m);
    char name[257];
    conn_id id = id_of(0, 1);
    tw__act act = {.what = TW__ACT_CLOSE, .text = name, .text_len = 256};
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    assert_int_equal(try_enter(m, "", 1, "ann", "", false), TW_EINVALID);
    assert_int_equal(try_enter(m, name, 1, "ann", "", false), TW_EINVALID);
    assert_int_equal(try_enter(m, "a", 1, name, "", false), TW_EINVALID);
    assert_int_equal(try_user_enter(m, "", 1, 0, false), TW_EINVALID);
    assert_int_equal(try_user_enter(m, name, 1, 0, false), TW_EINVALID);
    assert_int_equal(try_user_send(m, "", "x"), TW_EINVALID);
    assert_int_equal(try_conns(m, ""), TW_EINVALID);
    assert_int_equal(try_conns(m, name), TW_EINVALID);
    assert_int_equal(try_persons(m, name, 1), TW_EINVALID);
    assert_int_equal(locator->ops->act(locator, id.bytes, &act), TW_EINVALID);
    act.text_len = 255;
    assert_int_equal(locator->ops->act(locator, id.bytes, &act), 0);
    act = (tw__act){.what = TW__ACT_SEND, .data = name, .len = TW__RECORD_MAX};
    assert_int_equal(locator->ops->act(locator, id.bytes, &act),
                     TW_EOVERLOADED);
    world_destroy(w);
}

/* ---- news ---- */

static void who_comes_and_goes_is_told_once_a_turn(void **state) {
    (void)state;
    world *w = people_of(3);
    const char *a = name_at(w, 1, 0);
    for (int i = 0; i < 2; i++) {
        subscribe(&w->members[i], a);
    }
    enter(&w->members[2], a, 1, "ann");
    enter(&w->members[2], a, 2, "ann");
    enter(&w->members[2], a, 3, "bob");
    enter(&w->members[2], a, 4, "");
    for (int i = 0; i < 2; i++) {
        HAS_NEWS(&w->members[i], "news %s 3 +ann +bob +/4", a);
        journal_clear(&w->members[i]);
    }
    leave(&w->members[2], a, 4);
    leave(&w->members[2], a, 1);
    for (int i = 0; i < 2; i++) {
        HAS_NEWS(&w->members[i], "news %s 2 -/4", a);
        journal_clear(&w->members[i]);
    }
    leave(&w->members[2], a, 2);
    UNTIL(w, is_quiet(w));
    assert_string_equal(journal_of(&w->members[0]), "");
    assert_string_equal(journal_of(&w->members[1]), "");
    for (int i = 0; i < 2; i++) {
        HAS_NEWS(&w->members[i], "news %s 1 -ann", a); /* time goes on */
    }
    assert_string_equal(journal_of(&w->members[2]), ""); /* does not want it */
    world_destroy(w);
}

static void coming_back_within_the_grace_time_is_no_news(void **state) {
    (void)state;
    world *w = people_of(2);
    const char *a = name_at(w, 1, 0);
    member *m = &w->members[0];
    subscribe(m, a);
    enter(m, a, 1, "ann");
    HAS_NEWS(m, "news %s 1 +ann", a);
    journal_clear(m);
    leave(m, a, 1);
    UNTIL(w, is_quiet(w));
    world_pass(w, 2500);
    enter(&w->members[1], a, 9, "ann");
    UNTIL(w, is_quiet(w));
    world_pass(w, 5000);
    assert_string_equal(journal_of(m), "");
    assert_string_equal(ask_persons(m, a, 9), "persons 1 0: ann");
    leave(&w->members[1], a, 9);
    HAS_NEWS(m, "news %s 0 -ann", a);
    UNTIL(w, tw__bus_get_stats(w->members[1].bus)->persons == 0);
    world_destroy(w);
}

static void crowds_are_not_told_and_all_is_new_afterwards(void **state) {
    (void)state;
    world *w = people_create(2, 0);
    w->config.presence_told_max = 3;
    start(w, 0);
    start(w, 1);
    const char *a = name_at(w, 1, 0);
    member *m = &w->members[0];
    subscribe(m, a);
    for (int i = 1; i <= 3; i++) {
        enter(m, a, i, "");
    }
    HAS_NEWS(m, "news %s 3 +/1 +/2 +/3", a);
    journal_clear(m);
    enter(m, a, 4, "");
    enter(m, a, 5, "");
    UNTIL(w, is_quiet(w));
    leave(m, a, 1);
    UNTIL(w, is_quiet(w));
    assert_string_equal(journal_of(m), "");
    leave(m, a, 5);
    HAS_NEWS(m, "news %s 3 -/5 reset", a);
    leave(m, a, 4);
    HAS_NEWS(m, "news %s 2 -/4", a);
    world_destroy(w);
}

static void nobody_tells_where_the_class_does_not(void **state) {
    (void)state;
    world *w = people_create(2, 0);
    state_class.tells = false;
    start(w, 0);
    start(w, 1);
    const char *a = name_at(w, 1, 0);
    member *m = &w->members[0];
    subscribe(m, a);
    enter(m, a, 1, "");
    enter(m, a, 2, "ann");
    UNTIL(w, is_quiet(w));
    assert_string_equal(news(m), "");
    assert_int_equal(tw__bus_get_stats(w->members[1].bus)->persons, 2);
    /* From now on it does; who is here is to be asked for. */
    state_class.tells = true;
    w->members[1].broker->ops->reclass(w->members[1].broker);
    HAS_NEWS(m, "news %s 2 reset", a);
    enter(m, a, 3, "");
    HAS_NEWS(m, "news %s 3 +/3", a);
    state_class.tells = false;
    w->members[1].broker->ops->reclass(w->members[1].broker);
    journal_clear(m);
    leave(m, a, 3);
    leave(m, a, 2);
    leave(m, a, 1);
    UNTIL(w, tw__bus_get_stats(w->members[1].bus)->persons == 0);
    assert_string_equal(journal_of(m), "");
    drop(m, a);
    UNTIL(w, tw__bus_get_stats(w->members[1].bus)->home_channels == 0);
    world_destroy(w);
}

/* The budget is full of deliveries: that news did not fit is told. */
static void news_that_do_not_fit_are_told_to_be_missing(void **state) {
    (void)state;
    static const char data[3000];
    world *w = people_create(2, 0);
    w->config.delivery_budget_bytes = 4000;
    start(w, 0);
    start(w, 1);
    const char *a = name_at(w, 1, 0);
    member *m = &w->members[0], *home = &w->members[1];
    subscribe(m, a);
    assert_int_equal(publish_bytes(home, a, data, sizeof data), 0);
    assert_int_equal(publish_bytes(home, a, data, sizeof data), 0);
    enter(home, a, 1, "ann");
    tw__loop_run_once(&w->loop, 0);
    HAS_NEWS(m, "news %s 1 reset", a);
    assert_int_equal(m->gap_total, 1); /* the second, not the news */
    enter(home, a, 2, "bob");
    HAS_NEWS(m, "news %s 2 +bob", a);
    world_destroy(w);
}

/* ---- deaths and breaks ---- */

static void a_member_that_dies_takes_its_persons_along(void **state) {
    (void)state;
    world *w = people_of(3);
    const char *a = name_at(w, 1, 0);
    member *m = &w->members[0];
    subscribe(m, a);
    enter(m, a, 1, "ann");
    enter(&w->members[2], a, 1, "ann");
    enter(&w->members[2], a, 2, "bob");
    enter(&w->members[2], a, 3, "cid");
    enter(&w->members[2], a, 4, "");
    HAS_NEWS(m, "news %s 4 +bob +cid +/4", a);
    journal_clear(m);
    stop(&w->members[2]);
    start(w, 2);
    enter(&w->members[2], a, 5, "cid"); /* comes back */
    world_pass(w, 1000);
    assert_string_equal(journal_of(m), "");
    HAS_NEWS(m, "news %s 2 -bob -/4", a);
    assert_non_null(strstr(ask_persons(m, a, 9), "persons 2 0:"));
    world_destroy(w);
}

/* As a server does it: what it has is entered again. */
static void renew_all(member *m, const char *channel) {
    renew(m, channel, 1, "ann");
    renew(m, channel, 2, "");
}

static void a_new_home_is_told_who_is_there(void **state) {
    (void)state;
    world *w = people_of(3);
    const char *a = name_at(w, 1, 0);
    member *m = &w->members[0];
    subscribe(m, a);
    enter(&w->members[1], a, 3, "bob"); /* dies with the home */
    HAS_NEWS(m, "news %s 1 +bob", a);
    enter(m, a, 1, "ann");
    enter(m, a, 2, "");
    user_enter(m, a, 7);
    HAS_NEWS(m, "news %s 3 +ann +/2", a);
    journal_clear(m);
    stop(&w->members[1]);
    start(w, 1);
    UNTIL(w, strcmp(last_line(m, "fresh"), "fresh 1") == 0);
    renew_all(m, a);
    UNTIL(w, tw__bus_get_stats(w->members[1].bus)->persons == 2);
    assert_string_equal(news(m), "");
    assert_non_null(strstr(ask_persons(m, a, 9), "persons 2 0:"));
    /* Who died with it cannot be told by name. */
    HAS_NEWS(m, "news %s 2 reset", a);
    assert_int_equal(tw__bus_get_stats(w->members[1].bus)->users, 0);
    world_destroy(w);
}

/* Nobody is left: that is told, too. */
static void a_new_home_tells_that_something_was_missed(void **state) {
    (void)state;
    world *w = people_of(2);
    const char *a = name_at(w, 1, 0);
    member *m = &w->members[0];
    subscribe(m, a);
    enter(&w->members[1], a, 3, "bob");
    HAS_NEWS(m, "news %s 1 +bob", a);
    stop(&w->members[1]);
    start(w, 1);
    HAS_NEWS(m, "news %s 0 reset", a);
    world_destroy(w);
}

static void a_stream_that_breaks_is_not_seen_as_leaving(void **state) {
    (void)state;
    world *w = people_of(2);
    const char *a = name_at(w, 1, 0);
    member *m = &w->members[0], *home = &w->members[1];
    subscribe(m, a);
    subscribe(home, a);
    enter(m, a, 1, "ann");
    enter(m, a, 2, "");
    HAS_NEWS(m, "news %s 2 +ann +/2", a);
    HAS_NEWS(home, "news %s 2 +ann +/2", a);
    journal_clear(m);
    journal_clear(home);
    break_stream(m, home);
    UNTIL(w, strcmp(last_line(m, "fresh"), "fresh 1") == 0);
    renew_all(m, a);
    UNTIL(w, tw__bus_is_idle(m->bus));
    for (int i = 0; i < 10; i++) {
        world_pass(w, 1000);
    }
    assert_null(strstr(journal_of(home), "+"));
    assert_null(strstr(journal_of(home), "-"));
    assert_non_null(strstr(journal_of(m), "reset"));
    assert_non_null(strstr(ask_persons(m, a, 9), "persons 2 0:"));
    world_destroy(w);
}

static void news_in_a_stream_that_breaks_are_told_to_be_missing(void **state) {
    (void)state;
    world *w = people_of(2);
    const char *a = name_at(w, 1, 0);
    member *m = &w->members[0], *home = &w->members[1];
    subscribe(m, a);
    enter(home, a, 1, "ann");
    HAS_NEWS(m, "news %s 1 +ann", a);
    journal_clear(m);
    break_stream(home, m);
    HAS_NEWS(m, "news %s 1 reset", a);
    world_destroy(w);
}

/* ---- users ---- */

static void what_is_done_to_a_user_reaches_every_connection(void **state) {
    (void)state;
    world *w = people_of(3);
    const char *user = name_at(w, 1, 0);
    for (int i = 0; i < 3; i++) {
        user_enter(&w->members[i], user, i + 1);
        user_enter(&w->members[i], user, i + 11);
    }
    UNTIL(w, is_quiet(w));
    const tw__bus_stats *stats = tw__bus_get_stats(w->members[1].bus);
    assert_int_equal(stats->users, 1);
    assert_int_equal(stats->user_connections, 6);
    assert_int_equal(try_user_send(&w->members[0], user, "one"), 0);
    assert_int_equal(try_user_send(&w->members[0], user, "two"), 0);
    user_leave(&w->members[2], user, 3);
    UNTIL(w, is_quiet(w));
    for (int i = 0; i < 3; i++) {
        char want[200];
        snprintf(want, sizeof want,
                 "act %d 1 t one\nact %d 1 t one\nact %d 1 t two\n"
                 "act %d 1 t two\n",
                 i + 1, i + 11, i + 1, i + 11);
        UNTIL(w, strcmp(journal_of(&w->members[i]), want) == 0);
        journal_clear(&w->members[i]);
    }
    UNTIL(w, tw__bus_get_stats(w->members[1].bus)->user_connections == 5);
    assert_int_equal(try_user_send(&w->members[1], user, "three"), 0);
    UNTIL(w, is_quiet(w));
    UNTIL(w, strcmp(journal_of(&w->members[2]), "act 13 1 t three\n") == 0);
    assert_int_equal(try_user_send(&w->members[1], "nobody", "x"), 0);
    UNTIL(w, is_quiet(w));
    assert_string_equal(journal_of(&w->members[2]), "act 13 1 t three\n");
    world_destroy(w);
}

static void over_the_limit_the_oldest_is_closed(void **state) {
    (void)state;
    world *w = people_of(2);
    const char *user = name_at(w, 1, 0);
    member *m = &w->members[0];
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(try_user_enter(m, user, i, 2, false), 0);
    }
    UNTIL(w, is_quiet(w) && journal_of(m)[0] != '\0');
    assert_string_equal(journal_of(m),
                        "act 1 2 too many connections of this user \n");
    user_leave(m, user, 1);
    UNTIL(w, is_quiet(w));
    journal_clear(m);
    assert_int_equal(try_user_enter(&w->members[1], user, 2, 2, false), 0);
    UNTIL(w, journal_of(m)[0] != '\0');
    assert_int_equal(strncmp(journal_of(m), "act 2 2 ", 8), 0);
    world_destroy(w);
}

static void over_the_limit_the_newest_is_closed_by_option(void **state) {
    (void)state;
    world *w = people_of(2);
    const char *user = name_at(w, 1, 0);
    member *m = &w->members[0], *home = &w->members[1];
    assert_int_equal(try_user_enter(m, user, 1, 1, true), 0);
    UNTIL(w, is_quiet(w));
    assert_int_equal(try_user_enter(home, user, 2, 1, true), 0);
    UNTIL(w, is_quiet(w) && journal_of(home)[0] != '\0');
    assert_int_equal(strncmp(journal_of(home), "act 2 2 ", 8), 0);
    assert_string_equal(journal_of(m), "");
    /* One that enters again is none more. */
    assert_int_equal(try_user_enter(m, user, 1, 1, true), 0);
    UNTIL(w, is_quiet(w));
    assert_string_equal(journal_of(m), "");
    world_destroy(w);
}

static void a_user_goes_with_the_members(void **state) {
    (void)state;
    world *w = people_of(3);
    const char *user = name_at(w, 1, 0);
    user_enter(&w->members[0], user, 1);
    user_enter(&w->members[2], user, 2);
    UNTIL(w, is_quiet(w));
    stop(&w->members[2]);
    start(w, 2);
    UNTIL(w, tw__bus_get_stats(w->members[1].bus)->user_connections == 1);
    user_leave(&w->members[0], user, 1);
    UNTIL(w, tw__bus_get_stats(w->members[1].bus)->users == 0);
    world_destroy(w);
}

/* ---- connections ---- */

static void a_connection_is_reached_by_its_id(void **state) {
    (void)state;
    world *w = people_of(3);
    for (uint16_t from = 0; from < 3; from++) {
        assert_int_equal(try_send(&w->members[from], id_of(2, from), "x"), 0);
    }
    UNTIL(w, is_quiet(w));
    member *m = &w->members[2];
    UNTIL(w, strstr(journal_of(m), "act 0 1 t x\n") != NULL &&
                 strstr(journal_of(m), "act 1 1 t x\n") != NULL &&
                 strstr(journal_of(m), "act 2 1 t x\n") != NULL);
    assert_int_equal(try_send(m, id_of(3 + TW__BUS_EXTRA_MEMBERS, 1), "x"),
                     TW_EINVALID);
    assert_int_equal(try_send(m, id_of(65535, 1), "x"), TW_EINVALID);
    world_destroy(w);
}

static void acts_and_publications_are_in_order(void **state) {
    (void)state;
    enum { COUNT = 50 };
    world *w = people_of(2);
    const char *a = name_at(w, 1, 0);
    member *m = &w->members[1];
    subscribe(m, a);
    journal_clear(m);
    char want[100 * COUNT] = "";
    for (int i = 0; i < COUNT; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        size_t len = strlen(want);
        if (i % 3 == 0) {
            assert_int_equal(publish(&w->members[0], a, text), 0);
            snprintf(want + len, sizeof want - len, "pub %s %s\n", a, text);
        } else {
            assert_int_equal(try_send(&w->members[0], id_of(1, i), text), 0);
            snprintf(want + len, sizeof want - len, "act %d 1 t %s\n", i, text);
        }
    }
    UNTIL(w, is_quiet(w) && strlen(journal_of(m)) >= strlen(want));
    assert_string_equal(journal_of(m), want);
    world_destroy(w);
}

/* An id may name a member that never was, or is gone for good. */
static void what_is_done_to_one_who_is_gone_is_lost(void **state) {
    (void)state;
    world *w = people_of(2);
    member *m = &w->members[0];
    for (uint16_t slot = 2; slot < 2 + TW__BUS_EXTRA_MEMBERS; slot++) {
        assert_int_equal(try_send(m, id_of(slot, 1), "x"), 0);
    }
    UNTIL(w, tw__bus_get_stats(m->bus)->acts_lost == TW__BUS_EXTRA_MEMBERS);
    assert_int_equal(tw__bus_get_stats(m->bus)->queued_bytes, 0);
    assert_true(tw__bus_is_idle(m->bus));
    assert_int_equal(try_send(m, id_of(5, 1), "x"), 0); /* it may come yet */
    UNTIL(w, tw__bus_get_stats(m->bus)->acts_lost == TW__BUS_EXTRA_MEMBERS + 1);
    world_destroy(w);
}

static void an_extra_member_is_reached_when_it_comes_late(void **state) {
    (void)state;
    world *w = people_create(2, 1);
    member *m = start(w, 0);
    assert_int_equal(try_send(m, id_of(2, 7), "x"), 0);
    world_pass(w, 500);
    member *extra = start(w, 2);
    UNTIL(w, strcmp(journal_of(extra), "act 7 1 t x\n") == 0);
    assert_int_equal(tw__bus_get_stats(m->bus)->acts_lost, 0);
    world_destroy(w);
}

static void what_cannot_be_sent_at_once_is_refused(void **state) {
    (void)state;
    static const char text[4000];
    world *w = people_create(2, 0);
    w->config.publish_budget_bytes = 16000;
    member *m = start(w, 0);
    tw__locator *locator = locator_of(m);
    for (uint16_t slot = 0; slot < 2; slot++) {
        tw__act act = {.what = TW__ACT_SEND, .data = text, .len = sizeof text};
        conn_id id = id_of(slot, 1);
        int err = 0;
        assert_true(locator->ops->has_room(locator, slot));
        for (int i = 0; i < 10 && err == 0; i++) {
            err = locator->ops->act(locator, id.bytes, &act);
            assert_int_equal(locator->ops->has_room(locator, slot), false);
        }
        assert_int_equal(err, TW_EOVERLOADED);
    }
    assert_false(locator->ops->has_room(locator, 65535));
    start(w, 1);
    UNTIL(w, locator->ops->has_room(locator, 0) &&
                 locator->ops->has_room(locator, 1));
    world_destroy(w);
}

/* ---- the connections of a user ---- */

static void a_users_connections_are_told_by_their_members(void **state) {
    (void)state;
    world *w = people_of(3);
    const char *user = name_at(w, 1, 0);
    user_enter(&w->members[2], user, 3);
    user_enter(&w->members[0], user, 1);
    user_enter(&w->members[1], user, 2);
    user_enter(&w->members[0], user, 4);
    user_enter(&w->members[0], user, KNOWN + 1); /* its member knows it not */
    UNTIL(w, is_quiet(w));
    for (int i = 0; i < 3; i++) {
        assert_string_equal(ask_conns(&w->members[i], user),
                            "conns: 0.1 1.2 2.3 0.4");
    }
    assert_string_equal(ask_conns(&w->members[0], "nobody"), "conns:");
    world_destroy(w);
}

static void those_of_a_member_that_is_away_are_left_out(void **state) {
    (void)state;
    world *w = people_of(3);
    const char *user = name_at(w, 1, 0);
    user_enter(&w->members[0], user, 1);
    user_enter(&w->members[1], user, 2);
    UNTIL(w, is_quiet(w));
    /* Of one that has gone for good before its home could hear of it. */
    conn_id id = id_of(9, 3);
    tw__locator *locator = locator_of(&w->members[1]);
    assert_int_equal(locator->ops->user_enter(locator, user, strlen(user),
                                              id.bytes, OPENED_MS + 3, 0,
                                              false),
                     0);
    id = id_of(40000, 4); /* and of none that could be */
    assert_int_equal(locator->ops->user_enter(locator, user, strlen(user),
                                              id.bytes, OPENED_MS + 4, 0,
                                              false),
                     0);
    user_enter(&w->members[2], user, 5);
    UNTIL(w, is_quiet(w));
    assert_string_equal(ask_conns(&w->members[0], user), "conns: 0.1 1.2 2.5");
    assert_int_equal(try_conns(&w->members[0], user), 0);
    stop(&w->members[2]);
    UNTIL(w, strcmp(last_line(&w->members[0], "conns"), "conns: 0.1 1.2") == 0);
    world_destroy(w);
}

static void hide_ip(tw__conn_facts *facts) {
    facts->ip[0] = '\0';
}

static bool describe_without_ip(void *arg, const uint8_t *id,
                                tw__conn_facts *facts) {
    bool is_known = people_describe(arg, id, facts);
    hide_ip(facts);
    return is_known;
}

static void a_connection_without_an_address_is_told(void **state) {
    (void)state;
    world *w = people_create(2, 0);
    w->config.locator_events.describe = describe_without_ip;
    start(w, 0);
    start(w, 1);
    user_enter(&w->members[0], "ann", 1);
    user_enter(&w->members[1], "ann", 2);
    UNTIL(w, is_quiet(w));
    assert_string_equal(ask_conns(&w->members[0], "ann"), "conns: 0.1 1.2");
    world_destroy(w);
}

static void many_connections_of_a_user_are_told(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    world *w = people_create(2, 0);
    start(w, 0);
    start(w, 1);
    for (int i = 0; i < COUNT; i++) {
        member *m = &w->members[i % 2];
        conn_id id = id_of(m->slot, i % KNOWN);
        memcpy(id.bytes + 8, &i, sizeof i);
        tw__locator *locator = locator_of(m);
        assert_int_equal(
            locator->ops->user_enter(locator, "ann", 3, id.bytes, i, 0, false),
            0);
    }
    UNTIL(w, is_quiet(w));
    ask_conns(&w->members[0], "ann");
    assert_int_equal(w->members[0].last_count, COUNT);
    world_destroy(w);
}

static void questions_fail_when_the_home_is_away(void **state) {
    (void)state;
    world *w = people_create(2, 0);
    member *m = start(w, 0);
    const char *a = name_at(w, 1, 0);
    assert_int_equal(try_persons(m, a, 3), 0);
    assert_int_equal(try_conns(m, a), 0);
    user_enter(m, a, 1);
    UNTIL(w, m->answers == 2);
    assert_string_equal(journal_of(m),
                        "unavailable persons\nunavailable conns\n");
    assert_int_equal(tw__bus_get_stats(m->bus)->acts_lost, 1);
    assert_int_equal(try_persons(m, a, 3), TW_EUNAVAILABLE);
    assert_int_equal(try_conns(m, a), TW_EUNAVAILABLE);
    assert_int_equal(try_user_enter(m, a, 1, 0, false), TW_EUNAVAILABLE);
    world_destroy(w);
}

/* ---- callbacks that end all ---- */

static unsigned ended;

static void end(member *m) {
    tw__bus *bus = m->bus;
    assert_non_null(bus); /* nothing is told behind the end */
    m->bus = NULL;
    m->broker = NULL;
    ended++;
    tw__bus_destroy(bus);
}

static void end_on_act(void *arg, const uint8_t *id, const tw__act *act) {
    (void)id;
    end(arg);
    assert_memory_equal(act->data, "x", 1);
}

static void end_on_presence(void *arg, const tw__presence_news *told) {
    end(arg);
    assert_int_equal(told->joined[0].user[0], 'a');
    assert_int_equal(told->channel[0], 'c');
}

static void end_on_fresh(void *arg, uint16_t slot) {
    (void)slot;
    end(arg);
}

static void end_on_persons(int status, const tw__persons *persons, void *arg) {
    member *m = arg;
    if (m->bus != NULL) {
        assert_int_equal(status, 0);
        end(m);
        assert_int_equal(persons->items[0].user[0], 'a');
    } else {
        assert_int_equal(status, TW_ECLOSED);
        ended++;
    }
}

static void end_on_conns(int status, const tw__conn_facts *conns, size_t count,
                         void *arg) {
    member *m = arg;
    if (m->bus != NULL) {
        assert_int_equal(status, 0);
        end(m);
        assert_int_equal(count, 2);
        assert_int_equal(conns[1].slot, 1);
    } else {
        assert_int_equal(status, TW_ECLOSED);
        ended++;
    }
}

static void any_event_may_end_the_engine(void **state) {
    (void)state;
    for (uint16_t home = 0; home < 2; home++) {
        world *w = people_create(2, 0);
        w->config.locator_events.on_act = end_on_act;
        w->config.locator_events.on_presence = end_on_presence;
        member *m = start(w, 0), *other = start(w, 1);
        char a[64], b[64];
        snprintf(a, sizeof a, "%s", name_at(w, home, 0));
        snprintf(b, sizeof b, "%s", name_at(w, home, 1));
        subscribe(m, a);
        subscribe(m, b);
        for (int i = 0; i < 3; i++) {
            enter(home == 0 ? m : other, a, i, "ann");
            enter(home == 0 ? m : other, b, i, "abe");
        }
        UNTIL(w, m->bus == NULL);
        m = start(w, 0);
        UNTIL(w, tw__bus_is_idle(other->bus));
        for (int i = 0; i < 3; i++) {
            assert_int_equal(try_send(home == 0 ? m : other, id_of(0, 1), "x"),
                             0);
        }
        UNTIL(w, m->bus == NULL);
        UNTIL(w, other->bus != NULL);
        world_destroy(w);
    }
}

static void being_told_of_a_fresh_home_may_end_the_engine(void **state) {
    (void)state;
    world *w = people_create(3, 0);
    w->config.locator_events.on_fresh = end_on_fresh;
    member *m = start(w, 0);
    start(w, 1);
    start(w, 2);
    user_enter(m, name_at(w, 1, 0), 1);
    user_enter(m, name_at(w, 2, 0), 1);
    UNTIL(w, is_quiet(w));
    stop(&w->members[1]);
    stop(&w->members[2]);
    start(w, 1);
    start(w, 2);
    UNTIL(w, m->bus == NULL);
    world_destroy(w);
}

static void any_answer_may_end_the_engine(void **state) {
    (void)state;
    for (uint16_t home = 0; home < 2; home++) {
        for (int is_user = 0; is_user < 2; is_user++) {
            world *w = people_of(2);
            member *m = &w->members[0];
            const char *a = name_at(w, home, 0);
            for (int i = 0; i < 2; i++) {
                enter(&w->members[i], a, i + 1, "ann");
                user_enter(&w->members[i], a, i + 1);
            }
            UNTIL(w, is_quiet(w));
            tw__locator *locator = locator_of(m);
            ended = 0;
            for (int i = 0; i < 3; i++) {
                int err = is_user ? locator->ops->user_conns(
                                        locator, a, strlen(a), end_on_conns, m)
                                  : locator->ops->persons(locator, a, strlen(a),
                                                          5, end_on_persons, m);
                assert_int_equal(err, 0);
            }
            UNTIL(w, ended == 3);
            world_destroy(w);
        }
    }
}

/* The home tells its own members last, and they may want it no more. */
static void drop_it(void *arg, const tw__presence_news *told) {
    member *m = arg;
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)told->channel_len, told->channel);
    drop(m, name);
    assert_int_equal(told->channel[0], 'c');
    journal_add(m, "dropped");
}

static void being_told_may_drop_the_channel(void **state) {
    (void)state;
    world *w = people_create(2, 0);
    w->config.locator_events.on_presence = drop_it;
    member *m = start(w, 0);
    member *other = start(w, 1);
    const char *a = name_at(w, 0, 0);
    subscribe(m, a);
    subscribe(other, a);
    enter(m, a, 1, "");
    UNTIL(w, strstr(journal_of(m), "dropped") != NULL &&
                 strstr(journal_of(other), "dropped") != NULL);
    leave(m, a, 1);
    UNTIL(w, tw__bus_get_stats(m->bus)->home_channels == 0);
    world_destroy(w);
}

static void one_process_needs_no_link(void **state) {
    (void)state;
    world *w = people_create(1, 0);
    w->config.dir = NULL;
    member *m = start(w, 0);
    subscribe(m, "c");
    enter(m, "c", 1, "ann");
    user_enter(m, "ann", 1);
    assert_int_equal(try_user_send(m, "ann", "x"), 0);
    UNTIL(w, strcmp(last_line(m, "act"), "act 1 1 t x") == 0);
    HAS_NEWS(m, "news c 1 +ann");
    assert_string_equal(ask_conns(m, "ann"), "conns: 0.1");
    assert_string_equal(ask_persons(m, "c", 9), "persons 1 0: ann");
    assert_int_equal(try_send(m, id_of(1, 1), "x"), 0);
    UNTIL(w, tw__bus_get_stats(m->bus)->acts_lost == 1);
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(persons_are_known_to_all_members),
        cmocka_unit_test(who_asks_after_entering_is_in_the_answer),
        cmocka_unit_test(info_goes_along_with_a_person),
        cmocka_unit_test(names_must_have_a_length),
        cmocka_unit_test(who_comes_and_goes_is_told_once_a_turn),
        cmocka_unit_test(coming_back_within_the_grace_time_is_no_news),
        cmocka_unit_test(crowds_are_not_told_and_all_is_new_afterwards),
        cmocka_unit_test(nobody_tells_where_the_class_does_not),
        cmocka_unit_test(news_that_do_not_fit_are_told_to_be_missing),
        cmocka_unit_test(a_member_that_dies_takes_its_persons_along),
        cmocka_unit_test(a_new_home_is_told_who_is_there),
        cmocka_unit_test(a_new_home_tells_that_something_was_missed),
        cmocka_unit_test(a_stream_that_breaks_is_not_seen_as_leaving),
        cmocka_unit_test(news_in_a_stream_that_breaks_are_told_to_be_missing),
        cmocka_unit_test(what_is_done_to_a_user_reaches_every_connection),
        cmocka_unit_test(over_the_limit_the_oldest_is_closed),
        cmocka_unit_test(over_the_limit_the_newest_is_closed_by_option),
        cmocka_unit_test(a_user_goes_with_the_members),
        cmocka_unit_test(a_connection_is_reached_by_its_id),
        cmocka_unit_test(acts_and_publications_are_in_order),
        cmocka_unit_test(what_is_done_to_one_who_is_gone_is_lost),
        cmocka_unit_test(an_extra_member_is_reached_when_it_comes_late),
        cmocka_unit_test(what_cannot_be_sent_at_once_is_refused),
        cmocka_unit_test(a_users_connections_are_told_by_their_members),
        cmocka_unit_test(those_of_a_member_that_is_away_are_left_out),
        cmocka_unit_test(a_connection_without_an_address_is_told),
        cmocka_unit_test(many_connections_of_a_user_are_told),
        cmocka_unit_test(questions_fail_when_the_home_is_away),
        cmocka_unit_test(any_event_may_end_the_engine),
        cmocka_unit_test(being_told_of_a_fresh_home_may_end_the_engine),
        cmocka_unit_test(any_answer_may_end_the_engine),
        cmocka_unit_test(being_told_may_drop_the_channel),
        cmocka_unit_test(one_process_needs_no_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
