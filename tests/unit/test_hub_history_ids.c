/* The publishers' ids, and histories without memory.
 * SPDX-License-Identifier: MIT */
#include "history_probe.h"

/* ---- ids ---- */

static void a_retry_gets_the_offset_of_the_first(void **state) {
    tw__history *h = open_history(10, 0, 0);
    uint64_t offset = 0;
    (void)state;
    TAKES(h, 0, 1, .data = "a", .id = "one");
    TAKES(h, 0, 2, .data = "b", .id = "two");
    TAKES(h, 0, 3, .data = "c");
    const words retry = {.data = "a", .id = "one"};
    assert_int_equal(append(h, 10, &offset, &retry), TW_EEXISTS);
    assert_int_equal(offset, 1);
    assert_int_equal(newest(h), 3);
    assert_null(tw__history_at(h, 4));
    TAKES(h, 10, 4, .data = "d", .id = "one more");
    tw__history_destroy(h);
}

static void ids_are_known_for_five_minutes(void **state) {
    tw__history *h = open_history(10, 0, 0);
    uint64_t offset = 0;
    const words retry = {.data = "a", .id = "one"};
    (void)state;
    TAKES(h, 7, 1, .data = "a", .id = "one");
    assert_int_equal(append(h, 7 + TW__IDS_MS - 1, &offset, &retry),
                     TW_EEXISTS);
    TAKES(h, 7 + TW__IDS_MS, 2, .data = "a", .id = "one");
    tw__history_destroy(h);
}

static void the_newest_ids_are_known(void **state) {
    tw__history *h = open_history(1, 0, 0);
    char text[16];
    uint64_t offset = 0;
    (void)state;
    for (int i = 1; i <= 2 * TW__IDS_MAX; i++) {
        sprintf(text, "id %d", i);
        TAKES(h, 0, (uint64_t)i, .data = "x", .id = text);
    }
    for (int i = 2 * TW__IDS_MAX; i > TW__IDS_MAX; i--) {
        sprintf(text, "id %d", i);
        assert_int_equal(
            append(h, 0, &offset, &(const words){.data = "x", .id = text}),
            TW_EEXISTS);
        assert_int_equal(offset, i);
    }
    sprintf(text, "id %d", TW__IDS_MAX);
    TAKES(h, 0, 2 * TW__IDS_MAX + 1, .data = "x", .id = text);
    tw__history_destroy(h);
}

static void ids_are_known_where_nothing_is_kept(void **state) {
    tw__history *h = open_history(0, 0, 0);
    uint64_t offset = 99;
    (void)state;
    TAKES(h, 0, 0, .data = "a", .id = "one");
    assert_int_equal(
        append(h, 0, &offset, &(const words){.data = "a", .id = "one"}),
        TW_EEXISTS);
    assert_int_equal(offset, 0);
    assert_int_equal(archive.publications, 0);
    tw__history_destroy(h);
}

static void ids_are_bytes(void **state) {
    tw__history *h = open_history(10, 0, 0);
    char zeros[TW__PUB_ID_MAX] = {0};
    (void)state;
    for (size_t len = 1; len <= sizeof zeros; len++) {
        const tw__pub_parts parts = {"room", NULL, zeros, 4, 0, len, "x", 1};
        tw__pub *pub = tw__pub_create_of(NULL, &parts);
        uint64_t offset = 0;
        assert_int_equal(tw__history_append(h, pub, 0, &offset), 0);
        assert_int_equal(offset, len);
        tw__pub_unref(pub);
        pub = tw__pub_create_of(NULL, &parts);
        assert_int_equal(tw__history_append(h, pub, 0, &offset), TW_EEXISTS);
        assert_int_equal(offset, len);
        tw__pub_unref(pub);
    }
    tw__history_destroy(h);
}

/* ---- without memory ---- */

