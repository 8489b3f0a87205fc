/* Numbers found by hashes. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "hub/index.h"
#include "tidewire/errors.h"

static bool has(const tw__index *index, uint32_t hash, uint32_t number) {
    uint32_t probe = hash, found;
    while (tw__index_next(index, hash, &probe, &found)) {
        if (found == number) {
            return true;
        }
    }
    return false;
}

static void add(tw__index *index, uint32_t hash, uint32_t number) {
    assert_int_equal(tw__index_reserve(index), 0);
    tw__index_add(index, hash, number);
}

static void an_empty_index_has_nothing(void **state) {
    tw__index index = {0};
    (void)state;
    assert_false(has(&index, 0, 0));
    tw__index_clear(&index);
    assert_int_equal(tw__index_bytes(&index), 0);
    tw__index_deinit(&index);
}

static void one_hash_has_many_numbers(void **state) {
    tw__index index = {0};
    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        add(&index, 7, i);
        add(&index, 8, 100 + i);
    }
    for (uint32_t i = 0; i < 20; i++) {
        assert_true(has(&index, 7, i));
        assert_true(has(&index, 8, 100 + i));
        assert_false(has(&index, 7, 100 + i));
    }
    for (uint32_t i = 0; i < 20; i += 2) {
        tw__index_remove(&index, 7, i);
    }
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(has(&index, 7, i), i % 2 == 1);
        assert_true(has(&index, 8, 100 + i));
    }
    tw__index_deinit(&index);
}

static void a_number_may_become_another(void **state) {
    tw__index index = {0};
    (void)state;
    add(&index, 1, 10);
    add(&index, 1, 11);
    tw__index_renumber(&index, 1, 10, 12);
    assert_false(has(&index, 1, 10));
    assert_true(has(&index, 1, 11));
    assert_true(has(&index, 1, 12));
    tw__index_deinit(&index);
}

static void a_run_over_the_end_of_the_table_stays_whole(void **state) {
    tw__index index = {0};
    (void)state;
    for (uint32_t i = 0; i < 7; i++) {
        add(&index, i % 2 == 0 ? 7 : 6, i); /* eight slots: all at the end */
    }
    for (uint32_t gone = 0; gone < 7; gone++) {
        tw__index_remove(&index, gone % 2 == 0 ? 7 : 6, gone);
        for (uint32_t i = 0; i < 7; i++) {
            assert_int_equal(has(&index, i % 2 == 0 ? 7 : 6, i), i > gone);
        }
    }
    tw__index_deinit(&index);
}

/* Few hashes, so that runs are long and mixed. */
static void what_was_added_and_not_removed_is_found(void **state) {
    enum { NUMBERS = 600 };
    (void)state;
    for (unsigned seed = 1; seed <= 30; seed++) {
        tw__index index = {0};
        bool is_in[NUMBERS] = {false};
        unsigned random = seed * 7919;
        uint32_t spread = 1 + seed * seed;
        for (int step = 0; step < 4000; step++) {
            random = random * 1103515245u + 12345u;
            uint32_t number = (random >> 8) % NUMBERS, hash = number % spread;
            if (has(&index, hash, number) != is_in[number]) {
                fail_msg("seed %u, step %d: %u", seed, step, number);
            }
            if (is_in[number]) {
                tw__index_remove(&index, hash, number);
            } else if (step % 1000 < 700) {
                add(&index, hash, number);
            } else {
                continue;
            }
            is_in[number] = !is_in[number];
        }
        for (uint32_t i = 0; i < NUMBERS; i++) {
            if (has(&index, i % spread, i) != is_in[i]) {
                fail_msg("seed %u, at the end: %u", seed, i);
            }
        }
        tw__index_deinit(&index);
    }
}

static void it_shrinks_when_most_have_gone(void **state) {
    tw__index index = {0};
    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        add(&index, i * 2654435761u, i);
    }
    size_t large = tw__index_bytes(&index);
    for (uint32_t i = 0; i < 990; i++) {
        tw__index_remove(&index, i * 2654435761u, i);
    }
    assert_true(tw__index_bytes(&index) < large / 8);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(has(&index, i * 2654435761u, i), i >= 990);
    }
    tw__index_deinit(&index);
}

static void without_memory_it_stays_as_it_is(void **state) {
    tw__index index = {0};
    (void)state;
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__index_reserve(&index), TW_ENOMEM);
    for (uint32_t i = 0; i < 56; i++) {
        add(&index, i, i);
    }
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__index_reserve(&index), TW_ENOMEM);
    for (uint32_t i = 0; i < 56; i++) {
        assert_true(has(&index, i, i));
    }
    for (uint32_t i = 0; i < 56; i++) {
        tw__alloc_fail_nth(1); /* a smaller table */
        tw__index_remove(&index, i, i);
        assert_false(has(&index, i, i));
    }
    assert_int_equal(tw__alloc_fail_nth(0), 0);
    tw__index_deinit(&index);
}

static int setup(void **state) {
    static size_t live;
    live = tw__alloc_live();
    *state = &live;
    return 0;
}

static int all_is_released(void **state) {
    tw__alloc_fail_nth(0);
    return tw__alloc_live() == *(size_t *)*state ? 0 : -1;
}

#define a_test(name)                                                           \
    cmocka_unit_test_setup_teardown(name, setup, all_is_released)

int main(void) {
    const struct CMUnitTest tests[] = {
        a_test(an_empty_index_has_nothing),
        a_test(one_hash_has_many_numbers),
        a_test(a_number_may_become_another),
        a_test(a_run_over_the_end_of_the_table_stays_whole),
        a_test(what_was_added_and_not_removed_is_found),
        a_test(it_shrinks_when_most_have_gone),
        a_test(without_memory_it_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
