/* The connections of users. SPDX-License-Identifier: MIT */
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
#include "hub/people.h"
#include "tidewire/errors.h"

static tw__people_conn conn_of(unsigned number, uint16_t member,
                               uint64_t since_ms) {
    tw__people_conn conn = {.member = member, .since_ms = since_ms};
    memcpy(conn.id, &number, sizeof number);
    return conn;
}

static int add(tw__people *people, const char *user, unsigned number,
               uint16_t member, uint64_t since_ms) {
    tw__people_conn conn = conn_of(number, member, since_ms);
    return tw__people_add(people, user, strlen(user), &conn);
}

static bool take_away(tw__people *people, const char *user, unsigned number) {
    tw__people_conn conn = conn_of(number, 0, 0);
    return tw__people_remove(people, user, strlen(user), conn.id);
}

/* "3 1 2": the numbers of the user's connections. */
static const char *listed(const tw__people *people, const char *user) {
    static char text[4096];
    size_t count, len = 0;
    const tw__people_conn *conns =
        tw__people_of(people, user, strlen(user), &count);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        unsigned number;
        memcpy(&number, conns[i].id, sizeof number);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%u",
                                i > 0 ? " " : "", number);
    }
    return text;
}

static void nobody_has_no_connections(void **state) {
    tw__people people;
    size_t count = 7;
    (void)state;
    tw__people_init(&people);
    assert_null(tw__people_of(&people, "ann", 3, &count));
    assert_int_equal(count, 0);
    assert_false(take_away(&people, "ann", 1));
    tw__people_drop_member(&people, 0);
    assert_int_equal(tw__people_len(&people), 0);
    tw__people_deinit(&people);
}

static void connections_are_listed_oldest_first(void **state) {
    tw__people people;
    (void)state;
    tw__people_init(&people);
    assert_int_equal(add(&people, "ann", 1, 0, 50), 0);
    assert_int_equal(add(&people, "ann", 2, 1, 70), 0);
    assert_int_equal(add(&people, "ann", 3, 0, 10), 0);
    assert_int_equal(add(&people, "ann", 4, 0, 60), 0);
    assert_int_equal(add(&people, "ann", 5, 0, 60), 0);
    assert_string_equal(listed(&people, "ann"), "3 1 4 5 2");
    tw__people_deinit(&people);
}

static void a_connection_is_kept_as_it_was_given(void **state) {
    tw__people people;
    size_t count;
    (void)state;
    tw__people_init(&people);
    tw__people_conn conn = conn_of(9, 513, UINT64_C(1) << 50);
    memset(conn.id, 0xab, sizeof conn.id);
    assert_int_equal(tw__people_add(&people, "a\0b", 3, &conn), 0);
    const tw__people_conn *kept = tw__people_of(&people, "a\0b", 3, &count);
    assert_int_equal(count, 1);
    assert_memory_equal(kept->id, conn.id, sizeof conn.id);
    assert_int_equal(kept->member, 513);
    assert_true(kept->since_ms == UINT64_C(1) << 50);
    assert_null(tw__people_of(&people, "a\0c", 3, &count));
    assert_null(tw__people_of(&people, "a", 1, &count));
    tw__people_deinit(&people);
}

static void a_connection_is_added_once(void **state) {
    tw__people people;
    (void)state;
    tw__people_init(&people);
    assert_int_equal(add(&people, "ann", 1, 0, 50), 0);
    assert_int_equal(add(&people, "ann", 1, 0, 50), TW_EEXISTS);
    assert_int_equal(add(&people, "ann", 1, 2, 10), TW_EEXISTS);
    assert_int_equal(people.connections, 1);
    tw__people_deinit(&people);
}

static void the_last_connection_takes_its_user_along(void **state) {
    tw__people people;
    (void)state;
    tw__people_init(&people);
    add(&people, "ann", 1, 0, 50);
    add(&people, "ann", 2, 0, 60);
    add(&people, "bob", 3, 0, 60);
    assert_int_equal(tw__people_len(&people), 2);
    assert_int_equal(people.connections, 3);
    assert_true(take_away(&people, "ann", 1));
    assert_false(take_away(&people, "ann", 1));
    assert_false(take_away(&people, "bob", 2));
    assert_string_equal(listed(&people, "ann"), "2");
    assert_true(take_away(&people, "ann", 2));
    assert_string_equal(listed(&people, "ann"), "");
    assert_int_equal(tw__people_len(&people), 1);
    assert_int_equal(people.connections, 1);
    assert_string_equal(listed(&people, "bob"), "3");
    tw__people_deinit(&people);
}

