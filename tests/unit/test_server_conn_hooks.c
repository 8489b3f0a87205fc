/* Any hook may do anything: each of them does each thing there is to do.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

enum hook { OPEN, MESSAGE, SLOW, ALARM, CLOSE, HOOKS };

/* Connection 2 has the hook, 1 looks on; both are in "room". */
enum { OTHER = 1, SELF = 2 };

typedef struct stage {
    world w;
    client *self, *other;
    enum hook hook;
    int runs; /* of the hook */
    int (*act)(struct stage *s, tw_conn *self);
    int result; /* of what was called last in it */
} stage;

static stage *stage_of(world *w) {
    return TW__CONTAINER(w, stage, w);
}

static int act(stage *s, tw_conn *conn, enum hook hook) {
    if (hook != s->hook || number_of(conn) != SELF) {
        return TW_DONE;
    }
    return s->runs++ == 0 ? s->act(s, conn) : TW_DONE;
}

static int on_open(world *w, tw_conn *conn, tw_req *req) {
    (void)req;
    return act(stage_of(w), conn, OPEN);
}

static int on_message(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)msg;
    return act(stage_of(w), conn, MESSAGE);
}

static int on_slow(world *w, tw_conn *conn, const tw_slow *slow) {
    (void)slow;
    return act(stage_of(w), conn, SLOW);
}

static int on_alarm(world *w, tw_conn *conn, tw_str name) {
    (void)name;
    return act(stage_of(w), conn, ALARM);
}

static int on_close(world *w, tw_conn *conn) {
    return act(stage_of(w), conn, CLOSE);
}

/* ---- the stage ---- */

static void make_slow(stage *s) {
    static char block[2000];
    memset(block, 'x', sizeof block - 1);
    s->self->is_lazy = true;
    for (int i = 0; i < 1000 && s->runs == 0; i++) {
        world_publish(&s->w, "room", block);
        world_turn(&s->w);
    }
}

static void trigger(stage *s) {
    switch (s->hook) {
    case OPEN:
        break;
    case MESSAGE:
        client_say(&s->w, s->self, "go");
        break;
    case SLOW:
        make_slow(s);
        break;
    case ALARM:
        assert_int_equal(tw_conn_alarm(s->w.conns[SELF], str_of("bell"), 1), 0);
        world_pass(&s->w, 4);
        break;
    default:
        client_say_close(&s->w, s->self, 1000);
    }
    world_until(&s->w, s->runs > 0);
}

static void stage_open(stage *s, enum hook hook,
                       int (*doing)(stage *s, tw_conn *self)) {
    memset(s, 0, sizeof *s);
    world_init(&s->w);
    s->w.config.publication_budget_bytes = 20000;
    s->w.config.reply_budget_bytes = 20000;
    world_start(&s->w);
    s->w.is_silent = true;
    world_set_class(&s->w, "room", TW_SLOW_DROP_NEW, 0);
    world_narrow(&s->w, 4096);
    s->hook = hook;
    s->act = doing;
    s->w.on_open = on_open;
    s->w.on_message = on_message;
    s->w.on_slow = on_slow;
    s->w.on_alarm = on_alarm;
    s->w.on_close = on_close;
    s->other = client_open(&s->w);
    world_subscribe(&s->w, OTHER, "room");
    s->self = client_open_with(&s->w, 4096);
    if (hook != OPEN) {
        world_subscribe(&s->w, SELF, "room");
    }
}

/* What the other one gets next that is not filler. */
static void skip_filler(stage *s) {
    int opcode = 0;
    const uint8_t *payload = NULL;
    size_t len, size;
    for (;;) {
        world_until(&s->w, client_has_frame(s->other));
        size = client_peek(s->other, &opcode, &payload, &len);
        if (len != 1999) {
            return;
        }
        client_take(s->other, size);
    }
}

static void each_hook(int (*doing)(stage *s, tw_conn *self),
                      void (*check)(stage *s)) {
    static stage s;
    for (int hook = OPEN; hook < HOOKS; hook++) {
        stage_open(&s, (enum hook)hook, doing);
        trigger(&s);
        world_rest(&s.w);
        if (check != NULL) {
            check(&s);
        }
        s.w.is_silent = false;
        world_close(&s.w);
    }
}

/* ---- what hooks do ---- */

static int close_self(stage *s, tw_conn *self) {
    s->result = tw_conn_close(self, 4001, str_of("mine"));
    assert_int_equal(tw_conn_close(self, 4002, str_of("again")), TW_ECLOSED);
    return TW_DONE;
}

