/* A peer that hangs up while it is not read: noticed at once, and yet heard to
 * the end. SPDX-License-Identifier: MIT */
#include <sys/un.h>

#include "server_probe.h"

static int wait_for_ever(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    (void)conn;
    (void)msg;
    return TW_LATER;
}

static int wait_in_open(world *w, tw_conn *conn, tw_req *req) {
    (void)w;
    (void)conn;
    (void)req;
    return TW_LATER;
}

/* The peer sends nothing more, but might still read. */
static void client_finish(client *c) {
    assert_int_equal(shutdown(c->fd, SHUT_WR), 0);
}

static bool is_noticed(world *w) {
    return !tw_conn_is_open(w->conns[1]);
}

static size_t held_bytes(world *w) {
    const tw__extra *extra = w->conns[1]->extra;
    return extra != NULL ? tw__bytes_len(&extra->stash) : 0;
}

/* One client, whose every message makes its hook wait: the first one does. */
static client *open_waiting(world *w) {
    w->on_message = wait_for_ever;
    client *c = client_open(w);
    world_subscribe(w, 1, "room");
    client_say(w, c, "go");
    world_until(w, strstr(w->log, "msg:1:go ") != NULL);
    world_forget(w);
    return c;
}

static client *open_world_waiting(world *w) {
    world_open(w);
    return open_waiting(w);
}

/* The hook that waits is done, and so is every one after it. */
static void let_go(world *w) {
    w->on_message = NULL;
    tw_conn_done(w->conns[1]);
    world_until(w, w->gone == 1);
}

/* ---- noticed ---- */

static void an_end_is_noticed_while_a_hook_waits(void **state) {
    world w;
    (void)state;
    client *c = open_world_waiting(&w);
    tw_conn *conn = w.conns[1];
    client_finish(c);
    world_until(&w, is_noticed(&w));
    assert_int_equal(tw_conn_send(conn, "x", 1, false), TW_ECLOSED);
    assert_int_equal(tw_conn_alarm(conn, str_of("bell"), 5), TW_ECLOSED);
    assert_int_equal(tw_conn_subscribe(conn, str_of("hall"), NULL, NULL, NULL),
                     TW_ECLOSED);
    assert_true(conn->io.fd < 0);
    assert_int_equal(w.server->page->gauges[TW_GAUGE_CONNECTIONS], 0);
    expect_end(&w, c);
    assert_log(&w, ""); /* on_close waits for the hook */
    let_go(&w);
    assert_log(&w, "close:1:1006: gone:1 ");
    world_close(&w);
}

static void a_peer_that_hung_up_is_published_nothing(void **state) {
    world w;
    tw_str channel;
    (void)state;
    client *c = open_world_waiting(&w);
    client_say(&w, c, "unheard yet");
    client_finish(c);
    world_until(&w, is_noticed(&w));
    world_publish(&w, "room", "late");
    world_turns(&w, 3);
    assert_int_equal(counter(&w, TW_COUNTER_INTENDED), 0);
    assert_true(tw_conn_channel(w.conns[1], 0, &channel)); /* still readable */
    let_go(&w);
    world_close(&w);
}

static void an_end_is_noticed_while_on_open_waits(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.on_open = wait_in_open;
    client *c = client_open(&w);
    client_close(c);
    world_until(&w, is_noticed(&w));
    assert_log(&w, "open:1 ");
    let_go(&w);
    assert_log(&w, "close:1:1006: gone:1 ");
    world_close(&w);
}

static tw_req *kept_req;

static void keep_req(world *w, tw_req *req) {
    (void)w;
    kept_req = tw_req_ref(req);
}

/* It ended while the host thought about the upgrade: an HTTP peer would still
 * be owed an answer. */
