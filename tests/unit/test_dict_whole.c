/* A dictionary as a whole: its size, what goes when it is full, its keys, and
 * limits. SPDX-License-Identifier: MIT */
#include "dict_probe.h"

static void the_region_is_given_away_once(void **state) {
    (void)state;
    size_t promised = 0, left = 0;
    tw_dict *dict;
    /* An eighth is for limits. */
    assert_int_equal(
        tw__dicts_check(&probe_dicts, probe_str("a"), 65536, &promised, &left),
        0);
    assert_in_range(left, PROBE_REGION / 8 * 7 - 8192, PROBE_REGION / 8 * 7);
    assert_int_equal(promised, 65536);
    size_t most = left;
    assert_int_equal(
        tw__dicts_check(&probe_dicts, probe_str("b"), most, &promised, &left),
        TW_ELIMIT); /* "a" has its promise */
    assert_int_equal(promised, 65536);
    assert_int_equal(
        tw__dicts_open(&probe_dicts, probe_str("b"), most + 1, &dict),
        TW_ELIMIT);
    assert_int_equal(
        tw__dicts_open(&probe_dicts, probe_str("b"), SIZE_MAX, &dict),
        TW_ELIMIT);
    probe_open("a", 65536);
    promised = 0;
    assert_int_equal(
        tw__dicts_check(&probe_dicts, probe_str("a"), 65536, &promised, &left),
        0);
    assert_int_equal(promised, 0); /* it is there */
    assert_int_equal(left, most - 65536);
    probe_open("b", left);
    assert_int_equal(tw__dicts_open(&probe_dicts, probe_str("c"), 1, &dict),
                     TW_ELIMIT);
}

static void there_are_so_many_dictionaries(void **state) {
    (void)state;
    char name[16];
    for (int i = 1; i < TW__DICTS_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        tw_dict *dict;
        int error = tw__dicts_open(&probe_dicts, probe_str(name), 16384, &dict);
        size_t promised = 0, left = 0;
        if (error == TW_ELIMIT) { /* the memory, not the number */
            tw__dicts_check(&probe_dicts, probe_str(name), 16384, &promised,
                            &left);
            assert_true(left < 16384);
            return;
        }
        assert_int_equal(error, 0);
    }
    fail_msg("1 MiB is room for fewer than %d", TW__DICTS_MAX);
}

static void larger_ones_have_more_shards(void **state) {
    (void)state;
    assert_int_equal(probe_open("small", 16384)->part->shards, 1);
    assert_int_equal(probe_open("large", 512 << 10)->part->shards, 4);
    assert_int_equal(tw__dict_part_bytes(64 << 20) % (64 * 64), 0);
}

static void what_was_unused_for_longest_goes_first(void **state) {
    (void)state;
    char key[16];
    tw_dict *dict = probe_open("a", 16384); /* one shard */
    int count = 0;
    while (probe_tally.evicted == 0) {
        assert_true(probe_has(dict, "k0") || count == 0);
        snprintf(key, sizeof key, "k%d", count++);
        assert_int_equal(probe_set(dict, key, "x", 0), 0);
    }
    assert_int_equal(probe_tally.evicted, 1);
    assert_true(count > 200);
    assert_true(probe_has(dict, "k0")); /* was used all the time */
    assert_false(probe_has(dict, "k1"));
    for (int i = 2; i < count; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_true(probe_has(dict, key));
    }
}

static void a_long_value_takes_the_room_of_many(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 16384);
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(probe_set(dict, key, "x", 0), 0);
    }
    size_t most = tw_dict_max_bytes(dict, 4);
    assert_in_range(most, 4000, 8192);
    char *text = calloc(1, most + 2);
    memset(text, 'z', most + 1);
    uint64_t before = probe_tally.evicted;
    assert_int_equal(probe_set(dict, "long", text, 0), TW_ELIMIT);
    assert_int_equal(probe_tally.evicted, before); /* nobody went for that */
    text[most] = '\0';
    assert_int_equal(probe_set(dict, "long", text, 0), 0);
    probe_expect(dict, "long", text);
    assert_true(probe_tally.evicted > before + 50);
    assert_true(probe_has(dict, "k999"));
    free(text);
}

static void what_is_over_goes_before_what_is_good(void **state) {
    (void)state;
    char key[32];
    tw_dict *dict = probe_open("a", 16384);
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "good %d", i);
        assert_int_equal(probe_set(dict, key, "x", 0), 0);
    }
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 50; i++) {
            snprintf(key, sizeof key, "short %d %d", round, i);
            assert_int_equal(probe_set(dict, key, "x", 10), 0);
        }
        probe_ms += 10;
    }
    assert_int_equal(probe_tally.evicted, 0);
    assert_true(probe_has(dict, "good 0"));
}