static void check_closed_self(stage *s) {
    assert_int_equal(s->result, s->hook == CLOSE ? TW_ECLOSED : 0);
    s->self->is_lazy = false;
    client_close(s->self);
    world_until(&s->w, s->w.gone == 1);
}

static void a_hook_closes_its_own_connection(void **state) {
    (void)state;
    each_hook(close_self, check_closed_self);
}

static int close_other(stage *s, tw_conn *self) {
    (void)self;
    s->result = tw_conn_close(s->w.conns[OTHER], 4001, str_of("yours"));
    return TW_DONE;
}

static void check_closed_other(stage *s) {
    skip_filler(s);
    expect_close(&s->w, s->other, 4001, "yours");
}

static void a_hook_closes_another_connection(void **state) {
    (void)state;
    each_hook(close_other, check_closed_other);
}

static int publish(stage *s, tw_conn *self) {
    (void)self;
    world_publish(&s->w, "room", "news");
    return TW_DONE;
}

static void check_published(stage *s) {
    skip_filler(s);
    expect_text(&s->w, s->other, "news");
}

static void a_hook_publishes(void **state) {
    (void)state;
    each_hook(publish, check_published);
}

static int subscribe(stage *s, tw_conn *self) {
    s->w.answered = 0;
    s->result = tw_conn_subscribe(self, str_of("late"), NULL,
                                  world_on_subscribed, &s->w);
    assert_int_equal(s->w.answered, 0);
    return TW_DONE;
}

static void check_subscribed(stage *s) {
    if (s->hook == CLOSE) {
        assert_int_equal(s->result, TW_ECLOSED);
        return;
    }
    assert_int_equal(s->result, 0);
    world_until(&s->w, s->w.answered >= 1);
    assert_int_equal(s->w.status, 0);
    assert_true(tw_conn_is_subscribed(s->w.conns[SELF], str_of("late")));
}

static void a_hook_subscribes(void **state) {
    (void)state;
    each_hook(subscribe, check_subscribed);
}

static int unsubscribe(stage *s, tw_conn *self) {
    s->result = tw_conn_unsubscribe(self, str_of("room"));
    assert_false(tw_conn_is_open(self) &&
                 tw_conn_is_subscribed(self, str_of("room")));
    return TW_DONE;
}

static void check_unsubscribed(stage *s) {
    assert_int_equal(s->result, s->hook == CLOSE  ? TW_ECLOSED
                                : s->hook == OPEN ? TW_ENOT_FOUND
                                                  : 0);
}

static void a_hook_unsubscribes(void **state) {
    (void)state;
    each_hook(unsubscribe, check_unsubscribed);
}

static int replace_routes(stage *s, tw_conn *self) {
    (void)self;
    world_set_routes(&s->w);
    return TW_DONE;
}

static void check_still_served(stage *s) {
    world_set_routes(&s->w);
    client *c = client_open(&s->w);
    client_say(&s->w, c, "hello");
    world_turns(&s->w, 3);
}

static void a_hook_replaces_the_routes(void **state) {
    (void)state;
    each_hook(replace_routes, check_still_served);
}

static int retire_routes(stage *s, tw_conn *self) {
    tw_server_set_routes(s->w.server, NULL, 0, NULL);
    assert_null(tw_route_data(tw_conn_route(self)));
    return TW_DONE;
}

static void a_hook_retires_the_route_it_runs_on(void **state) {
    (void)state;
    each_hook(retire_routes, check_still_served);
}

static int wait_in_hook(stage *s, tw_conn *self) {
    (void)s;
    (void)self;
    return TW_LATER;
}

/* While it waits no other hook of this connection starts. */
static void check_waited(stage *s) {
    int opened = s->w.opened;
    s->self->is_lazy = false;
    client_say(&s->w, s->self, "behind");
    if (s->hook != CLOSE) {
        assert_int_equal(tw_conn_alarm(s->w.conns[SELF], str_of("b"), 1), 0);
    }
    s->w.is_silent = false;
    world_forget(&s->w);
    world_pass(&s->w, 15);
    if (s->w.log_len > 0) {
        fail_msg("while hook %d waited: %s", s->hook, s->w.log);
    }
    tw_conn_done(s->w.conns[SELF]);
    if (s->hook != CLOSE) {
        world_until(&s->w, strstr(s->w.log, "msg:2:behind") != NULL &&
                               strstr(s->w.log, "alarm:2:b") != NULL);
    }
    world_rest(&s->w);
    assert_int_equal(strstr(s->w.log, "msg:2:behind") != NULL,
                     s->hook != CLOSE);
    assert_int_equal(strstr(s->w.log, "alarm:2:b") != NULL, s->hook != CLOSE);
    assert_int_equal(s->w.opened, opened);
    client_close(s->self);
    world_until(&s->w, s->w.gone == 1);
}

