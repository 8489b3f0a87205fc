/* Who is in a channel, with the engine of one server.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

#include "server/people.h"

static int data_of_class;

static void accept_user(world *w, tw_req *req) {
    tw_str name, value;
    tw_accept accept = {.user = {NULL, 0}};
    (void)w;
    if (tw_req_at(req, TW_REQ_QUERY, 0, &name, &value)) {
        accept.user = name;
    }
    assert_int_equal(tw_req_accept(req, &accept), 0);
}

static void note_members(world *w, char sign, const tw_presence_member *members,
                         size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(strlen(members[i].id), TW_ID_TEXT - 1);
        assert_true(members[i].user.data == NULL ||
                    members[i].user.data[members[i].user.len] == '\0');
        assert_true(members[i].info.data == NULL ||
                    members[i].info.data[members[i].info.len] == '\0');
        world_note(w, "%c%s/%.8s ", sign,
                   members[i].user.data ? members[i].user.data : "-",
                   members[i].info.data ? members[i].info.data : "-");
    }
}

static void on_presence(tw_server *server, const tw_presence_change *change,
                        void *user) {
    world *w = user;
    assert_int_equal(server->frozen, 0);
    assert_ptr_equal(change->class_data, &data_of_class);
    world_note(w, "news:%.*s:%u%s ", (int)change->channel.len,
               change->channel.data, (unsigned)change->members,
               change->is_reset ? ":reset" : "");
    note_members(w, '+', change->joined, change->joined_count);
    note_members(w, '-', change->left, change->left_count);
}

static void set_presence(world *w, tw_presence presence) {
    const tw_class_config class = {
        .pattern = "room:*", .presence = presence, .data = &data_of_class};
    assert_int_equal(tw_server_set_classes(w->server, &class, 1, NULL), 0);
}

static void prepare(world *w, tw_presence presence) {
    w->on_upgrade = accept_user;
    w->config.hooks.on_presence = on_presence;
    w->routes[0].hooks |= TW_HOOK_UPGRADE;
    world_start(w);
    set_presence(w, presence);
    world_rest(w);
}

static void begin(world *w, tw_presence presence) {
    world_init(w);
    prepare(w, presence);
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
    world_forget(w);
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
    world_rest(w);
}

/* The home is told of connection `number`, as if it were elsewhere: no
 * subscribe is answered while the server is frozen. */
static void enter(world *w, int number, const char *channel, const char *info) {
    tw__locator *locator = w->server->locator;
    tw_str user = tw_conn_user(w->conns[number]);
    assert_int_equal(locator->ops->enter(locator, channel, strlen(channel),
                                         w->conns[number]->id,
                                         user.data != NULL ? user.data : "",
                                         user.len, info, strlen(info), false),
                     0);
    world_rest(w);
}

static void leave(world *w, int number, const char *channel) {
    tw__locator *locator = w->server->locator;
    assert_int_equal(locator->ops->leave(locator, channel, strlen(channel),
                                         w->conns[number]->id),
                     0);
    world_rest(w);
}

static void note_list(int status, const tw_presence_list *list, void *arg) {
    world *w = arg;
    world_note(w, "list:%s ", tw_err_name(status));
    if (status == 0) {
        world_note(w, "%u/%u ", (unsigned)list->members,
                   (unsigned)list->connections);
        note_members(w, '=', list->items, list->count);
    } else {
        assert_null(list);
    }
}

static void ask(world *w, const char *channel, uint32_t limit) {
    size_t before = w->log_len;
    assert_int_equal(
        tw_channel_presence(w->server, str_of(channel), limit, note_list, w),
        0);
    assert_int_equal(w->log_len, before);
    world_rest(w);
    assert_true(w->log_len > before);
}

static uint64_t members(world *w) {
    tw_slot_stats stats;
    assert_int_equal(tw_server_stats(w->server, 0, &stats), 0);
    return stats.gauges[TW_GAUGE_PRESENCE_MEMBERS];
}

/* ---- asking ---- */

