/* Readiness through one nested epoll descriptor.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/poller.h"
#include "tidewire/errors.h"

enum { WAIT_MS = 10000, MANY = 900 };

static tw__loop loop;
static tw__poller poller;

/* A descriptor, its other end, and what its callback does. */
struct end {
    tw__io io;
    int other;
    unsigned events; /* of the last call */
    int calls;
    void (*then)(struct end *end);
    struct end *victim;
};

static void on_end(tw__io *io, unsigned events) {
    struct end *end = TW__CONTAINER(io, struct end, io);
    end->events = events;
    end->calls++;
    if (end->then != NULL) {
        end->then(end);
    }
}

static void open_end(struct end *end, unsigned interest) {
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
                     0);
    memset(end, 0, sizeof *end);
    end->io = (tw__io){on_end, pair[0]};
    end->other = pair[1];
    assert_int_equal(tw__poller_add(&poller, &end->io, interest), 0);
}

static void close_end(struct end *end) {
    tw__poller_remove(&poller, &end->io);
    close(end->io.fd);
    close(end->other);
    end->io.fd = -1;
}

static void make_readable(struct end *end) {
    assert_int_equal(write(end->other, "x", 1), 1);
}

static void read_one(struct end *end) {
    char byte;
    assert_int_equal(read(end->io.fd, &byte, 1), 1);
}

static int set_up(void **state) {
    (void)state;
    return tw__loop_init(&loop, NULL) != 0 ||
           tw__poller_init(&poller, &loop) != 0;
}

static int tear_down(void **state) {
    (void)state;
    tw__poller_close(&poller);
    tw__loop_close(&loop, NULL, NULL);
    return 0;
}

static void a_readable_descriptor_is_told_until_it_is_read(void **state) {
    (void)state;
    struct end end;
    open_end(&end, TW__READ);
    tw__loop_run_once(&loop, 0);
    assert_int_equal(end.calls, 0);
    make_readable(&end);
    tw__loop_run_once(&loop, WAIT_MS);
    tw__loop_run_once(&loop, WAIT_MS);
    assert_int_equal(end.calls, 2);
    assert_int_equal(end.events, TW__READ);
    read_one(&end);
    tw__loop_run_once(&loop, 0);
    assert_int_equal(end.calls, 2);
    close_end(&end);
}

static void only_what_is_of_interest_is_told(void **state) {
    (void)state;
    struct end end;
    open_end(&end, TW__WRITE);
    make_readable(&end);
    tw__loop_run_once(&loop, WAIT_MS);
    assert_int_equal(end.events, TW__WRITE);
    assert_int_equal(tw__poller_modify(&poller, &end.io, TW__READ | TW__WRITE),
                     0);
    tw__loop_run_once(&loop, WAIT_MS);
    assert_int_equal(end.events, TW__READ | TW__WRITE);
    assert_int_equal(tw__poller_modify(&poller, &end.io, 0), 0);
    tw__loop_run_once(&loop, 0);
    assert_int_equal(end.calls, 2);
    close_end(&end);
}

static void a_half_closed_peer_shows_as_a_hangup_when_asked_for(void **state) {
    (void)state;
    struct end asking, other;
    open_end(&asking, TW__HANGUP);
    open_end(&other, TW__READ);
    shutdown(asking.other, SHUT_WR);
    shutdown(other.other, SHUT_WR);
    tw__loop_run_once(&loop, WAIT_MS);
    assert_int_equal(asking.events, TW__HANGUP);
    assert_int_equal(other.events, TW__READ);
    close_end(&asking);
    close_end(&other);
}

static void an_end_in_both_directions_is_always_told(void **state) {
    (void)state;
    struct end end;
    open_end(&end, 0);
    close(end.other);
    tw__loop_run_once(&loop, WAIT_MS);
    assert_int_equal(end.events, TW__READ | TW__HANGUP);
    end.other = -1;
    close_end(&end);
}

static void a_refused_descriptor_is_an_error_with_errno(void **state) {
    (void)state;
    tw__io closed = {on_end, -1}, file = {on_end, -1};
    assert_int_equal(tw__poller_add(&poller, &closed, TW__READ), TW_EIO);
    assert_int_equal(errno, EBADF);
    file.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(file.fd >= 0);
    assert_int_equal(tw__poller_add(&poller, &file, TW__READ), TW_EIO);
    assert_int_equal(errno, EPERM);
    close(file.fd);
}

