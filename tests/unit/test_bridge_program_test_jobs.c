/* lua/program/test_jobs.h. SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../lua/program/test_jobs.c"

static const char *const names[] = {"a", "b", "c", "d", "e", "f"};

/* The file "c" dies, "e" leaves. Later files end first. */
static void run(void *arg, size_t i, twp_test_total *total) {
    const bool *is_deadly = arg;
    usleep((useconds_t)(5 - i) * 2000);
    printf("%s begins\n", names[i]);
    fflush(stdout);
    if (*is_deadly && i == 2) {
        raise(SIGKILL);
    }
    if (*is_deadly && i == 4) {
        _exit(3);
    }
    total->cases.passed += (unsigned)i + 1;
    total->cases.failed += i == 1;
    printf("%s ends\n", names[i]);
}

typedef struct seen {
    char out[1024], err[1024];
} seen;

static void take(FILE *file, int kept, int fd, char *text, size_t size) {
    fflush(file);
    lseek(fd, 0, SEEK_SET);
    ssize_t len = read(fd, text, size - 1);
    text[len > 0 ? len : 0] = '\0';
    dup2(kept, fileno(file));
    close(kept);
    close(fd);
}

static twp_test_total run_all(bool is_deadly, unsigned at_once, seen *s) {
    const twp_test_jobs jobs = {
        .run = run, .arg = &is_deadly, .names = names, .count = 6};
    twp_test_total total = {0};
    fflush(stdout);
    int out = memfd_create("out", 0), err = memfd_create("err", 0);
    int kept_out = dup(STDOUT_FILENO), kept_err = dup(STDERR_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    twp_test_run(&jobs, at_once, &total);
    take(stdout, kept_out, out, s->out, sizeof s->out);
    take(stderr, kept_err, err, s->err, sizeof s->err);
    return total;
}

static const char all[] = "a begins\na ends\nb begins\nb ends\nc begins\n"
                          "c ends\nd begins\nd ends\ne begins\ne ends\n"
                          "f begins\nf ends\n";

static void what_files_print_comes_in_their_order(void **state) {
    (void)state;
    for (unsigned at_once = 1; at_once <= 8; at_once++) {
        seen s;
        twp_test_total total = run_all(false, at_once, &s);
        assert_string_equal(s.out, all);
        assert_string_equal(s.err, "");
        assert_int_equal(total.cases.passed, 21);
        assert_int_equal(total.cases.failed, 1);
        assert_int_equal(total.broken, 0);
    }
}

static void a_file_that_dies_costs_no_other(void **state) {
    (void)state;
    for (unsigned at_once = 2; at_once <= 8; at_once++) {
        seen s;
        twp_test_total total = run_all(true, at_once, &s);
        assert_non_null(strstr(s.out, "c begins\nd begins\nd ends\n"
                                      "e begins\nf begins\nf ends\n"));
        assert_non_null(strstr(s.err, "c: ended by signal 9"));
        assert_non_null(strstr(s.err, "e: ended with exit status 3\n"));
        assert_int_equal(total.cases.passed, 1 + 2 + 4 + 6);
        assert_int_equal(total.broken, 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_files_print_comes_in_their_order),
        cmocka_unit_test(a_file_that_dies_costs_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
