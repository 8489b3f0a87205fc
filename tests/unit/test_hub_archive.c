/* The budget of all histories, and sweeping them.
 * SPDX-License-Identifier: MIT */
#include "history_probe.h"

/* ---- the budget ---- */

static bool is_needed;
static int asked;

static bool let_go(void *arg, tw__history *history) {
    bool *is_gone = tw__history_owner(history);
    assert_ptr_equal(arg, &archive);
    asked++;
    if (is_needed) {
        return false;
    }
    *is_gone = true;
    tw__history_destroy(history);
    return true;
}

/* An archive in which three histories of 50 long publications have room. */
static void open_small(tw__history **histories, bool *are_gone, int count,
                       const tw__history_class *class) {
    tw__archive_deinit(&archive);
    tw__archive_init(&archive, 4 * 100 * 1024, let_go, &archive);
    asked = 0;
    for (int i = 0; i < count; i++) {
        are_gone[i] = false;
        histories[i] = tw__history_create(&archive, class, &are_gone[i]);
        assert_ptr_equal(tw__history_owner(histories[i]), &are_gone[i]);
    }
    assert_int_equal(tw__archive_len(&archive), count);
}

static void takes_long(tw__history *history, int count) {
    static const char zeros[2048];
    for (int i = 0; i < count; i++) {
        char key[16];
        int len = sprintf(key, "%d", i);
        tw__pub *pub =
            tw__pub_create("room", 4, key, (size_t)len, zeros, sizeof zeros);
        uint64_t offset = 0;
        assert_int_equal(tw__history_append(history, pub, 0, &offset), 0);
        assert_true(offset > 0);
        tw__pub_unref(pub);
        assert_true(archive.bytes <= archive.budget_bytes);
    }
}

static void the_channel_published_to_longest_ago_gives_up(void **state) {
    tw__history *h[5];
    bool are_gone[5];
    tw__history_class class = keeping(50, 5, 0);
    tw__position before, after;
    (void)state;
    is_needed = true;
    open_small(h, are_gone, 5, &class);
    for (int i = 0; i < 3; i++) {
        takes_long(h[i], 50);
    }
    takes_long(h[0], 1);
    assert_int_equal(archive.given_up, 0);
    assert_int_equal(asked, 0);
    tw__history_position(h[1], &before);
    takes_long(h[3], 50);
    assert_int_equal(archive.given_up, 1);
    tw__history_position(h[1], &after);
    assert_int_equal(before.offset, after.offset);
    assert_string_equal(before.epoch, after.epoch);
    assert_int_equal(tw__history_floor(h[1], 0), 50);
    assert_null(tw__history_at(h[1], 50));
    expect_retained(h[1], 0, "");
    assert_int_equal(tw__history_floor(h[0], 0), 1);
    assert_int_equal(tw__history_floor(h[2], 0), 0);
    assert_int_equal(tw__history_floor(h[3], 0), 0);
    /* It goes on, as the newest now. */
    takes_long(h[1], 1);
    assert_non_null(tw__history_at(h[1], 51));
    for (int i = 0; i < 5; i++) {
        tw__history_destroy(h[i]);
    }
}

static void a_history_that_is_not_needed_is_let_go(void **state) {
    tw__history *h[5];
    bool are_gone[5];
    tw__history_class class = keeping(50, 0, 0);
    (void)state;
    is_needed = true;
    open_small(h, are_gone, 5, &class);
    takes_long(h[0], 50);
    takes_long(h[1], 50);
    takes_long(h[2], 50);
    takes_long(h[3], 50);
    assert_int_equal(archive.given_up, 1);
    assert_false(are_gone[0]);
    assert_int_equal(tw__archive_len(&archive), 5);
    /* h[4] was never published to; both are asked for again. */
    is_needed = false;
    takes_long(h[3], 50);
    takes_long(h[2], 50);
    takes_long(h[1], 1);
    set_class(h[1], 0, 200, 0, 0);
    takes_long(h[1], 200);
    assert_true(are_gone[0] && are_gone[2] && are_gone[3] && are_gone[4]);
    assert_false(are_gone[1]);
    assert_int_equal(tw__archive_len(&archive), 1);
    tw__history_destroy(h[1]);
}

static void a_channel_larger_than_the_budget_keeps_its_newest(void **state) {
    tw__history *h;
    bool is_gone;
    tw__history_class class = keeping(10000, 0, 0);
    (void)state;
    is_needed = false;
    open_small(&h, &is_gone, 1, &class);
    takes_long(h, 1000);
    assert_int_equal(newest(h), 1000);
    uint64_t floor = tw__history_floor(h, 0);
    assert_true(floor > 800 && floor < 850);
    assert_non_null(tw__history_at(h, floor + 1));
    assert_non_null(tw__history_at(h, 1000));
    assert_int_equal(archive.given_up, 0);
    assert_false(is_gone);
    class = keeping(0, 10000, 0);
    tw__history_set_class(h, &class, 0);
    takes_long(h, 1000);
    floor = tw__history_floor(h, 0);
    assert_true(floor > 1800 && floor < 1850);
    tw__history_destroy(h);
}

