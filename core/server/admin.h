/* admin.h - the admin member: one process that answers for all slots.
 *
 * HTTP/1.1 on the folder's Unix socket and, when configured, on a TCP address.
 * It reads the board; what changes something it asks its master for.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_ADMIN_H
#define TW_SERVER_ADMIN_H

#include "server/worker.h"

/* Runs the admin member in this process to its end; answers the exit status.
 * job->listen_fds are the Unix socket and the TCP one (-1: none). */
int tw__admin_run(tw__job *job);

#endif
