/* Readers that are too slow where what they miss is kept: resync gives up what
 * waits, tells once, and goes on; and what a recovery brings is not held
 * against who asked for it.
 * SPDX-License-Identifier: MIT */
#include "recover_probe.h"

enum { BUDGET = 30000, BLOCK = 1000, KEPT = 400 };

static tw_class_config class_of(tw_slow_policy slow) {
    return (tw_class_config){.pattern = "room", .slow = slow, .history = KEPT};
}

static void slow_world(world *w, tw_slow_policy slow, bool is_told) {
    tw_class_config class = class_of(slow);
    recover_init(w);
    w->config.publication_budget_bytes = BUDGET;
    if (!is_told) {
        w->routes[0].hooks &= ~(unsigned)TW_HOOK_RECOVER_FAIL;
    }
    recover_start(w, &class);
    world_narrow(w, 4096);
}

static client *slow_client(world *w) {
    client *c = client_open_with(w, 4096);
    c->is_lazy = true;
    return c;
}

/* Its number, which is its offset as well, in a block. */
static void publish_block(world *w, int number,
                          const tw_publish_options *options) {
    char block[BLOCK];
    memset(block, '.', sizeof block);
    block[sprintf(block, "%d", number)] = '.';
    assert_int_equal(
        tw_publish(w->server, str_of("room"), block, sizeof block, options), 0);
}

static void flood(world *w, int first, int last) {
    for (int i = first; i <= last; i++) {
        publish_block(w, i, NULL);
        if (i % 3 != 0) {
            world_turn(w);
        }
    }
    world_rest(w);
}

/* The number of the next frame; 0: a marker of the hook, -1: nothing more. */
static int next_number(world *w, client *c, int conn) {
    int opcode = 0;
    const uint8_t *payload = NULL;
    size_t len = 0;
    c->is_lazy = false;
    world_rest(w);
    world_until(w, client_has_frame(c) || c->is_ended || c->error != 0 ||
                       client_has_all(w, c, conn));
    size_t size = client_peek(c, &opcode, &payload, &len);
    if (size == 0 || opcode != TW__WS_TEXT) {
        return -1;
    }
    int number = payload[0] == 'm' ? 0 : atoi((const char *)payload);
    client_take(c, size);
    return number;
}

static int say_marker(world *w, tw_conn *conn) {
    (void)w;
    assert_int_equal(tw_conn_send(conn, "marker", 6, false), 0);
    return TW_DONE;
}

/* ---- resync ---- */

/* Reads from `from` on without a hole; the last number before the marker, or
 * before the end when there is none. */
static int read_up(world *w, client *c, int conn, int from, int *next) {
    while ((*next = next_number(w, c, conn)) > 0 && *next == from) {
        from++;
    }
    return from - 1;
}

static void it_gives_up_tells_once_and_goes_on(void **state) {
    world w;
    int next;
    char expected[128];
    (void)state;
    slow_world(&w, TW_SLOW_RESYNC, true);
    recover_on_fail = say_marker;
    client *c = slow_client(&w), *quick = client_open(&w);
    tw_subscribed got = recover_subscribe(&w, 1, "room", NULL);
    recover_subscribe(&w, 2, "room", NULL);
    world_forget(&w);
    flood(&w, 1, 200);
    assert_true(tw_conn_is_open(w.conns[1]));
    assert_true(tw_conn_is_subscribed(w.conns[1], str_of("room")));
    assert_true(tw_conn_queued(w.conns[1]) < 2 * BLOCK); /* one in part */
    assert_log(&w, "slow:1:room "); /* not yet: something waits */
    uint64_t dropped = counter(&w, TW_COUNTER_DROPPED);
    int last = read_up(&w, c, 1, 1, &next);
    assert_true(last > 3 && last < 199);
    assert_int_equal(next, 0); /* the marker */
    snprintf(expected, sizeof expected, "missed:1:room:%s:%d ",
             got.position.epoch, last);
    assert_log(&w, expected);
    assert_true(dropped >= BUDGET / BLOCK - 2);
    flood(&w, 201, 203);
    read_up(&w, c, 1, 201, &next);
    assert_int_equal(next, -1);
    assert_log(&w, "");
    for (int i = 1; i <= 203; i++) {
        assert_int_equal(next_number(&w, quick, 2), i);
    }
    world_close(&w);
}

