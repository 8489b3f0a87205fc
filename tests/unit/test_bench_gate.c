/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lua/program/bench/board.c"
#include "../../lua/program/bench/gate.c"
#include "../../lua/program/bench/histogram.c"
#include "../../lua/program/bench/ledger.c"
#include <string.h>

#define HANDS 2
#define PUBLISHERS 2

static tw__bench_board *board;
static tw__bench_hand hands[HANDS];
static tw__bench_fan fans[HANDS];
static tw__bench_gate gates[HANDS][PUBLISHERS];

static int set_up(void **state) {
    (void)state;
    board = tw__bench_board_create();
    assert_non_null(board);
    memset(gates, 0, sizeof gates);
    for (uint32_t i = 0; i < HANDS; i++) {
        hands[i] = (tw__bench_hand){.board = board,
                                    .place = &board->places[i],
                                    .index = i,
                                    .count = HANDS};
        fans[i] = (tw__bench_fan){
            .hand = &hands[i], .publishers_len = PUBLISHERS, .gates = gates[i]};
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    tw__bench_board_destroy(board);
    return 0;
}

static void send_up_to(uint32_t publisher, uint64_t last) {
    atomic_store(&board->publishers[publisher].sent, last);
}

static bool is_open(uint32_t publisher, uint64_t target) {
    return tw__bench_gate_is_open(board, HANDS, publisher, target);
}

/* Whether hand 0 was woken since the last time. */
static bool was_woken(void) {
    uint64_t count;
    return read(board->gate, &count, sizeof count) > 0;
}

static void without_people_no_gate_opens(void **state) {
    (void)state;
    assert_false(tw__bench_gate_has_people(board, HANDS, 0));
    assert_false(is_open(0, 0));
    tw__bench_gate_join(&fans[1], 0);
    assert_true(tw__bench_gate_has_people(board, HANDS, 0));
    assert_false(tw__bench_gate_has_people(board, HANDS, 1));
}

static void it_opens_when_the_last_one_has_the_last_number(void **state) {
    (void)state;
    tw__bench_gate_join(&fans[0], 0);
    tw__bench_gate_join(&fans[0], 0);
    tw__bench_gate_join(&fans[1], 0);
    send_up_to(0, 4);
    for (uint64_t seq = 1; seq <= 4; seq++) {
        tw__bench_gate_advance(&fans[0], 0, seq - 1, seq);
        tw__bench_gate_advance(&fans[1], 0, seq - 1, seq);
    }
    assert_false(is_open(0, 4));
    tw__bench_gate_advance(&fans[0], 0, 0, 3); /* by a gap */
    assert_false(is_open(0, 4));
    tw__bench_gate_advance(&fans[0], 0, 3, 4);
    assert_true(is_open(0, 4));
    send_up_to(0, 8);
    assert_false(is_open(0, 8));
}

static void another_hand_that_is_the_last_wakes_the_first(void **state) {
    (void)state;
    tw__bench_gate_join(&fans[0], 0);
    tw__bench_gate_join(&fans[1], 0);
    send_up_to(0, 1);
    tw__bench_gate_advance(&fans[1], 0, 0, 1);
    assert_false(was_woken());
    send_up_to(0, 2);
    tw__bench_gate_advance(&fans[0], 0, 0, 2);
    assert_false(was_woken());
    tw__bench_gate_advance(&fans[1], 0, 1, 2);
    assert_true(was_woken());
    assert_true(is_open(0, 2));
}

static void one_that_leaves_is_not_waited_for(void **state) {
    (void)state;
    tw__bench_account account;
    tw__bench_account_open(&account, 1);
    tw__bench_gate_join(&fans[0], 0);
    tw__bench_gate_join(&fans[0], 0);
    send_up_to(0, 1);
    tw__bench_gate_advance(&fans[0], 0, 0, 1);
    assert_false(is_open(0, 1));
    tw__bench_gate_leave(&fans[0], 0, &account);
    assert_true(is_open(0, 1));
}

static void one_that_leaves_takes_its_arrival_along(void **state) {
    (void)state;
    tw__bench_account account;
    tw__bench_account_open(&account, 1);
    account.last = 1;
    tw__bench_gate_join(&fans[0], 0);
    tw__bench_gate_join(&fans[0], 0);
    send_up_to(0, 1);
    tw__bench_gate_advance(&fans[0], 0, 0, 1);
    tw__bench_gate_leave(&fans[0], 0, &account);
    assert_false(is_open(0, 1));
    tw__bench_gate_advance(&fans[0], 0, 0, 1);
    assert_true(is_open(0, 1));
}

/* It has an account with a publisher from that one's first message on; until
 * then it holds up nobody. */
static void one_that_came_back_need_not_have_what_it_missed(void **state) {
    (void)state;
    tw__bench_gate_join(&fans[0], 0);
    tw__bench_gate_join(&fans[0], 1);
    send_up_to(0, 4);
    send_up_to(1, 4);
    tw__bench_gate_join(&fans[0], 1); /* back, by a message of publisher 1 */
    tw__bench_gate_advance(&fans[0], 1, 2, 3);
    tw__bench_gate_advance(&fans[0], 0, 0, 4);
    assert_true(is_open(0, 4));
    tw__bench_gate_advance(&fans[0], 1, 0, 4);
    assert_false(is_open(1, 4));
    tw__bench_gate_advance(&fans[0], 1, 3, 4);
    assert_true(is_open(1, 4));
}

static void
a_burst_sent_before_the_last_was_complete_is_followed(void **state) {
    (void)state;
    tw__bench_gate_join(&fans[0], 0);
    tw__bench_gate_join(&fans[0], 0);
    send_up_to(0, 1);
    tw__bench_gate_advance(&fans[0], 0, 0, 1);
    send_up_to(0, 2); /* after a stall: one reader lost number 1 */
    tw__bench_gate_advance(&fans[0], 0, 1, 2);
    assert_false(is_open(0, 2));
    tw__bench_gate_advance(&fans[0], 0, 0, 2);
    assert_true(is_open(0, 2));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(without_people_no_gate_opens),
        TEST(it_opens_when_the_last_one_has_the_last_number),
        TEST(another_hand_that_is_the_last_wakes_the_first),
        TEST(one_that_leaves_is_not_waited_for),
        TEST(one_that_leaves_takes_its_arrival_along),
        TEST(one_that_came_back_need_not_have_what_it_missed),
        TEST(a_burst_sent_before_the_last_was_complete_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
