/* test_bus_state.h - what homes keep, on top of test_bus_world.h: a class for
 * all channels, positions in the journal, questions for what is kept and for
 * the position of what was published.
 *
 * More lines of the journal: "at NAME OFFSET" of on_position, "pos OFFSET" of
 * what was published (or the error's name). An epoch is not in it; where a test
 * needs it, it stands in the member or the answer.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TEST_BUS_STATE_H
#define TEST_BUS_STATE_H

#include "bus/engine.h"
#include "test_bus_world.h"

/* Of every channel. */
static tw__channel_class state_class;

static inline void state_class_of(void *arg, const char *channel, size_t len,
                                  tw__channel_class *class) {
    (void)arg;
    (void)channel;
    (void)len;
    *class = state_class;
}

static inline void state_on_position(void *arg, const char *channel, size_t len,
                                     const tw__position *position) {
    member *m = arg;
    m->position = *position;
    journal_add(m, "at %.*s %llu", (int)len, channel,
                (unsigned long long)position->offset);
}

/* A world whose channels keep so much; nobody is started. */
static inline world *state_create(uint16_t slots, uint16_t extra, uint32_t size,
                                  uint32_t retain) {
    world *w = world_create(slots, extra);
    state_class =
        (tw__channel_class){.history = {.size = size, .retain = retain}};
    w->config.events.class_of = state_class_of;
    w->config.events.on_position = state_on_position;
    return w;
}

static inline world *state_of(uint16_t slots, uint32_t size, uint32_t retain) {
    world *w = state_create(slots, 0, size, retain);
    for (uint16_t i = 0; i < slots; i++) {
        start(w, i);
    }
    return w;
}

/* Breaks the stream from one member to the other. */
static inline void break_stream(member *from, const member *to) {
    tw__peer_give_up(&from->bus->peers[to->slot], "the test wants it");
}

/* ---- publishing ---- */

/* KEY and ID may be NULL. */
static inline tw__pub *make_pub(const char *name, const char *key,
                                const char *id, const char *text) {
    const tw__pub_parts parts = {
        .channel = name,
        .channel_len = strlen(name),
        .key = key,
        .key_len = key != NULL ? strlen(key) : 0,
        .id = id,
        .id_len = id != NULL ? strlen(id) : 0,
        .data = text,
        .len = strlen(text),
    };
    tw__pub *pub = tw__pub_create_of(NULL, &parts);
    assert_non_null(pub);
    return pub;
}

static inline void publish_pub(member *m, tw__pub *pub) {
    assert_int_equal(m->broker->ops->publish(m->broker, pub), 0);
}

static inline void publish_key(member *m, const char *name, const char *key,
                               const char *text) {
    publish_pub(m, make_pub(name, key, NULL, text));
}

static inline void state_on_wait(int status, const tw__position *position,
                                 void *arg) {
    member *m = arg;
    m->answers++;
    if (status == 0) {
        m->position = *position;
        journal_add(m, "pos %llu", (unsigned long long)position->offset);
    } else {
        assert_null(position);
        journal_add(m, "%s", tw_err_name(status));
    }
}

static inline int try_wait(member *m, tw__pub *pub) {
    return m->broker->ops->publish_wait(m->broker, pub, state_on_wait, m);
}

/* Publishes and waits; the offset. */
static inline uint64_t publish_wait(member *m, tw__pub *pub) {
    unsigned answers = m->answers;
    assert_int_equal(try_wait(m, pub), 0);
    UNTIL(m->world, m->answers > answers);
    return m->position.offset;
}

static const char *const letters[] = {"a", "b", "c", "d", "e", "f", "g"};

/* Publishes the first letters, by the home. */
static inline void publish_letters(member *m, const char *name, int count) {
    for (int i = 0; i < count; i++) {
        publish_wait(m, make_pub(name, NULL, NULL, letters[i]));
    }
}

/* ---- what is kept ---- */

enum { LOG = TW__KEPT_LOG, SINCE = TW__KEPT_SINCE };

/* One answer, as text: "1:a 2:b" of the log, "2=k:b" of the retained. */
typedef struct kept_text {
    bool is_there;
    int status;
    tw__position position;
    uint64_t floor;
    size_t log_count, retained_count;
    char text[600];
} kept_text;

static inline void kept_add(kept_text *kept, tw__pub *pub, bool is_retained) {
    size_t len = strlen(kept->text);
    int key_len = is_retained ? pub->key_len : 0;
    snprintf(kept->text + len, sizeof kept->text - len, "%s%llu%s%.*s:%.*s",
             len > 0 ? " " : "", (unsigned long long)pub->header.offset,
             is_retained ? "=" : "", key_len, tw__pub_key(pub),
             pub->len < 20 ? (int)pub->len : 20,
             (const char *)tw__pub_data(pub));
}

static inline void state_on_kept(int status, const tw__kept *kept, void *arg) {
    kept_text *answer = arg;
    assert_false(answer->is_there);
    answer->is_there = true;
    answer->status = status;
    answer->text[0] = '\0';
    if (status != 0) {
        assert_null(kept);
        return;
    }
    answer->position = kept->position;
    answer->floor = kept->floor;
    answer->log_count = kept->log_count;
    answer->retained_count = kept->retained_count;
    for (size_t i = 0; i < kept->log_count; i++) {
        kept_add(answer, kept->log[i], false);
    }
    for (size_t i = 0; i < kept->retained_count; i++) {
        kept_add(answer, kept->retained[i], true);
    }
}

static inline int try_kept(member *m, const char *name,
                           const tw__kept_query *query, kept_text *answer) {
    memset(answer, 0, sizeof *answer);
    return m->broker->ops->kept(m->broker, name, strlen(name), query,
                                state_on_kept, answer);
}

static inline kept_text ask_kept(member *m, const char *name,
                                 tw__kept_query query) {
    static kept_text answer;
    assert_int_equal(try_kept(m, name, &query, &answer), 0);
    UNTIL(m->world, answer.is_there);
    return answer;
}

#endif
