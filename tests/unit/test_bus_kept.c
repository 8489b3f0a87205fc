/* What the home of a channel keeps: positions, questions for what was missed,
 * and what is told when the channel stands elsewhere.
 * SPDX-License-Identifier: MIT */
#include "test_bus_state.h"

static void note_offset(member *m, tw__pub *pub) {
    journal_add(m, "offset %llu", (unsigned long long)pub->header.offset);
}

/* ---- positions ---- */

static void all_members_are_told_the_same_offsets(void **state) {
    (void)state;
    world *w = state_of(3, 10, 0);
    const char *a = name_at(w, 1, 0);
    for (int i = 0; i < 3; i++) {
        w->members[i].on_publication = note_offset;
        subscribe(&w->members[i], a);
        assert_int_equal(strlen(w->members[i].position.epoch), TW__EPOCH_MAX);
        assert_string_equal(w->members[i].position.epoch,
                            w->members[0].position.epoch);
        journal_clear(&w->members[i]);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(publish(&w->members[i], a, "x"), 0);
        UNTIL(w, is_quiet(w));
    }
    char want[200];
    snprintf(want, sizeof want,
             "pub %s x\noffset 1\npub %s x\noffset 2\npub %s x\noffset 3\n", a,
             a, a);
    for (int i = 0; i < 3; i++) {
        UNTIL(w, w->members[i].publications == 3);
        assert_string_equal(journal_of(&w->members[i]), want);
    }
    world_destroy(w);
}

static void a_confirmation_tells_where_the_channel_stands(void **state) {
    (void)state;
    world *w = state_of(2, 10, 0);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    publish_letters(far, a, 3);
    subscribe(far, a);
    assert_int_equal(far->position.offset, 3);
    subscribe(home, a);
    assert_int_equal(home->position.offset, 3);
    assert_string_equal(home->position.epoch, far->position.epoch);
    world_destroy(w);
}

static void what_is_kept_passes_a_channel_that_keeps_nothing_by(void **state) {
    (void)state;
    world *w = state_of(2, 0, 0);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0];
    subscribe(far, a);
    assert_string_equal(far->position.epoch, "");
    assert_int_equal(publish_wait(far, make_pub(a, NULL, NULL, "x")), 0);
    assert_string_equal(far->position.epoch, "");
    kept_text kept = ask_kept(far, a, (tw__kept_query){.what = LOG});
    assert_int_equal(kept.status, 0);
    assert_string_equal(kept.position.epoch, "");
    assert_string_equal(kept.text, "");
    assert_int_equal(tw__bus_get_stats(w->members[1].bus)->histories, 0);
    world_destroy(w);
}

/* Interest and publication come in one piece, so that the confirmation is owed
 * when the publication passes. */
static void what_follows_a_confirmation_lies_behind_its_position(void **state) {
    (void)state;
    world *w = state_of(2, 10, 0);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0];
    assert_int_equal(count_of(far, a), 0); /* the link is up */
    interest(far, a);
    assert_int_equal(publish(far, a, "x"), 0);
    UNTIL(w, far->confirms == 1 && is_quiet(w));
    if (far->publications == 0) {
        assert_int_equal(far->position.offset, 1);
    } else {
        assert_int_equal(far->position.offset, 0);
    }
    world_destroy(w);
}

static void a_publisher_may_wait_for_the_position(void **state) {
    (void)state;
    world *w = state_of(2, 10, 0);
    const char *near = name_at(w, 0, 0), *away = name_at(w, 1, 0);
    member *m = &w->members[0];
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(publish_wait(m, make_pub(near, NULL, NULL, "x")), i);
        assert_int_equal(strlen(m->position.epoch), TW__EPOCH_MAX);
        assert_int_equal(publish_wait(m, make_pub(away, NULL, NULL, "x")), i);
        assert_int_equal(strlen(m->position.epoch), TW__EPOCH_MAX);
    }
    tw__pub *pub = make_pub(away, NULL, NULL, "not kept");
    pub->header.flags |= TW__PUB_NO_HISTORY;
    assert_int_equal(publish_wait(m, pub), 0);
    assert_int_equal(publish_wait(m, make_pub(away, NULL, NULL, "x")), 4);
    world_destroy(w);
}

