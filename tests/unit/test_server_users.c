/* Users, and connections by id, with the engine of one server.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

#include "server/conn_id.h"

/* The path of the connection's request says who it is: "/chat?ann". */
static void accept_user(world *w, tw_req *req) {
    tw_str name, value;
    tw_accept accept = {.user = {NULL, 0}};
    (void)w;
    if (tw_req_at(req, TW_REQ_QUERY, 0, &name, &value)) {
        accept.user = name;
    }
    assert_int_equal(tw_req_accept(req, &accept), 0);
}

static void begin(world *w) {
    world_init(w);
    w->on_upgrade = accept_user;
    w->routes[0].hooks |= TW_HOOK_UPGRADE | TW_HOOK_UNSUBSCRIBE;
    world_start(w);
}

static void declare_users(world *w) {
    const tw_class_config class = {.pattern = "user:*", .history = 10};
    assert_int_equal(tw_server_set_classes(w->server, &class, 1, NULL), 0);
}

/* A connection of that user; "": of nobody. Its on_open is over or waits. */
static client *open_as(world *w, const char *user) {
    char request[512];
    client *c = client_connect(w, 0);
    int before = w->opened;
    int len = snprintf(request, sizeof request, HANDSHAKE("/chat%s%s"),
                       user[0] != '\0' ? "?" : "", user);
    client_send(w, c, request, (size_t)len);
    assert_int_equal(client_status(w, c), 101);
    world_until(w, w->opened > before);
    world_rest(w);
    return c;
}

static uint64_t gauge(world *w, tw_gauge which) {
    tw_slot_stats stats;
    assert_int_equal(tw_server_stats(w->server, 0, &stats), 0);
    return stats.gauges[which];
}

static int send_to(world *w, const char *user, const char *text) {
    return tw_user_send(w->server, str_of(user), text, strlen(text), NULL);
}

/* ---- sending ---- */

static void what_is_sent_to_a_user_reaches_all_its_devices(void **state) {
    world w;
    (void)state;
    begin(&w);
    client *a = open_as(&w, "ann");
    client *b = open_as(&w, "ann");
    client *c = open_as(&w, "bob");
    client *d = open_as(&w, "");
    assert_int_equal(send_to(&w, "ann", "hello"), 0);
    expect_text(&w, a, "hello");
    expect_text(&w, b, "hello");
    expect_nothing(&w, c);
    expect_nothing(&w, d);
    tw_publish_options binary = {.binary = true};
    assert_int_equal(tw_user_send(w.server, str_of("bob"), "\xFF", 1, &binary),
                     0);
    expect_frame(&w, c, TW__WS_BINARY, "\xFF", 1);
    assert_int_equal(send_to(&w, "nobody", "hello"), 0);
    world_close(&w);
}

static void where_users_have_a_class_it_goes_through_their_channel(void **st) {
    world w;
    (void)st;
    begin(&w);
    declare_users(&w);
    client *a = open_as(&w, "ann");
    client *b = open_as(&w, "ann");
    client *c = open_as(&w, "bob");
    world_until(&w, tw_conn_is_subscribed(w.conns[3], str_of("user:bob")));
    assert_true(tw_conn_is_subscribed(w.conns[1], str_of("user:ann")));
    assert_false(tw_conn_is_subscribed(w.conns[1], str_of("user:bob")));
    assert_int_equal(send_to(&w, "ann", "hello"), 0);
    expect_text(&w, a, "hello");
    expect_text(&w, b, "hello");
    expect_nothing(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_PUBLISHED), 1);
    assert_int_equal(counter(&w, TW_COUNTER_REMOTE_ACTS), 0);
    world_close(&w);
}

static void a_user_whose_name_is_too_long_for_a_channel_is_sent_to(void **st) {
    world w;
    char name[256];
    (void)st;
    memset(name, 'u', 255);
    name[255] = '\0';
    begin(&w);
    declare_users(&w);
    client *a = open_as(&w, name);
    assert_int_equal(w.conns[1]->sub_count, 0);
    assert_int_equal(send_to(&w, name, "hello"), 0);
    expect_text(&w, a, "hello");
    world_close(&w);
}

static int subscribe_itself(world *w, tw_conn *conn, tw_req *req) {
    (void)req;
    assert_int_equal(tw_conn_subscribe(conn, str_of("user:ann"), NULL,
                                       world_on_subscribed, w),
                     0);
    return TW_DONE;
}

