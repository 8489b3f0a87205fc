/* Who is in a channel. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "hub/presence.h"
#include "tidewire/errors.h"

static void make_id(uint8_t id[TW__PRESENCE_ID], unsigned number) {
    memset(id, 0, TW__PRESENCE_ID);
    memcpy(id, &number, sizeof number);
}

static unsigned number_of(const tw__person *person) {
    unsigned number;
    memcpy(&number, person->id, sizeof number);
    return number;
}

/* `user` "" is nobody. Numbers over 100 are connections of member 1. */
static int enter(tw__presence *presence, unsigned number, const char *user,
                 const char *info) {
    uint8_t id[TW__PRESENCE_ID];
    make_id(id, number);
    return tw__presence_enter(presence, number > 100, id, user, strlen(user),
                              info, strlen(info), false);
}

static int renew(tw__presence *presence, unsigned number, const char *user) {
    uint8_t id[TW__PRESENCE_ID];
    make_id(id, number);
    return tw__presence_enter(presence, number > 100, id, user, strlen(user),
                              NULL, 0, true);
}

static void leave(tw__presence *presence, unsigned number, uint64_t gone_ms) {
    uint8_t id[TW__PRESENCE_ID];
    make_id(id, number);
    tw__presence_leave(presence, id, gone_ms);
}

/* "+ann/1 -bob/2": what is told, joins first, by user and connection. */
static const char *told(tw__presence *presence) {
    static char text[1024];
    tw__person person;
    size_t len = 0, untold = tw__presence_untold(presence);
    bool is_join;
    text[0] = '\0';
    while (tw__presence_take(presence, &is_join, &person)) {
        len +=
            (size_t)snprintf(text + len, sizeof text - len, "%s%c%.*s/%u",
                             len > 0 ? " " : "", is_join ? '+' : '-',
                             person.user_len, person.user, number_of(&person));
        assert_int_equal(tw__presence_untold(presence), --untold);
    }
    assert_int_equal(untold, 0);
    return text;
}

static int by_number(const void *a, const void *b) {
    unsigned x = number_of(a), y = number_of(b);
    return (x > y) - (x < y);
}

/* "ann/1*2 bob/3(x)": everybody by the number of the id, how many connections
 * if not one, and the info if there is one. */
static const char *shown(const tw__presence *presence) {
    static char text[1024];
    tw__person persons[64];
    size_t len = 0, count = tw__presence_sample(presence, persons, 64);
    text[0] = '\0';
    qsort(persons, count, sizeof *persons, by_number);
    for (size_t i = 0; i < count; i++) {
        const tw__person *p = &persons[i];
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s/%u",
                                i > 0 ? " " : "", p->user_len, p->user,
                                number_of(p));
        if (p->connections != 1) {
            len += (size_t)snprintf(text + len, sizeof text - len, "*%u",
                                    p->connections);
        }
        if (p->info_len > 0) {
            len += (size_t)snprintf(text + len, sizeof text - len, "(%.*s)",
                                    p->info_len, p->info);
        }
    }
    return text;
}

static void nobody_is_in_at_first(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    leave(presence, 1, 0);
    tw__presence_drop_member(presence, 0, 0);
    assert_int_equal(tw__presence_expire(presence, 1000), 0);
    assert_int_equal(tw__presence_len(presence), 0);
    assert_true(tw__presence_is_empty(presence));
    assert_string_equal(shown(presence), "");
    assert_string_equal(told(presence), "");
    tw__presence_hush(presence);
    tw__presence_destroy(presence);
    tw__presence_destroy(NULL);
}

