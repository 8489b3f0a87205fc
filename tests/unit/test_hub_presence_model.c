/* The presence against a model that is too simple to be wrong: for every
 * connection whether it is in, for every person whether it is in and what has
 * been told of it.
 *
 * SPDX-License-Identifier: MIT */
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

enum { CONNS = 400, USERS = 130, PERSONS = USERS + CONNS, INFO = 6 };

typedef struct being {
    bool is_in;   /* by a connection, or in its grace time */
    bool is_told; /* to be in */
    bool has_grace;
    uint32_t connections;
    uint64_t ends_ms;
    unsigned id; /* the connection it is known by */
    char info[INFO + 1];
} being;

typedef struct model {
    tw__presence *presence;
    bool tells;
    bool is_in[CONNS];
    uint16_t member[CONNS];
    being beings[PERSONS];
    uint64_t now_ms;
    uint32_t taken;
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

/* ---- who is who ---- */

static bool has_user(unsigned conn) {
    return conn % 4 != 0;
}

/* User 1 has very many connections, the others three. */
static unsigned person_of(unsigned conn) {
    if (!has_user(conn)) {
        return USERS + conn;
    }
    return conn % 7 == 0 ? 1 : conn % USERS;
}

static void make_id(uint8_t id[TW__PRESENCE_ID], unsigned conn) {
    memset(id, 0x55, TW__PRESENCE_ID);
    memcpy(id + 4, &conn, sizeof conn);
}

static size_t make_user(char user[32], unsigned conn) {
    user[0] = '\0';
    if (!has_user(conn)) {
        return 0;
    }
    return (size_t)snprintf(user, 32, "user %u", person_of(conn));
}

static being *being_of(model *m, const tw__person *person) {
    unsigned conn;
    memcpy(&conn, person->id + 4, sizeof conn);
    check(m, conn < CONNS);
    being *b = &m->beings[person_of(conn)];
    char user[32];
    size_t len = make_user(user, conn);
    check(m, b->id == conn);
    check(m, person->user_len == len);
    check(m, memcmp(person->user, user, len) == 0);
    check(m, person->info_len == strlen(b->info));
    check(m, memcmp(person->info, b->info, person->info_len) == 0);
    check(m, person->connections == b->connections);
    return b;
}

/* ---- checks ---- */

static void check_figures(model *m) {
    uint64_t len = 0, connections = 0, untold = 0;
    for (unsigned i = 0; i < CONNS; i++) {
        connections += m->is_in[i];
    }
    for (unsigned i = 0; i < PERSONS; i++) {
        len += m->beings[i].is_in;
        untold += m->beings[i].is_in != m->beings[i].is_told;
    }
    check(m, tw__presence_len(m->presence) == len);
    check(m, tw__presence_connections(m->presence) == connections);
    check(m, tw__presence_untold(m->presence) == untold);
    check(m, tw__presence_is_empty(m->presence) == (len + untold == 0));
}

static void check_sample(model *m, size_t limit) {
    static tw__person persons[PERSONS];
    static bool seen[PERSONS];
    uint64_t len = tw__presence_len(m->presence);
    size_t count = tw__presence_sample(m->presence, persons, limit);
    memset(seen, 0, sizeof seen);
    check(m, count == (limit < len ? limit : len));
    for (size_t i = 0; i < count; i++) {
        being *b = being_of(m, &persons[i]);
        check(m, b->is_in);
        check(m, !seen[b - m->beings]);
        seen[b - m->beings] = true;
    }
}

static uint64_t first_end(const model *m) {
    uint64_t first = 0;
    for (unsigned i = 0; i < PERSONS; i++) {
        const being *b = &m->beings[i];
        if (b->has_grace && (first == 0 || b->ends_ms < first)) {
            first = b->ends_ms;
        }
    }
    return first;
}

/* ---- what happens ---- */

static void fall_silent(model *m, being *b) {
    if (!m->tells) {
        b->is_told = b->is_in;
    }
}

static void come(model *m, unsigned conn) {
    uint8_t id[TW__PRESENCE_ID];
    char user[32], info[INFO + 1] = "";
    size_t user_len = make_user(user, conn);
    uint16_t member = (uint16_t)pick(m, 3);
    bool is_renewal = pick(m, 4) == 0;
    being *b = &m->beings[person_of(conn)];
    make_id(id, conn);
    memset(info, 'a' + (char)pick(m, 3), pick(m, INFO + 1));
    int err = tw__presence_enter(m->presence, member, id, user, user_len, info,
                                 strlen(info), is_renewal);
    if (err == TW_ENOMEM) {
        return;
    }
    check(m, err == (m->is_in[conn] ? TW_EEXISTS : 0));
    strcpy(b->info, info);
    m->member[conn] = member;
    if (m->is_in[conn]) {
        return;
    }
    m->is_in[conn] = true;
    b->connections++;
    if (!b->is_in && !b->is_told) {
        b->id = conn;
        b->is_told = is_renewal;
    }
    b->is_in = true;
    b->has_grace = false;
    fall_silent(m, b);
}

/* Who leaves without a user goes at once, and so may anybody without memory. */
static void lose(model *m, unsigned conn, uint64_t gone_ms, bool went) {
    being *b = &m->beings[person_of(conn)];
    m->is_in[conn] = false;
    if (--b->connections > 0) {
        return;
    }
    if (!went) {
        b->has_grace = true;
        b->ends_ms = gone_ms;
        return;
    }
    b->is_in = false;
    fall_silent(m, b);
}

static void go(model *m, unsigned conn) {
    uint8_t id[TW__PRESENCE_ID];
    uint64_t gone_ms = m->now_ms + 1 + pick(m, 200);
    uint64_t before = tw__presence_len(m->presence);
    make_id(id, conn);
    tw__presence_leave(m->presence, id, gone_ms);
    if (m->is_in[conn]) {
        bool went = tw__presence_len(m->presence) < before;
        lose(m, conn, gone_ms, !has_user(conn) || went);
    }
}

static void die(model *m, uint16_t member) {
    uint64_t gone_ms = m->now_ms + 1 + pick(m, 200);
    tw__presence_drop_member(m->presence, member, gone_ms);
    for (unsigned i = 0; i < CONNS; i++) {
        if (m->is_in[i] && m->member[i] == member) {
            lose(m, i, gone_ms, false);
        }
    }
}

static void wait(model *m, unsigned ms) {
    m->now_ms += ms;
    uint64_t next = tw__presence_expire(m->presence, m->now_ms);
    for (unsigned i = 0; i < PERSONS; i++) {
        being *b = &m->beings[i];
        if (b->has_grace && b->ends_ms <= m->now_ms) {
            b->has_grace = b->is_in = false;
            fall_silent(m, b);
        }
    }
    check(m, next == first_end(m));
}

static void take(model *m, unsigned count) {
    tw__person person;
    bool is_join;
    while (count-- > 0 && tw__presence_take(m->presence, &is_join, &person)) {
        bool has_joins = false;
        for (unsigned i = 0; i < PERSONS; i++) {
            has_joins |= m->beings[i].is_in && !m->beings[i].is_told;
        }
        being *b = being_of(m, &person);
        check(m, is_join == has_joins);
        check(m, b->is_in == is_join);
        check(m, b->is_told != is_join);
        b->is_told = is_join;
        m->taken++;
    }
}

static void hush(model *m) {
    tw__presence_hush(m->presence);
    for (unsigned i = 0; i < PERSONS; i++) {
        m->beings[i].is_told = m->beings[i].is_in;
    }
}

/* They come for a while, then they go: few are left when it turns. */
static void act(model *m, bool is_memory_short) {
    unsigned what = pick(m, 200), conn = pick(m, CONNS);
    bool is_filling = m->step / 700 % 2 == 0;
    if (what == 0) {
        hush(m);
    } else if (what == 1 && !is_memory_short) {
        die(m, (uint16_t)pick(m, 3));
    } else if (what < 10) {
        wait(m, pick(m, 100));
    } else if (what < 20) {
        take(m, pick(m, 40));
    } else if (what < (is_filling ? 150u : 35u)) {
        come(m, conn);
    } else {
        go(m, conn);
    }
}

static void run(model *m, unsigned seed, bool is_memory_short) {
    memset(m, 0, sizeof *m);
    m->seed = m->random = seed;
    m->now_ms = 1000;
    m->tells = seed % 4 != 0;
    m->presence = tw__presence_create(m->tells);
    for (m->step = 0; m->step < 2800; m->step++) {
        tw__alloc_fail_nth(is_memory_short ? pick(m, 5) : 0);
        act(m, is_memory_short);
        tw__alloc_fail_nth(0);
        check_figures(m);
        if (m->step % 20 == 0) {
            check_sample(m, m->step % 40 == 0 ? PERSONS : pick(m, 20));
        }
    }
    wait(m, 1000);
    take(m, PERSONS);
    check_figures(m);
    check(m, m->tells == (m->taken > 0));
    tw__presence_destroy(m->presence);
}

static void run_seeds(unsigned first, unsigned count, bool is_memory_short) {
    size_t live = tw__alloc_live();
    model *m = malloc(sizeof *m);
    for (unsigned seed = first; seed < first + count; seed++) {
        run(m, seed, is_memory_short);
    }
    free(m);
    assert_int_equal(tw__alloc_live(), live);
}

static void persons_and_what_is_told_are_those_of_the_model(void **state) {
    (void)state;
    run_seeds(1, 12, false);
}

static void with_little_memory_they_are_too(void **state) {
    (void)state;
    run_seeds(101, 12, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(persons_and_what_is_told_are_those_of_the_model),
        cmocka_unit_test(with_little_memory_they_are_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