static void a_channel_that_the_script_subscribed_is_subscribed_once(void **st) {
    world w;
    (void)st;
    begin(&w);
    declare_users(&w);
    w.on_open = subscribe_itself;
    client *a = open_as(&w, "ann");
    assert_int_equal(w.conns[1]->sub_count, 1);
    assert_int_equal(w.answered, 1);
    assert_int_equal(send_to(&w, "ann", "hello"), 0);
    expect_text(&w, a, "hello");
    expect_nothing(&w, a);
    world_close(&w);
}

static int wait_in_open(world *w, tw_conn *conn, tw_req *req) {
    (void)w;
    (void)conn;
    (void)req;
    return TW_LATER;
}

static void the_channel_waits_for_the_end_of_on_open(void **state) {
    world w;
    (void)state;
    begin(&w);
    declare_users(&w);
    w.on_open = wait_in_open;
    open_as(&w, "ann");
    assert_int_equal(w.conns[1]->sub_count, 0);
    declare_users(&w); /* nor does a reload meanwhile subscribe it */
    world_rest(&w);
    assert_int_equal(w.conns[1]->sub_count, 0);
    tw_conn_done(w.conns[1]);
    world_rest(&w);
    assert_true(tw_conn_is_subscribed(w.conns[1], str_of("user:ann")));
    world_close(&w);
}

static void a_class_that_comes_subscribes_who_is_there(void **state) {
    world w;
    const tw_class_config none = {.pattern = "other"};
    tw_str channel = str_of("user:ann");
    (void)state;
    begin(&w);
    open_as(&w, "ann");
    assert_int_equal(w.conns[1]->sub_count, 0);
    declare_users(&w);
    world_rest(&w);
    assert_true(tw_conn_is_subscribed(w.conns[1], channel));
    /* Who has left it is not brought back by a reload. */
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], channel), 0);
    declare_users(&w);
    world_rest(&w);
    assert_false(tw_conn_is_subscribed(w.conns[1], channel));
    assert_int_equal(tw_server_set_classes(w.server, &none, 1, NULL), 0);
    world_rest(&w);
    declare_users(&w);
    world_rest(&w);
    assert_true(tw_conn_is_subscribed(w.conns[1], channel));
    world_close(&w);
}

static void note_position(int status, const tw_position *position, void *arg) {
    world *w = arg;
    world_note(w, "sent:%s:%d ", tw_err_name(status),
               status == 0 ? (int)position->offset : 0);
}

static void who_waits_is_told_the_position_in_the_channel(void **state) {
    world w;
    (void)state;
    begin(&w);
    assert_int_equal(tw_user_send_wait(w.server, str_of("ann"), "x", 1, NULL,
                                       note_position, &w),
                     TW_EINVALID);
    declare_users(&w);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tw_user_send_wait(w.server, str_of("ann"), "x", 1,
                                           NULL, note_position, &w),
                         0);
    }
    assert_log(&w, "");
    world_rest(&w);
    assert_log(&w, "sent:ok:1 sent:ok:2 ");
    world_close(&w);
}

/* ---- logging in ---- */

static void who_logs_in_is_that_user(void **state) {
    world w;
    (void)state;
    begin(&w);
    declare_users(&w);
    client *a = open_as(&w, "");
    assert_int_equal(gauge(&w, TW_GAUGE_USERS), 0);
    assert_int_equal(
        tw_conn_login(w.conns[1], str_of("ann"), (tw_str){NULL, 0}), 0);
    assert_int_equal(
        tw_conn_login(w.conns[1], str_of("bob"), (tw_str){NULL, 0}),
        TW_EEXISTS);
    world_rest(&w);
    assert_int_equal(gauge(&w, TW_GAUGE_USERS), 1);
    assert_true(tw_conn_is_subscribed(w.conns[1], str_of("user:ann")));
    assert_int_equal(send_to(&w, "ann", "hello"), 0);
    expect_text(&w, a, "hello");
    world_close(&w);
}

