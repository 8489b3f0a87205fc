/* The wheel driven by the loop.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "net/clockwork.h"

enum { LONG_MS = 20000, MANY = 3000 };

static tw__loop loop;
static tw__clockwork clockwork;
static int fired;
static uint64_t fired_turn;

static int set_up(void **state) {
    (void)state;
    fired = 0;
    return tw__loop_init(&loop, NULL) != 0 ||
           tw__clockwork_init(&clockwork, &loop) != 0;
}

static int tear_down(void **state) {
    (void)state;
    tw__clockwork_close(&clockwork);
    tw__loop_close(&loop, NULL, NULL);
    return 0;
}

static uint64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void count(tw__wheel_entry *entry) {
    (void)entry;
    fired++;
    fired_turn = loop.turns;
}

static void run_until_fired(int wanted) {
    uint64_t began = clock_ms();
    while (fired < wanted) {
        tw__loop_run_once(&loop, LONG_MS);
        assert_true(clock_ms() - began < LONG_MS);
    }
}

static void an_entry_fires_after_its_delay(void **state) {
    (void)state;
    tw__wheel_entry entry = {.cb = count};
    uint64_t began = clock_ms();
    tw__loop_update_now(&loop);
    tw__clockwork_set(&clockwork, &entry, 30);
    run_until_fired(1);
    assert_true(clock_ms() - began >= 29);
    assert_false(tw__wheel_is_set(&entry));
}

static void a_nearer_entry_is_not_held_up_by_a_far_one(void **state) {
    (void)state;
    tw__wheel_entry far = {.cb = count}, near = {.cb = count};
    tw__clockwork_set(&clockwork, &far, 1000000);
    tw__loop_run_once(&loop, 0);
    tw__clockwork_set(&clockwork, &near, 5);
    run_until_fired(1);
    assert_true(tw__wheel_is_set(&far));
    tw__clockwork_clear(&clockwork, &far);
    assert_false(tw__wheel_is_set(&far));
}

static void a_cleared_entry_does_not_fire(void **state) {
    (void)state;
    tw__wheel_entry first = {.cb = count}, second = {.cb = count};
    tw__loop_hold(&loop, 0); /* first is not due before it is cleared */
    tw__clockwork_set(&clockwork, &first, 5);
    tw__clockwork_set(&clockwork, &second, 30);
    tw__loop_run_once(&loop, 0);
    tw__clockwork_clear(&clockwork, &first);
    tw__loop_advance(&loop, 40);
    run_until_fired(1);
    assert_false(tw__wheel_is_set(&second));
}

static void set_again_at_once(tw__wheel_entry *entry) {
    assert_true(fired == 0 || loop.turns > fired_turn);
    count(entry);
    tw__clockwork_set(&clockwork, entry, 0);
}

static void a_delay_of_nothing_waits_for_a_later_turn(void **state) {
    (void)state;
    tw__wheel_entry entry = {.cb = set_again_at_once};
    tw__clockwork_set(&clockwork, &entry, 0);
    run_until_fired(5);
    tw__clockwork_clear(&clockwork, &entry);
}

static tw__wheel_entry from_event = {.cb = count};
static uint64_t event_turn;

/* An event's callback that takes long: meanwhile both entries fall due. */
static void set_and_dawdle(uv_async_t *async) {
    (void)async;
    uint64_t began = clock_ms();
    event_turn = loop.turns;
    tw__clockwork_set(&clockwork, &from_event, 0);
    while (clock_ms() - began < 20) {
    }
}

static void what_an_event_sets_is_not_due_in_its_own_turn(void **state) {
    (void)state;
    static uv_async_t async; /* closed with the loop */
    tw__wheel_entry other = {.cb = count};
    uv_async_init(loop.uv, &async, set_and_dawdle);
    tw__clockwork_set(&clockwork, &other, 5);
    uv_async_send(&async);
    run_until_fired(2);
    assert_true(fired_turn > event_turn);
    uv_close((uv_handle_t *)&async, NULL);
}

