/* A subscriber is told when its channel's home has counted it. The engine is
 * wrapped, so that the test says when the home of the channel "far" answers.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

#include "server/interest.h"

static struct {
    tw__broker broker;
    tw__broker *real;
    bool is_refusing;   /* questions */
    uint32_t told;      /* the newest count */
    int questions;      /* in all */
    tw__count_cb count; /* of the question that waits, or NULL */
    void *count_arg;
    tw__interest_cb confirm; /* likewise, of the interest */
    void *confirm_arg;
    bool is_requested; /* the interest has left */
} far;

static bool is_far(const char *channel, size_t len) {
    return len == 3 && memcmp(channel, "far", 3) == 0;
}

static int far_publish(tw__broker *broker, tw__pub *pub) {
    (void)broker;
    return far.real->ops->publish(far.real, pub);
}

static int far_interest(tw__broker *broker, const char *channel, size_t len,
                        tw__interest_cb cb, void *arg) {
    (void)broker;
    if (!is_far(channel, len)) {
        return far.real->ops->interest(far.real, channel, len, cb, arg);
    }
    assert_null(far.confirm);
    far.confirm = cb;
    far.confirm_arg = arg;
    far.is_requested = false;
    return 0;
}

static void far_drop(tw__broker *broker, const char *channel, size_t len) {
    (void)broker;
    if (!is_far(channel, len)) {
        far.real->ops->drop(far.real, channel, len);
    }
}

static bool far_set_count(tw__broker *broker, const char *channel, size_t len,
                          uint32_t count) {
    (void)broker;
    if (!is_far(channel, len)) {
        return far.real->ops->set_count(far.real, channel, len, count);
    }
    far.told = count;
    return far.confirm != NULL && !far.is_requested;
}

static int far_count(tw__broker *broker, const char *channel, size_t len,
                     tw__count_cb cb, void *arg) {
    (void)broker;
    if (!is_far(channel, len)) {
        return far.real->ops->count(far.real, channel, len, cb, arg);
    }
    if (far.is_refusing) {
        return TW_EOVERLOADED;
    }
    assert_null(far.count);
    far.questions++;
    far.count = cb;
    far.count_arg = arg;
    return 0;
}

static const tw__broker_ops far_ops = {.publish = far_publish,
                                       .interest = far_interest,
                                       .drop = far_drop,
                                       .set_count = far_set_count,
                                       .count = far_count};

static void far_confirms(int status) {
    static const tw__position no_history;
    tw__interest_cb cb = far.confirm;
    assert_non_null(cb);
    far.confirm = NULL;
    cb(status, &no_history, far.confirm_arg);
}

static void far_answers(int status) {
    tw__count_cb cb = far.count;
    assert_non_null(cb);
    far.count = NULL;
    cb(status, far.told, far.count_arg);
}

static void far_world(world *w, int connections) {
    world_open(w);
    memset(&far, 0, sizeof far);
    far.real = w->server->broker;
    far.broker.ops = &far_ops;
    w->server->broker = &far.broker;
    for (int i = 0; i < connections; i++) {
        client_open(w);
    }
}

static void ask_for(world *w, int number, const char *channel) {
    assert_int_equal(tw_conn_subscribe(w->conns[number], str_of(channel), NULL,
                                       world_on_subscribed, w),
                     0);
    world_rest(w);
}

static bool is_subscribed(world *w, int number) {
    return tw_conn_is_subscribed(w->conns[number], str_of("far"));
}

static void far_world_close(world *w) {
    w->server->broker = far.real;
    world_close(w);
}

static void the_first_subscriber_is_counted_with_the_interest(void **state) {
    world w;
    (void)state;
    far_world(&w, 1);
    ask_for(&w, 1, "far");
    assert_int_equal(far.told, 1);
    assert_int_equal(w.answered, 0);
    far_confirms(0);
    world_rest(&w);
    assert_int_equal(w.answered, 1);
    assert_true(is_subscribed(&w, 1));
    assert_int_equal(far.questions, 0);
    far_world_close(&w);
}

static void a_later_one_waits_until_it_is_counted(void **state) {
    world w;
    (void)state;
    far_world(&w, 2);
    ask_for(&w, 1, "far");
    far_confirms(0);
    ask_for(&w, 2, "far");
    assert_int_equal(far.told, 2);
    assert_int_equal(far.questions, 1);
    assert_int_equal(w.answered, 1);
    assert_false(is_subscribed(&w, 2));
    far_answers(0);
    world_rest(&w);
    assert_int_equal(w.answered, 2);
    assert_true(is_subscribed(&w, 2));
    assert_int_equal(far.questions, 1);
    far_world_close(&w);
}

