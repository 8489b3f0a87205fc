/* What a channel's home keeps. SPDX-License-Identifier: MIT */
#include "history_probe.h"

/* ---- the log ---- */

static void offsets_count_from_one_within_an_epoch_of_its_own(void **state) {
    tw__history *a = open_history(10, 0, 0), *b = open_history(10, 0, 0);
    tw__position at, other;
    (void)state;
    tw__history_position(a, &at);
    tw__history_position(b, &other);
    assert_int_equal(at.offset, 0);
    assert_int_equal(strlen(at.epoch), TW__EPOCH_MAX);
    assert_int_equal(strspn(at.epoch, "abcdefghijklmnopqrstuvwxyz234567"),
                     TW__EPOCH_MAX);
    assert_string_not_equal(at.epoch, other.epoch);
    TAKES(a, 0, 1, .data = "x");
    TAKES(a, 0, 2, .data = "y");
    TAKES(b, 0, 1, .data = "z");
    tw__history_position(a, &other);
    assert_int_equal(other.offset, 2);
    assert_string_equal(at.epoch, other.epoch);
    tw__history_destroy(a);
    tw__history_destroy(b);
    tw__history_destroy(NULL);
}

static void a_log_keeps_the_newest(void **state) {
    tw__history *h = open_history(3, 0, 0);
    (void)state;
    assert_int_equal(tw__history_floor(h, 0), 0);
    assert_null(tw__history_at(h, 0));
    assert_null(tw__history_at(h, 1));
    TAKES(h, 0, 1, .data = "a");
    TAKES(h, 0, 2, .data = "b");
    TAKES(h, 0, 3, .data = "c");
    assert_int_equal(tw__history_floor(h, 0), 0);
    assert_true(has_at(h, 1, "a"));
    TAKES(h, 0, 4, .data = "d");
    assert_int_equal(tw__history_floor(h, 0), 1);
    assert_null(tw__history_at(h, 0));
    assert_null(tw__history_at(h, 1));
    assert_true(has_at(h, 2, "b") && has_at(h, 3, "c") && has_at(h, 4, "d"));
    assert_null(tw__history_at(h, 5));
    assert_null(tw__history_at(h, UINT64_MAX));
    tw__history_destroy(h);
}

static void every_place_of_a_log_that_grew_is_right(void **state) {
    tw__history *h = open_history(100, 0, 0);
    char text[16];
    (void)state;
    for (int i = 1; i <= 1000; i++) {
        sprintf(text, "%d", i);
        TAKES(h, 0, (uint64_t)i, .data = text);
        int oldest = i > 100 ? i - 99 : 1;
        assert_int_equal(tw__history_floor(h, 0), oldest - 1);
        for (int k = oldest; k <= i; k++) {
            sprintf(text, "%d", k);
            assert_true(has_at(h, (uint64_t)k, text));
        }
    }
    tw__history_destroy(h);
}

static void time_in_the_log_counts_from_the_append(void **state) {
    tw__history *h = open_history(10, 0, 1000);
    (void)state;
    TAKES(h, 5000, 1, .data = "a");
    TAKES(h, 5600, 2, .data = "b");
    assert_int_equal(tw__history_floor(h, 5999), 0);
    assert_int_equal(tw__history_floor(h, 6000), 1);
    assert_null(tw__history_at(h, 1));
    assert_true(has_at(h, 2, "b"));
    assert_int_equal(tw__history_floor(h, 6600), 2);
    assert_null(tw__history_at(h, 2));
    assert_int_equal(archive.publications, 0);
    TAKES(h, 9000, 3, .data = "c");
    assert_int_equal(tw__history_floor(h, 9000), 2);
    assert_true(has_at(h, 3, "c"));
    tw__history_destroy(h);
}

static void an_append_drops_what_is_past_its_time(void **state) {
    tw__history *h = open_history(10, 0, 1000);
    (void)state;
    TAKES(h, 0, 1, .data = "a");
    TAKES(h, 5000, 2, .data = "b");
    assert_null(tw__history_at(h, 1));
    assert_int_equal(archive.publications, 1);
    tw__history_destroy(h);
}

static void a_deadline_ends_a_stay_when_it_leaves_no_hole(void **state) {
    tw__history *h = open_history(10, 0, 0);
    (void)state;
    TAKES(h, 0, 1, .data = "a", .deadline_ms = 300);
    TAKES(h, 0, 2, .data = "b", .deadline_ms = 100);
    TAKES(h, 0, 3, .data = "c");
    assert_int_equal(tw__history_floor(h, 200), 0);
    assert_true(has_at(h, 2, "b"));
    assert_int_equal(tw__history_at(h, 2)->header.deadline_ms, 100);
    assert_int_equal(tw__history_floor(h, 299), 0);
    assert_int_equal(tw__history_floor(h, 300), 2);
    assert_null(tw__history_at(h, 2));
    assert_true(has_at(h, 3, "c"));
    tw__history_destroy(h);
}

