/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lua/program/bench/circle.h"

/* Two rooms of four. */
static const tw__bench_circle rooms = {4, 4};

/* Seven rooms of three that overlap. */
static const tw__bench_circle overlap = {7, 3};

static void in_a_room_all_others_are_heard(void **state) {
    (void)state;
    for (uint32_t listener = 0; listener < 8; listener++) {
        for (uint32_t talker = 0; talker < 8; talker++) {
            uint32_t distance =
                tw__bench_circle_distance(&rooms, listener, talker);
            int is_heard = listener / 4 == talker / 4 && listener != talker;
            assert_int_equal(distance > 0, is_heard);
        }
    }
}

static void where_rooms_overlap_the_next_ones_are_heard(void **state) {
    (void)state;
    for (uint32_t listener = 0; listener < 7; listener++) {
        for (uint32_t talker = 0; talker < 7; talker++) {
            uint32_t steps = (talker + 7 - listener) % 7;
            assert_int_equal(
                tw__bench_circle_distance(&overlap, listener, talker),
                steps < 3 ? steps : 0);
        }
    }
}

static void ahead_behind_and_distance_agree(void **state) {
    (void)state;
    const tw__bench_circle *circles[] = {&rooms, &overlap};
    for (int i = 0; i < 2; i++) {
        const tw__bench_circle *c = circles[i];
        for (uint32_t member = 0; member < 2 * c->size; member++) {
            assert_int_equal(tw__bench_circle_ahead(c, member, 0), member);
            for (uint32_t d = 1; d < c->members; d++) {
                uint32_t other = tw__bench_circle_ahead(c, member, d);
                assert_int_equal(tw__bench_circle_distance(c, member, other),
                                 d);
                assert_int_equal(tw__bench_circle_behind(c, other, d), member);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_a_room_all_others_are_heard),
        cmocka_unit_test(where_rooms_overlap_the_next_ones_are_heard),
        cmocka_unit_test(ahead_behind_and_distance_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