static void a_publication_with_a_known_id_is_the_first_one(void **state) {
    (void)state;
    world *w = state_of(2, 10, 0);
    member *m = &w->members[0];
    for (uint16_t home = 0; home < 2; home++) {
        const char *a = name_at(w, home, 0);
        subscribe(m, a);
        unsigned before = m->publications;
        assert_int_equal(publish_wait(m, make_pub(a, NULL, "i", "x")), 1);
        assert_int_equal(publish_wait(m, make_pub(a, NULL, NULL, "y")), 2);
        for (uint16_t from = 0; from < 2; from++) {
            member *sender = &w->members[from];
            assert_int_equal(publish_wait(sender, make_pub(a, NULL, "i", "x")),
                             1);
        }
        UNTIL(w, is_quiet(w));
        assert_int_equal(m->publications, before + 2);
        assert_int_equal(
            tw__bus_get_stats(w->members[home].bus)->publications_doubled, 2);
        assert_string_equal(ask_kept(m, a, (tw__kept_query){.what = LOG}).text,
                            "1:x 2:y");
    }
    world_destroy(w);
}

static void ids_are_known_where_nothing_is_kept(void **state) {
    (void)state;
    world *w = state_of(2, 0, 0);
    member *m = &w->members[0];
    for (uint16_t home = 0; home < 2; home++) {
        const char *a = name_at(w, home, 0);
        subscribe(m, a);
        unsigned before = m->publications;
        for (int i = 0; i < 3; i++) {
            assert_int_equal(publish_wait(m, make_pub(a, NULL, "i", "x")), 0);
        }
        UNTIL(w, is_quiet(w));
        assert_int_equal(m->publications, before + 1);
    }
    world_destroy(w);
}

/* ---- questions ---- */

typedef struct expected {
    tw__kept_query query;
    const char *text;
    uint64_t floor;
} expected;

/* Asks the home and another member; {since.epoch} is filled in where the query
 * says SINCE and has none. */
static void check_queries(world *w, const char *name, const expected *all,
                          size_t count) {
    tw__position now =
        ask_kept(&w->members[0], name, (tw__kept_query){.what = 0}).position;
    for (size_t i = 0; i < count; i++) {
        for (uint16_t asker = 0; asker < 2; asker++) {
            tw__kept_query query = all[i].query;
            if ((query.what & SINCE) && query.since.epoch[0] == '\0') {
                memcpy(query.since.epoch, now.epoch, sizeof now.epoch);
            }
            kept_text kept = ask_kept(&w->members[asker], name, query);
            assert_int_equal(kept.status, 0);
            if (strcmp(kept.text, all[i].text) != 0 ||
                kept.floor != all[i].floor) {
                fail_msg("question %zu: \"%s\", floor %llu", i, kept.text,
                         (unsigned long long)kept.floor);
            }
            assert_string_equal(kept.position.epoch, now.epoch);
            assert_int_equal(kept.position.offset, now.offset);
        }
    }
}

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define BACK (LOG | TW__KEPT_REVERSE)
#define AT(offset_)                                                            \
    { offset_, "" }

/* What one of the letters takes. */
static size_t letter_bytes(const char *name) {
    return TW__RECORD_HEADER + strlen(name) + 1;
}

