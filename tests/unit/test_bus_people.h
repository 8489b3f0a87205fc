/* test_bus_people.h - connections, users and persons, on top of
 * test_bus_state.h.
 *
 * A connection is a number below 256 at a member; of those below 200 the member
 * knows something. More lines of the journal: "act NUMBER WHAT TEXT DATA",
 * "news CHANNEL PERSONS [+USER]... [-USER]... [reset]", "fresh SLOT",
 * "persons PERSONS CONNECTIONS: USER...", "conns: MEMBER.NUMBER..." (or the
 * error's name). One without a user is /NUMBER.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TEST_BUS_PEOPLE_H
#define TEST_BUS_PEOPLE_H

#include "test_bus_state.h"

enum { KNOWN = 200, OPENED_MS = 5000 };

typedef struct conn_id {
    uint8_t bytes[TW__CONN_ID_BYTES];
} conn_id;

static inline conn_id id_of(uint16_t slot, int number) {
    conn_id id = {{(uint8_t)slot, (uint8_t)(slot >> 8), (uint8_t)number,
                   (uint8_t)(number >> 8), 'i', 'd'}};
    return id;
}

static inline int number_of(const uint8_t *id) {
    return id[2] | id[3] << 8;
}

static inline void people_on_act(void *arg, const uint8_t *id,
                                 const tw__act *act) {
    member *m = arg;
    assert_int_equal(tw__member_of_id(id), m->slot);
    journal_add(m, "act %d %d %.*s %.*s", number_of(id), act->what,
                (int)act->text_len, act->text,
                act->len < 50 ? (int)act->len : 50,
                act->len > 0 ? (const char *)act->data : "");
}

static inline bool people_describe(void *arg, const uint8_t *id,
                                   tw__conn_facts *facts) {
    member *m = arg;
    int number = number_of(id);
    if (number >= KNOWN) {
        return false;
    }
    facts->slot = m->slot;
    facts->opened_ms = OPENED_MS + number;
    facts->idle_ms = (uint64_t)number * 10;
    snprintf(facts->ip, sizeof facts->ip, "10.0.%d.%d", m->slot, number);
    return true;
}

static inline size_t add_person(char *text, size_t size, const char *sign,
                                const tw__person *person) {
    if (person->user_len == 0) {
        return (size_t)snprintf(text, size, " %s/%d", sign,
                                number_of(person->id));
    }
    return (size_t)snprintf(text, size, " %s%.*s", sign, person->user_len,
                            person->user);
}

static inline void people_on_presence(void *arg,
                                      const tw__presence_news *news) {
    member *m = arg;
    char text[500] = "";
    size_t len = 0;
    for (size_t i = 0; i < news->joined_count; i++) {
        len += add_person(text + len, sizeof text - len, "+", &news->joined[i]);
    }
    for (size_t i = 0; i < news->left_count; i++) {
        len += add_person(text + len, sizeof text - len, "-", &news->left[i]);
    }
    journal_add(m, "news %.*s %llu%s%s", (int)news->channel_len, news->channel,
                (unsigned long long)news->persons, text,
                news->is_reset ? " reset" : "");
}

static inline void people_on_fresh(void *arg, uint16_t slot) {
    journal_add(arg, "fresh %u", slot);
}

/* A world whose channels tell who comes and goes; nobody is started. */
static inline world *people_create(uint16_t slots, uint16_t extra) {
    world *w = state_create(slots, extra, 0, 0);
    state_class.has_presence = state_class.tells = true;
    w->config.locator_events =
        (tw__locator_events){.on_act = people_on_act,
                             .describe = people_describe,
                             .on_presence = people_on_presence,
                             .on_fresh = people_on_fresh};
    w->config.presence_grace_ms = 3000;
    return w;
}

static inline world *people_of(uint16_t slots) {
    world *w = people_create(slots, 0);
    for (uint16_t i = 0; i < slots; i++) {
        start(w, i);
    }
    return w;
}

static inline tw__locator *locator_of(const member *m) {
    return tw__bus_locator(m->bus);
}

/* ---- persons ---- */

static inline int try_enter(member *m, const char *channel, int number,
                            const char *user, const char *info,
                            bool is_renewal) {
    tw__locator *locator = locator_of(m);
    conn_id id = id_of(m->slot, number);
    return locator->ops->enter(locator, channel, strlen(channel), id.bytes,
                               user, strlen(user), info, strlen(info),
                               is_renewal);
}

static inline void enter(member *m, const char *channel, int number,
                         const char *user) {
    assert_int_equal(try_enter(m, channel, number, user, "", false), 0);
}

