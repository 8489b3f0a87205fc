/* A loop whose time is moved by hand. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "net/clockwork.h"

enum { TICK_MS = TW__WHEEL_TICK_MS, MANY = 3000 };

/* What fired, and when after the hold. */
struct bell {
    tw__wheel_entry entry;
    tw__clockwork *clockwork;
    int number, again; /* so often it sets itself anew */
    uint64_t again_ms;
};

static tw__loop loop;
static tw__clockwork one, other;
static uint64_t start_ms;
static int numbers[16], fired;
static uint64_t times[16];

static uint64_t real_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int open_loop(void **state) {
    (void)state;
    fired = 0;
    return tw__loop_init(&loop, NULL) != 0 ||
           tw__clockwork_init(&one, &loop) != 0 ||
           tw__clockwork_init(&other, &loop) != 0;
}

static void hold(void) {
    start_ms = (tw__loop_now(&loop) / 1000 + 1) * 1000;
    tw__loop_hold(&loop, start_ms);
}

static int open_held(void **state) {
    int failed = open_loop(state);
    hold();
    return failed;
}

static int close_loop(void **state) {
    (void)state;
    tw__clockwork_close(&one);
    tw__clockwork_close(&other);
    tw__loop_close(&loop, NULL, NULL);
    return 0;
}

static uint64_t passed_ms(void) {
    return tw__loop_now(&loop) - start_ms;
}

static void pass(uint64_t ms) {
    tw__loop_advance(&loop, ms);
    while (tw__loop_is_advancing(&loop)) {
        tw__loop_run_once(&loop, 1);
    }
}

static void ring(tw__wheel_entry *entry) {
    struct bell *bell = TW__CONTAINER(entry, struct bell, entry);
    assert_true(fired < 16);
    numbers[fired] = bell->number;
    times[fired++] = passed_ms();
    if (bell->again > 0) {
        bell->again--;
        tw__clockwork_set(bell->clockwork, entry, bell->again_ms);
    }
}

static void set(struct bell *bell, tw__clockwork *clockwork, int number,
                uint64_t ms) {
    *bell = (struct bell){
        .entry = {.cb = ring}, .clockwork = clockwork, .number = number};
    tw__clockwork_set(clockwork, &bell->entry, ms);
}

/* ---- where it stands ---- */

static void it_stands_still_while_the_machines_goes_on(void **state) {
    (void)state;
    struct bell bell;
    assert_int_equal(passed_ms(), 0);
    set(&bell, &one, 1, 1);
    uint64_t until = real_ms() + 20;
    while (real_ms() < until) {
        tw__loop_run_once(&loop, 5);
        tw__loop_update_now(&loop);
    }
    assert_int_equal(passed_ms(), 0);
    assert_int_equal(fired, 0);
    tw__clockwork_clear(&one, &bell.entry);
}

static void a_time_past_holds_it_at_now(void **state) {
    (void)state;
    tw__loop_update_now(&loop);
    uint64_t now_ms = tw__loop_now(&loop);
    tw__loop_hold(&loop, 5);
    assert_int_equal(tw__loop_now(&loop), now_ms);
    assert_true(tw__loop_turn_ms(&loop) <= now_ms); /* the turn has begun */
}

static void the_wall_clock_goes_along(void **state) {
    (void)state;
    int64_t before = tw__loop_wall(&loop), real = (int64_t)time(NULL) * 1000;
    assert_true(before <= real + 1000 && before >= real - 60000);
    hold();
    int64_t held = tw__loop_wall(&loop);
    assert_true(held >= before - 1000);
    pass(3600000);
    assert_int_equal(tw__loop_wall(&loop), held + 3600000);
}

static void it_waits_for_events_in_real_time(void **state) {
    (void)state;
    struct bell bell;
    set(&bell, &one, 1, 1);
    pass(0);
    uint64_t began = real_ms();
    tw__loop_run_once(&loop, 30);
    assert_true(real_ms() - began >= 29);
    assert_int_equal(fired, 0);
    tw__clockwork_clear(&one, &bell.entry);
}

/* ---- how it goes ---- */

static void a_deadline_is_met_to_the_millisecond(void **state) {
    (void)state;
    struct bell bell;
    set(&bell, &one, 1, 30000);
    pass(29999);
    assert_int_equal(fired, 0);
    assert_int_equal(passed_ms(), 29999);
    pass(1);
    assert_int_equal(fired, 1);
    pass(100000);
    assert_int_equal(fired, 1);
    assert_int_equal(passed_ms(), 130000);
}

static void a_delay_is_rounded_up_to_a_tick(void **state) {
    (void)state;
    struct bell bell;
    for (uint64_t ms = 1; ms <= TICK_MS; ms++) {
        fired = 0;
        set(&bell, &one, 1, ms);
        pass(TICK_MS - 1);
        assert_int_equal(fired, 0);
        pass(1);
        assert_int_equal(fired, 1);
    }
}

static void what_is_due_on_the_way_fires_in_order_and_at_its_time(void **s) {
    static const int order[] = {4, 2, 3, 1};
    static const uint64_t due[] = {8, 2000, 2000, 100000};
    struct bell bells[4];
    (void)s;
    set(&bells[0], &one, 1, 100000);
    set(&bells[1], &other, 2, 2000);
    set(&bells[2], &other, 3, 2000);
    set(&bells[3], &one, 4, 8);
    pass(5000000);
    assert_int_equal(fired, 4);
    assert_memory_equal(numbers, order, sizeof order);
    assert_memory_equal(times, due, sizeof due);
}

