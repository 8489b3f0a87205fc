/* SPDX-License-Identifier: MIT */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidewire/lua_test.h>
#include <time.h>
#include <unistd.h>

#include "help.h"
#include "host.h"
#include "test_jobs.h"

/* What the line said. */
typedef struct line {
    const char *filter, *library;
    bool is_tap, is_quiet, wants_help, has_colour;
    const char **files; /* borrowed texts */
    size_t count;
    unsigned jobs; /* 0: as many as there are cores */
} line;

/* ---- the line ----------------------------------------------------------- */

/* The option's value, in the same argument or the next; NULL: there is none. */
static const char *value_of(const char *text, int argc, char *const *argv,
                            int *i) {
    const char *equals = strchr(text, '=');
    if (equals != NULL) {
        return equals + 1;
    }
    return *i + 1 < argc ? argv[++*i] : NULL;
}

static bool is_option(const char *text, const char *name) {
    size_t len = strlen(name);
    return strncmp(text, name, len) == 0 &&
           (text[len] == '\0' || text[len] == '=');
}

static bool read_jobs(line *l, const char *value) {
    char *end = NULL;
    long jobs = value != NULL ? strtol(value, &end, 10) : 0;
    if (jobs < 1 || jobs > TWP_TEST_JOBS_MAX || *end != '\0') {
        fprintf(stderr, "tidewire: --jobs needs a number from 1 to %d\n",
                TWP_TEST_JOBS_MAX);
        return false;
    }
    l->jobs = (unsigned)jobs;
    return true;
}

static bool read_option(line *l, int argc, char *const *argv, int *i) {
    const char *text = argv[*i];
    if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
        l->wants_help = true;
    } else if (strcmp(text, "--tap") == 0) {
        l->is_tap = true;
    } else if (strcmp(text, "--quiet") == 0) {
        l->is_quiet = true;
    } else if (is_option(text, "--jobs")) {
        return read_jobs(l, value_of(text, argc, argv, i));
    } else if (is_option(text, "--filter")) {
        l->filter = value_of(text, argc, argv, i);
        if (l->filter == NULL) {
            fprintf(stderr, "tidewire: --filter needs a pattern\n");
            return false;
        }
    } else {
        fprintf(stderr, "tidewire: unknown option '%s'\n", text);
        return false;
    }
    return true;
}

static bool read_line(line *l, int argc, char *const *argv) {
    l->files = twp_alloc((size_t)argc * sizeof *l->files);
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            l->files[l->count++] = argv[i];
        } else if (!read_option(l, argc, argv, &i)) {
            return false;
        }
    }
    if (l->count == 0 && !l->wants_help) {
        fprintf(stderr, "tidewire: which tests? (tidewire test FILE..., see "
                        "tidewire test --help)\n");
        return false;
    }
    return true;
}

/* ---- running ------------------------------------------------------------ */

static void print(const char *text, size_t len, void *arg) {
    (void)arg;
    fwrite(text, 1, len, stdout);
    fflush(stdout); /* should a case end the program, it is known which */
}

static unsigned cases_of(const twp_test_total *t) {
    return t->cases.passed + t->cases.failed + t->cases.skipped;
}

static void tell_broken(const line *l, twp_test_total *t, const char *file,
                        const char *report) {
    t->broken++;
    if (l->is_tap) {
        t->cases.failed++;
        printf("not ok %u - %s\n  ---\n  message: |\n    %s\n  ...\n",
               cases_of(t), file, report);
    } else {
        fprintf(stderr, "%s\n", report);
    }
}

static void run_file(void *arg, size_t i, twp_test_total *t) {
    const line *l = arg;
    const char *file = l->files[i];
    char report[TW_REPORT_MAX] = "";
    tw_lua_test_result result;
    tw_lua_test_config config = {
        .file = file,
        .library_dir = l->library,
        .filter = l->filter,
        .first = cases_of(t) + 1,
        .is_tap = l->is_tap,
        .is_quiet = l->is_quiet,
        .has_colour = l->has_colour,
        .print = print,
    };
    int error = tw_lua_test(&config, &result, report);
    t->cases.passed += result.passed;
    t->cases.failed += result.failed;
    t->cases.skipped += result.skipped;
    if (error != 0) {
        tell_broken(l, t, file, *report != '\0' ? report : tw_strerror(error));
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void tell_total(const line *l, const twp_test_total *t, double took) {
    if (l->is_tap) {
        printf("1..%u\n", cases_of(t));
        return;
    }
    printf("%u passed, %u failed", t->cases.passed, t->cases.failed);
    if (t->cases.skipped > 0) {
        printf(", %u skipped", t->cases.skipped);
    }
    if (t->broken > 0) {
        printf(", %u file%s not loaded", t->broken, t->broken == 1 ? "" : "s");
    }
    printf(" in %.2f s\n", took);
}

/* What TAP numbers one after another runs so, too. */
static unsigned jobs_of(const line *l) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned jobs = l->jobs != 0 ? l->jobs : cores > 0 ? (unsigned)cores : 1;
    jobs = jobs < TWP_TEST_JOBS_MAX ? jobs : TWP_TEST_JOBS_MAX;
    return l->is_tap || l->count == 1 ? 1 : jobs;
}

static int run_all(line *l) {
    twp_test_total t = {0};
    double began = seconds();
    char *library = twp_library_dir();
    l->library = library;
    l->has_colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    if (l->is_tap) {
        printf("TAP version 14\n");
    }
    const twp_test_jobs jobs = {
        .run = run_file, .arg = l, .names = l->files, .count = l->count};
    twp_test_run(&jobs, jobs_of(l), &t);
    free(library);
    tell_total(l, &t, seconds() - began);
    if (cases_of(&t) == 0 && t.broken == 0) {
        fprintf(stderr, "tidewire: there was nothing to run\n");
        return 1;
    }
    return t.cases.failed == 0 && t.broken == 0 ? 0 : 1;
}

static int print_help(const twp_command *command) {
    twp_text out = {0};
    twp_help_command(&out, command);
    twp_text_write(&out, STDOUT_FILENO);
    twp_text_deinit(&out);
    return 0;
}

int twp_test(const twp_command *command, int argc, char *const *argv) {
    line l = {0};
    int status = 2;
    if (read_line(&l, argc, argv)) {
        status = l.wants_help ? print_help(command) : run_all(&l);
    }
    free(l.files);
    return status;
}
