/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "server/place.h"
#include "server/worker_state.h"

static void answer(tw__worker *worker, tw__control_kind kind,
                   uint32_t generation, int status, tw__control_msg *msg) {
    msg->kind = (uint32_t)kind;
    msg->generation = generation;
    msg->status = status;
    msg->text[sizeof msg->text - 1] = '\0';
    if (status != 0 && msg->text[0] == '\0') {
        tw__control_set_text(msg, tw_strerror(status));
    }
    tw__control_send(worker->control.fd, msg);
}

static int load_next(tw__worker *worker, const tw__control_msg *order,
                     char *report) {
    const tw_member_hooks *hooks = &worker->job->config.member;
    snprintf(worker->next_snapshot, sizeof worker->next_snapshot, "%.*s",
             TW__RUNTIME_PATH - 1, order->text);
    worker->next = worker->member;
    worker->next.generation = order->generation;
    worker->next.snapshot = worker->next_snapshot;
    worker->next.writes_snapshot = order->flag != 0;
    int status = hooks->prepare == NULL
                     ? 0
                     : hooks->prepare(worker->server, &worker->next, report,
                                      worker->job->config.member_user);
    if (status != 0) {
        worker->next.generation = 0;
    }
    return status;
}

void tw__worker_prepare(tw__worker *worker, const tw__control_msg *order) {
    tw__control_msg msg = {0};
    int status = TW_ECLOSED;
    if (!worker->is_draining) {
        tw__worker_abort(worker);
        status = load_next(worker, order, msg.text);
        tw__loop_update_now(tw__server_loop(worker->server));
    }
    answer(worker, TW__CONTROL_PREPARED, order->generation, status, &msg);
}

static bool is_prepared(const tw__worker *worker,
                        const tw__control_msg *order) {
    return order->generation != 0 &&
           worker->next.generation == order->generation;
}

void tw__worker_freeze(tw__worker *worker, const tw__control_msg *order) {
    const tw_member_hooks *hooks = &worker->job->config.member;
    tw__control_msg msg = {0};
    int status = TW_EINVALID;
    if (is_prepared(worker, order) && !worker->is_frozen) {
        worker->is_frozen = true;
        tw_server_freeze(worker->server);
        status = hooks->freeze == NULL
                     ? 0
                     : hooks->freeze(worker->server, msg.text,
                                     worker->job->config.member_user);
    }
    answer(worker, TW__CONTROL_FROZEN, order->generation, status, &msg);
}

static void thaw(tw__worker *worker) {
    if (worker->is_frozen) {
        worker->is_frozen = false;
        tw_server_thaw(worker->server);
    }
}

void tw__worker_show_generation(tw__worker *worker) {
    worker->page->generation = worker->member.generation;
    tw_server_gauge(worker->server, TW_GAUGE_GENERATION,
                    worker->member.generation);
}

static void switch_member(tw__worker *worker) {
    snprintf(worker->snapshot, sizeof worker->snapshot, "%s",
             worker->next_snapshot);
    worker->member = worker->next;
    worker->member.snapshot = worker->snapshot;
    worker->next.generation = 0;
}

void tw__worker_commit(tw__worker *worker, const tw__control_msg *order) {
    const tw_member_hooks *hooks = &worker->job->config.member;
    if (!is_prepared(worker, order)) {
        return;
    }
    switch_member(worker);
    if (hooks->commit != NULL) {
        hooks->commit(worker->server, worker->job->config.member_user);
    }
    tw__worker_show_generation(worker);
    tw_server_count(worker->server, TW_COUNTER_GENERATIONS, 1);
    thaw(worker);
    tw__control_msg msg = {0};
    answer(worker, TW__CONTROL_COMMITTED, order->generation, 0, &msg);
}

void tw__worker_abort(tw__worker *worker) {
    const tw_member_hooks *hooks = &worker->job->config.member;
    if (worker->next.generation != 0) {
        worker->next.generation = 0;
        if (hooks->abort != NULL) {
            hooks->abort(worker->server, worker->job->config.member_user);
        }
    }
    thaw(worker);
}