static void a_user_with_many_connections_is_one_person(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    assert_int_equal(enter(presence, 1, "ann", ""), 0);
    assert_int_equal(enter(presence, 2, "bob", ""), 0);
    assert_int_equal(enter(presence, 101, "ann", ""), 0);
    assert_int_equal(tw__presence_len(presence), 2);
    assert_int_equal(tw__presence_connections(presence), 3);
    assert_string_equal(shown(presence), "ann/1*2 bob/2");
    assert_string_equal(told(presence), "+ann/1 +bob/2");
    leave(presence, 1, 5);
    assert_int_equal(tw__presence_expire(presence, 10), 0);
    assert_string_equal(shown(presence), "ann/1 bob/2");
    assert_string_equal(told(presence), "");
    tw__presence_destroy(presence);
}

static void a_connection_without_a_user_is_a_person(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 1, "", "");
    enter(presence, 2, "", "x");
    assert_int_equal(tw__presence_len(presence), 2);
    assert_string_equal(shown(presence), "/1 /2(x)");
    assert_string_equal(told(presence), "+/1 +/2");
    leave(presence, 1, 1000000);
    assert_string_equal(shown(presence), "/2(x)");
    assert_string_equal(told(presence), "-/1");
    tw__presence_destroy(presence);
}

static void a_user_named_as_an_id_is_another_person(void **state) {
    tw__presence *presence = tw__presence_create(true);
    uint8_t id[TW__PRESENCE_ID];
    (void)state;
    memset(id, 'x', sizeof id);
    assert_int_equal(
        tw__presence_enter(presence, 0, id, NULL, 0, NULL, 0, false), 0);
    assert_int_equal(enter(presence, 1, "xxxxxxxxxxxxxxxx", ""), 0);
    assert_int_equal(tw__presence_len(presence), 2);
    tw__presence_destroy(presence);
}

static void a_later_info_replaces_the_earlier(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 1, "ann", "first");
    assert_string_equal(shown(presence), "ann/1(first)");
    enter(presence, 2, "ann", "second, longer");
    assert_string_equal(shown(presence), "ann/1*2(second, longer)");
    assert_int_equal(enter(presence, 1, "ann", "3"), TW_EEXISTS);
    assert_string_equal(shown(presence), "ann/1*2(3)");
    assert_int_equal(enter(presence, 2, "ann", ""), TW_EEXISTS);
    assert_string_equal(shown(presence), "ann/1*2");
    assert_int_equal(tw__presence_connections(presence), 2);
    tw__presence_destroy(presence);
}

static void the_largest_texts_are_kept(void **state) {
    tw__presence *presence = tw__presence_create(true);
    static char user[TW__PERSON_MAX + 1], info[TW__INFO_MAX + 1];
    tw__person person;
    (void)state;
    memset(user, 'u', TW__PERSON_MAX);
    memset(info, 'i', TW__INFO_MAX);
    assert_int_equal(enter(presence, 1, user, info), 0);
    assert_int_equal(tw__presence_sample(presence, &person, 1), 1);
    assert_int_equal(person.user_len, TW__PERSON_MAX);
    assert_int_equal(person.info_len, TW__INFO_MAX);
    assert_memory_equal(person.user, user, TW__PERSON_MAX);
    assert_memory_equal(person.info, info, TW__INFO_MAX);
    tw__presence_destroy(presence);
}

static void who_comes_back_in_time_was_never_away(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 1, "ann", "");
    told(presence);
    leave(presence, 1, 100);
    assert_string_equal(shown(presence), "ann/1*0");
    assert_int_equal(tw__presence_len(presence), 1);
    assert_false(tw__presence_is_empty(presence));
    assert_int_equal(tw__presence_expire(presence, 99), 100);
    assert_int_equal(enter(presence, 2, "ann", ""), 0);
    assert_int_equal(tw__presence_expire(presence, 1000), 0);
    assert_string_equal(shown(presence), "ann/1");
    assert_string_equal(told(presence), "");
    tw__presence_destroy(presence);
}

