/* Subscriptions of the host itself. SPDX-License-Identifier: MIT */
#include "server_probe.h"

#include "server/people.h"

typedef struct listener {
    world *w;
    char name;
    tw_subscription *subscription;
    void (*act)(struct listener *self);
} listener;

static void on_heard(tw_server *server, const tw_publication *publication,
                     void *arg) {
    listener *self = arg;
    assert_ptr_equal(server, self->w->server);
    assert_int_equal(server->frozen, 0);
    world_note(self->w, "%c:%.*s:%.*s%s ", self->name,
               (int)publication->channel.len, publication->channel.data,
               (int)publication->len, (const char *)publication->data,
               publication->binary ? ":bin" : "");
    if (self->act != NULL) {
        self->act(self);
    }
}

static void listen_to(listener *self, world *w, char name,
                      const char *channel) {
    *self = (listener){.w = w, .name = name};
    self->subscription =
        tw_subscribe(w->server, str_of(channel), on_heard, self);
    assert_non_null(self->subscription);
}

static void publish(world *w, const char *channel, const char *text) {
    world_publish(w, channel, text);
    world_rest(w);
}

static void stop(listener *self) {
    tw_subscription_cancel(self->subscription);
    self->subscription = NULL;
}

/* ---- hearing ---- */

static void it_hears_all_that_is_published(void **state) {
    world w;
    listener a;
    tw_publish_options options = {.binary = true, .key = str_of("k")};
    (void)state;
    world_open(&w);
    listen_to(&a, &w, 'a', "news");
    publish(&w, "news", "1");
    publish(&w, "other", "2");
    assert_int_equal(tw_publish(w.server, str_of("news"), "3", 1, &options), 0);
    assert_log(&w, "a:news:1 ");
    world_rest(&w);
    assert_log(&w, "a:news:3:bin ");
    stop(&a);
    publish(&w, "news", "4");
    assert_log(&w, "");
    world_close(&w);
}

static void several_hear_the_same_in_order(void **state) {
    world w;
    listener a, b, c;
    (void)state;
    world_open(&w);
    listen_to(&a, &w, 'a', "news");
    listen_to(&b, &w, 'b', "news");
    listen_to(&c, &w, 'c', "other");
    world_publish(&w, "news", "1");
    world_publish(&w, "other", "2");
    world_publish(&w, "news", "3");
    world_rest(&w);
    assert_log(&w, "a:news:1 b:news:1 c:other:2 a:news:3 b:news:3 ");
    stop(&a);
    publish(&w, "news", "4");
    assert_log(&w, "b:news:4 ");
    stop(&b);
    stop(&c);
    world_close(&w);
}

static void it_is_not_counted_as_a_subscriber(void **state) {
    world w;
    listener a;
    (void)state;
    world_open(&w);
    listen_to(&a, &w, 'a', "news");
    client *c = client_open(&w);
    world_rest(&w);
    world_forget(&w);
    publish(&w, "news", "1");
    assert_int_equal(counter(&w, TW_COUNTER_INTENDED), 0);
    world_subscribe(&w, 1, "news");
    publish(&w, "news", "2");
    expect_text(&w, c, "2");
    assert_int_equal(counter(&w, TW_COUNTER_INTENDED), 1);
    /* It keeps the channel when the last subscriber has left, */
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("news")), 0);
    publish(&w, "news", "3");
    assert_log(&w, "a:news:1 a:news:2 a:news:3 ");
    /* as the subscriber keeps it when it has ended. */
    world_subscribe(&w, 1, "news");
    stop(&a);
    publish(&w, "news", "4");
    expect_text(&w, c, "4");
    assert_log(&w, "");
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("news")), 0);
    assert_int_equal(tw__map_len(&w.server->hub.channels), 0);
    world_close(&w);
}

static void on_count(int status, uint64_t count, void *arg) {
    world *w = arg;
    world_note(w, "count:%s:%u ", tw_err_name(status), (unsigned)count);
}

static void the_home_does_not_count_it(void **state) {
    world w;
    listener a;
    (void)state;
    world_open(&w);
    listen_to(&a, &w, 'a', "news");
    world_rest(&w);
    for (int subscribers = 0; subscribers < 2; subscribers++) {
        assert_int_equal(
            tw_channel_count(w.server, str_of("news"), on_count, &w), 0);
        world_rest(&w);
        if (subscribers == 0) {
            assert_log(&w, "count:ok:0 ");
            client_open(&w);
            world_subscribe(&w, 1, "news");
            world_forget(&w);
        }
    }
    assert_log(&w, "count:ok:1 ");
    assert_int_equal(tw_conn_unsubscribe(w.conns[1], str_of("news")), 0);
    world_rest(&w);
    assert_int_equal(tw_channel_count(w.server, str_of("news"), on_count, &w),
                     0);
    world_rest(&w);
    assert_log(&w, "count:ok:0 ");
    stop(&a);
    world_close(&w);
}

