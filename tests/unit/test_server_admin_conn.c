/* Connections of the admin member: their time limits, answers that are taken
 * slowly, and peers that go. The time is held; the other end is in the test.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/admin_state.h"

enum { IDLE_MS = 15000, STALL_MS = 15000, LINGER_MS = 1000 };

static tw__job job;
static tw__admin admin;
static char text[1 << 20]; /* what the peer has read */
static size_t text_len;

static bool on_turn_end(tw__turn_hook *hook) {
    (void)hook;
    tw__list *node;
    while ((node = tw__list_shift(&admin.dead)) != NULL) {
        tw__admin_conn_free(TW__CONTAINER(node, tw__admin_conn, node));
    }
    return false;
}

static int open_admin(void **state) {
    (void)state;
    job = (tw__job){.slots = 1};
    job.board = tw__board_create(1);
    job.addresses = calloc(1, sizeof *job.addresses);
    admin = (tw__admin){.job = &job, .control = {NULL, -1}};
    tw__list_init(&admin.conns);
    tw__list_init(&admin.dead);
    tw__list_init(&admin.dead_asks);
    assert_int_equal(tw__loop_init(&admin.loop, NULL), 0);
    /* On a beat of the clockwork, so that its times are exact. */
    tw__loop_hold(&admin.loop, (tw__loop_now(&admin.loop) / 1000 + 1) * 1000);
    assert_int_equal(tw__poller_init(&admin.poller, &admin.loop), 0);
    assert_int_equal(tw__clockwork_init(&admin.clockwork, &admin.loop), 0);
    admin.router = tw__http_router_create();
    assert_int_equal(tw__admin_add_routes(admin.router), 0);
    tw__loop_add_hook(&admin.loop, &admin.close_hook, on_turn_end,
                      TW__TURN_CLOSE);
    text_len = 0;
    return 0;
}

static int close_admin(void **state) {
    (void)state;
    while (!tw__list_is_empty(&admin.conns)) {
        tw__admin_conn_close(
            TW__CONTAINER(admin.conns.next, tw__admin_conn, node));
    }
    on_turn_end(&admin.close_hook);
    assert_int_equal(admin.conn_count, 0);
    tw__loop_remove_hook(&admin.close_hook);
    tw__http_router_destroy(admin.router, NULL);
    tw__clockwork_close(&admin.clockwork);
    tw__poller_close(&admin.poller);
    tw__loop_close(&admin.loop, NULL, NULL);
    free(job.addresses);
    tw__board_destroy(job.board);
    return 0;
}

/* ---- time and bytes ----------------------------------------------------- */

/* The kernel hears what is waited for with the next turn: before that no event
 * keeps the time from going on. */
static void pass(uint64_t ms) {
    tw__loop_run_once(&admin.loop, 0);
    tw__loop_advance(&admin.loop, ms);
    while (tw__loop_is_advancing(&admin.loop)) {
        tw__loop_run_once(&admin.loop, 1);
    }
}

static void set_buffer(int fd, int which, int bytes) {
    if (bytes > 0) {
        assert_int_equal(
            setsockopt(fd, SOL_SOCKET, which, &bytes, sizeof bytes), 0);
    }
}

/* A connection whose buffers are `bytes` (0: as usual); the peer's end. */
static int connect_with(int bytes) {
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
    set_buffer(pair[0], SO_SNDBUF, bytes);
    set_buffer(pair[1], SO_RCVBUF, bytes);
    tw__admin_conn_open(&admin, pair[0], NULL, true);
    return pair[1];
}

static void say(int peer, const char *request) {
    assert_int_equal(send(peer, request, strlen(request), MSG_NOSIGNAL),
                     strlen(request));
    pass(0);
}

/* Adds to `text`; false when the other end has closed. */
static bool read_some(int peer) {
    for (;;) {
        ssize_t got =
            recv(peer, text + text_len, sizeof text - 1 - text_len, 0);
        if (got <= 0) {
            text[text_len] = '\0';
            return got < 0 && errno == EAGAIN;
        }
        text_len += (size_t)got;
    }
}

