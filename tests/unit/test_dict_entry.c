/* One entry of a dictionary, with a clock that stands still.
 * SPDX-License-Identifier: MIT */
#include "dict_probe.h"

static void what_is_set_can_be_got(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 65536);
    assert_false(probe_has(dict, "k"));
    assert_int_equal(probe_set(dict, "k", "one", 0), 0);
    probe_expect(dict, "k", "one");
    assert_int_equal(probe_set(dict, "k", "", 0), 0);
    probe_expect(dict, "k", "");
    assert_int_equal(tw_dict_delete(dict, probe_str("k")), 0);
    assert_int_equal(tw_dict_delete(dict, probe_str("k")), TW_ENOT_FOUND);
    assert_false(probe_has(dict, "k"));
}

static void a_tag_goes_with_its_value(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 65536);
    tw_dict_value value = probe_text("x");
    value.tag = 7;
    assert_int_equal(tw_dict_set(dict, probe_str("k"), &value, 0), 0);
    tw_dict_value got;
    assert_int_equal(tw_dict_get(dict, probe_str("k"), &got), 0);
    assert_int_equal(got.tag, 7);
}

/* Every length over the bounds of blocks, under keys of every length. */
static void values_of_every_length_come_back_whole(void **state) {
    (void)state;
    static char bytes[400];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(i * 7 + 1);
    }
    tw_dict *dict = probe_open("a", 65536);
    for (size_t key_len = 1; key_len < 150; key_len += 7) {
        for (size_t len = 0; len < 200; len++) {
            tw_str key = {bytes, key_len};
            tw_dict_value value = {.kind = TW_DICT_BYTES,
                                   .bytes = {bytes + 1, len}};
            assert_int_equal(tw_dict_set(dict, key, &value, 0), 0);
            tw_dict_value got;
            assert_int_equal(tw_dict_get(dict, key, &got), 0);
            assert_int_equal(got.bytes.len, len);
            assert_memory_equal(got.bytes.data, bytes + 1, len);
        }
    }
}

static void names_and_keys_have_bounds(void **state) {
    (void)state;
    static char text[2000];
    memset(text, 'x', sizeof text);
    tw_dict *dict = NULL, *same = NULL;
    size_t wrong[] = {0, TW_DICT_NAME_MAX + 1};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            tw__dicts_open(&probe_dicts, (tw_str){text, wrong[i]}, 0, &dict),
            TW_EINVALID);
    }
    assert_int_equal(
        tw__dicts_open(&probe_dicts, probe_str(".limits"), 0, &dict),
        TW_EINVALID);
    assert_int_equal(
        tw__dicts_open(&probe_dicts, (tw_str){"a\0b", 3}, 0, &dict),
        TW_EINVALID);
    assert_int_equal(tw__dicts_open(&probe_dicts,
                                    (tw_str){text, TW_DICT_NAME_MAX}, 16384,
                                    &dict),
                     0);
    assert_int_equal(tw__dicts_open(&probe_dicts,
                                    (tw_str){text, TW_DICT_NAME_MAX}, 99999,
                                    &same),
                     0);
    assert_ptr_equal(dict, same);
    assert_int_equal(tw_dict_bytes(dict), 16384);
    tw_dict_value value = probe_number(1);
    assert_int_equal(tw_dict_set(dict, (tw_str){text, 0}, &value, 0),
                     TW_EINVALID);
    assert_int_equal(
        tw_dict_set(dict, (tw_str){text, TW_DICT_KEY_MAX}, &value, 0), 0);
    assert_int_equal(
        tw_dict_set(dict, (tw_str){text, TW_DICT_KEY_MAX + 1}, &value, 0),
        TW_EINVALID);
}

static void add_leaves_what_is_there(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 65536);
    tw_dict_value one = probe_text("one"), two = probe_text("two");
    assert_int_equal(tw_dict_add(dict, probe_str("k"), &one, 50), 0);
    assert_int_equal(tw_dict_add(dict, probe_str("k"), &two, 0), TW_EEXISTS);
    probe_expect(dict, "k", "one");
    probe_ms += 50;
    assert_int_equal(tw_dict_add(dict, probe_str("k"), &two, 0), 0);
    probe_expect(dict, "k", "two");
}

static void what_was_set_for_a_time_is_over_then(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 65536);
    assert_int_equal(probe_set(dict, "k", "x", 100), 0);
    assert_int_equal(probe_set(dict, "for ever", "x", 0), 0);
    probe_ms += 99;
    assert_true(probe_has(dict, "k"));
    probe_ms += 1;
    assert_false(probe_has(dict, "k"));
    assert_true(probe_has(dict, "for ever"));
    assert_int_equal(probe_tally.expired, 1);
    assert_int_equal(probe_set(dict, "k", "x", 100), 0);
    assert_int_equal(probe_set(dict, "k", "x", 0), 0); /* for ever now */
    probe_ms += 1000000;
    assert_true(probe_has(dict, "k"));
}