static void
who_does_not_come_back_leaves_at_the_end_of_its_grace(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 1, "ann", "x");
    told(presence);
    leave(presence, 1, 100);
    assert_int_equal(tw__presence_expire(presence, 100), 0);
    assert_int_equal(tw__presence_len(presence), 0);
    assert_false(tw__presence_is_empty(presence));
    assert_int_equal(tw__presence_untold(presence), 1);
    assert_string_equal(told(presence), "-ann/1");
    assert_true(tw__presence_is_empty(presence));
    tw__presence_destroy(presence);
}

static void grace_times_end_in_the_order_of_their_ends(void **state) {
    static const uint64_t ends[] = {500, 100, 300, 300, 200, 600, 400, 50};
    enum { COUNT = sizeof ends / sizeof *ends };
    static const uint64_t sorted[COUNT + 1] = {50,  100, 200, 300, 300,
                                               400, 500, 600, 0};
    tw__presence *presence = tw__presence_create(false);
    char name[8];
    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "u%u", i);
        enter(presence, i, name, "");
        leave(presence, i, ends[i]);
    }
    assert_int_equal(tw__presence_expire(presence, 0), 50);
    for (unsigned i = 0; i < COUNT; i++) {
        uint64_t next = tw__presence_expire(presence, sorted[i]);
        unsigned over = i + 1;
        while (over < COUNT && sorted[over] == sorted[i]) {
            over++;
        }
        assert_int_equal(next, sorted[over]);
        assert_int_equal(tw__presence_len(presence), COUNT - over);
    }
    tw__presence_destroy(presence);
}

static void a_member_that_dies_takes_its_connections_along(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 1, "ann", "");
    enter(presence, 2, "bob", "");
    enter(presence, 101, "ann", "");
    enter(presence, 102, "cid", "");
    enter(presence, 103, "", "");
    told(presence);
    tw__presence_drop_member(presence, 1, 70);
    assert_int_equal(tw__presence_connections(presence), 2);
    assert_string_equal(shown(presence), "ann/1 bob/2 cid/102*0 /103*0");
    assert_string_equal(told(presence), "");
    assert_int_equal(tw__presence_expire(presence, 69), 70);
    assert_int_equal(tw__presence_expire(presence, 70), 0);
    assert_string_equal(told(presence), "-cid/102 -/103");
    tw__presence_destroy(presence);
}

static void who_only_lost_its_member_for_a_moment_never_left(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 101, "ann", "");
    enter(presence, 103, "", "");
    told(presence);
    tw__presence_drop_member(presence, 1, 70);
    enter(presence, 103, "", "");
    enter(presence, 101, "ann", "");
    assert_int_equal(tw__presence_expire(presence, 70), 0);
    assert_string_equal(told(presence), "");
    assert_string_equal(shown(presence), "ann/101 /103");
    tw__presence_destroy(presence);
}

static void telling_may_begin_and_end(void **state) {
    tw__presence *presence = tw__presence_create(false);
    (void)state;
    enter(presence, 1, "ann", "");
    tw__presence_set_tells(presence, true);
    assert_string_equal(told(presence), "");
    enter(presence, 2, "", "");
    enter(presence, 3, "", "");
    assert_string_equal(told(presence), "+/2 +/3");
    leave(presence, 2, 0);
    tw__presence_set_tells(presence, false);
    assert_int_equal(tw__presence_untold(presence), 0);
    leave(presence, 3, 0);
    assert_int_equal(tw__presence_untold(presence), 0);
    assert_string_equal(shown(presence), "ann/1");
    tw__presence_destroy(presence);
}

static void who_came_and_went_untold_is_not_told(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 1, "ann", "");
    enter(presence, 2, "", "");
    leave(presence, 1, 10);
    leave(presence, 2, 10);
    tw__presence_expire(presence, 10);
    assert_int_equal(tw__presence_untold(presence), 0);
    assert_true(tw__presence_is_empty(presence));
    assert_string_equal(told(presence), "");
    tw__presence_destroy(presence);
}

