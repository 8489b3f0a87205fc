/* master_death.c - how children end, and what follows.
 * SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/master_state.h"

/* From SIGABRT, which leaves a core for its owner, to SIGKILL. */
enum { ABORT_GRACE_MS = 1000 };

/* ---- death -------------------------------------------------------------- */

static void describe(int status, bool was_asked, char *out, size_t size) {
    if (WIFSIGNALED(status)) {
        snprintf(out, size, "killed by SIG%s%s", sigabbrev_np(WTERMSIG(status)),
                 was_asked ? ", by its master" : "");
    } else {
        snprintf(out, size, "exit status %d", WEXITSTATUS(status));
    }
}

static void note_death(const tw__master *master, const tw__child *child,
                       int status) {
    char how[64];
    bool is_end = master->state >= TW__MASTER_DRAINING;
    bool is_good = child->is_recalled ||
                   (is_end && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    describe(status, child->was_killed, how, sizeof how);
    tw__master_note(master, is_good ? TW_LOG_DEBUG : TW_LOG_WARN, child,
                    is_end ? "member ended" : "member died", "how", how);
}

static void forget_process(tw__master *master, tw__child *child) {
    if (child->control_fd >= 0) {
        close(child->control_fd);
        child->control_fd = -1;
    }
    child->pid = 0;
    child->state = TW__CHILD_DOWN;
    child->kill_ms = TW__NEVER;
    child->was_killed = false;
    child->is_listening = false;
    if (child->is_admin) {
        master->board->admin_pid = 0;
    } else {
        tw__board_clear_slot(master->board, child->slot);
    }
}

/* One that was recalled did nothing wrong, and one that lived long enough may
 * fail once before it is made to wait. */
static void plan_replacement(tw__child *child, uint64_t now_ms) {
    if (child->is_recalled) {
        child->due_ms = now_ms;
        return;
    }
    if (now_ms - child->started_ms >= TW__WATCH_FORGIVE_MS) {
        child->failures = 0;
    }
    tw__child_try_later(child, now_ms);
}

static void on_death(tw__master *master, tw__child *child, int status,
                     uint64_t now_ms) {
    tw__child_listen(master, child, now_ms); /* its last words */
    note_death(master, child, status);
    forget_process(master, child);
    if (!child->is_admin) {
        tw__reload_slot_down(&master->reload, child->slot);
    }
    if (master->state == TW__MASTER_STARTING) {
        tw__master_drain(master, 1, "the start failed");
    } else if (master->state == TW__MASTER_RUNNING) {
        plan_replacement(child, now_ms);
    }
}

void tw__children_reap(tw__master *master, uint64_t now_ms) {
    for (uint32_t i = 0; i < tw__master_child_count(master); i++) {
        tw__child *child = &master->children[i];
        int status;
        /* One by one: other children of the process are not ours to reap. */
        if (child->pid > 0 &&
            waitpid(child->pid, &status, WNOHANG) == child->pid) {
            on_death(master, child, status, now_ms);
        }
    }
}

/* ---- hangs -------------------------------------------------------------- */

static uint64_t cpu_ms_of(pid_t pid) {
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0) {
        return 0;
    }
    return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

uint64_t tw__child_turns(const tw__master *master, const tw__child *child) {
    return child->is_admin
               ? master->board->admin_turns
               : tw__board_at(master->board, child->slot)->page.turns;
}

static void end_hung(tw__master *master, tw__child *child, uint64_t now_ms) {
    tw__master_note(master, TW_LOG_ERROR, child, "member hangs", "action",
                    "SIGABRT, then SIGKILL");
    if (!child->is_admin) {
        tw__board_at(master->board, child->slot)->hangs++;
    }
    child->was_killed = true;
    child->kill_ms = now_ms + ABORT_GRACE_MS;
    kill(child->pid, SIGABRT);
}

static void look_at(tw__master *master, tw__child *child, uint64_t now_ms) {
    const tw_master_config *config = &master->config;
    if (tw__watch_is_hung(&child->watch, tw__child_turns(master, child),
                          cpu_ms_of(child->pid), now_ms, config->hang_cpu_ms,
                          config->hang_wall_ms)) {
        end_hung(master, child, now_ms);
    }
}

void tw__children_look(tw__master *master, uint64_t now_ms) {
    bool is_time = now_ms >= master->look_ms;
    for (uint32_t i = 0; i < tw__master_child_count(master); i++) {
        tw__child *child = &master->children[i];
        if (child->pid == 0) {
            continue;
        }
        if (child->kill_ms <= now_ms) {
            child->was_killed = true;
            child->kill_ms = TW__NEVER;
            kill(child->pid, SIGKILL);
        } else if (is_time && !master->config.hang_off && !child->was_killed) {
            look_at(master, child, now_ms);
        }
    }
    if (is_time) {
        master->look_ms = now_ms + TW__WATCH_EACH_MS;
    }
}