static void a_number_grows_from_where_it_begins(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 65536);
    double n = -1;
    tw_str key = probe_str("hits of a page with a rather long address, too");
    assert_int_equal(tw_dict_incr(dict, key, 2, 10, 100, &n), 0);
    assert_true(n == 12);
    assert_int_equal(tw_dict_incr(dict, key, -0.5, 99, 0, &n), 0);
    assert_true(n == 11.5);
    probe_ms += 100; /* the second one did not change its time */
    assert_int_equal(tw_dict_incr(dict, key, 1, 0, 0, &n), 0);
    assert_true(n == 1);
    assert_int_equal(probe_set(dict, "text", "1", 0), 0);
    assert_int_equal(tw_dict_incr(dict, probe_str("text"), 1, 0, 0, &n),
                     TW_EINVALID);
    probe_expect(dict, "text", "1");
}

static void a_swap_sees_every_write_in_between(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 65536);
    tw_str key = probe_str("k");
    tw_dict_value one = probe_text("one"), two = probe_text("two"), got;
    assert_int_equal(tw_dict_swap(dict, key, &one, 0, 1), TW_EEXISTS);
    assert_int_equal(tw_dict_swap(dict, key, &one, 0, 0), 0);
    assert_int_equal(tw_dict_swap(dict, key, &two, 0, 0), TW_EEXISTS);
    assert_int_equal(tw_dict_get(dict, key, &got), 0);
    uint32_t before = got.version;
    assert_int_equal(tw_dict_set(dict, key, &one, 0), 0); /* the same value */
    assert_int_equal(tw_dict_swap(dict, key, &two, 0, before), TW_EEXISTS);
    assert_int_equal(tw_dict_get(dict, key, &got), 0);
    assert_int_equal(tw_dict_swap(dict, key, &two, 0, got.version), 0);
    probe_expect(dict, "k", "two");
    assert_int_equal(tw_dict_get(dict, key, &got), 0);
    /* A flush takes nothing back: versions do not come again. */
    assert_int_equal(tw_dict_flush(dict), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(tw_dict_set(dict, key, &one, 0), 0);
        assert_int_equal(tw_dict_swap(dict, key, &two, 0, got.version),
                         TW_EEXISTS);
    }
    assert_int_equal(tw_dict_get(dict, key, &got), 0);
    assert_int_equal(tw_dict_swap(dict, key, NULL, 0, got.version), 0);
    assert_false(probe_has(dict, "k"));
}

static void a_swap_keeps_the_time_to_live_when_asked_to(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 65536);
    tw_str key = probe_str("k");
    tw_dict_value one = probe_text("one"), got;
    assert_int_equal(tw_dict_set(dict, key, &one, 100), 0);
    assert_int_equal(tw_dict_get(dict, key, &got), 0);
    assert_int_equal(
        tw_dict_swap(dict, key, &one, TW_DICT_KEEP_TTL, got.version), 0);
    probe_ms += 99;
    assert_true(probe_has(dict, "k"));
    probe_ms += 1;
    assert_false(probe_has(dict, "k"));
    assert_int_equal(tw_dict_swap(dict, key, &one, TW_DICT_KEEP_TTL, 0), 0);
    probe_ms += 1000000;
    assert_true(probe_has(dict, "k"));
}

static void memory_that_is_short_is_an_error_and_no_loss(void **state) {
    (void)state;
    static char text[5000];
    memset(text, 'y', sizeof text - 1);
    tw_dict *dict = NULL;
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__dicts_open(&probe_dicts, probe_str("a"), 65536, &dict),
                     TW_ENOMEM);
    dict = probe_open("a", 65536);
    assert_int_equal(probe_set(dict, "k", text, 0), 0);
    tw_dict_value value;
    for (size_t nth = 1; nth <= 2; nth++) { /* the buffer, and a longer one */
        tw__alloc_fail_nth(nth);
        assert_int_equal(tw_dict_get(dict, probe_str("k"), &value), TW_ENOMEM);
        assert_int_equal(tw__alloc_fail_nth(0), 0);
        tw__dicts_deinit(&probe_dicts);
        tw__dict_events events = {probe_now, probe_noted, NULL};
        tw__dicts_init(&probe_dicts, probe_region, 0, &events);
        dict = probe_open("a", 65536);
    }
    uint64_t cursor = 0;
    tw_str keys[64];
    size_t count;
    tw__alloc_fail_nth(1);
    assert_int_equal(tw_dict_keys(dict, &cursor, keys, 64, &count), TW_ENOMEM);
    probe_expect(dict, "k", text);
}

static void without_a_region_there_is_an_own_one(void **state) {
    (void)state;
    tw__dicts own;
    tw_dict *dict;
    tw__dict_events events = {probe_now, probe_noted, NULL};
    tw__dicts_init(&own, NULL, 1 << 20, &events);
    assert_int_equal(tw__dicts_open(&own, probe_str("a"), 65536, &dict), 0);
    assert_int_equal(probe_set(dict, "k", "own", 0), 0);
    probe_expect(dict, "k", "own");
    assert_false(probe_has(probe_open("a", 65536), "k"));
    tw__dicts_deinit(&own);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, probe_up, probe_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(what_is_set_can_be_got),
        CASE(a_tag_goes_with_its_value),
        CASE(values_of_every_length_come_back_whole),
        CASE(names_and_keys_have_bounds),
        CASE(add_leaves_what_is_there),
        CASE(what_was_set_for_a_time_is_over_then),
        CASE(a_number_grows_from_where_it_begins),
        CASE(a_swap_sees_every_write_in_between),
        CASE(a_swap_keeps_the_time_to_live_when_asked_to),
        CASE(memory_that_is_short_is_an_error_and_no_loss),
        CASE(without_a_region_there_is_an_own_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