static void what_is_told_to_subscribers_it_does_not_hear(void **state) {
    world w;
    listener a;
    (void)state;
    world_open(&w);
    client_open(&w);
    listen_to(&a, &w, 'a', "news");
    world_subscribe(&w, 1, "news");
    world_forget(&w);
    assert_int_equal(tw_channel_tell(w.server, str_of("news"), "x", 1, false),
                     0);
    world_rest(&w);
    assert_log(&w, "");
    stop(&a);
    world_close(&w);
}

static void a_name_that_cannot_be_has_no_subscription(void **state) {
    world w;
    char name[256];
    (void)state;
    memset(name, 'n', sizeof name);
    world_open(&w);
    assert_null(tw_subscribe(w.server, (tw_str){name, 0}, on_heard, NULL));
    assert_null(tw_subscribe(w.server, (tw_str){name, 256}, on_heard, NULL));
    assert_int_equal(tw__map_len(&w.server->hub.channels), 0);
    world_close(&w);
}

/* ---- inside of the callback ---- */

static listener pair[2];

static void stop_itself(listener *self) {
    stop(self);
}

static void stop_the_other(listener *self) {
    listener *other = self == &pair[0] ? &pair[1] : &pair[0];
    if (other->subscription != NULL) {
        stop(other);
    }
}

static void it_may_end_inside_of_its_callback(void **state) {
    world w;
    (void)state;
    world_open(&w);
    listen_to(&pair[0], &w, 'a', "news");
    pair[0].act = stop_itself;
    publish(&w, "news", "1");
    publish(&w, "news", "2");
    assert_log(&w, "a:news:1 ");
    assert_int_equal(tw__map_len(&w.server->hub.channels), 0);
    world_close(&w);
}

static void it_may_end_another_inside_of_its_callback(void **state) {
    world w;
    (void)state;
    world_open(&w);
    listen_to(&pair[0], &w, 'a', "news");
    listen_to(&pair[1], &w, 'b', "news");
    pair[0].act = stop_the_other;
    publish(&w, "news", "1");
    assert_log(&w, "a:news:1 ");
    assert_null(pair[1].subscription);
    stop(&pair[0]);
    world_close(&w);
}

static void begin_the_other(listener *self) {
    listener *other = &pair[1];
    stop(self);
    listen_to(other, self->w, 'b', "news");
}

static void one_that_begins_hears_what_comes_next(void **state) {
    world w;
    (void)state;
    world_open(&w);
    listen_to(&pair[0], &w, 'a', "news");
    pair[0].act = begin_the_other;
    publish(&w, "news", "1");
    publish(&w, "news", "2");
    assert_log(&w, "a:news:1 b:news:2 ");
    stop(&pair[1]);
    world_close(&w);
}

static void publish_again(listener *self) {
    static int count;
    if (++count < 3) {
        world_publish(self->w, "news", "again");
    }
}

static void it_may_publish_inside_of_its_callback(void **state) {
    world w;
    (void)state;
    world_open(&w);
    listen_to(&pair[0], &w, 'a', "news");
    pair[0].act = publish_again;
    publish(&w, "news", "1");
    assert_log(&w, "a:news:1 a:news:again a:news:again ");
    stop(&pair[0]);
    world_close(&w);
}

/* ---- frozen ---- */

static void publications_wait_while_frozen(void **state) {
    world w;
    listener a, b;
    (void)state;
    world_open(&w);
    listen_to(&a, &w, 'a', "news");
    listen_to(&b, &w, 'b', "other");
    world_rest(&w);
    tw_server_freeze(w.server);
    publish(&w, "news", "1");
    publish(&w, "other", "2");
    publish(&w, "news", "3");
    assert_log(&w, "");
    tw_server_thaw(w.server);
    assert_log(&w, "");
    world_publish(&w, "news", "4");
    world_rest(&w);
    assert_log(&w, "a:news:1 b:other:2 a:news:3 a:news:4 ");
    assert_int_equal(w.server->folk.heard_bytes, 0);
    stop(&a);
    stop(&b);
    world_close(&w);
}