/* The request with the first one's count had left. */
static void who_comes_before_the_confirmation_waits_for_more(void **state) {
    world w;
    (void)state;
    far_world(&w, 3);
    ask_for(&w, 1, "far");
    ask_for(&w, 2, "far");
    far.is_requested = true;
    ask_for(&w, 3, "far");
    assert_int_equal(far.questions, 0);
    far_confirms(0);
    world_rest(&w);
    assert_int_equal(w.answered, 2);
    assert_int_equal(far.questions, 1);
    assert_false(is_subscribed(&w, 3));
    far_answers(0);
    world_rest(&w);
    assert_int_equal(w.answered, 3);
    far_world_close(&w);
}

static void those_who_come_meanwhile_share_the_next_question(void **state) {
    world w;
    (void)state;
    far_world(&w, 5);
    ask_for(&w, 1, "far");
    far_confirms(0);
    for (int i = 2; i <= 5; i++) {
        ask_for(&w, i, "far");
    }
    assert_int_equal(far.questions, 1);
    assert_int_equal(far.told, 5);
    far_answers(0);
    world_rest(&w);
    assert_int_equal(w.answered, 2); /* asked before the others came */
    assert_int_equal(far.questions, 2);
    far_answers(0);
    world_rest(&w);
    assert_int_equal(w.answered, 5);
    assert_int_equal(far.questions, 2);
    far_world_close(&w);
}

static void a_question_that_fails_holds_nobody_up(void **state) {
    world w;
    (void)state;
    far_world(&w, 3);
    ask_for(&w, 1, "far");
    far_confirms(0);
    ask_for(&w, 2, "far");
    far_answers(TW_EUNAVAILABLE);
    world_rest(&w);
    assert_int_equal(w.answered, 2);
    far.is_refusing = true;
    ask_for(&w, 3, "far");
    assert_int_equal(w.answered, 3);
    assert_int_equal(w.status, 0);
    assert_true(is_subscribed(&w, 3));
    far_world_close(&w);
}

static void an_interest_that_is_refused_is_so_for_all(void **state) {
    world w;
    (void)state;
    far_world(&w, 2);
    ask_for(&w, 1, "far");
    far.is_requested = true;
    ask_for(&w, 2, "far");
    far_confirms(TW_ECLOSED);
    world_rest(&w);
    assert_int_equal(w.answered, 2);
    assert_int_equal(w.status, TW_ECLOSED);
    assert_int_equal(far.questions, 0);
    far_world_close(&w);
}

/* The answer comes when nobody is left to hear it. */
static void leaving_before_being_counted_is_told(void **state) {
    world w;
    (void)state;
    far_world(&w, 3);
    ask_for(&w, 1, "far");
    far_confirms(0);
    ask_for(&w, 2, "far");
    ask_for(&w, 3, "far");
    for (int i = 3; i > 0; i--) {
        assert_int_equal(far.told, i);
        assert_int_equal(tw_conn_unsubscribe(w.conns[i], str_of("far")), 0);
    }
    world_rest(&w);
    assert_int_equal(w.answered, 3);
    assert_int_equal(w.status, TW_ECLOSED);
    far_answers(0);
    world_rest(&w);
    assert_int_equal(w.answered, 3);
    ask_for(&w, 1, "far"); /* a new interest */
    far_confirms(0);
    world_rest(&w);
    assert_true(is_subscribed(&w, 1));
    far_world_close(&w);
}

static void a_connection_may_close_while_it_waits(void **state) {
    world w;
    (void)state;
    far_world(&w, 2);
    ask_for(&w, 1, "far");
    far_confirms(0);
    ask_for(&w, 2, "far");
    tw_conn_close(w.conns[2], 1000, str_of(""));
    world_rest(&w);
    assert_int_equal(far.told, 1);
    far_answers(0);
    world_rest(&w);
    assert_int_equal(w.answered, 2);
    far_world_close(&w);
}

/* What is published before the answer is not for it; behind it everything is.
 */
static void who_waits_gets_nothing_yet(void **state) {
    world w;
    (void)state;
    far_world(&w, 2);
    ask_for(&w, 1, "far");
    far_confirms(0);
    ask_for(&w, 2, "far");
    tw__pub *pub = tw__pub_create("far", 3, "", 0, "before", 6);
    tw__server_on_publication(w.server, pub);
    far_answers(0);
    tw__server_on_publication(w.server,
                              tw__pub_create("far", 3, "", 0, "behind", 6));
    expect_text(&w, w.clients[1], "behind");
    expect_text(&w, w.clients[0], "before");
    expect_text(&w, w.clients[0], "behind");
    far_world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_subscriber_is_counted_with_the_interest),
        cmocka_unit_test(a_later_one_waits_until_it_is_counted),
        cmocka_unit_test(who_comes_before_the_confirmation_waits_for_more),
        cmocka_unit_test(those_who_come_meanwhile_share_the_next_question),
        cmocka_unit_test(a_question_that_fails_holds_nobody_up),
        cmocka_unit_test(an_interest_that_is_refused_is_so_for_all),
        cmocka_unit_test(leaving_before_being_counted_is_told),
        cmocka_unit_test(a_connection_may_close_while_it_waits),
        cmocka_unit_test(who_waits_gets_nothing_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
