/* The hash map. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "tidewire/errors.h"

enum { ITEMS = 500 };

typedef struct item {
    char key[12];
    size_t len;
    bool is_in, was_seen;
} item;

static item items[ITEMS];

static void make_items(void) {
    for (int i = 0; i < ITEMS; i++) {
        items[i].len = (size_t)sprintf(items[i].key, "key %d", i);
        items[i].is_in = items[i].was_seen = false;
    }
}

static void an_empty_map_has_nothing(void **state) {
    tw__map map;
    size_t pos = 0;
    (void)state;
    tw__map_init(&map);
    assert_null(tw__map_find(&map, "x", 1));
    assert_null(tw__map_remove(&map, "x", 1));
    assert_null(tw__map_next(&map, &pos));
    assert_int_equal(tw__map_len(&map), 0);
    tw__map_deinit(&map);
}

static void keys_are_bytes(void **state) {
    tw__map map;
    int a, b, c;
    (void)state;
    tw__map_init(&map);
    assert_int_equal(tw__map_add(&map, "a\0b", 3, &a), 0);
    assert_int_equal(tw__map_add(&map, "a\0c", 3, &b), 0);
    assert_int_equal(tw__map_add(&map, "", 0, &c), 0);
    assert_int_equal(tw__map_add(&map, "a\0b", 3, &c), TW_EEXISTS);
    assert_ptr_equal(tw__map_find(&map, "a\0b", 3), &a);
    assert_ptr_equal(tw__map_find(&map, "a\0c", 3), &b);
    assert_ptr_equal(tw__map_find(&map, "", 0), &c);
    assert_null(tw__map_find(&map, "a", 1));
    assert_ptr_equal(tw__map_remove(&map, "", 0), &c);
    assert_null(tw__map_remove(&map, "", 0));
    assert_int_equal(tw__map_len(&map), 2);
    tw__map_deinit(&map);
}

static void at_random_it_knows_what_is_in(void **state) {
    tw__map map;
    size_t live = tw__alloc_live();
    (void)state;
    for (unsigned seed = 0; seed < 5; seed++) {
        size_t len = 0;
        make_items();
        tw__map_init(&map);
        srand(seed);
        for (int step = 0; step < 20000; step++) {
            /* Waves, so that it fills, empties and is full of tombstones. */
            int range = step / 4000 % 2 ? 20 : ITEMS;
            item *it = &items[rand() % range];
            item *found = tw__map_find(&map, it->key, it->len);
            assert_ptr_equal(found, it->is_in ? it : NULL);
            if (rand() % 2) {
                int err = tw__map_add(&map, it->key, it->len, it);
                assert_int_equal(err, it->is_in ? TW_EEXISTS : 0);
                len += err == 0;
                it->is_in = true;
            } else {
                found = tw__map_remove(&map, it->key, it->len);
                assert_ptr_equal(found, it->is_in ? it : NULL);
                len -= it->is_in;
                it->is_in = false;
            }
            assert_int_equal(tw__map_len(&map), len);
        }
        tw__map_deinit(&map);
    }
    assert_int_equal(tw__alloc_live(), live);
}

static void a_walk_sees_everything_once_and_may_remove(void **state) {
    tw__map map;
    size_t pos = 0, seen = 0;
    item *it;
    (void)state;
    make_items();
    tw__map_init(&map);
    for (int i = 0; i < ITEMS; i++) {
        tw__map_add(&map, items[i].key, items[i].len, &items[i]);
    }
    while ((it = tw__map_next(&map, &pos)) != NULL) {
        assert_false(it->was_seen);
        it->was_seen = true;
        seen++;
        if (seen % 2) {
            tw__map_remove(&map, it->key, it->len);
        }
    }
    assert_int_equal(seen, ITEMS);
    assert_int_equal(tw__map_len(&map), ITEMS / 2);
    tw__map_deinit(&map);
}

/* A removed key's memory may go at once: nobody looks at it again. */
static void the_memory_of_a_removed_key_may_go(void **state) {
    tw__map map;
    (void)state;
    tw__map_init(&map);
    for (int i = 0; i < 200; i++) {
        char *key = malloc(4);
        memcpy(key, "key", 4);
        tw__map_add(&map, key, 4, key);
        tw__map_remove(&map, key, 4);
        free(key);
        assert_null(tw__map_find(&map, "key", 4));
    }
    tw__map_deinit(&map);
}

static void without_memory_nothing_has_changed(void **state) {
    tw__map map;
    int value;
    (void)state;
    tw__map_init(&map);
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__map_add(&map, "x", 1, &value), TW_ENOMEM);
    assert_int_equal(tw__map_len(&map), 0);
    make_items();
    for (int i = 0; i < ITEMS; i++) {
        tw__alloc_fail_nth(1);
        if (tw__map_add(&map, items[i].key, items[i].len, &items[i]) != 0) {
            assert_int_equal(tw__map_len(&map), i);
            assert_int_equal(
                tw__map_add(&map, items[i].key, items[i].len, &items[i]), 0);
        }
    }
    tw__alloc_fail_nth(0);
    for (int i = 0; i < ITEMS; i++) {
        assert_ptr_equal(tw__map_find(&map, items[i].key, items[i].len),
                         &items[i]);
    }
    tw__map_deinit(&map);
}

static void the_stable_hash_is_the_same_everywhere(void **state) {
    (void)state;
    assert_int_equal(tw__hash_stable("", 0), tw__hash_stable("x", 0));
    assert_int_not_equal(tw__hash_stable("a", 1), tw__hash_stable("b", 1));
    assert_int_equal(tw__hash_keyed("room", 4), tw__hash_keyed("room", 4));
    /* Members of all versions must agree about a channel's home: FNV-1a of 64
     * bits with the finishing mix, reckoned elsewhere. */
    assert_int_equal(tw__hash_stable("", 0), 0x2f8201a0);
    assert_int_equal(tw__hash_stable("room:lobby", 10), 0xe653be52);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(at_random_it_knows_what_is_in),
        cmocka_unit_test(a_walk_sees_everything_once_and_may_remove),
        cmocka_unit_test(the_memory_of_a_removed_key_may_go),
        cmocka_unit_test(without_memory_nothing_has_changed),
        cmocka_unit_test(the_stable_hash_is_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
