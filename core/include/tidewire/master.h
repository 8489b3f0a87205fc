/* tidewire/master.h - one server as a master, workers and an admin member.
 *
 * tw_master_run forks; each worker is a slot with its own loop, server and
 * host (a script VM, say). The master runs no connections, no HTTP and none of
 * the member hooks below: those are called in the workers.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TIDEWIRE_MASTER_H
#define TIDEWIRE_MASTER_H

#include "tidewire/tidewire.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TW_REPORT_MAX = 4096 };

/* What a worker knows of itself. */
typedef struct tw_member {
    uint32_t slot, slots;
    uint32_t incarnation; /* grows with each start of the slot */
    uint32_t generation;  /* of the host's logic; 1 at first */
    bool is_respawn;      /* replaces a worker that died */
    /* The file that holds everything the generation was loaded from. When
     * `writes_snapshot`, the hook loads from the sources and writes it; else it
     * loads from it, so that no generation is ever a mixture. */
    const char *snapshot;
    bool writes_snapshot;
    const char *runtime_dir;
} tw_member;

/* Something that the operator asks a worker's host while it runs, by way of the
 * admin member, which let nobody in who may not: `tidewire console` and
 * `tidewire profile` do. The host answers each once, at any later time. */
typedef struct tw_question tw_question;

/* What is asked; all of it lives as long as the question. */
typedef struct tw_asked {
    tw_str kind;    /* "console", "profile" */
    tw_str text;    /* of a console, what to run; a zero byte follows */
    tw_str session; /* of a console, whose globals; may be empty */
    uint32_t ms;    /* of a profile, how long */
    tw_str by;      /* who asks, for the log: "uid 1000, pid 4242" */
} tw_asked;

/* Each answers 0 or an error and then writes a report of at most TW_REPORT_MAX
 * bytes, which is logged and given to whoever asked for the reload. `user` is
 * the config's member_user. */
typedef struct tw_member_hooks {
    /* After the fork: `server` exists and does not listen yet. Loads generation
     * member->generation and sets routes and classes. */
    int (*start)(tw_server *server, const tw_member *member, char *report,
                 void *user);
    /* The server listens and this member is ready. */
    void (*started)(tw_server *server, const tw_member *member, void *user);
    /* Ends, in steps, what the last reload left behind. Asked once a turn
     * before `prepare` until it answers true: then there is room for another
     * generation. NULL: there always is. */
    bool (*settle)(tw_server *server, void *user);
    /* Loads generation member->generation beside the running one. */
    int (*prepare)(tw_server *server, const tw_member *member, char *report,
                   void *user);
    /* The server is frozen: carries over what save() and restore() carry. */
    int (*freeze)(tw_server *server, char *report, void *user);
    /* All members froze: switches. Must not fail. */
    void (*commit)(tw_server *server, void *user);
    /* Forgets what prepare loaded; the old generation goes on. */
    void (*abort)(tw_server *server, void *user);
    /* The worker is about to end, after the drain; calls tw_member_stopped when
     * it is done (a limit applies). NULL: nothing to do. */
    void (*stop)(tw_server *server, void *user);
    /* The operator asks; see tw_question_answer. NULL: there is no answer. */
    void (*ask)(tw_server *server, tw_question *question, void *user);
} tw_member_hooks;

/* Borrowed by on_ready. */
typedef struct tw_ready {
    const tw_str *addresses; /* as bound, "127.0.0.1:8080" */
    size_t address_count;
    const char *admin; /* "" when there is none */
    const char *runtime_dir;
    uint32_t workers;
} tw_ready;

typedef struct tw_master_config {
    tw_config server; /* listen, limits, hooks, log; `loop` is NULL */
    tw_member_hooks member;
    void *member_user;
    uint32_t workers;        /* 0: one per core */
    const char *admin;       /* "127.0.0.1:8090"; NULL or "": no TCP admin */
    const char *admin_token; /* bearer token that lets TCP requests reload and
                                drain; NULL or "": only the Unix socket may */
    const char *runtime_dir; /* NULL: made below $XDG_RUNTIME_DIR or /tmp */
    /* Started by root: the user, and the group when it is not the user's own,
     * that master and members become for good, names or numbers. The public and
     * the admin TCP addresses are bound before that; the runtime folder, Unix
     * sockets and all else belong to the user. NULL or "": nobody else. */
    const char *user;
    const char *group;
    const char *version;  /* of the program, for status */
    uint32_t hang_cpu_ms; /* [2000] own CPU time without a turn; see hang_off */
    uint32_t hang_wall_ms; /* [30000] */
    bool hang_off;         /* for debuggers */
    uint32_t drain_ms;     /* [10000] for a drain, then connections are cut */
    uint32_t stop_ms;      /* [5000] for member.stop */
    uint32_t freeze_ms;    /* [250] of a reload, then it is aborted */
    bool no_console;       /* nobody may ask with the kind "console" */
    /* Called in the master once all members are ready: addresses as bound. */
    void (*on_ready)(const tw_ready *ready, void *user);
} tw_master_config;

/* Runs the server until SIGTERM or SIGINT drained it (a second one ends it at
 * once); SIGHUP reloads. Returns the exit status for the process, in the master
 * and in every child alike: 0, or 1 when the first generation could not be
 * loaded or an address not be bound (logged).
 *
 * Children ignore INT, TERM and HUP, which the master takes for all, and use
 * SIGALRM: it ends one that still runs long after its master died. */
TW_API int tw_master_run(const tw_master_config *config);

/* For the host of a worker: member.stop is done. */
TW_API void tw_member_stopped(tw_server *server);

/* For the host of a worker: asks the master for a reload, as SIGHUP does. */
TW_API void tw_member_reload(tw_server *server);

/* What was asked. */
TW_API const tw_asked *tw_question_asked(const tw_question *question);

/* `cb` is called when nobody waits for the answer any more; the question is
 * gone then and must not be answered. NULL: none. */
TW_API void tw_question_on_gone(tw_question *question, void (*cb)(void *arg),
                                void *arg);

/* Answers, and the question is gone. `outcome` is a word of at most 15 bytes
 * ("done", "failed"); the text may be anything and is copied. */
TW_API void tw_question_answer(tw_question *question, const char *outcome,
                               const char *text, size_t len);

#ifdef __cplusplus
}
#endif
#endif