static bool set_in_hook(tw__turn_hook *hook) {
    tw__loop_remove_hook(hook);
    tw__clockwork_set(&clockwork, &from_event, 3);
    return false;
}

static void an_entry_set_by_the_last_hook_of_a_turn_is_in_time(void **state) {
    (void)state;
    tw__turn_hook hook;
    tw__loop_add_hook(&loop, &hook, set_in_hook, TW__TURN_CLOSE);
    run_until_fired(1);
}

static void many_due_at_once_fire_in_several_turns(void **state) {
    (void)state;
    static tw__wheel_entry entries[MANY];
    for (int i = 0; i < MANY; i++) {
        entries[i].cb = count;
        tw__clockwork_set(&clockwork, &entries[i], 1);
    }
    run_until_fired(1);
    assert_true(fired < MANY);
    run_until_fired(MANY);
    assert_int_equal(fired, MANY);
}

static void pause_now(tw__wheel_entry *entry) {
    count(entry);
    tw__clockwork_pause(&clockwork);
}

static void nothing_fires_from_the_pause_to_the_resume(void **state) {
    (void)state;
    tw__wheel_entry first = {.cb = pause_now}, second = {.cb = count};
    tw__wheel_entry third = {.cb = count};
    tw__clockwork_set(&clockwork, &first, 5);
    tw__clockwork_set(&clockwork, &second, 5);
    run_until_fired(1);
    tw__clockwork_set(&clockwork, &third, 1);
    tw__loop_run_once(&loop, 30);
    tw__loop_run_once(&loop, 0);
    assert_int_equal(fired, 1);
    tw__clockwork_resume(&clockwork);
    run_until_fired(3);
}

static void the_loop_waits_while_the_clockwork_is_paused(void **state) {
    (void)state;
    tw__wheel_entry entry = {.cb = count};
    tw__clockwork_set(&clockwork, &entry, 1);
    tw__clockwork_pause(&clockwork);
    tw__loop_run_once(&loop, 0);
    uint64_t began = clock_ms();
    tw__loop_run_once(&loop, 30);
    assert_true(clock_ms() - began >= 29);
    tw__clockwork_clear(&clockwork, &entry);
}

static void close_now(tw__wheel_entry *entry) {
    count(entry);
    tw__clockwork_close(&clockwork);
}

static void a_callback_may_close_the_clockwork(void **state) {
    (void)state;
    tw__wheel_entry first = {.cb = close_now}, second = {.cb = count};
    assert_int_equal(tw__loop_init(&loop, NULL), 0);
    assert_int_equal(tw__clockwork_init(&clockwork, &loop), 0);
    fired = 0;
    tw__clockwork_set(&clockwork, &first, 1);
    tw__clockwork_set(&clockwork, &second, 1);
    run_until_fired(1);
    tw__loop_run_once(&loop, 20);
    assert_int_equal(fired, 1);
    tw__clockwork_clear(&clockwork, &second);
    tw__loop_close(&loop, NULL, NULL);
}

static void no_delay_is_too_long(void **state) {
    (void)state;
    tw__wheel_entry entry = {.cb = count};
    tw__clockwork_set(&clockwork, &entry, UINT64_MAX);
    tw__loop_run_once(&loop, 10);
    assert_int_equal(fired, 0);
    assert_true(tw__wheel_is_set(&entry));
}

#define IN_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_LOOP(an_entry_fires_after_its_delay),
        IN_LOOP(a_nearer_entry_is_not_held_up_by_a_far_one),
        IN_LOOP(a_cleared_entry_does_not_fire),
        IN_LOOP(a_delay_of_nothing_waits_for_a_later_turn),
        IN_LOOP(what_an_event_sets_is_not_due_in_its_own_turn),
        IN_LOOP(an_entry_set_by_the_last_hook_of_a_turn_is_in_time),
        IN_LOOP(many_due_at_once_fire_in_several_turns),
        IN_LOOP(nothing_fires_from_the_pause_to_the_resume),
        IN_LOOP(the_loop_waits_while_the_clockwork_is_paused),
        cmocka_unit_test(a_callback_may_close_the_clockwork),
        IN_LOOP(no_delay_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
