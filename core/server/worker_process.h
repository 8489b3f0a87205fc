/* worker_process.h - what makes a fork a good child.
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_WORKER_PROCESS_H
#define TW_SERVER_WORKER_PROCESS_H

#include <signal.h>
#include <stdint.h>

/* In a fresh child of `master`: a name for ps, and signals.
 *
 * INT, TERM and HUP are ignored: a terminal or a service manager sends them to
 * the whole group, and it is the master that decides; it tells its children.
 * A child whose master died learns that from its control socket and drains; as
 * a net for one that hangs, the kernel sends SIGALRM then, which ends the
 * process `limit_s` later whatever it does. */
void tw__process_settle(const char *name, int master, unsigned limit_s,
                        const sigset_t *mask);

#endif
