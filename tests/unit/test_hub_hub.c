/* Channels and their members. SPDX-License-Identifier: MIT */
#include "hub_probe.h"

static void a_channel_lives_as_long_as_somebody_refers_to_it(void **state) {
    probe p;
    bool created;
    (void)state;
    probe_init(&p);
    tw__channel *a = tw__channel_open(&p.hub, "room", 4, &created);
    assert_true(created);
    assert_ptr_equal(tw__channel_open(&p.hub, "room", 4, &created), a);
    assert_false(created);
    tw__channel *b = tw__channel_open(&p.hub, "roo", 3, &created);
    assert_true(created);
    assert_int_not_equal(a->number, b->number);
    assert_ptr_equal(tw__hub_find(&p.hub, "room", 4), a);
    assert_null(tw__hub_find(&p.hub, "rooms", 5));
    assert_false(tw__channel_close(a));
    assert_true(tw__channel_close(a));
    assert_null(tw__hub_find(&p.hub, "room", 4));
    assert_true(tw__channel_close(b));
    probe_deinit(&p);
}

static void a_name_has_any_bytes_up_to_255(void **state) {
    probe p;
    bool created;
    char name[255];
    (void)state;
    probe_init(&p);
    memset(name, 0, sizeof name);
    tw__channel *a = tw__channel_open(&p.hub, name, 255, &created);
    tw__channel *b = tw__channel_open(&p.hub, name, 254, &created);
    assert_true(created);
    assert_int_equal(a->name_len, 255);
    assert_memory_equal(a->name, name, 255);
    tw__channel_close(a);
    tw__channel_close(b);
    probe_deinit(&p);
}

static void members_stand_side_by_side(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    for (int i = 0; i < 10; i++) {
        probe_join(&p, i, "room");
        assert_int_equal(p.members[i].sub.index, i);
    }
    tw__channel *channel = probe_channel(&p, "room");
    assert_int_equal(tw__channel_len(channel), 10);
    probe_leave(&p, 3);
    probe_leave(&p, 9);
    probe_leave(&p, 0);
    assert_int_equal(tw__channel_len(channel), 7);
    assert_int_equal(channel->count, 7);
    for (uint32_t i = 0; i < channel->count; i++) {
        assert_int_equal(channel->members[i].sub->index, i);
    }
    probe_deinit(&p);
}

static void a_subscription_may_move(void **state) {
    probe p;
    tw__sub moved;
    (void)state;
    probe_init(&p);
    probe_join(&p, 1, "room");
    moved = p.members[1].sub;
    tw__sub_moved(&moved);
    memset(&p.members[1].sub, 0xee, sizeof moved);
    probe_publish(&p, "room", "a", -1);
    probe_walk(&p);
    expect_log(&p, "1:a ");
    p.members[1].sub = moved;
    tw__sub_moved(&p.members[1].sub);
    probe_deinit(&p);
}

static void a_member_without_a_descriptor_is_asked_itself(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    probe_join(&p, 1, "room");
    tw__sub_set_fd(&p.members[1].sub, -1);
    probe_publish(&p, "room", "a", -1);
    probe_walk(&p);
    expect_log(&p, "1(a) ");
    tw__sub_set_fd(&p.members[1].sub, 101);
    probe_publish(&p, "room", "b", -1);
    probe_walk(&p);
    expect_log(&p, "1:b ");
    probe_deinit(&p);
}

static void a_publication_means_as_many_deliveries_as_members(void **state) {
    probe p;
    bool created;
    (void)state;
    probe_init(&p);
    tw__channel *channel = tw__channel_open(&p.hub, "room", 4, &created);
    assert_int_equal(probe_publish(&p, "room", "a", -1), 0);
    assert_int_equal(channel->pending_count, 0);
    probe_join(&p, 1, "room");
    probe_join(&p, 2, "room");
    assert_int_equal(probe_publish(&p, "room", "bc", -1), 4);
    assert_int_equal(probe_publish(&p, "room", "d", 2), 1);
    assert_int_equal(p.hub.pending_deliveries, 5);
    assert_int_equal(channel->pending_bytes, 3);
    probe_walk(&p);
    expect_log(&p, "1:bcd 2(bc) ");
    tw__channel_close(channel);
    probe_deinit(&p);
}

static void the_only_member_may_be_the_excepted_one(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    probe_join(&p, 1, "room");
    assert_int_equal(probe_publish(&p, "room", "a", 1), 0);
    assert_int_equal(probe_publish(&p, "room", "b", -1), 1);
    assert_int_equal(probe_publish(&p, "room", "c", 1), 0);
    assert_int_equal(probe_publish(&p, "room", "d", -1), 1);
    probe_walk(&p);
    expect_log(&p, "1(b) 1(d) ");
    probe_deinit(&p);
}

static void who_leaves_says_how_much_it_was_still_to_get(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    probe_join(&p, 1, "room");
    probe_publish(&p, "room", "abc", -1);
    probe_publish(&p, "room", "d", 1);
    probe_join(&p, 2, "room");
    probe_publish(&p, "room", "e", -1);
    assert_int_equal(p.hub.pending_deliveries, 5);
    assert_int_equal(probe_leave(&p, 2), 1);
    assert_int_equal(probe_leave(&p, 1), 4);
    assert_int_equal(p.hub.pending_deliveries, 0);
    probe_deinit(&p);
}

