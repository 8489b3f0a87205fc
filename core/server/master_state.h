/* master_state.h - the master of a server and its children.
 *
 * The master is one process with a poll() loop of its own: it opens sockets,
 * forks, reaps, relays signals and decides reloads, and touches neither
 * connections nor HTTP nor scripts. It does not use libuv, so that a fork
 * inherits no loop.
 *
 * The server goes through these states:
 *
 *   STARTING  slot 0 loads generation 1 and writes its snapshot; then the other
 *             slots load that. A failure or a death ends the server with
 *             status 1
 *   RUNNING   all slots listened once. What dies is replaced
 *   DRAINING  a signal or a request, or the failed start: workers end in their
 *             own time within limits, nothing is replaced
 *   LEAVING   the workers are gone, the admin member is told to end, too
 *   ENDED     no child is left
 *
 * and each child, a worker or the admin member, through these:
 *
 *   DOWN     no process; one is started when `due_ms` comes
 *   LOADING  forked: makes its server, loads the generation
 *   LOADED   waits for the others (first start) or for the end of a freeze
 *   UP       accepts connections and takes part in reloads
 *
 * with DOWN again after every death. A child that is to be killed has `kill_ms`
 * set and stays what it was until it is reaped: its death is the one event by
 * which everything else happens.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_MASTER_STATE_H
#define TW_SERVER_MASTER_STATE_H

#include <signal.h>
#include <sys/types.h>

#include "base/log.h"
#include "net/socket.h"
#include "server/control.h"
#include "server/master_board.h"
#include "server/master_watch.h"
#include "server/reload.h"
#include "server/runtime.h"
#include "server/tls_files.h"
#include "tidewire/master.h"

#define TW__NEVER UINT64_MAX

typedef enum tw__child_state {
    TW__CHILD_DOWN,
    TW__CHILD_LOADING,
    TW__CHILD_LOADED,
    TW__CHILD_UP
} tw__child_state;

typedef struct tw__child {
    tw__child_state state;
    uint32_t slot; /* the admin member's is the number of workers */
    bool is_admin;
    pid_t pid;       /* 0: no process */
    int control_fd;  /* -1: none */
    int bus_fd;      /* the slot's bus socket */
    int *listen_fds; /* of a worker, one per address; of the admin member its
                        Unix socket and, when configured, its TCP one */
    size_t listen_count;
    uint32_t incarnation;
    uint32_t generation; /* what this process started with or switched to */
    uint32_t failures;   /* deaths in a row */
    bool is_listening;   /* said so */
    bool was_killed;     /* by its master */
    bool is_recalled; /* killed for being late for a commit, not for a fault */
    uint64_t started_ms;
    uint64_t due_ms;  /* DOWN: when to start; TW__NEVER: not now */
    uint64_t kill_ms; /* when SIGKILL is due; TW__NEVER: not */
    tw__watch watch;
} tw__child;

typedef enum tw__master_state {
    TW__MASTER_STARTING,
    TW__MASTER_RUNNING,
    TW__MASTER_DRAINING,
    TW__MASTER_LEAVING,
    TW__MASTER_ENDED
} tw__master_state;

typedef struct tw__master {
    tw__master_state state;
    tw_master_config config; /* defaults filled in */
    tw__log log;
    tw__runtime runtime;
    tw__board *board;
    tw__child *children; /* `workers` many and then the admin member */
    uint32_t workers;
    char (*addresses)[TW__ADDRESS_TEXT]; /* as bound, one per config.listen */
    char admin[TW__ADDRESS_TEXT];        /* as bound; "" when none */
    tw__reload reload;
    uint64_t reload_wanted;  /* the admin's highest request */
    uint64_t reload_covered; /* what the attempt under way answers */
    bool is_reload_due;      /* wanted; begins when nothing is in its way */
    uint64_t reload_rest_ms; /* and not before this */
    uint64_t end_ms;         /* DRAINING, LEAVING: when all are killed */
    uint64_t look_ms;        /* when hangs are looked for next */
    tw__tls_vault *vault; /* NULL: no listener speaks TLS */
    tw__tls_tickets tickets;
    int signal_fd;
    sigset_t old_mask;
    struct sigaction old_pipe;
    int status; /* what tw_master_run answers */
} tw__master;

