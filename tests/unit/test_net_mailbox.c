/* Posts from other threads.
 * SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/mailbox.h"
#include "tidewire/errors.h"

enum { THREADS = 4, POSTS = 100000, FEW = 10, MANY = 10000 };

static tw__loop loop;
static tw__mailbox mailbox;

static int set_up(void **state) {
    (void)state;
    return tw__loop_init(&loop, NULL) != 0 ||
           tw__mailbox_init(&mailbox, &loop) != 0;
}

static int close_all(void **state) {
    (void)state;
    tw__mailbox_close(&mailbox);
    tw__loop_close(&loop, NULL, NULL);
    return 0;
}

/* One per posting thread. `seen` and `refused` belong to the loop's thread. */
struct poster {
    pthread_t thread;
    uintptr_t seen;    /* run with status 0 */
    uintptr_t refused; /* run with TW_ECLOSED */
    uintptr_t accepted;
};

static struct poster posters[THREADS];
static pthread_t loop_thread;
static uintptr_t total_seen;

/* The argument is the number of the poster and that of its post. */
static void check_order(int status, void *arg) {
    uintptr_t number = (uintptr_t)arg;
    struct poster *poster = &posters[number % THREADS];
    assert_true(pthread_equal(pthread_self(), loop_thread));
    assert_true(number / THREADS == poster->seen + poster->refused);
    if (status == 0) {
        assert_int_equal(poster->refused, 0);
        poster->seen++;
        total_seen++;
    } else {
        assert_int_equal(status, TW_ECLOSED);
        poster->refused++;
    }
}

static int post_number(struct poster *poster, uintptr_t number) {
    uintptr_t index = (uintptr_t)(poster - posters);
    return tw__mailbox_post(&mailbox, check_order,
                            (void *)(number * THREADS + index));
}

static void *post_all(void *arg) {
    struct poster *poster = arg;
    for (uintptr_t i = 0; i < POSTS; i++) {
        poster->accepted += post_number(poster, i) == 0;
    }
    return NULL;
}

static void *post_until_closed(void *arg) {
    struct poster *poster = arg;
    while (post_number(poster, poster->accepted) == 0) {
        poster->accepted++;
    }
    return NULL;
}

static void start_posters(void *(*body)(void *arg)) {
    memset(posters, 0, sizeof posters);
    total_seen = 0;
    loop_thread = pthread_self();
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(
            pthread_create(&posters[i].thread, NULL, body, &posters[i]), 0);
    }
}

static void join_posters(void) {
    for (int i = 0; i < THREADS; i++) {
        pthread_join(posters[i].thread, NULL);
    }
}

static void every_post_of_four_threads_arrives_in_order(void **state) {
    (void)state;
    start_posters(post_all);
    while (total_seen < (uintptr_t)THREADS * POSTS) {
        tw__loop_run_once(&loop, 10000);
    }
    join_posters();
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(posters[i].accepted, POSTS);
        assert_int_equal(posters[i].seen, POSTS);
    }
}

static void each_accepted_post_is_answered_when_the_box_closes(void **state) {
    (void)state;
    for (int round = 0; round < FEW; round++) {
        assert_int_equal(set_up(NULL), 0);
        start_posters(post_until_closed);
        while (total_seen < 1000) {
            tw__loop_run_once(&loop, 10000);
        }
        tw__mailbox_close(&mailbox);
        join_posters();
        tw__loop_close(&loop, NULL, NULL);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(posters[i].seen + posters[i].refused,
                             posters[i].accepted);
        }
    }
}

static int statuses[FEW];
static int ran;

static void keep_status(int status, void *arg) {
    (void)arg;
    statuses[ran++] = status;
}

static void keep_status_and_close(int status, void *arg) {
    keep_status(status, arg);
    tw__mailbox_close(&mailbox);
}

static void a_post_may_close_the_box_under_the_others(void **state) {
    (void)state;
    ran = 0;
    assert_int_equal(set_up(NULL), 0);
    assert_int_equal(tw__mailbox_post(&mailbox, keep_status, NULL), 0);
    assert_int_equal(tw__mailbox_post(&mailbox, keep_status_and_close, NULL),
                     0);
    assert_int_equal(tw__mailbox_post(&mailbox, keep_status, NULL), 0);
    tw__loop_run_once(&loop, 10000);
    assert_int_equal(ran, 3);
    assert_int_equal(statuses[0], 0);
    assert_int_equal(statuses[1], 0);
    assert_int_equal(statuses[2], TW_ECLOSED);
    assert_int_equal(tw__mailbox_post(&mailbox, keep_status, NULL), TW_ECLOSED);
    tw__loop_close(&loop, NULL, NULL);
    assert_int_equal(ran, 3);
}

static void keep_status_and_post(int status, void *arg) {
    keep_status(status, arg);
    assert_int_equal(tw__mailbox_post(&mailbox, keep_status, NULL), 0);
}

static void a_post_made_by_a_post_runs_later(void **state) {
    (void)state;
    ran = 0;
    assert_int_equal(tw__mailbox_post(&mailbox, keep_status_and_post, NULL), 0);
    assert_int_equal(ran, 0);
    while (ran < 2) {
        tw__loop_run_once(&loop, 10000);
    }
    assert_int_equal(ran, 2);
}

static int flooded;

static void count_flood(int status, void *arg) {
    (void)arg;
    assert_int_equal(status, 0);
    flooded++;
}

static void a_flood_is_spread_over_turns(void **state) {
    (void)state;
    flooded = 0;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(tw__mailbox_post(&mailbox, count_flood, NULL), 0);
    }
    tw__loop_run_once(&loop, 10000);
    assert_in_range(flooded, 1, MANY - 1);
    while (flooded < MANY) {
        tw__loop_run_once(&loop, 10000);
    }
}

#define IN_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, close_all)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_LOOP(every_post_of_four_threads_arrives_in_order),
        cmocka_unit_test(each_accepted_post_is_answered_when_the_box_closes),
        cmocka_unit_test(a_post_may_close_the_box_under_the_others),
        IN_LOOP(a_post_made_by_a_post_runs_later),
        IN_LOOP(a_flood_is_spread_over_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
