/* Standard error that does not take what it is given.
 * SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../../lua/program/log_sink.c"
#include "../../lua/program/text.c"

/* Standard error is something else while a test runs: put back and checked only
 * afterwards, so that what fails can be read. */
typedef struct world {
    twp_sink sink;
    int saved; /* the real one */
    int ours;  /* the other end of a pipe or socket; a file */
} world;

static void begin(world *w, int theirs, int ours) {
    *w = (world){.saved = dup(STDERR_FILENO), .ours = ours};
    dup2(theirs, STDERR_FILENO);
    close(theirs);
    twp_sink_init(&w->sink);
    twp_sink_unblock(&w->sink);
}

static void begin_pipe(world *w) {
    int pair[2];
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    begin(w, pair[1], pair[0]);
}

static void begin_socket(world *w) {
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    begin(w, pair[1], pair[0]);
}

static void close_ours(world *w) {
    if (w->ours >= 0) {
        close(w->ours);
        w->ours = -1;
    }
}

static void end(world *w) {
    close_ours(w);
    twp_sink_deinit(&w->sink);
    dup2(w->saved, STDERR_FILENO);
    close(w->saved);
}

/* A line of `len` bytes that begins with its number. */
static bool put_line(twp_sink *sink, unsigned number, size_t len) {
    twp_text line = {0};
    twp_text_printf(&line, "%08u ", number);
    while (line.len + 1 < len) {
        twp_text_puts(&line, "x");
    }
    twp_text_puts(&line, "\n");
    bool is_taken = twp_sink_put(sink, &line);
    twp_text_deinit(&line);
    return is_taken;
}

/* Adds what can be read now. */
static size_t read_some(int fd, twp_text *text) {
    char buffer[16384];
    size_t before = text->len;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    while (poll(&readable, 1, 0) == 1) {
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got <= 0) {
            break;
        }
        twp_text_add(text, buffer, (size_t)got);
    }
    return text->len - before;
}

static void read_all(world *w, twp_text *text) {
    do {
        twp_sink_flush(&w->sink);
    } while (read_some(w->ours, text) > 0);
}

/* Lines 1, 2, ... of `len` bytes each, and nothing else: how many? */
static unsigned count_lines(const twp_text *text, size_t len) {
    unsigned count = 0;
    for (size_t at = 0; at < text->len; at += len) {
        assert_true(text->len - at >= len);
        assert_int_equal(strtoul(text->data + at, NULL, 10), ++count);
        assert_int_equal(text->data[at + len - 1], '\n');
    }
    return count;
}

/* ---- nobody reads ------------------------------------------------------- */

enum { LINE = 300, LINES = 5000 };

static void check_unread(world *w) {
    unsigned taken = 0;
    for (unsigned i = 1; i <= LINES; i++) {
        taken += put_line(&w->sink, i, LINE);
    }
    uint64_t lost = w->sink.lost;
    bool is_waiting = twp_sink_is_waiting(&w->sink);
    twp_text text = {0};
    read_all(w, &text);
    bool is_empty = !twp_sink_is_waiting(&w->sink);
    bool is_taken = put_line(&w->sink, taken + 1, LINE);
    read_all(w, &text);
    end(w);

    assert_true(is_waiting && is_empty && is_taken);
    assert_true(taken >= TWP_SINK_LIMIT / LINE && taken < LINES);
    assert_int_equal(lost, LINES - taken);
    assert_int_equal(count_lines(&text, LINE), taken + 1);
    twp_text_deinit(&text);
}

static void test_a_pipe_that_is_not_read_keeps_nobody_waiting(void **state) {
    (void)state;
    world w;
    begin_pipe(&w);
    check_unread(&w);
}

static void test_a_socket_that_is_not_read_keeps_nobody_waiting(void **state) {
    (void)state;
    world w;
    begin_socket(&w);
    check_unread(&w);
}

static void test_a_pipe_of_somebody_else_keeps_nobody_waiting(void **state) {
    (void)state;
    world w;
    begin_pipe(&w);
    close(w.sink._fd);
    w.sink._fd = STDERR_FILENO; /* as if it could not be opened anew */
    w.sink._kind = TWP_SINK_SHARED;
    check_unread(&w);
}