static inline uint32_t tw__master_child_count(const tw__master *master) {
    return master->workers + 1;
}

static inline tw__child *tw__master_admin(tw__master *master) {
    return &master->children[master->workers];
}

/* ---- master_open.c ------------------------------------------------------ */

/* Makes everything a server needs before its first fork. 0, or an error that
 * was logged (nothing to clean up then). */
int tw__master_open(tw__master *master, const tw_master_config *config);

/* The end of the master: removes the runtime folder and frees all. */
void tw__master_close(tw__master *master);

/* The same in a child: what is the master's stays, and the child's own sockets
 * stay open. */
void tw__master_leave(tw__master *master, tw__child *self);

/* ---- master_sockets.c --------------------------------------------------- */

/* Logs a failure to start and answers `error`. */
int tw__master_complain(const tw__master *master, int error,
                        const char *message, const char *detail);

/* Opens the TCP sockets, which may take root, and the Unix sockets, which are
 * to belong to whom the server runs as, into the children. 0, or an error that
 * was logged. */
int tw__master_open_tcp(tw__master *master);
int tw__master_open_unix(tw__master *master);

/* Removes the files of public Unix sockets, unless that is done. */
void tw__master_remove_sockets(tw__master *master);
/* The same, and closes the master's public sockets: the server drains. */
void tw__master_stop_listening(tw__master *master);

/* ---- master_child.c ----------------------------------------------------- */

/* Forks one. Answers 0 in the child (all else is to be left alone there), its
 * pid in the master, -1 when there was no process to be had (it is tried
 * again). */
pid_t tw__child_start(tw__master *master, tw__child *child, uint64_t now_ms);

/* Reads what the child says; at the end of file closes the socket. */
void tw__child_listen(tw__master *master, tw__child *child, uint64_t now_ms);

/* Sends; one that does not read is killed. */
void tw__child_tell(tw__master *master, tw__child *child,
                    const tw__control_msg *msg);
void tw__child_tell_kind(tw__master *master, tw__child *child,
                         tw__control_kind kind);

/* Lets those accept connections that are loaded and may. */
void tw__children_admit(tw__master *master);

/* A start failed, or what was started died: when the next one is due. */
void tw__child_try_later(tw__child *child, uint64_t now_ms);

/* ---- master_death.c ----------------------------------------------------- */

/* Takes up the ends of children that died. */
void tw__children_reap(tw__master *master, uint64_t now_ms);

/* Looks for hung workers; kills whose time has come. */
void tw__children_look(tw__master *master, uint64_t now_ms);

/* Turns its loop has ended. */
uint64_t tw__child_turns(const tw__master *master, const tw__child *child);

/* ---- master_reload.c ---------------------------------------------------- */

extern const tw__reload_ops tw__master_reload_ops; /* arg: the master */

/* The snapshot of a generation. */
void tw__master_snapshot(const char *dir, uint32_t generation,
                         char out[TW__RUNTIME_PATH]);

/* A reload is wanted; its result goes to the admin's request `id` (0: to
 * nobody). Before all slots run it waits for that. */
void tw__master_want_reload(tw__master *master, uint64_t id);
/* Begins the one that is wanted, if it may; when to ask again (TW__NEVER). */
void tw__master_begin_reload(tw__master *master, uint64_t now_ms);
uint64_t tw__master_reload_due(const tw__master *master);

/* ---- master.c ----------------------------------------------------------- */

/* Begins to drain; `status` is what tw_master_run will answer. Does nothing
 * while it drains already. */
void tw__master_drain(tw__master *master, int status, const char *why);

/* Logs an event of a child with its slot and pid; `key` NULL: no more. */
void tw__master_note(const tw__master *master, tw_log_level level,
                     const tw__child *child, const char *message,
                     const char *key, const char *value);

#endif
