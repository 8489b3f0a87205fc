/* Users, presence and subscriptions of the host with every allocation failing
 * once: whatever cannot be done is refused or told, and nothing is left behind.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

#include "server/people.h"

typedef struct answers {
    int due, come;
} answers;

static void on_list(int status, const tw_presence_list *list, void *arg) {
    answers *a = arg;
    assert_int_equal(status == 0, list != NULL);
    a->come++;
}

static void on_conns(int status, const tw_user_conn *conns, size_t count,
                     void *arg) {
    answers *a = arg;
    assert_true(status == 0 || count == 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strlen(conns[i].id), TW_ID_TEXT - 1);
    }
    a->come++;
}

static void on_subscribed(tw_conn *conn, int status,
                          const tw_subscribed *result, void *arg) {
    answers *a = arg;
    (void)conn;
    assert_int_equal(status == 0, result != NULL);
    a->come++;
}

static void on_heard(tw_server *server, const tw_publication *publication,
                     void *arg) {
    (void)server;
    (void)arg;
    assert_int_equal(publication->len, 4);
}

static void on_presence(tw_server *server, const tw_presence_change *change,
                        void *user) {
    (void)user;
    tw_channel_tell(server, change->channel, "here", 4, false);
}

static void expect_answer(answers *a, int err) {
    assert_true(err == 0 || err == TW_ENOMEM || err == TW_ECLOSED ||
                err == TW_EEXISTS || err == TW_ENOT_FOUND);
    a->due += err == 0;
}

static void play(world *w, answers *a) {
    tw_server *server = w->server;
    tw_conn *conn = w->conns[1];
    char id[TW_ID_TEXT];
    tw_str ann = str_of("ann"), room = str_of("room:1");
    const tw_subscribe_options options = {.info = str_of("{}")};
    tw_conn_id(conn, id);
    tw_subscription *heard = tw_subscribe(server, room, on_heard, NULL);
    expect_answer(a, tw_conn_subscribe(conn, room, &options, on_subscribed, a));
    tw_conn_login(conn, ann, (tw_str){NULL, 0});
    world_rest(w);
    tw_publish(server, room, "news", 4, NULL);
    tw_server_freeze(server);
    tw_remote_subscribe(server, str_of(id), str_of("room:2"));
    tw_user_subscribe(server, ann, str_of("room:3"));
    tw_publish(server, room, "more", 4, NULL);
    world_rest(w);
    tw_server_thaw(server);
    world_rest(w);
    expect_answer(a, tw_channel_presence(server, room, 0, on_list, a));
    expect_answer(a, tw_user_connections(server, ann, on_conns, a));
    tw_user_send(server, ann, "text", 4, NULL);
    tw_remote_send(server, str_of(id), "text", 4, false);
    world_rest(w);
    tw__server_on_fresh(server, 0);
    tw_conn_unsubscribe(conn, str_of("room:2"));
    world_pass(w, 100);
    if (heard != NULL) {
        tw_subscription_cancel(heard);
    }
    tw_remote_unsubscribe(server, str_of(id), str_of("room:3"));
    tw_user_disconnect(server, ann, 4000, str_of("bye"));
    world_pass(w, 7000);
}

static void begin(world *w, const char *users) {
    const tw_class_config classes[] = {
        {.pattern = "room:*", .presence = TW_PRESENCE_EVENTS},
        {.pattern = users, .history = 10}};
    world_init(w);
    w->is_silent = true;
    w->config.hooks.on_presence = on_presence;
    w->routes[0].hooks |= TW_HOOK_UNSUBSCRIBE;
    world_start(w);
    assert_int_equal(tw_server_set_classes(w->server, classes, 2, NULL), 0);
    client_open(w);
    world_rest(w);
}

static void run(const char *users) {
    bool is_through = false;
    size_t nth;
    for (nth = 1; !is_through; nth++) {
        world w;
        answers a = {0, 0};
        begin(&w, users);
        tw__alloc_fail_nth(nth);
        play(&w, &a);
        is_through = tw__alloc_fail_nth(0) != 0;
        world_close(&w);
        assert_int_equal(a.come, a.due);
        assert_true(nth < 2000);
    }
    assert_true(nth > 50); /* it has met what it should */
}

static void everything_may_lack_memory(void **state) {
    (void)state;
    run("other");
}

static void also_where_users_have_channels(void **state) {
    (void)state;
    run("user:*");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_may_lack_memory),
        cmocka_unit_test(also_where_users_have_channels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