static void an_end_before_the_upgrade_is_noticed_after_it(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.on_upgrade = keep_req;
    w.on_open = wait_in_open;
    w.routes[0].hooks |= TW_HOOK_UPGRADE;
    world_start(&w);
    client *c = client_connect(&w, 0);
    client_send(&w, c, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    client_say(&w, c, "early");
    world_until(&w, strstr(w.log, "upgrade ") != NULL);
    client_finish(c);
    world_turns(&w, 5);
    assert_int_equal(tw_req_accept(kept_req, NULL), 0);
    tw_req_unref(kept_req);
    assert_int_equal(client_status(&w, c), 101);
    world_until(&w, w.opened == 1 && is_noticed(&w));
    world_forget(&w);
    let_go(&w);
    assert_log(&w, "msg:1:early close:1:1006: gone:1 ");
    world_close(&w);
}

static void an_end_is_noticed_while_the_reply_budget_is_full(void **state) {
    static char block[20000];
    world w;
    (void)state;
    world_init(&w);
    w.config.reply_budget_bytes = 4 * sizeof block;
    world_start(&w);
    world_narrow(&w, 4096);
    client *c = client_open_with(&w, 4096);
    c->is_lazy = true;
    memset(block, 'x', sizeof block);
    while (tw_conn_send(w.conns[1], block, sizeof block, false) == 0) {
        world_turn(&w);
    }
    client_say(&w, c, "last words");
    client_finish(c);
    world_until(&w, w.gone == 1);
    assert_log(&w, "open:1 msg:1:last words close:1:1006: gone:1 ");
    world_close(&w);
}

static void an_end_of_a_peer_that_is_over_its_rate_is_noticed(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.routes[0].rate =
        (tw_rate){.messages = 10, .burst = 0.1, .over = TW_RATE_WAIT};
    world_start(&w);
    client *c = client_open(&w);
    for (int i = 0; i < 5; i++) {
        client_say(&w, c, "more");
    }
    client_finish(c);
    world_until(&w, is_noticed(&w));
    assert_null(strstr(w.log, "close"));
    for (int i = 0; i < 100 && w.gone == 0; i++) {
        world_pass(&w, 50);
    }
    assert_log(&w, "open:1 msg:1:more msg:1:more msg:1:more msg:1:more "
                   "msg:1:more close:1:1006: gone:1 ");
    world_close(&w);
}

/* ---- heard to the end ---- */

static void what_was_said_before_an_end_is_heard_in_order(void **state) {
    world w;
    (void)state;
    client *c = open_world_waiting(&w);
    client_say(&w, c, "one");
    client_say(&w, c, "two");
    client_close(c);
    world_until(&w, is_noticed(&w));
    assert_true(w.conns[1]->io.fd < 0);
    assert_log(&w, "");
    tw_conn_done(w.conns[1]);
    world_until(&w, w.log_len > 0);
    world_turns(&w, 3);
    assert_log(&w, "msg:1:one "); /* whose hook waits, too */
    tw_conn_done(w.conns[1]);
    world_until(&w, w.log_len > 0);
    assert_log(&w, "msg:1:two ");
    tw_conn_done(w.conns[1]);
    world_until(&w, w.gone == 1);
    assert_log(&w, "close:1:1006: gone:1 ");
    world_close(&w);
}

static void what_was_read_already_comes_first(void **state) {
    world w;
    wire out = {0};
    (void)state;
    world_open(&w);
    w.on_message = wait_for_ever;
    client *c = client_open(&w);
    wire_text(&out, FIN | TW__WS_TEXT, "go");
    wire_text(&out, FIN | TW__WS_TEXT, "with it");
    wire_text(&out, FIN | TW__WS_TEXT, "in two parts");
    client_send(&w, c, out.data, out.len - 5);
    world_until(&w, w.conns[1]->extra != NULL && held_bytes(&w) > 0);
    client_send(&w, c, out.data + out.len - 5, 5);
    client_say(&w, c, "last");
    client_close(c);
    world_until(&w, is_noticed(&w));
    let_go(&w);
    assert_log(&w, "open:1 msg:1:go msg:1:with it msg:1:in two parts "
                   "msg:1:last close:1:1006: gone:1 ");
    wire_free(&out);
    world_close(&w);
}

static void a_close_frame_before_an_end_gives_the_code(void **state) {
    world w;
    (void)state;
    client *c = open_world_waiting(&w);
    client_say(&w, c, "one");
    client_send_frame(&w, c, FIN | TW__WS_CLOSE,
                      "\x0f\xa1"
                      "bye",
                      5);
    client_finish(c);
    world_until(&w, is_noticed(&w));
    let_go(&w);
    assert_log(&w, "msg:1:one close:1:4001:bye gone:1 ");
    world_close(&w);
}

static void half_a_message_before_an_end_is_nothing(void **state) {
    world w;
    (void)state;
    client *c = open_world_waiting(&w);
    client_say(&w, c, "one");
    client_send(&w, c, "\x81\x85....ab", 8);
    client_finish(c);
    world_until(&w, is_noticed(&w));
    let_go(&w);
    assert_log(&w, "msg:1:one close:1:1006: gone:1 ");
    world_close(&w);
}

static void what_is_against_the_rules_ends_what_is_heard(void **state) {
    world w;
    (void)state;
    client *c = open_world_waiting(&w);
    client_say(&w, c, "one");
    client_send_frame(&w, c, FIN | 3, "", 0); /* a reserved opcode */
    client_say(&w, c, "two");
    client_finish(c);
    world_until(&w, is_noticed(&w));
    let_go(&w);
    assert_log(&w, "msg:1:one close:1:1006: gone:1 ");
    assert_int_equal(counter(&w, TW_COUNTER_CLOSED_PROTOCOL), 1);
    world_close(&w);
}

/* ---- much ---- */

enum { BLOCK = 1000, BLOCKS = 40, TURN_BYTES = 4096 };

static void say_blocks(world *w, client *c) {
    char block[BLOCK];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < BLOCKS; i++) {
        client_send_frame(w, c, FIN | TW__WS_TEXT, block, sizeof block);
    }
}

