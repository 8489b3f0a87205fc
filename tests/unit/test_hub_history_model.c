/* Histories against a model that is too simple to be wrong: arrays of all that
 * is kept, searched from one end to the other.
 *
 * Without pressure on the budget both know the same at every step. With it the
 * model does not know who gives up how much, but what is allowed: the newest of
 * a log stays without a hole, whoever was published to longest ago gives up
 * first, and what is given up is told by a higher floor or another epoch.
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
#include "hub/history.h"
#include "tidewire/errors.h"

enum { CHANNELS = 8, KEYS = 12, LOG_MAX = 128, PRESSED_BYTES = 60000 };

#ifdef __SANITIZE_ADDRESS__
enum { RUNS = 6, STEPS = 8000 };
#else
enum { RUNS = 10, STEPS = 15000 };
#endif

typedef struct item {
    uint64_t offset, at_ms, deadline_ms;
    uint32_t number; /* what is in it */
    int key;
} item;

typedef struct known {
    uint32_t id;
    uint64_t offset, at_ms;
} known;

/* One channel as the model has it. */
typedef struct mock {
    tw__history *real;
    tw__history_class class;
    tw__position at;
    uint64_t log_floor, key_floor, used;
    item log[LOG_MAX + 1], retained[KEYS + 1];
    known ids[TW__IDS_MAX];
    int log_len, retained_len, ids_len;
    bool has_passed_by, is_needed, has_given_up;
} mock;

typedef struct model {
    tw__archive archive;
    tw__pub_store store;
    mock mocks[CHANNELS];
    const mock *busy; /* it may not be asked for now */
    uint64_t now_ms, clock;
    unsigned random, most_ms;
    uint32_t next, let_go, recovered, retries;
    bool is_pressed;
} model;

static unsigned seed_now;
static bool has_finished;

static unsigned pick(model *m, unsigned bound) {
    m->random = m->random * 1103515245u + 12345u;
    return (m->random >> 12) % bound;
}

static bool is_past(const mock *c, const item *it, uint64_t now_ms) {
    return (it->deadline_ms != 0 && it->deadline_ms <= now_ms) ||
           (c->class.ttl_ms != 0 && it->at_ms + c->class.ttl_ms <= now_ms);
}

/* ---- what the model does ---- */

static void take_out(item *items, int *len, int place) {
    (*len)--;
    memmove(&items[place], &items[place + 1],
            (size_t)(*len - place) * sizeof *items);
}

static void log_pop(mock *c) {
    c->log_floor = c->log[0].offset;
    take_out(c->log, &c->log_len, 0);
}

static void retained_drop(mock *c, int place, uint64_t now_ms) {
    const item *it = &c->retained[place];
    bool is_missed = it->deadline_ms == 0 || it->deadline_ms > now_ms;
    if (is_missed && it->offset > c->key_floor) {
        c->key_floor = it->offset;
    }
    take_out(c->retained, &c->retained_len, place);
}

static void expire(const model *m, mock *c) {
    while (c->log_len > 0 && is_past(c, &c->log[0], m->now_ms)) {
        log_pop(c);
    }
    while (c->retained_len > 0 && is_past(c, &c->retained[0], m->now_ms)) {
        retained_drop(c, 0, m->now_ms);
    }
}

static void forget_ids(const model *m, mock *c) {
    int old = 0;
    while (old < c->ids_len && c->ids[old].at_ms + TW__IDS_MS <= m->now_ms) {
        old++;
    }
    c->ids_len -= old;
    memmove(c->ids, c->ids + old, (size_t)c->ids_len * sizeof *c->ids);
}

static const known *find_id(const mock *c, uint32_t id) {
    for (int i = 0; i < c->ids_len; i++) {
        if (c->ids[i].id == id) {
            return &c->ids[i];
        }
    }
    return NULL;
}

static void add_id(const model *m, mock *c, uint32_t id, uint64_t offset) {
    if (c->ids_len == TW__IDS_MAX) {
        c->ids_len--;
        memmove(c->ids, c->ids + 1, (size_t)c->ids_len * sizeof *c->ids);
    }
    c->ids[c->ids_len++] = (known){id, offset, m->now_ms};
}

static void retain(const model *m, mock *c, const item *it) {
    int place = 0;
    while (place < c->retained_len && c->retained[place].key != it->key) {
        place++;
    }
    if (place < c->retained_len) {
        take_out(c->retained, &c->retained_len, place);
    } else if (c->retained_len == (int)c->class.retain) {
        retained_drop(c, 0, m->now_ms);
    }
    c->retained[c->retained_len++] = *it;
}

