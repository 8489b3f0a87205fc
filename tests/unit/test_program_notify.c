/* What the program tells its service manager, and its handling of secrets.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../lua/program/nearest.c"
#include "../../lua/program/notify.c"
#include "../../lua/program/option.c"
#include "../../lua/program/secret.c"
#include "../../lua/program/settings.c"
#include "../../lua/program/text.c"

static int listen_at(const char *path, size_t len) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, len);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

static void assert_told(int fd) {
    char got[64] = "";
    assert_true(twp_notify("READY=1"));
    assert_int_equal(recv(fd, got, sizeof got - 1, 0), 7);
    assert_string_equal(got, "READY=1");
    close(fd);
}

static void the_manager_is_told_through_a_path(void **state) {
    (void)state;
    char folder[] = "/tmp/tw-notify-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    int fd = listen_at(path, strlen(path) + 1);
    setenv("NOTIFY_SOCKET", path, 1);
    assert_told(fd);
    assert_false(twp_notify("READY=1")); /* nobody listens any more */
    unlink(path);
    rmdir(folder);
}

static void the_manager_is_told_through_an_abstract_name(void **state) {
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "@tw-notify-%d", (int)getpid());
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    assert_told(listen_at(name, strlen(name + 1) + 1));
}

static void without_a_manager_nobody_is_told(void **state) {
    (void)state;
    static const char *const names[] = {"", "/", "relative", "@"};
    char path[200];
    unsetenv("NOTIFY_SOCKET");
    assert_false(twp_notify("READY=1"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        assert_false(twp_notify("READY=1"));
    }
    memset(path, '/', sizeof path);
    path[sizeof path - 1] = '\0';
    setenv("NOTIFY_SOCKET", path, 1);
    assert_false(twp_notify("READY=1"));
}

static void texts_are_taken_out_of_reports(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"c.lua:1: unfinished string near '\"hunter2'",
         "c.lua:1: unfinished string near ..."},
        {"c.lua:1: '}' expected near ''hunter2''",
         "c.lua:1: '}' expected near ..."},
        {"c.lua:1: '}' expected near '[[hunter2]]'",
         "c.lua:1: '}' expected near ..."},
        {"c.lua:1: malformed number near '4711a'",
         "c.lua:1: malformed number near ..."},
        {"c.lua:1: x near '1'", "c.lua:1: x near ..."},
        {"c.lua:1: '=' expected near 'workers'",
         "c.lua:1: '=' expected near 'workers'"},
        {"c.lua:1: '}' expected near '<eof>'",
         "c.lua:1: '}' expected near '<eof>'"},
        {"c.lua: must return a table", "c.lua: must return a table"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char report[128];
        snprintf(report, sizeof report, "%s", cases[i][0]);
        twp_secret_hide(report);
        assert_string_equal(report, cases[i][1]);
    }
}

static void assert_token_of(const char *text, size_t len,
                            const char *expected) {
    char path[] = "/tmp/tw-token-XXXXXX", *token;
    twp_settings settings;
    twp_why because;
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
    twp_settings_init(&settings);
    twp_settings_set(&settings, TWP_ADMIN_TOKEN_FILE_OPTION, TWP_FROM_FILE,
                     path, &because);
    assert_int_equal(twp_secret_token(&settings, &token), expected != NULL);
    if (expected != NULL) {
        assert_string_equal(token, expected);
    } else {
        assert_null(token);
    }
    twp_secret_free(token);
    twp_settings_deinit(&settings);
    unlink(path);
}

static void a_token_is_the_first_line_of_its_file(void **state) {
    (void)state;
    char longest[MAX_SECRET + 2];
    assert_token_of("abc", 3, "abc");
    assert_token_of("abc\n", 4, "abc");
    assert_token_of("a b  \r\nnext", 11, "a b");
    assert_token_of("", 0, NULL);
    assert_token_of("\nabc", 4, NULL);
    assert_token_of("   \n", 4, NULL);
    memset(longest, 'x', sizeof longest);
    assert_token_of(longest, MAX_SECRET + 1, NULL);
    assert_token_of(longest, MAX_SECRET + 2, NULL);
    longest[MAX_SECRET] = '\n';
    longest[MAX_SECRET + 1] = '\0';
    char expected[MAX_SECRET + 1] = "";
    memset(expected, 'x', MAX_SECRET);
    assert_token_of(longest, MAX_SECRET + 1, expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manager_is_told_through_a_path),
        cmocka_unit_test(the_manager_is_told_through_an_abstract_name),
        cmocka_unit_test(without_a_manager_nobody_is_told),
        cmocka_unit_test(texts_are_taken_out_of_reports),
        cmocka_unit_test(a_token_is_the_first_line_of_its_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
