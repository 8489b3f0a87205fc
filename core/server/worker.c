/* SPDX-License-Identifier: MIT */
#include "server/worker.h"

#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "server/place.h"
#include "server/worker_state.h"

/* A turn at least this often, so that an idle worker does not look hung. */
enum { TICK_MS = 1000 };

/* The worker of this process: hosts name it by its server. NULL elsewhere. */
static tw__worker *self;

/* ---- to the master ------------------------------------------------------ */

static void report(tw__worker *worker, tw__control_kind kind, int status,
                   const char *text) {
    tw__control_msg msg = {.kind = (uint32_t)kind,
                           .status = status,
                           .generation = worker->member.generation};
    if (status != 0) {
        tw__control_set_text(&msg, *text != '\0' ? text : tw_strerror(status));
    }
    tw__control_send(worker->control.fd, &msg);
}

void tw_member_reload(tw_server *server) {
    if (self != NULL && self->server == server) {
        tw__control_send_kind(self->control.fd, TW__CONTROL_WANT_RELOAD);
    }
}

/* ---- the end ------------------------------------------------------------ */

static void end(tw__worker *worker) {
    if (!worker->is_stopped) {
        worker->is_stopped = true;
        tw__clockwork_clear(tw__server_link_clockwork(worker->server),
                            &worker->stop_limit);
        tw_server_stop(worker->server);
    }
}

void tw_member_stopped(tw_server *server) {
    if (self != NULL && self->server == server &&
        tw__wheel_is_set(&self->stop_limit)) {
        end(self);
    }
}

static void on_stop_limit(tw__wheel_entry *entry) {
    tw__worker *worker = TW__CONTAINER(entry, tw__worker, stop_limit);
    tw__log_write(tw__server_log(worker->server), TW_LOG_WARN,
                  "the host did not stop in time", NULL);
    end(worker);
}

static void on_drained(tw_server *server, void *arg) {
    tw__worker *worker = arg;
    const tw_master_config *config = &worker->job->config;
    if (config->member.stop == NULL) {
        end(worker);
        return;
    }
    worker->stop_limit.cb = on_stop_limit;
    tw__clockwork_set(tw__server_link_clockwork(server), &worker->stop_limit,
                      config->stop_ms);
    config->member.stop(server, config->member_user);
}

void tw__worker_drain(tw__worker *worker) {
    if (worker->is_draining) {
        return;
    }
    worker->is_draining = true;
    worker->page->is_ready = 0;
    tw__worker_abort(worker);
    tw_server_drain(worker->server, worker->job->config.drain_ms, on_drained,
                    worker);
}

/* ---- from the master ---------------------------------------------------- */

static void on_listen(tw__worker *worker) {
    const tw_master_config *config = &worker->job->config;
    if (worker->is_draining) {
        return;
    }
    int status = tw_server_listen(worker->server);
    if (status == 0) {
        worker->page->is_ready = 1;
        if (config->member.started != NULL) {
            config->member.started(worker->server, &worker->member,
                                   config->member_user);
        }
    }
    report(worker, TW__CONTROL_LISTENING, status, "");
    if (status != 0) {
        worker->status = 1;
        end(worker);
    }
}

static void obey(tw__worker *worker, const tw__control_msg *order) {
    switch (order->kind) {
    case TW__CONTROL_LISTEN:
        on_listen(worker);
        break;
    case TW__CONTROL_PREPARE:
        tw__worker_prepare(worker, order);
        break;
    case TW__CONTROL_FREEZE:
        tw__worker_freeze(worker, order);
        break;
    case TW__CONTROL_COMMIT:
        tw__worker_commit(worker, order);
        break;
    case TW__CONTROL_ABORT:
        tw__worker_abort(worker);
        break;
    case TW__CONTROL_DRAIN:
        tw__worker_drain(worker);
        break;
    default:
        break;
    }
}

static void drop_control(tw__worker *worker) {
    if (worker->control.fd >= 0) {
        tw__poller_remove(tw__server_link_poller(worker->server),
                          &worker->control);
        close(worker->control.fd);
        worker->control.fd = -1;
    }
}

