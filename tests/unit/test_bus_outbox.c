/* What waits for one peer: levels by class, partial writes, recovery.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "bus/outbox.h"
#include "tidewire/errors.h"

static tw__record record_of(enum tw__record_type type, uint64_t number,
                            size_t len) {
    static const uint8_t zeros[4096];
    return (tw__record){.type = (uint8_t)type,
                        .header.offset = number,
                        .channel = "abc",
                        .channel_len = 3,
                        .data = zeros,
                        .len = (uint32_t)len};
}

static void append(tw__outbox *outbox, enum tw__record_type type,
                   uint64_t number, size_t len) {
    tw__record record = record_of(type, number, len);
    assert_int_equal(tw__outbox_append(outbox, &record), 0);
}

static void bytes_are_counted_by_class(void **state) {
    (void)state;
    tw__outbox outbox;
    tw__outbox_init(&outbox);
    append(&outbox, TW__RECORD_CONFIRM, 1, 0);
    append(&outbox, TW__RECORD_DELIVER, 2, 10);
    append(&outbox, TW__RECORD_GAP, 3, 0);
    append(&outbox, TW__RECORD_PUBLISH, 4, 100);
    assert_int_equal(outbox.level[TW__OUTBOX_CONTROL], 75);
    assert_int_equal(outbox.level[TW__OUTBOX_DELIVERY], 85 + 75);
    assert_int_equal(outbox.level[TW__OUTBOX_PUBLISH], 175);
    assert_int_equal(outbox.records, 4);
    assert_int_equal(tw__outbox_len(&outbox), 75 + 85 + 75 + 175);
    assert_int_equal(tw__outbox_sent(&outbox, tw__outbox_len(&outbox)), 4);
    assert_true(tw__outbox_is_empty(&outbox));
    assert_int_equal(outbox.level[TW__OUTBOX_DELIVERY], 0);
    tw__outbox_deinit(&outbox);
}

static void a_record_counts_until_its_last_byte_has_left(void **state) {
    (void)state;
    tw__outbox outbox;
    tw__outbox_init(&outbox);
    append(&outbox, TW__RECORD_DELIVER, 1, 0);
    append(&outbox, TW__RECORD_PUBLISH, 2, 0);
    assert_int_equal(tw__outbox_sent(&outbox, 74), 0);
    assert_int_equal(outbox.level[TW__OUTBOX_DELIVERY], 75);
    assert_int_equal(tw__outbox_sent(&outbox, 1), 1);
    assert_int_equal(outbox.level[TW__OUTBOX_DELIVERY], 0);
    assert_int_equal(outbox.level[TW__OUTBOX_PUBLISH], 75);
    assert_int_equal(tw__outbox_sent(&outbox, 75), 1);
    tw__outbox_deinit(&outbox);
}

static void a_record_begun_is_still_seen_when_walking(void **state) {
    (void)state;
    tw__outbox outbox;
    tw__record record;
    size_t pos = 0;
    tw__outbox_init(&outbox);
    append(&outbox, TW__RECORD_PUBLISH, 1, 5);
    append(&outbox, TW__RECORD_PUBLISH, 2, 5);
    append(&outbox, TW__RECORD_PUBLISH, 3, 5);
    assert_int_equal(tw__outbox_sent(&outbox, 80 + 40), 1);
    assert_true(tw__outbox_next(&outbox, &pos, &record));
    assert_int_equal(record.header.offset, 2);
    assert_true(tw__outbox_next(&outbox, &pos, &record));
    assert_int_equal(record.header.offset, 3);
    assert_false(tw__outbox_next(&outbox, &pos, &record));
    tw__outbox_clear(&outbox);
    assert_true(tw__outbox_is_empty(&outbox));
    pos = 0;
    assert_false(tw__outbox_next(&outbox, &pos, &record));
    tw__outbox_deinit(&outbox);
}

static void without_memory_nothing_changes(void **state) {
    (void)state;
    tw__outbox outbox;
    tw__outbox_init(&outbox);
    tw__record record = record_of(TW__RECORD_DELIVER, 1, 10);
    tw__alloc_fail_nth(1);
    assert_int_equal(tw__outbox_append(&outbox, &record), TW_ENOMEM);
    assert_true(tw__outbox_is_empty(&outbox));
    assert_int_equal(tw__outbox_len(&outbox), 0);
    tw__outbox_deinit(&outbox);
}

static void a_burst_does_not_keep_its_memory(void **state) {
    (void)state;
    tw__outbox outbox;
    size_t live = tw__alloc_live();
    tw__outbox_init(&outbox);
    for (int i = 0; i < 200; i++) {
        append(&outbox, TW__RECORD_DELIVER, 1, 4096);
    }
    tw__outbox_sent(&outbox, tw__outbox_len(&outbox));
    assert_int_equal(tw__alloc_live(), live);
    append(&outbox, TW__RECORD_DELIVER, 1, 10);
    tw__outbox_sent(&outbox, tw__outbox_len(&outbox));
    assert_int_equal(tw__alloc_live(), live + 1);
    tw__outbox_deinit(&outbox);
}

/* The bytes that leave, in pieces of any size, are the records in order, and
 * the levels are always the sum of what has not left whole. */
