/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "server/admin.h"
#include "server/master_state.h"
#include "server/worker.h"
#include "server/worker_process.h"

/* What a child may take longer than its limits before it is killed, and how
 * long the admin member, which has nothing to wait for, may take at all. */
enum { DRAIN_GRACE_MS = 2000, LEAVE_MS = 2000 };

/* ---- the server's states ------------------------------------------------ */

static void tell_all(tw__master *master, tw__control_kind kind) {
    for (uint32_t i = 0; i < master->workers; i++) {
        tw__child_tell_kind(master, &master->children[i], kind);
    }
}

void tw__master_drain(tw__master *master, int status, const char *why) {
    if (master->state >= TW__MASTER_DRAINING) {
        return;
    }
    tw__log_write(&master->log, status == 0 ? TW_LOG_INFO : TW_LOG_ERROR,
                  "server drains", "reason", why, NULL);
    master->state = TW__MASTER_DRAINING;
    master->status = status;
    master->board->is_draining = 1;
    master->end_ms = tw__board_now_ms() + master->config.drain_ms +
                     master->config.stop_ms + DRAIN_GRACE_MS;
    for (uint32_t i = 0; i < tw__master_child_count(master); i++) {
        master->children[i].due_ms = TW__NEVER;
    }
    tw__reload_stop(&master->reload);
    tw__master_stop_listening(master);
    tell_all(master, TW__CONTROL_DRAIN);
}

static bool is_any_alive(const tw__master *master, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (master->children[i].pid != 0) {
            return true;
        }
    }
    return false;
}

/* The admin member leaves last: until then it says how the drain goes. */
static void leave(tw__master *master, uint64_t now_ms) {
    master->state = TW__MASTER_LEAVING;
    master->end_ms = now_ms + LEAVE_MS;
    tw__child_tell_kind(master, tw__master_admin(master), TW__CONTROL_DRAIN);
}

static void announce(tw__master *master) {
    size_t count = master->config.server.listen_count;
    tw_str *addresses = tw__calloc(count, sizeof *addresses);
    for (size_t i = 0; addresses != NULL && i < count; i++) {
        const char *text = master->addresses[i];
        addresses[i] = (tw_str){text, strlen(text)};
    }
    tw_ready ready = {addresses, addresses != NULL ? count : 0, master->admin,
                      master->runtime.dir, master->workers};
    tw__log_write(&master->log, TW_LOG_INFO, "server is ready", "runtime_dir",
                  master->runtime.dir, "admin", master->admin, NULL);
    if (master->config.on_ready != NULL) {
        master->config.on_ready(&ready, master->config.member_user);
    }
    tw__free(addresses);
}

static bool all_listening(const tw__master *master) {
    for (uint32_t i = 0; i < tw__master_child_count(master); i++) {
        if (!master->children[i].is_listening) {
            return false;
        }
    }
    return true;
}

static void run(tw__master *master) {
    master->state = TW__MASTER_RUNNING;
    master->board->generation = master->reload.committed;
    announce(master);
}

static void advance(tw__master *master, uint64_t now_ms) {
    if (master->state == TW__MASTER_STARTING && all_listening(master)) {
        run(master);
    }
    if (master->state == TW__MASTER_DRAINING &&
        !is_any_alive(master, master->workers)) {
        leave(master, now_ms);
    }
    if (master->state == TW__MASTER_LEAVING &&
        !is_any_alive(master, tw__master_child_count(master))) {
        master->state = TW__MASTER_ENDED;
    }
}

static void kill_all(tw__master *master) {
    for (uint32_t i = 0; i < tw__master_child_count(master); i++) {
        tw__child *child = &master->children[i];
        if (child->pid != 0) {
            child->was_killed = true;
            kill(child->pid, SIGKILL);
        }
    }
}

static void end_late(tw__master *master) {
    tw__log_write(&master->log, TW_LOG_WARN, "members did not end in time",
                  "action", "SIGKILL", NULL);
    master->end_ms = TW__NEVER;
    kill_all(master);
}

/* ---- signals ------------------------------------------------------------ */

