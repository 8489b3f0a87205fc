/* master_open.c - what there is before the first fork, and after the last end.
 * SPDX-License-Identifier: MIT */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ticks.h"
#include "server/identity.h"
#include "server/master_state.h"

static uint32_t count_cores(void) {
    cpu_set_t set;
    int count =
        sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (uint32_t)count : 1;
}

static void set_default(uint32_t *value, uint32_t otherwise) {
    *value = *value != 0 ? *value : otherwise;
}

static void fill_config(tw__master *master, const tw_master_config *config) {
    master->config = *config;
    tw_master_config *filled = &master->config;
    set_default(&filled->workers, count_cores());
    set_default(&filled->hang_cpu_ms, 2000);
    set_default(&filled->hang_wall_ms, 30000);
    set_default(&filled->drain_ms, 10000);
    set_default(&filled->stop_ms, 5000);
    set_default(&filled->freeze_ms, TW__RELOAD_FREEZE_MS);
    master->workers = filled->workers;
    master->log = (tw__log){config->server.log, config->server.log_arg,
                            config->server.log_level};
}

/* ---- children ----------------------------------------------------------- */

static size_t sockets_of(const tw__master *master, bool is_admin) {
    return is_admin ? 2 : master->config.server.listen_count;
}

static int init_child(tw__master *master, uint32_t slot) {
    tw__child *child = &master->children[slot];
    bool is_admin = slot == master->workers;
    size_t count = sockets_of(master, is_admin);
    *child = (tw__child){.slot = slot,
                         .is_admin = is_admin,
                         .control_fd = -1,
                         .bus_fd = -1,
                         .due_ms = TW__NEVER,
                         .kill_ms = TW__NEVER};
    child->listen_fds = tw__calloc(count, sizeof *child->listen_fds);
    if (child->listen_fds == NULL) {
        return TW_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        child->listen_fds[i] = -1;
    }
    child->listen_count = count;
    return 0;
}

static int make_children(tw__master *master) {
    size_t count = tw__master_child_count(master);
    master->children = tw__calloc(count, sizeof *master->children);
    master->addresses = tw__calloc(master->config.server.listen_count,
                                   sizeof *master->addresses);
    int error =
        master->children != NULL && master->addresses != NULL ? 0 : TW_ENOMEM;
    for (uint32_t i = 0; error == 0 && i < count; i++) {
        error = init_child(master, i);
    }
    return error;
}

/* ---- signals ------------------------------------------------------------ */

static void take_signals(tw__master *master) {
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGHUP);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ours, &master->old_mask);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, &master->old_pipe);
    master->signal_fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- together ----------------------------------------------------------- */

static int open_board(tw__master *master) {
    master->board = tw__board_create(master->workers);
    if (master->board == NULL) {
        return TW_ENOMEM;
    }
    master->board->dicts = tw__dict_region_create(
        master->config.server.dict_memory_bytes, true);
    if (master->board->dicts == NULL ||
        tw__metric_regions_map(&master->board->metrics, master->workers,
                               master->config.server.metric_memory_bytes,
                               true) != 0) {
        return TW_ENOMEM;
    }
    master->board->master_pid = (int32_t)getpid();
    master->board->started_ms = tw__board_now_ms();
    master->board->started_unix_s = (int64_t)time(NULL);
    return 0;
}

static int complain(tw__master *master, int error, const char *what,
                    const char *why) {
    return error == 0 ? 0 : tw__master_complain(master, error, what, why);
}

/* The folder is made by whom the server will run as: root has no business in a
 * folder that somebody else can change. */
static int open_folder(tw__master *master, const tw__identity *identity) {
    const char *wanted = master->config.runtime_dir;
    char why[512] = "cannot become its user";
    bool was_granted = identity->is_change &&
                       tw__runtime_grant(wanted, identity->uid, identity->gid);
    int error = tw__identity_borrow(identity);
    if (error == 0) {
        error = tw__runtime_open(&master->runtime, wanted, why, sizeof why);
    }
    int back = tw__identity_return(identity);
    if (error == 0 && was_granted) {
        tw__runtime_take(&master->runtime);
    }
    return complain(master, error != 0 ? error : back, "no runtime folder",
                    error != 0 ? why : "cannot become root again");
}