static void who_takes_over_while_frozen_gets_what_waited(void **state) {
    world w;
    listener a, b;
    (void)state;
    world_open(&w);
    listen_to(&a, &w, 'a', "news");
    world_rest(&w);
    tw_server_freeze(w.server);
    publish(&w, "news", "1");
    listen_to(&b, &w, 'b', "news");
    stop(&a);
    tw_server_thaw(w.server);
    world_rest(&w);
    assert_log(&w, "b:news:1 ");
    stop(&b);
    world_close(&w);
}

static void freeze(listener *self) {
    self->act = NULL;
    tw_server_freeze(self->w->server);
}

static void a_callback_may_freeze_the_server(void **state) {
    world w;
    listener a;
    (void)state;
    world_open(&w);
    listen_to(&a, &w, 'a', "news");
    a.act = freeze;
    world_rest(&w);
    world_publish(&w, "news", "1");
    world_publish(&w, "news", "2");
    world_rest(&w);
    assert_log(&w, "a:news:1 ");
    tw_server_thaw(w.server);
    world_rest(&w);
    assert_log(&w, "a:news:2 ");
    stop(&a);
    world_close(&w);
}

static void no_more_waits_than_the_delivery_budget(void **state) {
    enum { BYTES = 1000, KEPT_MAX = 20 };
    world w;
    listener a;
    char text[BYTES + 1];
    (void)state;
    memset(text, 'x', BYTES);
    text[BYTES] = '\0';
    world_init(&w);
    w.config.delivery_budget_bytes = KEPT_MAX * BYTES;
    world_start(&w);
    listen_to(&a, &w, 'a', "news");
    world_rest(&w);
    tw_server_freeze(w.server);
    for (int i = 0; i < 100; i++) {
        publish(&w, "news", text);
    }
    uint64_t dropped = counter(&w, TW_COUNTER_HEARD_DROPPED);
    assert_in_range(dropped, 100 - KEPT_MAX, 90);
    tw_server_thaw(w.server);
    world_rest(&w);
    assert_int_equal(w.log_len, (100 - dropped) * (strlen("a:news: ") + BYTES));
    world_forget(&w);
    publish(&w, "news", "next");
    assert_log(&w, "a:news:next ");
    stop(&a);
    world_close(&w);
}

/* ---- the end ---- */

static void subscriptions_end_with_the_server(void **state) {
    world w;
    listener a, b;
    (void)state;
    world_open(&w);
    listen_to(&a, &w, 'a', "news");
    listen_to(&b, &w, 'b', "news");
    tw_server_freeze(w.server);
    publish(&w, "news", "1");
    world_close(&w);
    assert_log(&w, "");
}

static void without_memory_there_is_none(void **state) {
    world w;
    listener a = {.w = &w, .name = 'a'};
    (void)state;
    bool is_made = false;
    for (size_t nth = 1; !is_made; nth++) {
        world_open(&w);
        tw__alloc_fail_nth(nth);
        tw_subscription *made =
            tw_subscribe(w.server, str_of("news"), on_heard, &a);
        is_made = tw__alloc_fail_nth(0) != 0;
        assert_true(made != NULL || !is_made);
        if (made == NULL) {
            assert_int_equal(tw__map_len(&w.server->hub.channels), 0);
        } else {
            publish(&w, "news", "1");
            tw_subscription_cancel(made);
        }
        world_close(&w);
        assert_true(nth < 100);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_hears_all_that_is_published),
        cmocka_unit_test(several_hear_the_same_in_order),
        cmocka_unit_test(it_is_not_counted_as_a_subscriber),
        cmocka_unit_test(the_home_does_not_count_it),
        cmocka_unit_test(what_is_told_to_subscribers_it_does_not_hear),
        cmocka_unit_test(a_name_that_cannot_be_has_no_subscription),
        cmocka_unit_test(it_may_end_inside_of_its_callback),
        cmocka_unit_test(it_may_end_another_inside_of_its_callback),
        cmocka_unit_test(one_that_begins_hears_what_comes_next),
        cmocka_unit_test(it_may_publish_inside_of_its_callback),
        cmocka_unit_test(publications_wait_while_frozen),
        cmocka_unit_test(who_takes_over_while_frozen_gets_what_waited),
        cmocka_unit_test(a_callback_may_freeze_the_server),
        cmocka_unit_test(no_more_waits_than_the_delivery_budget),
        cmocka_unit_test(subscriptions_end_with_the_server),
        cmocka_unit_test(without_memory_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
