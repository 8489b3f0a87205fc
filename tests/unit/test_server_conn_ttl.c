/* What a time to live does to publications that gather in a batch. Those that
 * wait in a queue: test_server_conn_slow.c.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

enum { GATHER_MS = 100 };

static void gathering_world(world *w) {
    world_init(w);
    world_start(w);
    world_set_class(w, "room", TW_SLOW_CLOSE, GATHER_MS);
}

static void publish_for(world *w, const char *text, uint64_t ttl_ms,
                        tw_conn *except) {
    tw_publish_options options = {.ttl_ms = ttl_ms, .except = except};
    assert_int_equal(
        tw_publish(w->server, str_of("room"), text, strlen(text), &options), 0);
    world_turn(w);
}

static void what_expires_while_a_batch_gathers_is_not_sent(void **state) {
    world w;
    (void)state;
    gathering_world(&w);
    client *c = client_open(&w);
    world_subscribe(&w, 1, "room");
    publish_for(&w, "for ever", 0, NULL);
    publish_for(&w, "until the end", GATHER_MS, NULL);
    publish_for(&w, "too brief", GATHER_MS - 1, NULL);
    publish_for(&w, "long enough", GATHER_MS + 1, NULL);
    world_pass(&w, GATHER_MS);
    expect_text(&w, c, "for ever");
    expect_text(&w, c, "long enough");
    expect_nothing(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_EXPIRED), 2);
    assert_int_equal(counter(&w, TW_COUNTER_DELIVERED), 2);
    world_close(&w);
}

static void a_batch_of_expired_ones_is_not_sent_at_all(void **state) {
    world w;
    (void)state;
    gathering_world(&w);
    client *c = client_open(&w);
    world_subscribe(&w, 1, "room");
    publish_for(&w, "a", 10, NULL);
    publish_for(&w, "b", 20, NULL);
    world_pass(&w, GATHER_MS);
    expect_nothing(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_EXPIRED), 2);
    publish_for(&w, "c", 0, NULL);
    world_pass(&w, GATHER_MS);
    expect_text(&w, c, "c");
    world_close(&w);
}

/* One whole batch, one with a slice missing, one through a queue. */
static void expiry_is_counted_for_each_subscriber(void **state) {
    world w;
    client *c[3];
    (void)state;
    gathering_world(&w);
    for (int i = 0; i < 3; i++) {
        c[i] = client_open(&w);
        world_subscribe(&w, i + 1, "room");
    }
    world_subscribe(&w, 3, "second"); /* no fast path */
    publish_for(&w, "brief", 10, NULL);
    publish_for(&w, "brief, too", 20, w.conns[2]);
    publish_for(&w, "stays", 0, NULL);
    world_pass(&w, GATHER_MS);
    for (int i = 0; i < 3; i++) {
        expect_text(&w, c[i], "stays");
        expect_nothing(&w, c[i]);
    }
    assert_int_equal(counter(&w, TW_COUNTER_EXPIRED), 5);
    assert_int_equal(counter(&w, TW_COUNTER_DELIVERED), 3);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_expires_while_a_batch_gathers_is_not_sent),
        cmocka_unit_test(a_batch_of_expired_ones_is_not_sent_at_all),
        cmocka_unit_test(expiry_is_counted_for_each_subscriber),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
