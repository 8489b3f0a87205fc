/* What becomes of those who come when a server drains.
 * SPDX-License-Identifier: MIT */
#include "tls_probe.h"

#include <poll.h>

enum {
    LIMIT_MS = 60000,
    NEWCOMER_MS = 1000,
    STEP_MS = 100 /* in which it is noticed that something is over */
};

/* `condition` must come when so much time has passed, or a step later. */
#define expect_after(w, ms, condition)                                         \
    do {                                                                       \
        world_pass((w), (ms)-1);                                               \
        assert_false(condition);                                               \
        world_pass((w), STEP_MS);                                              \
        world_until((w), condition);                                           \
    } while (0)

static void note_drained(tw_server *server, void *arg) {
    (void)server;
    *(bool *)arg = true;
}

/* Waits until the kernel has so many in the queue of the server, tcp(7). */
static void wait_in_queue(world *w, unsigned count) {
    struct tcp_info info;
    socklen_t len = sizeof info;
    uint64_t until = real_ms() + WORLD_PATIENCE_MS;
    do {
        assert_true(real_ms() < until);
        assert_int_equal(getsockopt(w->server->listeners[0]._io.fd, IPPROTO_TCP,
                                    TCP_INFO, &info, &len),
                         0);
    } while (info.tcpi_unacked < count);
}

/* Not a turn of the server meanwhile. */
static void say_unheard(client *c, const char *text) {
    struct pollfd ready = {c->fd, POLLOUT, 0};
    assert_int_equal(poll(&ready, 1, WORLD_PATIENCE_MS), 1);
    assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL),
                     strlen(text));
}

static void who_waits_in_the_queue_is_told(void **state) {
    enum { MANY = 60 };
    world w;
    bool is_drained = false;
    client *late[MANY];
    (void)state;
    world_open(&w);
    client *c = client_open(&w);
    for (int i = 0; i < MANY; i++) {
        late[i] = client_connect(&w, 0);
    }
    wait_in_queue(&w, MANY);
    for (int i = 0; i < MANY; i++) {
        say_unheard(late[i], HANDSHAKE("/chat"));
    }
    tw_server_drain(w.server, LIMIT_MS, note_drained, &is_drained);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(client_status(&w, late[i]), 503);
        assert_non_null(strstr(late[i]->head, "\r\nRetry-After: 1\r\n"));
        assert_non_null(strstr(late[i]->head, "\r\nConnection: close\r\n"));
    }
    assert_false(is_drained); /* the first one's turn has not come */
    assert_true(c->len == 0 && !c->is_ended);
    world_close(&w);
}

static void a_page_is_served_once_more(void **state) {
    world w;
    (void)state;
    world_init(&w);
    w.routes[1] = (tw_route_config){.kind = TW_ROUTE_HTTP, .pattern = "/page"};
    w.route_count = 2;
    world_start(&w);
    client *late = client_connect(&w, 0);
    wait_in_queue(&w, 1);
    say_unheard(late, "GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
    tw_server_drain(w.server, LIMIT_MS, NULL, NULL);
    assert_int_equal(client_status(&w, late), 200);
    assert_non_null(strstr(late->head, "\r\nConnection: close\r\n"));
    world_close(&w);
}

static void nobody_new_gets_into_the_queue(void **state) {
    world w;
    (void)state;
    world_open(&w);
    struct sockaddr_in to = world_address(&w);
    client_open(&w);
    tw_server_drain(w.server, LIMIT_MS, NULL, NULL);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    world_close(&w);
}

static void one_that_never_listened_does_not_begin_to(void **state) {
    world w;
    bool is_drained = false;
    (void)state;
    world_init(&w);
    assert_int_equal(tw_server_create(&w.server, &w.config, NULL, 0), 0);
    struct sockaddr_in to = world_address(&w);
    tw_server_drain(w.server, LIMIT_MS, note_drained, &is_drained);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    world_until(&w, is_drained);
    world_close(&w);
}

static void a_mute_newcomer_has_a_second(void **state) {
    world w;
    bool is_drained = false;
    (void)state;
    world_open(&w);
    client *mute = client_connect(&w, 0);
    wait_in_queue(&w, 1);
    tw_server_drain(w.server, LIMIT_MS, note_drained, &is_drained);
    expect_after(&w, NEWCOMER_MS, mute->is_ended);
    client_close(mute);
    world_until(&w, is_drained);
    world_close(&w);
}

/* Who has been mute for longer has had it. */
static void who_was_mute_before_is_ended_at_once(void **state) {
    world w;
    bool is_drained = false;
    (void)state;
    world_open(&w);
    client *mute = client_connect(&w, 0);
    world_until(&w, counter(&w, TW_COUNTER_ACCEPTED) == 1);
    world_pass(&w, NEWCOMER_MS);
    tw_server_drain(w.server, LIMIT_MS, note_drained, &is_drained);
    world_pass(&w, STEP_MS);
    world_until(&w, mute->is_ended);
    client_close(mute);
    world_pass(&w, STEP_MS);
    world_until(&w, is_drained);
    world_close(&w);
}

static void who_waits_in_the_queue_is_told_over_tls(void **state) {
    static world w;
    static secure_world s;
    (void)state;
    secure_open(&s, &w);
    secure *c = secure_new(&w, secure_context(&s, 0), "a.test", 0);
    wait_in_queue(&w, 1);
    tw_server_drain(w.server, LIMIT_MS, NULL, NULL);
    secure_shake(c);
    secure_send(c, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    assert_int_equal(secure_status(c), 503);
    secure_until(c, c->is_shut);
    secure_free(c);
    secure_close(&s);
}

static void at_the_limit_they_are_cut_like_all(void **state) {
    enum { SHORT_MS = 300 };
    world w;
    bool is_drained = false;
    (void)state;
    world_open(&w);
    client *mute = client_connect(&w, 0);
    wait_in_queue(&w, 1);
    tw_server_drain(w.server, SHORT_MS, note_drained, &is_drained);
    expect_after(&w, SHORT_MS, is_drained);
    world_until(&w, mute->is_ended || mute->error != 0);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_in_the_queue_is_told),
        cmocka_unit_test(a_page_is_served_once_more),
        cmocka_unit_test(nobody_new_gets_into_the_queue),
        cmocka_unit_test(one_that_never_listened_does_not_begin_to),
        cmocka_unit_test(a_mute_newcomer_has_a_second),
        cmocka_unit_test(who_was_mute_before_is_ended_at_once),
        cmocka_unit_test(who_waits_in_the_queue_is_told_over_tls),
        cmocka_unit_test(at_the_limit_they_are_cut_like_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
