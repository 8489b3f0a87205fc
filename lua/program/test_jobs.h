/* test_jobs.h - files of tests, several at a time, each in a process of its
 * own.
 *
 * What they print comes in the order of the files, as if they ran one after
 * another. A process that dies is a file that could not be run, and says so.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWP_TEST_JOBS_H
#define TWP_TEST_JOBS_H

#include <stddef.h>
#include <tidewire/lua_test.h>

enum { TWP_TEST_JOBS_MAX = 64 };

/* Files together. */
typedef struct twp_test_total {
    tw_lua_test_result cases;
    unsigned broken; /* files that could not be run */
} twp_test_total;

typedef struct twp_test_jobs {
    /* Runs the ith file and adds what came of it; prints to standard output. */
    void (*run)(void *arg, size_t i, twp_test_total *total);
    void *arg;
    const char *const *names; /* of the files */
    size_t count;
} twp_test_jobs;

/* Runs all, at most `at_once` at a time; with 1, or without the means for
 * processes, here and one after another. */
void twp_test_run(const twp_test_jobs *jobs, unsigned at_once,
                  twp_test_total *total);

#endif