static void a_user_has_1_to_255_bytes(void **state) {
    world w;
    char name[256];
    tw_str none = {NULL, 0};
    (void)state;
    memset(name, 'u', sizeof name);
    begin(&w);
    open_as(&w, "");
    open_as(&w, "");
    assert_int_equal(tw_conn_login(w.conns[1], str_of(""), none), TW_EINVALID);
    assert_int_equal(tw_conn_login(w.conns[1], (tw_str){name, 256}, none),
                     TW_EINVALID);
    assert_null(tw_conn_user(w.conns[1]).data);
    assert_int_equal(tw_conn_login(w.conns[1], (tw_str){name, 255}, none), 0);
    assert_int_equal(tw_conn_login(w.conns[2], (tw_str){name, 1}, none), 0);
    tw_str names[] = {str_of(""), {name, 256}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(tw_user_send(w.server, names[i], "x", 1, NULL),
                         TW_EINVALID);
        assert_int_equal(tw_user_subscribe(w.server, names[i], str_of("a")),
                         TW_EINVALID);
        assert_int_equal(tw_user_unsubscribe(w.server, names[i], str_of("a")),
                         TW_EINVALID);
        assert_int_equal(
            tw_user_disconnect(w.server, names[i], 4000, str_of("")),
            TW_EINVALID);
        assert_int_equal(tw_user_connections(w.server, names[i], NULL, NULL),
                         TW_EINVALID);
    }
    world_close(&w);
}

static void accept_badly(world *w, tw_req *req) {
    char name[256];
    memset(name, 'u', sizeof name);
    tw_accept accept = {.user = {name, sizeof name}};
    assert_int_equal(tw_req_accept(req, &accept), TW_EINVALID);
    accept.user.len = 0;
    assert_int_equal(tw_req_accept(req, &accept), TW_EINVALID);
    world_note(w, "refused ");
    tw_req_accept(req, NULL);
}

static void an_upgrade_with_no_fit_user_is_still_to_be_answered(void **state) {
    world w;
    (void)state;
    begin(&w);
    w.on_upgrade = accept_badly;
    open_as(&w, "");
    assert_null(tw_conn_user(w.conns[1]).data);
    assert_log(&w, "upgrade refused open:1 ");
    world_close(&w);
}

/* ---- how many ---- */

static void over_the_limit_the_oldest_is_closed(void **state) {
    world w;
    (void)state;
    begin(&w);
    w.routes[0].user_connections = 2;
    world_set_routes(&w);
    client *a = open_as(&w, "ann");
    world_pass(&w, 10);
    client *b = open_as(&w, "ann");
    world_pass(&w, 10);
    open_as(&w, "bob");
    client *c = open_as(&w, "ann");
    expect_close(&w, a, 3006, "too many connections of this user");
    expect_nothing(&w, b);
    expect_nothing(&w, c);
    assert_int_equal(counter(&w, TW_COUNTER_USERS_CLOSED), 1);
    assert_int_equal(gauge(&w, TW_GAUGE_USERS), 2);
    assert_int_equal(gauge(&w, TW_GAUGE_USER_CONNECTIONS), 3);
    world_close(&w);
}

static void or_the_newest(void **state) {
    world w;
    (void)state;
    begin(&w);
    w.routes[0].user_connections = 1;
    w.routes[0].closes_newest = true;
    world_set_routes(&w);
    client *a = open_as(&w, "ann");
    world_pass(&w, 10);
    client *b = open_as(&w, "ann");
    expect_close(&w, b, 3006, "too many connections of this user");
    expect_nothing(&w, a);
    client_say_close(&w, b, 3006);
    client_say_close(&w, a, 1000);
    world_until(&w, gauge(&w, TW_GAUGE_USERS) == 0);
    client *c = open_as(&w, "ann");
    expect_nothing(&w, c);
    world_close(&w);
}

/* ---- what is done to users ---- */

static void users_are_subscribed_and_unsubscribed(void **state) {
    world w;
    (void)state;
    begin(&w);
    client *a = open_as(&w, "ann");
    open_as(&w, "bob");
    world_forget(&w);
    assert_int_equal(tw_user_subscribe(w.server, str_of("ann"), str_of("news")),
                     0);
    world_rest(&w);
    assert_true(tw_conn_is_subscribed(w.conns[1], str_of("news")));
    assert_false(tw_conn_is_subscribed(w.conns[2], str_of("news")));
    world_publish(&w, "news", "now");
    expect_text(&w, a, "now");
    assert_int_equal(
        tw_user_unsubscribe(w.server, str_of("ann"), str_of("news")), 0);
    world_rest(&w);
    assert_false(tw_conn_is_subscribed(w.conns[1], str_of("news")));
    assert_log(&w, "left:1:news:remote ");
    assert_int_equal(tw_user_subscribe(w.server, str_of("ann"), str_of("")),
                     TW_EINVALID);
    world_close(&w);
}