/* Adds all that there is to come without time going on. */
static void read_rest(int peer) {
    for (size_t before = SIZE_MAX; before != text_len;) {
        before = text_len;
        pass(0);
        assert_true(read_some(peer));
    }
}

static unsigned count(const char *what) {
    unsigned times = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++) {
        times++;
    }
    return times;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

/* ---- time limits -------------------------------------------------------- */

static void one_that_says_nothing_is_closed_without_a_word(void **state) {
    (void)state;
    int peer = connect_with(0);
    pass(IDLE_MS - 1);
    assert_true(read_some(peer));
    pass(1);
    assert_false(read_some(peer));
    assert_int_equal(text_len, 0);
    close(peer);
}

static void one_that_is_kept_has_as_long_for_its_next_request(void **state) {
    (void)state;
    int peer = connect_with(0);
    pass(IDLE_MS - TW__WHEEL_TICK_MS);
    say(peer, GET("/health"));
    assert_true(read_some(peer));
    assert_int_equal(count("HTTP/1.1 200 OK"), 1);
    pass(IDLE_MS - 1);
    assert_true(read_some(peer));
    pass(1);
    assert_false(read_some(peer));
    assert_int_equal(count("HTTP/1.1 "), 1);
    close(peer);
}

static void half_a_request_is_answered_with_408_and_then_closed(void **state) {
    (void)state;
    int peer = connect_with(0);
    say(peer, "GET /health HTTP/1.1\r\nHo");
    pass(IDLE_MS - 1);
    assert_true(read_some(peer));
    assert_int_equal(text_len, 0);
    pass(1);
    assert_false(read_some(peer)); /* the answer, and that it was the last */
    assert_int_equal(count("HTTP/1.1 408 "), 1);
    assert_int_equal(count("Connection: close"), 1);
    assert_int_equal(admin.conn_count, 1);
    pass(LINGER_MS - 1);
    assert_int_equal(admin.conn_count, 1);
    pass(1);
    assert_int_equal(admin.conn_count, 0);
    close(peer);
}

static void what_comes_behind_the_last_answer_is_not_heard(void **state) {
    (void)state;
    int peer = connect_with(0);
    say(peer, "GET /health HTTP/1.1\r\nHost: localhost\r\n"
              "Connection: close\r\n\r\n");
    say(peer, GET("/health"));
    assert_false(read_some(peer));
    assert_int_equal(count("HTTP/1.1 200 OK"), 1);
    close(peer);
    pass(0);
    assert_int_equal(admin.conn_count, 0);
}

/* ---- answers that are not taken ----------------------------------------- */

enum { MANY = 30 };

static void answers_go_on_as_they_are_read(void **state) {
    (void)state;
    int peer = connect_with(4096);
    for (int i = 0; i < MANY; i++) {
        say(peer, GET("/metrics"));
    }
    assert_true(read_some(peer));
    assert_true(count("# HELP tidewire_build_info") < MANY);
    while (count("HTTP/1.1 200 OK") < MANY) {
        pass(STALL_MS - TW__WHEEL_TICK_MS); /* as slow as may be */
        assert_true(read_some(peer));
    }
    read_rest(peer);
    assert_int_equal(count("# HELP tidewire_build_info"), MANY);
    say(peer, GET("/health"));
    assert_true(read_some(peer));
    assert_int_equal(count("HTTP/1.1 200 OK"), MANY + 1);
    close(peer);
}

static void an_answer_that_is_not_read_is_given_up(void **state) {
    (void)state;
    int peer = connect_with(4096);
    say(peer, GET("/metrics"));
    pass(STALL_MS - 1);
    assert_int_equal(admin.conn_count, 1);
    pass(1);
    assert_int_equal(admin.conn_count, 0);
    close(peer);
}

