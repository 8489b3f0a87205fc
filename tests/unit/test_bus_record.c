/* The records of the link: written, read whole and bytewise, refused.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "bus/record.h"
#include "tidewire/errors.h"

static const char channel[] = "room:lobby";
static const char key[] = "k1";
static const char id[] = "id9";
static const uint8_t payload[] = {0, 1, 2, 0xff, 'x'};

static tw__record sample(void) {
    return (tw__record){.type = TW__RECORD_PUBLISH,
                        .channel = channel,
                        .channel_len = sizeof channel - 1,
                        .key = key,
                        .key_len = sizeof key - 1,
                        .id = id,
                        .id_len = sizeof id - 1,
                        .status = 7,
                        .data = payload,
                        .len = sizeof payload,
                        .token = UINT64_C(0x1122334455667788),
                        .header = {.flags = 0xf00d,
                                   .lane = 3,
                                   .colour = 9,
                                   .origin = {.node = 0xa1b2c3d4,
                                              .incarnation = 0x01020304,
                                              .slot = 0xbeef},
                                   .except = UINT64_MAX - 1,
                                   .offset = UINT64_C(1) << 52,
                                   .deadline_ms = 123456789,
                                   .trace = "0123456789abcde"}};
}

static void assert_same(const tw__record *a, const tw__record *b) {
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->token, b->token);
    assert_int_equal(a->header.flags, b->header.flags);
    assert_int_equal(a->header.lane, b->header.lane);
    assert_int_equal(a->header.colour, b->header.colour);
    assert_int_equal(a->header.origin.node, b->header.origin.node);
    assert_int_equal(a->header.origin.incarnation,
                     b->header.origin.incarnation);
    assert_int_equal(a->header.origin.slot, b->header.origin.slot);
    assert_int_equal(a->header.except, b->header.except);
    assert_int_equal(a->header.offset, b->header.offset);
    assert_int_equal(a->header.deadline_ms, b->header.deadline_ms);
    assert_memory_equal(a->header.trace, b->header.trace, TW__TRACE_BYTES);
    assert_int_equal(a->channel_len, b->channel_len);
    assert_int_equal(a->key_len, b->key_len);
    assert_int_equal(a->id_len, b->id_len);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->len, b->len);
    assert_memory_equal(a->channel, b->channel, a->channel_len);
    assert_memory_equal(a->key, b->key, a->key_len);
    assert_memory_equal(a->id, b->id, a->id_len);
    assert_memory_equal(a->data, b->data, a->len);
}

static void what_was_written_is_read(void **state) {
    (void)state;
    uint8_t bytes[256];
    tw__record written = sample(), read;
    size_t taken;
    size_t size = tw__record_size(&written);
    assert_int_equal(size, 72 + 10 + 2 + 3 + 5);
    tw__record_write(bytes, &written);
    assert_int_equal(tw__record_parse(bytes, sizeof bytes, &read, &taken), 0);
    assert_int_equal(taken, size);
    assert_same(&written, &read);
}

static void the_layout_is_the_documented_one(void **state) {
    (void)state;
    uint8_t bytes[256];
    tw__record written = sample();
    tw__record_write(bytes, &written);
    static const uint8_t front[] = {
        92,   0,    0,    0,    2,    7,    0x0d, 0xf0, 3,    9,    10, 2,
        0xd4, 0xc3, 0xb2, 0xa1, 0x04, 0x03, 0x02, 0x01, 0xef, 0xbe, 3,  7};
    assert_memory_equal(bytes, front, sizeof front);
    assert_int_equal(bytes[24], 0xfe);
    assert_int_equal(bytes[38], 0x10);
    assert_memory_equal(bytes + 48, "0123456789abcde", 16);
    assert_int_equal(bytes[64], 0x88);
    assert_memory_equal(bytes + 72, "room:lobbyk1id9", 15);
}

static void a_record_is_not_read_before_its_last_byte(void **state) {
    (void)state;
    uint8_t bytes[256];
    tw__record written = sample(), read;
    size_t taken = 99;
    size_t size = tw__record_size(&written);
    tw__record_write(bytes, &written);
    for (size_t len = 0; len < size; len++) {
        uint8_t *exact = malloc(len ? len : 1); /* so that ASan sees more */
        assert_non_null(exact);
        memcpy(exact, bytes, len);
        assert_int_equal(tw__record_parse(exact, len, &read, &taken), 0);
        assert_int_equal(taken, 0);
        assert_int_equal(tw__record_claimed(exact, len), len < 4 ? 0 : size);
        free(exact);
    }
}

static void an_impossible_length_is_refused_at_the_fourth_byte(void **state) {
    (void)state;
    static const uint8_t too_short[] = {71, 0, 0, 0};
    static const uint8_t too_long[] = {1, 0, 0, 4};
    static const uint8_t longest[] = {0, 0, 0, 4};
    tw__record read;
    size_t taken;
    assert_int_equal(tw__record_parse(too_short, 3, &read, &taken), 0);
    assert_int_equal(tw__record_parse(too_short, 4, &read, &taken),
                     TW_EINVALID);
    assert_int_equal(tw__record_parse(too_long, 4, &read, &taken), TW_EINVALID);
    assert_int_equal(tw__record_parse(longest, 4, &read, &taken), 0);
}