static void the_log_is_told_as_it_is_asked_for(void **state) {
    (void)state;
    world *w = state_of(2, 4, 0);
    const char *a = name_at(w, 1, 0);
    size_t one = letter_bytes(a);
    publish_letters(&w->members[0], a, 6); /* "3:c" is the oldest */
    const expected all[] = {
        {{.what = LOG}, "3:c 4:d 5:e 6:f", 2},
        {{.what = LOG | SINCE, .since = AT(0)}, "3:c 4:d 5:e 6:f", 2},
        {{.what = LOG | SINCE, .since = AT(2)}, "3:c 4:d 5:e 6:f", 2},
        {{.what = LOG | SINCE, .since = AT(3)}, "4:d 5:e 6:f", 3},
        {{.what = LOG | SINCE, .since = AT(6)}, "", 6},
        /* pages */
        {{.what = LOG, .limit = 2}, "3:c 4:d", 2},
        {{.what = LOG | SINCE, .since = AT(4), .limit = 1}, "5:e", 4},
        {{.what = LOG | SINCE, .since = AT(4), .limit = 9}, "5:e 6:f", 4},
        {{.what = LOG, .limit = 9, .limit_bytes = 3 * one + 1},
         "3:c 4:d 5:e",
         2},
        {{.what = LOG, .limit = 9, .limit_bytes = 1}, "3:c", 2},
        /* the newest that fit */
        {{.what = LOG, .limit_bytes = 2 * one}, "5:e 6:f", 4},
        {{.what = LOG | SINCE, .since = AT(3), .limit_bytes = 2 * one},
         "5:e 6:f",
         4},
        {{.what = LOG | SINCE, .since = AT(4), .limit_bytes = 2 * one},
         "5:e 6:f",
         4},
        /* nothing fits: nothing was told of what is behind */
        {{.what = LOG | SINCE, .since = AT(3), .limit_bytes = 1}, "", 6},
        {{.what = LOG, .limit_bytes = 1}, "", 6},
        /* backwards */
        {{.what = BACK}, "6:f 5:e 4:d 3:c", 2},
        {{.what = BACK, .limit = 2}, "6:f 5:e", 2},
        {{.what = BACK, .limit_bytes = 3 * one}, "6:f 5:e 4:d", 2},
        {{.what = BACK, .limit_bytes = 1}, "6:f", 2},
        {{.what = BACK | SINCE, .since = AT(5)}, "4:d 3:c", 2},
        {{.what = BACK | SINCE, .since = AT(5), .limit = 1}, "4:d", 2},
        {{.what = BACK | SINCE, .since = AT(3)}, "", 2},
        {{.what = BACK | SINCE, .since = AT(0)}, "", 2},
        /* of another epoch, or of the future */
        {{.what = LOG | SINCE, .since = {3, "another"}}, "", 2},
        {{.what = LOG | SINCE, .since = AT(7)}, "", 2},
        {{.what = LOG | SINCE, .since = AT(UINT64_MAX)}, "", 2},
        {{.what = BACK | SINCE, .since = AT(7)}, "", 2},
        /* nothing */
        {{.what = 0}, "", 2},
    };
    check_queries(w, a, all, COUNT_OF(all));
    world_destroy(w);
}

static void the_newest_of_each_key_is_retained(void **state) {
    (void)state;
    world *w = state_of(2, 0, 3);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0];
    enum { RETAINED = TW__KEPT_RETAINED, LATEST = TW__KEPT_LATEST };
    publish_key(far, a, "k", "old");
    publish_key(far, a, "l", "b");
    publish_key(far, a, "k", "new");
    publish_key(far, a, "", "none");
    UNTIL(w, is_quiet(w));
    const expected all[] = {
        {{.what = RETAINED}, "2=l:b 3=k:new 4=:none", 0},
        {{.what = RETAINED | SINCE, .since = AT(2)}, "3=k:new 4=:none", 0},
        {{.what = RETAINED | SINCE, .since = AT(4)}, "", 0},
        {{.what = RETAINED | SINCE, .since = {4, "another"}},
         "2=l:b 3=k:new 4=:none",
         0},
        /* without SINCE it says nothing */
        {{.what = RETAINED, .since = {3, "another"}},
         "2=l:b 3=k:new 4=:none",
         0},
        {{.what = LATEST, .key = "k", .key_len = 1}, "3=k:new", 0},
        {{.what = LATEST, .key = "", .key_len = 0}, "4=:none", 0},
        {{.what = LATEST, .key = "m", .key_len = 1}, "", 0},
    };
    check_queries(w, a, all, COUNT_OF(all));
    world_destroy(w);
}