static void what_wants_no_history_passes_by(void **state) {
    tw__history *h = open_history(10, 10, 0);
    (void)state;
    TAKES(h, 0, 1, .data = "a", .key = "k");
    TAKES(h, 0, 0, .data = "b", .key = "k", .flags = TW__PUB_NO_HISTORY);
    TAKES(h, 0, 2, .data = "c");
    assert_true(has_at(h, 1, "a") && has_at(h, 2, "c"));
    assert_true(retains(h, 0, "k", "a"));
    tw__history_destroy(h);
}

static void short_publications_go_back_to_their_store(void **state) {
    tw__pub_store store = {0};
    tw__history *h = open_history(10, 10, 0);
    const tw__pub_parts parts = {"room", "key", "id", 4, 3, 2, "data", 4};
    uint64_t offset;
    (void)state;
    tw__pub *pub = tw__pub_create_of(&store, &parts);
    pub->header.colour = 7;
    assert_int_equal(tw__history_append(h, pub, 0, &offset), 0);
    tw__pub_unref(pub);
    tw__pub_store_deinit(&store); /* and nothing of it is used any more */
    assert_true(has_at(h, 1, "data"));
    assert_true(retains(h, 0, "key", "data"));
    pub = tw__history_at(h, 1);
    assert_int_equal(pub->header.colour, 7);
    assert_string_equal(tw__pub_channel(pub), "room");
    assert_string_equal(tw__pub_key(pub), "key");
    assert_memory_equal(tw__pub_id(pub), "id", 2);
    tw__history_destroy(h);
}

/* ---- the retained ---- */

static void the_newest_of_each_key_is_retained(void **state) {
    tw__history *h = open_history(0, 10, 0);
    (void)state;
    TAKES(h, 0, 1, .data = "a", .key = "x");
    TAKES(h, 0, 2, .data = "b", .key = "y");
    TAKES(h, 0, 3, .data = "c");
    expect_retained(h, 0, "abc");
    TAKES(h, 0, 4, .data = "d", .key = "x");
    expect_retained(h, 0, "bcd");
    assert_true(retains(h, 0, "x", "d"));
    assert_true(retains(h, 0, "y", "b"));
    assert_true(retains(h, 0, "", "c"));
    assert_null(tw__history_latest(h, "z", 1, 0));
    assert_null(tw__history_at(h, 4)); /* there is no log */
    assert_int_equal(archive.publications, 3);
    tw__history_destroy(h);
}

static void the_key_published_longest_ago_makes_room(void **state) {
    tw__history *h = open_history(0, 2, 0);
    (void)state;
    TAKES(h, 0, 1, .data = "a", .key = "x");
    TAKES(h, 0, 2, .data = "b", .key = "y");
    TAKES(h, 0, 3, .data = "c", .key = "x");
    assert_int_equal(tw__history_floor(h, 0), 0);
    TAKES(h, 0, 4, .data = "d", .key = "z");
    expect_retained(h, 0, "cd");
    assert_int_equal(tw__history_floor(h, 0), 2);
    tw__history_destroy(h);
}

static void a_removed_key_is_missed_by_who_does_not_have_it(void **state) {
    tw__history *h = open_history(0, 10, 0);
    (void)state;
    TAKES(h, 0, 1, .data = "a", .key = "x");
    TAKES(h, 0, 2, .data = "b", .key = "y");
    TAKES(h, 0, 3, .data = "c", .key = "z");
    assert_true(tw__history_remove(h, "y", 1));
    assert_false(tw__history_remove(h, "y", 1));
    assert_false(tw__history_remove(h, "", 0));
    expect_retained(h, 0, "ac");
    assert_int_equal(tw__history_floor(h, 0), 2);
    assert_true(tw__history_remove(h, "x", 1));
    assert_int_equal(tw__history_floor(h, 0), 2);
    tw__history_destroy(h);
}

static void retained_ones_end_with_their_time(void **state) {
    tw__history *h = open_history(0, 10, 1000);
    (void)state;
    TAKES(h, 0, 1, .data = "a", .key = "x");
    TAKES(h, 500, 2, .data = "b", .key = "y");
    TAKES(h, 500, 3, .data = "c", .key = "z", .deadline_ms = 700);
    expect_retained(h, 699, "abc");
    expect_retained(h, 700, "ab");
    assert_null(tw__history_latest(h, "z", 1, 700));
    expect_retained(h, 1000, "b");
    assert_null(tw__history_latest(h, "x", 1, 1000));
    assert_int_equal(tw__history_floor(h, 1000), 1);
    assert_int_equal(archive.publications, 2);
    /* Nobody misses what is past a deadline of its own. */
    assert_int_equal(tw__history_floor(h, 1500), 2);
    assert_int_equal(archive.publications, 0);
    tw__history_destroy(h);
}

