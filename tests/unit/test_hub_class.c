/* Which class a name has. SPDX-License-Identifier: MIT */
#include "hub_probe.h"

static int create(tw__classes **classes, const char *const *patterns,
                  size_t count, size_t *bad) {
    tw_class_config configs[8];
    for (size_t i = 0; i < count; i++) {
        configs[i] = (tw_class_config){.pattern = patterns[i],
                                       .slow = TW_SLOW_DROP_OLD,
                                       .batch_ms = (uint32_t)i + 1};
    }
    return tw__classes_create(classes, configs, count, NULL, bad);
}

static uint32_t class_of(const tw__classes *classes, const char *name) {
    return tw__classes_find(classes, name, strlen(name)).batch_ms;
}

static void the_most_specific_pattern_wins_in_any_order(void **state) {
    static const char *const orders[2][5] = {
        {"*", "room:*", "room:big:*", "room:big:1", "room:"},
        {"room:", "room:big:1", "room:big:*", "room:*", "*"}};
    static const struct {
        const char *name;
        int winner; /* index in the first order */
    } cases[] = {{"x", 0},          {"room:1", 1},     {"room:big:2", 2},
                 {"room:big:1", 3}, {"room:", 4},      {"room:big:", 2},
                 {"room", 0},       {"room:big:11", 2}};
    (void)state;
    for (int order = 0; order < 2; order++) {
        tw__classes *classes;
        size_t bad;
        assert_int_equal(create(&classes, orders[order], 5, &bad), 0);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            int at = order == 0 ? cases[i].winner : 4 - cases[i].winner;
            assert_int_equal(class_of(classes, cases[i].name), at + 1);
        }
        tw__classes_destroy(classes);
    }
}

static void what_matches_nothing_has_the_default(void **state) {
    tw__classes *classes;
    size_t bad;
    const char *patterns[] = {"a*"};
    (void)state;
    assert_int_equal(create(&classes, patterns, 1, &bad), 0);
    tw__class none = tw__classes_find(classes, "b", 1);
    assert_int_equal(none.slow, TW_SLOW_CLOSE);
    assert_int_equal(none.batch_ms, 0);
    assert_int_equal(tw__classes_find(NULL, "a", 1).batch_ms, 0);
    assert_int_equal(tw__classes_find(classes, "a", 1).slow, TW_SLOW_DROP_OLD);
    tw__classes_destroy(classes);
    tw__classes_destroy(NULL);
}

static void bad_patterns_are_told(void **state) {
    char long_name[257];
    memset(long_name, 'n', 256);
    long_name[256] = '\0';
    const char *const cases[][2] = {{"a", ""},    {"a", "a"},      {"a*", "a*"},
                                    {"a", "*b"},  {"a", "**"},     {"a", NULL},
                                    {"a", "b*c"}, {"a", long_name}};
    size_t live = tw__alloc_live();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tw__classes *classes = NULL;
        size_t bad = 99;
        assert_int_equal(create(&classes, cases[i], 2, &bad), TW_EINVALID);
        assert_int_equal(bad, 1);
        assert_null(classes);
    }
    tw__classes *classes;
    size_t bad;
    const char *fine[] = {"a", "a*", long_name + 1};
    assert_int_equal(create(&classes, fine, 3, &bad), 0);
    assert_int_equal(class_of(classes, long_name + 1), 3);
    tw__classes_destroy(classes);
    assert_int_equal(tw__alloc_live(), live);
}

static void what_is_kept_has_a_maximum(void **state) {
    tw_class_config configs[] = {
        {.pattern = "a", .history = TW_HISTORY_MAX, .retain = TW_RETAIN_MAX},
        {.pattern = "b"}};
    tw__classes *classes;
    size_t bad;
    (void)state;
    assert_int_equal(tw__classes_create(&classes, configs, 2, NULL, &bad), 0);
    tw__class found = tw__classes_find(classes, "a", 1);
    assert_int_equal(found.history, TW_HISTORY_MAX);
    assert_int_equal(found.retain, TW_RETAIN_MAX);
    tw__classes_destroy(classes);
    configs[1].history = TW_HISTORY_MAX + 1;
    assert_int_equal(tw__classes_create(&classes, configs, 2, NULL, &bad),
                     TW_EINVALID);
    assert_int_equal(bad, 1);
    configs[1].history = 0;
    configs[1].retain = TW_RETAIN_MAX + 1;
    assert_int_equal(tw__classes_create(&classes, configs, 2, NULL, &bad),
                     TW_EINVALID);
}

static void channels_of_users_are_known_by_their_pattern(void **state) {
    static const struct {
        const char *pattern, *name;
        bool is_for_users;
    } cases[] = {{"user:*", "user:ann", true},   {"user:a*", "user:ann", true},
                 {"user:ann", "user:ann", true}, {"user*", "user:ann", false},
                 {"*", "user:ann", false},       {"users:*", "users:1", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const tw_class_config config = {.pattern = cases[i].pattern};
        tw__classes *classes;
        size_t bad;
        assert_int_equal(tw__classes_create(&classes, &config, 1, NULL, &bad),
                         0);
        assert_int_equal(
            tw__classes_find(classes, cases[i].name, strlen(cases[i].name))
                .is_for_users,
            cases[i].is_for_users);
        tw__classes_destroy(classes);
    }
}

static void without_memory_there_are_no_classes(void **state) {
    const char *patterns[] = {"a", "b*", "c"};
    size_t live = tw__alloc_live(), bad;
    (void)state;
    for (size_t nth = 1; nth <= 4; nth++) {
        tw__classes *classes;
        tw__alloc_fail_nth(nth);
        assert_int_equal(create(&classes, patterns, 3, &bad), TW_ENOMEM);
        tw__alloc_fail_nth(0);
        assert_int_equal(tw__alloc_live(), live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_pattern_wins_in_any_order),
        cmocka_unit_test(what_matches_nothing_has_the_default),
        cmocka_unit_test(bad_patterns_are_told),
        cmocka_unit_test(what_is_kept_has_a_maximum),
        cmocka_unit_test(channels_of_users_are_known_by_their_pattern),
        cmocka_unit_test(without_memory_there_are_no_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