static void what_is_removed_is_retained_no_more(void **state) {
    (void)state;
    world *w = state_of(2, 0, 3);
    const tw__kept_query query = {.what = TW__KEPT_RETAINED};
    for (uint16_t home = 0; home < 2; home++) {
        const char *a = name_at(w, home, 0);
        member *m = &w->members[0];
        publish_key(m, a, "k", "x");
        publish_key(m, a, "l", "y");
        assert_int_equal(
            m->broker->ops->remove(m->broker, a, strlen(a), "k", 1), 0);
        publish_key(m, a, "m", "z");
        UNTIL(w, is_quiet(w));
        assert_string_equal(ask_kept(m, a, query).text, "2=l:y 3=m:z");
        assert_int_equal(
            m->broker->ops->remove(m->broker, a, strlen(a), "k", 1), 0);
        UNTIL(w, is_quiet(w));
        kept_text kept = ask_kept(m, a, query);
        assert_string_equal(kept.text, "2=l:y 3=m:z");
        assert_int_equal(kept.floor, 1); /* whoever has 0 misses the removal */
    }
    world_destroy(w);
}

static void log_and_retained_come_behind_each_other(void **state) {
    (void)state;
    world *w = state_of(2, 2, 3);
    const char *a = name_at(w, 1, 0);
    publish_key(&w->members[0], a, "k", "x");
    publish_key(&w->members[0], a, "l", "y");
    publish_key(&w->members[0], a, "m", "z");
    UNTIL(w, is_quiet(w));
    for (int i = 0; i < 2; i++) {
        kept_text kept =
            ask_kept(&w->members[i], a,
                     (tw__kept_query){.what = LOG | TW__KEPT_RETAINED});
        assert_int_equal(kept.log_count, 2);
        assert_int_equal(kept.retained_count, 3);
        assert_string_equal(kept.text, "2:y 3:z 1=k:x 2=l:y 3=m:z");
    }
    world_destroy(w);
}

static void what_is_too_old_or_past_its_deadline_is_not_told(void **state) {
    (void)state;
    world *w = state_create(2, 0, 9, 9);
    state_class.history.ttl_ms = 1000;
    start(w, 0);
    start(w, 1);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0];
    publish_letters(far, a, 1);
    tw__pub *pub = make_pub(a, "k", NULL, "soon over");
    pub->header.deadline_ms = tw__loop_now(&w->loop) + 300;
    publish_wait(far, pub);
    world_pass(w, 500);
    publish_letters(far, a, 1);
    kept_text kept = ask_kept(far, a, (tw__kept_query){.what = LOG});
    assert_string_equal(kept.text, "1:a 3:a");
    assert_int_equal(kept.floor, 0);
    world_pass(w, 600);
    kept = ask_kept(far, a, (tw__kept_query){.what = LOG});
    assert_string_equal(kept.text, "3:a");
    assert_true(kept.floor == 1 || kept.floor == 2);
    world_pass(w, 600);
    kept = ask_kept(far, a, (tw__kept_query){.what = LOG | TW__KEPT_RETAINED});
    assert_string_equal(kept.text, "");
    assert_int_equal(kept.floor, 3);
    assert_int_equal(kept.position.offset, 3);
    /* The sweep gives the memory back though nobody asks. */
    publish_letters(far, a, 4);
    world_pass(w, 2000);
    assert_int_equal(tw__bus_get_stats(w->members[1].bus)->history_publications,
                     0);
    world_destroy(w);
}

/* More than the home may owe a member at once: the newest are sent, what is
 * live is not pushed out, and the floor says what is missing. */