static void a_dead_member_takes_its_connections_along(void **state) {
    tw__people people;
    (void)state;
    tw__people_init(&people);
    for (unsigned i = 0; i < 12; i++) {
        add(&people, "ann", i, (uint16_t)(i % 3), i);
    }
    add(&people, "bob", 20, 1, 5);
    add(&people, "cid", 21, 2, 5);
    tw__people_drop_member(&people, 1);
    assert_string_equal(listed(&people, "ann"), "0 2 3 5 6 8 9 11");
    assert_string_equal(listed(&people, "bob"), "");
    assert_string_equal(listed(&people, "cid"), "21");
    assert_int_equal(tw__people_len(&people), 2);
    assert_int_equal(people.connections, 9);
    tw__people_deinit(&people);
}

static void the_longest_name_is_a_name(void **state) {
    tw__people people;
    char name[TW__USER_MAX + 1];
    (void)state;
    tw__people_init(&people);
    memset(name, 'x', TW__USER_MAX);
    name[TW__USER_MAX] = '\0';
    assert_int_equal(add(&people, name, 1, 0, 0), 0);
    assert_int_equal(add(&people, name + 1, 2, 0, 0), 0);
    assert_string_equal(listed(&people, name), "1");
    assert_string_equal(listed(&people, name + 1), "2");
    tw__people_deinit(&people);
}

static void a_user_with_one_connection_costs_a_hundred_bytes(void **state) {
    enum { USERS = 100000 };
    tw__people people;
    char name[16];
    (void)state;
    tw__people_init(&people);
    for (unsigned i = 0; i < USERS; i++) {
        snprintf(name, sizeof name, "user:%u", i);
        assert_int_equal(add(&people, name, i, (uint16_t)(i % 4), i), 0);
    }
    assert_true(people.bytes / USERS <= 100);
    for (uint16_t member = 0; member < 3; member++) {
        tw__people_drop_member(&people, member);
    }
    assert_int_equal(tw__people_len(&people), USERS / 4);
    assert_true(people.bytes < USERS / 4 * 110);
    tw__people_drop_member(&people, 3);
    assert_int_equal(people.connections, 0);
    assert_true(people.bytes < 1000);
    tw__people_deinit(&people);
}

static void
a_user_with_very_many_connections_gives_its_memory_back(void **state) {
    enum { MANY = 3000 };
    tw__people people;
    size_t count;
    (void)state;
    tw__people_init(&people);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(add(&people, "ann", i, (uint16_t)(i % 2), i), 0);
    }
    tw__people_drop_member(&people, 0);
    tw__people_of(&people, "ann", 3, &count);
    assert_int_equal(count, MANY / 2);
    for (unsigned i = 1; i < MANY - 2; i += 2) {
        assert_true(take_away(&people, "ann", i));
    }
    assert_string_equal(listed(&people, "ann"), "2999");
    assert_true(people.bytes < 1000);
    tw__people_deinit(&people);
}

static void without_memory_nothing_has_changed(void **state) {
    (void)state;
    for (size_t nth = 1; nth <= 3; nth++) {
        tw__people people;
        tw__people_init(&people);
        tw__alloc_fail_nth(nth);
        assert_int_equal(add(&people, "ann", 1, 0, 1), TW_ENOMEM);
        assert_int_equal(tw__alloc_fail_nth(0), 0);
        assert_int_equal(tw__people_len(&people), 0);
        assert_string_equal(listed(&people, "ann"), "");
        assert_int_equal(add(&people, "ann", 1, 0, 1), 0);
        tw__alloc_fail_nth(1);
        assert_int_equal(add(&people, "ann", 2, 0, 2), TW_ENOMEM);
        assert_string_equal(listed(&people, "ann"), "1");
        assert_int_equal(people.connections, 1);
        tw__people_deinit(&people);
    }
}

/* ---- against a model: which connection is whose, and where ---- */

enum { CONNS = 60, USERS = 7 };

typedef struct model {
    tw__people people;
    bool is_in[CONNS];
    uint16_t member[CONNS];
    uint64_t since_ms[CONNS];
    uint64_t order[CONNS], next; /* of adding */
    unsigned seed, random;
    int step;
} model;

