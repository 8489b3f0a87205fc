/* master_child.c - starts children, hears them and lets them in.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "server/master_state.h"

void tw__master_note(const tw__master *master, tw_log_level level,
                     const tw__child *child, const char *message,
                     const char *key, const char *value) {
    char slot[16], pid[16];
    snprintf(slot, sizeof slot, "%u", child->slot);
    snprintf(pid, sizeof pid, "%d", (int)child->pid);
    tw__log_write(&master->log, level, message, "member",
                  child->is_admin ? "admin" : slot, "pid", pid, key, value,
                  NULL);
}

/* ---- start -------------------------------------------------------------- */

void tw__child_try_later(tw__child *child, uint64_t now_ms) {
    child->failures++;
    child->due_ms = now_ms + tw__watch_backoff_ms(child->failures,
                                                  tw__random_below(1u << 16));
}

static void note_start(tw__master *master, tw__child *child, uint64_t now_ms) {
    child->state = TW__CHILD_LOADING;
    child->due_ms = TW__NEVER;
    child->kill_ms = TW__NEVER;
    child->started_ms = now_ms;
    child->is_listening = child->was_killed = child->is_recalled = false;
    tw__watch_start(&child->watch, tw__child_turns(master, child), 0, now_ms);
    if (child->is_admin) {
        master->board->admin_pid = (int32_t)child->pid;
        master->board->admin_restarts += child->incarnation > 1;
    } else {
        tw__board_at(master->board, child->slot)->restarts +=
            child->incarnation > 1;
    }
    char generation[16];
    snprintf(generation, sizeof generation, "%u", child->generation);
    tw__master_note(master, TW_LOG_DEBUG, child, "member started", "generation",
                    generation);
}

pid_t tw__child_start(tw__master *master, tw__child *child, uint64_t now_ms) {
    int pair[2];
    if (tw__control_pair(pair) != 0) {
        tw__child_try_later(child, now_ms);
        tw__master_note(master, TW_LOG_ERROR, child, "cannot start a member",
                        "error", "no socket pair");
        return -1;
    }
    child->incarnation++;
    child->generation = master->reload.committed;
    fflush(NULL); /* what is buffered would be written twice */
    pid_t pid = fork();
    if (pid != 0) {
        close(pair[1]);
        child->control_fd = pair[0];
    }
    if (pid == 0) {
        close(pair[0]);
        child->control_fd = pair[1];
    } else if (pid > 0) {
        child->pid = pid;
        note_start(master, child, now_ms);
    } else {
        close(pair[0]);
        child->control_fd = -1;
        child->incarnation--;
        tw__child_try_later(child, now_ms);
        tw__master_note(master, TW_LOG_ERROR, child, "cannot start a member",
                        "error", "no process");
    }
    return pid;
}

/* ---- messages ----------------------------------------------------------- */

void tw__child_tell(tw__master *master, tw__child *child,
                    const tw__control_msg *msg) {
    int error = tw__control_send(child->control_fd, msg);
    if (error != 0 && error != TW_ECLOSED && child->kill_ms == TW__NEVER) {
        tw__master_note(master, TW_LOG_ERROR, child, "member does not read",
                        "error", tw_strerror(error));
        child->kill_ms = 0;
    }
}

void tw__child_tell_kind(tw__master *master, tw__child *child,
                         tw__control_kind kind) {
    tw__control_msg msg = {.kind = (uint32_t)kind};
    tw__child_tell(master, child, &msg);
}

static void on_failed(tw__master *master, tw__child *child,
                      const tw__control_msg *msg, const char *what) {
    tw__master_note(master, TW_LOG_ERROR, child, what, "report", msg->text);
    if (master->state == TW__MASTER_STARTING) {
        tw__master_drain(master, 1, "the start failed");
    }
}

