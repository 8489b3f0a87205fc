/* worker.h - the process of a slot: a server, a host and its orders.
 *
 * Loads, waits for LISTEN, serves, and obeys the control socket until it is
 * told to drain or its master is gone, which means the same.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_WORKER_H
#define TW_SERVER_WORKER_H

#include "net/socket.h"
#include "server/control.h"
#include "server/master_board.h"
#include "server/runtime.h"
#include "server/tls_files.h"

/* What a child keeps of its master's memory. Borrowed but for what is
 * said to be taken; the descriptors are, too. */
typedef struct tw__job {
    tw_master_config config; /* defaults filled in */
    tw__board *board;
    char dir[TW__RUNTIME_DIR];
    char snapshot[TW__RUNTIME_PATH];
    char admin_address[TW__ADDRESS_TEXT]; /* its TCP socket as bound, or "" */
    char (*addresses)[TW__ADDRESS_TEXT];  /* as bound, one per config.listen;
                                             given by tw__malloc, taken */
    uint32_t slot, slots; /* the admin member's slot is `slots` */
    uint32_t incarnation, generation;
    bool writes_snapshot;
    int control_fd, bus_fd;
    int *listen_fds; /* given by tw__malloc, taken */
    size_t listen_count;
    tw__tls_vault *vault; /* NULL: no TLS, or the admin member; taken */
    tw__tls_tickets tickets;
} tw__job;

/* Runs a worker in this process to its end; answers the exit status. */
int tw__worker_run(tw__job *job);

#endif