static void who_comes_back_is_a_newcomer(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    probe_join(&p, 1, "room");
    probe_join(&p, 2, "room");
    probe_publish(&p, "room", "a", 2);
    probe_publish(&p, "room", "b", -1);
    assert_int_equal(probe_leave(&p, 2), 1);
    probe_join(&p, 2, "room");
    probe_publish(&p, "room", "c", -1);
    probe_walk(&p);
    expect_log(&p, "1:abc 2(c) ");
    probe_publish(&p, "room", "d", -1);
    probe_walk(&p);
    expect_log(&p, "1:d 2:d ");
    probe_deinit(&p);
}

static tw__classes *classes_of(const char *pattern, uint32_t batch_ms) {
    tw_class_config config = {.pattern = pattern,
                              .slow = TW_SLOW_CONFLATE,
                              .batch_ms = batch_ms};
    tw__classes *classes;
    size_t bad;
    assert_int_equal(tw__classes_create(&classes, &config, 1, NULL, &bad), 0);
    return classes;
}

static void living_channels_follow_new_classes(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    tw__hub_set_classes(&p.hub, classes_of("room:*", 5));
    probe_join(&p, 1, "room:1");
    probe_join(&p, 2, "other");
    assert_int_equal(probe_channel(&p, "room:1")->class.batch_ms, 5);
    assert_int_equal(probe_channel(&p, "other")->class.batch_ms, 0);
    tw__hub_set_classes(&p.hub, classes_of("other", 7));
    assert_int_equal(probe_channel(&p, "room:1")->class.batch_ms, 0);
    assert_int_equal(probe_channel(&p, "room:1")->class.slow, TW_SLOW_CLOSE);
    assert_int_equal(probe_channel(&p, "other")->class.batch_ms, 7);
    tw__hub_set_classes(&p.hub, NULL);
    assert_int_equal(probe_channel(&p, "other")->class.batch_ms, 0);
    probe_deinit(&p);
}

/* ---- no memory ---- */

static void without_memory_nothing_has_changed(void **state) {
    (void)state;
    for (size_t nth = 1; nth <= 2; nth++) {
        probe p;
        bool created;
        probe_init(&p);
        tw__alloc_fail_nth(nth);
        assert_null(tw__channel_open(&p.hub, "room", 4, &created));
        tw__alloc_fail_nth(0);
        assert_null(tw__hub_find(&p.hub, "room", 4));
        probe_deinit(&p);
    }
}

static void a_join_without_memory_is_none(void **state) {
    (void)state;
    for (size_t nth = 1; nth <= 2; nth++) {
        probe p;
        bool created;
        probe_init(&p);
        probe_join(&p, 1, "room");
        probe_join(&p, 2, "room"); /* the array is full now */
        probe_publish(&p, "room", "a", -1);
        tw__sub *sub = &p.members[3].sub;
        sub->channel = tw__channel_open(&p.hub, "room", 4, &created);
        tw__alloc_fail_nth(nth); /* the array, or the note that it is late */
        assert_int_equal(tw__channel_join(sub, 103, 0), TW_ENOMEM);
        tw__alloc_fail_nth(0);
        assert_int_equal(sub->index, TW__NOT_JOINED);
        assert_int_equal(tw__channel_len(sub->channel), 2);
        assert_int_equal(tw__channel_join(sub, 103, 0), 0);
        probe_publish(&p, "room", "b", -1);
        probe_walk(&p);
        expect_log(&p, "1:ab 2:ab 3(b) ");
        probe_deinit(&p);
    }
}

static void who_must_not_get_it_does_not_for_want_of_memory(void **state) {
    probe p;
    (void)state;
    probe_init(&p);
    probe_join(&p, 1, "room");
    probe_join(&p, 2, "room");
    tw__channel *channel = probe_channel(&p, "room");
    tw__pub *pub = tw__pub_create("room", 4, NULL, 0, "a", 1);
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__channel_publish(channel, pub, &p.members[1].sub), 1);
    tw__alloc_fail_nth(0);
    assert_int_equal(p.lost, 1);
    assert_int_equal(channel->pending_count, 0);
    probe_deinit(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_lives_as_long_as_somebody_refers_to_it),
        cmocka_unit_test(a_name_has_any_bytes_up_to_255),
        cmocka_unit_test(members_stand_side_by_side),
        cmocka_unit_test(a_subscription_may_move),
        cmocka_unit_test(a_member_without_a_descriptor_is_asked_itself),
        cmocka_unit_test(a_publication_means_as_many_deliveries_as_members),
        cmocka_unit_test(the_only_member_may_be_the_excepted_one),
        cmocka_unit_test(who_leaves_says_how_much_it_was_still_to_get),
        cmocka_unit_test(who_comes_back_is_a_newcomer),
        cmocka_unit_test(living_channels_follow_new_classes),
        cmocka_unit_test(without_memory_nothing_has_changed),
        cmocka_unit_test(a_join_without_memory_is_none),
        cmocka_unit_test(who_must_not_get_it_does_not_for_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
