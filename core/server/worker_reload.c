/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <time.h>

#include "server/place.h"
#include "server/tls.h"
#include "server/worker_state.h"

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

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
    int status =
        tw__server_prepare_tls(worker->server, &worker->job->config.server,
                               worker->job->vault, report, TW_REPORT_MAX);
    if (status == 0 && hooks->prepare != NULL) {
        status = hooks->prepare(worker->server, &worker->next, report,
                                worker->job->config.member_user);
    }
    if (status != 0) {
        tw__server_abort_tls(worker->server);
        worker->next.generation = 0;
    }
    return status;
}

static void prepare(tw__worker *worker, const tw__control_msg *order) {
    tw__control_msg msg = {0};
    int status = TW_ECLOSED;
    if (!worker->is_draining) {
        status = load_next(worker, order, msg.text);
        tw__loop_update_now(tw__server_loop(worker->server));
    }
    answer(worker, TW__CONTROL_PREPARED, order->generation, status, &msg);
}

static bool is_settled(tw__worker *worker) {
    const tw_member_hooks *hooks = &worker->job->config.member;
    return worker->is_draining || hooks->settle == NULL ||
           hooks->settle(worker->server, worker->job->config.member_user);
}

void tw__worker_forget_order(tw__worker *worker) {
    if (worker->is_waiting) {
        worker->is_waiting = false;
        tw__loop_remove_hook(&worker->settle_hook);
    }
}

static bool on_settle_turn(tw__turn_hook *hook) {
    tw__worker *worker = TW__CONTAINER(hook, tw__worker, settle_hook);
    if (is_settled(worker)) {
        tw__worker_forget_order(worker);
        prepare(worker, &worker->waiting);
    }
    return false; /* what is left to do turns the loop */
}

/* The end of the last reload takes turns, in which everybody is served. */
void tw__worker_prepare(tw__worker *worker, const tw__control_msg *order) {
    tw__worker_abort(worker);
    if (is_settled(worker)) {
        prepare(worker, order);
        return;
    }
    worker->waiting = *order;
    worker->is_waiting = true;
    tw__loop_add_hook(tw__server_loop(worker->server), &worker->settle_hook,
                      on_settle_turn, TW__TURN_CLOSE);
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
        worker->frozen_us = now_us();
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
        tw__durations_note(&worker->page->freeze_times,
                           now_us() - worker->frozen_us);
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
    tw__server_commit_tls(worker->server);
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
    tw__worker_forget_order(worker);
    if (worker->next.generation != 0) {
        worker->next.generation = 0;
        tw__server_abort_tls(worker->server);
        if (hooks->abort != NULL) {
            hooks->abort(worker->server, worker->job->config.member_user);
        }
    }
    thaw(worker);
}
