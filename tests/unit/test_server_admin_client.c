/* What a program is told when it asks a server that does not answer well.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tidewire/admin.h"
#include "tidewire/errors.h"

static char folder[64];
static char why[512];

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/tw-client-XXXXXX");
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

/* ---- a server that says one thing to whoever comes ----------------------- */

typedef struct fake {
    pid_t pid;
    char path[128];
} fake;

static void drain(int fd) {
    char buffer[4096];
    while (read(fd, buffer, sizeof buffer) > 0) {
    }
}

/* Reads a request's head, to its empty line. */
static void read_head(int fd) {
    char head[1024] = "";
    size_t len = 0;
    while (strstr(head, "\r\n\r\n") == NULL && len < sizeof head - 1) {
        ssize_t got = read(fd, head + len, sizeof head - 1 - len);
        if (got <= 0) {
            return;
        }
        len += (size_t)got;
        head[len] = '\0';
    }
}

/* `answer` NULL: silence, until the client has gone. */
static _Noreturn void serve(int listener, const char *answer) {
    int fd = accept(listener, NULL, NULL);
    read_head(fd);
    if (answer == NULL) {
        drain(fd);
    } else {
        ssize_t ignored = write(fd, answer, strlen(answer));
        (void)ignored;
    }
    _exit(0);
}

static fake start(const char *answer) {
    fake it = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(it.path, sizeof it.path, "%s/admin.sock", folder);
    strcpy(address.sun_path, it.path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    it.pid = fork();
    if (it.pid == 0) {
        serve(fd, answer);
    }
    close(fd);
    return it;
}

/* What comes of asking such a server; the status and body when it is 0. */
static int ask(const char *answer, unsigned timeout_ms, int *status,
               char **body) {
    fake it = start(answer);
    why[0] = '\0';
    int error = tw_admin_request(folder, "GET", "/health", timeout_ms, status,
                                 body, why, sizeof why);
    unlink(it.path);
    waitpid(it.pid, NULL, 0);
    return error;
}

static void expect_failure(const char *answer, int error,
                           const char *sentence) {
    int status = -1;
    char *body = NULL;
    assert_int_equal(ask(answer, 0, &status, &body), error);
    assert_string_equal(why, sentence);
    assert_int_equal(status, -1); /* untouched */
    assert_null(body);
}

/* ---- tests -------------------------------------------------------------- */

static void a_whole_answer_is_given(void **state) {
    (void)state;
    int status;
    char *body;
    assert_int_equal(
        ask("HTTP/1.1 418 Teapot\r\nContent-Length: 5\r\n\r\nshort", 0, &status,
            &body),
        0);
    assert_int_equal(status, 418);
    assert_string_equal(body, "short");
    tw_admin_free(body);
}

static void an_answer_may_be_empty(void **state) {
    (void)state;
    int status;
    char *body;
    assert_int_equal(ask("HTTP/1.1 204 None\r\nContent-Length: 0\r\n\r\n", 0,
                         &status, &body),
                     0);
    assert_int_equal(status, 204);
    assert_string_equal(body, "");
    tw_admin_free(body);
}

static void an_end_without_an_answer_is_told(void **state) {
    (void)state;
    expect_failure("", TW_EIO, "the server ended without an answer");
}

static void what_is_not_http_is_told(void **state) {
    (void)state;
    expect_failure("SSH-2.0-Open\r\n\r\n", TW_EINVALID,
                   "the answer is not HTTP");
    expect_failure("HTTP/1.1 200 OK\r\n", TW_EINVALID,
                   "the answer is not HTTP");
}

static void an_answer_that_was_cut_is_told(void **state) {
    (void)state;
    expect_failure("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", TW_EIO,
                   "the answer was cut off");
    expect_failure("HTTP/1.1 200 OK\r\n\r\nwithout a length", TW_EIO,
                   "the answer was cut off");
}

static void silence_is_waited_for_as_long_as_is_said(void **state) {
    (void)state;
    int status = -1;
    char *body = NULL;
    assert_int_equal(ask(NULL, 30, &status, &body), TW_ETIMEOUT);
    assert_string_equal(why, "the server did not answer in time");
    assert_int_equal(status, -1);
}

static int request(const char *dir, const char *path) {
    int status;
    char *body;
    return tw_admin_request(dir, "GET", path, 1000, &status, &body, why,
                            sizeof why);
}

static void nobody_there_is_told(void **state) {
    (void)state;
    assert_int_equal(request(folder, "/health"), TW_ENOT_FOUND);
    assert_non_null(strstr(why, "no server answers in /tmp/tw-client-"));
}

static void what_is_too_long_is_told_and_not_cut(void **state) {
    (void)state;
    char longest[600];
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(request(longest + sizeof longest - 200, "/health"),
                     TW_EINVALID);
    assert_non_null(strstr(why, "the path is too long"));
    fake it = start("");
    assert_int_equal(request(folder, longest), TW_EINVALID);
    assert_string_equal(why, "the path is too long");
    unlink(it.path);
    waitpid(it.pid, NULL, 0);
}

static void the_sentence_is_not_wanted_by_everybody(void **state) {
    (void)state;
    int status;
    char *body;
    assert_int_equal(
        tw_admin_request(folder, "GET", "/", 1000, &status, &body, NULL, 0),
        TW_ENOT_FOUND);
}

#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_whole_answer_is_given),
        TEST(an_answer_may_be_empty),
        TEST(an_end_without_an_answer_is_told),
        TEST(what_is_not_http_is_told),
        TEST(an_answer_that_was_cut_is_told),
        TEST(silence_is_waited_for_as_long_as_is_said),
        TEST(nobody_there_is_told),
        TEST(what_is_too_long_is_told_and_not_cut),
        TEST(the_sentence_is_not_wanted_by_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
