/* The loop as turns, its own and a host's.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "net/clockwork.h"
#include "net/mailbox.h"
#include "net/poller.h"

enum { LONG_MS = 20000 }; /* a wait that a test must never see to its end */

static char trace[64];

static void note(char mark) {
    size_t len = strlen(trace);
    assert_true(len + 1 < sizeof trace);
    trace[len] = mark;
    trace[len + 1] = '\0';
}

struct noted_hook {
    tw__turn_hook hook;
    tw__loop *loop;
    char mark;
    int work_left;           /* so often it reports work */
    int wakes_for;           /* a rank, by its number from 1 */
    tw__turn_hook *removes;  /* what it takes out */
    struct noted_hook *adds; /* to the rank HUB */
    bool wakes, frees_itself, stops, closes;
};

/* They outlive their tests: the loop is closed after those. */
static struct noted_hook a, b, c, d, e, n;

static void note_closed(void *arg) {
    (void)arg;
    note('.');
}

static void note_and_free(void *arg) {
    note_closed(arg);
    free(arg);
}

static bool run_noted(tw__turn_hook *hook) {
    struct noted_hook *noted = TW__CONTAINER(hook, struct noted_hook, hook);
    note(noted->mark);
    if (noted->removes != NULL) {
        tw__loop_remove_hook(noted->removes);
    }
    if (noted->adds != NULL) {
        tw__loop_add_hook(noted->loop, &noted->adds->hook, run_noted,
                          TW__TURN_HUB);
        noted->adds = NULL;
    }
    if (noted->wakes) {
        noted->wakes = false;
        tw__loop_wake(noted->loop);
    }
    if (noted->wakes_for > 0) {
        tw__loop_wake_for(noted->loop,
                          (enum tw__turn_rank)(noted->wakes_for - 1));
    }
    if (noted->stops) {
        tw__loop_stop(noted->loop);
    }
    if (noted->closes) {
        tw__loop_close(noted->loop, note_and_free, noted->loop);
    }
    if (noted->frees_itself) {
        free(noted);
        return false;
    }
    return noted->work_left > 0 && noted->work_left-- > 0;
}

static void add(tw__loop *loop, struct noted_hook *noted, char mark,
                enum tw__turn_rank rank) {
    noted->loop = loop;
    noted->mark = mark;
    tw__loop_add_hook(loop, &noted->hook, run_noted, rank);
}

static void forget(void) {
    trace[0] = '\0';
    a = b = c = d = e = n = (struct noted_hook){.mark = 'n'};
}

static int set_up(void **state) {
    static tw__loop loop;
    forget();
    *state = &loop;
    return tw__loop_init(&loop, NULL);
}

static int tear_down(void **state) {
    tw__loop_close(*state, NULL, NULL);
    return 0;
}

static void hooks_run_by_rank_and_then_as_added(void **state) {
    add(*state, &a, 'a', TW__TURN_CLOSE);
    add(*state, &b, 'b', TW__TURN_WRITE);
    add(*state, &c, 'c', TW__TURN_WRITE);
    add(*state, &d, 'd', TW__TURN_BUS);
    add(*state, &e, 'e', TW__TURN_HUB);
    add(*state, &n, 'n', TW__TURN_LINK);
    tw__loop_run_once(*state, 0);
    tw__loop_run_once(*state, 0);
    assert_string_equal(trace, "dnebcadnebca");
}

static void a_hook_may_remove_itself_and_those_around_it(void **state) {
    add(*state, &a, 'a', TW__TURN_HUB);
    add(*state, &b, 'b', TW__TURN_HUB);
    add(*state, &c, 'c', TW__TURN_HUB);
    add(*state, &d, 'd', TW__TURN_HUB);
    add(*state, &e, 'e', TW__TURN_WRITE);
    a.removes = &e.hook; /* of a later rank */
    b.removes = &c.hook; /* that is the next */
    d.removes = &a.hook; /* that has run */
    tw__loop_run_once(*state, 0);
    assert_string_equal(trace, "abd");
    b.removes = &b.hook;
    tw__loop_run_once(*state, 0);
    tw__loop_run_once(*state, 0);
    assert_string_equal(trace, "abdbdd");
}

static void a_hook_may_free_itself(void **state) {
    struct noted_hook *heap = calloc(1, sizeof *heap);
    assert_non_null(heap);
    add(*state, heap, 'a', TW__TURN_CLOSE);
    heap->removes = &heap->hook;
    heap->frees_itself = true;
    tw__loop_run_once(*state, 0);
    tw__loop_run_once(*state, 0);
    assert_string_equal(trace, "a");
}

static void a_hook_added_to_the_running_rank_waits_a_turn(void **state) {
    add(*state, &a, 'a', TW__TURN_HUB);
    add(*state, &b, 'b', TW__TURN_HUB);
    a.adds = &n;
    tw__loop_run_once(*state, 0);
    assert_string_equal(trace, "ab");
    tw__loop_run_once(*state, 0);
    assert_string_equal(trace, "ababn");
}