/* Root is given up between the two: ports may need it, nothing else does, not
 * even to clean up after a failure. */
static int open_sockets(tw__master *master, const tw__identity *identity) {
    char why[256];
    int error = tw__master_open_tcp(master);
    int kept = tw__identity_assume(identity, why, sizeof why);
    complain(master, kept, "cannot give up root", why);
    error = error != 0 ? error : kept;
    return error == 0 ? tw__master_open_unix(master) : error;
}

/* While we are still root, if we ever were. */
static int open_tls(tw__master *master) {
    char why[TW__VAULT_WHY] = "";
    if (!tw__tls_is_wanted(&master->config.server)) {
        return 0;
    }
    tw__tls_count_memory(); /* before anything here uses OpenSSL */
    master->vault = tw__tls_vault_create();
    int error = master->vault != NULL
                    ? tw__tls_read_files(&master->config.server,
                                         &master->vault->folios[0], why,
                                         sizeof why)
                    : TW_ENOMEM;
    tw__tls_tickets_init(&master->tickets, tw__board_now_ms());
    return complain(master, error, "cannot read the certificates", why);
}

static void close_tls(tw__master *master) {
    tw__tls_vault_destroy(master->vault);
    master->vault = NULL;
    tw__tls_tickets_wipe(&master->tickets);
}

static int open_parts(tw__master *master) {
    if (master->workers > TW__SLOTS_MAX) {
        return tw__master_complain(master, TW_EINVALID, "too many workers",
                                   "there can be 1024");
    }
    tw__identity identity;
    char why[256];
    int error = tw__identity_find(&identity, master->config.user,
                                  master->config.group, why, sizeof why);
    complain(master, error, "cannot run as this user", why);
    if (error == 0) {
        error = open_tls(master);
    }
    if (error == 0) {
        error = open_folder(master, &identity);
    }
    if (error != 0) {
        return error;
    }
    error = open_board(master);
    if (error == 0) {
        error = make_children(master);
    }
    if (error == 0) {
        error = tw__reload_init(&master->reload, master->workers,
                                &tw__master_reload_ops, master);
        master->reload.freeze_ms = master->config.freeze_ms;
    }
    return error == 0 ? open_sockets(master, &identity)
                      : tw__master_complain(master, error, "cannot start",
                                            tw_strerror(error));
}

int tw__master_open(tw__master *master, const tw_master_config *config) {
    *master = (tw__master){
        .signal_fd = -1, .runtime = {._lock = -1}, .end_ms = TW__NEVER};
    tw__ticks_init(); /* measured from here on, by the workers, too */
    fill_config(master, config);
    take_signals(master);
    int error = master->signal_fd >= 0
                    ? open_parts(master)
                    : tw__master_complain(master, TW_EIO, "cannot start",
                                          "no signalfd");
    if (error != 0) {
        tw__master_close(master);
    }
    return error;
}

static void close_fd(int *fd) {
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static void close_child(tw__child *child) {
    close_fd(&child->control_fd);
    close_fd(&child->bus_fd);
    for (size_t i = 0; i < child->listen_count; i++) {
        close_fd(&child->listen_fds[i]);
    }
    tw__free(child->listen_fds);
}

static void close_children(tw__master *master, const tw__child *but) {
    for (uint32_t i = 0;
         master->children != NULL && i < tw__master_child_count(master); i++) {
        if (&master->children[i] != but) {
            close_child(&master->children[i]);
        }
    }
    tw__free(master->children);
    tw__free(master->addresses);
    tw__reload_deinit(&master->reload);
    close_fd(&master->signal_fd);
}

void tw__master_close(tw__master *master) {
    close_tls(master);
    tw__master_remove_sockets(master);
    close_children(master, NULL);
    tw__runtime_close(&master->runtime);
    tw__board_destroy(master->board);
    sigaction(SIGPIPE, &master->old_pipe, NULL);
    sigprocmask(SIG_SETMASK, &master->old_mask, NULL);
}

void tw__master_leave(tw__master *master, tw__child *self) {
    tw__tls_tickets_wipe(&master->tickets);
    close_children(master, self);
    tw__runtime_leave(&master->runtime);
}