static void who_went_and_came_back_untold_is_not_told(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 1, "ann", "old");
    enter(presence, 2, "", "");
    told(presence);
    leave(presence, 1, 10);
    leave(presence, 2, 10);
    tw__presence_expire(presence, 10);
    assert_int_equal(tw__presence_len(presence), 0);
    assert_int_equal(tw__presence_untold(presence), 2);
    enter(presence, 3, "ann", "new");
    enter(presence, 2, "", "");
    assert_int_equal(tw__presence_untold(presence), 0);
    assert_string_equal(shown(presence), "ann/1(new) /2");
    assert_string_equal(told(presence), "");
    tw__presence_destroy(presence);
}

static void who_waits_out_its_grace_is_told_to_have_come(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 1, "ann", "");
    leave(presence, 1, 10);
    assert_string_equal(told(presence), "+ann/1");
    tw__presence_expire(presence, 10);
    assert_string_equal(told(presence), "-ann/1");
    tw__presence_destroy(presence);
}

static void joins_are_told_before_leaves(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 1, "", "");
    told(presence);
    leave(presence, 1, 0);
    enter(presence, 2, "", "");
    enter(presence, 3, "", "");
    assert_string_equal(told(presence), "+/2 +/3 -/1");
    tw__presence_destroy(presence);
}

static void a_leave_that_was_taken_is_readable_until_the_next(void **state) {
    tw__presence *presence = tw__presence_create(true);
    tw__person person;
    bool is_join;
    (void)state;
    enter(presence, 1, "ann", "the info");
    told(presence);
    leave(presence, 1, 1);
    tw__presence_expire(presence, 1);
    assert_true(tw__presence_take(presence, &is_join, &person));
    assert_false(is_join);
    assert_true(tw__presence_is_empty(presence));
    assert_memory_equal(person.user, "ann", 3);
    assert_memory_equal(person.info, "the info", 8);
    assert_int_equal(person.connections, 0);
    tw__presence_destroy(presence);
}

static void a_renewal_is_not_told(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    assert_int_equal(renew(presence, 1, "ann"), 0);
    assert_int_equal(renew(presence, 2, ""), 0);
    enter(presence, 3, "bob", "");
    assert_int_equal(renew(presence, 4, "bob"), 0);
    assert_string_equal(shown(presence), "ann/1 /2 bob/3*2");
    assert_string_equal(told(presence), "+bob/3");
    leave(presence, 1, 1);
    leave(presence, 2, 1);
    tw__presence_expire(presence, 1);
    assert_int_equal(tw__presence_untold(presence), 2);
    tw__presence_destroy(presence);
}

static void what_is_hushed_is_not_told(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 1, "ann", "");
    enter(presence, 2, "", "");
    told(presence);
    leave(presence, 2, 0);
    enter(presence, 3, "bob", "");
    tw__presence_hush(presence);
    assert_string_equal(told(presence), "");
    assert_string_equal(shown(presence), "ann/1 bob/3");
    leave(presence, 3, 5);
    tw__presence_expire(presence, 5);
    assert_string_equal(told(presence), "-bob/3");
    tw__presence_destroy(presence);
}

static void a_presence_that_does_not_tell_keeps_nothing_to_tell(void **state) {
    tw__presence *presence = tw__presence_create(false);
    (void)state;
    enter(presence, 1, "ann", "");
    enter(presence, 2, "", "");
    assert_int_equal(tw__presence_untold(presence), 0);
    leave(presence, 1, 5);
    leave(presence, 2, 5);
    tw__presence_expire(presence, 5);
    assert_int_equal(tw__presence_untold(presence), 0);
    assert_true(tw__presence_is_empty(presence));
    tw__presence_destroy(presence);
}

