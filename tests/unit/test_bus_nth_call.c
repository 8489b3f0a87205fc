/* Two members whose link has a system call that fails, or carries one byte: a
 * stream may break and comes back; what was lost is told of, nothing comes
 * twice or out of order, and in the end everything works.
 * SPDX-License-Identifier: MIT */
#include "nth_call.h"
#include "test_bus_world.h"

enum { EACH = 24, LONG = 300000, TRIES = 32 };

static char a[64], b[64]; /* at home in 0 and in 1 */
static char long_data[LONG];
static int last_of[2][2]; /* by receiver and sender */
static int heard[2][2];

static int descriptors(void) {
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

/* "SENDER NUMBER", which begins every publication. */
static void on_numbered(member *m, tw__pub *pub) {
    int sender = -1, number = -1;
    char text[32];
    snprintf(text, sizeof text, "%.*s", pub->len < 30 ? (int)pub->len : 30,
             (const char *)tw__pub_data(pub));
    assert_int_equal(sscanf(text, "%d %d", &sender, &number), 2);
    assert_true(sender == 0 || sender == 1);
    assert_true(number > last_of[m->slot][sender]);
    last_of[m->slot][sender] = number;
    heard[m->slot][sender] += number <= EACH;
}

/* To the other's channel; one of them is longer than any buffer. */
static void publish_numbered(member *m, int number) {
    const char *to = m->slot == 0 ? b : a;
    size_t len = number == EACH / 2 ? LONG : 40;
    memset(long_data, '.', len);
    snprintf(long_data, 32, "%d %d ", (int)m->slot, number);
    assert_int_equal(publish_bytes(m, to, long_data, len), 0);
}

static bool is_idle(world *w) {
    return tw__bus_is_idle(w->members[0].bus) &&
           tw__bus_is_idle(w->members[1].bus);
}

static void talk(world *w, member *one, member *other) {
    subscribe(one, a);
    subscribe(one, b);
    subscribe(other, b);
    subscribe(other, a);
    set_count(one, b, 3);
    set_count(other, b, 4);
    for (int i = 1; i <= EACH; i++) {
        publish_numbered(one, i);
        publish_numbered(other, i);
        if (i % 4 == 0) {
            world_turn(w);
        }
    }
    UNTIL(w, is_idle(w));
    assert_int_equal(count_of(one, b), 7);
    drop(one, b);
    UNTIL(w, is_idle(w));
}

/* Nothing fails any more. */
static void works(world *w, member *one, member *other) {
    subscribe(one, b);
    assert_int_equal(publish(one, b, "0 1000"), 0);
    assert_int_equal(publish(other, a, "1 1000"), 0);
    UNTIL(w, last_of[0][0] == 1000 && last_of[1][0] == 1000 &&
                 last_of[0][1] == 1000 && last_of[1][1] == 1000);
    assert_int_equal(count_of(other, a), 0);
}

/* True when all came. Whoever misses something has been told of a gap by the
 * time that something newer comes. */
static bool is_complete(const world *w) {
    bool is_all = true;
    for (int i = 0; i < 2; i++) {
        for (int sender = 0; sender < 2; sender++) {
            if (heard[i][sender] < EACH) {
                is_all = false;
                if (w->members[0].gaps + w->members[1].gaps == 0) {
                    fail_msg("%s number %zu with %s: %d heard %d of %d",
                             nth_kinds[nth_plan.which].name, nth_plan.nth,
                             strerror(nth_plan.error), i, heard[i][sender],
                             sender);
                }
            }
        }
    }
    return is_all;
}

static bool run_with(enum nth_call which, int error, size_t nth, size_t every) {
    int before = descriptors();
    memset(last_of, 0, sizeof last_of);
    memset(heard, 0, sizeof heard);
    world *w = world_create(2, 0);
    nth_set(which, error, nth, every);
    call_go_on(NULL);
    for (uint16_t slot = 0; slot < 2; slot++) {
        while (try_start(w, slot) != 0) {
        }
        w->members[slot].on_publication = on_numbered;
    }
    snprintf(a, sizeof a, "%s", name_at(w, 0, 0));
    snprintf(b, sizeof b, "%s", name_at(w, 1, 1));
    talk(w, &w->members[0], &w->members[1]);
    call_hold(NULL);
    works(w, &w->members[0], &w->members[1]);
    bool is_all = is_complete(w);
    world_destroy(w);
    assert_int_equal(descriptors(), before);
    return is_all;
}

static bool is_harmless(int error) {
    return error == EINTR || error == EAGAIN || error == SHORT;
}

static void a_call_that_fails_loses_nothing_untold(void **state) {
    (void)state;
    size_t seen[NTH_COUNT];
    assert_true(run_with(NTH_COUNT, 0, 0, 0));
    memcpy(seen, nth_plan.seen, sizeof seen);
    for (enum nth_call which = 0; which < NTH_COUNT; which++) {
        size_t struck = 0, first, step = nth_step(seen[which], TRIES, &first);
        if (which == NTH_fcntl) {
            continue; /* the test's own */
        }
        print_message("%zu calls of %s\n", seen[which], nth_kinds[which].name);
        for (size_t nth = first; nth <= seen[which]; nth += step) {
            for (size_t i = 0; i < nth_kinds[which].error_count; i++) {
                int error = nth_kinds[which].errors[i];
                bool is_all = run_with(which, error, nth, 0);
                struck += nth_plan.struck;
                if (!is_all && is_harmless(error) && which != NTH_connect) {
                    fail_msg("%s number %zu with %s lost something",
                             nth_kinds[which].name, nth, strerror(error));
                }
            }
        }
        assert_true(seen[which] == 0 || struck > 0);
    }
}

/* Not every second one: a stream begins with a greeting and an answer, and that
 * there is room for those is counted on. */
static void calls_that_fall_short_lose_nothing(void **state) {
    static const int errors[] = {EINTR, EAGAIN, SHORT};
    static const enum nth_call carriers[] = {NTH_recv, NTH_send};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        assert_true(run_with(carriers[i % 2], errors[i / 2], 4, 5));
        assert_true(nth_plan.struck > 0);
    }
    assert_true(run_with(NTH_epoll_wait, EINTR, 1, 2));
}

/* libuv opens what it keeps for the whole process. */
static int set_up(void **state) {
    uv_loop_t loop;
    (void)state;
    return uv_loop_init(&loop) != 0 || uv_loop_close(&loop) != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_fails_loses_nothing_untold),
        cmocka_unit_test(calls_that_fall_short_lose_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