static void a_hook_added_to_a_later_rank_runs_in_this_turn(void **state) {
    add(*state, &a, 'a', TW__TURN_BUS);
    a.adds = &n;
    tw__loop_run_once(*state, 0);
    assert_string_equal(trace, "an");
}

static uint64_t clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void stop_run(uv_timer_t *timer) {
    tw__loop_stop(timer->data);
    uv_close((uv_handle_t *)timer, NULL);
}

static void run_for_20_ms(tw__loop *loop) {
    static uv_timer_t timer;
    uv_timer_init(loop->uv, &timer);
    timer.data = loop;
    uv_timer_start(&timer, stop_run, 20, 0);
    tw__loop_run(loop);
}

static void the_loop_does_not_wait_while_work_is_left(void **state) {
    uint64_t began = clock_ms();
    a.work_left = 3;
    add(*state, &a, 'a', TW__TURN_HUB);
    for (int i = 0; i < 3; i++) {
        tw__loop_run_once(*state, LONG_MS);
    }
    assert_true(clock_ms() - began < LONG_MS);
    assert_string_equal(trace, "aaa");
    run_for_20_ms(*state); /* done: it waits again */
    assert_true(strlen(trace) <= 6);
}

static void a_wake_from_the_last_hook_gives_another_turn(void **state) {
    uint64_t began = clock_ms();
    b.wakes = true;
    add(*state, &a, 'a', TW__TURN_BUS);
    add(*state, &b, 'b', TW__TURN_CLOSE);
    tw__loop_run_once(*state, LONG_MS);
    assert_true(clock_ms() - began < LONG_MS);
    assert_string_equal(trace, "ab");
    run_for_20_ms(*state);
    assert_in_range(strlen(trace), 4, 8);
}

/* Work for those that are still to run needs no other turn. */
static void
a_wake_for_later_hooks_does_not_keep_the_loop_from_waiting(void **state) {
    tw__loop *loop = *state;
    add(loop, &a, 'a', TW__TURN_HUB);
    for (int rank = 0; rank < TW__TURN_RANKS; rank++) {
        a.wakes_for = rank + 1;
        tw__loop_run_once(loop, 0);
        assert_int_equal(uv_is_active((uv_handle_t *)&loop->_idle),
                         rank <= TW__TURN_HUB);
    }
    a.wakes_for = 0;
    tw__loop_run_once(loop, 0);
    tw__loop_wake_for(loop, TW__TURN_CLOSE); /* outside of a turn */
    assert_true(uv_is_active((uv_handle_t *)&loop->_idle));
}

static void run_ends_when_a_hook_stops_it(void **state) {
    a.stops = true;
    add(*state, &a, 'a', TW__TURN_HUB);
    tw__loop_run(*state);
    assert_string_equal(trace, "a");
}

static void a_stop_before_the_run_counts(void **state) {
    add(*state, &a, 'a', TW__TURN_HUB);
    tw__loop_stop(*state);
    tw__loop_run(*state);
    assert_string_equal(trace, "");
}

static void count_turn(tw__loop *loop, void *arg) {
    assert_int_equal(loop->turns, ++*(uint64_t *)arg);
    note('t');
}

static void turns_are_counted_and_told_after_all_hooks(void **state) {
    tw__loop *loop = *state;
    uint64_t told = 0;
    loop->on_turn = count_turn;
    loop->on_turn_arg = &told;
    add(loop, &a, 'a', TW__TURN_CLOSE);
    tw__loop_run_once(loop, 0);
    tw__loop_run_once(loop, 0);
    assert_string_equal(trace, "atat");
    assert_int_equal(told, 2);
}

static void now_is_the_monotonic_clock_of_the_machine(void **state) {
    uint64_t before = clock_ms();
    tw__loop_update_now(*state);
    uint64_t now = tw__loop_now(*state);
    uint64_t after = clock_ms();
    /* libuv takes the coarse clock where that has a resolution of 1 ms. */
    assert_true(now + 2 >= before);
    assert_true(now <= after);
}

static void a_removed_hook_may_be_removed_after_the_close(void **state) {
    (void)state;
    tw__loop *loop = malloc(sizeof *loop);
    forget();
    assert_non_null(loop);
    assert_int_equal(tw__loop_init(loop, NULL), 0);
    add(loop, &a, 'a', TW__TURN_HUB);
    tw__loop_close(loop, note_closed, NULL);
    free(loop);
    tw__loop_remove_hook(&a.hook);
    assert_string_equal(trace, ".");
}

/* A server as it will stand on a host's loop, freed as soon as is allowed. */
struct server {
    tw__loop loop;
    tw__poller poller;
    tw__clockwork clockwork;
    tw__mailbox mailbox;
    bool *is_gone;
};

static void free_server(void *arg) {
    struct server *server = arg;
    *server->is_gone = true;
    free(server);
}