static void on_loaded(tw__master *master, tw__child *child,
                      const tw__control_msg *msg, uint64_t now_ms) {
    if (msg->status != 0) {
        on_failed(master, child, msg, "member could not load");
        return;
    }
    child->state = TW__CHILD_LOADED;
    /* The first slot wrote the snapshot: now the others have what to load. */
    for (uint32_t i = 1; child->slot == 0 && i < master->workers; i++) {
        if (master->state == TW__MASTER_STARTING &&
            master->children[i].incarnation == 0) {
            master->children[i].due_ms = now_ms;
        }
    }
}

static void on_listening(tw__master *master, tw__child *child,
                         const tw__control_msg *msg) {
    if (msg->status != 0) {
        on_failed(master, child, msg, "member cannot accept connections");
        return;
    }
    child->is_listening = true;
    tw__master_note(master, TW_LOG_INFO, child, "member is ready", NULL, NULL);
}

static void on_message(tw__master *master, tw__child *child,
                       const tw__control_msg *msg, uint64_t now_ms) {
    tw__reload *reload = &master->reload;
    switch (msg->kind) {
    case TW__CONTROL_LOADED:
        on_loaded(master, child, msg, now_ms);
        break;
    case TW__CONTROL_LISTENING:
        on_listening(master, child, msg);
        break;
    case TW__CONTROL_PREPARED:
        tw__reload_prepared(reload, child->slot, msg->generation, msg->status,
                            msg->text, now_ms);
        break;
    case TW__CONTROL_FROZEN:
        tw__reload_frozen(reload, child->slot, msg->generation, msg->status,
                          msg->text, now_ms);
        break;
    case TW__CONTROL_COMMITTED:
        child->generation = msg->generation;
        tw__reload_switched(reload, child->slot, msg->generation);
        break;
    case TW__CONTROL_WANT_RELOAD:
        tw__master_want_reload(master, msg->id);
        break;
    case TW__CONTROL_WANT_DRAIN:
        tw__master_drain(master, 0, "asked for");
        break;
    default:
        break;
    }
}

/* The admin member asks a worker. When that cannot be told, closing is the
 * answer; one that does not read is no worse for it. */
static void pass_on(tw__master *master, const tw__child *from,
                    const tw__control_msg *msg, int passed) {
    if (from->is_admin && msg->kind == TW__CONTROL_ASK &&
        msg->id < master->workers &&
        master->children[msg->id].state == TW__CHILD_UP) {
        tw__control_send_fd(master->children[msg->id].control_fd, msg, passed);
    }
    close(passed);
}

void tw__child_listen(tw__master *master, tw__child *child, uint64_t now_ms) {
    tw__control_msg msg;
    int error, passed;
    while ((error = tw__control_recv_fd(child->control_fd, &msg, &passed)) ==
               0 ||
           error == TW_EINVALID) {
        if (passed >= 0) {
            pass_on(master, child, &msg, passed);
        } else if (error == 0) {
            on_message(master, child, &msg, now_ms);
        }
    }
    if (error != TW_EUNAVAILABLE && child->control_fd >= 0) {
        close(child->control_fd);
        child->control_fd = -1;
    }
}

/* ---- admission ---------------------------------------------------------- */

static bool all_loaded(const tw__master *master) {
    for (uint32_t i = 0; i < tw__master_child_count(master); i++) {
        if (master->children[i].state < TW__CHILD_LOADED) {
            return false;
        }
    }
    return true;
}

void tw__children_admit(tw__master *master) {
    if (master->state >= TW__MASTER_DRAINING ||
        !tw__reload_may_join(&master->reload) ||
        (master->state == TW__MASTER_STARTING && !all_loaded(master))) {
        return;
    }
    for (uint32_t i = 0; i < tw__master_child_count(master); i++) {
        tw__child *child = &master->children[i];
        if (child->state != TW__CHILD_LOADED) {
            continue;
        }
        child->state = TW__CHILD_UP;
        tw__child_tell_kind(master, child, TW__CONTROL_LISTEN);
        if (!child->is_admin) {
            tw__reload_slot_up(&master->reload, child->slot);
        }
    }
}