static void without_the_hook_it_only_goes_on(void **state) {
    world w;
    int next;
    (void)state;
    slow_world(&w, TW_SLOW_RESYNC, false);
    client *c = slow_client(&w);
    recover_subscribe(&w, 1, "room", NULL);
    world_forget(&w);
    flood(&w, 1, 200);
    assert_int_equal(read_up(&w, c, 1, 1, &next) > 3, true);
    assert_int_equal(next, -1);
    flood(&w, 201, 203);
    assert_int_equal(read_up(&w, c, 1, 201, &next), 203);
    assert_log(&w, "slow:1:room ");
    world_close(&w);
}

/* What is behind the position that was told is what was not sent. */
static int recover_behind(world *w, tw_conn *conn) {
    (void)conn;
    w->answered++;
    return TW_DONE;
}

static void each_time_it_is_told_where_to_go_on(void **state) {
    world w;
    int at = 0, published = 0, told_times = 0;
    (void)state;
    slow_world(&w, TW_SLOW_RESYNC, true);
    recover_on_fail = recover_behind;
    client *c = slow_client(&w);
    tw_subscribed got = recover_subscribe(&w, 1, "room", NULL);
    for (int round = 0; round < 5; round++) {
        char expected[128];
        int next;
        c->is_lazy = true;
        world_forget(&w);
        flood(&w, published + 1, published + 100);
        while ((next = next_number(&w, c, 1)) > 0) {
            assert_int_equal(next, at + 1);
            at = next;
        }
        snprintf(expected, sizeof expected, "missed:1:room:%s:%d ",
                 got.position.epoch, at);
        assert_non_null(strstr(w.log, expected));
        published += 100;
        assert_int_equal(w.answered, ++told_times);
        at = published; /* the hook has been called: live again */
    }
    world_close(&w);
}

static void what_has_no_offset_is_given_up_with_a_position_too(void **state) {
    static const tw_publish_options unkept = {.no_history = true};
    world w;
    char expected[128];
    (void)state;
    slow_world(&w, TW_SLOW_RESYNC, true);
    client *c = slow_client(&w);
    tw_subscribed got = recover_subscribe(&w, 1, "room", NULL);
    flood(&w, 1, 3);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(next_number(&w, c, 1), i);
    }
    c->is_lazy = true;
    world_forget(&w);
    for (int i = 0; i < 150; i++) {
        publish_block(&w, 9, &unkept);
        world_turn(&w);
    }
    while (next_number(&w, c, 1) > 0) {
    }
    snprintf(expected, sizeof expected, "slow:1:room missed:1:room:%s:3 ",
             got.position.epoch);
    assert_log(&w, expected);
    world_close(&w);
}

static void who_leaves_meanwhile_is_not_told(void **state) {
    world w;
    int next;
    (void)state;
    slow_world(&w, TW_SLOW_RESYNC, true);
    client *c = slow_client(&w), *d = slow_client(&w);
    recover_subscribe(&w, 1, "room", NULL);
    recover_subscribe(&w, 2, "room", NULL);
    flood(&w, 1, 200);
    recover_leave(&w, 1, "room");
    recover_subscribe(&w, 1, "room", NULL);
    tw_conn_close(w.conns[2], 4000, str_of(""));
    world_forget(&w);
    flood(&w, 201, 202);
    c->is_lazy = d->is_lazy = false;
    read_up(&w, c, 1, 1, &next);
    assert_int_equal(next, 201);
    assert_int_equal(next_number(&w, c, 1), 202);
    assert_int_equal(next_number(&w, c, 1), -1);
    assert_null(strstr(w.log, "missed"));
    world_close(&w);
}