static void a_sample_begins_anywhere_and_has_nobody_twice(void **state) {
    enum { COUNT = 20, LIMIT = 5 };
    tw__presence *presence = tw__presence_create(true);
    unsigned seen[COUNT] = {0};
    tw__person persons[COUNT + 1];
    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        enter(presence, i, "", "");
    }
    for (int turn = 0; turn < 1000; turn++) {
        unsigned now[COUNT] = {0};
        assert_int_equal(tw__presence_sample(presence, persons, LIMIT), LIMIT);
        for (int i = 0; i < LIMIT; i++) {
            seen[number_of(&persons[i])]++;
            assert_int_equal(now[number_of(&persons[i])]++, 0);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        assert_true(seen[i] > 0);
    }
    assert_int_equal(tw__presence_sample(presence, persons, COUNT + 1), COUNT);
    assert_int_equal(tw__presence_sample(presence, persons, 0), 0);
    tw__presence_destroy(presence);
}

/* ---- large ---- */

enum { CROWD = 100000 };

static tw__presence *crowd(bool has_users) {
    tw__presence *presence = tw__presence_create(true);
    char user[16] = "";
    for (unsigned i = 0; i < CROWD; i++) {
        if (has_users) {
            snprintf(user, sizeof user, "user:%u", i);
        }
        assert_int_equal(enter(presence, i, user, ""), 0);
    }
    return presence;
}

static void a_person_costs_a_hundred_and_fifty_bytes(void **state) {
    (void)state;
    for (int has_users = 0; has_users < 2; has_users++) {
        tw__presence *presence = crowd(has_users);
        assert_int_equal(tw__presence_len(presence), CROWD);
        assert_true(tw__presence_bytes(presence) / CROWD <= 150);
        tw__presence_destroy(presence);
    }
}

static void a_crowd_that_has_gone_gives_its_memory_back(void **state) {
    tw__presence *presence = crowd(true);
    tw__person persons[101];
    (void)state;
    tw__presence_hush(presence);
    for (unsigned i = 50; i < CROWD - 50; i++) {
        leave(presence, i, 100 + i % 7);
    }
    assert_int_equal(tw__presence_expire(presence, 106), 0);
    assert_int_equal(tw__presence_untold(presence), CROWD - 100);
    tw__presence_hush(presence);
    assert_int_equal(tw__presence_sample(presence, persons, 101), 100);
    for (int i = 0; i < 100; i++) {
        char user[16];
        unsigned number = number_of(&persons[i]);
        assert_true(number < 50 || number >= CROWD - 50);
        assert_int_equal(snprintf(user, sizeof user, "user:%u", number),
                         persons[i].user_len);
        assert_memory_equal(persons[i].user, user, persons[i].user_len);
    }
    assert_true(tw__presence_bytes(presence) < 100 * 400);
    for (unsigned i = 0; i < 50; i++) {
        leave(presence, i, 0);
        leave(presence, CROWD - 1 - i, 0);
    }
    tw__presence_expire(presence, 0);
    tw__presence_hush(presence);
    assert_true(tw__presence_is_empty(presence));
    tw__presence_destroy(presence);
}

static void memory_does_not_grow_with_coming_and_going(void **state) {
    tw__presence *presence = tw__presence_create(false);
    char user[16];
    size_t bytes = 0;
    (void)state;
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(user, sizeof user, "user:%u", 1000 + i % 200);
        enter(presence, i, user, i % 3 == 0 ? "an info of some length" : "");
        enter(presence, i, user, i % 3 == 1 ? "another, a longer one" : "");
        if (i >= 100) {
            leave(presence, i - 100, i);
            tw__presence_expire(presence, i);
        }
        if (i == 1000) {
            bytes = tw__presence_bytes(presence);
        }
    }
    assert_int_equal(tw__presence_len(presence), 100);
    assert_in_range(tw__presence_bytes(presence), bytes - 100, bytes + 100);
    tw__presence_destroy(presence);
}

/* ---- without memory ---- */

