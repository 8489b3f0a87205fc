/* Starts, deaths, hangs and ends of a server, seen from outside.
 * SPDX-License-Identifier: MIT */
#include "test_server_stage.h"

static void every_slot_accepts_and_a_signal_drains(void **state) {
    (void)state;
    bool seen[3] = {false};
    tw_master_config config = stage_config(3);
    stage_run(&config);
    assert_int_equal(stage_now->writers, 1);
    for (int i = 0; i < 300 && !(seen[0] && seen[1] && seen[2]); i++) {
        int slot, version, incarnation,
            fd = stage_connect(stage_now->address[0]);
        stage_who(fd, &slot, &version, &incarnation);
        assert_int_equal(version, 10);
        assert_int_equal(incarnation, 1);
        seen[slot] = true;
        close(fd);
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    assert_int_equal(stage_end(), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stage_now->started[i], 1);
        assert_int_equal(stage_now->stops[i], 1);
    }
    struct stat st;
    assert_int_equal(stat(stage_now->dir, &st), -1);
}

static void one_worker_is_a_server_too(void **state) {
    (void)state;
    tw_master_config config = stage_config(1);
    config.admin = NULL;
    stage_run(&config);
    assert_string_equal(stage_now->admin, "");
    assert_int_equal(stage_fact(0, "ready"), 0); /* "true" is no number */
    assert_int_equal(stage_fact(0, "incarnation"), 1);
    assert_int_equal(stage_end(), 0);
}

static void fifty_three_workers_start_reload_and_end(void **state) {
    (void)state;
    char body[512];
    tw_master_config config = stage_config(53);
    stage_run(&config);
    stage_now->version = 11;
    assert_int_equal(stage_ask("POST", "/api/reload", body, sizeof body), 200);
    assert_true(stage_all_run(53, 11));
    assert_int_equal(stage_end(), 0);
}

static void a_unix_address_serves_and_is_removed(void **state) {
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "unix:%s/public.sock", stage_home);
    const char *listen[] = {path, "127.0.0.1:0"};
    tw_master_config config = stage_config(2);
    config.server.listen = listen;
    config.server.listen_count = 2;
    stage_run(&config);
    for (int i = 0; i < 2; i++) {
        int slot, version, incarnation,
            fd = stage_connect(stage_now->address[i]);
        stage_who(fd, &slot, &version, &incarnation);
        close(fd);
    }
    assert_int_equal(stage_end(), 0);
    assert_int_equal(access(path + 5, F_OK), -1);
}

/* At once, and not by a queue that nobody serves. */
static bool stage_refuses(const char *to) {
    tw__address address;
    int fd;
    assert_int_equal(tw__address_parse(&address, to), 0);
    if (tw__socket_connect(&address, &fd) != 0) {
        return errno == ECONNREFUSED || errno == ENOENT;
    }
    struct pollfd ready = {fd, POLLOUT, 0};
    assert_int_equal(poll(&ready, 1, STAGE_WAIT_MS), 1);
    bool is_refused =
        tw__socket_connect_result(fd) != 0 && errno == ECONNREFUSED;
    close(fd);
    return is_refused;
}

static void a_server_that_drains_leaves_its_addresses_to_others(void **state) {
    (void)state;
    char path[128];
    tw__address address;
    int fds[2];
    snprintf(path, sizeof path, "unix:%s/public.sock", stage_home);
    const char *listen[] = {path, "127.0.0.1:0"};
    tw_master_config config = stage_config(2);
    config.server.listen = listen;
    config.server.listen_count = 2;
    config.stop_ms = STAGE_WAIT_MS;
    stage_now->stop_later = 1; /* it drains until the second signal */
    stage_run(&config);
    kill(stage_master, SIGTERM);
    STAGE_UNTIL(stage_now->stops[0] == 1 && stage_now->stops[1] == 1);
    for (int i = 0; i < 2; i++) {
        assert_true(stage_refuses(stage_now->address[i]));
        assert_int_equal(tw__address_parse(&address, stage_now->address[i]), 0);
        assert_int_equal(tw__socket_listen(&address, 1, 0, &fds[i]), 0);
    }
    assert_int_equal(stage_end(), 0);
    assert_int_equal(access(path + 5, F_OK), 0); /* not its own any more */
    close(fds[0]);
    close(fds[1]);
    unlink(path + 5);
}