static void users_are_disconnected(void **state) {
    world w;
    (void)state;
    begin(&w);
    client *a = open_as(&w, "ann");
    client *b = open_as(&w, "ann");
    client *c = open_as(&w, "bob");
    tw_str ann = str_of("ann");
    assert_int_equal(tw_user_disconnect(w.server, ann, 1006, str_of("")),
                     TW_EINVALID);
    assert_int_equal(tw_user_disconnect(w.server, ann, 4000, str_of("\xFF")),
                     TW_EINVALID);
    assert_int_equal(tw_user_disconnect(w.server, ann, 4001, str_of("bye")), 0);
    expect_close(&w, a, 4001, "bye");
    expect_close(&w, b, 4001, "bye");
    expect_nothing(&w, c);
    assert_int_equal(gauge(&w, TW_GAUGE_USERS), 1);
    world_close(&w);
}

static void a_long_reason_is_cut_at_a_character(void **state) {
    world w;
    char reason[300] = "", cut[TW__WS_CLOSE_REASON_MAX + 1] = "";
    (void)state;
    begin(&w);
    client *a = open_as(&w, "ann");
    for (int i = 0; i < 100; i++) {
        strcat(reason, "\xC3\xA9");
    }
    memcpy(cut, reason, 122);
    assert_int_equal(
        tw_user_disconnect(w.server, str_of("ann"), 4000, str_of(reason)), 0);
    expect_close(&w, a, 4000, cut);
    world_close(&w);
}

static void text_for_users_is_utf_8(void **state) {
    world w;
    char id[TW_ID_TEXT];
    (void)state;
    begin(&w);
    open_as(&w, "ann");
    tw_conn_id(w.conns[1], id);
    assert_int_equal(send_to(&w, "ann", "\xFF"), TW_EINVALID);
    assert_int_equal(tw_remote_send(w.server, str_of(id), "\xFF", 1, false),
                     TW_EINVALID);
    declare_users(&w);
    assert_int_equal(send_to(&w, "ann", "\xFF"), TW_EINVALID);
    world_close(&w);
}

/* ---- the connections of a user ---- */

static void note_conns(int status, const tw_user_conn *conns, size_t count,
                       void *arg) {
    world *w = arg;
    char id[TW_ID_TEXT];
    world_note(w, "conns:%s:%zu ", tw_err_name(status), count);
    for (size_t i = 0; i < count; i++) {
        int number = 0;
        for (int at = 1; at < WORLD_CLIENTS; at++) {
            if (w->conns[at] != NULL) {
                tw_conn_id(w->conns[at], id);
                number = strcmp(id, conns[i].id) == 0 ? at : number;
            }
        }
        world_note(w, "%d:%u:%s:%llu ", number, (unsigned)conns[i].slot,
                   conns[i].ip.data, (unsigned long long)conns[i].idle_ms);
        assert_true(i == 0 || conns[i - 1].opened_ms <= conns[i].opened_ms);
        assert_true(conns[i].opened_ms > INT64_C(1600000000000));
    }
}

static void the_connections_of_a_user_are_told_oldest_first(void **state) {
    world w;
    (void)state;
    begin(&w);
    open_as(&w, "ann");
    world_pass(&w, 1000);
    client *b = open_as(&w, "ann");
    open_as(&w, "bob");
    world_pass(&w, 500);
    client_say(&w, b, "here");
    world_heard(&w);
    world_pass(&w, 100);
    world_forget(&w);
    assert_int_equal(
        tw_user_connections(w.server, str_of("ann"), note_conns, &w), 0);
    assert_log(&w, "");
    world_rest(&w);
    assert_log(&w, "conns:ok:2 1:0:127.0.0.1:1600 2:0:127.0.0.1:100 ");
    assert_int_equal(
        tw_user_connections(w.server, str_of("eve"), note_conns, &w), 0);
    world_rest(&w);
    assert_log(&w, "conns:ok:0 ");
    world_close(&w);
}

static void who_asked_is_answered_at_the_servers_end(void **state) {
    world w;
    (void)state;
    begin(&w);
    open_as(&w, "ann");
    world_forget(&w);
    assert_int_equal(
        tw_user_connections(w.server, str_of("ann"), note_conns, &w), 0);
    world_close(&w);
    assert_non_null(strstr(w.log, "conns:closed:0 "));
}

static void a_connection_that_closes_is_no_more_its_users(void **state) {
    world w;
    (void)state;
    begin(&w);
    client *a = open_as(&w, "ann");
    client *b = open_as(&w, "ann");
    assert_int_equal(gauge(&w, TW_GAUGE_USERS), 1);
    assert_int_equal(gauge(&w, TW_GAUGE_USER_CONNECTIONS), 2);
    client_reset(a);
    world_until(&w, gauge(&w, TW_GAUGE_USER_CONNECTIONS) == 1);
    client_say_close(&w, b, 1000);
    world_until(&w, gauge(&w, TW_GAUGE_USERS) == 0);
    assert_int_equal(gauge(&w, TW_GAUGE_USER_CONNECTIONS), 0);
    world_close(&w);
}