static void a_class_says_whether_there_is_presence(void **state) {
    world w;
    char name[256];
    (void)state;
    memset(name, 'n', sizeof name);
    begin(&w, TW_PRESENCE_COUNT);
    open_as(&w, "ann");
    join(&w, 1, "room:1", "info");
    ask(&w, "room:1", 0);
    assert_log(&w, "list:ok 0/1 ");
    assert_int_equal(members(&w), 0);
    tw_str names[] = {{name, 0}, {name, 256}, str_of("hall")};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            tw_channel_presence(w.server, names[i], 0, note_list, &w),
            TW_EINVALID);
    }
    world_close(&w);
}

static void a_user_is_one_member_on_however_many_devices(void **state) {
    world w;
    (void)state;
    begin(&w, TW_PRESENCE_LIST);
    open_as(&w, "ann");
    open_as(&w, "ann");
    open_as(&w, "");
    ask(&w, "room:1", 0);
    assert_log(&w, "list:ok 0/0 ");
    join(&w, 1, "room:1", "old");
    join(&w, 2, "room:1", "new");
    ask(&w, "room:1", 0);
    assert_log(&w, "list:ok 1/2 =ann/new ");
    join(&w, 3, "room:1", "");
    assert_int_equal(members(&w), 2);
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("room:1")), 0);
    assert_int_equal(tw_conn_unsubscribe(w.conns[2], str_of("room:1")), 0);
    world_pass(&w, 7000);
    ask(&w, "room:1", 0);
    assert_log(&w, "list:ok 1/1 =-/- ");
    world_close(&w);
}

static void who_left_is_kept_for_the_grace_time(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.presence_grace_ms = 10000;
    prepare(&w, TW_PRESENCE_EVENTS);
    client *a = open_as(&w, "ann");
    open_as(&w, "");
    join(&w, 2, "room:1", "");
    join(&w, 1, "room:1", "");
    world_forget(&w);
    client_reset(a);
    world_until(&w, w.gone == 1);
    world_rest(&w);
    world_forget(&w);
    ask(&w, "room:1", 0);
    assert_non_null(strstr(w.log, "list:ok 2/1 "));
    open_as(&w, "ann");
    join(&w, 3, "room:1", "");
    world_pass(&w, 12000);
    assert_log(&w, ""); /* never gone, never come */
    assert_int_equal(tw_conn_unsubscribe(w.conns[3], str_of("room:1")), 0);
    world_pass(&w, 9900);
    assert_log(&w, "");
    world_pass(&w, 2000);
    assert_log(&w, "news:room:1:1 -ann/- ");
    world_close(&w);
}

static void a_list_has_at_most_so_many(void **state) {
    world w;
    (void)state;
    begin(&w, TW_PRESENCE_LIST);
    for (int i = 1; i <= 5; i++) {
        open_as(&w, "");
        join(&w, i, "room:1", "i");
    }
    ask(&w, "room:1", 2);
    assert_log(&w, "list:ok 5/5 =-/i =-/i ");
    ask(&w, "room:1", 5000);
    assert_log(&w, "list:ok 5/5 =-/i =-/i =-/i =-/i =-/i ");
    world_close(&w);
}

static void info_has_at_most_4096_bytes(void **state) {
    world w;
    char info[TW_INFO_MAX + 1];
    tw_subscribe_options options = {.info = {info, sizeof info}};
    (void)state;
    memset(info, 'i', sizeof info);
    begin(&w, TW_PRESENCE_LIST);
    open_as(&w, "");
    assert_int_equal(
        tw_conn_subscribe(w.conns[1], str_of("room:1"), &options, NULL, NULL),
        TW_EINVALID);
    options.info.len--;
    assert_int_equal(
        tw_conn_subscribe(w.conns[1], str_of("room:1"), &options, NULL, NULL),
        0);
    world_rest(&w);
    assert_int_equal(members(&w), 1);
    world_close(&w);
}