static void what_a_callback_sets_is_on_the_way_too(void **state) {
    (void)state;
    struct bell often, once;
    set(&often, &one, 1, 1000);
    often.again = 8;
    often.again_ms = 1000;
    set(&once, &other, 2, 4500);
    pass(9000);
    assert_int_equal(fired, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(numbers[i], i == 4 ? 2 : 1);
        assert_int_equal(times[i], i < 4    ? 1000 * (i + 1)
                                   : i == 4 ? 4500
                                            : 1000 * i);
    }
}

static void what_was_set_before_the_hold_is_met(void **state) {
    (void)state;
    struct bell past, future;
    tw__loop_update_now(&loop);
    uint64_t now_ms = tw__loop_now(&loop);
    set(&past, &one, 1, 500);
    set(&future, &other, 2, 60000);
    tw__loop_run_once(&loop, 0); /* armed by the machine's clock */
    start_ms = now_ms + 1000;
    tw__loop_hold(&loop, start_ms);
    pass(0);
    assert_int_equal(fired, 1);
    assert_int_equal(times[0], 0);
    pass(59000 - 1);
    assert_int_equal(fired, 1);
    pass(TICK_MS);
    assert_int_equal(fired, 2);
}

static void two_advances_add_up(void **state) {
    (void)state;
    tw__loop_advance(&loop, 1000);
    tw__loop_advance(&loop, 500);
    assert_int_equal(passed_ms(), 0); /* it goes while the loop runs */
    pass(1);
    assert_int_equal(passed_ms(), 1501);
    assert_false(tw__loop_is_advancing(&loop));
}

/* ---- what holds it up ---- */

struct worker {
    tw__turn_hook hook;
    int turns_left;
    uint64_t last_ms;
};

static bool work(tw__turn_hook *hook) {
    struct worker *worker = TW__CONTAINER(hook, struct worker, hook);
    if (worker->turns_left > 0) {
        worker->last_ms = passed_ms();
        return --worker->turns_left > 0;
    }
    return false;
}

static struct worker worker;

static void begin_to_work(tw__wheel_entry *entry) {
    (void)entry;
    worker.turns_left = 20;
}

static void work_that_a_deadline_left_is_done_before_time_goes_on(void **s) {
    (void)s;
    tw__wheel_entry entry = {.cb = begin_to_work};
    worker = (struct worker){.last_ms = 0};
    tw__loop_add_hook(&loop, &worker.hook, work, TW__TURN_HUB);
    tw__clockwork_set(&one, &entry, 1000);
    pass(5000);
    assert_int_equal(worker.turns_left, 0);
    assert_int_equal(worker.last_ms, 1000);
    begin_to_work(NULL);
    pass(0); /* no time, and yet all the turns it takes */
    assert_int_equal(worker.turns_left, 0);
    tw__loop_remove_hook(&worker.hook);
}

static int count;

static void count_it(tw__wheel_entry *entry) {
    (void)entry;
    count++;
    assert_int_equal(passed_ms(), 8);
}

static void more_than_a_turn_may_fire_are_all_fired_in_their_time(void **s) {
    static tw__wheel_entry entries[MANY];
    (void)s;
    count = 0;
    memset(entries, 0, sizeof entries);
    for (int i = 0; i < MANY; i++) {
        entries[i].cb = count_it;
        tw__clockwork_set(&one, &entries[i], 8);
    }
    pass(7);
    assert_int_equal(count, 0);
    pass(1000);
    assert_int_equal(count, MANY);
}

static void note_event(uv_async_t *async) {
    (void)async;
    worker.last_ms = passed_ms();
}

static void an_event_that_is_there_is_seen_before_time_goes_on(void **state) {
    (void)state;
    static uv_async_t async; /* closed with the loop */
    worker.last_ms = 77;
    uv_async_init(loop.uv, &async, note_event);
    tw__loop_run_once(&loop, 0);
    uv_async_send(&async);
    pass(1000);
    assert_int_equal(worker.last_ms, 0);
    uv_close((uv_handle_t *)&async, NULL);
}

static void a_paused_clockwork_does_not_hold_it_up(void **state) {
    (void)state;
    struct bell paused, running;
    set(&paused, &one, 1, 1000);
    set(&running, &other, 2, 2000);
    tw__clockwork_pause(&one);
    pass(5000);
    assert_int_equal(fired, 1);
    assert_int_equal(numbers[0], 2);
    tw__clockwork_resume(&one);
    pass(0);
    assert_int_equal(fired, 2);
    assert_int_equal(times[1], 5000);
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, open_held, close_loop)
#define FREE(test) cmocka_unit_test_setup_teardown(test, open_loop, close_loop)

int main(void) {
    const struct CMUnitTest tests[] = {
        HELD(it_stands_still_while_the_machines_goes_on),
        FREE(a_time_past_holds_it_at_now),
        FREE(the_wall_clock_goes_along),
        HELD(it_waits_for_events_in_real_time),
        HELD(a_deadline_is_met_to_the_millisecond),
        HELD(a_delay_is_rounded_up_to_a_tick),
        HELD(what_is_due_on_the_way_fires_in_order_and_at_its_time),
        HELD(what_a_callback_sets_is_on_the_way_too),
        FREE(what_was_set_before_the_hold_is_met),
        HELD(two_advances_add_up),
        HELD(work_that_a_deadline_left_is_done_before_time_goes_on),
        HELD(more_than_a_turn_may_fire_are_all_fired_in_their_time),
        HELD(an_event_that_is_there_is_seen_before_time_goes_on),
        HELD(a_paused_clockwork_does_not_hold_it_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