static uint64_t add(const model *m, mock *c, item *it, bool wants_history) {
    expire(m, c);
    if (!wants_history) {
        return 0;
    }
    if (c->class.size == 0 && c->class.retain == 0) {
        c->has_passed_by = true;
        return 0;
    }
    it->offset = ++c->at.offset;
    if (c->class.size == 0) {
        c->log_floor = it->offset;
    } else {
        if (c->log_len == (int)c->class.size) {
            log_pop(c);
        }
        c->log[c->log_len++] = *it;
    }
    if (c->class.retain > 0) {
        retain(m, c, it);
    }
    return it->offset;
}

static void reclass(const model *m, mock *c, const tw__history_class *class) {
    bool had_retained = c->class.retain > 0;
    c->class = *class;
    if (c->has_passed_by && (class->size > 0 || class->retain > 0)) {
        c->has_passed_by = false;
        c->log_floor = ++c->at.offset;
    }
    if (!had_retained) {
        c->key_floor = c->at.offset;
    }
    while (c->log_len > (int)class->size) {
        log_pop(c);
    }
    while (c->retained_len > (int)class->retain) {
        retained_drop(c, 0, m->now_ms);
    }
    expire(m, c);
}

static uint64_t floor_of(const mock *c) {
    return c->class.size == 0 && c->class.retain > 0 ? c->key_floor
                                                     : c->log_floor;
}

/* ---- whether it is so ---- */

static size_t name_key(int key, char text[16]) {
    return key == 0 ? 0 : (size_t)sprintf(text, "key %d", key);
}

static void check_item(const item *it, tw__pub *pub) {
    char key[16];
    uint32_t number;
    assert_non_null(pub);
    assert_true(pub->len >= sizeof number);
    memcpy(&number, tw__pub_data(pub), sizeof number);
    assert_int_equal(number, it->number);
    assert_int_equal(pub->header.offset, it->offset);
    assert_int_equal(pub->header.deadline_ms, it->deadline_ms);
    assert_int_equal(pub->key_len, name_key(it->key, key));
}

static void check_log(mock *c) {
    for (int i = 0; i < c->log_len; i++) {
        check_item(&c->log[i],
                   tw__history_at(c->real, c->log_floor + 1 + (uint64_t)i));
    }
    assert_null(tw__history_at(c->real, c->log_floor));
    assert_null(tw__history_at(c->real, c->at.offset + 1));
}

static void check_retained(const model *m, mock *c) {
    void *pos = NULL;
    for (int i = 0; i < c->retained_len; i++) {
        if (!is_past(c, &c->retained[i], m->now_ms)) {
            check_item(&c->retained[i],
                       tw__history_next_retained(c->real, m->now_ms, &pos));
        }
    }
    assert_null(tw__history_next_retained(c->real, m->now_ms, &pos));
}

/* What was given up is not in the model any more: from the oldest on, and whole
 * when others were published to. */
static void learn_loss(model *m, mock *c) {
    void *pos = NULL;
    int had = c->log_len + c->retained_len;
    while (c->log_len > 0 &&
           tw__history_at(c->real, c->log[0].offset) == NULL) {
        log_pop(c);
    }
    tw__pub *oldest = tw__history_next_retained(c->real, m->now_ms, &pos);
    while (c->retained_len > 0 &&
           (oldest == NULL || c->retained[0].offset < oldest->header.offset)) {
        retained_drop(c, 0, m->now_ms);
    }
    int has = c->log_len + c->retained_len;
    c->has_given_up = has < had;
    assert_true(c == m->busy || has == had || has == 0);
}

static void check(model *m, mock *c) {
    tw__position at;
    if (c->real == NULL) {
        return;
    }
    expire(m, c);
    uint64_t floor = tw__history_floor(c->real, m->now_ms);
    assert_int_equal(floor, floor_of(c));
    tw__history_position(c->real, &at);
    assert_int_equal(at.offset, c->at.offset);
    assert_string_equal(at.epoch, c->at.epoch);
    check_log(c);
    check_retained(m, c);
}

static void check_archive(model *m) {
    uint64_t publications = 0, histories = 0;
    for (int i = 0; i < CHANNELS; i++) {
        mock *c = &m->mocks[i];
        check(m, c);
        histories += c->real != NULL;
        publications += (uint64_t)c->log_len;
        for (int k = 0; k < c->retained_len; k++) {
            uint64_t offset = c->retained[k].offset;
            publications += c->log_len == 0 || offset < c->log[0].offset;
        }
    }
    assert_int_equal(m->archive.publications, publications);
    assert_int_equal(tw__archive_len(&m->archive), histories);
}