static void test_the_inherited_description_waits_as_before(void **state) {
    (void)state;
    world w;
    begin_pipe(&w);
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    int own = fcntl(w.sink._fd, F_GETFL);
    int inherited = fcntl(w.sink._fd, F_GETFD);
    end(&w);
    assert_int_equal(flags & O_NONBLOCK, 0);
    assert_int_equal(own & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(inherited & FD_CLOEXEC, FD_CLOEXEC);
}

static void
test_records_longer_than_a_pipe_takes_at_once_wait_whole(void **state) {
    (void)state;
    enum { LONG = 3 * PIPE_BUF + 7, MANY = 30 };
    world w;
    begin_pipe(&w);
    unsigned taken = 0;
    for (unsigned i = 1; i <= MANY; i++) {
        taken += put_line(&w.sink, i, LONG);
    }
    twp_text text = {0};
    read_all(&w, &text);
    end(&w);
    assert_int_equal(taken, MANY);
    assert_int_equal(count_lines(&text, LONG), MANY);
    twp_text_deinit(&text);
}

/* ---- it breaks ---------------------------------------------------------- */

static void test_without_a_reader_each_record_is_lost(void **state) {
    (void)state;
    world w;
    begin_pipe(&w);
    close_ours(&w);
    bool is_taken = put_line(&w.sink, 1, LINE) || put_line(&w.sink, 2, LINE);
    uint64_t lost = w.sink.lost;
    bool is_waiting = twp_sink_is_waiting(&w.sink);
    end(&w);
    assert_false(is_taken || is_waiting);
    assert_int_equal(lost, 2);
}

static void test_what_waited_for_a_reader_that_went_is_lost(void **state) {
    (void)state;
    world w;
    begin_socket(&w);
    unsigned taken = 0;
    while (!twp_sink_is_waiting(&w.sink)) {
        put_line(&w.sink, ++taken, LINE);
    }
    put_line(&w.sink, ++taken, LINE);
    put_line(&w.sink, ++taken, LINE);
    close_ours(&w);
    twp_sink_flush(&w.sink);
    uint64_t lost = w.sink.lost;
    bool is_waiting = twp_sink_is_waiting(&w.sink);
    end(&w);
    assert_false(is_waiting);
    assert_int_equal(lost, 3);
}

static void test_a_full_device_loses_records(void **state) {
    (void)state;
    world w;
    begin(&w, open("/dev/full", O_WRONLY), -1);
    bool is_taken = put_line(&w.sink, 1, LINE);
    uint64_t lost = w.sink.lost;
    end(&w);
    assert_false(is_taken);
    assert_int_equal(lost, 1);
}

static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void test_after_a_record_that_was_cut_a_line_begins(void **state) {
    (void)state;
    world w;
    FILE *file = tmpfile();
    assert_non_null(file);
    begin(&w, dup(fileno(file)), -1);
    limit_files(60);
    bool first = put_line(&w.sink, 1, 50);
    bool second = put_line(&w.sink, 2, 50); /* ten bytes of it */
    bool third = put_line(&w.sink, 3, 50);
    limit_files(RLIM_INFINITY);
    bool fourth = put_line(&w.sink, 4, 12);
    uint64_t lost = w.sink.lost;
    end(&w);

    char text[128] = "";
    ssize_t len = pread(fileno(file), text, sizeof text - 1, 0);
    fclose(file);
    assert_true(first && !second && !third && fourth);
    assert_int_equal(lost, 2);
    assert_int_equal(len, 50 + 10 + 1 + 12);
    assert_string_equal(text + 50, "00000002 x\n00000004 xx\n");
}

static void
test_without_standard_error_there_is_nothing_to_wait_for(void **state) {
    (void)state;
    world w;
    begin_pipe(&w);
    twp_sink_deinit(&w.sink);
    close(STDERR_FILENO);
    twp_sink_unblock(&w.sink);
    bool is_taken = put_line(&w.sink, 1, LINE);
    end(&w);
    assert_false(is_taken);
}

/* ---- processes ---------------------------------------------------------- */

static void test_a_child_does_not_write_what_its_parent_has_left(void **state) {
    (void)state;
    world w;
    begin_pipe(&w);
    for (unsigned i = 1; i <= LINES; i++) {
        put_line(&w.sink, i, LINE);
    }
    twp_sink_forget(&w.sink);
    bool is_waiting = twp_sink_is_waiting(&w.sink);
    uint64_t lost = w.sink.lost;
    end(&w);
    assert_false(is_waiting);
    assert_int_equal(lost, 0);
}

static void test_the_end_waits_for_a_reader_but_not_for_ever(void **state) {
    (void)state;
    world w;
    begin_pipe(&w);
    while (!twp_sink_is_waiting(&w.sink)) {
        put_line(&w.sink, 1, LINE);
    }
    twp_sink_drain(&w.sink, 10);
    bool is_late = twp_sink_is_waiting(&w.sink);
    pid_t reader = fork();
    if (reader == 0) {
        char buffer[4096];
        close(STDERR_FILENO);
        close(w.sink._fd);
        while (read(w.ours, buffer, sizeof buffer) > 0) {
        }
        _exit(0);
    }
    twp_sink_drain(&w.sink, 600000);
    bool is_waiting = twp_sink_is_waiting(&w.sink);
    end(&w);
    waitpid(reader, NULL, 0);
    assert_true(is_late);
    assert_false(is_waiting);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN); /* as tidewire run does */
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pipe_that_is_not_read_keeps_nobody_waiting),
        cmocka_unit_test(test_a_socket_that_is_not_read_keeps_nobody_waiting),
        cmocka_unit_test(test_a_pipe_of_somebody_else_keeps_nobody_waiting),
        cmocka_unit_test(test_the_inherited_description_waits_as_before),
        cmocka_unit_test(
            test_records_longer_than_a_pipe_takes_at_once_wait_whole),
        cmocka_unit_test(test_without_a_reader_each_record_is_lost),
        cmocka_unit_test(test_what_waited_for_a_reader_that_went_is_lost),
        cmocka_unit_test(test_a_full_device_loses_records),
        cmocka_unit_test(test_after_a_record_that_was_cut_a_line_begins),
        cmocka_unit_test(
            test_without_standard_error_there_is_nothing_to_wait_for),
        cmocka_unit_test(test_a_child_does_not_write_what_its_parent_has_left),
        cmocka_unit_test(test_the_end_waits_for_a_reader_but_not_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