#define check(m, what)                                                         \
    do {                                                                       \
        if (!(what)) {                                                         \
            fail_msg("seed %u, step %d: %s", (m)->seed, (m)->step, #what);     \
        }                                                                      \
    } while (0)

static unsigned pick(model *m, unsigned bound) {
    m->random = m->random * 1103515245u + 12345u;
    return (m->random >> 12) % bound;
}

static const char *const names[USERS] = {
    "a",
    "b",
    "ab",
    "a longer name",
    "ba",
    "\xc3\xa4",
    "a name so long that another block is needed to keep it, you see"};

/* Of a few users most of the connections, of the others one. */
static const char *name_of(unsigned i) {
    return names[i % 4 == 0 ? i / 4 % USERS : i % 2];
}

static bool is_before(const model *m, unsigned a, unsigned b) {
    return m->since_ms[a] != m->since_ms[b] ? m->since_ms[a] < m->since_ms[b]
                                            : m->order[a] < m->order[b];
}

static void check_user(model *m, const char *name) {
    size_t count, expected = 0;
    const tw__people_conn *conns =
        tw__people_of(&m->people, name, strlen(name), &count);
    for (unsigned i = 0; i < CONNS; i++) {
        expected += m->is_in[i] && strcmp(name_of(i), name) == 0;
    }
    check(m, count == expected);
    for (size_t i = 0, before = 0; i < count; i++) {
        unsigned number;
        memcpy(&number, conns[i].id, sizeof number);
        check(m, number < CONNS && m->is_in[number]);
        check(m, strcmp(name_of(number), name) == 0);
        check(m, conns[i].member == m->member[number]);
        check(m, conns[i].since_ms == m->since_ms[number]);
        check(m, i == 0 || is_before(m, (unsigned)before, number));
        before = number;
    }
}

static void check_all(model *m) {
    uint64_t connections = 0, users = 0;
    for (unsigned i = 0; i < CONNS; i++) {
        connections += m->is_in[i];
    }
    for (int i = 0; i < USERS; i++) {
        size_t count;
        check_user(m, names[i]);
        tw__people_of(&m->people, names[i], strlen(names[i]), &count);
        users += count > 0;
    }
    check(m, m->people.connections == connections);
    check(m, tw__people_len(&m->people) == users);
}

static void come(model *m, unsigned i) {
    uint16_t member = (uint16_t)pick(m, 4);
    uint64_t since_ms = pick(m, 50);
    int err = add(&m->people, name_of(i), i, member, since_ms);
    check(m, m->is_in[i] ? err == TW_EEXISTS : err == 0 || err == TW_ENOMEM);
    if (err == 0) {
        m->is_in[i] = true;
        m->member[i] = member;
        m->since_ms[i] = since_ms;
        m->order[i] = m->next++;
    }
}

static void go(model *m, unsigned i) {
    check(m, take_away(&m->people, name_of(i), i) == m->is_in[i]);
    m->is_in[i] = false;
}

static void die(model *m, uint16_t member) {
    tw__people_drop_member(&m->people, member);
    for (unsigned i = 0; i < CONNS; i++) {
        m->is_in[i] = m->is_in[i] && m->member[i] != member;
    }
}

static void run(model *m, unsigned seed, bool is_memory_short) {
    memset(m, 0, sizeof *m);
    m->seed = m->random = seed;
    tw__people_init(&m->people);
    for (m->step = 0; m->step < 1000; m->step++) {
        unsigned what = pick(m, 40);
        tw__alloc_fail_nth(is_memory_short ? pick(m, 4) : 0);
        if (what == 0) {
            die(m, (uint16_t)pick(m, 4));
        } else if (what < 24) {
            come(m, pick(m, CONNS));
        } else {
            go(m, pick(m, CONNS));
        }
        tw__alloc_fail_nth(0);
        check_all(m);
    }
    tw__people_deinit(&m->people);
}

static void connections_are_those_of_the_model(void **state) {
    model m;
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        run(&m, seed, false);
    }
}

static void with_little_memory_they_are_too(void **state) {
    model m;
    (void)state;
    for (unsigned seed = 100; seed <= 120; seed++) {
        run(&m, seed, true);
    }
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
        a_test(nobody_has_no_connections),
        a_test(connections_are_listed_oldest_first),
        a_test(a_connection_is_kept_as_it_was_given),
        a_test(a_connection_is_added_once),
        a_test(the_last_connection_takes_its_user_along),
        a_test(a_dead_member_takes_its_connections_along),
        a_test(the_longest_name_is_a_name),
        a_test(a_user_with_one_connection_costs_a_hundred_bytes),
        a_test(a_user_with_very_many_connections_gives_its_memory_back),
        a_test(without_memory_nothing_has_changed),
        a_test(connections_are_those_of_the_model),
        a_test(with_little_memory_they_are_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