/* After something was published: who gave up, and were those the right ones? */
static void check_pressure(model *m) {
    uint64_t newest_loser = 0;
    assert_true(m->archive.bytes <= m->archive.budget_bytes);
    for (int i = 0; i < CHANNELS; i++) {
        mock *c = &m->mocks[i];
        if (c->real == NULL) {
            continue;
        }
        expire(m, c);
        tw__history_floor(c->real, m->now_ms);
        learn_loss(m, c);
        if (c->has_given_up && c->used > newest_loser) {
            newest_loser = c->used;
        }
    }
    for (int i = 0; i < CHANNELS; i++) {
        const mock *c = &m->mocks[i];
        assert_true(c->real == NULL || c->used >= newest_loser ||
                    c->log_len + c->retained_len == 0);
    }
}

/* ---- what happens ---- */

static tw__history_class pick_class(model *m) {
    static const uint32_t sizes[] = {0, 0, 1, 3, 17, 100, LOG_MAX};
    static const uint32_t retains[] = {0, 0, 0, 1, 3, KEYS};
    return (tw__history_class){sizes[pick(m, 7)], retains[pick(m, 6)],
                               pick(m, 2) ? 0 : 1 + pick(m, m->most_ms * 100)};
}

static void forget(mock *c) {
    c->real = NULL;
    c->log_len = c->retained_len = c->ids_len = 0;
    c->log_floor = c->key_floor = c->at.offset = 0;
    c->has_passed_by = false;
}

static bool let_go(void *arg, tw__history *history) {
    model *m = arg;
    mock *c = tw__history_owner(history);
    assert_ptr_equal(c->real, history);
    assert_ptr_not_equal(c, m->busy);
    if (c->is_needed) {
        return false;
    }
    tw__history_destroy(history);
    forget(c);
    m->let_go++;
    return true;
}

static mock *open_mock(model *m, mock *c) {
    tw__position old = c->at;
    if (c->real != NULL) {
        return c;
    }
    m->busy = c;
    c->class = pick_class(m);
    c->used = ++m->clock;
    c->real = tw__history_create(&m->archive, &c->class, c);
    assert_non_null(c->real);
    check_pressure(m);
    tw__history_position(c->real, &c->at);
    assert_int_equal(c->at.offset, 0);
    assert_string_not_equal(c->at.epoch, old.epoch);
    return c;
}

/* The home died: nothing of it is left, and nothing of it is believed. */
static void crash(mock *c) {
    tw__history_destroy(c->real);
    forget(c);
}

static tw__pub *make(model *m, const item *it, uint32_t id) {
    char key[16], text[16];
    uint8_t data[1500] = {0};
    const tw__pub_parts parts = {
        .channel = "room",
        .channel_len = 4,
        .key = key,
        .key_len = name_key(it->key, key),
        .id = text,
        .id_len = id != 0 ? (size_t)sprintf(text, "id %u", id) : 0,
        .data = data,
        .len = 4 + (pick(m, 8) == 0 ? pick(m, 1400) : pick(m, 100)),
    };
    memcpy(data, &it->number, sizeof it->number);
    tw__pub *pub = tw__pub_create_of(pick(m, 2) ? &m->store : NULL, &parts);
    assert_non_null(pub);
    pub->header.deadline_ms = it->deadline_ms;
    return pub;
}

static void expect_known(model *m, mock *c, tw__pub *pub, uint32_t id) {
    uint64_t offset = 0;
    assert_int_equal(tw__history_append(c->real, pub, m->now_ms, &offset),
                     TW_EEXISTS);
    assert_int_equal(offset, find_id(c, id)->offset);
    m->retries++;
}

static void expect_taken(model *m, mock *c, tw__pub *pub, item *it,
                         uint32_t id) {
    bool wants_history = pick(m, 12) != 0;
    uint64_t offset = 0, expected;
    pub->header.flags = wants_history ? 0 : TW__PUB_NO_HISTORY;
    expected = add(m, c, it, wants_history);
    if (id != 0) {
        add_id(m, c, id, expected);
    }
    c->used = ++m->clock;
    assert_int_equal(tw__history_append(c->real, pub, m->now_ms, &offset), 0);
    assert_int_equal(offset, expected);
    assert_int_equal(pub->header.offset, expected);
}

static void publish(model *m, mock *c) {
    item it = {.at_ms = m->now_ms, .number = ++m->next, .key = 0};
    uint32_t ids = pick(m, 2) ? 200 : 5000;
    uint32_t id = pick(m, 3) == 0 ? 1 + pick(m, ids) : 0;
    it.key = (int)pick(m, KEYS);
    if (!m->is_pressed && pick(m, 5) == 0) {
        it.deadline_ms = m->now_ms + 1 + pick(m, m->most_ms * 50);
    }
    m->busy = c;
    forget_ids(m, c);
    tw__pub *pub = make(m, &it, id);
    /* Under pressure ids may be given up, too: none is published twice. */
    if (id != 0 && find_id(c, id) != NULL) {
        if (!m->is_pressed) {
            expect_known(m, c, pub, id);
        }
    } else {
        expect_taken(m, c, pub, &it, id);
        check_pressure(m);
    }
    tw__pub_unref(pub);
}

