/* What homes are told, and told again, with a locator that writes it down.
 * SPDX-License-Identifier: MIT */
#include "locator_fake.h"

static void accept_user(world *w, tw_req *req) {
    tw_str name, value;
    tw_accept accept = {.user = {NULL, 0}};
    (void)w;
    if (tw_req_at(req, TW_REQ_QUERY, 0, &name, &value)) {
        accept.user = name;
    }
    assert_int_equal(tw_req_accept(req, &accept), 0);
}

static void set_presence(world *w, tw_presence presence) {
    const tw_class_config class = {.pattern = "room:*", .presence = presence};
    assert_int_equal(tw_server_set_classes(w->server, &class, 1, NULL), 0);
    world_rest(w);
}

static void begin(world *w, locator_fake *f) {
    world_init(w);
    w->on_upgrade = accept_user;
    w->routes[0].hooks |= TW_HOOK_UPGRADE;
    world_start(w);
    set_presence(w, TW_PRESENCE_LIST);
    fake_begin(f, w);
}

static client *open_as(world *w, const char *user) {
    char request[256];
    client *c = client_connect(w, 0);
    int before = w->opened;
    int len = snprintf(request, sizeof request, HANDSHAKE("/chat%s%s"),
                       user[0] != '\0' ? "?" : "", user);
    client_send(w, c, request, (size_t)len);
    assert_int_equal(client_status(w, c), 101);
    world_until(w, w->opened > before);
    return c;
}

static void join(world *w, int number, const char *channel, const char *info) {
    tw_subscribe_options options = {.info = str_of(info)};
    int before = w->answered;
    assert_int_equal(tw_conn_subscribe(w->conns[number], str_of(channel),
                                       &options, world_on_subscribed, w),
                     0);
    world_until(w, w->answered > before);
    assert_int_equal(w->status, 0);
}

/* ---- once ---- */

static void users_and_subscribers_are_told_when_they_come_and_go(void **state) {
    world w;
    locator_fake f;
    (void)state;
    begin(&w, &f);
    w.routes[0].user_connections = 3;
    w.routes[0].closes_newest = true;
    world_set_routes(&w);
    client *a = open_as(&w, "ann");
    open_as(&w, "");
    assert_told(&f, "user:ann:3:newest ");
    join(&w, 1, "room:1", "{}");
    join(&w, 2, "room:1", "");
    join(&w, 1, "hall", "{}");
    assert_told(&f, "enter:room:1:1:ann:{} enter:room:1:2:: ");
    assert_int_equal(tw_conn_unsubscribe(w.conns[2], str_of("room:1")), 0);
    assert_told(&f, "leave:room:1:2 ");
    client_say_close(&w, a, 1000);
    world_until(&w, f.len > 0);
    assert_told(&f, "gone:ann leave:room:1:1 ");
    fake_end(&f);
}

static void who_logs_in_leaves_and_comes_as_another(void **state) {
    world w;
    locator_fake f;
    (void)state;
    begin(&w, &f);
    open_as(&w, "");
    join(&w, 1, "room:1", "{}");
    join(&w, 1, "hall", "");
    assert_told(&f, "enter:room:1:1::{} ");
    tw_conn_login(w.conns[1], str_of("ann"), (tw_str){NULL, 0});
    assert_told(&f, "user:ann:0 leave:room:1:1 enter:room:1:1:ann:{} ");
    fake_end(&f);
}

static void a_subscription_that_fails_leaves_no_info_behind(void **state) {
    world w;
    locator_fake f;
    (void)state;
    begin(&w, &f);
    open_as(&w, "");
    tw_subscribe_options options = {.info = str_of("{}")};
    assert_int_equal(tw_conn_subscribe(w.conns[1], str_of("room:1"), &options,
                                       world_on_subscribed, &w),
                     0);
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("room:1")), 0);
    world_rest(&w);
    assert_int_equal(w.status, TW_ECLOSED);
    assert_int_equal(tw__map_len(&w.server->folk.infos), 0);
    /* The next one has its own. */
    join(&w, 1, "room:1", "");
    assert_told(&f, "enter:room:1:1:: ");
    fake_end(&f);
}

/* ---- again ---- */