static void remove_both(struct end *end) {
    close_end(end->victim);
    close_end(end);
}

static void one_removed_in_the_same_batch_is_not_called(void **state) {
    (void)state;
    struct end first, second;
    open_end(&first, TW__READ);
    open_end(&second, TW__READ);
    first.then = second.then = remove_both;
    first.victim = &second;
    second.victim = &first;
    make_readable(&first);
    make_readable(&second);
    tw__loop_run_once(&loop, WAIT_MS);
    tw__loop_run_once(&loop, 0);
    assert_int_equal(first.calls + second.calls, 1);
}

/* Removed, but kept open, as when a descriptor is handed to another process. */
static void remove_victim(struct end *end) {
    tw__poller_remove(&poller, &end->victim->io);
    tw__poller_remove(&poller, &end->io);
}

static void one_removed_but_still_open_is_not_called(void **state) {
    (void)state;
    struct end first, second;
    open_end(&first, TW__READ);
    open_end(&second, TW__READ);
    first.then = second.then = remove_victim;
    first.victim = &second;
    second.victim = &first;
    make_readable(&first);
    make_readable(&second);
    tw__loop_run_once(&loop, WAIT_MS);
    assert_int_equal(first.calls + second.calls, 1);
    close_end(&first);
    close_end(&second);
}

static struct end newcomer;

/* The victim's number goes to a descriptor that is not readable. */
static void reuse_number_of_victim(struct end *end) {
    int number = end->victim->io.fd;
    close_end(end->victim);
    close_end(end);
    open_end(&newcomer, 0);
    tw__poller_remove(&poller, &newcomer.io);
    assert_int_equal(dup2(newcomer.io.fd, number), number);
    if (newcomer.io.fd != number) {
        close(newcomer.io.fd);
    }
    newcomer.io.fd = number;
    assert_int_equal(tw__poller_add(&poller, &newcomer.io, TW__READ), 0);
}

static void a_reused_number_does_not_inherit_events(void **state) {
    (void)state;
    struct end first, second;
    open_end(&first, TW__READ);
    open_end(&second, TW__READ);
    first.then = second.then = reuse_number_of_victim;
    first.victim = &second;
    second.victim = &first;
    make_readable(&first);
    make_readable(&second);
    tw__loop_run_once(&loop, WAIT_MS);
    tw__loop_run_once(&loop, 0);
    assert_int_equal(first.calls + second.calls, 1);
    assert_int_equal(newcomer.calls, 0);
    make_readable(&newcomer);
    tw__loop_run_once(&loop, WAIT_MS);
    assert_int_equal(newcomer.calls, 1);
    close_end(&newcomer);
}

/* The same struct, with a new descriptor, before its old event was delivered.
 */
static void reopen_victim(struct end *end) {
    struct end *victim = end->victim;
    end->then = victim->then = NULL;
    close_end(victim);
    open_end(victim, TW__READ);
}

static void a_reopened_owner_does_not_get_its_old_event(void **state) {
    (void)state;
    struct end first, second;
    open_end(&first, TW__READ);
    open_end(&second, TW__READ);
    first.then = second.then = reopen_victim;
    first.victim = &second;
    second.victim = &first;
    make_readable(&first);
    make_readable(&second);
    tw__loop_run_once(&loop, WAIT_MS);
    tw__loop_run_once(&loop, 0);
    assert_int_equal(first.calls == 0 || second.calls == 0, 1);
    close_end(&first);
    close_end(&second);
}

static void silence_victim(struct end *end) {
    assert_int_equal(tw__poller_modify(&poller, &end->victim->io, 0), 0);
    assert_int_equal(tw__poller_modify(&poller, &end->io, 0), 0);
}

static void a_narrowed_interest_holds_at_once(void **state) {
    (void)state;
    struct end first, second;
    open_end(&first, TW__READ);
    open_end(&second, TW__READ);
    first.then = second.then = silence_victim;
    first.victim = &second;
    second.victim = &first;
    make_readable(&first);
    make_readable(&second);
    tw__loop_run_once(&loop, WAIT_MS);
    assert_int_equal(first.calls + second.calls, 1);
    close_end(&first);
    close_end(&second);
}

