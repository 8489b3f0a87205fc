/* Frames side by side in one block. SPDX-License-Identifier: MIT */
#include "hub_probe.h"

static void add(tw__list *pubs, const char *key, const char *text,
                uint64_t deadline_ms) {
    tw__pub *pub =
        tw__pub_create("ch", 2, key, strlen(key), text, strlen(text));
    assert_non_null(pub);
    pub->header.deadline_ms = deadline_ms;
    tw__list_push(pubs, &pub->node);
}

static void drop(tw__list *pubs) {
    tw__list *node;
    while ((node = tw__list_shift(pubs)) != NULL) {
        tw__pub_unref(TW__CONTAINER(node, tw__pub, node));
    }
}

static tw__batch *make(tw__list *pubs, uint32_t count) {
    return tw__batch_create(&plain, pubs, count, 77);
}

static void frames_lie_side_by_side(void **state) {
    probe p;
    tw__list pubs;
    (void)state;
    probe_init(&p);
    tw__list_init(&pubs);
    add(&pubs, "", "one", 0);
    add(&pubs, "", "", 5);
    add(&pubs, "", "three", 0);
    tw__batch *batch = make(&pubs, 3);
    drop(&pubs);
    assert_int_equal(batch->count, 3);
    assert_int_equal(batch->len, 8);
    assert_int_equal(batch->channel, 77);
    assert_memory_equal(batch->data, "onethree", 8);
    assert_int_equal(batch->frames[1].off, 3);
    assert_int_equal(batch->frames[1].len, 0);
    assert_int_equal(batch->frames[1].deadline_ms, 5);
    assert_int_equal(batch->frames[2].off, 3);
    tw__batch_unref(batch);
    probe_deinit(&p);
}

/* Leaves the first byte of a frame, and counts in `arg`. */
static size_t pack_to_one(void *arg, uint8_t *frame, size_t len) {
    (void)frame;
    ++*(int *)arg;
    return len > 1 ? 1 : len;
}

static void packed_frames_lie_side_by_side(void **state) {
    probe p;
    tw__list pubs;
    int packed = 0;
    tw__encoder packing = {plain.size, plain.write, pack_to_one, &packed};
    (void)state;
    for (int failing = 0; failing < 2; failing++) {
        probe_init(&p);
        tw__list_init(&pubs);
        add(&pubs, "", "one", 0);
        add(&pubs, "", "", 5);
        add(&pubs, "", "three", 0);
        /* What is over is given back, or kept without memory to do that. */
        tw__alloc_fail_nth(failing ? 2 : 0);
        tw__batch *batch = tw__batch_create(&packing, &pubs, 3, 77);
        tw__alloc_fail_nth(0);
        assert_non_null(batch);
        assert_int_equal(batch->len, 2);
        assert_memory_equal(batch->data, "ot", 2);
        assert_int_equal(batch->frames[1].off, 1);
        assert_int_equal(batch->frames[1].deadline_ms, 5);
        assert_int_equal(batch->frames[2].off, 1);
        assert_int_equal(batch->frames[2].len, 1);
        drop(&pubs);
        tw__batch_unref(batch);
        probe_deinit(&p);
    }
    assert_int_equal(packed, 6);
}

static void keys_are_told_apart(void **state) {
    probe p;
    tw__list pubs;
    (void)state;
    probe_init(&p);
    tw__list_init(&pubs);
    add(&pubs, "a", "1", 0);
    add(&pubs, "b", "2", 0);
    add(&pubs, "a", "3", 0);
    add(&pubs, "", "4", 0);
    tw__batch *batch = make(&pubs, 4);
    drop(&pubs);
    assert_int_equal(batch->frames[0].key, batch->frames[2].key);
    assert_int_not_equal(batch->frames[0].key, batch->frames[1].key);
    assert_int_not_equal(batch->frames[0].key, 0);
    assert_int_equal(batch->frames[3].key, 0);
    tw__batch_unref(batch);
    probe_deinit(&p);
}

static void a_frame_can_be_copied_out(void **state) {
    probe p;
    tw__list pubs;
    (void)state;
    probe_init(&p);
    tw__list_init(&pubs);
    add(&pubs, "a", "one", 1);
    add(&pubs, "b", "two", 2);
    tw__batch *batch = make(&pubs, 2);
    drop(&pubs);
    tw__batch *copy = tw__batch_copy_frame(batch, 1);
    assert_int_equal(copy->count, 1);
    assert_int_equal(copy->len, 3);
    assert_int_equal(copy->channel, 77);
    assert_memory_equal(copy->data, "two", 3);
    assert_int_equal(copy->frames[0].off, 0);
    assert_int_equal(copy->frames[0].key, batch->frames[1].key);
    assert_int_equal(copy->frames[0].deadline_ms, 2);
    tw__batch_unref(tw__batch_ref(batch));
    tw__batch_unref(batch);
    tw__batch_unref(copy);
    tw__batch_unref(NULL);
    probe_deinit(&p);
}

static void without_memory_there_is_no_batch(void **state) {
    probe p;
    tw__list pubs;
    (void)state;
    probe_init(&p);
    tw__list_init(&pubs);
    add(&pubs, "", "one", 0);
    tw__alloc_fail_nth(1);
    assert_null(make(&pubs, 1));
    tw__batch *batch = make(&pubs, 1);
    assert_non_null(batch);
    tw__alloc_fail_nth(1);
    assert_null(tw__batch_copy_frame(batch, 0));
    tw__alloc_fail_nth(1);
    assert_null(tw__pub_create("ch", 2, NULL, 0, "x", 1));
    tw__alloc_fail_nth(0);
    tw__batch_unref(batch);
    drop(&pubs);
    probe_deinit(&p);
}

static void a_publication_keeps_its_parts_apart(void **state) {
    size_t live = tw__alloc_live();
    tw__pub *pub = tw__pub_create("ch", 2, "k\0y", 3, "data", 4);
    (void)state;
    assert_string_equal(tw__pub_channel(pub), "ch");
    assert_memory_equal(tw__pub_key(pub), "k\0y", 4);
    assert_memory_equal(tw__pub_data(pub), "data", 4);
    assert_int_equal(pub->header.flags, 0);
    tw__pub_unref(tw__pub_ref(pub));
    tw__pub_unref(pub);
    assert_int_equal(tw__alloc_live(), live);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_lie_side_by_side),
        cmocka_unit_test(packed_frames_lie_side_by_side),
        cmocka_unit_test(keys_are_told_apart),
        cmocka_unit_test(a_frame_can_be_copied_out),
        cmocka_unit_test(without_memory_there_is_no_batch),
        cmocka_unit_test(a_publication_keeps_its_parts_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