static void who_asks_is_answered_at_the_servers_end(void **state) {
    world w;
    (void)state;
    for (int presence = TW_PRESENCE_COUNT; presence <= TW_PRESENCE_LIST;
         presence++) {
        begin(&w, (tw_presence)presence);
        assert_int_equal(
            tw_channel_presence(w.server, str_of("room:1"), 0, note_list, &w),
            0);
        world_close(&w);
        assert_log(&w, "list:closed ");
    }
}

/* ---- news ---- */

static void who_comes_and_goes_is_told(void **state) {
    world w;
    (void)state;
    begin(&w, TW_PRESENCE_EVENTS);
    open_as(&w, "ann");
    open_as(&w, "bob");
    open_as(&w, "");
    join(&w, 1, "room:1", "a");
    assert_log(&w, "news:room:1:1 +ann/a ");
    join(&w, 2, "room:1", "b");
    assert_log(&w, "news:room:1:2 +bob/b ");
    join(&w, 3, "room:1", "");
    assert_log(&w, "news:room:1:3 +-/- ");
    join(&w, 3, "hall", "");
    assert_int_equal(tw_conn_unsubscribe(w.conns[3], str_of("room:1")), 0);
    world_rest(&w);
    assert_log(&w, "news:room:1:2 --/- ");
    assert_int_equal(tw_conn_close(w.conns[2], 4000, str_of("")), 0);
    world_rest(&w);
    world_forget(&w);
    world_pass(&w, 6000);
    assert_non_null(strstr(w.log, "news:room:1:1 -bob/b "));
    world_close(&w);
}

static void who_logs_in_comes_under_the_new_name(void **state) {
    world w;
    (void)state;
    begin(&w, TW_PRESENCE_EVENTS);
    open_as(&w, "");
    join(&w, 1, "room:1", "a");
    world_forget(&w);
    assert_int_equal(
        tw_conn_login(w.conns[1], str_of("ann"), (tw_str){NULL, 0}), 0);
    world_rest(&w);
    assert_log(&w, "news:room:1:1 +ann/a --/a ");
    world_close(&w);
}

static void news_wait_while_frozen(void **state) {
    world w;
    (void)state;
    begin(&w, TW_PRESENCE_EVENTS);
    open_as(&w, "ann");
    open_as(&w, "bob");
    open_as(&w, "cy");
    join(&w, 3, "room:1", "");
    join(&w, 3, "room:2", "");
    world_forget(&w);
    tw_server_freeze(w.server);
    enter(&w, 1, "room:1", "");
    enter(&w, 2, "room:1", "");
    enter(&w, 2, "room:2", "");
    assert_log(&w, "");
    tw_server_thaw(w.server);
    assert_log(&w, "");
    world_rest(&w);
    assert_log(&w, "news:room:1:2 +ann/- news:room:1:3 +bob/- "
                   "news:room:2:2 +bob/- ");
    world_close(&w);
}

/* 300 times 4 KiB are more than is kept. */
static void beyond_a_limit_only_a_reset_is_told(void **state) {
    world w;
    char info[TW_INFO_MAX + 1];
    (void)state;
    memset(info, 'i', TW_INFO_MAX);
    info[TW_INFO_MAX] = '\0';
    begin(&w, TW_PRESENCE_EVENTS);
    open_as(&w, "");
    open_as(&w, "");
    join(&w, 1, "room:1", "");
    join(&w, 1, "room:2", "");
    world_forget(&w);
    tw_server_freeze(w.server);
    for (int i = 0; i < 300; i++) {
        enter(&w, 2, "room:1", info);
        leave(&w, 2, "room:1");
    }
    assert_true(w.server->folk.news_bytes <= 1 << 20);
    enter(&w, 2, "room:2", "late");
    assert_log(&w, "");
    tw_server_thaw(w.server);
    world_rest(&w);
    assert_non_null(strstr(w.log, "news:room:1:1:reset "));
    assert_non_null(strstr(w.log, "news:room:2:2:reset "));
    assert_null(strstr(w.log, "late"));
    /* From then on all is told again. */
    world_forget(&w);
    leave(&w, 2, "room:2");
    assert_log(&w, "news:room:2:1 --/late ");
    world_close(&w);
}

