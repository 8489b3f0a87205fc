/* A listener that finds no descriptor, of the process or of the machine.
 * SPDX-License-Identifier: MIT */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/listener.h"
#include "nth_call.h"

enum { WAIT_MS = 30000, REST_MS = 100 };

static tw__loop loop;
static tw__poller poller;
static tw__clockwork clockwork;
static tw__listener listener;
static tw__address bound;
static int accepted, refused, last_refusal;

static void on_accept(tw__listener *self, int fd, const tw__address *peer) {
    (void)self;
    (void)peer;
    accepted++;
    close(fd);
}

static void on_refused(tw__listener *self, int error) {
    (void)self;
    refused++;
    last_refusal = error;
}

static int set_up(void **state) {
    tw__address address;
    int fd = -1;
    (void)state;
    accepted = refused = 0;
    nth_set(NTH_COUNT, 0, 0, 0);
    memset(&listener, 0, sizeof listener);
    listener.on_accept = on_accept;
    listener.on_refused = on_refused;
    tw__address_parse(&address, "127.0.0.1:0");
    if (tw__loop_init(&loop, NULL) != 0) {
        return -1;
    }
    tw__loop_hold(&loop, (tw__loop_now(&loop) / 1000 + 1) * 1000);
    return tw__poller_init(&poller, &loop) != 0 ||
           tw__clockwork_init(&clockwork, &loop) != 0 ||
           tw__socket_listen(&address, 128, 0, &fd) != 0 ||
           tw__socket_local(fd, &bound) != 0 ||
           tw__listener_start(&listener, &poller, &clockwork, fd) != 0;
}

static int tear_down(void **state) {
    (void)state;
    tw__listener_stop(&listener, false);
    tw__poller_close(&poller);
    tw__clockwork_close(&clockwork);
    tw__loop_close(&loop, NULL, NULL);
    return 0;
}

static uint64_t real_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int connect_one(void) {
    int fd = -1;
    struct pollfd ready = {.events = POLLIN, .fd = listener._io.fd};
    assert_int_equal(tw__socket_connect(&bound, &fd), 0);
    assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
    return fd;
}

static bool is_ended(int fd) {
    char byte;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, WAIT_MS) == 1 && read(fd, &byte, 1) == 0;
}

/* A turn with the plan in force. */
static void turn(uint64_t wait_ms) {
    call_go_on(NULL);
    tw__loop_run_once(&loop, wait_ms);
    call_hold(NULL);
}

static void pass(uint64_t ms) {
    tw__loop_advance(&loop, ms);
    while (tw__loop_is_advancing(&loop)) {
        turn(0);
    }
}

static void accepts(int wanted) {
    uint64_t until = real_ms() + WAIT_MS;
    while (accepted < wanted) {
        assert_true(real_ms() < until);
        turn(10);
    }
}

static void accepts_after_a_rest(void) {
    int late = connect_one();
    pass(REST_MS - 1);
    assert_int_equal(accepted, 0);
    pass(1);
    accepts(1);
    close(late);
}

static void who_comes_then_is_sent_away_at_once(void **state) {
    const int *shortage = *state;
    int client = connect_one();
    nth_set(NTH_accept4, *shortage, 1, 0);
    turn(WAIT_MS);
    assert_int_equal(nth_plan.struck, 1);
    assert_int_equal(refused, 1);
    assert_int_equal(last_refusal, *shortage);
    assert_int_equal(accepted, 0);
    assert_true(is_ended(client));
    assert_true(listener._reserve >= 0);
    accepts_after_a_rest();
    close(client);
}

/* Somebody else was faster with the descriptor that was given up: he waits, and
 * the listener rests; nothing spins. */
static void when_even_that_fails_he_waits(void **state) {
    const int *shortage = *state;
    int client = connect_one();
    nth_set(NTH_accept4, *shortage, 1, 1);
    turn(WAIT_MS);
    size_t struck = nth_plan.struck;
    assert_int_equal(refused, 0);
    pass(0);
    uint64_t began = real_ms();
    turn(20);
    assert_true(real_ms() - began >= 19);
    assert_int_equal(nth_plan.struck, struck);
    nth_set(NTH_COUNT, 0, 0, 0);
    pass(REST_MS);
    accepts(1);
    close(client);
}

static void a_reserve_that_cannot_be_had_again_is_had_later(void **state) {
    const int *shortage = *state;
    close(listener._reserve);
    listener._reserve = -1;
    for (int i = 0; i < 2; i++) {
        int client = connect_one();
        nth_set(NTH_accept4, *shortage, 1, 0);
        turn(WAIT_MS);
        assert_int_equal(nth_plan.struck, 1);
        nth_set(NTH_open, *shortage, i == 0 ? 1 : 0, 0);
        pass(REST_MS);
        assert_int_equal(nth_plan.struck, i == 0 ? 1 : 0);
        assert_int_equal(listener._reserve >= 0, i == 1);
        accepts(i + 1); /* there was nothing to give up for him */
        close(client);
    }
    assert_int_equal(refused, 0);
}

/* Those who queue when it is to end are refused the same way. */
static void the_queue_is_emptied_of_them_too(void **state) {
    const int *shortage = *state;
    int client = connect_one();
    nth_set(NTH_accept4, *shortage, 1, 0);
    call_go_on(NULL);
    tw__listener_accept_queued(&listener);
    call_hold(NULL);
    assert_int_equal(refused, 1);
    assert_true(is_ended(client));
    close(client);
}

/* The state of a test is the error. */
static int shortages[] = {EMFILE, ENFILE};

#define WITH(test, i)                                                          \
    cmocka_unit_test_prestate_setup_teardown(test, set_up, tear_down,          \
                                             &shortages[i])
#define WITH_BOTH(test) WITH(test, 0), WITH(test, 1)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BOTH(who_comes_then_is_sent_away_at_once),
        WITH_BOTH(when_even_that_fails_he_waits),
        WITH_BOTH(a_reserve_that_cannot_be_had_again_is_had_later),
        WITH_BOTH(the_queue_is_emptied_of_them_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
