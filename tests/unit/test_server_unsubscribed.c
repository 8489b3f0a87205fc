/* The hook on_unsubscribe. SPDX-License-Identifier: MIT */
#include "server_probe.h"

#include "server/people.h"

static void begin(world *w) {
    world_init(w);
    w->routes[0].hooks |= TW_HOOK_UNSUBSCRIBE;
    world_start(w);
}

static void leave(world *w, int number, const char *channel) {
    assert_int_equal(tw_conn_unsubscribe(w->conns[number], str_of(channel)), 0);
}

static void it_says_who_ended_a_subscription(void **state) {
    world w;
    char id[TW_ID_TEXT];
    (void)state;
    begin(&w);
    client_open(&w);
    world_subscribe(&w, 1, "a");
    world_subscribe(&w, 1, "b");
    world_subscribe(&w, 1, "c");
    world_forget(&w);
    leave(&w, 1, "b");
    assert_log(&w, ""); /* later, never inside of the call */
    world_rest(&w);
    assert_log(&w, "left:1:b:unsubscribed ");
    tw_conn_id(w.conns[1], id);
    tw_remote_unsubscribe(w.server, str_of(id), str_of("c"));
    world_rest(&w);
    assert_log(&w, "left:1:c:remote ");
    tw__conn_unsubscribe(w.conns[1], str_of("a"), TW__BY_FAILURE);
    world_rest(&w);
    assert_log(&w, "left:1:a:failed ");
    world_close(&w);
}

static void at_the_close_it_comes_once_a_channel_before_on_close(void **state) {
    world w;
    (void)state;
    begin(&w);
    client_open(&w);
    world_subscribe(&w, 1, "a");
    world_subscribe(&w, 1, "b");
    world_subscribe(&w, 1, "c");
    world_forget(&w);
    leave(&w, 1, "a");
    /* Under way, so it never was a subscription. */
    assert_int_equal(
        tw_conn_subscribe(w.conns[1], str_of("d"), NULL, NULL, NULL), 0);
    assert_int_equal(tw_conn_close(w.conns[1], 4000, str_of("")), 0);
    assert_log(&w, "");
    world_rest(&w);
    assert_log(&w, "left:1:a:unsubscribed left:1:c:closed left:1:b:closed "
                   "close:1:4000: ");
    world_close(&w);
}

static void also_when_the_peer_vanishes(void **state) {
    world w;
    (void)state;
    begin(&w);
    client *c = client_open(&w);
    world_subscribe(&w, 1, "a");
    world_subscribe(&w, 1, "b");
    world_forget(&w);
    client_reset(c);
    world_until(&w, w.gone == 1);
    assert_log(&w, "left:1:a:closed left:1:b:closed close:1:1006: gone:1 ");
    world_close(&w);
}

static int wait_for_it(world *w, tw_conn *conn, tw_str channel) {
    (void)w;
    (void)conn;
    (void)channel;
    return TW_LATER;
}

static void one_waits_for_the_other(void **state) {
    world w;
    (void)state;
    begin(&w);
    w.on_unsubscribe = wait_for_it;
    client_open(&w);
    world_subscribe(&w, 1, "a");
    world_subscribe(&w, 1, "b");
    world_subscribe(&w, 1, "c");
    world_forget(&w);
    leave(&w, 1, "a");
    tw_conn_close(w.conns[1], 4000, str_of(""));
    static const char *const steps[] = {"left:1:a:unsubscribed ",
                                        "left:1:c:closed ", "left:1:b:closed ",
                                        "close:1:4000: "};
    for (int i = 0; i < 4; i++) {
        world_rest(&w);
        assert_log(&w, steps[i]);
        if (i < 3) {
            tw_conn_done(w.conns[1]);
        }
    }
    world_close(&w);
}

static int resubscribe(world *w, tw_conn *conn, tw_str channel) {
    int err = tw_conn_subscribe(conn, channel, NULL, NULL, NULL);
    world_note(w, "again:%s ", tw_err_name(err));
    return TW_DONE;
}

static void the_hook_may_subscribe_again(void **state) {
    world w;
    (void)state;
    begin(&w);
    w.on_unsubscribe = resubscribe;
    client_open(&w);
    world_subscribe(&w, 1, "a");
    world_forget(&w);
    leave(&w, 1, "a");
    world_rest(&w);
    assert_log(&w, "left:1:a:unsubscribed again:ok ");
    assert_true(tw_conn_is_subscribed(w.conns[1], str_of("a")));
    tw_conn_close(w.conns[1], 4000, str_of(""));
    world_rest(&w);
    assert_log(&w, "left:1:a:closed again:closed close:1:4000: ");
    world_close(&w);
}