static void who_waits_when_a_server_drains_is_answered(void **state) {
    (void)state;
    char text[1024];
    tw_master_config config = stage_config(1);
    stage_run(&config);
    pid_t pid = (pid_t)stage_fact(0, "pid");
    kill(pid, SIGSTOP);
    int fd = stage_connect(stage_now->address[0]);
    stage_send(fd, "GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n");
    kill(stage_master, SIGTERM);
    STAGE_UNTIL(stage_logged("server drains"));
    kill(pid, SIGCONT);
    stage_read(fd, "\r\n\r\n", text, sizeof text);
    assert_memory_equal(text, "HTTP/1.1 200", 12);
    close(fd);
    assert_int_equal(stage_wait(), 0);
}

static void a_mode_lets_others_connect(void **state) {
    (void)state;
    char path[128];
    struct stat info;
    snprintf(path, sizeof path, "unix:%s/public.sock", stage_home);
    const char *listen[] = {path};
    tw_listen_options options[] = {{.mode = 0666}};
    tw_master_config config = stage_config(2);
    config.server.listen = listen;
    config.server.listen_options = options;
    stage_run(&config);
    assert_int_equal(stat(path + 5, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0666);
    assert_int_equal(stage_end(), 0);
    options[0] = (tw_listen_options){.group = "no such group"};
    stage_launch(&config);
    assert_int_equal(stage_wait(), 1);
    assert_true(stage_logged("there is no group 'no such group'"));
    assert_int_equal(access(path + 5, F_OK), -1);
}

static void a_killed_worker_is_replaced_and_no_other_notices(void **state) {
    (void)state;
    tw_master_config config = stage_config(3);
    stage_run(&config);
    int fds[12], slots[12], version, incarnation;
    for (int i = 0; i < 12; i++) {
        fds[i] = stage_connect(stage_now->address[0]);
        stage_who(fds[i], &slots[i], &version, &incarnation);
    }
    stage_now->version = 11; /* sources that nobody asked to be loaded */
    kill((pid_t)stage_fact(1, "pid"), SIGKILL);
    STAGE_UNTIL(stage_fact(1, "incarnation") == 2 &&
                stage_logged("member is ready"));
    STAGE_UNTIL(stage_now->respawns[1] == 1);
    assert_int_equal(stage_now->running[1], 10);
    for (int i = 0; i < 12; i++) {
        int slot;
        if (slots[i] != 1) {
            stage_who(fds[i], &slot, &version, &incarnation);
            assert_int_equal(slot, slots[i]);
        }
        close(fds[i]);
    }
    assert_int_equal(stage_now->writers, 1);
    assert_int_equal(stage_fact(1, "restarts"), 1);
    assert_int_equal(stage_end(), 0);
}

static void a_connection_that_waits_survives_a_death(void **state) {
    (void)state;
    tw_master_config config = stage_config(1);
    stage_run(&config);
    pid_t pid = (pid_t)stage_fact(0, "pid");
    kill(pid, SIGSTOP);
    int fd = stage_connect(stage_now->address[0]);
    kill(pid, SIGKILL);
    int slot, version, incarnation;
    stage_who(fd, &slot, &version, &incarnation);
    assert_int_equal(incarnation, 2);
    close(fd);
    assert_int_equal(stage_end(), 0);
}

static void one_that_keeps_dying_is_started_ever_later(void **state) {
    (void)state;
    tw_master_config config = stage_config(2);
    stage_run(&config);
    stage_now->fail_start = 2;
    uint64_t before = stage_clock();
    kill((pid_t)stage_fact(1, "pid"), SIGKILL);
    STAGE_UNTIL(stage_now->starts[1] >= 5);
    /* At once, then after 100, 200 and 400 ms. */
    assert_true(stage_clock() - before >= 700);
    assert_true(stage_logged("app.lua:1: start failed"));
    stage_now->fail_start = 0;
    STAGE_UNTIL(stage_now->running[1] == 10 && stage_fact(1, "pid") != 0);
    assert_int_equal(stage_end(), 0);
}

static void a_hung_worker_is_aborted_and_replaced(void **state) {
    (void)state;
    tw_master_config config = stage_config(1);
    config.hang_cpu_ms = 1000; /* over what a slow start takes */
    stage_run(&config);
    int fd = stage_connect(stage_now->address[0]);
    stage_send(fd, "GET /hang HTTP/1.1\r\nHost: localhost\r\n\r\n");
    STAGE_UNTIL(stage_fact(0, "incarnation") == 2);
    assert_int_equal(stage_fact(0, "hangs"), 1);
    assert_true(stage_logged("member hangs"));
    assert_true(stage_logged("killed by SIGABRT"));
    close(fd);
    assert_int_equal(stage_end(), 0);
}

static void one_that_stands_still_is_killed_in_the_end(void **state) {
    (void)state;
    tw_master_config config = stage_config(1);
    config.hang_wall_ms = 4000; /* over the tick of an idle worker */
    stage_run(&config);
    kill((pid_t)stage_fact(0, "pid"), SIGSTOP); /* nor does it take SIGABRT */
    STAGE_UNTIL(stage_fact(0, "incarnation") >= 2);
    assert_true(stage_logged("killed by SIG"));
    assert_int_equal(stage_end(), 0);
}

static void an_idle_worker_is_not_hung(void **state) {
    (void)state;
    tw_master_config config = stage_config(2);
    config.hang_wall_ms = 6000;
    stage_run(&config);
    uint64_t until = stage_clock() + 8000;
    STAGE_UNTIL(stage_clock() > until);
    assert_false(stage_logged("member hangs"));
    assert_int_equal(stage_end(), 0);
}

static void
a_start_that_fails_in_any_slot_ends_all_with_its_report(void **state) {
    (void)state;
    for (int slot = 0; slot < 3; slot++) {
        tw_master_config config = stage_config(3);
        stage_now->fail_start = slot + 1;
        stage_launch(&config);
        assert_int_equal(stage_wait(), 1);
        assert_true(stage_logged("app.lua:1: start failed"));
        assert_false(stage_now->is_ready);
        assert_int_equal(stage_now->started[0], 0); /* nobody listened */
        stage_now->log_len = 0;
        memset(stage_now->log, 0, 4096);
    }
    /* The others were not even started while the first had not loaded. */
    assert_int_equal(stage_now->starts[0], 3);
    assert_in_range(stage_now->starts[1], 0, 2);
}

static void an_address_in_use_ends_the_start(void **state) {
    (void)state;
    tw_master_config config = stage_config(2);
    stage_run(&config);
    pid_t first = stage_master;
    int first_alive = stage_alive;
    char first_dir[128];
    strcpy(first_dir, stage_now->dir);
    const char *listen[] = {stage_now->address[0]};
    config.server.listen = listen;
    stage_launch(&config);
    assert_int_equal(stage_wait(), 1);
    assert_true(stage_logged("cannot listen"));
    assert_true(stage_logged("Address already in use"));
    stage_master = first;
    stage_alive = first_alive;
    assert_int_equal(stage_fact(0, "incarnation"), 1);
    assert_int_equal(stage_end(), 0);
}

static void the_children_end_when_the_master_is_killed(void **state) {
    (void)state;
    tw_master_config config = stage_config(3);
    stage_run(&config);
    kill(stage_master, SIGKILL);
    assert_int_equal(stage_wait(), -1); /* the last process is gone, too */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stage_now->stops[i], 1);
    }
    /* What it left is removed by the next one. */
    memset((void *)&stage_now->is_ready, 0, sizeof stage_now->is_ready);
    char left[128];
    strcpy(left, stage_now->dir);
    stage_run(&config);
    assert_int_equal(access(left, F_OK), -1);
    assert_int_equal(stage_end(), 0);
}

