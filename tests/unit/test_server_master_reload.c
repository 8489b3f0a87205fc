/* Reloads of a whole server with hooks in C, while workers fail and die.
 * SPDX-License-Identifier: MIT */
#include <limits.h>

#include "test_server_stage.h"

static int reload(char *body, size_t size) {
    return stage_ask("POST", "/api/reload", body, size);
}

/* After whatever happened: every slot runs `version`, and a reload works. */
static void check_whole(uint32_t workers, int version) {
    char body[1024];
    STAGE_UNTIL(stage_all_run(workers, version));
    for (uint32_t i = 0; i < workers; i++) {
        STAGE_UNTIL(stage_fact(i, "pid") != 0);
    }
    stage_now->version = version + 100;
    STAGE_UNTIL(reload(body, sizeof body) == 200);
    STAGE_UNTIL(stage_all_run(workers, version + 100));
}

static void all_workers_switch_and_connections_stay(void **state) {
    (void)state;
    char body[1024];
    tw_master_config config = stage_config(3);
    stage_run(&config);
    int fds[9], slots[9], version, incarnation;
    for (int i = 0; i < 9; i++) {
        fds[i] = stage_connect(stage_now->address[0]);
        stage_who(fds[i], &slots[i], &version, &incarnation);
        assert_int_equal(version, 10);
    }
    stage_now->version = 11;
    assert_int_equal(reload(body, sizeof body), 200);
    assert_string_equal(body, "{\"generation\":2}\n");
    for (int i = 0; i < 9; i++) {
        int slot;
        stage_who(fds[i], &slot, &version, &incarnation);
        assert_int_equal(version, 11); /* the answer came after the switch */
        assert_int_equal(slot, slots[i]);
        assert_int_equal(incarnation, 1);
        close(fds[i]);
    }
    assert_int_equal(stage_now->writers, 2); /* one loads, the others copy */
    assert_int_equal(stage_fact(2, "generation"), 2);
    assert_int_equal(stage_end(), 0);
}

static void a_host_may_ask_for_a_reload(void **state) {
    (void)state;
    char text[1024];
    tw_master_config config = stage_config(2);
    stage_run(&config);
    stage_now->version = 11;
    stage_http(stage_now->address[0],
               "GET /reload HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
               text, sizeof text);
    STAGE_UNTIL(stage_all_run(2, 11));
    assert_int_equal(stage_end(), 0);
}

static void a_reload_waits_for_the_end_of_the_last_one(void **state) {
    (void)state;
    tw_master_config config = stage_config(2);
    stage_run(&config);
    stage_now->unsettled = 5;
    stage_now->version = 12;
    kill(stage_master, SIGHUP);
    STAGE_UNTIL(stage_all_run(2, 12));
    assert_int_equal(stage_now->settles[0], 6);
    assert_int_equal(stage_now->settles[1], 6);
    assert_int_equal(stage_now->prepares[0], 1);
    assert_int_equal(stage_end(), 0);
}

static void a_drain_ends_a_reload_that_waits(void **state) {
    (void)state;
    tw_master_config config = stage_config(2);
    stage_run(&config);
    stage_now->unsettled = INT_MAX;
    kill(stage_master, SIGHUP);
    STAGE_UNTIL(stage_now->settles[0] > 0);
    assert_int_equal(stage_end(), 0);
    assert_int_equal(stage_now->prepares[0], 0);
}

static void only_the_snapshot_that_holds_is_kept(void **state) {
    (void)state;
    char body[1024], path[256];
    tw_master_config config = stage_config(2);
    stage_run(&config);
    assert_int_equal(reload(body, sizeof body), 200);
    stage_now->fail_prepare = 2;
    assert_int_equal(reload(body, sizeof body), 422);
    for (int i = 1; i <= 3; i++) {
        snprintf(path, sizeof path, "%s/gen-%d.snapshot", stage_now->dir, i);
        assert_int_equal(access(path, F_OK), i == 2 ? 0 : -1);
    }
    assert_int_equal(stage_end(), 0);
}

static void a_failed_load_keeps_the_old_generation_and_says_why(void **state) {
    (void)state;
    char body[1024];
    tw_master_config config = stage_config(3);
    stage_run(&config);
    stage_now->version = 11;
    for (int slot = 0; slot < 3; slot++) {
        stage_now->fail_prepare = slot + 1;
        assert_int_equal(reload(body, sizeof body), 422);
        assert_non_null(strstr(body, "app.lua:7: \\\"prepare\\\" failed"));
        assert_true(stage_all_run(3, 10));
    }
    /* Those that had loaded it were told to forget it. */
    STAGE_UNTIL(stage_now->aborts[0] == 2);
    assert_true(stage_logged("reload aborted"));
    stage_now->fail_prepare = 0;
    assert_int_equal(reload(body, sizeof body), 200);
    assert_string_equal(body, "{\"generation\":5}\n");
    assert_true(stage_all_run(3, 11));
    assert_int_equal(stage_end(), 0);
}

static void a_failed_save_aborts_everywhere(void **state) {
    (void)state;
    char body[1024];
    tw_master_config config = stage_config(3);
    stage_run(&config);
    stage_now->version = 11;
    stage_now->fail_freeze = 2;
    assert_int_equal(reload(body, sizeof body), 422);
    assert_non_null(strstr(body, "save() raised"));
    stage_now->fail_freeze = 0;
    check_whole(3, 10);
    assert_int_equal(stage_end(), 0);
}

