/* Two members who use all that homes keep, and whose link has a system call
 * that fails, or carries one byte: every question is answered, and in the end
 * everything works.
 * SPDX-License-Identifier: MIT */
#include "nth_call.h"
#include "test_bus_session.h"

enum { TRIES = 24 };

static void run_with(enum nth_call which, int error, size_t nth, size_t every) {
    world *w = session_create();
    nth_set(which, error, nth, every);
    call_go_on(NULL);
    for (uint16_t slot = 0; slot < 2; slot++) {
        while (try_start(w, slot) != 0) {
        }
    }
    session_run(w);
    call_hold(NULL);
    session_works(w);
    world_destroy(w);
}

static void a_session_survives_a_call_that_fails(void **state) {
    (void)state;
    size_t seen[NTH_COUNT];
    run_with(NTH_COUNT, 0, 0, 0);
    memcpy(seen, nth_plan.seen, sizeof seen);
    for (enum nth_call which = 0; which < NTH_COUNT; which++) {
        size_t first, step = nth_step(seen[which], TRIES, &first);
        if (which == NTH_fcntl) {
            continue; /* the test's own */
        }
        for (size_t nth = first; nth <= seen[which]; nth += step) {
            for (size_t i = 0; i < nth_kinds[which].error_count; i++) {
                run_with(which, nth_kinds[which].errors[i], nth, 0);
            }
        }
    }
}

static void a_session_survives_calls_that_fall_short(void **state) {
    static const int errors[] = {EINTR, EAGAIN, SHORT};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        run_with(NTH_recv, errors[i], 4, 5);
        assert_true(nth_plan.struck > 0);
        run_with(NTH_send, errors[i], 4, 5);
        assert_true(nth_plan.struck > 0);
    }
}

/* libuv opens what it keeps for the whole process. */
static int set_up(void **state) {
    uv_loop_t loop;
    (void)state;
    return uv_loop_init(&loop) != 0 || uv_loop_close(&loop) != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_survives_a_call_that_fails),
        cmocka_unit_test(a_session_survives_calls_that_fall_short),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