static void a_peer_that_goes_before_its_answer_does_no_harm(void **state) {
    (void)state;
    int peer = connect_with(4096);
    say(peer, GET("/metrics"));
    close(peer);
    pass(0);
    assert_int_equal(admin.conn_count, 0);
    peer = connect_with(0);
    const char *request = GET("/health");
    assert_int_equal(send(peer, request, strlen(request), 0), strlen(request));
    close(peer); /* before anything of it is read */
    pass(0);
    assert_int_equal(admin.conn_count, 0);
}

/* ---- requests ----------------------------------------------------------- */

static void a_body_that_waits_for_100_is_asked_for(void **state) {
    (void)state;
    int peer = connect_with(0);
    say(peer, "POST /health HTTP/1.1\r\nHost: localhost\r\n"
              "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_true(read_some(peer));
    assert_string_equal(text, "HTTP/1.1 100 Continue\r\n\r\n");
    say(peer, "hello");
    assert_true(read_some(peer));
    assert_int_equal(count("HTTP/1.1 405 "), 1);
    close(peer);
}

static void a_body_that_is_too_long_is_refused(void **state) {
    (void)state;
    int peer = connect_with(0);
    say(peer, "POST /api/drain HTTP/1.1\r\nHost: localhost\r\n"
              "Content-Length: 4097\r\n\r\n");
    assert_false(read_some(peer));
    assert_int_equal(count("HTTP/1.1 413 "), 1);
    close(peer);
}

static void who_wants_to_upgrade_is_answered_and_sent_away(void **state) {
    (void)state;
    int peer = connect_with(0);
    say(peer,
        "GET /health HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_false(read_some(peer));
    assert_int_equal(count("HTTP/1.1 "), 1);
    assert_int_equal(count("HTTP/1.1 200 OK"), 1);
    assert_int_equal(count("Connection: close"), 1);
    close(peer);
}

static void without_a_master_a_change_is_refused(void **state) {
    (void)state;
    int peer = connect_with(0);
    say(peer, "POST /api/reload HTTP/1.1\r\nHost: localhost\r\n"
              "Content-Length: 0\r\n\r\n");
    assert_true(read_some(peer));
    assert_int_equal(count("HTTP/1.1 503 "), 1);
    assert_int_equal(count("the master does not listen"), 1);
    say(peer, GET("/health"));
    assert_true(read_some(peer));
    assert_int_equal(count("HTTP/1.1 200 OK"), 1);
    close(peer);
}

static void beyond_the_limit_newcomers_are_closed_at_once(void **state) {
    (void)state;
    int peers[TW__ADMIN_CONNS + 1];
    for (int i = 0; i <= TW__ADMIN_CONNS; i++) {
        peers[i] = connect_with(0);
    }
    pass(0);
    assert_int_equal(admin.conn_count, TW__ADMIN_CONNS);
    assert_true(read_some(peers[TW__ADMIN_CONNS - 1]));
    assert_false(read_some(peers[TW__ADMIN_CONNS]));
    close(peers[0]); /* one goes: there is room */
    pass(0);
    int another = connect_with(0);
    say(another, GET("/health"));
    assert_true(read_some(another));
    assert_int_equal(count("HTTP/1.1 200 OK"), 1);
    close(another);
    for (int i = 1; i <= TW__ADMIN_CONNS; i++) {
        close(peers[i]);
    }
    pass(0);
    assert_int_equal(admin.conn_count, 0);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, open_admin, close_admin)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(one_that_says_nothing_is_closed_without_a_word),
        TEST(one_that_is_kept_has_as_long_for_its_next_request),
        TEST(half_a_request_is_answered_with_408_and_then_closed),
        TEST(what_comes_behind_the_last_answer_is_not_heard),
        TEST(answers_go_on_as_they_are_read),
        TEST(an_answer_that_is_not_read_is_given_up),
        TEST(a_peer_that_goes_before_its_answer_does_no_harm),
        TEST(a_body_that_waits_for_100_is_asked_for),
        TEST(a_body_that_is_too_long_is_refused),
        TEST(who_wants_to_upgrade_is_answered_and_sent_away),
        TEST(without_a_master_a_change_is_refused),
        TEST(beyond_the_limit_newcomers_are_closed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
