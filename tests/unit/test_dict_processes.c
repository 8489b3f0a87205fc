/* Dictionaries that several processes use at once, and that lose one.
 * SPDX-License-Identifier: MIT */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dict_probe.h"

enum { PROCESSES = 4, TIMES = 20000 };

/* A child that says a byte when it has come so far. */
typedef struct child {
    pid_t pid;
    int said;
} child;

static child fork_child(void (*run)(tw_dict *dict, int say), tw_dict *dict) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        run(dict, fds[1]);
        _exit(0);
    }
    close(fds[1]);
    return (child){pid, fds[0]};
}

static void wait_until_said(const child *c) {
    char byte;
    assert_int_equal(read(c->said, &byte, 1), 1);
}

static int end_of(child *c) {
    int status;
    close(c->said);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    return status;
}

/* A lock that is not had in time, on a machine that has other things to do, is
 * tried again: then nothing was done. */
static void count(tw_dict *dict, int say) {
    (void)say;
    for (int i = 0; i < TIMES; i++) {
        char key[8];
        double n;
        snprintf(key, sizeof key, "k%d", i % 4);
        int error;
        do {
            error = tw_dict_incr(dict, probe_str(key), 1, 0, 0, &n);
        } while (error == TW_EOVERLOADED);
        if (error != 0) {
            _exit(1);
        }
    }
}

static double number_at(tw_dict *dict, const char *key) {
    tw_dict_value value;
    assert_int_equal(tw_dict_get(dict, probe_str(key), &value), 0);
    assert_int_equal(value.kind, TW_DICT_NUMBER);
    return value.number;
}

static void four_that_count_at_once_lose_nothing(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 16384);
    child children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork_child(count, dict);
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(end_of(&children[i]), 0);
    }
    double sum = number_at(dict, "k0") + number_at(dict, "k1") +
                 number_at(dict, "k2") + number_at(dict, "k3");
    assert_true(sum == PROCESSES * TIMES);
}

static void swap_until_done(tw_dict *dict, int say) {
    (void)say;
    for (int i = 0; i < TIMES / 10;) {
        tw_dict_value value = probe_number(0);
        int error = tw_dict_get(dict, probe_str("n"), &value);
        if (error != 0 && error != TW_ENOT_FOUND) {
            continue;
        }
        uint32_t version = error == 0 ? value.version : 0;
        value.number += 1;
        i += tw_dict_swap(dict, probe_str("n"), &value, 0, version) == 0;
    }
}

static void four_that_swap_at_once_lose_nothing(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 16384);
    child children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork_child(swap_until_done, dict);
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(end_of(&children[i]), 0);
    }
    assert_true(number_at(dict, "n") == PROCESSES * (TIMES / 10));
}

static void open_the_same(tw_dict *dict, int say) {
    (void)dict;
    (void)say;
    tw_dict *made;
    int error;
    do {
        error = tw__dicts_open(&probe_dicts, probe_str("new"), 65536, &made);
    } while (error == TW_EOVERLOADED);
    count(made, say);
}

static void those_who_open_one_at_once_have_the_same(void **state) {
    (void)state;
    child children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork_child(open_the_same, NULL);
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_int_equal(end_of(&children[i]), 0);
    }
    assert_int_equal(tw__dict_region_count(probe_region), 2);
    assert_true(number_at(probe_open("new", 0), "k0") == PROCESSES * TIMES / 4);
}

/* Holds the lock of the key's shard in the middle of a change, with everything
 * in it broken, for ever. */
static void break_off(tw_dict *dict, int say) {
    tw__dict_use use;
    if (tw__dict_begin(&use, dict, probe_str("k")) != 0) {
        _exit(1);
    }
    memset(&use.shard->version + 1, 0xff,
           sizeof *use.shard - offsetof(tw__dict_shard, version) - 4);
    memset(use.shard + 1, 0xee, use.dict->part->stride - sizeof *use.shard);
    if (write(say, "x", 1) == 1) {
        pause();
    }
}

static void who_holds_a_lock_makes_others_busy_and_not_wait(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 16384);
    child holder = fork_child(break_off, dict);
    wait_until_said(&holder);
    tw_dict_value value;
    double n;
    assert_int_equal(tw_dict_get(dict, probe_str("k"), &value), TW_EOVERLOADED);
    assert_int_equal(tw_dict_incr(dict, probe_str("k"), 1, 0, 0, &n),
                     TW_EOVERLOADED);
    assert_int_equal(tw_dict_flush(dict), TW_EOVERLOADED);
    assert_int_equal(probe_tally.busy, 3);
    kill(holder.pid, SIGKILL);
    end_of(&holder);
}

static void a_shard_whose_holder_was_killed_is_emptied(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 16384);
    assert_int_equal(probe_set(dict, "k", "x", 0), 0);
    assert_int_equal(probe_set(dict, "other", "x", 0), 0);
    child holder = fork_child(break_off, dict);
    wait_until_said(&holder);
    kill(holder.pid, SIGKILL);
    end_of(&holder);
    assert_false(probe_has(dict, "k"));
    assert_int_equal(probe_tally.emptied, 1);
    assert_false(probe_has(dict, "other"));
    for (int i = 0; i < 2000; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(probe_set(dict, key, "good again", 0), 0);
        probe_expect(dict, key, "good again");
    }
    assert_int_equal(probe_tally.emptied, 1);
}

static void only_one_shard_of_many_is_emptied(void **state) {
    (void)state;
    tw_dict *dict = probe_open("a", 512 << 10);
    char key[16];
    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(probe_set(dict, key, "x", 0), 0);
    }
    child holder = fork_child(break_off, dict);
    wait_until_said(&holder);
    kill(holder.pid, SIGKILL);
    end_of(&holder);
    int left = 0;
    for (int i = 0; i < 400; i++) {
        snprintf(key, sizeof key, "k%d", i);
        left += probe_has(dict, key);
    }
    assert_int_equal(probe_tally.emptied, 1);
    assert_in_range(left, 200, 399); /* of 4 shards 3 */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, probe_up, probe_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(four_that_count_at_once_lose_nothing),
        CASE(four_that_swap_at_once_lose_nothing),
        CASE(those_who_open_one_at_once_have_the_same),
        CASE(who_holds_a_lock_makes_others_busy_and_not_wait),
        CASE(a_shard_whose_holder_was_killed_is_emptied),
        CASE(only_one_shard_of_many_is_emptied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
