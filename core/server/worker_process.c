/* SPDX-License-Identifier: MIT */
#include "server/worker_process.h"

#include <sys/prctl.h>
#include <unistd.h>

static unsigned limit; /* for the handler */

/* The first SIGALRM says that the master is gone; the second one ends us. */
static void on_orphaned(int signal) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(signal, &action, NULL);
    alarm(limit);
}

static void handle(int signal, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(signal, &action, NULL);
}

void tw__process_settle(const char *name, int master, unsigned limit_s,
                        const sigset_t *mask) {
    limit = limit_s;
    prctl(PR_SET_NAME, name);
    handle(SIGINT, SIG_IGN);
    handle(SIGTERM, SIG_IGN);
    handle(SIGHUP, SIG_IGN);
    handle(SIGALRM, on_orphaned);
    sigprocmask(SIG_SETMASK, mask, NULL);
    prctl(PR_SET_PDEATHSIG, SIGALRM);
    if (getppid() != master) { /* it died before the kernel was asked */
        raise(SIGALRM);
    }
}