static void in_a_large_room_only_numbers_are_told_of(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.presence_told_max = 3;
    prepare(&w, TW_PRESENCE_EVENTS);
    for (int i = 1; i <= 5; i++) {
        open_as(&w, "");
        join(&w, i, "room:1", "");
    }
    assert_log(&w, "");
    ask(&w, "room:1", 0);
    assert_non_null(strstr(w.log, "list:ok 5/5 "));
    world_close(&w);
}

static void a_server_without_the_hook_is_told_nothing(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.on_upgrade = accept_user;
    w.routes[0].hooks |= TW_HOOK_UPGRADE;
    world_start(&w);
    set_presence(&w, TW_PRESENCE_EVENTS);
    open_as(&w, "ann");
    open_as(&w, "bob");
    join(&w, 1, "room:1", "");
    tw_server_freeze(w.server);
    enter(&w, 2, "room:1", "");
    tw_server_thaw(w.server);
    world_rest(&w);
    assert_log(&w, "");
    world_close(&w);
}

static void news_that_wait_at_the_servers_end_are_dropped(void **state) {
    world w;
    (void)state;
    begin(&w, TW_PRESENCE_EVENTS);
    open_as(&w, "ann");
    open_as(&w, "bob");
    join(&w, 1, "room:1", "");
    tw_server_freeze(w.server);
    enter(&w, 2, "room:1", "info");
    assert_false(tw__list_is_empty(&w.server->folk.news));
    world_close(&w);
}

/* ---- under load ---- */

static void fill_the_budget(world *w) {
    static const char block[1000];
    tw_publish_options options = {.binary = true};
    int err;
    do {
        err = tw_publish(w->server, str_of("flood"), block, sizeof block,
                         &options);
    } while (err == 0);
    assert_int_equal(err, TW_EOVERLOADED);
}

static void who_leaves_under_load_leaves(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.publish_budget_bytes = 20000;
    prepare(&w, TW_PRESENCE_LIST);
    open_as(&w, "");
    join(&w, 1, "room:1", "");
    fill_the_budget(&w);
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("room:1")), 0);
    world_rest(&w);
    ask(&w, "room:1", 0);
    assert_log(&w, "list:ok 0/0 ");
    world_close(&w);
}

static void who_comes_under_load_is_told_of_later(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.publish_budget_bytes = 20000;
    prepare(&w, TW_PRESENCE_LIST);
    open_as(&w, "");
    join(&w, 1, "room:1", "");
    fill_the_budget(&w);
    assert_int_equal(
        tw_conn_login(w.conns[1], str_of("ann"), (tw_str){NULL, 0}), 0);
    world_pass(&w, 100);
    ask(&w, "room:1", 0);
    assert_log(&w, "list:ok 1/1 =ann/- ");
    world_close(&w);
}

/* ---- a new class ---- */

static void a_living_channel_begins_and_ceases_to_have_presence(void **state) {
    world w;
    (void)state;
    begin(&w, TW_PRESENCE_NONE);
    open_as(&w, "ann");
    open_as(&w, "");
    join(&w, 1, "room:1", "a");
    join(&w, 2, "room:1", "");
    set_presence(&w, TW_PRESENCE_LIST);
    world_rest(&w);
    assert_int_equal(members(&w), 2);
    ask(&w, "room:1", 0);
    assert_non_null(strstr(w.log, "list:ok 2/2 "));
    assert_non_null(strstr(w.log, "=ann/a "));
    set_presence(&w, TW_PRESENCE_COUNT);
    world_pass(&w, 6000);
    assert_int_equal(members(&w), 0);
    world_close(&w);
}

/* ---- telling ---- */

static void tell_on_presence(tw_server *server,
                             const tw_presence_change *change, void *user) {
    char text[64];
    (void)user;
    int len = snprintf(text, sizeof text, "%u now", (unsigned)change->members);
    assert_int_equal(
        tw_channel_tell(server, change->channel, text, (size_t)len, false), 0);
}

