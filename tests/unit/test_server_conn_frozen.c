/* While frozen, public sockets are not read or accepted; all else goes on.
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

enum { BLOCK = 100000 };

static char block[BLOCK + 1];

/* A client that does not read, with more queued than the kernel takes. */
static client *open_blocked(world *w) {
    memset(block, 'x', BLOCK);
    world_narrow(w, 4096);
    client *c = client_open_with(w, 4096);
    c->is_lazy = true;
    assert_int_equal(tw_conn_send(w->conns[1], block, BLOCK, false), 0);
    world_until(w, (w->conns[1]->flags & TW__WANT_WRITE) != 0);
    world_forget(w);
    return c;
}

/* ---- what goes on ---- */

static void what_was_queued_goes_on_leaving(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = open_blocked(&w);
    world_subscribe(&w, 1, "room");
    tw_server_freeze(w.server);
    world_publish(&w, "room", "published while frozen");
    c->is_lazy = false;
    expect_text(&w, c, block);
    expect_text(&w, c, "published while frozen");
    assert_int_equal(tw_conn_queued(w.conns[1]), 0);
    tw_server_thaw(w.server);
    world_close(&w);
}

static void respond_long(world *w, tw_req *req) {
    (void)w;
    memset(block, 'x', BLOCK);
    tw_req_respond(req, 200, NULL, 0, block, BLOCK);
}

static void an_answer_begun_is_written_to_its_end(void **state) {
    static const char request[] = "GET /page HTTP/1.1\r\nHost: a\r\n\r\n";
    static char body[BLOCK + 1];
    world w;
    (void)state;
    world_init(&w);
    w.on_request = respond_long;
    w.routes[1] = (tw_route_config){.kind = TW_ROUTE_HTTP, .pattern = "/page"};
    w.route_count = 2;
    world_start(&w);
    world_narrow(&w, 4096);
    client *c = client_connect(&w, 4096);
    c->is_lazy = true;
    client_send(&w, c, request, sizeof request - 1);
    world_until(&w, w.log_len > 0);
    world_turns(&w, 3);
    tw_server_freeze(w.server);
    c->is_lazy = false;
    assert_int_equal(client_status(&w, c), 200);
    client_body(&w, c, body, BLOCK);
    world_forget(&w);
    client_send(&w, c, request, sizeof request - 1); /* the next one waits */
    world_turns(&w, 5);
    assert_log(&w, "");
    tw_server_thaw(w.server);
    assert_int_equal(client_status(&w, c), 200);
    world_close(&w);
}

static void a_close_begun_goes_on(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    world_forget(&w);
    tw_server_freeze(w.server);
    assert_int_equal(tw_conn_close(w.conns[1], 4000, str_of("")), 0);
    expect_close(&w, c, 4000, "");
    client_say_close(&w, c, 4000);
    expect_end(&w, c);
    client_close(c);
    world_until(&w, w.conns[1]->io.fd < 0);
    assert_log(&w, "");
    tw_server_thaw(w.server);
    world_until(&w, w.gone == 1);
    assert_log(&w, "close:1:4000: gone:1 ");
    world_close(&w);
}

static void who_vanishes_is_gone_and_its_hook_waits(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w), *d = client_open(&w);
    world_forget(&w);
    tw_server_freeze(w.server);
    client_reset(c);
    client_say(&w, d, "bye");
    client_close(d);
    world_until(&w, w.conns[1]->io.fd < 0 && w.conns[2]->io.fd < 0);
    world_turns(&w, 3);
    assert_log(&w, "");
    tw_server_thaw(w.server);
    world_until(&w, w.gone == 2);
    assert_non_null(strstr(w.log, "close:1:1006: "));
    const char *said = strstr(w.log, "msg:2:bye ");
    assert_non_null(said);
    assert_non_null(strstr(said, "close:2:1006: "));
    world_close(&w);
}

/* ---- what rests ---- */

static void what_is_said_while_frozen_is_heard_after_it(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    client_open(&w);
    world_forget(&w);
    tw_server_freeze(w.server);
    client_say(&w, c, "one");
    world_until(&w, (w.conns[1]->flags & TW__NO_READ) != 0);
    client_say(&w, c, "two");
    world_turns(&w, 3);
    assert_log(&w, "");
    tw_server_thaw(w.server);
    world_until(&w, strstr(w.log, "two") != NULL);
    assert_log(&w, "msg:1:one msg:1:two ");
    assert_int_equal(w.conns[1]->flags & TW__NO_READ, 0);
    world_close(&w);
}

static int freeze_at_first(world *w, tw_conn *conn, const tw_msg *msg) {
    (void)conn;
    (void)msg;
    w->on_message = NULL;
    tw_server_freeze(w->server);
    return TW_DONE;
}