static int count_message(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)conn;
    assert_int_equal(msg->len, BLOCK);
    w->answered++;
    return TW_DONE;
}

/* What is over a read's worth stays in the kernel, which bounds it. */
static void much_that_is_unread_waits_where_it_is(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.read_turn_bytes = TURN_BYTES;
    world_start(&w);
    client *c = open_waiting(&w);
    say_blocks(&w, c);
    client_finish(c);
    world_until(&w, is_noticed(&w));
    expect_end(&w, c); /* though the descriptor is needed still */
    assert_true(held_bytes(&w) <= TURN_BYTES);
    w.is_silent = true;
    w.answered = 0;
    w.on_message = count_message;
    tw_conn_done(w.conns[1]);
    world_until(&w, w.gone == 1);
    assert_int_equal(w.answered, BLOCKS);
    world_close(&w);
}

static void a_reset_after_an_end_loses_nothing_of_it(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.read_turn_bytes = TURN_BYTES;
    world_start(&w);
    client *c = open_waiting(&w);
    say_blocks(&w, c);
    client_finish(c);
    world_until(&w, is_noticed(&w));
    client_reset(c);
    world_turns(&w, 5);
    w.is_silent = true;
    w.answered = 0;
    w.on_message = count_message;
    tw_conn_done(w.conns[1]);
    world_until(&w, w.gone == 1);
    assert_int_equal(w.answered, BLOCKS);
    world_close(&w);
}

static void a_peer_that_hung_up_does_not_keep_the_loop_busy(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.read_turn_bytes = TURN_BYTES;
    world_start(&w);
    client *c = open_waiting(&w);
    say_blocks(&w, c);
    client_close(c);
    world_until(&w, is_noticed(&w));
    world_turns(&w, 5);
    uint64_t turns = w.server->loop.turns, until = real_ms() + 100;
    while (real_ms() < until) {
        tw__loop_run_once(tw__server_loop(w.server), 50);
    }
    assert_true(w.server->loop.turns - turns <= 10); /* it waits for events */
    let_go(&w);
    world_close(&w);
}

/* ---- given up ---- */

static int close_self(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    (void)msg;
    assert_int_equal(tw_conn_close(conn, 4000, str_of("")), TW_ECLOSED);
    return TW_DONE;
}

static void a_hook_that_closes_hears_nothing_more(void **state) {
    world w;
    (void)state;
    client *c = open_world_waiting(&w);
    client_say(&w, c, "one");
    client_say(&w, c, "two");
    client_close(c);
    world_until(&w, is_noticed(&w));
    w.on_message = close_self;
    tw_conn_done(w.conns[1]);
    world_until(&w, w.gone == 1);
    assert_log(&w, "msg:1:one close:1:1006: gone:1 ");
    world_close(&w);
}

