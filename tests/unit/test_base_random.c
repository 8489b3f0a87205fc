/* Random bytes. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those above before it. */
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"

static int by_bytes(const void *a, const void *b) {
    return memcmp(a, b, 16);
}

static void pooled_bytes_do_not_repeat(void **state) {
    enum { COUNT = 2000 };
    static uint8_t got[COUNT][16];
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        tw__random_pooled(got[i], 16);
    }
    qsort(got, COUNT, 16, by_bytes);
    for (int i = 1; i < COUNT; i++) {
        assert_int_not_equal(memcmp(got[i - 1], got[i], 16), 0);
    }
}

static void a_child_does_not_share_the_pool(void **state) {
    uint8_t mine[16], its[16];
    int fds[2], status;
    (void)state;
    tw__random_pooled(mine, 16);
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        tw__random_pooled(its, 16);
        _exit(write(fds[1], its, 16) == 16 ? 0 : 1);
    }
    assert_int_equal(read(fds[0], its, 16), 16);
    waitpid(child, &status, 0);
    close(fds[0]);
    close(fds[1]);
    tw__random_pooled(mine, 16);
    assert_memory_not_equal(mine, its, 16);
}

static void numbers_stay_below_their_bound_and_reach_all(void **state) {
    bool seen[7] = {false};
    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint32_t number = tw__random_below(7);
        assert_true(number < 7);
        seen[number] = true;
        assert_int_equal(tw__random_below(1), 0);
    }
    for (int i = 0; i < 7; i++) {
        assert_true(seen[i]);
    }
}

static void any_length_is_filled(void **state) {
    static uint8_t large[100000];
    size_t zeros = 0;
    (void)state;
    tw__random_bytes(large, sizeof large);
    for (size_t i = 0; i < sizeof large; i++) {
        zeros += large[i] == 0;
    }
    assert_true(zeros > 100 && zeros < 1000);
    tw__random_bytes(large, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pooled_bytes_do_not_repeat),
        cmocka_unit_test(a_child_does_not_share_the_pool),
        cmocka_unit_test(numbers_stay_below_their_bound_and_reach_all),
        cmocka_unit_test(any_length_is_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