static void an_answer_leaves_room_for_what_is_live(void **state) {
    (void)state;
    enum { BUDGET = 64 * 1024, SIZE = 1000, COUNT = 200 };
    static const char data[SIZE];
    world *w = state_create(2, 0, COUNT, 0);
    w->config.delivery_budget_bytes = BUDGET;
    start(w, 0);
    start(w, 1);
    const char *a = name_at(w, 1, 0);
    member *far = &w->members[0], *home = &w->members[1];
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(publish_bytes(home, a, data, SIZE), 0);
    }
    subscribe(far, a);
    kept_text answer;
    const tw__kept_query query = {.what = LOG};
    assert_int_equal(try_kept(far, a, &query, &answer), 0);
    while (!answer.is_there) {
        assert_int_equal(publish(home, a, "live"), 0);
        tw__loop_run_once(&w->loop, 0);
    }
    UNTIL(w, is_quiet(w));
    assert_int_equal(far->gaps, 0);
    assert_true(answer.log_count > 10 && answer.log_count < BUDGET / SIZE);
    assert_int_equal(answer.floor, answer.position.offset - answer.log_count);
    world_destroy(w);
}

/* No record of the link may be so long. */
static void more_is_retained_than_a_record_can_hold(void **state) {
    (void)state;
    enum { SIZE = 1 << 20, COUNT = 70 };
    char *data = calloc(1, SIZE);
    assert_non_null(data);
    world *w = state_of(2, 0, COUNT);
    const char *a = name_at(w, 1, 0);
    member *home = &w->members[1];
    for (int i = 0; i < COUNT; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        tw__pub *pub =
            tw__pub_create(a, strlen(a), key, strlen(key), data, SIZE);
        assert_non_null(pub);
        publish_wait(home, pub);
    }
    for (int i = 0; i < 2; i++) {
        kept_text kept = ask_kept(&w->members[i], a,
                                  (tw__kept_query){.what = TW__KEPT_RETAINED});
        assert_int_equal(kept.status, 0);
        assert_in_range(kept.retained_count, 32, COUNT - 1);
        assert_int_equal(kept.floor, COUNT - kept.retained_count);
    }
    assert_int_equal(tw__bus_get_stats(w->members[0].bus)->link_protocol_errors,
                     0);
    world_destroy(w);
    free(data);
}

static void a_question_must_be_well_formed(void **state) {
    (void)state;
    world *w = state_of(2, 4, 0);
    static const char name[300];
    kept_text answer;
    member *m = &w->members[0];
    tw__kept_query query = {.what = TW__KEPT_LATEST, .key = name};
    query.key_len = 256;
    assert_int_equal(try_kept(m, "a", &query, &answer), TW_EINVALID);
    query.key_len = 255;
    assert_int_equal(m->broker->ops->kept(m->broker, name, 256, &query,
                                          state_on_kept, &answer),
                     TW_EINVALID);
    assert_int_equal(m->broker->ops->remove(m->broker, name, 256, "k", 1),
                     TW_EINVALID);
    assert_int_equal(m->broker->ops->remove(m->broker, "a", 1, name, 256),
                     TW_EINVALID);
    world_destroy(w);
}

/* ---- order ---- */

/* Each answer stands where it belongs among the deliveries. */
typedef struct order {
    member *m;
    const char *channel;
    uint64_t last; /* delivered */
    unsigned answers;
} order;

static order the_order;

static void check_next(member *m, tw__pub *pub) {
    if (m == the_order.m) {
        assert_int_equal(pub->header.offset, the_order.last + 1);
        the_order.last = pub->header.offset;
    }
}

static void check_order(int status, const tw__kept *kept, void *arg) {
    order *o = arg;
    assert_int_equal(status, 0);
    assert_int_equal(kept->position.offset, o->last);
    if (kept->log_count > 0) {
        assert_int_equal(kept->log[kept->log_count - 1]->header.offset,
                         o->last);
    }
    o->answers++;
}