static void a_route_without_the_hook_is_told_nothing(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client_open(&w);
    world_subscribe(&w, 1, "a");
    world_subscribe(&w, 1, "b");
    world_forget(&w);
    leave(&w, 1, "a");
    tw_conn_close(w.conns[1], 4000, str_of(""));
    world_rest(&w);
    assert_log(&w, "close:1:4000: ");
    world_close(&w);
}

static void a_route_that_loses_the_hook_is_told_no_more(void **state) {
    world w;
    (void)state;
    begin(&w);
    client_open(&w);
    world_subscribe(&w, 1, "a");
    world_subscribe(&w, 1, "b");
    world_forget(&w);
    tw_server_freeze(w.server);
    leave(&w, 1, "a");
    tw_conn_close(w.conns[1], 4000, str_of(""));
    w.routes[0].hooks &= ~(unsigned)TW_HOOK_UNSUBSCRIBE;
    world_set_routes(&w);
    tw_server_thaw(w.server);
    world_rest(&w);
    assert_log(&w, "close:1:4000: ");
    world_close(&w);
}

static void it_waits_while_frozen(void **state) {
    world w;
    (void)state;
    begin(&w);
    client_open(&w);
    world_subscribe(&w, 1, "a");
    world_forget(&w);
    tw_server_freeze(w.server);
    leave(&w, 1, "a");
    world_rest(&w);
    assert_log(&w, "");
    tw_server_thaw(w.server);
    world_rest(&w);
    assert_log(&w, "left:1:a:unsubscribed ");
    world_close(&w);
}

static int wait_in_open(world *w, tw_conn *conn, tw_req *req) {
    (void)req;
    assert_int_equal(
        tw_conn_subscribe(conn, str_of("a"), NULL, world_on_subscribed, w), 0);
    return TW_LATER;
}

static void so_many_wait_and_no_more(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.max_subscriptions = 5;
    w.routes[0].hooks |= TW_HOOK_UNSUBSCRIBE;
    w.on_open = wait_in_open;
    world_start(&w);
    client_open(&w);
    world_until(&w, w.answered == 1);
    world_forget(&w);
    leave(&w, 1, "a");
    for (int i = 0; i < 30; i++) {
        world_subscribe(&w, 1, "b");
        leave(&w, 1, "b");
    }
    assert_log(&w, "");
    tw_conn_done(w.conns[1]);
    world_rest(&w);
    assert_int_equal(w.log_len, strlen("left:1:a:unsubscribed ") * 10);
    world_close(&w);
}

static void at_the_servers_end_all_is_told(void **state) {
    world w;
    (void)state;
    begin(&w);
    w.on_unsubscribe = wait_for_it;
    client_open(&w);
    world_subscribe(&w, 1, "a");
    world_subscribe(&w, 1, "b");
    world_forget(&w);
    world_close(&w);
    assert_log(&w, "left:1:a:closed left:1:b:closed close:1:1006: gone:1 ");
}

static void who_was_never_opened_is_told_of_nothing(void **state) {
    world w;
    (void)state;
    begin(&w);
    tw_server_freeze(w.server);
    world_close(&w);
    begin(&w);
    w.on_open = wait_in_open;
    client *c = client_open(&w);
    world_until(&w, w.answered == 1);
    world_forget(&w);
    client_reset(c);
    world_until(&w, w.conns[1]->state == TW__CONN_GONE);
    assert_log(&w, ""); /* not before on_open has ended */
    tw_conn_done(w.conns[1]);
    world_rest(&w);
    assert_log(&w, "left:1:a:closed close:1:1006: gone:1 ");
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_who_ended_a_subscription),
        cmocka_unit_test(at_the_close_it_comes_once_a_channel_before_on_close),
        cmocka_unit_test(also_when_the_peer_vanishes),
        cmocka_unit_test(one_waits_for_the_other),
        cmocka_unit_test(the_hook_may_subscribe_again),
        cmocka_unit_test(a_route_without_the_hook_is_told_nothing),
        cmocka_unit_test(a_route_that_loses_the_hook_is_told_no_more),
        cmocka_unit_test(it_waits_while_frozen),
        cmocka_unit_test(so_many_wait_and_no_more),
        cmocka_unit_test(at_the_servers_end_all_is_told),
        cmocka_unit_test(who_was_never_opened_is_told_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