static void a_host_that_does_not_stop_is_not_waited_for_for_ever(void **state) {
    (void)state;
    tw_master_config config = stage_config(2);
    config.stop_ms = 200;
    stage_run(&config);
    stage_now->stop_later = 1;
    assert_int_equal(stage_end(), 0);
    assert_true(stage_logged("the host did not stop in time"));
}

static void a_second_signal_ends_at_once(void **state) {
    (void)state;
    tw_master_config config = stage_config(2);
    config.stop_ms = 3600000;
    stage_run(&config);
    stage_now->stop_later = 1;
    kill(stage_master, SIGTERM);
    STAGE_UNTIL(stage_now->stops[0] == 1 && stage_now->stops[1] == 1);
    assert_int_equal(stage_end(), 0);
}

static void signals_to_the_whole_group_are_the_masters_to_take(void **state) {
    (void)state;
    tw_master_config config = stage_config(2);
    stage_run(&config);
    pid_t workers[2] = {(pid_t)stage_fact(0, "pid"),
                        (pid_t)stage_fact(1, "pid")};
    for (int i = 0; i < 2; i++) {
        kill(workers[i], SIGINT);
        kill(workers[i], SIGTERM);
        kill(workers[i], SIGHUP);
    }
    int slot, version, incarnation, fd = stage_connect(stage_now->address[0]);
    stage_who(fd, &slot, &version, &incarnation);
    assert_int_equal(incarnation, 1);
    close(fd);
    kill(stage_master, SIGINT);
    assert_int_equal(stage_wait(), 0);
    assert_int_equal(stage_now->stops[0] + stage_now->stops[1], 2);
}