static void the_hook_tells_those_who_are_here(void **state) {
    world w;
    (void)state;
    world_init(&w);
    prepare(&w, TW_PRESENCE_EVENTS);
    w.server->config.hooks.on_presence = tell_on_presence;
    client *a = open_as(&w, "ann");
    client *b = open_as(&w, "bob");
    join(&w, 1, "room:1", "");
    expect_text(&w, a, "1 now");
    join(&w, 2, "room:1", "");
    expect_text(&w, a, "2 now");
    expect_text(&w, b, "2 now");
    world_close(&w);
}

static void what_is_told_is_checked(void **state) {
    world w;
    char name[256];
    tw_str room = str_of("room:1");
    (void)state;
    memset(name, 'n', sizeof name);
    begin(&w, TW_PRESENCE_NONE);
    client *a = open_as(&w, "");
    assert_int_equal(tw_channel_tell(w.server, room, "x", 1, false),
                     TW_ENOT_FOUND);
    join(&w, 1, "room:1", "");
    assert_int_equal(tw_channel_tell(w.server, room, "\xFF", 1, false),
                     TW_EINVALID);
    assert_int_equal(
        tw_channel_tell(w.server, (tw_str){name, 0}, "x", 1, false),
        TW_EINVALID);
    assert_int_equal(
        tw_channel_tell(w.server, (tw_str){name, 256}, "x", 1, false),
        TW_EINVALID);
    assert_int_equal(tw_channel_tell(w.server, room, "\xFF", 1, true), 0);
    assert_int_equal(tw_channel_tell(w.server, room, NULL, 0, false), 0);
    expect_frame(&w, a, TW__WS_BINARY, "\xFF", 1);
    expect_text(&w, a, "");
    assert_int_equal(counter(&w, TW_COUNTER_SEQUENCED), 0);
    world_close(&w);
}

static void what_is_told_keeps_its_place_and_gathers(void **state) {
    world w;
    tw_str room = str_of("room");
    (void)state;
    begin(&w, TW_PRESENCE_NONE);
    world_set_class(&w, "room", TW_SLOW_CLOSE, 100);
    client *a = open_as(&w, "");
    join(&w, 1, "room", "");
    assert_int_equal(tw_channel_tell(w.server, room, "1", 1, false), 0);
    assert_int_equal(tw_channel_tell(w.server, room, "2", 1, false), 0);
    world_pass(&w, 50);
    assert_int_equal(a->len, 0);
    world_pass(&w, 60);
    expect_text(&w, a, "1");
    expect_text(&w, a, "2");
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_says_whether_there_is_presence),
        cmocka_unit_test(a_user_is_one_member_on_however_many_devices),
        cmocka_unit_test(who_left_is_kept_for_the_grace_time),
        cmocka_unit_test(a_list_has_at_most_so_many),
        cmocka_unit_test(info_has_at_most_4096_bytes),
        cmocka_unit_test(who_asks_is_answered_at_the_servers_end),
        cmocka_unit_test(who_comes_and_goes_is_told),
        cmocka_unit_test(who_logs_in_comes_under_the_new_name),
        cmocka_unit_test(news_wait_while_frozen),
        cmocka_unit_test(beyond_a_limit_only_a_reset_is_told),
        cmocka_unit_test(in_a_large_room_only_numbers_are_told_of),
        cmocka_unit_test(a_server_without_the_hook_is_told_nothing),
        cmocka_unit_test(news_that_wait_at_the_servers_end_are_dropped),
        cmocka_unit_test(who_leaves_under_load_leaves),
        cmocka_unit_test(who_comes_under_load_is_told_of_later),
        cmocka_unit_test(a_living_channel_begins_and_ceases_to_have_presence),
        cmocka_unit_test(the_hook_tells_those_who_are_here),
        cmocka_unit_test(what_is_told_is_checked),
        cmocka_unit_test(what_is_told_keeps_its_place_and_gathers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