static void an_entry_without_memory_changes_nothing(void **state) {
    (void)state;
    for (size_t nth = 1;; nth++) {
        tw__presence *presence = tw__presence_create(true);
        tw__alloc_fail_nth(nth);
        int err = enter(presence, 1, "ann", "x");
        if (tw__alloc_fail_nth(0) != 0) {
            assert_int_equal(err, 0);
            assert_true(nth > 6); /* it needs six blocks */
            tw__presence_destroy(presence);
            return;
        }
        assert_int_equal(err, TW_ENOMEM);
        assert_true(tw__presence_is_empty(presence));
        assert_int_equal(tw__presence_connections(presence), 0);
        assert_int_equal(enter(presence, 1, "ann", "x"), 0);
        assert_string_equal(shown(presence), "ann/1(x)");
        tw__presence_destroy(presence);
    }
}

static void an_info_that_has_no_room_leaves_the_earlier(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 1, "ann", "x");
    tw__alloc_fail_nth(1);
    assert_int_equal(enter(presence, 1, "ann", "y"), TW_ENOMEM);
    tw__alloc_fail_nth(1);
    assert_int_equal(enter(presence, 2, "ann", "y"), TW_ENOMEM);
    assert_string_equal(shown(presence), "ann/1(x)");
    tw__presence_destroy(presence);
}

static void without_memory_for_a_grace_time_there_is_none(void **state) {
    tw__presence *presence = tw__presence_create(true);
    (void)state;
    enter(presence, 1, "ann", "");
    told(presence);
    tw__alloc_fail_nth(1);
    leave(presence, 1, 1000);
    assert_int_equal(tw__alloc_fail_nth(0), 0);
    assert_int_equal(tw__presence_len(presence), 0);
    assert_string_equal(told(presence), "-ann/1");
    tw__presence_destroy(presence);
}

static void without_memory_there_is_no_presence(void **state) {
    (void)state;
    tw__alloc_fail_nth(1);
    assert_null(tw__presence_create(true));
}

static int setup(void **state) {
    static size_t live;
    live = tw__alloc_live();
    *state = &live;
    return 0;
}

static int all_is_released(void **state) {
    tw__alloc_fail_nth(0);
    return tw__alloc_live() == *(size_t *)*state ? 0 : -1;
}

#define a_test(name)                                                           \
    cmocka_unit_test_setup_teardown(name, setup, all_is_released)

int main(void) {
    const struct CMUnitTest tests[] = {
        a_test(nobody_is_in_at_first),
        a_test(a_user_with_many_connections_is_one_person),
        a_test(a_connection_without_a_user_is_a_person),
        a_test(a_user_named_as_an_id_is_another_person),
        a_test(a_later_info_replaces_the_earlier),
        a_test(the_largest_texts_are_kept),
        a_test(who_comes_back_in_time_was_never_away),
        a_test(who_does_not_come_back_leaves_at_the_end_of_its_grace),
        a_test(grace_times_end_in_the_order_of_their_ends),
        a_test(a_member_that_dies_takes_its_connections_along),
        a_test(who_only_lost_its_member_for_a_moment_never_left),
        a_test(telling_may_begin_and_end),
        a_test(who_came_and_went_untold_is_not_told),
        a_test(who_went_and_came_back_untold_is_not_told),
        a_test(who_waits_out_its_grace_is_told_to_have_come),
        a_test(joins_are_told_before_leaves),
        a_test(a_leave_that_was_taken_is_readable_until_the_next),
        a_test(a_renewal_is_not_told),
        a_test(what_is_hushed_is_not_told),
        a_test(a_presence_that_does_not_tell_keeps_nothing_to_tell),
        a_test(a_sample_begins_anywhere_and_has_nobody_twice),
        a_test(a_person_costs_a_hundred_and_fifty_bytes),
        a_test(a_crowd_that_has_gone_gives_its_memory_back),
        a_test(memory_does_not_grow_with_coming_and_going),
        a_test(an_entry_without_memory_changes_nothing),
        a_test(an_info_that_has_no_room_leaves_the_earlier),
        a_test(without_memory_for_a_grace_time_there_is_none),
        a_test(without_memory_there_is_no_presence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