static void random_pieces_keep_order_and_levels(void **state) {
    (void)state;
    static const enum tw__record_type types[] = {
        TW__RECORD_CONFIRM, TW__RECORD_DELIVER, TW__RECORD_GAP,
        TW__RECORD_PUBLISH};
    tw__outbox outbox;
    tw__bytes left;
    uint64_t written = 0, read = 0;
    size_t in[2] = {0, 0}, out[2] = {0, 0}; /* of PUBLISH, of all */
    srand(17);
    tw__outbox_init(&outbox);
    tw__bytes_init(&left);
    for (int round = 0; round < 20000; round++) {
        if (rand() % 3 > 0) {
            tw__record record =
                record_of(types[rand() % 4], written++, (size_t)(rand() % 300));
            assert_int_equal(tw__outbox_append(&outbox, &record), 0);
            in[0] += record.type == TW__RECORD_PUBLISH
                         ? tw__record_size(&record)
                         : 0;
            in[1] += tw__record_size(&record);
        }
        size_t len;
        const uint8_t *data = tw__outbox_unsent(&outbox, &len);
        size_t piece = len == 0 ? 0 : (size_t)rand() % (len + 1);
        piece = piece > 500 ? 500 : piece;
        assert_int_equal(tw__bytes_append(&left, data, piece), 0);
        size_t whole = 0, taken;
        tw__record record;
        while (tw__record_parse(tw__bytes_data(&left), tw__bytes_len(&left),
                                &record, &taken) == 0 &&
               taken != 0) {
            assert_int_equal(record.header.offset, read++);
            out[0] += record.type == TW__RECORD_PUBLISH ? taken : 0;
            out[1] += taken;
            tw__bytes_consume(&left, taken);
            whole++;
        }
        assert_int_equal(tw__outbox_sent(&outbox, piece), whole);
        assert_int_equal(outbox.level[TW__OUTBOX_PUBLISH], in[0] - out[0]);
        assert_int_equal(outbox.level[0] + outbox.level[1] + outbox.level[2],
                         in[1] - out[1]);
        assert_int_equal(outbox.records, written - read);
    }
    assert_true(read > 5000);
    tw__bytes_deinit(&left);
    tw__outbox_deinit(&outbox);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_counted_by_class),
        cmocka_unit_test(a_record_counts_until_its_last_byte_has_left),
        cmocka_unit_test(a_record_begun_is_still_seen_when_walking),
        cmocka_unit_test(without_memory_nothing_changes),
        cmocka_unit_test(a_burst_does_not_keep_its_memory),
        cmocka_unit_test(random_pieces_keep_order_and_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
