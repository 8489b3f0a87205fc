/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lua/program/bench/payload.c"

#define SIZE 64

static const tw__bench_note sample = {TW__BENCH_MESSAGE, 0xabcdef,
                                      0x3ffffffffff, 0xffffffffffff};

static void what_was_made_is_read_back(void **state) {
    (void)state;
    const size_t sizes[] = {TW__BENCH_PAYLOAD_MIN, 64, 1024, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        tw__bench_payloads *payloads =
            tw__bench_payloads_create(sizes[i], 0x123, (tw__bench_form)(i % 3));
        uint8_t *data = tw__bench_alloc(sizes[i], 1);
        for (uint64_t seq = 1; seq < 200; seq++) {
            tw__bench_note note = {TW__BENCH_PROBE, (uint32_t)(seq % 5), seq,
                                   seq * 1000003};
            tw__bench_note got = {0};
            tw__bench_payload_make(payloads, data, &note);
            assert_int_equal(
                tw__bench_payload_check(payloads, data, sizes[i], &got),
                TW__BENCH_FINE);
            assert_int_equal(got.kind, note.kind);
            assert_int_equal(got.source, note.source);
            assert_int_equal(got.seq, note.seq);
            assert_int_equal(got.time_ns, note.time_ns);
        }
        free(data);
        tw__bench_payloads_destroy(payloads);
    }
}

static void the_largest_values_fit(void **state) {
    (void)state;
    tw__bench_payloads *payloads =
        tw__bench_payloads_create(SIZE, TW__BENCH_RUN_MAX, TW__BENCH_UNLIKE);
    uint8_t data[SIZE];
    tw__bench_note got = {0};
    tw__bench_payload_make(payloads, data, &sample);
    assert_int_equal(tw__bench_payload_check(payloads, data, SIZE, &got),
                     TW__BENCH_FINE);
    assert_int_equal(got.source, sample.source);
    assert_int_equal(got.seq, sample.seq);
    assert_int_equal(got.time_ns, sample.time_ns);
    tw__bench_payloads_destroy(payloads);
}

static void text_is_ascii_without_control_characters(void **state) {
    (void)state;
    tw__bench_payloads *payloads =
        tw__bench_payloads_create(4000, 7, TW__BENCH_ALIKE);
    uint8_t data[4000];
    tw__bench_payload_make(payloads, data, &sample);
    for (size_t i = 0; i < sizeof data; i++) {
        assert_in_range(data[i], '-', 'z');
    }
    tw__bench_payloads_destroy(payloads);
}

/* Seen once or not, a message with one bit changed is not taken for fine. */
static void every_changed_bit_is_noticed(void **state) {
    (void)state;
    for (int is_warm = 0; is_warm < 2; is_warm++) {
        tw__bench_payloads *payloads =
            tw__bench_payloads_create(SIZE, 5, TW__BENCH_ALIKE);
        uint8_t data[SIZE];
        tw__bench_note got = {0};
        tw__bench_payload_make(payloads, data, &sample);
        if (is_warm) {
            tw__bench_payload_check(payloads, data, SIZE, &got);
        }
        for (size_t bit = 0; bit < SIZE * 8; bit++) {
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_not_equal(
                tw__bench_payload_check(payloads, data, SIZE, &got),
                TW__BENCH_FINE);
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(tw__bench_payload_check(payloads, data, SIZE, &got),
                         TW__BENCH_FINE);
        tw__bench_payloads_destroy(payloads);
    }
}

static void cut_and_lengthened_messages_are_damaged(void **state) {
    (void)state;
    tw__bench_payloads *payloads =
        tw__bench_payloads_create(SIZE, 5, TW__BENCH_ALIKE);
    uint8_t data[SIZE + 1] = {0};
    tw__bench_note got;
    tw__bench_payload_make(payloads, data, &sample);
    for (size_t len = TW__BENCH_PAYLOAD_MIN; len <= SIZE + 1; len++) {
        assert_int_equal(tw__bench_payload_check(payloads, data, len, &got),
                         len == SIZE ? TW__BENCH_FINE : TW__BENCH_DAMAGED);
    }
    tw__bench_payloads_destroy(payloads);
}

static void what_others_say_is_foreign(void **state) {
    (void)state;
    tw__bench_payloads *ours =
        tw__bench_payloads_create(SIZE, 5, TW__BENCH_ALIKE);
    tw__bench_payloads *theirs =
        tw__bench_payloads_create(SIZE, 6, TW__BENCH_ALIKE);
    uint8_t data[SIZE];
    tw__bench_note got;
    tw__bench_payload_make(theirs, data, &sample);
    assert_int_equal(tw__bench_payload_check(ours, data, SIZE, &got),
                     TW__BENCH_FOREIGN);
    assert_int_equal(
        tw__bench_payload_check(ours, (const uint8_t *)"welcome", 7, &got),
        TW__BENCH_FOREIGN);
    assert_int_equal(tw__bench_payload_check(ours, data, 0, &got),
                     TW__BENCH_FOREIGN);
    tw__bench_payloads_destroy(ours);
    tw__bench_payloads_destroy(theirs);
}

static void neighbours_differ_in_their_filler(void **state) {
    (void)state;
    tw__bench_payloads *payloads =
        tw__bench_payloads_create(SIZE, 5, TW__BENCH_ALIKE);
    uint8_t one[SIZE], two[SIZE];
    tw__bench_note note = sample;
    tw__bench_payload_make(payloads, one, &note);
    note.seq--;
    tw__bench_payload_make(payloads, two, &note);
    assert_memory_not_equal(one + TW__BENCH_PAYLOAD_MIN,
                            two + TW__BENCH_PAYLOAD_MIN,
                            SIZE - TW__BENCH_PAYLOAD_MIN);
    tw__bench_payloads_destroy(payloads);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_read_back),
        cmocka_unit_test(the_largest_values_fit),
        cmocka_unit_test(text_is_ascii_without_control_characters),
        cmocka_unit_test(every_changed_bit_is_noticed),
        cmocka_unit_test(cut_and_lengthened_messages_are_damaged),
        cmocka_unit_test(what_others_say_is_foreign),
        cmocka_unit_test(neighbours_differ_in_their_filler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