static void one_publication_in_both_is_one_block(void **state) {
    tw__history *log = open_history(5, 0, 0), *both = open_history(5, 2, 0);
    size_t before = archive.bytes;
    (void)state;
    TAKES(log, 0, 1, .data = "hello", .key = "k");
    size_t of_log = archive.bytes - before;
    assert_int_equal(archive.publications, 1);
    TAKES(both, 0, 1, .data = "hello", .key = "k");
    size_t of_both = archive.bytes - before - of_log;
    assert_int_equal(archive.publications, 2);
    assert_true(of_both > of_log);
    TAKES(both, 0, 2, .data = "HELLO", .key = "k");
    assert_int_equal(archive.publications, 3);
    /* It stays after the log let it go, and the other way round. */
    for (uint64_t i = 3; i <= 7; i++) {
        TAKES(both, 0, i, .data = "hello", .key = "other");
    }
    assert_int_equal(archive.publications, 1 + 6);
    assert_true(retains(both, 0, "k", "HELLO"));
    assert_true(tw__history_remove(both, "k", 1));
    assert_int_equal(archive.publications, 1 + 5);
    assert_true(tw__history_remove(both, "other", 5));
    assert_int_equal(archive.publications, 1 + 5);
    assert_true(has_at(both, 7, "hello"));
    tw__history_destroy(log);
    tw__history_destroy(both);
    assert_int_equal(archive.publications, 0);
}

/* ---- a changed class ---- */

static void what_is_too_much_by_a_new_class_goes_at_once(void **state) {
    tw__history *h = open_history(100, 100, 0);
    char key[16];
    (void)state;
    for (int i = 0; i < 100; i++) {
        sprintf(key, "%d", i);
        TAKES(h, (uint64_t)i, (uint64_t)i + 1, .data = key, .key = key);
    }
    size_t before = archive.bytes;
    set_class(h, 100, 5, 10, 0);
    assert_int_equal(archive.publications, 10);
    assert_true(archive.bytes < before / 6);
    assert_int_equal(tw__history_floor(h, 100), 95);
    assert_true(has_at(h, 96, "95"));
    assert_true(retains(h, 100, "90", "90"));
    assert_null(tw__history_latest(h, "89", 2, 100));
    set_class(h, 100, 5, 10, 5);
    assert_int_equal(archive.publications, 4);
    set_class(h, 100, 10, 0, 0);
    expect_retained(h, 100, "");
    assert_true(has_at(h, 100, "99"));
    set_class(h, 100, 0, 0, 0);
    assert_int_equal(archive.publications, 0);
    assert_int_equal(newest(h), 100);
    assert_int_equal(tw__history_floor(h, 100), 100);
    tw__history_destroy(h);
}

static void a_log_without_retained_ones_makes_no_promise_of_them(void **state) {
    tw__history *h = open_history(10, 0, 0);
    (void)state;
    TAKES(h, 0, 1, .data = "a", .key = "x");
    TAKES(h, 0, 2, .data = "b", .key = "y");
    set_class(h, 0, 0, 10, 0);
    assert_int_equal(tw__history_floor(h, 0), 2);
    TAKES(h, 0, 3, .data = "c", .key = "x");
    assert_int_equal(tw__history_floor(h, 0), 2);
    set_class(h, 0, 10, 10, 0);
    assert_int_equal(tw__history_floor(h, 0), 3);
    TAKES(h, 0, 4, .data = "d", .key = "x");
    assert_int_equal(tw__history_floor(h, 0), 3);
    assert_true(has_at(h, 4, "d"));
    tw__history_destroy(h);
}

static void what_passed_by_without_a_class_leaves_an_offset_out(void **state) {
    tw__history *h = open_history(10, 0, 0);
    (void)state;
    takes_many(h, 0, 5);
    set_class(h, 0, 0, 0, 0);
    set_class(h, 0, 10, 0, 0);
    TAKES(h, 0, 6, .data = "nothing was missed");
    set_class(h, 0, 0, 0, 0);
    TAKES(h, 0, 0, .data = "passes by", .flags = TW__PUB_NO_HISTORY);
    set_class(h, 0, 10, 0, 0);
    TAKES(h, 0, 7, .data = "nor is that");
    set_class(h, 0, 0, 0, 0);
    TAKES(h, 0, 0, .data = "is missed");
    set_class(h, 0, 10, 0, 0);
    assert_int_equal(tw__history_floor(h, 0), 8);
    TAKES(h, 0, 9, .data = "kept");
    assert_int_equal(tw__history_floor(h, 0), 8);
    assert_true(has_at(h, 9, "kept"));
    tw__history_destroy(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(offsets_count_from_one_within_an_epoch_of_its_own),
        TEST(a_log_keeps_the_newest),
        TEST(every_place_of_a_log_that_grew_is_right),
        TEST(time_in_the_log_counts_from_the_append),
        TEST(an_append_drops_what_is_past_its_time),
        TEST(a_deadline_ends_a_stay_when_it_leaves_no_hole),
        TEST(what_wants_no_history_passes_by),
        TEST(short_publications_go_back_to_their_store),
        TEST(the_newest_of_each_key_is_retained),
        TEST(the_key_published_longest_ago_makes_room),
        TEST(a_removed_key_is_missed_by_who_does_not_have_it),
        TEST(retained_ones_end_with_their_time),
        TEST(one_publication_in_both_is_one_block),
        TEST(what_is_too_much_by_a_new_class_goes_at_once),
        TEST(a_log_without_retained_ones_makes_no_promise_of_them),
        TEST(what_passed_by_without_a_class_leaves_an_offset_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
