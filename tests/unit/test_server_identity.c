/* Becoming somebody else for good. What takes root is skipped without it.
 * SPDX-License-Identifier: MIT */
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/identity.h"
#include "tidewire/errors.h"

static char why[256];

static int find(tw__identity *identity, const char *user, const char *group) {
    why[0] = '\0';
    return tw__identity_find(identity, user, group, why, sizeof why);
}

static void without_a_user_nothing_changes(void **state) {
    (void)state;
    tw__identity identity;
    assert_int_equal(find(&identity, NULL, NULL), 0);
    assert_false(identity.is_change);
    assert_int_equal(identity.uid, geteuid());
    assert_int_equal(find(&identity, "", ""), 0);
    assert_false(identity.is_change);
    assert_int_equal(tw__identity_borrow(&identity), 0);
    assert_int_equal(tw__identity_return(&identity), 0);
    assert_int_equal(tw__identity_assume(&identity, why, sizeof why), 0);
    assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}

static void what_is_nobody_is_told(void **state) {
    (void)state;
    tw__identity identity = {.uid = 7};
    assert_int_equal(find(&identity, "no such user", NULL), TW_ENOT_FOUND);
    assert_non_null(strstr(why, "no such user"));
    assert_int_equal(find(&identity, "-1", NULL), TW_ENOT_FOUND);
    assert_int_equal(find(&identity, "4294967295", "1"), TW_ENOT_FOUND);
    assert_int_equal(find(&identity, "1x", "1"), TW_ENOT_FOUND);
    assert_int_equal(find(&identity, NULL, "1"), TW_EINVALID);
    assert_int_equal(identity.uid, 7); /* untouched */
}

static void root_is_nobody_to_become(void **state) {
    (void)state;
    tw__identity identity;
    int expected = geteuid() == 0 ? TW_EINVALID : TW_EDENIED;
    assert_int_equal(find(&identity, "root", NULL), expected);
    assert_int_equal(find(&identity, "12345", "0"), expected);
}

static void who_is_not_root_may_name_himself(void **state) {
    (void)state;
    if (geteuid() == 0) {
        skip();
    }
    tw__identity identity;
    char user[16], group[16];
    snprintf(user, sizeof user, "%u", (unsigned)geteuid());
    snprintf(group, sizeof group, "%u", (unsigned)getegid());
    assert_int_equal(find(&identity, user, group), 0);
    assert_false(identity.is_change);
    assert_int_equal(find(&identity, "54321", "54321"), TW_EDENIED);
}

/* Root of a container may be able to become nobody. */
static bool can_become(unsigned user) {
    unsigned first, host, count;
    bool can = false;
    FILE *map = geteuid() == 0 ? fopen("/proc/self/uid_map", "r") : NULL;
    while (map != NULL && fscanf(map, "%u %u %u", &first, &host, &count) == 3) {
        can = can || (user >= first && user - first < count);
    }
    if (map != NULL) {
        fclose(map);
    }
    return can;
}

/* Runs `body` in a child, which nothing brings back; 0 is good. */
static void assert_in_child(int (*body)(void)) {
    if (!can_become(54321)) {
        skip();
    }
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(body());
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define NEED(condition)                                                        \
    if (!(condition)) {                                                        \
        return __LINE__ % 255 + 1;                                             \
    }

static int assume(void) {
    tw__identity identity;
    gid_t groups[8] = {0, 4, 5};
    NEED(setgroups(3, groups) == 0);
    NEED(find(&identity, "54321", "54322") == 0 && identity.is_change);
    NEED(tw__identity_assume(&identity, why, sizeof why) == 0);
    NEED(getuid() == 54321 && geteuid() == 54321);
    NEED(getgid() == 54322 && getegid() == 54322);
    NEED(getgroups(8, groups) == 1 && groups[0] == 54322);
    NEED(setuid(0) != 0 && seteuid(0) != 0 && setgid(0) != 0);
    NEED(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    return 0;
}

static void who_gave_up_root_cannot_have_it_back(void **state) {
    (void)state;
    assert_in_child(assume);
}

static int borrow(void) {
    tw__identity identity;
    NEED(find(&identity, "54321", "54322") == 0);
    NEED(tw__identity_borrow(&identity) == 0);
    NEED(geteuid() == 54321 && getegid() == 54322 && getuid() == 0);
    NEED(tw__identity_return(&identity) == 0);
    NEED(geteuid() == 0 && getegid() == 0);
    NEED(tw__identity_assume(&identity, why, sizeof why) == 0);
    NEED(tw__identity_borrow(&identity) == 0); /* is so already */
    NEED(tw__identity_return(&identity) == TW_EDENIED);
    return 0;
}

static void borrowed_is_given_back(void **state) {
    (void)state;
    assert_in_child(borrow);
}

/* No capability to change the groups: giving up must fail, not go half way
 * unnoticed. */
static int assume_without_means(void) {
    tw__identity identity = {.uid = 54321, .gid = 54322, .is_change = true};
    NEED(setresuid(54320, 54320, 54320) == 0);
    NEED(tw__identity_assume(&identity, why, sizeof why) == TW_EDENIED);
    NEED(strstr(why, "cannot become user 54321") != NULL);
    return 0;
}

static void what_cannot_be_given_up_is_an_error(void **state) {
    (void)state;
    assert_in_child(assume_without_means);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_user_nothing_changes),
        cmocka_unit_test(what_is_nobody_is_told),
        cmocka_unit_test(root_is_nobody_to_become),
        cmocka_unit_test(who_is_not_root_may_name_himself),
        cmocka_unit_test(who_gave_up_root_cannot_have_it_back),
        cmocka_unit_test(borrowed_is_given_back),
        cmocka_unit_test(what_cannot_be_given_up_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