static void another_version_is_refused(void **state) {
    (void)state;
    uint8_t bytes[256];
    tw__record written = sample(), read;
    size_t taken;
    tw__record_write(bytes, &written);
    bytes[4] = TW__RECORD_VERSION + 1;
    assert_int_equal(tw__record_parse(bytes, 5, &read, &taken), TW_EINVALID);
}

static void names_longer_than_the_record_are_refused(void **state) {
    (void)state;
    uint8_t bytes[256];
    tw__record written = sample(), read;
    size_t taken;
    written.len = 0;
    tw__record_write(bytes, &written);
    bytes[10] = 14; /* one more than there is */
    assert_int_equal(tw__record_parse(bytes, 23, &read, &taken), TW_EINVALID);
    bytes[10] = 10;
    bytes[11] = 6;
    assert_int_equal(tw__record_parse(bytes, 12, &read, &taken), TW_EINVALID);
    bytes[11] = 2;
    bytes[22] = 4;
    assert_int_equal(tw__record_parse(bytes, 22, &read, &taken), 0);
    assert_int_equal(tw__record_parse(bytes, 23, &read, &taken), TW_EINVALID);
    bytes[22] = 3;
    assert_int_equal(tw__record_parse(bytes, sizeof bytes, &read, &taken), 0);
    assert_int_equal(taken, 87);
}

static void an_unknown_type_is_read_like_any_other(void **state) {
    (void)state;
    uint8_t bytes[256];
    tw__record written = sample(), read;
    size_t taken;
    written.type = 200;
    tw__record_write(bytes, &written);
    assert_int_equal(tw__record_parse(bytes, sizeof bytes, &read, &taken), 0);
    assert_same(&written, &read);
}

static void retyping_changes_nothing_else(void **state) {
    (void)state;
    uint8_t bytes[256];
    tw__record written = sample(), read;
    size_t taken;
    tw__record_write(bytes, &written);
    assert_int_equal(tw__record_type_of(bytes), TW__RECORD_PUBLISH);
    tw__record_retype(bytes, TW__RECORD_DELIVER);
    assert_int_equal(tw__record_parse(bytes, sizeof bytes, &read, &taken), 0);
    written.type = TW__RECORD_DELIVER;
    assert_same(&written, &read);
}

static void a_publication_survives_the_way(void **state) {
    (void)state;
    uint8_t bytes[256];
    tw__record record = sample(), read;
    size_t taken;
    tw__pub *pub = tw__record_to_pub(&record, NULL);
    assert_non_null(pub);
    assert_string_equal(tw__pub_channel(pub), channel);
    assert_string_equal(tw__pub_key(pub), key);
    assert_int_equal(pub->id_len, 3);
    assert_memory_equal(tw__pub_id(pub), id, 3);
    assert_int_equal(tw__record_pub_size(pub), tw__record_size(&record));
    tw__record_of_pub(&read, TW__RECORD_DELIVER, pub);
    tw__record_write(bytes, &read);
    assert_int_equal(tw__record_parse(bytes, sizeof bytes, &read, &taken), 0);
    record.type = TW__RECORD_DELIVER;
    record.status = 0;
    assert_same(&record, &read);
    tw__pub_unref(pub);
    tw__alloc_fail_nth(1);
    assert_null(tw__record_to_pub(&record, NULL));
}

/* Whatever comes, nothing outside of it is touched, and what is taken lies
 * within. Half of the inputs are records with a byte changed. */
static void random_bytes_never_lead_outside(void **state) {
    (void)state;
    srand(4711);
    for (int round = 0; round < 20000; round++) {
        size_t len = (size_t)(rand() % 200);
        uint8_t *bytes = malloc(len ? len : 1);
        assert_non_null(bytes);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)rand();
        }
        tw__record record = sample();
        if (round % 2 == 0 && len >= tw__record_size(&record)) {
            tw__record_write(bytes, &record);
            bytes[rand() % 24] = (uint8_t)rand();
        }
        size_t taken = 0;
        if (tw__record_parse(bytes, len, &record, &taken) == 0 && taken != 0) {
            assert_true(taken <= len);
            assert_ptr_equal(record.data + record.len, bytes + taken);
            tw__pub *pub = tw__record_to_pub(&record, NULL);
            assert_non_null(pub);
            tw__pub_unref(pub);
        }
        free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(the_layout_is_the_documented_one),
        cmocka_unit_test(a_record_is_not_read_before_its_last_byte),
        cmocka_unit_test(an_impossible_length_is_refused_at_the_fourth_byte),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(names_longer_than_the_record_are_refused),
        cmocka_unit_test(an_unknown_type_is_read_like_any_other),
        cmocka_unit_test(retyping_changes_nothing_else),
        cmocka_unit_test(a_publication_survives_the_way),
        cmocka_unit_test(random_bytes_never_lead_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