static void a_freeze_that_is_too_slow_aborts_and_thaws(void **state) {
    (void)state;
    char body[1024];
    tw_master_config config = stage_config(2);
    config.freeze_ms = 250;
    stage_run(&config);
    stage_now->slow_freeze_ms = 400;
    assert_int_equal(reload(body, sizeof body), 409);
    assert_non_null(strstr(body, "did not freeze within 250 ms"));
    stage_now->slow_freeze_ms = 0;
    for (int i = 0; i < 4; i++) {
        int slot, version, incarnation;
        int fd = stage_connect(stage_now->address[0]);
        stage_who(fd, &slot, &version, &incarnation);
        assert_int_equal(version, 10);
        close(fd);
    }
    check_whole(2, 10);
    assert_int_equal(stage_end(), 0);
}

static void
a_death_before_the_commit_aborts_and_leaves_no_mixture(void **state) {
    (void)state;
    char body[1024];
    volatile int *const knobs[] = {&stage_now->die_in_prepare,
                                   &stage_now->die_in_freeze};
    tw_master_config config = stage_config(3);
    stage_run(&config);
    int version = 10;
    for (int knob = 0; knob < 2; knob++) {
        for (int slot = 0; slot < 3; slot += 2) {
            stage_now->version = version + 1;
            *knobs[knob] = slot + 1;
            assert_int_equal(reload(body, sizeof body), 409);
            assert_non_null(strstr(body, "died during the reload"));
            *knobs[knob] = 0;
            check_whole(3, version);
            version += 100;
        }
    }
    assert_int_equal(stage_end(), 0);
}

static void
a_death_after_the_decision_starts_on_the_new_generation(void **state) {
    (void)state;
    char body[1024];
    tw_master_config config = stage_config(3);
    stage_run(&config);
    stage_now->version = 11;
    stage_now->die_in_commit = 2;
    assert_int_equal(reload(body, sizeof body), 200);
    stage_now->die_in_commit = 0;
    stage_now->version = 12; /* not asked for */
    STAGE_UNTIL(stage_now->respawns[1] == 1);
    STAGE_UNTIL(stage_all_run(3, 11));
    check_whole(3, 11);
    assert_int_equal(stage_end(), 0);
}

static void
a_hundred_signals_in_a_burst_end_in_the_newest_sources(void **state) {
    (void)state;
    tw_master_config config = stage_config(3);
    stage_run(&config);
    int fd = stage_connect(stage_now->address[0]);
    int slot, version = 0, incarnation, last = 0;
    for (int i = 0; i < 100; i++) {
        stage_now->version = 11 + i;
        kill(stage_master, SIGHUP);
        stage_who(fd, &slot, &version, &incarnation);
        assert_true(version >= last); /* never back */
        last = version;
    }
    STAGE_UNTIL(stage_all_run(3, 110));
    stage_who(fd, &slot, &version, &incarnation);
    assert_int_equal(version, 110);
    assert_int_equal(incarnation, 1);
    close(fd);
    assert_int_equal(stage_end(), 0);
}

static void killing_while_reloading_ends_whole(void **state) {
    (void)state;
    tw_master_config config = stage_config(3);
    stage_run(&config);
    for (int round = 0; round < 12; round++) {
        stage_now->version = 11 + round;
        pid_t pid = (pid_t)stage_fact((uint32_t)round % 3, "pid");
        kill(stage_master, SIGHUP);
        if (pid != 0) {
            kill(pid, SIGKILL);
        }
    }
    for (uint32_t i = 0; i < 3; i++) {
        STAGE_UNTIL(stage_fact(i, "pid") != 0);
    }
    char body[1024];
    stage_now->version = 500;
    STAGE_UNTIL(reload(body, sizeof body) == 200 && stage_all_run(3, 500));
    assert_int_equal(stage_end(), 0);
}

static void a_drain_during_a_reload_ends_both(void **state) {
    (void)state;
    tw_master_config config = stage_config(2);
    stage_run(&config);
    stage_now->slow_freeze_ms = 200;
    kill(stage_master, SIGHUP);
    STAGE_UNTIL(stage_now->freezes[0] == 1);
    assert_int_equal(stage_end(), 0);
    assert_int_equal(stage_now->stops[0] + stage_now->stops[1], 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        STAGE_TEST(all_workers_switch_and_connections_stay),
        STAGE_TEST(a_host_may_ask_for_a_reload),
        STAGE_TEST(a_reload_waits_for_the_end_of_the_last_one),
        STAGE_TEST(a_drain_ends_a_reload_that_waits),
        STAGE_TEST(only_the_snapshot_that_holds_is_kept),
        STAGE_TEST(a_failed_load_keeps_the_old_generation_and_says_why),
        STAGE_TEST(a_failed_save_aborts_everywhere),
        STAGE_TEST(a_freeze_that_is_too_slow_aborts_and_thaws),
        STAGE_TEST(a_death_before_the_commit_aborts_and_leaves_no_mixture),
        STAGE_TEST(a_death_after_the_decision_starts_on_the_new_generation),
        STAGE_TEST(a_hundred_signals_in_a_burst_end_in_the_newest_sources),
        STAGE_TEST(killing_while_reloading_ends_whole),
        STAGE_TEST(a_drain_during_a_reload_ends_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