static struct server *create_server(uv_loop_t *host, bool *is_gone) {
    struct server *server = calloc(1, sizeof *server);
    assert_non_null(server);
    assert_int_equal(tw__loop_init(&server->loop, host), 0);
    assert_int_equal(tw__poller_init(&server->poller, &server->loop), 0);
    assert_int_equal(tw__clockwork_init(&server->clockwork, &server->loop), 0);
    assert_int_equal(tw__mailbox_init(&server->mailbox, &server->loop), 0);
    server->is_gone = is_gone;
    return server;
}

static void close_server(struct server *server) {
    tw__poller_close(&server->poller);
    tw__clockwork_close(&server->clockwork);
    tw__mailbox_close(&server->mailbox);
    tw__loop_close(&server->loop, free_server, server);
}

static void close_in_timer(uv_timer_t *timer) {
    close_server(timer->data);
}

static void count_timer(uv_timer_t *timer) {
    if (++*(int *)timer->data == 3) {
        uv_timer_stop(timer);
    }
}

static void a_host_runs_on_after_the_server_is_gone(void **state) {
    (void)state;
    uv_loop_t host;
    uv_timer_t closer, worker;
    bool is_gone = false;
    int runs = 0;
    uv_loop_init(&host);
    struct server *server = create_server(&host, &is_gone);
    uv_timer_init(&host, &closer);
    uv_timer_init(&host, &worker);
    closer.data = server;
    worker.data = &runs;
    uv_timer_start(&closer, close_in_timer, 5, 0);
    /* The server keeps the loop alive, the timer is done by then. */
    assert_int_equal(uv_run(&host, UV_RUN_DEFAULT), 0);
    assert_true(is_gone);
    uv_timer_start(&worker, count_timer, 1, 1);
    uv_run(&host, UV_RUN_DEFAULT);
    assert_int_equal(runs, 3);
    uv_close((uv_handle_t *)&closer, NULL);
    uv_close((uv_handle_t *)&worker, NULL);
    uv_run(&host, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&host), 0);
}

static void two_servers_share_a_host(void **state) {
    (void)state;
    uv_loop_t host;
    bool is_first_gone = false, is_second_gone = false;
    uv_loop_init(&host);
    struct server *first = create_server(&host, &is_first_gone);
    struct server *second = create_server(&host, &is_second_gone);
    close_server(first);
    assert_false(is_first_gone); /* never inside of the call */
    uv_run(&host, UV_RUN_NOWAIT);
    assert_true(is_first_gone);
    assert_false(is_second_gone);
    close_server(second);
    uv_run(&host, UV_RUN_DEFAULT);
    assert_true(is_second_gone);
    assert_int_equal(uv_loop_close(&host), 0);
}

static void a_hook_may_close_the_loop_on_a_host(void **state) {
    (void)state;
    uv_loop_t host;
    tw__loop *loop = malloc(sizeof *loop);
    forget();
    assert_non_null(loop);
    uv_loop_init(&host);
    assert_int_equal(tw__loop_init(loop, &host), 0);
    b.closes = true;
    add(loop, &a, 'a', TW__TURN_HUB);
    add(loop, &b, 'b', TW__TURN_HUB);
    add(loop, &c, 'c', TW__TURN_HUB);
    add(loop, &d, 'd', TW__TURN_CLOSE);
    uv_run(&host, UV_RUN_DEFAULT);
    assert_string_equal(trace, "ab.");
    tw__loop_remove_hook(&a.hook); /* owners may be late */
    tw__loop_remove_hook(&c.hook);
    tw__loop_remove_hook(&d.hook);
    assert_int_equal(uv_loop_close(&host), 0);
}

#define IN_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_LOOP(hooks_run_by_rank_and_then_as_added),
        IN_LOOP(a_hook_may_remove_itself_and_those_around_it),
        IN_LOOP(a_hook_may_free_itself),
        IN_LOOP(a_hook_added_to_the_running_rank_waits_a_turn),
        IN_LOOP(a_hook_added_to_a_later_rank_runs_in_this_turn),
        IN_LOOP(the_loop_does_not_wait_while_work_is_left),
        IN_LOOP(a_wake_from_the_last_hook_gives_another_turn),
        IN_LOOP(a_wake_for_later_hooks_does_not_keep_the_loop_from_waiting),
        IN_LOOP(run_ends_when_a_hook_stops_it),
        IN_LOOP(a_stop_before_the_run_counts),
        IN_LOOP(turns_are_counted_and_told_after_all_hooks),
        IN_LOOP(now_is_the_monotonic_clock_of_the_machine),
        cmocka_unit_test(a_removed_hook_may_be_removed_after_the_close),
        cmocka_unit_test(a_host_runs_on_after_the_server_is_gone),
        cmocka_unit_test(two_servers_share_a_host),
        cmocka_unit_test(a_hook_may_close_the_loop_on_a_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