/* Somebody comes back and names the last offset that he has. */
static void recover(model *m, mock *c) {
    unsigned all = (unsigned)c->at.offset + 3;
    unsigned back = pick(m, all > 40 && pick(m, 4) != 0 ? 40 : all);
    uint64_t since = c->at.offset + 2 - back;
    expire(m, c);
    uint64_t floor = tw__history_floor(c->real, m->now_ms);
    if (c->class.size == 0 || since < floor || since > c->at.offset) {
        return;
    }
    int i = c->log_len - (int)(c->at.offset - since);
    assert_true(i >= 0);
    for (uint64_t at = since + 1; at <= c->at.offset; at++) {
        check_item(&c->log[i++], tw__history_at(c->real, at));
    }
    m->recovered += since < c->at.offset;
}

static void ask_key(model *m, mock *c, bool removes) {
    char key[16];
    int which = (int)pick(m, KEYS), place = 0;
    size_t len = name_key(which, key);
    check(m, c);
    tw__pub *pub = tw__history_latest(c->real, key, len, m->now_ms);
    while (place < c->retained_len && c->retained[place].key != which) {
        place++;
    }
    if (place == c->retained_len) {
        assert_null(pub);
        assert_false(removes && tw__history_remove(c->real, key, len));
    } else if (is_past(c, &c->retained[place], m->now_ms)) {
        assert_null(pub);
    } else {
        check_item(&c->retained[place], pub);
        if (removes) {
            retained_drop(c, place, m->now_ms);
            assert_true(tw__history_remove(c->real, key, len));
        }
    }
}

static void change_class(model *m, mock *c) {
    tw__history_class class = pick_class(m);
    reclass(m, c, &class);
    tw__history_set_class(c->real, &class, m->now_ms);
}

static void sweep(model *m) {
    for (int i = 0; i < CHANNELS; i++) {
        check(m, &m->mocks[i]);
    }
    tw__archive_sweep(&m->archive, m->now_ms, 1 + pick(m, CHANNELS * 2));
}

static void act(model *m) {
    mock *c = open_mock(m, &m->mocks[pick(m, 1 + pick(m, CHANNELS))]);
    unsigned what = pick(m, 1000);
    if (what < 700) {
        publish(m, c);
    } else if (what < 780) {
        recover(m, c);
    } else if (what < 860) {
        ask_key(m, c, what < 810);
    } else if (what < 880) {
        change_class(m, c);
    } else if (what < 890) {
        sweep(m);
    } else if (what < 892) {
        if (pick(m, 4) == 0) {
            crash(c);
        }
    } else if (what < 900) {
        c->is_needed = !c->is_needed;
    } else {
        m->now_ms += pick(m, m->most_ms);
    }
    check(m, c);
}

/* ---- the runs ---- */

static void run(model *m, unsigned seed, bool is_pressed) {
    size_t live = tw__alloc_live();
    seed_now = seed;
    memset(m, 0, sizeof *m);
    m->random = seed * 7919 + 1;
    m->is_pressed = is_pressed;
    m->most_ms = seed % 2 ? 10 : 5000;
    m->now_ms = 1000;
    tw__archive_init(&m->archive, is_pressed ? PRESSED_BYTES : SIZE_MAX, let_go,
                     m);
    for (int step = 0; step < STEPS; step++) {
        act(m);
        if (step % 32 == 0) {
            check_archive(m);
        }
    }
    check_archive(m);
    assert_true(m->recovered > 50);
    assert_true(is_pressed ? m->let_go > 0 && m->archive.given_up > 0
                           : m->let_go == 0 && m->archive.given_up == 0);
    assert_true(is_pressed || m->retries > 5);
    for (int i = 0; i < CHANNELS; i++) {
        crash(&m->mocks[i]);
    }
    assert_int_equal(m->archive.bytes, 0);
    tw__archive_deinit(&m->archive);
    tw__pub_store_deinit(&m->store);
    assert_int_equal(tw__alloc_live(), live);
}

static void run_all(unsigned first, bool is_pressed) {
    model *m = malloc(sizeof *m);
    has_finished = false;
    for (unsigned seed = first; seed < first + RUNS; seed++) {
        run(m, seed, is_pressed);
    }
    has_finished = true;
    free(m);
}

static void a_history_keeps_what_the_model_keeps(void **state) {
    (void)state;
    run_all(0, false);
}

static void under_pressure_what_is_lost_is_told(void **state) {
    (void)state;
    run_all(1000, true);
}

static int tell_seed(void **state) {
    (void)state;
    if (!has_finished) {
        print_error("the seed was %u\n", seed_now);
    }
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_history_keeps_what_the_model_keeps,
                                  tell_seed),
        cmocka_unit_test_teardown(under_pressure_what_is_lost_is_told,
                                  tell_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
