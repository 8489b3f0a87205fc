/* Who may connect to a public Unix socket.
 * SPDX-License-Identifier: MIT */
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/share.h"

static char folder[64], path[96], text[112], why[512];
static tw__address address;
static int fd;

static int set_up(void **state) {
    (void)state;
    umask(077); /* as the service has it */
    strcpy(folder, "/tmp/tw-share-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(text, sizeof text, "unix:%s", path);
    why[0] = '\0';
    return tw__address_parse(&address, text) != 0 ||
           tw__socket_listen(&address, 1, 0, &fd) != 0;
}

static int tear_down(void **state) {
    (void)state;
    close(fd);
    unlink(path);
    return rmdir(folder);
}

static int share(unsigned mode, const char *group) {
    tw_listen_options options = {.mode = mode, .group = group};
    return tw__share_socket(text, &address, &options, why, sizeof why);
}

static struct stat facts(void) {
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return info;
}

static unsigned mode_of(void) {
    return facts().st_mode & 07777;
}

static void without_a_word_it_is_its_owners(void **state) {
    (void)state;
    assert_int_equal(share(0, NULL), 0);
    assert_int_equal(tw__share_socket(text, &address, NULL, why, sizeof why),
                     0);
    assert_int_equal(mode_of(), 0600);
}

static void a_mode_is_the_files_whatever_the_umask(void **state) {
    static const unsigned modes[] = {0600, 0660, 0666, 0777};
    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(share(modes[i], NULL), 0);
        assert_int_equal(mode_of(), modes[i]);
        assert_int_equal(facts().st_gid, getegid());
    }
}

static void a_group_may_connect_without_a_mode(void **state) {
    char number[16];
    (void)state;
    snprintf(number, sizeof number, "%u", (unsigned)getegid());
    assert_int_equal(share(0, number), 0);
    assert_int_equal(mode_of(), 0660);
    assert_int_equal(share(0600, number), 0);
    assert_int_equal(mode_of(), 0600);
}

static void a_group_is_known_by_name_too(void **state) {
    const struct group *own = getgrgid(getegid());
    (void)state;
    if (own == NULL) {
        skip();
    }
    assert_int_equal(share(0, own->gr_name), 0);
    assert_int_equal(facts().st_gid, getegid());
}

/* Root may give it to anybody, others to a group of theirs. */
static void a_group_is_given_or_the_reason_is_told(void **state) {
    enum { STRANGERS = 54321 };
    (void)state;
    int error = share(0660, "54321");
    if (error == 0) {
        assert_int_equal(facts().st_gid, STRANGERS);
        assert_int_equal(mode_of(), 0660);
    } else {
        assert_int_equal(error, TW_EDENIED);
        assert_non_null(strstr(why, "may not be given to group '54321'"));
        assert_int_equal(mode_of(), 0600); /* nobody was let in by mistake */
    }
}

static void a_group_that_is_not_there_is_told(void **state) {
    (void)state;
    assert_int_equal(share(0, "no such group"), TW_ENOT_FOUND);
    assert_non_null(strstr(why, "there is no group 'no such group'"));
    assert_non_null(strstr(why, path));
    assert_int_equal(mode_of(), 0600);
}

static void modes_that_are_none_are_refused(void **state) {
    static const unsigned modes[] = {0060, 0200, 01777, 010000};
    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(share(modes[i], NULL), TW_EINVALID);
        assert_int_equal(mode_of(), 0600);
    }
}

static void it_is_for_unix_sockets_only(void **state) {
    tw_listen_options options = {.mode = 0660};
    tw__address tcp;
    (void)state;
    assert_int_equal(tw__address_parse(&tcp, "127.0.0.1:0"), 0);
    assert_int_equal(
        tw__share_socket("127.0.0.1:0", &tcp, &options, why, sizeof why),
        TW_EINVALID);
}

/* Somebody who may write to the folder put another thing in its place. */
static void what_is_not_our_socket_any_more_stays_as_it_is(void **state) {
    char target[128];
    (void)state;
    snprintf(target, sizeof target, "%s/target", folder);
    FILE *file = fopen(target, "w");
    assert_non_null(file);
    fclose(file);
    unlink(path);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(share(0666, NULL), TW_EDENIED);
    unlink(path);
    assert_int_equal(link(target, path), 0);
    assert_int_equal(share(0666, NULL), TW_EDENIED);
    struct stat info;
    assert_int_equal(stat(target, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    unlink(target);
    unlink(path);
    assert_int_not_equal(share(0666, NULL), 0); /* gone */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_a_word_it_is_its_owners),
        TEST(a_mode_is_the_files_whatever_the_umask),
        TEST(a_group_may_connect_without_a_mode),
        TEST(a_group_is_known_by_name_too),
        TEST(a_group_is_given_or_the_reason_is_told),
        TEST(a_group_that_is_not_there_is_told),
        TEST(modes_that_are_none_are_refused),
        TEST(it_is_for_unix_sockets_only),
        TEST(what_is_not_our_socket_any_more_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
