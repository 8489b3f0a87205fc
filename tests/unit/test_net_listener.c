/* Accepting in batches, and without descriptors.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/listener.h"

enum { WAIT_MS = 30000, MANY = 100, QUEUED = 3, REST_MS = 100 };

static tw__loop loop;
static tw__poller poller;
static tw__clockwork clockwork;
static tw__listener listener;
static tw__address bound;
static int accepted, refused, last_refusal;
static int servers[MANY];
static bool stops_in_callback;

static void on_accept(tw__listener *self, int fd, const tw__address *peer) {
    char ip[TW__ADDRESS_TEXT];
    tw__address_format_ip(peer, ip);
    assert_string_equal(ip, "127.0.0.1");
    assert_ptr_equal(self->arg, &accepted);
    assert_true(accepted < MANY);
    servers[accepted++] = fd;
    if (stops_in_callback) {
        tw__listener_stop(self, false);
    }
}

static void on_refused(tw__listener *self, int error) {
    refused++;
    last_refusal = error;
    if (stops_in_callback) {
        tw__listener_stop(self, false);
    }
}

static int open_listening(void) {
    int fd = -1;
    tw__address address;
    tw__address_parse(&address, "127.0.0.1:0");
    assert_int_equal(tw__socket_listen(&address, 128, 0, &fd), 0);
    assert_int_equal(tw__socket_local(fd, &bound), 0);
    return fd;
}

/* The clock is held: a rest ends when the test lets time pass. */
static int set_up(void **state) {
    (void)state;
    accepted = refused = 0;
    stops_in_callback = false;
    memset(&listener, 0, sizeof listener);
    listener.on_accept = on_accept;
    listener.on_refused = on_refused;
    listener.arg = &accepted;
    if (tw__loop_init(&loop, NULL) != 0) {
        return -1;
    }
    tw__loop_hold(&loop, (tw__loop_now(&loop) / 1000 + 1) * 1000);
    return tw__poller_init(&poller, &loop) != 0 ||
           tw__clockwork_init(&clockwork, &loop) != 0 ||
           tw__listener_start(&listener, &poller, &clockwork,
                              open_listening()) != 0;
}

static int tear_down(void **state) {
    (void)state;
    for (int i = 0; i < accepted; i++) {
        close(servers[i]);
    }
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

/* How many connections wait to be accepted, tcp(7). */
static unsigned queued_at(int fd) {
    struct tcp_info info;
    socklen_t len = sizeof info;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info.tcpi_unacked;
}

/* Connects, and waits until the listening socket `to` has it, too: to the
 * client it is open a little earlier. */
static int connect_to(int to) {
    int fd = -1;
    unsigned queued = queued_at(to);
    uint64_t until = real_ms() + WAIT_MS;
    assert_int_equal(tw__socket_connect(&bound, &fd), 0);
    while (queued_at(to) == queued) {
        assert_true(real_ms() < until);
    }
    assert_int_equal(tw__socket_connect_result(fd), 0);
    return fd;
}

static int connect_one(void) {
    return connect_to(listener._io.fd);
}

static void pass(uint64_t ms) {
    tw__loop_advance(&loop, ms);
    while (tw__loop_is_advancing(&loop)) {
        tw__loop_run_once(&loop, 0);
    }
}

static void run_until_accepted(int wanted) {
    uint64_t began = real_ms();
    while (accepted < wanted) {
        tw__loop_run_once(&loop, WAIT_MS);
        assert_true(real_ms() - began < WAIT_MS);
    }
}

static void newcomers_are_accepted_in_batches(void **state) {
    (void)state;
    int clients[MANY];
    for (int i = 0; i < MANY; i++) {
        clients[i] = connect_one();
    }
    tw__loop_run_once(&loop, WAIT_MS);
    assert_int_equal(accepted, 64);
    run_until_accepted(MANY);
    assert_int_equal(refused, 0);
    for (int i = 0; i < MANY; i++) {
        assert_true(fcntl(servers[i], F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(servers[i], F_GETFD) & FD_CLOEXEC);
        close(clients[i]);
    }
}

static void a_callback_may_stop_the_listener(void **state) {
    (void)state;
    int first = connect_one(), second = connect_one();
    stops_in_callback = true;
    run_until_accepted(1);
    tw__loop_run_once(&loop, 0);
    assert_int_equal(accepted, 1);
    tw__listener_stop(&listener, false); /* once more does no harm */
    close(first);
    close(second);
}

static void a_kept_descriptor_goes_on_queueing(void **state) {
    (void)state;
    int fd = listener._io.fd;
    tw__listener_stop(&listener, true);
    int client = connect_to(fd);
    tw__loop_run_once(&loop, 0);
    assert_int_equal(accepted, 0);
    assert_int_equal(tw__listener_start(&listener, &poller, &clockwork, fd), 0);
    run_until_accepted(1);
    close(client);
}

static void stopping_one_that_never_started_does_nothing(void **state) {
    (void)state;
    tw__listener idle;
    memset(&idle, 0, sizeof idle);
    tw__listener_stop(&idle, false);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0 || errno == EBADF);
}

static void a_failed_start_takes_the_descriptor_too(void **state) {
    (void)state;
    tw__listener other = {.on_accept = on_accept};
    tw__io io = {NULL, open_listening()};
    assert_int_equal(tw__poller_add(&poller, &io, TW__READ), 0);
    assert_true(tw__listener_start(&other, &poller, &clockwork, io.fd) != 0);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(fcntl(io.fd, F_GETFD), -1);
    tw__listener_stop(&other, false);
}

static struct rlimit full_limit;

/* From here on the process has no descriptor left to open. */
static void take_all_descriptors(void) {
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &full_limit), 0);
    int lowest_free = dup(STDERR_FILENO);
    assert_true(lowest_free >= 0);
    close(lowest_free);
    struct rlimit lowered = full_limit;
    lowered.rlim_cur = (rlim_t)lowest_free;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
}