static void on_control(tw__io *io, unsigned events) {
    tw__worker *worker = TW__CONTAINER(io, tw__worker, control);
    tw__control_msg order;
    int error, passed;
    (void)events;
    while ((error = tw__control_recv_fd(io->fd, &order, &passed)) == 0) {
        if (order.kind == TW__CONTROL_ASK && passed >= 0) {
            tw__questions_take(&worker->questions, passed);
        } else {
            obey(worker, &order);
        }
    }
    if (error == TW_ECLOSED || error == TW_EIO) {
        tw__log_write(tw__server_log(worker->server), TW_LOG_WARN,
                      "the master is gone", "action", "drain", NULL);
        drop_control(worker);
        tw__worker_drain(worker);
    }
}

/* ---- the beginning ------------------------------------------------------ */

static void on_tick(tw__wheel_entry *entry) {
    tw__worker *worker = TW__CONTAINER(entry, tw__worker, tick);
    tw__clockwork_set(tw__server_link_clockwork(worker->server), entry,
                      TICK_MS);
}

static int create_server(tw__worker *worker) {
    const tw__job *job = worker->job;
    tw__page **pages = tw__calloc(job->slots, sizeof *pages);
    char detail[512] = "";
    int error = TW_ENOMEM;
    if (pages != NULL) {
        tw__board_pages(job->board, pages);
        tw__place place = {.slot = (uint16_t)job->slot,
                           .slots = (uint16_t)job->slots,
                           .incarnation = job->incarnation,
                           .pages = pages,
                           .dicts = job->board->dicts,
                           .metrics = &job->board->metrics,
                           .dir = job->dir,
                           .bus_fd = job->bus_fd,
                           .listen_fds = job->listen_fds,
                           .vault = job->vault,
                           .tickets = &job->tickets};
        error = tw__server_create(&worker->server, &job->config.server, &place,
                                  detail, sizeof detail);
    }
    if (error != 0) {
        report(worker, TW__CONTROL_LOADED, error, detail);
        tw__free(pages);
    } else {
        worker->pages = pages;
    }
    return error;
}

static void fill_page(tw__worker *worker) {
    tw__page *page = worker->page;
    page->incarnation = worker->job->incarnation;
    page->generation = worker->job->generation;
    page->started_ms = tw__board_now_ms();
    page->is_ready = 0;
    page->pid = (int32_t)getpid();
}

static int watch_control(tw__worker *worker) {
    worker->control.on_io = on_control;
    worker->tick.cb = on_tick;
    on_tick(&worker->tick);
    return tw__poller_add(tw__server_link_poller(worker->server),
                          &worker->control, TW__READ);
}

static int load(tw__worker *worker) {
    const tw_master_config *config = &worker->job->config;
    char text[TW_REPORT_MAX] = "";
    int error = watch_control(worker);
    if (error == 0 && config->member.start != NULL) {
        error = config->member.start(worker->server, &worker->member, text,
                                     config->member_user);
        text[sizeof text - 1] = '\0';
    }
    tw__loop_update_now(tw__server_loop(worker->server));
    tw__worker_show_generation(worker);
    report(worker, TW__CONTROL_LOADED, error, text);
    return error;
}

static void init(tw__worker *worker, tw__job *job) {
    *worker = (tw__worker){.job = job, .control = {.fd = job->control_fd}};
    worker->page = &tw__board_at(job->board, job->slot)->page;
    snprintf(worker->snapshot, sizeof worker->snapshot, "%s", job->snapshot);
    worker->member = (tw_member){.slot = job->slot,
                                 .slots = job->slots,
                                 .incarnation = job->incarnation,
                                 .generation = job->generation,
                                 .is_respawn = job->incarnation > 1,
                                 .snapshot = worker->snapshot,
                                 .writes_snapshot = job->writes_snapshot,
                                 .runtime_dir = job->dir};
    fill_page(worker);
}

static void run_server(tw__worker *worker) {
    const tw_master_config *config = &worker->job->config;
    tw__questions_init(&worker->questions, worker->server, &config->member,
                       config->member_user);
    if (load(worker) == 0) {
        tw_server_run(worker->server);
    } else {
        worker->status = 1;
    }
    drop_control(worker);
    tw__questions_close(&worker->questions);
    tw__clockwork_clear(tw__server_link_clockwork(worker->server),
                        &worker->tick);
    tw_server_destroy(worker->server, NULL, NULL);
    tw__free(worker->pages);
}

int tw__worker_run(tw__job *job) {
    tw__worker worker;
    init(&worker, job);
    self = &worker;
    if (create_server(&worker) == 0) {
        run_server(&worker);
    } else {
        close(job->control_fd);
        worker.status = 1;
    }
    self = NULL;
    tw__free(job->listen_fds);
    return worker.status;
}