static void a_killed_admin_member_is_replaced(void **state) {
    (void)state;
    char body[8192];
    tw_master_config config = stage_config(1);
    stage_run(&config);
    assert_int_equal(stage_ask("GET", "/api/status", body, sizeof body), 200);
    int pid = atoi(strstr(body, "\"admin_pid\":") + 12);
    kill(pid, SIGKILL);
    /* Its sockets are the master's: what connects meanwhile is served. */
    STAGE_UNTIL(stage_logged("member died member=admin"));
    STAGE_UNTIL(stage_ask("GET", "/ready", body, sizeof body) == 200);
    assert_int_equal(stage_end(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        STAGE_TEST(every_slot_accepts_and_a_signal_drains),
        STAGE_TEST(one_worker_is_a_server_too),
        STAGE_TEST(fifty_three_workers_start_reload_and_end),
        STAGE_TEST(a_unix_address_serves_and_is_removed),
        STAGE_TEST(a_server_that_drains_leaves_its_addresses_to_others),
        STAGE_TEST(who_waits_when_a_server_drains_is_answered),
        STAGE_TEST(a_mode_lets_others_connect),
        STAGE_TEST(a_killed_worker_is_replaced_and_no_other_notices),
        STAGE_TEST(a_connection_that_waits_survives_a_death),
        STAGE_TEST(one_that_keeps_dying_is_started_ever_later),
        STAGE_TEST(a_hung_worker_is_aborted_and_replaced),
        STAGE_TEST(one_that_stands_still_is_killed_in_the_end),
        STAGE_TEST(an_idle_worker_is_not_hung),
        STAGE_TEST(a_start_that_fails_in_any_slot_ends_all_with_its_report),
        STAGE_TEST(an_address_in_use_ends_the_start),
        STAGE_TEST(the_children_end_when_the_master_is_killed),
        STAGE_TEST(a_host_that_does_not_stop_is_not_waited_for_for_ever),
        STAGE_TEST(a_second_signal_ends_at_once),
        STAGE_TEST(signals_to_the_whole_group_are_the_masters_to_take),
        STAGE_TEST(a_killed_admin_member_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