static void what_lies_behind_a_freeze_in_one_read_waits(void **state) {
    world w;
    wire out = {0};
    (void)state;
    world_open(&w);
    w.on_message = freeze_at_first;
    client *c = client_open(&w);
    world_forget(&w);
    wire_text(&out, FIN | TW__WS_TEXT, "one");
    wire_text(&out, FIN | TW__WS_TEXT, "two");
    client_send(&w, c, out.data, out.len);
    world_until(&w, w.server->frozen == 1);
    world_turns(&w, 3);
    assert_log(&w, "msg:1:one ");
    tw_server_thaw(w.server);
    world_until(&w, w.log_len > 0);
    assert_log(&w, "msg:1:two ");
    wire_free(&out);
    world_close(&w);
}

static void a_blocked_peer_that_recovers_is_read_after_it(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.config.reply_budget_bytes = BLOCK;
    world_start(&w);
    client *c = open_blocked(&w);
    assert_true(tw_conn_queued(w.conns[1]) >= BLOCK / 2);
    client_say(&w, c, "unread");
    world_until(&w, (w.conns[1]->flags & TW__NO_READ) != 0);
    tw_server_freeze(w.server);
    c->is_lazy = false;
    expect_text(&w, c, block);
    assert_log(&w, "");
    tw_server_thaw(w.server);
    world_until(&w, w.log_len > 0);
    assert_log(&w, "msg:1:unread ");
    world_close(&w);
}

static void newcomers_are_accepted_after_it(void **state) {
    world w;
    (void)state;
    world_open(&w);
    tw_server_freeze(w.server);
    client *c = client_connect(&w, 0);
    client_send(&w, c, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    world_turns(&w, 5);
    assert_int_equal(counter(&w, TW_COUNTER_ACCEPTED), 0);
    tw_server_thaw(w.server);
    assert_int_equal(client_status(&w, c), 101);
    world_close(&w);
}

static void a_server_that_begins_to_listen_frozen_accepts_later(void **state) {
    char detail[256];
    world w;
    (void)state;
    world_init(&w);
    assert_int_equal(
        tw_server_create(&w.server, &w.config, detail, sizeof detail), 0);
    world_set_routes(&w);
    tw_server_freeze(w.server);
    assert_int_equal(tw_server_listen(w.server), 0);
    client *c = client_connect(&w, 0);
    client_send(&w, c, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    world_turns(&w, 5);
    assert_int_equal(counter(&w, TW_COUNTER_ACCEPTED), 0);
    tw_server_thaw(w.server);
    assert_int_equal(client_status(&w, c), 101);
    world_close(&w);
}

/* ---- what it costs ---- */

static uint64_t turns_of_a_while(world *w) {
    world_turns(w, 5);
    uint64_t turns = w->server->loop.turns, until = real_ms() + 100;
    while (real_ms() < until) {
        tw__loop_run_once(tw__server_loop(w->server), 50);
    }
    return w->server->loop.turns - turns;
}

static void what_waits_does_not_keep_the_loop_busy(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *said = client_open(&w), *ended = client_open(&w);
    client *reset = client_open(&w), *dead = client_connect(&w, 0);
    client_send(&w, dead, "GET", 3);
    world_until(&w, counter(&w, TW_COUNTER_ACCEPTED) == 4);
    world_turns(&w, 3);
    tw_server_freeze(w.server);
    client_connect(&w, 0);
    client_say(&w, said, "unread");
    client_say(&w, ended, "unread");
    client_close(ended);
    client_reset(reset);
    client_send(&w, dead, " /", 2);
    world_turns(&w, 5);
    client_reset(dead);
    assert_true(turns_of_a_while(&w) <= 10); /* it waits for events */
    tw_server_thaw(w.server);
    world_until(&w, counter(&w, TW_COUNTER_ACCEPTED) == 5 && w.gone == 2);
    world_close(&w);
}

static void whoever_was_silent_is_not_looked_at_again(void **state) {
    world w;
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    client_open(&w);
    client_open(&w);
    world_turns(&w, 3);
    tw_server_freeze(w.server);
    client_say(&w, c, "one");
    world_until(&w, (w.conns[1]->flags & TW__NO_READ) != 0);
    tw_server_thaw(w.server);
    assert_int_equal(w.conns[1]->in_queue, 1u << TW__QUEUE_RUN);
    assert_int_equal(w.conns[2]->in_queue | w.conns[3]->in_queue, 0);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_queued_goes_on_leaving),
        cmocka_unit_test(an_answer_begun_is_written_to_its_end),
        cmocka_unit_test(a_close_begun_goes_on),
        cmocka_unit_test(who_vanishes_is_gone_and_its_hook_waits),
        cmocka_unit_test(what_is_said_while_frozen_is_heard_after_it),
        cmocka_unit_test(what_lies_behind_a_freeze_in_one_read_waits),
        cmocka_unit_test(a_blocked_peer_that_recovers_is_read_after_it),
        cmocka_unit_test(newcomers_are_accepted_after_it),
        cmocka_unit_test(a_server_that_begins_to_listen_frozen_accepts_later),
        cmocka_unit_test(what_waits_does_not_keep_the_loop_busy),
        cmocka_unit_test(whoever_was_silent_is_not_looked_at_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
