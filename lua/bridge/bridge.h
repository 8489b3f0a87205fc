/* bridge.h - what the files of the upper half share: the bridge itself, and
 * one generation of the scripts.
 *
 * The bridge (tw_lua) answers the server's hooks. It holds at most two
 * generations, each with a VM of its own:
 *
 *   current   runs every new hook
 *   next      loaded by a reload, not yet switched to; or
 *   old       switched away from; its waiting hooks and tasks finish there,
 *             its connections' states are carried over in slices
 *
 * A reload first finishes `old` for good, so there are never three. Everything
 * here lives on the loop's thread.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_BRIDGE_H
#define TWL_BRIDGE_H

#include <tidewire/lua.h>

#include "call.h"
#include "link.h"
#include "vm.h"

typedef struct twl_gen twl_gen;
typedef struct twl_job twl_job;
typedef struct twl_app twl_app;
typedef struct twl_routes twl_routes;

enum { TWL_TOKEN_LISTS = 256 };

/* Kinds of calls whose costs are counted apart. */
typedef enum twl_row {
    TWL_ROW_NONE,
    TWL_ROW_UPGRADE,
    TWL_ROW_OPEN,
    TWL_ROW_MESSAGE,
    TWL_ROW_CLOSE,
    TWL_ROW_SLOW,
    TWL_ROW_ALARM,
    TWL_ROW_RECOVER_FAIL,
    TWL_ROW_UNSUBSCRIBE,
    TWL_ROW_START,
    TWL_ROW_STOP,
    TWL_ROW_SAVE,
    TWL_ROW_RESTORE,
    TWL_ROW_MIGRATE,
    TWL_ROW_REQUEST,
    TWL_ROW_TELL,
    TWL_ROW_LISTENER,
    TWL_ROW_TASK,
    TWL_ROW_AFTER,
    TWL_ROW_EVERY,
    TWL_ROW_CONSOLE,
    TWL_ROWS
} twl_row;

typedef struct twl_value {
    char *key;
    char *json;
} twl_value;

/* What a test wants of the bridge of one of its workers; see test_world.h. */
typedef struct twl_trial {
    /* A call failed that was not called off by us; borrowed. */
    void (*on_failure)(const twl_failure *failure, void *arg);
    /* Of every upgrade, before on_upgrade: true when it was answered. */
    bool (*on_upgrade)(tw_req *req, void *arg);
    void *arg;
} twl_trial;

struct tw_lua {
    tw_server *server;      /* NULL before start and in a check */
    const twl_trial *trial; /* NULL but in tests */
    char *code; /* what the script is in place of its file; NULL as a rule */
    size_t code_len;
    bool is_code_binary;  /* compiled: a function of a test */
    twl_sources *sources; /* what the next generation is loaded from, borrowed;
                             NULL as a rule: the disk or a snapshot */
    volatile uint64_t *hook_calls; /* its counter */
    char *script;      /* as given */
    char *script_dir;
    char *library_dir; /* may be NULL */
    char *node_id;
    twl_value *values;
    size_t value_count;
    char **files;
    size_t file_count;
    size_t memory_limit_bytes;
    uint32_t budget_ms, hook_wait_ms, retire_ms;
    bool no_jit, no_profiler;
    tw_lua_may_read_cb may_read;
    void *may_read_arg;
    tw_log_cb log;
    void *log_arg;

    twl_gen *current, *next, *old;
    bool is_frozen;    /* between freeze and commit or abort */
    bool is_stopped;   /* no hook runs any more */
    bool is_posted;    /* a tw_post for the ready list is under way */
    bool is_ending;    /* the worker ends after the last on_stop */
    unsigned stopping; /* on_stop hooks not over */

    twl_job *running;   /* the innermost job that runs now */
    twl_link free_jobs; /* kept: handles of requests point to them */
    twl_link all_jobs;
    twl_link ready; /* jobs to go on with, and tasks to begin, next turn */
    twl_link feeds; /* channels that scripts listen to, see feed.h */
    twl_link fetched; /* keys of tokens, see jwt_fetch.c */
    size_t fetched_count;
    twl_link eager; /* listeners that have something to do next turn */
    twl_link tokens[TWL_TOKEN_LISTS]; /* waiting jobs by their token */
    uint64_t serial;
    uint64_t waiting; /* jobs that wait, for the gauge */