static void end_now(tw__master *master) {
    tw__log_write(&master->log, TW_LOG_WARN, "server ends at once", "reason",
                  "a second signal", NULL);
    kill_all(master);
    for (uint32_t i = 0; i < tw__master_child_count(master); i++) {
        pid_t pid = master->children[i].pid;
        while (pid != 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    master->state = TW__MASTER_ENDED;
}

static void on_signal(tw__master *master, uint32_t number) {
    if (number == SIGHUP) {
        tw__master_want_reload(master, 0);
    } else if (number == SIGTERM || number == SIGINT) {
        if (master->state >= TW__MASTER_DRAINING) {
            end_now(master);
        } else {
            tw__master_drain(master, 0, "signal");
        }
    }
}

static void read_signals(tw__master *master) {
    struct signalfd_siginfo info;
    while (master->state != TW__MASTER_ENDED &&
           read(master->signal_fd, &info, sizeof info) == sizeof info) {
        on_signal(master, info.ssi_signo);
    }
}

/* ---- the loop ----------------------------------------------------------- */

static void sooner(uint64_t *due_ms, uint64_t other_ms) {
    *due_ms = other_ms < *due_ms ? other_ms : *due_ms;
}

static int wait_ms(const tw__master *master, uint64_t now_ms) {
    uint64_t due_ms = now_ms + 60000;
    sooner(&due_ms, tw__reload_due(&master->reload));
    sooner(&due_ms, tw__master_reload_due(master));
    sooner(&due_ms, master->end_ms);
    for (uint32_t i = 0; i < tw__master_child_count(master); i++) {
        const tw__child *child = &master->children[i];
        sooner(&due_ms, child->due_ms);
        sooner(&due_ms, child->kill_ms);
        if (child->pid != 0 && !master->config.hang_off) {
            sooner(&due_ms, master->look_ms);
        }
    }
    return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

static void wait_and_read(tw__master *master, struct pollfd *fds) {
    uint32_t count = tw__master_child_count(master);
    for (uint32_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){master->children[i].control_fd, POLLIN, 0};
    }
    fds[count] = (struct pollfd){master->signal_fd, POLLIN, 0};
    poll(fds, count + 1, wait_ms(master, tw__board_now_ms()));
    uint64_t now_ms = tw__board_now_ms();
    for (uint32_t i = 0; i < count; i++) {
        if (fds[i].fd >= 0 && fds[i].revents != 0) {
            tw__child_listen(master, &master->children[i], now_ms);
        }
    }
    read_signals(master);
    if (master->state != TW__MASTER_ENDED) {
        tw__children_reap(master, now_ms);
    }
}

static void look_after(tw__master *master, uint64_t now_ms) {
    if (now_ms >= master->end_ms) {
        end_late(master);
    }
    if (master->vault != NULL) {
        tw__tls_tickets_at(&master->tickets, now_ms);
    }
    tw__children_look(master, now_ms);
    tw__reload_tick(&master->reload, now_ms);
    tw__master_begin_reload(master, now_ms);
    tw__children_admit(master);
    advance(master, now_ms);
}

/* Every fork happens here, so that a child is but one return away from the
 * caller of tw_master_run. NULL in the master. */
static tw__child *start_due(tw__master *master) {
    uint64_t now_ms = tw__board_now_ms();
    for (uint32_t i = 0; i < tw__master_child_count(master); i++) {
        tw__child *child = &master->children[i];
        if (child->due_ms <= now_ms &&
            tw__child_start(master, child, now_ms) == 0) {
            return child;
        }
    }
    return NULL;
}

/* Answers the child that this process has become, or NULL at the end of the
 * server. */
static tw__child *supervise(tw__master *master, struct pollfd *fds) {
    master->children[0].due_ms = 0;
    tw__master_admin(master)->due_ms = 0;
    while (master->state != TW__MASTER_ENDED) {
        tw__child *self = start_due(master);
        if (self != NULL) {
            return self;
        }
        wait_and_read(master, fds);
        if (master->state != TW__MASTER_ENDED) {
            look_after(master, tw__board_now_ms());
        }
    }
    return NULL;
}

/* ---- the children ------------------------------------------------------- */

static tw__job make_job(tw__master *master, tw__child *self) {
    tw__job job = {.config = master->config,
                   .board = master->board,
                   .slot = self->slot,
                   .slots = master->workers,
                   .incarnation = self->incarnation,
                   .generation = self->generation,
                   .writes_snapshot =
                       master->board->generation == 0 && self->slot == 0,
                   .control_fd = self->control_fd,
                   .bus_fd = self->bus_fd,
                   .addresses = master->addresses,
                   .listen_fds = self->listen_fds,
                   .listen_count = self->listen_count,
                   .vault = master->vault,
                   .tickets = master->tickets};
    memcpy(job.dir, master->runtime.dir, sizeof job.dir);
    memcpy(job.admin_address, master->admin, sizeof job.admin_address);
    tw__master_snapshot(job.dir, job.generation, job.snapshot);
    master->addresses = NULL; /* the job's now */
    return job;
}

static void settle(const tw__master *master, const tw__job *job,
                   bool is_admin) {
    char name[16];
    unsigned limit_s =
        (job->config.drain_ms + job->config.stop_ms + DRAIN_GRACE_MS) / 1000;
    if (is_admin) {
        snprintf(name, sizeof name, "tidewire:admin");
    } else {
        snprintf(name, sizeof name, "tidewire:%u", job->slot);
    }
    tw__process_settle(name, master->board->master_pid, limit_s + 1,
                       &master->old_mask);
}

static void drop_tls(tw__job *job) {
    tw__tls_vault_destroy(job->vault);
    job->vault = NULL;
    tw__tls_tickets_wipe(&job->tickets);
}

static int be_child(tw__master *master, tw__child *self) {
    bool is_admin = self->is_admin;
    tw__job job = make_job(master, self);
    if (is_admin) {
        drop_tls(&job); /* it has no use for keys */
    }
    settle(master, &job, is_admin);
    tw__master_leave(master, self); /* frees `self`, too */
    int status = is_admin ? tw__admin_run(&job) : tw__worker_run(&job);
    tw__free(job.addresses);
    drop_tls(&job);
    tw__board_destroy(job.board);
    return status;
}

int tw_master_run(const tw_master_config *config) {
    tw__master master;
    if (tw__master_open(&master, config) != 0) {
        return 1;
    }
    struct pollfd *fds =
        tw__calloc(tw__master_child_count(&master) + 1, sizeof *fds);
    tw__child *self = fds != NULL ? supervise(&master, fds) : NULL;
    int status = fds != NULL ? master.status : 1;
    tw__free(fds);
    if (self != NULL) {
        return be_child(&master, self);
    }
    tw__log_write(&master.log, TW_LOG_INFO, "server ended", NULL);
    tw__master_close(&master);
    return status;
}
