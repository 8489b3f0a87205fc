/* common.c - what every program here needs.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guard.h"

void guard_check(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

void guard_raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static char folder[64];

/* The works remove what they put into it. */
static void remove_folder(void) {
    rmdir(folder);
}

const char *guard_folder(void) {
    if (folder[0] == '\0') {
        snprintf(folder, sizeof folder, "%s/tw-guard-XXXXXX", P_tmpdir);
        guard_check(mkdtemp(folder) != NULL, "no folder for sockets");
        atexit(remove_folder);
    }
    return folder;
}