/* Frames of the old epoch wait in the queue of who hears of the new one. */
static void an_older_epoch_in_the_queue_does_not_make_it_wrong(void **state) {
    static const tw_class_config class = {
        .pattern = "far", .slow = TW_SLOW_RESYNC, .history = 100};
    world w;
    told t;
    unsigned long long offset = 99;
    (void)state;
    far_open(&w, &class, 0);
    w.server->config.publication_budget_bytes = 400;
    world_narrow(&w, 4096);
    client *c = slow_client(&w);
    recover_ask(&w, 1, "far", NULL, &t);
    world_rest(&w);
    far_confirms("E", 1000);
    world_rest(&w);
    char block[60000];
    memset(block, 'x', sizeof block); /* until the kernel is full */
    while (tw_conn_queued(w.conns[1]) == 0) {
        tw_conn_send(w.conns[1], block, sizeof block, false);
        world_turn(&w);
    }
    for (uint64_t i = 1001; i <= 1010; i++) {
        far_delivers(i);
        world_turn(&w);
    }
    far_moves("F", 40);
    world_rest(&w);
    assert_non_null(strstr(w.log, "missed:1:far:E:1010 "));
    world_forget(&w);
    for (uint64_t i = 41; i <= 140; i++) {
        far_delivers(i);
        world_turn(&w);
    }
    c->is_lazy = false;
    world_until(&w, strstr(w.log, "missed") != NULL);
    const char *missed = strstr(w.log, "missed:1:far:F:");
    assert_non_null(missed);
    assert_int_equal(sscanf(missed, "missed:1:far:F:%llu ", &offset), 1);
    assert_int_equal(offset, 40);
    world_rest(&w);
    far_close(&w);
}

/* ---- a recovery of one's own ---- */

static void a_recovery_does_not_make_slow(void **state) {
    static const tw_slow_policy policies[] = {
        TW_SLOW_CLOSE, TW_SLOW_RESYNC, TW_SLOW_DROP_OLD, TW_SLOW_DROP_NEW};
    (void)state;
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        world w;
        slow_world(&w, policies[i], true);
        client *c = slow_client(&w);
        client_open(&w);
        recover_subscribe(&w, 2, "room", NULL);
        flood(&w, 1, 300);
        tw_subscribe_options last = {.last = 300};
        tw_subscribed got = recover_subscribe(&w, 1, "room", &last);
        assert_told(&got, 300, false, 300);
        assert_true(tw_conn_queued(w.conns[1]) > 4 * BUDGET);
        flood(&w, 301, 301 + BUDGET / BLOCK - 2); /* the budget is for these */
        assert_true(tw_conn_is_open(w.conns[1]));
        for (int n = 1; n <= 301 + BUDGET / BLOCK - 2; n++) {
            assert_int_equal(next_number(&w, c, 1), n);
        }
        assert_int_equal(counter(&w, TW_COUNTER_DROPPED), 0);
        assert_int_equal(counter(&w, TW_COUNTER_SLOW_EVENTS), 0);
        world_close(&w);
    }
}

static void what_is_live_has_its_budget_beside_a_recovery(void **state) {
    world w;
    (void)state;
    slow_world(&w, TW_SLOW_CLOSE, true);
    client *c = slow_client(&w);
    client_open(&w);
    recover_subscribe(&w, 2, "room", NULL);
    flood(&w, 1, 300);
    tw_subscribe_options last = {.last = 300};
    recover_subscribe(&w, 1, "room", &last);
    flood(&w, 301, 301 + BUDGET / BLOCK + 2);
    assert_false(tw_conn_is_open(w.conns[1]));
    c->is_lazy = false;
    world_until(&w, c->is_ended || client_has_frame(c));
    world_close(&w);
}