static void answers_and_deliveries_are_in_order(void **state) {
    (void)state;
    enum { ROUNDS = 60 };
    for (uint16_t home = 0; home < 2; home++) {
        world *w = state_of(3, 20, 0);
        member *m = &w->members[0];
        the_order = (order){.m = m, .channel = name_at(w, home, 0)};
        m->on_publication = check_next;
        subscribe(m, the_order.channel);
        const tw__kept_query query = {.what = LOG};
        unsigned asked_count = 0;
        for (int i = 0; i < ROUNDS; i++) {
            for (int j = 0; j < i % 4; j++) {
                assert_int_equal(
                    publish(&w->members[(i + j) % 3], the_order.channel, "x"),
                    0);
            }
            asked_count += i % 3 == 0;
            if (i % 3 == 0) {
                assert_int_equal(
                    m->broker->ops->kept(m->broker, the_order.channel,
                                         strlen(the_order.channel), &query,
                                         check_order, &the_order),
                    0);
            }
            if (i % 5 == 0) {
                tw__loop_run_once(&w->loop, 0);
            }
        }
        UNTIL(w, is_quiet(w) && the_order.answers == asked_count);
        assert_int_equal(the_order.last, ROUNDS / 4 * 6);
        assert_int_equal(m->gaps, 0);
        world_destroy(w);
    }
}

/* ---- other classes ---- */

static void reclass(world *w, uint32_t size) {
    state_class.history.size = size;
    for (int i = 0; i < WORLD_MEMBERS; i++) {
        if (w->members[i].bus != NULL) {
            w->members[i].broker->ops->reclass(w->members[i].broker);
        }
    }
}

static void a_living_channel_begins_to_keep_and_ceases(void **state) {
    (void)state;
    world *w = state_of(3, 0, 0);
    const char *a = name_at(w, 1, 0);
    for (int i = 0; i < 3; i++) {
        subscribe(&w->members[i], a);
        journal_clear(&w->members[i]);
    }
    reclass(w, 5);
    char epoch[TW__EPOCH_MAX + 1];
    char want[80];
    snprintf(want, sizeof want, "at %s 0\n", a);
    for (int i = 0; i < 3; i++) {
        UNTIL(w, strcmp(journal_of(&w->members[i]), want) == 0);
        journal_clear(&w->members[i]);
        memcpy(epoch, w->members[i].position.epoch, sizeof epoch);
        assert_int_equal(strlen(epoch), TW__EPOCH_MAX);
    }
    publish_wait(&w->members[0], make_pub(a, NULL, NULL, "x"));
    reclass(w, 3); /* nothing new */
    UNTIL(w, is_quiet(w));
    for (int i = 0; i < 3; i++) {
        assert_null(strstr(journal_of(&w->members[i]), "at "));
        journal_clear(&w->members[i]);
    }
    reclass(w, 0);
    for (int i = 0; i < 3; i++) {
        UNTIL(w, strcmp(journal_of(&w->members[i]), want) == 0);
        assert_string_equal(w->members[i].position.epoch, "");
    }
    assert_int_equal(publish_wait(&w->members[0], make_pub(a, NULL, NULL, "")),
                     0);
    reclass(w, 5);
    /* What passed by shows as an offset that nobody has. */
    for (int i = 0; i < 3; i++) {
        UNTIL(w, w->members[i].position.offset == 2);
        assert_string_equal(w->members[i].position.epoch, epoch);
    }
    world_destroy(w);
}

static void a_known_id_has_no_position_where_nothing_is_kept(void **state) {
    (void)state;
    world *w = state_of(2, 5, 0);
    member *m = &w->members[0];
    for (uint16_t home = 0; home < 2; home++) {
        const char *a = name_at(w, home, 0);
        reclass(w, 5);
        assert_int_equal(publish_wait(m, make_pub(a, NULL, "i", "x")), 1);
        reclass(w, 0);
        assert_int_equal(publish_wait(m, make_pub(a, NULL, "i", "x")), 0);
        assert_string_equal(m->position.epoch, "");
    }
    world_destroy(w);
}

/* A callback that takes and drops interests meanwhile. */
static unsigned positions_told;

static void subscribe_more(void *arg, const char *channel, size_t len,
                           const tw__position *position) {
    member *m = arg;
    char name[64];
    (void)position;
    snprintf(name, sizeof name, "%.*s", (int)len, channel);
    drop(m, name);
    positions_told++;
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "new %u %d", positions_told, i);
        interest(m, name);
    }
    assert_int_equal(channel[0], 'c'); /* the name is still there */
}

