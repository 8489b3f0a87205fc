/* worker_state.h - what a worker knows between two orders of its master.
 * Inside of worker*.c. SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_WORKER_STATE_H
#define TW_SERVER_WORKER_STATE_H

#include "net/clockwork.h"
#include "net/poller.h"
#include "server/question.h"
#include "server/worker.h"

typedef struct tw__worker {
    tw__job *job;
    tw_server *server;
    tw__page **pages; /* of all slots, for the server */
    tw__page *page;
    tw_member member; /* of the running generation */
    tw_member next;   /* of the one that is loaded beside; generation 0: none */
    char snapshot[TW__RUNTIME_PATH], next_snapshot[TW__RUNTIME_PATH];
    /* An order to prepare that waits for the last reload's end; the hook is in
     * the loop meanwhile. */
    tw__control_msg waiting;
    tw__turn_hook settle_hook;
    bool is_waiting;
    tw__questions questions;
    tw__io control;
    tw__wheel_entry tick, stop_limit;
    bool is_frozen, is_draining, is_stopped;
    uint64_t frozen_us; /* since when; if it is */
    int status;         /* of the process */
} tw__worker;

/* worker.c: begins to end this worker, once. */
void tw__worker_drain(tw__worker *worker);

/* worker_reload.c: the steps of a reload, answered on the control socket. */
void tw__worker_prepare(tw__worker *worker, const tw__control_msg *order);
void tw__worker_freeze(tw__worker *worker, const tw__control_msg *order);
void tw__worker_commit(tw__worker *worker, const tw__control_msg *order);

/* Drops an order to prepare that waits. */
void tw__worker_forget_order(tw__worker *worker);

/* Forgets what is prepared and thaws, if there is anything of that. */
void tw__worker_abort(tw__worker *worker);

/* The page says which generation this is. */
void tw__worker_show_generation(tw__worker *worker);

#endif
