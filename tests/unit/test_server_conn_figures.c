/* What a server shows of itself. SPDX-License-Identifier: MIT */
#include "server_probe.h"

static uint64_t turns_over_25_ms(world *w) {
    static const uint32_t bounds[] = TW__DURATION_BOUNDS;
    uint64_t count = 0;
    for (int i = 0; i < TW__DURATION_BUCKETS; i++) {
        if (i > 0 && bounds[i - 1] >= 25000) {
            count += w->server->page->turn_times.buckets[i];
        }
    }
    return count;
}

static uint64_t turns_counted(world *w) {
    uint64_t count = 0;
    for (int i = 0; i < TW__DURATION_BUCKETS; i++) {
        count += w->server->page->turn_times.buckets[i];
    }
    return count;
}

static uint64_t worked_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int work_hard(world *w, tw_conn *conn, const tw_msg *msg) {
    uint64_t until = worked_ms() + 41; /* cut to whole ones */
    (void)w;
    (void)conn;
    (void)msg;
    while (worked_ms() < until) {
    }
    return TW_DONE;
}

static void
a_turn_takes_as_long_as_its_hooks_and_not_as_its_wait(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.on_message = work_hard;
    client *c = client_open(&w);
    uint64_t before = turns_over_25_ms(&w);
    for (int i = 0; i < 3; i++) {
        tw__loop_run_once(tw__server_loop(w.server), 40);
    }
    assert_int_equal(turns_over_25_ms(&w), before);
    client_say(&w, c, "go");
    world_until(&w, strstr(w.log, "msg") != NULL);
    world_turns(&w, 2);
    assert_int_equal(turns_over_25_ms(&w), before + 1);
    assert_true(w.server->page->turn_times.sum_us >= 40000);
    assert_int_equal(turns_counted(&w), w.server->page->turns);
    world_close(&w);
}

/* Another process sees the page only: it must be right when all is quiet. */
static void the_page_is_right_when_it_has_become_quiet(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    client_open(&w);
    const volatile uint64_t *gauges = w.server->page->gauges;
    const volatile uint64_t *counters = w.server->page->counters;
    world_subscribe(&w, 1, "room");
    world_subscribe(&w, 2, "room");
    world_publish(&w, "room", "x");
    expect_text(&w, c, "x");
    world_pass(&w, 100);
    assert_int_equal(counters[TW_COUNTER_SEQUENCED], 1);
    assert_int_equal(gauges[TW_GAUGE_CONNECTIONS], 2);
    assert_int_equal(gauges[TW_GAUGE_SOCKETS], 2);
    assert_int_equal(gauges[TW_GAUGE_SUBSCRIPTIONS], 2);
    assert_int_equal(gauges[TW_GAUGE_CHANNELS], 1);
    assert_int_equal(gauges[TW_GAUGE_HOME_CHANNELS], 1);
    client_reset(c);
    world_until(&w, w.gone == 1);
    assert_int_equal(gauges[TW_GAUGE_CONNECTIONS], 1);
    assert_int_equal(gauges[TW_GAUGE_SOCKETS], 1);
    assert_int_equal(gauges[TW_GAUGE_SUBSCRIPTIONS], 1);
    world_close(&w);
}

static void a_quiet_server_sleeps(void **state) {
    world w;
    (void)state;
    world_open(&w);
    world_pass(&w, 250); /* what was to be shown has been */
    uint64_t turns = w.server->page->turns;
    uint64_t until = real_ms() + 600;
    while (real_ms() < until) {
        tw__loop_run_once(tw__server_loop(w.server), 1000);
    }
    assert_true(w.server->page->turns - turns <= 10);
    world_close(&w);
}

static void a_server_has_the_slots_it_has(void **state) {
    world w;
    tw_slot_stats stats;
    (void)state;
    world_open(&w);
    assert_int_equal(tw_server_slot(w.server), 0);
    assert_int_equal(tw_server_slots(w.server), 1);
    assert_int_equal(tw_server_stats(w.server, 1, &stats), TW_ENOT_FOUND);
    tw_server_count(w.server, TW_COUNTER_HOOK_CALLS, 5);
    tw_server_gauge(w.server, TW_GAUGE_LUA_BYTES, 77);
    assert_int_equal(tw_server_stats(w.server, 0, &stats), 0);
    assert_int_equal(stats.counters[TW_COUNTER_HOOK_CALLS], 5);
    assert_int_equal(stats.gauges[TW_GAUGE_LUA_BYTES], 77);
    assert_int_equal(stats.pid, getpid());
    assert_true(stats.memory_bytes > 1 << 20);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_takes_as_long_as_its_hooks_and_not_as_its_wait),
        cmocka_unit_test(the_page_is_right_when_it_has_become_quiet),
        cmocka_unit_test(a_quiet_server_sleeps),
        cmocka_unit_test(a_server_has_the_slots_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
