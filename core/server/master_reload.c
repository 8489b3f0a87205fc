/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <unistd.h>

#include "server/master_state.h"

/* Hooks that wait in the old generation end with the reload after the next one:
 * a burst of requests must not cut off those that only wait for a moment. */
enum { REST_MS = 100 };

static void log_step(const tw__master *master, tw_log_level level,
                     const char *message, uint32_t generation, const char *key,
                     const char *value) {
    char number[16];
    snprintf(number, sizeof number, "%u", generation);
    tw__log_write(&master->log, level, message, "generation", number, key,
                  value, NULL);
}

void tw__master_snapshot(const char *dir, uint32_t generation,
                         char out[TW__RUNTIME_PATH]) {
    tw__runtime_path(dir, out, "gen-%u.snapshot", generation);
}

static void remove_snapshot(const tw__master *master, uint32_t generation) {
    char path[TW__RUNTIME_PATH];
    tw__master_snapshot(master->runtime.dir, generation, path);
    unlink(path);
}

static void tell_step(void *arg, uint32_t slot, tw__control_kind kind,
                      uint32_t generation) {
    tw__master *master = arg;
    tw__control_msg msg = {.kind = (uint32_t)kind, .generation = generation};
    tw__child_tell(master, &master->children[slot], &msg);
}

static void on_begin(void *arg, uint32_t generation) {
    tw__master *master = arg;
    master->reload_covered = master->reload_wanted;
    if (master->vault != NULL) {
        const char *user = master->config.user;
        tw__tls_vault_reread(master->vault, &master->config.server,
                             user != NULL && *user != '\0', &master->log);
    }
    log_step(master, TW_LOG_INFO, "reload begins", generation, NULL, NULL);
}

static void on_prepare(void *arg, uint32_t slot, uint32_t generation,
                       bool writes_snapshot) {
    tw__master *master = arg;
    tw__control_msg msg = {.kind = TW__CONTROL_PREPARE,
                           .generation = generation,
                           .flag = writes_snapshot};
    tw__master_snapshot(master->runtime.dir, generation, msg.text);
    tw__child_tell(master, &master->children[slot], &msg);
}

static void on_freeze(void *arg, uint32_t slot, uint32_t generation) {
    tell_step(arg, slot, TW__CONTROL_FREEZE, generation);
}

/* A slot that loads the old generation at this moment has no connection yet:
 * it starts again, so that the new one is whole. */
static void recall_late(tw__child *child) {
    if (child->pid != 0 && child->state != TW__CHILD_UP) {
        child->is_recalled = child->was_killed = true;
        kill(child->pid, SIGKILL);
    }
}

static void on_decide(void *arg, uint32_t generation) {
    tw__master *master = arg;
    remove_snapshot(master, master->board->generation);
    master->board->generation = generation;
    if (master->vault != NULL) {
        tw__tls_vault_commit(master->vault);
    }
    for (uint32_t i = 0; i < master->workers; i++) {
        recall_late(&master->children[i]);
    }
}

static void on_commit(void *arg, uint32_t slot, uint32_t generation) {
    tell_step(arg, slot, TW__CONTROL_COMMIT, generation);
}

static void on_abort(void *arg, uint32_t slot, uint32_t generation) {
    tell_step(arg, slot, TW__CONTROL_ABORT, generation);
}

static void tell_admin(tw__master *master, uint32_t generation, int status,
                       const char *report) {
    tw__control_msg msg = {.kind = TW__CONTROL_RESULT,
                           .generation = generation,
                           .status = status,
                           .id = master->reload_covered};
    tw__control_set_text(&msg, report);
    tw__child_tell(master, tw__master_admin(master), &msg);
}

static void on_done(void *arg, uint32_t generation, int status,
                    const char *report) {
    tw__master *master = arg;
    if (status == 0) {
        master->board->reloads_ok++;
        master->reload_rest_ms = tw__board_now_ms() + REST_MS;
        log_step(master, TW_LOG_INFO, "reload committed", generation, NULL,
                 NULL);
    } else {
        master->board->reloads_failed++;
        if (master->vault != NULL) {
            tw__tls_vault_abort(master->vault);
        }
        remove_snapshot(master, generation);
        tw_log_level level = status == TW_ECLOSED ? TW_LOG_INFO : TW_LOG_ERROR;
        log_step(master, level, "reload aborted, the old generation goes on",
                 generation, "report", report);
    }
    tell_admin(master, generation, status, report);
}

const tw__reload_ops tw__master_reload_ops = {
    .begin = on_begin,
    .prepare = on_prepare,
    .freeze = on_freeze,
    .decide = on_decide,
    .commit = on_commit,
    .abort = on_abort,
    .done = on_done,
};

uint64_t tw__master_reload_due(const tw__master *master) {
    bool is_possible = master->is_reload_due &&
                       master->state != TW__MASTER_STARTING &&
                       master->reload.phase == TW__RELOAD_IDLE;
    return is_possible ? master->reload_rest_ms : TW__NEVER;
}

void tw__master_begin_reload(tw__master *master, uint64_t now_ms) {
    if (now_ms >= tw__master_reload_due(master)) {
        master->is_reload_due = false;
        tw__reload_request(&master->reload);
    }
}

void tw__master_want_reload(tw__master *master, uint64_t id) {
    if (id > master->reload_wanted) {
        master->reload_wanted = id;
    }
    master->is_reload_due = true;
    tw__master_begin_reload(master, tw__board_now_ms());
}