static inline void renew(member *m, const char *channel, int number,
                         const char *user) {
    assert_int_equal(try_enter(m, channel, number, user, "", true), 0);
}

static inline void leave(member *m, const char *channel, int number) {
    tw__locator *locator = locator_of(m);
    conn_id id = id_of(m->slot, number);
    assert_int_equal(
        locator->ops->leave(locator, channel, strlen(channel), id.bytes), 0);
}

static inline void people_on_persons(int status, const tw__persons *persons,
                                     void *arg) {
    member *m = arg;
    char text[500] = "";
    size_t len = 0;
    m->answers++;
    if (status != 0) {
        assert_null(persons);
        journal_add(m, "%s persons", tw_err_name(status));
        return;
    }
    for (size_t i = 0; i < persons->count && len < 400; i++) {
        len +=
            add_person(text + len, sizeof text - len, "", &persons->items[i]);
    }
    journal_add(m, "persons %llu %llu:%s", (unsigned long long)persons->persons,
                (unsigned long long)persons->connections, text);
}

static inline int try_persons(member *m, const char *channel, uint32_t limit) {
    tw__locator *locator = locator_of(m);
    return locator->ops->persons(locator, channel, strlen(channel), limit,
                                 people_on_persons, m);
}

/* The last line that begins like this, or "". */
static inline const char *last_line(const member *m, const char *begin) {
    static char line[600];
    const char *found = "", *at = journal_of(m);
    while (*at != '\0') {
        const char *end = strchr(at, '\n');
        if (strncmp(at, begin, strlen(begin)) == 0) {
            snprintf(line, sizeof line, "%.*s", (int)(end - at), at);
            found = line;
        }
        at = end + 1;
    }
    return found;
}

static inline const char *ask_persons(member *m, const char *channel,
                                      uint32_t limit) {
    unsigned answers = m->answers;
    assert_int_equal(try_persons(m, channel, limit), 0);
    UNTIL(m->world, m->answers > answers);
    return last_line(m, "persons");
}

/* ---- users ---- */

static inline int try_user_enter(member *m, const char *user, int number,
                                 uint32_t max, bool closes_newest) {
    tw__locator *locator = locator_of(m);
    conn_id id = id_of(m->slot, number);
    return locator->ops->user_enter(locator, user, strlen(user), id.bytes,
                                    OPENED_MS + number, max, closes_newest);
}

static inline void user_enter(member *m, const char *user, int number) {
    assert_int_equal(try_user_enter(m, user, number, 0, false), 0);
}

static inline void user_leave(member *m, const char *user, int number) {
    tw__locator *locator = locator_of(m);
    conn_id id = id_of(m->slot, number);
    assert_int_equal(
        locator->ops->user_leave(locator, user, strlen(user), id.bytes), 0);
}

static inline int try_user_send(member *m, const char *user, const char *text) {
    tw__locator *locator = locator_of(m);
    const tw__act act = {.what = TW__ACT_SEND,
                         .text = "t",
                         .text_len = 1,
                         .data = text,
                         .len = strlen(text)};
    return locator->ops->user_act(locator, user, strlen(user), &act);
}

static inline int try_send(member *m, conn_id id, const char *text) {
    tw__locator *locator = locator_of(m);
    const tw__act act = {.what = TW__ACT_SEND,
                         .text = "t",
                         .text_len = 1,
                         .data = text,
                         .len = strlen(text)};
    return locator->ops->act(locator, id.bytes, &act);
}

static inline void people_on_conns(int status, const tw__conn_facts *conns,
                                   size_t count, void *arg) {
    member *m = arg;
    char text[500] = "";
    size_t len = 0;
    m->answers++;
    m->last_count = count;
    if (status != 0) {
        journal_add(m, "%s conns", tw_err_name(status));
        return;
    }
    for (size_t i = 0; i < count && len < 400; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, " %u.%d",
                                conns[i].slot, number_of(conns[i].id));
        assert_int_equal(conns[i].opened_ms,
                         OPENED_MS + number_of(conns[i].id));
    }
    journal_add(m, "conns:%s", text);
}

static inline int try_conns(member *m, const char *user) {
    tw__locator *locator = locator_of(m);
    return locator->ops->user_conns(locator, user, strlen(user),
                                    people_on_conns, m);
}

static inline const char *ask_conns(member *m, const char *user) {
    unsigned answers = m->answers;
    assert_int_equal(try_conns(m, user), 0);
    UNTIL(m->world, m->answers > answers);
    return last_line(m, "conns");
}

#endif
