/* session_calls.h - the session of server_session.h in which the nth system
 * call of a kind fails, or carries one byte: it costs at most the one
 * connection that it was for.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_SESSION_CALLS_H
#define TW_TESTS_SESSION_CALLS_H

#include "nth_call.h"
#include "server_session.h"

static char calls_folder[64];
static const session_way *calls_way;
static size_t calls_tries; /* of each kind and error, of all there are */

static size_t run_with(enum nth_call which, int error, size_t nth,
                       size_t every) {
    static const session_fault fault = {call_go_on, call_hold, NULL};
    nth_set(which, error, nth, every);
    return session_run_by(calls_way, &fault, calls_folder);
}

/* What only is to be done again costs nobody anything. */
static bool is_harmless(enum nth_call which, int error) {
    bool sends = which == NTH_send || which == NTH_sendmsg;
    return error == EINTR || error == EAGAIN || error == SHORT ||
           (sends && error == ENOBUFS);
}

static size_t one_fails(enum nth_call which, int error, size_t nth) {
    size_t cut = run_with(which, error, nth, 0);
    if (cut > (is_harmless(which, error) ? 0 : 1)) {
        fail_msg("%s number %zu with %s cost %zu connections",
                 nth_kinds[which].name, nth,
                 error == SHORT ? "one byte" : strerror(error), cut);
    }
    return nth_plan.struck;
}

/* How many calls there are of a kind is not the same each time: the kernel
 * hands over what it has in one piece or in two. */
static void one_call_that_fails_costs_one_connection(void **state) {
    (void)state;
    size_t seen[NTH_COUNT];
    assert_int_equal(run_with(NTH_COUNT, 0, 0, 0), 0);
    memcpy(seen, nth_plan.seen, sizeof seen);
    for (enum nth_call which = 0; which < NTH_COUNT; which++) {
        size_t struck = 0, first,
               step = nth_step(seen[which], calls_tries, &first);
        print_message("%zu calls of %s\n", seen[which], nth_kinds[which].name);
        for (size_t nth = first; nth <= seen[which]; nth += step) {
            for (size_t i = 0; i < nth_kinds[which].error_count; i++) {
                struck += one_fails(which, nth_kinds[which].errors[i], nth);
            }
        }
        assert_true(seen[which] == 0 || struck > 0);
    }
}

static void calls_that_fall_short_cost_nothing(void **state) {
    static const struct {
        enum nth_call which;
        int error;
        size_t every;
    } plans[] = {
        {NTH_recv, SHORT, 1},       {NTH_recv, EINTR, 2},
        {NTH_recv, EAGAIN, 2},      {NTH_send, SHORT, 1},
        {NTH_send, EINTR, 2},       {NTH_send, EAGAIN, 2},
        {NTH_send, ENOBUFS, 2},     {NTH_sendmsg, SHORT, 1},
        {NTH_sendmsg, EINTR, 2},    {NTH_sendmsg, EAGAIN, 2},
        {NTH_epoll_wait, EINTR, 2}, {NTH_accept4, EINTR, 2},
        {NTH_accept4, EAGAIN, 2},   {NTH_accept4, ECONNABORTED, 2},
    };
    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        size_t cut =
            run_with(plans[i].which, plans[i].error, 1, plans[i].every);
        bool was_there = nth_plan.seen[plans[i].which] > 0;
        if (cut != 0 || (was_there && nth_plan.struck == 0)) {
            fail_msg("%s, %s each %zu, %zu times, cost %zu connections",
                     nth_kinds[plans[i].which].name, strerror(plans[i].error),
                     plans[i].every, nth_plan.struck, cut);
        }
    }
}

#endif