static void give_descriptors_back(void) {
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &full_limit), 0);
}

static bool is_ended(int fd) {
    char byte;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, WAIT_MS) == 1 && read(fd, &byte, 1) == 0;
}

static void without_descriptors_newcomers_are_sent_away(void **state) {
    (void)state;
    int clients[QUEUED];
    for (int i = 0; i < QUEUED; i++) {
        clients[i] = connect_one();
    }
    take_all_descriptors();
    tw__loop_run_once(&loop, WAIT_MS);
    give_descriptors_back();
    assert_int_equal(accepted, 0);
    assert_int_equal(refused, QUEUED);
    assert_int_equal(last_refusal, EMFILE);
    for (int i = 0; i < QUEUED; i++) {
        assert_true(is_ended(clients[i]));
        close(clients[i]);
    }
}

static void after_a_shortage_it_rests_and_then_accepts_again(void **state) {
    (void)state;
    int client = connect_one();
    take_all_descriptors();
    tw__loop_run_once(&loop, WAIT_MS);
    give_descriptors_back();
    assert_int_equal(refused, 1);
    int late = connect_one();
    pass(REST_MS - 1);
    assert_int_equal(accepted, 0);
    pass(1);
    run_until_accepted(1);
    assert_int_equal(refused, 1);
    close(client);
    close(late);
}

static void a_long_shortage_neither_spins_nor_ends_it(void **state) {
    (void)state;
    int first = connect_one(), second = connect_one();
    take_all_descriptors();
    tw__loop_run_once(&loop, WAIT_MS);
    for (int i = 0; i < 5; i++) {
        pass(i == 0 ? 0 : REST_MS);
        uint64_t began = real_ms();
        tw__loop_run_once(&loop, 20);
        assert_true(real_ms() - began >= 19); /* nothing wakes it */
    }
    give_descriptors_back();
    assert_int_equal(refused, 2);
    int late = connect_one();
    pass(REST_MS);
    run_until_accepted(1);
    close(first);
    close(second);
    close(late);
}