static void close_poller(struct end *end) {
    (void)end;
    tw__poller_close(&poller);
}

static void a_callback_may_close_the_poller(void **state) {
    struct end first, second;
    assert_int_equal(set_up(state), 0);
    open_end(&first, TW__READ);
    open_end(&second, TW__READ);
    first.then = second.then = close_poller;
    make_readable(&first);
    make_readable(&second);
    tw__loop_run_once(&loop, WAIT_MS);
    assert_int_equal(first.calls + second.calls, 1);
    close_end(&first); /* a late remove does no harm */
    close_end(&second);
    tw__loop_close(&loop, NULL, NULL);
}

static void a_loop_may_have_several_pollers(void **state) {
    (void)state;
    static tw__poller private; /* closed with the loop */
    struct end one, other = {.io = {on_end, -1}};
    open_end(&one, TW__READ);
    make_readable(&one);
    assert_int_equal(tw__poller_init(&private, &loop), 0);
    other.io.fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_int_equal(tw__poller_add(&private, &other.io, TW__READ), 0);
    tw__loop_run_once(&loop, WAIT_MS);
    assert_int_equal(one.calls, 1);
    assert_int_equal(other.calls, 1);
    tw__poller_remove(&private, &other.io);
    close(other.io.fd);
    close_end(&one);
    tw__poller_close(&private);
}

static void drain(struct end *end) {
    uint64_t value;
    assert_int_equal(read(end->io.fd, &value, sizeof value), sizeof value);
}

static void open_events(struct end *ends, void (*then)(struct end *end)) {
    for (int i = 0; i < MANY; i++) {
        int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
        assert_true(fd >= 0);
        ends[i] = (struct end){.io = {on_end, fd}, .then = then, .other = -1};
        assert_int_equal(tw__poller_add(&poller, &ends[i].io, TW__READ), 0);
    }
}

static void close_events(struct end *ends) {
    for (int i = 0; i < MANY; i++) {
        close_end(&ends[i]);
    }
}

static void many_ready_descriptors_are_served_in_one_turn(void **state) {
    (void)state;
    static struct end ends[MANY];
    open_events(ends, drain);
    tw__loop_run_once(&loop, WAIT_MS);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(ends[i].calls, 1);
    }
    close_events(ends);
}

static void ever_ready_descriptors_get_equal_turns(void **state) {
    (void)state;
    static struct end ends[MANY];
    int least = 1000000, most = 0;
    open_events(ends, NULL);
    for (int i = 0; i < 9; i++) {
        uint64_t turns = loop.turns;
        tw__loop_run_once(&loop, WAIT_MS);
        assert_int_equal(loop.turns, turns + 1); /* no turn holds the loop */
    }
    for (int i = 0; i < MANY; i++) {
        least = ends[i].calls < least ? ends[i].calls : least;
        most = ends[i].calls > most ? ends[i].calls : most;
    }
    assert_in_range(least, 9, 11);
    assert_true(most - least <= 1);
    close_events(ends);
}

#define IN_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_LOOP(a_readable_descriptor_is_told_until_it_is_read),
        IN_LOOP(only_what_is_of_interest_is_told),
        IN_LOOP(a_half_closed_peer_shows_as_a_hangup_when_asked_for),
        IN_LOOP(an_end_in_both_directions_is_always_told),
        IN_LOOP(a_refused_descriptor_is_an_error_with_errno),
        IN_LOOP(one_removed_in_the_same_batch_is_not_called),
        IN_LOOP(one_removed_but_still_open_is_not_called),
        IN_LOOP(a_reused_number_does_not_inherit_events),
        IN_LOOP(a_reopened_owner_does_not_get_its_old_event),
        IN_LOOP(a_narrowed_interest_holds_at_once),
        cmocka_unit_test(a_callback_may_close_the_poller),
        IN_LOOP(a_loop_may_have_several_pollers),
        IN_LOOP(many_ready_descriptors_are_served_in_one_turn),
        IN_LOOP(ever_ready_descriptors_get_equal_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