static void every_channel_of_another_class_is_told_once(void **state) {
    (void)state;
    enum { COUNT = 60 };
    world *w = state_create(1, 0, 0, 0);
    w->config.events.on_position = subscribe_more;
    member *m = start(w, 0);
    positions_told = 0;
    for (int i = 0; i < COUNT; i++) {
        subscribe(m, name_at(w, 0, i));
    }
    reclass(w, 5);
    UNTIL(w, tw__bus_is_idle(m->bus) && m->confirms == COUNT * 41);
    assert_int_equal(positions_told, COUNT);
    world_destroy(w);
}

static void end_it(void *arg, const char *channel, size_t len,
                   const tw__position *position) {
    member *m = arg;
    (void)channel;
    (void)len;
    (void)position;
    tw__bus_destroy(m->bus);
    m->bus = NULL;
    m->broker = NULL;
}

static void being_told_a_position_may_end_the_member(void **state) {
    (void)state;
    world *w = state_create(2, 0, 0, 0);
    w->config.events.on_position = end_it;
    start(w, 0);
    start(w, 1);
    for (int i = 0; i < 5; i++) {
        subscribe(&w->members[0], name_at(w, 0, i));
        subscribe(&w->members[0], name_at(w, 1, i));
        subscribe(&w->members[1], name_at(w, 1, i));
    }
    reclass(w, 5);
    UNTIL(w, w->members[0].bus == NULL && w->members[1].bus == NULL);
    world_destroy(w);
}

/* ---- bounds ---- */

static void the_oldest_channels_are_given_up_over_the_budget(void **state) {
    (void)state;
    enum { CHANNELS = 40, SIZE = 1000 };
    static const char data[SIZE];
    world *w = state_create(2, 0, 5, 0);
    w->config.history_budget_bytes = 20 * SIZE;
    start(w, 0);
    start(w, 1);
    member *far = &w->members[0], *home = &w->members[1];
    char wanted[64], unwanted[64];
    snprintf(wanted, sizeof wanted, "%s", name_at(w, 1, 1000));
    snprintf(unwanted, sizeof unwanted, "%s", name_at(w, 1, 0));
    subscribe(far, wanted);
    assert_int_equal(publish_bytes(far, wanted, data, SIZE), 0);
    UNTIL(w, far->publications == 1);
    tw__position old = far->position;
    for (int i = 0; i < CHANNELS; i++) {
        assert_int_equal(publish_bytes(far, name_at(w, 1, i), data, SIZE), 0);
    }
    UNTIL(w, is_quiet(w));
    const tw__bus_stats *stats = tw__bus_get_stats(home->bus);
    assert_true(stats->history_bytes <= 20 * SIZE);
    assert_true(stats->histories_given_up >= CHANNELS - 20);
    assert_true(stats->home_channels < CHANNELS);
    /* One that somebody wants stands where it stood, without its log. */
    kept_text kept = ask_kept(
        far, wanted, (tw__kept_query){.what = LOG | SINCE, .since = old});
    assert_string_equal(kept.text, "");
    assert_int_equal(kept.position.offset, 1);
    assert_int_equal(kept.floor, 1);
    assert_string_equal(kept.position.epoch, old.epoch);
    kept = ask_kept(far, unwanted, (tw__kept_query){.what = LOG});
    assert_string_equal(kept.position.epoch, "");
    world_destroy(w);
}

static void a_channel_nobody_wants_is_kept_for_its_history_only(void **state) {
    (void)state;
    world *w = state_of(2, 5, 0);
    const char *a = name_at(w, 1, 0), *b = name_at(w, 1, 1);
    member *far = &w->members[0], *home = &w->members[1];
    subscribe(far, a);
    drop(far, a);
    assert_int_equal(publish(far, b, "x"), 0);
    UNTIL(w, is_quiet(w));
    tw__kept_query query = {.what = LOG};
    assert_string_equal(ask_kept(far, b, query).text, "1:x");
    assert_int_equal(tw__bus_get_stats(home->bus)->histories,
                     tw__bus_get_stats(home->bus)->home_channels);
    world_destroy(w);
}

