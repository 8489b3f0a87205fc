/* test_bus_session.h - two members that use everything homes keep, while
 * something fails: what is refused is tried again, and what is answered may be
 * an error. In the end, when nothing fails any more, everything works.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TEST_BUS_SESSION_H
#define TEST_BUS_SESSION_H

#include "test_bus_people.h"

/* Until it is taken; `call` is an expression. */
#define REPEAT(call)                                                           \
    do {                                                                       \
        int err_;                                                              \
        while ((err_ = (call)) != 0) {                                         \
            assert_true(err_ == TW_ENOMEM || err_ == TW_EUNAVAILABLE ||        \
                        err_ == TW_EOVERLOADED);                               \
        }                                                                      \
    } while (0)

static char session_channels[2][64]; /* at home in 0 and in 1 */

static inline int session_publish(member *m, const char *name, const char *key,
                                  const char *id) {
    const tw__pub_parts parts = {.channel = name,
                                 .channel_len = strlen(name),
                                 .key = key,
                                 .key_len = strlen(key),
                                 .id = id,
                                 .id_len = strlen(id),
                                 .data = "data",
                                 .len = 4};
    tw__pub *pub = tw__pub_create_of(NULL, &parts);
    return pub == NULL ? TW_ENOMEM : try_wait(m, pub);
}

static inline int session_remove(member *m, const char *name) {
    return m->broker->ops->remove(m->broker, name, strlen(name), "k1", 2);
}

static inline int session_leave(member *m, const char *name, int number) {
    tw__locator *locator = locator_of(m);
    conn_id id = id_of(m->slot, number);
    return locator->ops->leave(locator, name, strlen(name), id.bytes);
}

static inline int session_user_leave(member *m, const char *user, int number) {
    tw__locator *locator = locator_of(m);
    conn_id id = id_of(m->slot, number);
    return locator->ops->user_leave(locator, user, strlen(user), id.bytes);
}

/* The world of it; nobody is started. */
static inline world *session_create(void) {
    world *w = people_create(2, 0);
    state_class.history = (tw__history_class){.size = 4, .retain = 3};
    for (uint16_t home = 0; home < 2; home++) {
        snprintf(session_channels[home], sizeof session_channels[home], "%s",
                 name_at(w, home, home));
    }
    return w;
}

/* What goes to homes, in the order of publications. */
static inline void session_send(member *m, const char *name) {
    static const char *const keys[] = {"k1", "k2", "k3", "k4"};
    for (int i = 0; i < 8; i++) {
        REPEAT(session_publish(m, name, keys[i % 4], i % 3 == 0 ? "i" : ""));
    }
    REPEAT(try_enter(m, name, 1, "ann", "info", false));
    REPEAT(try_enter(m, name, 2, "", "", false));
    REPEAT(try_enter(m, name, 3, "bob", "", false));
    REPEAT(session_leave(m, name, 2));
    REPEAT(try_user_enter(m, name, 1, 2, false));
    REPEAT(try_user_enter(m, name, 2, 2, false));
    REPEAT(try_user_enter(m, name, 3, 2, false));
    REPEAT(try_user_send(m, name, "text"));
    REPEAT(try_send(m, id_of(0, 1), "text"));
    REPEAT(try_send(m, id_of(1, 1), "text"));
    REPEAT(session_remove(m, name));
    REPEAT(session_user_leave(m, name, 3));
}

static inline void session_ask(member *m, const char *name) {
    static kept_text kept; /* one at a time */
    const tw__kept_query query = {.what = TW__KEPT_LOG | TW__KEPT_RETAINED};
    unsigned answers = m->answers;
    REPEAT(try_kept(m, name, &query, &kept));
    REPEAT(try_persons(m, name, 5));
    REPEAT(try_conns(m, name));
    REPEAT(try_count(m, name));
    UNTIL(m->world, kept.is_there && m->answers >= answers + 3);
}

static inline void session_run(world *w) {
    for (uint16_t slot = 0; slot < 2; slot++) {
        member *m = &w->members[slot];
        for (int home = 0; home < 2; home++) {
            REPEAT(try_interest(m, session_channels[home]));
        }
    }
    for (uint16_t slot = 0; slot < 2; slot++) {
        member *m = &w->members[slot];
        for (int home = 0; home < 2; home++) {
            session_send(m, session_channels[home]);
            session_ask(m, session_channels[home]);
        }
    }
    for (uint16_t slot = 0; slot < 2; slot++) {
        session_send(&w->members[slot], session_channels[1 - slot]);
        break_stream(&w->members[slot], &w->members[1 - slot]);
    }
    UNTIL(w, tw__bus_is_idle(w->members[0].bus) &&
                 tw__bus_is_idle(w->members[1].bus));
    for (int i = 0; i < 8; i++) {
        world_pass(w, 500);
    }
}

/* Every question has its answer: 2 interests, for each of 2 channels 8
 * publications and 3 questions (what is kept is counted elsewhere), and 8
 * publications when the streams broke. */
enum { SESSION_ANSWERS = 2 + 2 * (8 + 3) + 8 };

/* Nothing fails any more. What a member is, it tells again, as after on_fresh.
 */
static inline void session_works(world *w) {
    for (uint16_t slot = 0; slot < 2; slot++) {
        UNTIL(w, w->members[slot].answers == SESSION_ANSWERS);
        journal_clear(&w->members[slot]);
    }
    for (uint16_t slot = 0; slot < 2; slot++) {
        member *m = &w->members[slot], *other = &w->members[1 - slot];
        for (int home = 0; home < 2; home++) {
            const char *name = session_channels[home];
            char last[200];
            uint64_t offset =
                publish_wait(m, make_pub(name, "k9", NULL, "last"));
            assert_true(offset > 0);
            snprintf(last, sizeof last, "pub %s last", name);
            UNTIL(w, last_line(other, last)[0] != '\0');
            kept_text kept =
                ask_kept(m, name, (tw__kept_query){.what = TW__KEPT_LOG});
            assert_int_equal(kept.position.offset, offset);
            assert_true(kept.log_count >= 1 && kept.log_count <= 4);
            assert_int_equal(kept.floor, offset - kept.log_count);
            enter(m, name, 100 + slot, "zoe");
            user_enter(m, name, 100 + slot);
            UNTIL(w, tw__bus_is_idle(m->bus));
            UNTIL(w, strstr(ask_persons(m, name, 99), "zoe") != NULL);
            UNTIL(w, strstr(ask_conns(m, name), ".10") != NULL);
            assert_int_equal(try_send(m, id_of(1 - slot, 50), last), 0);
            UNTIL(w, strstr(journal_of(other), "act 50 ") != NULL);
        }
    }
}

#endif