static void a_hook_that_waits_may_close_what_hung_up(void **state) {
    world w;
    (void)state;
    client *c = open_world_waiting(&w);
    client_say(&w, c, "one");
    client_close(c);
    world_until(&w, is_noticed(&w));
    assert_int_equal(tw_conn_close(w.conns[1], 4000, str_of("")), TW_ECLOSED);
    world_turns(&w, 3);
    assert_log(&w, "");
    let_go(&w);
    assert_log(&w, "close:1:1006: gone:1 ");
    world_close(&w);
}

static void a_server_may_end_with_something_unheard(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.read_turn_bytes = TURN_BYTES;
    world_start(&w);
    client *c = open_waiting(&w);
    say_blocks(&w, c);
    client_close(c);
    world_until(&w, is_noticed(&w));
    client_free(&w, c);
    tw_server_destroy(w.server, NULL, NULL);
    w.server = NULL;
    assert_log(&w, "close:1:1006: gone:1 ");
    world_close(&w);
}

/* ---- other ways to go ---- */

/* A Unix socket shows its end in both directions at once. */
static void a_unix_peer_is_heard_to_the_end_as_well(void **state) {
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/tw-hangup-XXXXXX", listen[128];
    world w;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s/s", folder);
    snprintf(listen, sizeof listen, "unix:%s", sun.sun_path);
    world_init(&w);
    w.listen[0] = w.listen[1] = listen;
    w.on_message = wait_for_ever;
    w.config.listen_count = 1;
    world_start(&w);
    client *c = calloc(1, sizeof *c);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c->fd, (struct sockaddr *)&sun, sizeof sun), 0);
    w.clients[0] = c;
    client_send(&w, c, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    assert_int_equal(client_status(&w, c), 101);
    client_say(&w, c, "go");
    world_until(&w, strstr(w.log, "msg:1:go ") != NULL);
    client_say(&w, c, "one");
    client_close(c);
    world_until(&w, is_noticed(&w));
    let_go(&w);
    assert_log(&w, "open:1 msg:1:go msg:1:one close:1:1006: gone:1 ");
    world_close(&w);
    unlink(sun.sun_path);
    assert_int_equal(rmdir(folder), 0);
}

static int echo(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)w;
    assert_int_equal(tw_conn_forward(conn, msg), 0);
    return TW_DONE;
}

static void whoever_is_read_is_answered_up_to_its_end(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.on_message = echo;
    client *c = client_open(&w);
    client_say(&w, c, "one");
    client_finish(c);
    expect_text(&w, c, "one");
    world_until(&w, w.gone == 1);
    assert_log(&w, "open:1 msg:1:one close:1:1006: gone:1 ");
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_is_noticed_while_a_hook_waits),
        cmocka_unit_test(a_peer_that_hung_up_is_published_nothing),
        cmocka_unit_test(an_end_is_noticed_while_on_open_waits),
        cmocka_unit_test(an_end_before_the_upgrade_is_noticed_after_it),
        cmocka_unit_test(an_end_is_noticed_while_the_reply_budget_is_full),
        cmocka_unit_test(an_end_of_a_peer_that_is_over_its_rate_is_noticed),
        cmocka_unit_test(what_was_said_before_an_end_is_heard_in_order),
        cmocka_unit_test(what_was_read_already_comes_first),
        cmocka_unit_test(a_close_frame_before_an_end_gives_the_code),
        cmocka_unit_test(half_a_message_before_an_end_is_nothing),
        cmocka_unit_test(what_is_against_the_rules_ends_what_is_heard),
        cmocka_unit_test(much_that_is_unread_waits_where_it_is),
        cmocka_unit_test(a_reset_after_an_end_loses_nothing_of_it),
        cmocka_unit_test(a_peer_that_hung_up_does_not_keep_the_loop_busy),
        cmocka_unit_test(a_hook_that_closes_hears_nothing_more),
        cmocka_unit_test(a_hook_that_waits_may_close_what_hung_up),
        cmocka_unit_test(a_server_may_end_with_something_unheard),
        cmocka_unit_test(a_unix_peer_is_heard_to_the_end_as_well),
        cmocka_unit_test(whoever_is_read_is_answered_up_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