    tw_timer *second;        /* housekeeping, once a second */
    tw_timer *retire;        /* the end of `old` */
    uint64_t random;         /* jitter's generator */
    unsigned dropped_logged; /* values of conn.state reported in this carry */
};

typedef enum twl_phase {
    TWL_LOADING,  /* the script runs for the first time */
    TWL_LOADED,   /* prepared, not yet switched to */
    TWL_LIVE,     /* current */
    TWL_RETIRING, /* old */
} twl_phase;

struct twl_gen {
    tw_lua *lua;
    twl_vm *vm;
    twl_sources *sources;
    uint32_t number;
    twl_phase phase;
    bool is_retired; /* waiting is over: every wait ends at once */
    bool is_dropped; /* the VM's roots are gone: only collecting is left */
    const char *start_reason; /* on_start is to run in the next turn */
    const char *stop_reason;  /* on_stop is to run in the next turn */

    twl_link apps;      /* every tw.app{} */
    twl_link tables;    /* every tw.routes{} */
    twl_routes *routes; /* what the script returned */
    tw_routes *table; /* the same, ready for the server; NULL once it is used */
    tw_class_config *classes;
    int *tells; /* their functions, LUA_NOREF without; see tell.h */
    size_t class_count;
    bool are_classes_used; /* the server has them */
    struct twl_metric *metrics; /* that it has named, the newest first */
    size_t dict_bytes; /* dictionaries it wants that are not there yet */

    twl_link jobs;    /* that wait */
    twl_link timers;  /* all that are not over */
    twl_link listeners; /* likewise; see listen.h */
    size_t listener_count;
    twl_link spawned; /* tasks that wait for their turn */
    twl_link tasks;   /* tasks that have begun and are not over */
    twl_link states;  /* of connections, see state.h */
    tw_hook_row *rows[TWL_ROWS]; /* NULL before the first call of that kind */

    /* Kept handles, see conn.h; NULL before the first. */
    struct twl_conn_kept *conns;
};

/* The generation that `L` belongs to. */
static inline twl_gen *twl_gen_of(lua_State *L) {
    return twl_vm_user(twl_vm_of(L));
}

/* Makes generation `number` and loads the main script into it; with
 * `snapshot` from that file, else from the disk. 0 and a generation that is
 * TWL_LOADED and given, or an error and a report (TW_REPORT_MAX bytes). */
int twl_gen_create(twl_gen **gen, tw_lua *lua, uint32_t number,
                   const char *snapshot, char *report);

/* The same, but one that does not load is given, too, as far as it came: its
 * VM may be NULL, and it is only to be looked at and destroyed. *gen is NULL
 * when there was no memory for it. */
int twl_gen_attempt(twl_gen **gen, tw_lua *lua, uint32_t number,
                    const char *snapshot, char *report);

/* One without a script, for files of tests: they see what a script sees that
 * loads. */
int twl_gen_empty(twl_gen **gen, tw_lua *lua, char *report);

/* Ends everything that waits or runs by itself in it. */
void twl_gen_stop(twl_gen *gen, const char *reason);

/* After stop: frees what it holds but its VM, whose roots are dropped so that
 * it can be collected in steps. No script runs in it any more. */
void twl_gen_drop(twl_gen *gen);

/* Stops and drops it if need be, and closes its VM. NULL is allowed. Not from
 * inside a call. */
void twl_gen_destroy(twl_gen *gen);

/* What goes on with the next turn: on_start, on_stop. */
void twl_lifecycle_turn(tw_lua *lua);

/* Functions of tw.subscribe that have publications waiting go on. */
void twl_listeners_turn(tw_lua *lua);

/* The old generation may have come to its end: looks in idle turns. */
void twl_reload_idle(tw_lua *lua);

/* Gives its routes and classes to the server; once, and it cannot fail. */
void twl_gen_apply(twl_gen *gen);

/* Raises unless the script may act on the server now: "tw.publish cannot be
 * used while the script loads", "... in save". */
void twl_gen_check_live(lua_State *L, const char *what);

/* Writes a text into a report. */
void twl_report(char *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Pushes true for 0, else nil and an error object: returns how many. */
int twl_push_done(lua_State *L, int code);

/* The server's monotonic milliseconds; 0 without a server. */
uint64_t twl_now(const tw_lua *lua);

/* A number in 0 .. 1, not secret. */
double twl_random(tw_lua *lua);

#endif