static void a_hook_waits_and_holds_the_others_off(void **state) {
    (void)state;
    each_hook(wait_in_hook, check_waited);
}

static int done_at_once(stage *s, tw_conn *self) {
    (void)s;
    tw_conn_done(self);
    return TW_LATER;
}

static void check_goes_on(stage *s) {
    int runs = s->runs;
    s->self->is_lazy = false;
    client_say(&s->w, s->self, "behind");
    if (s->hook == MESSAGE) {
        world_until(&s->w, s->runs > runs);
    }
    client_close(s->self);
    world_until(&s->w, s->w.gone == 1);
}

static void a_hook_that_waits_may_be_done_before_it_returns(void **state) {
    (void)state;
    each_hook(done_at_once, check_goes_on);
}

static void a_waiting_hook_does_not_survive_the_server(void **state) {
    (void)state;
    each_hook(wait_in_hook, NULL);
}

static int send_until_overloaded(stage *s, tw_conn *self) {
    static char block[1000];
    memset(block, 'y', sizeof block);
    for (int i = 0; i < 10000; i++) {
        s->result = tw_conn_send(self, block, sizeof block, true);
        if (s->result != 0) {
            break;
        }
    }
    return TW_DONE;
}

static void check_overloaded(stage *s) {
    assert_int_equal(s->result, s->hook == CLOSE ? TW_ECLOSED : TW_EOVERLOADED);
    s->self->is_lazy = false;
    if (s->hook != CLOSE) {
        world_until(&s->w, tw_conn_queued(s->w.conns[SELF]) == 0);
        assert_int_equal(tw_conn_send(s->w.conns[SELF], "more", 4, false), 0);
    }
}

static void a_hook_sends_until_the_budget_is_full(void **state) {
    (void)state;
    each_hook(send_until_overloaded, check_overloaded);
}

static int freeze(stage *s, tw_conn *self) {
    (void)self;
    tw_server_freeze(s->w.server);
    return TW_DONE;
}

static void check_thawed(stage *s) {
    int before = s->runs;
    client_say(&s->w, s->other, "frozen");
    world_turns(&s->w, 10);
    assert_int_equal(s->runs, before);
    tw_server_thaw(s->w.server);
    s->w.is_silent = false;
    world_forget(&s->w);
    world_until(&s->w, strstr(s->w.log, "msg:1:frozen") != NULL);
}

static void a_hook_freezes_the_server(void **state) {
    static stage s;
    (void)state;
    for (int hook = MESSAGE; hook < HOOKS; hook++) {
        stage_open(&s, (enum hook)hook, freeze);
        trigger(&s);
        world_turns(&s.w, 10);
        check_thawed(&s);
        world_close(&s.w);
    }
}

static int all_at_once(stage *s, tw_conn *self) {
    publish(s, self);
    subscribe(s, self);
    replace_routes(s, self);
    unsubscribe(s, self);
    tw_conn_send(self, "bye", 3, false);
    close_other(s, self);
    close_self(s, self);
    return TW_LATER;
}

static void a_hook_does_it_all_and_waits(void **state) {
    (void)state;
    each_hook(all_at_once, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hook_closes_its_own_connection),
        cmocka_unit_test(a_hook_closes_another_connection),
        cmocka_unit_test(a_hook_publishes),
        cmocka_unit_test(a_hook_subscribes),
        cmocka_unit_test(a_hook_unsubscribes),
        cmocka_unit_test(a_hook_replaces_the_routes),
        cmocka_unit_test(a_hook_retires_the_route_it_runs_on),
        cmocka_unit_test(a_hook_waits_and_holds_the_others_off),
        cmocka_unit_test(a_hook_that_waits_may_be_done_before_it_returns),
        cmocka_unit_test(a_waiting_hook_does_not_survive_the_server),
        cmocka_unit_test(a_hook_sends_until_the_budget_is_full),
        cmocka_unit_test(a_hook_freezes_the_server),
        cmocka_unit_test(a_hook_does_it_all_and_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