static void a_fresh_home_is_told_everything_again(void **state) {
    world w;
    locator_fake f;
    (void)state;
    begin(&w, &f);
    open_as(&w, "ann");
    open_as(&w, "");
    open_as(&w, "bob");
    join(&w, 1, "room:1", "a");
    join(&w, 1, "room:2", "b");
    join(&w, 1, "hall", "");
    join(&w, 2, "room:1", "");
    fake_forget(&f);
    tw__server_on_fresh(w.server, 0);
    assert_told(&f, "");
    world_rest(&w);
    assert_told(&f, "user:ann:0 renew:room:2:1:ann:b renew:room:1:1:ann:a "
                    "renew:room:1:2:: user:bob:0 ");
    world_rest(&w);
    assert_told(&f, "");
    tw__server_on_fresh(w.server, 99); /* no home of ours */
    world_rest(&w);
    assert_told(&f, "");
    fake_end(&f);
}

/* How often a text is in what was told. */
static int count_told(const locator_fake *f, const char *text) {
    int count = 0;
    for (const char *at = f->log; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    return count;
}

static void many_are_told_in_slices(void **state) {
    world w;
    locator_fake f;
    char channel[32];
    (void)state;
    begin(&w, &f);
    for (int i = 1; i <= 20; i++) {
        open_as(&w, "ann");
        for (int k = 0; k < 50; k++) {
            snprintf(channel, sizeof channel, "room:%d", k);
            join(&w, i, channel, "");
        }
    }
    world_rest(&w);
    fake_forget(&f);
    tw__server_on_fresh(w.server, 0);
    uint64_t turns = w.server->loop.turns;
    while (f.told == 0) {
        world_turn(&w);
    }
    assert_in_range(f.told, 200, 320);
    world_until(&w, f.told >= 20 * 51);
    assert_in_range(w.server->loop.turns - turns, 4, 1000);
    world_rest(&w);
    assert_int_equal(f.told, 20 * 51);
    assert_int_equal(count_told(&f, "user:ann"), 20);
    fake_end(&f);
}

static void a_home_that_is_fresh_again_is_told_from_the_start(void **state) {
    world w;
    locator_fake f;
    char channel[32];
    (void)state;
    begin(&w, &f);
    for (int i = 1; i <= 10; i++) {
        open_as(&w, "");
        for (int k = 0; k < 50; k++) {
            snprintf(channel, sizeof channel, "room:%d", k);
            join(&w, i, channel, "");
        }
    }
    world_rest(&w);
    fake_forget(&f);
    tw__server_on_fresh(w.server, 0);
    while (f.told == 0) {
        world_turn(&w);
    }
    assert_true(f.told < 500);
    fake_forget(&f);
    tw__server_on_fresh(w.server, 0);
    world_rest(&w);
    assert_int_equal(f.told, 500);
    assert_int_equal(count_told(&f, "renew:room:7:3:"), 1);
    fake_end(&f);
}

/* Whoever is there at the end was told after the home became fresh. */
static void connections_may_come_and_go_meanwhile(void **state) {
    world w;
    locator_fake f;
    char channel[32], text[64];
    client *c[20];
    (void)state;
    begin(&w, &f);
    for (int i = 0; i < 10; i++) {
        c[i] = open_as(&w, "ann");
        for (int k = 0; k < 50; k++) {
            snprintf(channel, sizeof channel, "room:%d", k);
            join(&w, i + 1, channel, "");
        }
    }
    world_rest(&w);
    fake_forget(&f);
    tw__server_on_fresh(w.server, 0);
    for (int i = 0; i < 10; i++) {
        world_turn(&w);
        if (i == 1) {
            client_reset(c[0]);
            client_reset(c[8]);
        }
        if (i == 2) {
            /* Of one that is told: the last takes the place of the first. */
            tw_conn_unsubscribe(w.conns[6], str_of("room:0"));
            tw_conn_unsubscribe(w.conns[10], str_of("room:25"));
        }
    }
    world_until(&w, w.gone == 2);
    open_as(&w, "bob");
    join(&w, 11, "room:3", "");
    world_rest(&w);
    for (int number = 1; number <= 11; number++) {
        tw_str name;
        for (size_t k = 0; w.conns[number] != NULL &&
                           tw_conn_channel(w.conns[number], k, &name);
             k++) {
            snprintf(text, sizeof text, "r:%s:%d:", name.data, number);
            char renewed[64];
            snprintf(renewed, sizeof renewed, "w:%s:%d:", name.data, number);
            assert_true(count_told(&f, text) + count_told(&f, renewed) >= 1);
        }
    }
    fake_end(&f);
}

/* ---- refused ---- */

static void what_is_refused_is_told_when_there_is_room(void **state) {
    world w;
    locator_fake f;
    (void)state;
    begin(&w, &f);
    open_as(&w, "bob");
    fake_forget(&f);
    f.is_full = true;
    f.refuse = 2;
    open_as(&w, "ann");
    join(&w, 2, "room:1", "a");
    world_pass(&w, 1000);
    assert_told(&f, "");
    f.is_full = false;
    world_pass(&w, 50);
    assert_told(&f, "user:bob:0 user:ann:0 renew:room:1:2:ann:a ");
    world_pass(&w, 1000);
    assert_told(&f, "");
    fake_end(&f);
}

/* In the middle of a connection, which goes on where it was. */
static void a_home_that_becomes_full_is_told_the_rest_later(void **state) {
    world w;
    locator_fake f;
    (void)state;
    begin(&w, &f);
    open_as(&w, "ann");
    join(&w, 1, "room:1", "");
    join(&w, 1, "room:2", "");
    join(&w, 1, "room:3", "");
    fake_forget(&f);
    tw__server_on_fresh(w.server, 0);
    f.error = TW_EUNAVAILABLE;
    world_pass(&w, 100);
    assert_told(&f, "");
    f.error = 0;
    world_pass(&w, 100);
    assert_told(&f, "user:ann:0 renew:room:3:1:ann: renew:room:2:1:ann: "
                    "renew:room:1:1:ann: ");
    tw__server_on_fresh(w.server, 0);
    f.grace = 2;
    f.refuse = 1;
    world_rest(&w);
    assert_string_equal(f.log, "user:ann:0 renew:room:3:1:ann: ");
    world_pass(&w, 100);
    assert_told(&f, "user:ann:0 renew:room:3:1:ann: renew:room:2:1:ann: "
                    "renew:room:1:1:ann: ");
    fake_end(&f);
}

static void at_the_servers_end_nobody_is_told(void **state) {
    world w;
    locator_fake f;
    (void)state;
    begin(&w, &f);
    open_as(&w, "ann");
    join(&w, 1, "room:1", "");
    fake_forget(&f);
    tw__server_on_fresh(w.server, 0);
    f.is_full = true;
    world_turn(&w);
    world_close(&w);
    assert_told(&f, "");
}

/* ---- other classes ---- */

static void classes_that_come_and_go_apply_to_who_is_there(void **state) {
    world w;
    locator_fake f;
    (void)state;
    begin(&w, &f);
    open_as(&w, "ann");
    open_as(&w, "");
    join(&w, 1, "room:1", "a");
    join(&w, 2, "room:1", "");
    fake_forget(&f);
    set_presence(&w, TW_PRESENCE_EVENTS);
    assert_told(&f, "");
    set_presence(&w, TW_PRESENCE_COUNT);
    assert_told(&f, "leave:room:1:1 leave:room:1:2 ");
    set_presence(&w, TW_PRESENCE_NONE);
    assert_told(&f, "");
    set_presence(&w, TW_PRESENCE_LIST);
    assert_told(&f, "renew:room:1:1:ann:a renew:room:1:2:: ");
    assert_int_equal(tw_server_set_classes(w.server, NULL, 0, NULL), 0);
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("room:1")), 0);
    assert_told(&f, "leave:room:1:1 ");
    world_rest(&w);
    assert_told(&f, "leave:room:1:2 ");
    fake_end(&f);
}

