/* Random calls against a model that is nothing but an array.
 * SPDX-License-Identifier: MIT */
#include "dict_probe.h"

enum { KEYS = 100, STEPS = 60000, LONGEST = 300 };

typedef struct known {
    bool is_there, is_number;
    double number;
    size_t len;
    char text[LONGEST];
    uint64_t expires_ms;
} known;

static known model[KEYS];
static uint64_t seed;

static uint32_t below(uint32_t bound) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % bound;
}

static known *look(uint32_t which) {
    known *k = &model[which];
    if (k->is_there && k->expires_ms != 0 && k->expires_ms <= probe_ms) {
        k->is_there = false;
    }
    return k;
}

/* Keys of every length, so that values begin anywhere in their block. */
static tw_str key_of(uint32_t which) {
    static char text[KEYS * 3 + 4];
    int len = snprintf(text, sizeof text, "%u", which);
    memset(text + len, '.', which * 3 + 1);
    return (tw_str){text, (size_t)len + which * 3 + 1};
}

static tw_dict_value make(known *k, uint64_t ttl_ms) {
    k->is_there = true;
    k->expires_ms = ttl_ms != 0 ? probe_ms + ttl_ms : 0;
    k->is_number = below(3) == 0;
    if (k->is_number) {
        k->number = below(1000);
        return probe_number(k->number);
    }
    k->len = below(LONGEST);
    memset(k->text, 'a' + (int)below(26), k->len);
    return (tw_dict_value){.kind = TW_DICT_BYTES, .bytes = {k->text, k->len}};
}

static void expect(tw_dict *dict, uint32_t which) {
    const known *k = look(which);
    tw_dict_value value;
    int error = tw_dict_get(dict, key_of(which), &value);
    assert_int_equal(error, k->is_there ? 0 : TW_ENOT_FOUND);
    if (error == 0 && k->is_number) {
        assert_int_equal(value.kind, TW_DICT_NUMBER);
        assert_true(value.number == k->number);
    } else if (error == 0) {
        assert_int_equal(value.kind, TW_DICT_BYTES);
        assert_int_equal(value.bytes.len, k->len);
        assert_memory_equal(value.bytes.data, k->text, k->len);
    }
}

static void increase(tw_dict *dict, uint32_t which) {
    known *k = look(which);
    double result;
    int error = tw_dict_incr(dict, key_of(which), 3, 5, 40, &result);
    if (!k->is_there) {
        *k = (known){.is_there = true,
                     .is_number = true,
                     .number = 5,
                     .expires_ms = probe_ms + 40};
    }
    assert_int_equal(error, k->is_number ? 0 : TW_EINVALID);
    if (error == 0) {
        k->number += 3;
        assert_true(result == k->number);
    }
}

static void step(tw_dict *dict) {
    uint32_t which = below(KEYS);
    uint64_t ttl_ms = below(2) == 0 ? 0 : 1 + below(60);
    known *k = look(which);
    bool was_there = k->is_there;
    known before = *k;
    tw_dict_value value;
    switch (below(8)) {
    case 0:
    case 1:
        value = make(k, ttl_ms);
        assert_int_equal(tw_dict_set(dict, key_of(which), &value, ttl_ms), 0);
        break;
    case 2:
        value = make(k, ttl_ms);
        assert_int_equal(tw_dict_add(dict, key_of(which), &value, ttl_ms),
                         was_there ? TW_EEXISTS : 0);
        *k = was_there ? before : *k;
        break;
    case 3:
        assert_int_equal(tw_dict_delete(dict, key_of(which)),
                         was_there ? 0 : TW_ENOT_FOUND);
        k->is_there = false;
        break;
    case 4:
        increase(dict, which);
        break;
    case 5:
        probe_ms += below(5);
        break;
    default:
        expect(dict, which);
    }
}

static size_t live(void) {
    size_t count = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        count += look(i)->is_there;
    }
    return count;
}

static void it_does_what_an_array_does(void **state) {
    (void)state;
    seed = 20;
    tw_dict *dict = probe_open("a", 131072); /* nothing has to go */
    for (int i = 0; i < STEPS; i++) {
        step(dict);
        if (i % 1000 == 0) {
            for (uint32_t which = 0; which < KEYS; which++) {
                expect(dict, which);
            }
            const tw__dict_shard *shard =
                tw__dict_part_at(probe_region, dict->part, 0);
            assert_int_equal(shard->entries, live());
        }
    }
    assert_int_equal(probe_tally.evicted, 0);
    assert_true(probe_tally.expired > 100);
    for (uint32_t i = 0; i < KEYS; i++) {
        expect(dict, i); /* what is over goes when it is looked for */
        if (look(i)->is_there) {
            assert_int_equal(tw_dict_delete(dict, key_of(i)), 0);
        }
    }
    const tw__dict_shard *shard = tw__dict_part_at(probe_region, dict->part, 0);
    assert_int_equal(shard->entries, 0);
    assert_int_equal(shard->used, 0); /* every block came back */
}

/* In one that is too small: an entry may go at any time, but what is there is
 * right, and nothing gets lost of the memory. */
static void when_it_is_full_what_is_there_is_right(void **state) {
    (void)state;
    seed = 21;
    memset(model, 0, sizeof model);
    tw_dict *dict = probe_open("a", 16384);
    const tw__dict_shard *shard = tw__dict_part_at(probe_region, dict->part, 0);
    for (int i = 0; i < STEPS; i++) {
        uint32_t which = below(KEYS);
        uint64_t ttl_ms = below(3) == 0 ? 1 + below(60) : 0;
        known *k = look(which);
        tw_dict_value value;
        if (below(2) == 0) {
            value = make(k, ttl_ms);
            assert_int_equal(tw_dict_set(dict, key_of(which), &value, ttl_ms),
                             0);
        } else if (tw_dict_get(dict, key_of(which), &value) != 0) {
            k->is_there = false; /* evicted, or it was not there before */
        }
        expect(dict, which);
        probe_ms += below(3) == 0;
        assert_true(shard->used <= shard->blocks);
    }
    assert_true(probe_tally.evicted > 1000);
    for (uint32_t i = 0; i < KEYS; i++) {
        tw_dict_delete(dict, key_of(i));
    }
    assert_int_equal(shard->entries, 0);
    assert_int_equal(shard->used, 0);
    assert_int_equal(shard->newest + shard->oldest, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_does_what_an_array_does, probe_up,
                                        probe_down),
        cmocka_unit_test_setup_teardown(when_it_is_full_what_is_there_is_right,
                                        probe_up, probe_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