static size_t count_keys(tw_dict *dict, size_t max, bool *seen) {
    uint64_t cursor = 0;
    size_t total = 0, count;
    while (cursor != TW_DICT_END) {
        tw_str keys[64];
        assert_int_equal(tw_dict_keys(dict, &cursor, keys, max, &count), 0);
        assert_true(count <= max);
        for (size_t i = 0; i < count; i++) {
            char text[16] = "";
            memcpy(text, keys[i].data, keys[i].len);
            int number = atoi(text + 1);
            assert_false(seen[number]);
            seen[number] = true;
        }
        total += count;
    }
    return total;
}

static void keys_come_once_in_slices(void **state) {
    (void)state;
    char key[16];
    tw_dict *dict = probe_open("a", 512 << 10);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(probe_set(dict, key, "x", i % 2 == 0 ? 0 : 10), 0);
    }
    for (size_t max = 8; max <= 64; max *= 2) {
        bool seen[1000] = {false};
        assert_int_equal(count_keys(dict, max, seen), 1000);
    }
    probe_ms += 10;
    bool seen[1000] = {false};
    assert_int_equal(count_keys(dict, 64, seen), 500);
    assert_true(seen[0] && !seen[1]);
    assert_int_equal(tw_dict_flush(dict), 0);
    bool none[1000] = {false};
    assert_int_equal(count_keys(dict, 64, none), 0);
    uint64_t past = UINT64_C(1000) << 32;
    tw_str keys[1];
    size_t count = 9;
    assert_int_equal(tw_dict_keys(dict, &past, keys, 1, &count), 0);
    assert_int_equal(count, 0);
    assert_true(past == TW_DICT_END);
}

static int take(const char *key, double rate, double burst, double *after) {
    return tw__dicts_limit(&probe_dicts, probe_str(key), rate, burst, after);
}

static void a_limit_lets_a_burst_and_then_the_rate(void **state) {
    (void)state;
    double after = -1;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(take("ann", 2, 5, &after), 0);
    }
    assert_int_equal(take("ann", 2, 5, &after), TW_ELIMIT);
    assert_true(after > 0.49 && after < 0.51);
    assert_int_equal(take("bob", 2, 5, &after), 0); /* has a bucket of his */
    probe_ms += 499;
    assert_int_equal(take("ann", 2, 5, &after), TW_ELIMIT);
    assert_true(after > 0 && after < 0.002);
    probe_ms += 1;
    assert_int_equal(take("ann", 2, 5, &after), 0);
    assert_int_equal(take("ann", 2, 5, &after), TW_ELIMIT);
    probe_ms += 3600000; /* no more than a burst is saved */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(take("ann", 2, 5, &after), 0);
    }
    assert_int_equal(take("ann", 2, 5, &after), TW_ELIMIT);
}

static void a_limit_waits_for_as_long_as_it_says(void **state) {
    (void)state;
    static const double rates[] = {0.001, 0.3, 7, 100, 999};
    double after = 0;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        char key[8];
        snprintf(key, sizeof key, "%zu", i);
        while (take(key, rates[i], 3, &after) == 0) {
        }
        probe_ms += (uint64_t)(after * 1000) + 1;
        assert_int_equal(take(key, rates[i], 3, &after), 0);
    }
    assert_int_equal(take("x", 0, 1, &after), TW_EINVALID);
    assert_int_equal(take("x", -1, 1, &after), TW_EINVALID);
    assert_int_equal(take("", 1, 1, &after), TW_EINVALID);
}

static void a_full_bucket_takes_no_memory(void **state) {
    (void)state;
    double after;
    for (int i = 0; i < 100000; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(take(key, 1000, 1, &after), 0);
        probe_ms += 2;
    }
    assert_int_equal(probe_tally.evicted, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, probe_up, probe_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(the_region_is_given_away_once),
        CASE(there_are_so_many_dictionaries),
        CASE(larger_ones_have_more_shards),
        CASE(what_was_unused_for_longest_goes_first),
        CASE(a_long_value_takes_the_room_of_many),
        CASE(what_is_over_goes_before_what_is_good),
        CASE(keys_come_once_in_slices),
        CASE(a_limit_lets_a_burst_and_then_the_rate),
        CASE(a_limit_waits_for_as_long_as_it_says),
        CASE(a_full_bucket_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