static void one_publication_larger_than_the_budget_is_not_kept(void **state) {
    tw__history *h;
    bool is_gone;
    tw__history_class class = keeping(10, 10, 0);
    uint64_t offset;
    (void)state;
    is_needed = false;
    open_small(&h, &is_gone, 1, &class);
    tw__pub *pub = tw__pub_create("room", 4, "", 0, NULL, 1 << 20);
    assert_int_equal(tw__history_append(h, pub, 0, &offset), 0);
    assert_int_equal(offset, 1);
    tw__pub_unref(pub);
    assert_int_equal(tw__history_floor(h, 0), 1);
    assert_int_equal(archive.given_up, 1);
    assert_int_equal(archive.publications, 0);
    assert_true(archive.bytes < 1000);
    TAKES(h, 0, 2, .data = "short");
    assert_true(has_at(h, 2, "short"));
    tw__history_destroy(h);
}

static void ids_go_last(void **state) {
    enum { MANY = 16 };
    tw__history *h[MANY];
    bool are_gone[MANY];
    tw__history_class class = keeping(0, 0, 0);
    char text[16];
    uint64_t offset;
    (void)state;
    is_needed = true;
    open_small(h, are_gone, MANY, &class);
    for (int i = 0; i < MANY; i++) {
        for (int k = 0; k < TW__IDS_MAX; k++) {
            sprintf(text, "%d", k);
            TAKES(h[i], 0, 0, .data = "x", .id = text);
            assert_true(archive.bytes <= archive.budget_bytes);
        }
    }
    const words last = {.data = "x", .id = text};
    assert_int_equal(append(h[MANY - 1], 0, &offset, &last), TW_EEXISTS);
    TAKES(h[0], 0, 0, .data = "x", .id = text);
    assert_int_equal(archive.given_up, 0);
    for (int i = 0; i < MANY; i++) {
        tw__history_destroy(h[i]);
    }
}

static void nothing_is_asked_for_without_somebody_to_ask(void **state) {
    tw__history_class class = keeping(50, 0, 0);
    (void)state;
    tw__archive_deinit(&archive);
    tw__archive_init(&archive, 2000, NULL, NULL);
    tw__history *a = tw__history_create(&archive, &class, NULL);
    tw__history *b = tw__history_create(&archive, &class, NULL);
    takes_many(a, 0, 5);
    takes_many(b, 0, 50);
    assert_int_equal(archive.given_up, 1);
    assert_true(archive.bytes <= 2000);
    assert_int_equal(tw__archive_len(&archive), 2);
    tw__history_destroy(a);
    tw__history_destroy(b);
}

static void an_owners_bytes_count_while_the_history_lives(void **state) {
    tw__history *h = open_history(10, 0, 0);
    size_t before = archive.bytes;
    (void)state;
    assert_true(before > 0);
    tw__history_charge(h, 500);
    tw__history_charge(h, 11);
    assert_int_equal(archive.bytes, before + 511);
    tw__history_destroy(h);
    assert_int_equal(archive.bytes, 0);
}

/* ---- sweeping ---- */

static void a_sweep_empties_channels_that_nobody_asks_for(void **state) {
    enum { CHANNELS = 5 };
    tw__history *h[CHANNELS];
    size_t empty = 0;
    (void)state;
    for (int i = 0; i < CHANNELS; i++) {
        h[i] = open_history(10, 10, 1000);
        empty = archive.bytes;
    }
    for (int i = 0; i < CHANNELS; i++) {
        TAKES(h[i], 0, 1, .data = "x", .id = "y");
    }
    tw__archive_sweep(&archive, 999, 100);
    assert_int_equal(archive.publications, CHANNELS);
    for (int left = CHANNELS; left-- > 0;) {
        tw__archive_sweep(&archive, 1000, 1);
        assert_int_equal(archive.publications, left);
    }
    assert_true(archive.bytes > empty); /* the ids */
    tw__archive_sweep(&archive, TW__IDS_MS, CHANNELS);
    assert_int_equal(archive.bytes, empty);
    for (int i = 0; i < CHANNELS; i++) {
        assert_int_equal(tw__history_floor(h[i], 1000), 1);
        tw__history_destroy(h[i]);
    }
    tw__archive_sweep(&archive, 2000, 1);
}

static void a_log_that_became_short_gives_memory_back(void **state) {
    tw__history *h = open_history(10000, 0, 1000);
    (void)state;
    takes_many(h, 0, 10000);
    takes_many(h, 900, 10);
    size_t before = archive.bytes;
    tw__archive_sweep(&archive, 1000, 1);
    assert_int_equal(archive.publications, 10);
    assert_true(archive.bytes < before / 100);
    for (uint64_t i = 10001; i <= 10010; i++) {
        assert_true(has_at(h, i, "many"));
    }
    takes_many(h, 1000, 100);
    assert_true(has_at(h, 10001, "many") && has_at(h, 10110, "many"));
    tw__history_destroy(h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_channel_published_to_longest_ago_gives_up),
        TEST(a_history_that_is_not_needed_is_let_go),
        TEST(a_channel_larger_than_the_budget_keeps_its_newest),
        TEST(one_publication_larger_than_the_budget_is_not_kept),
        TEST(ids_go_last),
        TEST(nothing_is_asked_for_without_somebody_to_ask),
        TEST(an_owners_bytes_count_while_the_history_lives),
        TEST(a_sweep_empties_channels_that_nobody_asks_for),
        TEST(a_log_that_became_short_gives_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
