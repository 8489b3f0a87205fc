/* SPDX-License-Identifier: MIT */
#include "test_jobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* A file under way. */
typedef struct child {
    pid_t pid; /* 0: it has been run here, or not yet */
    int out;   /* what it prints */
} child;

static void add(twp_test_total *to, const twp_test_total *from) {
    to->cases.passed += from->cases.passed;
    to->cases.failed += from->cases.failed;
    to->cases.skipped += from->cases.skipped;
    to->broken += from->broken;
}

static void run_here(const twp_test_jobs *jobs, twp_test_total *total) {
    for (size_t i = 0; i < jobs->count; i++) {
        jobs->run(jobs->arg, i, total);
    }
}

/* The totals are in memory that the processes share. */
static bool start(const twp_test_jobs *jobs, size_t i, child *c,
                  twp_test_total *total) {
    c->out = memfd_create("tests", MFD_CLOEXEC);
    if (c->out < 0) {
        return false;
    }
    c->pid = fork();
    if (c->pid == 0) {
        dup2(c->out, STDOUT_FILENO);
        jobs->run(jobs->arg, i, total);
        fflush(stdout);
        _exit(0);
    }
    if (c->pid < 0) {
        close(c->out);
        c->pid = 0;
    }
    return c->pid > 0;
}

/* Prints what the process has printed. */
static void pass_on(int out) {
    char buffer[16384];
    ssize_t len;
    off_t at = 0;
    while ((len = pread(out, buffer, sizeof buffer, at)) > 0) {
        fwrite(buffer, 1, (size_t)len, stdout);
        at += len;
    }
    fflush(stdout);
    close(out);
}

static void finish(const twp_test_jobs *jobs, size_t i, const child *c,
                   twp_test_total *total) {
    int status = 0;
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {
    }
    pass_on(c->out);
    if (WIFSIGNALED(status)) {
        fprintf(stderr, "%s: ended by signal %d (%s)\n", jobs->names[i],
                WTERMSIG(status), strsignal(WTERMSIG(status)));
        total->broken++;
    } else if (WEXITSTATUS(status) != 0) {
        fprintf(stderr, "%s: ended with exit status %d\n", jobs->names[i],
                WEXITSTATUS(status));
        total->broken++;
    }
}

/* In the order of the files: the oldest is waited for. Without another process
 * a file is run here when its turn has come. */
static void run_apart(const twp_test_jobs *jobs, unsigned at_once,
                      child *children, twp_test_total *totals) {
    size_t started = 0;
    for (size_t i = 0; i < jobs->count; i++) {
        while (started < jobs->count && started < i + at_once &&
               start(jobs, started, &children[started], &totals[started])) {
            started++;
        }
        if (started <= i) {
            jobs->run(jobs->arg, i, &totals[i]);
            started = i + 1;
        } else if (children[i].pid > 0) {
            finish(jobs, i, &children[i], &totals[i]);
        }
    }
}

void twp_test_run(const twp_test_jobs *jobs, unsigned at_once,
                  twp_test_total *total) {
    size_t size = jobs->count * sizeof *total;
    child *children = calloc(jobs->count, sizeof *children);
    twp_test_total *totals = mmap(NULL, size, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(stdout);
    if (at_once == 1 || children == NULL || totals == MAP_FAILED) {
        run_here(jobs, total);
    } else {
        run_apart(jobs, at_once, children, totals);
        for (size_t i = 0; i < jobs->count; i++) {
            add(total, &totals[i]);
        }
    }
    if (totals != MAP_FAILED) {
        munmap(totals, size);
    }
    free(children);
}
