/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/runtime.h"
#include "tidewire/errors.h"

static char home[64]; /* stands for $XDG_RUNTIME_DIR */

static int set_up(void **state) {
    (void)state;
    strcpy(home, "/tmp/tw-test-XXXXXX");
    return mkdtemp(home) == NULL || setenv("XDG_RUNTIME_DIR", home, 1) != 0;
}

static int tear_down(void **state) {
    (void)state;
    char base[128];
    snprintf(base, sizeof base, "%s/tidewire-%u", home, (unsigned)geteuid());
    rmdir(base);
    return rmdir(home); /* fails when a test left something */
}

static void touch(const char *dir, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static bool exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

typedef struct list {
    char dir[4][256];
    int pid[4];
    unsigned count;
} list;

static bool collect(const char *dir, int pid, void *arg) {
    list *all = arg;
    snprintf(all->dir[all->count], sizeof all->dir[0], "%s", dir);
    all->pid[all->count++] = pid;
    return true;
}

static void the_folder_is_private_found_and_removed(void **state) {
    (void)state;
    tw__runtime runtime;
    char why[256];
    struct stat st;
    list all = {.count = 0};
    assert_int_equal(tw__runtime_open(&runtime, NULL, why, sizeof why), 0);
    assert_int_equal(stat(runtime.dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    tw__runtime_each(collect, &all);
    assert_int_equal(all.count, 1);
    assert_string_equal(all.dir[0], runtime.dir);
    assert_int_equal(all.pid[0], getpid());
    assert_true(tw__runtime_is_alive(runtime.dir));
    touch(runtime.dir, "gen-1.snapshot");
    touch(runtime.dir, "written-by-the-host");
    tw__runtime_close(&runtime);
    assert_false(exists(runtime.dir));
    assert_false(tw__runtime_is_alive(runtime.dir));
}

static void a_folder_is_used_by_one_master_only(void **state) {
    (void)state;
    tw__runtime first, second;
    char why[256], dir[128];
    snprintf(dir, sizeof dir, "%s/chosen", home);
    assert_int_equal(tw__runtime_open(&first, dir, why, sizeof why), 0);
    assert_int_equal(tw__runtime_open(&second, dir, why, sizeof why),
                     TW_EEXISTS);
    assert_non_null(strstr(why, "another server"));
    assert_true(tw__runtime_is_alive(dir));
    tw__runtime_close(&first);
    assert_false(exists(dir));
}

static void a_chosen_folder_is_found_through_its_link(void **state) {
    (void)state;
    tw__runtime runtime;
    char why[256], dir[128];
    list all = {.count = 0};
    snprintf(dir, sizeof dir, "%s/chosen", home);
    assert_int_equal(mkdir(dir, 0700), 0);
    touch(dir, "of-the-operator");
    assert_int_equal(tw__runtime_open(&runtime, dir, why, sizeof why), 0);
    tw__runtime_each(collect, &all);
    assert_int_equal(all.count, 1);
    assert_string_equal(all.dir[0], dir);
    touch(dir, "bus.0");
    tw__runtime_close(&runtime);
    snprintf(why, sizeof why, "%s/bus.0", dir);
    assert_false(exists(why));
    snprintf(why, sizeof why, "%s/of-the-operator", dir);
    assert_true(exists(why)); /* neither made by us nor one of our names */
    assert_int_equal(unlink(why), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* A process of its own that opens a folder and ends without closing it. */
static void crash_in(char *dir, size_t size) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        tw__runtime runtime;
        char why[256];
        bool ok = tw__runtime_open(&runtime, NULL, why, sizeof why) == 0 &&
                  write(fds[1], runtime.dir, sizeof runtime.dir) > 0;
        _exit(ok ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(read(fds[0], dir, size) > 0);
    close(fds[0]);
    close(fds[1]);
}

static void what_a_dead_master_left_is_not_found_and_is_removed(void **state) {
    (void)state;
    char dead[TW__RUNTIME_DIR], why[256];
    list all = {.count = 0};
    crash_in(dead, sizeof dead);
    touch(dead, "bus.0");
    assert_true(exists(dead));
    tw__runtime_each(collect, &all);
    assert_int_equal(all.count, 0);
    tw__runtime runtime;
    assert_int_equal(tw__runtime_open(&runtime, NULL, why, sizeof why), 0);
    assert_false(exists(dead));
    tw__runtime_close(&runtime);
}

static void a_folder_that_others_can_read_is_refused(void **state) {
    (void)state;
    tw__runtime runtime;
    char why[256], dir[128];
    snprintf(dir, sizeof dir, "%s/open", home);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(tw__runtime_open(&runtime, dir, why, sizeof why),
                     TW_EDENIED);
    assert_non_null(strstr(why, "0700"));
    assert_int_equal(rmdir(dir), 0);
}

static void a_path_too_long_for_sockets_is_refused(void **state) {
    (void)state;
    tw__runtime runtime;
    char why[256], dir[128];
    memset(dir, 'x', sizeof dir - 1);
    dir[0] = '/';
    dir[sizeof dir - 1] = '\0';
    assert_int_equal(tw__runtime_open(&runtime, dir, why, sizeof why),
                     TW_EINVALID);
}

static void a_child_that_leaves_does_not_hold_the_lock(void **state) {
    (void)state;
    tw__runtime runtime;
    char why[256];
    assert_int_equal(tw__runtime_open(&runtime, NULL, why, sizeof why), 0);
    int hold[2];
    assert_int_equal(pipe(hold), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        tw__runtime_leave(&runtime);
        close(hold[1]);
        _exit(read(hold[0], &byte, 1) == 0 ? 0
                                           : 1); /* until the parent ends it */
    }
    close(hold[0]);
    tw__runtime copy = runtime;
    tw__runtime_leave(&copy); /* as the master's death would */
    int status;
    for (int i = 0; i < 60000 && tw__runtime_is_alive(runtime.dir); i++) {
        usleep(1000); /* until the child has run */
    }
    assert_false(tw__runtime_is_alive(runtime.dir));
    close(hold[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    char path[TW__RUNTIME_PATH];
    tw__runtime_path(runtime.dir, path, "master.pid");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(runtime.dir), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_folder_is_private_found_and_removed),
        TEST(a_folder_is_used_by_one_master_only),
        TEST(a_chosen_folder_is_found_through_its_link),
        TEST(what_a_dead_master_left_is_not_found_and_is_removed),
        TEST(a_folder_that_others_can_read_is_refused),
        TEST(a_path_too_long_for_sockets_is_refused),
        TEST(a_child_that_leaves_does_not_hold_the_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