/* Else who subscribes again and again, and does not read, would have more and
 * more room. */
static void recoveries_that_were_given_up_leave_no_room(void **state) {
    world w;
    (void)state;
    slow_world(&w, TW_SLOW_CLOSE, true);
    slow_client(&w);
    client_open(&w);
    recover_subscribe(&w, 2, "room", NULL);
    flood(&w, 1, 300);
    tw_subscribe_options last = {.last = 300};
    for (int i = 0; i < 10; i++) {
        recover_subscribe(&w, 1, "room", &last);
        assert_true(w.conns[1]->out->allowed_bytes <= 301 * (BLOCK + 4));
        assert_true(tw_conn_queued(w.conns[1]) <= 301 * (BLOCK + 4));
        recover_leave(&w, 1, "room");
        assert_true(tw_conn_queued(w.conns[1]) < 2 * BLOCK);
    }
    world_close(&w);
}

/* Else it could have one of each channel wait. */
static void who_has_much_to_read_is_not_heard(void **state) {
    tw_class_config class = class_of(TW_SLOW_CLOSE);
    world w;
    (void)state;
    recover_init(&w);
    w.config.recover_limit_bytes = 200 * BLOCK;
    recover_start(&w, &class);
    world_narrow(&w, 4096);
    client *c = slow_client(&w);
    client_open(&w);
    recover_subscribe(&w, 2, "room", NULL);
    flood(&w, 1, 300);
    tw_subscribe_options last = {.last = 300};
    recover_subscribe(&w, 1, "room", &last);
    client_say(&w, c, "one");
    world_until(&w, strstr(w.log, "msg:1:one") != NULL);
    w.server->config.recover_limit_bytes = 100 * BLOCK; /* as if it had two */
    client_say(&w, c, "two");
    world_turns(&w, 10);
    assert_null(strstr(w.log, "msg:1:two"));
    c->is_lazy = false;
    world_until(&w, strstr(w.log, "msg:1:two") != NULL);
    world_close(&w);
}

/* It is told of a gap: that is no end of the subscription. */
static void who_is_to_be_told_is_still_present(void **state) {
    static const tw_class_config present = {.pattern = "room",
                                            .slow = TW_SLOW_RESYNC,
                                            .history = KEPT,
                                            .presence = TW_PRESENCE_LIST};
    world w;
    (void)state;
    slow_world(&w, TW_SLOW_RESYNC, true);
    recover_classes(&w, &present, 1);
    slow_client(&w);
    recover_subscribe(&w, 1, "room", NULL);
    flood(&w, 1, 200);
    const tw__sub *sub = tw__conn_subs(w.conns[1]);
    assert_int_equal(sub->index, TW__NOT_JOINED); /* until it has read */
    assert_true(sub->mark & TW__SUB_PRESENT);
    recover_classes(&w, &present, 1); /* all is told anew */
    world_rest(&w);
    sub = tw__conn_subs(w.conns[1]);
    assert_int_equal(sub->index, TW__NOT_JOINED);
    assert_true(sub->mark & TW__SUB_PRESENT);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_gives_up_tells_once_and_goes_on),
        cmocka_unit_test(without_the_hook_it_only_goes_on),
        cmocka_unit_test(each_time_it_is_told_where_to_go_on),
        cmocka_unit_test(what_has_no_offset_is_given_up_with_a_position_too),
        cmocka_unit_test(who_leaves_meanwhile_is_not_told),
        cmocka_unit_test(an_older_epoch_in_the_queue_does_not_make_it_wrong),
        cmocka_unit_test(a_recovery_does_not_make_slow),
        cmocka_unit_test(what_is_live_has_its_budget_beside_a_recovery),
        cmocka_unit_test(recoveries_that_were_given_up_leave_no_room),
        cmocka_unit_test(who_has_much_to_read_is_not_heard),
        cmocka_unit_test(who_is_to_be_told_is_still_present),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