/* ---- by id ---- */

static void connections_are_reached_by_their_ids(void **state) {
    world w;
    char id[TW_ID_TEXT];
    (void)state;
    begin(&w);
    client *a = open_as(&w, "");
    client *b = open_as(&w, "");
    world_forget(&w);
    tw_conn_id(w.conns[1], id);
    tw_server *server = w.server;
    tw_str it = str_of(id);
    assert_int_equal(tw_remote_send(server, it, "hello", 5, false), 0);
    assert_int_equal(tw_remote_send(server, it, "\xFF", 1, true), 0);
    assert_int_equal(tw_remote_subscribe(server, it, str_of("news")), 0);
    assert_int_equal(a->len, 0);
    expect_text(&w, a, "hello");
    expect_frame(&w, a, TW__WS_BINARY, "\xFF", 1);
    world_rest(&w);
    assert_true(tw_conn_is_subscribed(w.conns[1], str_of("news")));
    assert_int_equal(tw_remote_unsubscribe(server, it, str_of("news")), 0);
    world_rest(&w);
    assert_log(&w, "left:1:news:remote ");
    assert_int_equal(tw_remote_close(server, it, 4000, str_of("bye")), 0);
    expect_close(&w, a, 4000, "bye");
    expect_nothing(&w, b);
    assert_int_equal(counter(&w, TW_COUNTER_REMOTE_ACTS), 5);
    /* It has closed: nothing happens, to nobody. */
    assert_int_equal(tw_remote_send(server, it, "hello", 5, false), 0);
    world_rest(&w);
    assert_int_equal(counter(&w, TW_COUNTER_REMOTE_ACTS), 5);
    world_close(&w);
}

static void what_cannot_be_an_id_or_be_done_is_refused(void **state) {
    world w;
    char id[TW_ID_TEXT];
    uint8_t of_no_member[TW__CONN_ID_BYTES];
    (void)state;
    begin(&w);
    open_as(&w, "");
    tw_conn_id(w.conns[1], id);
    tw_server *server = w.server;
    assert_int_equal(tw_remote_send(server, str_of("x"), "x", 1, false),
                     TW_EINVALID);
    assert_int_equal(tw_remote_close(server, str_of(id), 1005, str_of("")),
                     TW_EINVALID);
    assert_int_equal(tw_remote_subscribe(server, str_of(id), str_of("")),
                     TW_EINVALID);
    tw__conn_id_make(of_no_member, 999, 1);
    tw__conn_id_write(of_no_member, id);
    assert_int_equal(tw_remote_send(server, str_of(id), "x", 1, false),
                     TW_EINVALID);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_to_a_user_reaches_all_its_devices),
        cmocka_unit_test(
            where_users_have_a_class_it_goes_through_their_channel),
        cmocka_unit_test(
            a_user_whose_name_is_too_long_for_a_channel_is_sent_to),
        cmocka_unit_test(
            a_channel_that_the_script_subscribed_is_subscribed_once),
        cmocka_unit_test(the_channel_waits_for_the_end_of_on_open),
        cmocka_unit_test(a_class_that_comes_subscribes_who_is_there),
        cmocka_unit_test(who_waits_is_told_the_position_in_the_channel),
        cmocka_unit_test(who_logs_in_is_that_user),
        cmocka_unit_test(a_user_has_1_to_255_bytes),
        cmocka_unit_test(an_upgrade_with_no_fit_user_is_still_to_be_answered),
        cmocka_unit_test(over_the_limit_the_oldest_is_closed),
        cmocka_unit_test(or_the_newest),
        cmocka_unit_test(users_are_subscribed_and_unsubscribed),
        cmocka_unit_test(users_are_disconnected),
        cmocka_unit_test(a_long_reason_is_cut_at_a_character),
        cmocka_unit_test(text_for_users_is_utf_8),
        cmocka_unit_test(the_connections_of_a_user_are_told_oldest_first),
        cmocka_unit_test(who_asked_is_answered_at_the_servers_end),
        cmocka_unit_test(a_connection_that_closes_is_no_more_its_users),
        cmocka_unit_test(connections_are_reached_by_their_ids),
        cmocka_unit_test(what_cannot_be_an_id_or_be_done_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