static void a_class_is_told_of_where_there_was_no_room(void **state) {
    world w;
    locator_fake f;
    (void)state;
    begin(&w, &f);
    set_presence(&w, TW_PRESENCE_NONE);
    open_as(&w, "");
    join(&w, 1, "room:1", "");
    f.refuse = 2;
    set_presence(&w, TW_PRESENCE_LIST);
    world_pass(&w, 200);
    assert_told(&f, "renew:room:1:1:: ");
    fake_end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_and_subscribers_are_told_when_they_come_and_go),
        cmocka_unit_test(who_logs_in_leaves_and_comes_as_another),
        cmocka_unit_test(a_subscription_that_fails_leaves_no_info_behind),
        cmocka_unit_test(a_fresh_home_is_told_everything_again),
        cmocka_unit_test(many_are_told_in_slices),
        cmocka_unit_test(a_home_that_is_fresh_again_is_told_from_the_start),
        cmocka_unit_test(connections_may_come_and_go_meanwhile),
        cmocka_unit_test(what_is_refused_is_told_when_there_is_room),
        cmocka_unit_test(a_home_that_becomes_full_is_told_the_rest_later),
        cmocka_unit_test(at_the_servers_end_nobody_is_told),
        cmocka_unit_test(classes_that_come_and_go_apply_to_who_is_there),
        cmocka_unit_test(a_class_is_told_of_where_there_was_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