/* Everything once, while any allocation may fail. */
static void live_through(tw__history *h) {
    char text[16];
    for (int i = 1; i <= 40; i++) {
        sprintf(text, "%d", i);
        size_t nth = tw__alloc_fail_nth(0); /* not for what is made here */
        tw__pub *pub =
            make(&(const words){.data = text, .key = text + i % 2, .id = text});
        tw__alloc_fail_nth(nth);
        uint64_t offset = 0, floor = tw__history_floor(h, 0);
        int error = tw__history_append(h, pub, 0, &offset);
        assert_true(error == 0 || error == TW_ENOMEM);
        assert_int_equal(offset, i);
        assert_int_equal(newest(h), i);
        assert_int_equal(pub->header.offset, i);
        tw__pub_unref(pub);
        if (error == 0) {
            assert_true(has_at(h, offset, text));
            assert_true(retains(h, 0, text + i % 2, text));
            floor = offset > 20 && floor < offset - 20 ? offset - 20 : floor;
            assert_int_equal(tw__history_floor(h, 0), floor);
        }
        for (uint64_t k = tw__history_floor(h, 0); k < offset; k++) {
            sprintf(text, "%d", (int)k + 1);
            assert_true(has_at(h, k + 1, text));
        }
    }
}

static void a_short_one_is_kept_without_memory_for_a_copy(void **state) {
    size_t nth = 1;
    (void)state;
    for (bool has_failed = true; has_failed; nth++) {
        tw__history_class class = keeping(20, 15, 0);
        size_t live = tw__alloc_live();
        tw__history *h = tw__history_create(&archive, &class, NULL);
        tw__pub_store store = {0};
        const tw__pub_parts parts = {"room", "k", "i", 4, 1, 1, "data", 4};
        tw__pub *pub = tw__pub_create_of(&store, &parts);
        uint64_t offset;
        tw__alloc_fail_nth(nth);
        int error = tw__history_append(h, pub, 0, &offset);
        has_failed = tw__alloc_fail_nth(0) == 0;
        assert_true(error == 0 || (has_failed && error == TW_ENOMEM));
        assert_int_equal(offset, 1);
        tw__pub_unref(pub);
        assert_true(error != 0 || has_at(h, 1, "data"));
        assert_true(nth != 1 || error == 0);
        tw__history_destroy(h);
        tw__pub_store_deinit(&store);
        assert_int_equal(tw__alloc_live(), live);
        assert_int_equal(archive.bytes, 0);
    }
    assert_true(nth > 6);
}

static void
without_memory_a_key_that_could_not_be_retained_is_missed(void **state) {
    tw__history *h = open_history(0, 10, 0);
    uint64_t offset;
    (void)state;
    TAKES(h, 0, 1, .data = "a", .key = "x");
    tw__pub *pub = make(&(const words){.data = "b", .key = "y"});
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__history_append(h, pub, 0, &offset), TW_ENOMEM);
    assert_int_equal(offset, 2);
    tw__pub_unref(pub);
    assert_int_equal(tw__history_floor(h, 0), 2);
    expect_retained(h, 0, "a");
    tw__history_destroy(h);
}

static void without_memory_there_is_no_history(void **state) {
    tw__history_class class = keeping(20, 15, 0);
    (void)state;
    tw__alloc_fail_nth(1);
    assert_null(tw__history_create(&archive, &class, NULL));
    assert_int_equal(archive.bytes, 0);
}

static void every_failing_allocation_is_told_and_survived(void **state) {
    size_t nth = 1;
    (void)state;
    for (bool has_failed = true; has_failed; nth++) {
        size_t live = tw__alloc_live();
        tw__history_class class = keeping(20, 15, 0);
        tw__history *h = tw__history_create(&archive, &class, NULL);
        tw__alloc_fail_nth(nth);
        live_through(h);
        has_failed = tw__alloc_fail_nth(0) == 0;
        tw__archive_sweep(&archive, 0, 1);
        tw__history_destroy(h);
        assert_int_equal(tw__alloc_live(), live);
        assert_int_equal(archive.bytes, 0);
        assert_int_equal(archive.publications, 0);
    }
    assert_true(nth > 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_retry_gets_the_offset_of_the_first),
        TEST(ids_are_known_for_five_minutes),
        TEST(the_newest_ids_are_known),
        TEST(ids_are_known_where_nothing_is_kept),
        TEST(ids_are_bytes),
        TEST(a_short_one_is_kept_without_memory_for_a_copy),
        TEST(without_memory_a_key_that_could_not_be_retained_is_missed),
        TEST(without_memory_there_is_no_history),
        TEST(every_failing_allocation_is_told_and_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