static void too_many_questions_are_refused(void **state) {
    (void)state;
    for (uint16_t home = 0; home < 2; home++) {
        world *w = state_create(2, 0, 5, 0);
        w->config.control_budget_bytes = 4096;
        member *far = start(w, 0);
        const char *a = name_at(w, home, 0);
        const tw__kept_query query = {.what = LOG};
        static kept_text kept[200];
        unsigned accepted = 0;
        int err = 0;
        while (err == 0 && accepted < 200) {
            err = try_kept(far, a, &query, &kept[accepted]);
            accepted += err == 0;
        }
        assert_int_equal(err, TW_EOVERLOADED);
        start(w, 1);
        for (unsigned i = 0; i < accepted; i++) {
            UNTIL(w, kept[i].is_there);
            assert_int_equal(kept[i].status, 0);
        }
        assert_int_equal(try_kept(far, a, &query, &kept[0]), 0);
        UNTIL(w, kept[0].is_there);
        world_destroy(w);
    }
}

/* Large answers to this member itself do not hold the loop. */
static void large_answers_take_several_turns(void **state) {
    (void)state;
    enum { SIZE = 1 << 19, COUNT = 8 };
    char *data = calloc(1, SIZE);
    assert_non_null(data);
    world *w = state_of(1, 4, 0);
    member *m = &w->members[0];
    static kept_text kept[COUNT];
    const tw__kept_query query = {.what = LOG};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(publish_bytes(m, "a", data, SIZE), 0);
    }
    UNTIL(w, tw__bus_is_idle(m->bus));
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(try_kept(m, "a", &query, &kept[i]), 0);
    }
    tw__loop_run_once(&w->loop, 0);
    assert_true(kept[0].is_there);
    assert_false(kept[COUNT - 1].is_there);
    UNTIL(w, kept[COUNT - 1].is_there);
    assert_int_equal(kept[COUNT - 1].log_count, 4);
    world_destroy(w);
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_members_are_told_the_same_offsets),
        cmocka_unit_test(a_confirmation_tells_where_the_channel_stands),
        cmocka_unit_test(what_is_kept_passes_a_channel_that_keeps_nothing_by),
        cmocka_unit_test(what_follows_a_confirmation_lies_behind_its_position),
        cmocka_unit_test(a_publisher_may_wait_for_the_position),
        cmocka_unit_test(a_publication_with_a_known_id_is_the_first_one),
        cmocka_unit_test(ids_are_known_where_nothing_is_kept),
        cmocka_unit_test(the_log_is_told_as_it_is_asked_for),
        cmocka_unit_test(the_newest_of_each_key_is_retained),
        cmocka_unit_test(what_is_removed_is_retained_no_more),
        cmocka_unit_test(log_and_retained_come_behind_each_other),
        cmocka_unit_test(what_is_too_old_or_past_its_deadline_is_not_told),
        cmocka_unit_test(an_answer_leaves_room_for_what_is_live),
        cmocka_unit_test(more_is_retained_than_a_record_can_hold),
        cmocka_unit_test(a_question_must_be_well_formed),
        cmocka_unit_test(answers_and_deliveries_are_in_order),
        cmocka_unit_test(a_living_channel_begins_to_keep_and_ceases),
        cmocka_unit_test(a_known_id_has_no_position_where_nothing_is_kept),
        cmocka_unit_test(every_channel_of_another_class_is_told_once),
        cmocka_unit_test(being_told_a_position_may_end_the_member),
        cmocka_unit_test(the_oldest_channels_are_given_up_over_the_budget),
        cmocka_unit_test(a_channel_nobody_wants_is_kept_for_its_history_only),
        cmocka_unit_test(too_many_questions_are_refused),
        cmocka_unit_test(large_answers_take_several_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