static void a_lost_reserve_is_taken_again_after_the_rest(void **state) {
    (void)state;
    close(listener._reserve);
    listener._reserve = -1;
    int client = connect_one();
    take_all_descriptors();
    tw__loop_run_once(&loop, WAIT_MS);
    assert_int_equal(refused, 0); /* he waits in the queue */
    give_descriptors_back();
    pass(REST_MS);
    run_until_accepted(1);
    assert_true(listener._reserve >= 0);
    close(client);
}

static void a_refusal_may_stop_the_listener(void **state) {
    (void)state;
    int first = connect_one(), second = connect_one();
    stops_in_callback = true;
    take_all_descriptors();
    tw__loop_run_once(&loop, WAIT_MS);
    give_descriptors_back();
    assert_int_equal(refused, 1);
    close(first);
    close(second);
}

static void a_stop_while_resting_is_the_end(void **state) {
    (void)state;
    int client = connect_one();
    take_all_descriptors();
    tw__loop_run_once(&loop, WAIT_MS);
    give_descriptors_back();
    tw__listener_stop(&listener, false);
    pass(2 * REST_MS);
    assert_int_equal(accepted, 0);
    close(client);
}

static void while_paused_newcomers_wait_in_the_queue(void **state) {
    (void)state;
    tw__listener_pause(&listener);
    int client = connect_one();
    uint64_t began = real_ms();
    tw__loop_run_once(&loop, 0);
    tw__loop_run_once(&loop, 20);
    assert_true(real_ms() - began >= 19); /* nothing wakes it */
    assert_int_equal(accepted, 0);
    tw__listener_resume(&listener);
    run_until_accepted(1);
    close(client);
}

static void pause_listener(tw__listener *self, int fd,
                           const tw__address *peer) {
    on_accept(self, fd, peer);
    tw__listener_pause(self);
}

static void a_callback_may_pause_the_listener(void **state) {
    (void)state;
    listener.on_accept = pause_listener;
    int first = connect_one(), second = connect_one();
    run_until_accepted(1);
    tw__loop_run_once(&loop, 0);
    assert_int_equal(accepted, 1);
    tw__listener_resume(&listener);
    run_until_accepted(2);
    close(first);
    close(second);
}

static void a_rest_goes_on_through_a_pause(void **state) {
    (void)state;
    int client = connect_one();
    take_all_descriptors();
    tw__loop_run_once(&loop, WAIT_MS);
    give_descriptors_back();
    assert_int_equal(refused, 1);
    int late = connect_one();
    tw__listener_pause(&listener);
    tw__listener_resume(&listener);
    pass(REST_MS - 1);
    assert_int_equal(accepted, 0);
    tw__listener_pause(&listener);
    pass(REST_MS);
    tw__loop_run_once(&loop, 0);
    assert_int_equal(accepted, 0); /* rested, but still paused */
    tw__listener_resume(&listener);
    run_until_accepted(1);
    close(client);
    close(late);
}

static void pausing_one_that_never_started_does_nothing(void **state) {
    (void)state;
    tw__listener other = {0};
    tw__listener_pause(&other);
    tw__listener_resume(&other);
    assert_false(other._is_paused);
}

#define IN_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_LOOP(newcomers_are_accepted_in_batches),
        IN_LOOP(a_callback_may_stop_the_listener),
        IN_LOOP(a_kept_descriptor_goes_on_queueing),
        IN_LOOP(stopping_one_that_never_started_does_nothing),
        IN_LOOP(a_failed_start_takes_the_descriptor_too),
        IN_LOOP(without_descriptors_newcomers_are_sent_away),
        IN_LOOP(after_a_shortage_it_rests_and_then_accepts_again),
        IN_LOOP(a_long_shortage_neither_spins_nor_ends_it),
        IN_LOOP(a_lost_reserve_is_taken_again_after_the_rest),
        IN_LOOP(a_refusal_may_stop_the_listener),
        IN_LOOP(a_stop_while_resting_is_the_end),
        IN_LOOP(while_paused_newcomers_wait_in_the_queue),
        IN_LOOP(a_callback_may_pause_the_listener),
        IN_LOOP(a_rest_goes_on_through_a_pause),
        IN_LOOP(pausing_one_that_never_started_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
