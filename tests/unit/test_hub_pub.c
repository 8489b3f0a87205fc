/* Publications and the memory they are made in.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "hub/pub.h"

enum { MANY = 300 };

static tw__pub *make(tw__pub_store *store, int number, size_t len) {
    char data[2048], name[16];
    memset(data, number, sizeof data);
    int name_len = snprintf(name, sizeof name, "c%d", number);
    const tw__pub_parts parts = {name, "key", "id", (size_t)name_len,
                                 3,    2,     data, len};
    tw__pub *pub = tw__pub_create_of(store, &parts);
    assert_non_null(pub);
    return pub;
}

static void check(tw__pub *pub, int number, size_t len) {
    char data[2048], name[16];
    memset(data, number, sizeof data);
    snprintf(name, sizeof name, "c%d", number);
    assert_string_equal(tw__pub_channel(pub), name);
    assert_string_equal(tw__pub_key(pub), "key");
    assert_int_equal(pub->id_len, 2);
    assert_memory_equal(tw__pub_id(pub), "id", 2);
    assert_int_equal(pub->len, len);
    assert_memory_equal(tw__pub_data(pub), data, len);
    assert_int_equal(pub->header.except, 0);
    assert_int_equal(pub->header.deadline_ms, 0);
    assert_true(tw__list_is_empty(&pub->node));
}

/* Lengths on both sides of where a block ends. */
static void what_lives_at_the_same_time_does_not_share(void **state) {
    size_t live = tw__alloc_live();
    tw__pub_store store = {0};
    tw__pub *pubs[MANY];
    (void)state;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < MANY; i++) {
            pubs[i] = make(&store, i, (size_t)(i * (round + 1)));
        }
        for (int i = 0; i < MANY; i++) {
            check(pubs[i], i, (size_t)(i * (round + 1)));
            pubs[i]->header.except = 7; /* not for the next */
            pubs[i]->header.deadline_ms = 7;
            tw__pub_unref(pubs[i]);
        }
    }
    tw__pub_store_deinit(&store);
    assert_int_equal(tw__alloc_live(), live);
}

static void a_store_keeps_little(void **state) {
    size_t live = tw__alloc_live();
    tw__pub_store store = {0};
    tw__pub *pubs[MANY];
    (void)state;
    for (int i = 0; i < MANY; i++) {
        pubs[i] = make(&store, i, 64);
    }
    for (int i = 0; i < MANY; i++) {
        tw__pub_unref(pubs[i]);
    }
    assert_true(tw__alloc_live() - live <= 64);
    tw__pub_store_deinit(&store);
    assert_int_equal(tw__alloc_live(), live);
}

static void references_keep_a_publication(void **state) {
    size_t live = tw__alloc_live();
    tw__pub_store store = {0};
    (void)state;
    tw__pub *pub = tw__pub_ref(make(&store, 1, 10));
    tw__pub_unref(pub);
    tw__pub *other = make(&store, 2, 10);
    check(pub, 1, 10);
    tw__pub_unref(pub);
    tw__pub_unref(other);
    tw__pub_store_deinit(&store);
    assert_int_equal(tw__alloc_live(), live);
}

static void without_memory_there_is_no_publication(void **state) {
    tw__pub_store store = {0};
    (void)state;
    for (size_t len = 10; len <= 1000; len += 990) {
        tw__alloc_fail_nth(1);
        const tw__pub_parts parts = {"c", "", "", 1, 0, 0, NULL, len};
        assert_null(tw__pub_create_of(&store, &parts));
    }
    tw__pub_unref(NULL);
    tw__pub_store_deinit(&store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lives_at_the_same_time_does_not_share),
        cmocka_unit_test(a_store_keeps_little),
        cmocka_unit_test(references_keep_a_publication),
        cmocka_unit_test(without_memory_there_is_no_publication),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
