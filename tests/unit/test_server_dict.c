/* Dictionaries and limits of a server, and the rate of one connection.
 * SPDX-License-Identifier: MIT */
#include <math.h>

#include "server_probe.h"

static void say_many(world *w, client *c, int count) {
    wire out = {0};
    for (int i = 0; i < count; i++) {
        char text[2] = {(char)('0' + i % 10), '\0'};
        wire_text(&out, FIN | TW__WS_TEXT, text);
    }
    client_send(w, c, out.data, out.len);
    wire_free(&out);
}

/* So many messages in an hour, all at once if need be. */
static tw_rate few(double messages, tw_rate_over over) {
    return (tw_rate){.messages = messages / 3600, .burst = 3600, .over = over};
}

static int limit(world *w, tw_rate rate) {
    return tw_conn_limit(w->conns[1], &rate);
}

static void a_connection_has_the_rate_it_was_given(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    assert_int_equal(limit(&w, few(3, TW_RATE_CLOSE)), 0);
    say_many(&w, c, 5);
    expect_close(&w, c, 1008, "rate limit exceeded");
    assert_log(&w, "open:1 msg:1:0 msg:1:1 msg:1:2 "
                   "close:1:1008:rate limit exceeded ");
    world_close(&w);
}

static void without_one_the_routes_holds_again(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.routes[0].rate = few(1, TW_RATE_DROP);
    world_start(&w);
    client *c = client_open(&w);
    assert_int_equal(limit(&w, few(1000, TW_RATE_DROP)), 0);
    say_many(&w, c, 5);
    world_heard(&w);
    assert_log(&w, "open:1 msg:1:0 msg:1:1 msg:1:2 msg:1:3 msg:1:4 ");
    assert_int_equal(tw_conn_limit(w.conns[1], NULL), 0);
    say_many(&w, c, 5);
    world_heard(&w);
    assert_log(&w, "msg:1:0 ");
    world_close(&w);
}

static void the_same_limit_again_gives_nothing_back(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(limit(&w, few(3, TW_RATE_DROP)), 0);
        say_many(&w, c, 2);
        world_heard(&w);
    }
    assert_log(&w, "open:1 msg:1:0 msg:1:1 msg:1:0 ");
    world_close(&w);
}

static void one_that_waits_goes_on_by_its_new_rate(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    assert_int_equal(limit(&w, few(1, TW_RATE_WAIT)), 0);
    say_many(&w, c, 3);
    world_heard(&w);
    assert_log(&w, "open:1 msg:1:0 msg:1:1 ");
    assert_int_equal(
        limit(&w, (tw_rate){.messages = 1000, .over = TW_RATE_WAIT}), 0);
    world_pass(&w, 10); /* two tokens are missing: 2 ms, not two hours */
    assert_log(&w, "msg:1:2 ");
    world_close(&w);
}

static void a_rate_that_is_none_is_refused(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    assert_int_equal(limit(&w, (tw_rate){.messages = -1}), TW_EINVALID);
    assert_int_equal(limit(&w, (tw_rate){.bytes = HUGE_VAL}), TW_EINVALID);
    assert_int_equal(limit(&w, (tw_rate){.burst = NAN}), TW_EINVALID);
    say_many(&w, c, 1);
    world_heard(&w);
    assert_int_equal(tw_conn_close(w.conns[1], 1000, (tw_str){"bye", 3}), 0);
    assert_int_equal(limit(&w, few(1, TW_RATE_DROP)), TW_ECLOSED);
    world_close(&w);
}

/* What was not limited before has left no debt. */
static void a_route_that_begins_to_count_bytes_begins_with_all(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.routes[0].rate = few(100, TW_RATE_CLOSE);
    world_start(&w);
    client *c = client_open(&w);
    say_many(&w, c, 5);
    world_heard(&w);
    w.routes[0].rate.bytes = 10.0 / 3600;
    world_set_routes(&w);
    say_many(&w, c, 10);
    world_heard(&w);
    assert_true(tw_conn_is_open(w.conns[1]));
    say_many(&w, c, 1);
    expect_close(&w, c, 1008, "rate limit exceeded");
    world_close(&w);
}

static void a_server_without_a_master_has_its_own_dictionaries(void **state) {
    world w;
    (void)state;
    world_open(&w);
    tw_dict *dict;
    tw_str name = {"d", 1}, key = {"k", 1};
    size_t promised = 0, left = 0;
    assert_int_equal(tw_dict_check(w.server, name, 65536, &promised, &left), 0);
    assert_in_range(left, 27 << 20, 28 << 20); /* the default, less an eighth */
    assert_int_equal(tw_dict_open(w.server, name, 65536, &dict), 0);
    tw_dict_value value = {.kind = TW_DICT_BYTES, .bytes = {"v", 1}};
    assert_int_equal(tw_dict_set(dict, key, &value, 1000), 0);
    world_pass(&w, 999);
    assert_int_equal(tw_dict_get(dict, key, &value), 0);
    assert_int_equal(counter(&w, TW_COUNTER_DICT_EXPIRED), 0);
    world_pass(&w, 1); /* time is the server's */
    assert_int_equal(tw_dict_get(dict, key, &value), TW_ENOT_FOUND);
    assert_int_equal(counter(&w, TW_COUNTER_DICT_EXPIRED), 1);
    double after = 0;
    assert_int_equal(tw_limit(w.server, key, 1, 1, &after), 0);
    assert_int_equal(tw_limit(w.server, key, 1, 1, &after), TW_ELIMIT);
    assert_true(after == 1);
    world_pass(&w, 1000);
    assert_int_equal(tw_limit(w.server, key, 1, 1, &after), 0);
    world_close(&w);
}

static void what_happens_to_dictionaries_is_counted(void **state) {
    world w;
    (void)state;
    world_open(&w);
    const tw__dict_events *events = &w.server->dicts.events;
    tw__dict_tally tally = {.evicted = 2, .busy = 3, .emptied = 1};
    events->noted("d", &tally, events->arg);
    assert_int_equal(counter(&w, TW_COUNTER_DICT_EVICTED), 2);
    assert_int_equal(counter(&w, TW_COUNTER_DICT_BUSY), 3);
    assert_int_equal(counter(&w, TW_COUNTER_DICT_EMPTIED), 1);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_has_the_rate_it_was_given),
        cmocka_unit_test(without_one_the_routes_holds_again),
        cmocka_unit_test(the_same_limit_again_gives_nothing_back),
        cmocka_unit_test(one_that_waits_goes_on_by_its_new_rate),
        cmocka_unit_test(a_rate_that_is_none_is_refused),
        cmocka_unit_test(a_route_that_begins_to_count_bytes_begins_with_all),
        cmocka_unit_test(a_server_without_a_master_has_its_own_dictionaries),
        cmocka_unit_test(what_happens_to_dictionaries_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
