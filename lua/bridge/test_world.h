/* test_world.h - one simulated server of a test case: its workers, and all that
 * is around them.
 *
 * The workers are real: a tw_server with a bridge and a VM each, in a lab
 * (tidewire/testing.h). The world holds the other ends of their sockets, the
 * requests that wait for a stub, and what went wrong. It belongs to the test's
 * VM, from which it is driven: no function here calls back into that.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_TEST_WORLD_H
#define TWL_TEST_WORLD_H

#include <tidewire/testing.h>

#include "bridge.h"
#include "test_peer.h"

typedef struct twl_world twl_world;

/* Where a script is; texts are given (twl_free). */
typedef struct twl_test_script {
    char *path; /* what reports say */
    char *dir;  /* where it requires from */
    char *code; /* NULL: in the file */
    size_t len;
    bool is_binary; /* a function, dumped */
} twl_test_script;

void twl_test_script_deinit(twl_test_script *script);

typedef struct twl_world_config {
    uint32_t workers;
    const char *library_dir;
    const tw_lua_value *values;
    size_t value_count;
    const char *const *files; /* absolute */
    size_t file_count;
    tw_config limits; /* of each worker */
    int64_t wall_ms;  /* 0: the machine's */
} twl_world_config;

/* What a worker said, or what went wrong in it. */
typedef struct twl_note {
    twl_link node;
    uint32_t slot;
    tw_log_level level;
    size_t count; /* of key and value, alternating, behind the message */
    char *texts;  /* each with a NUL */
} twl_note;

/* A request that nobody has answered yet. */
typedef struct twl_asked {
    twl_link node;
    uint32_t slot;
    uint64_t number;
    size_t len;   /* of the body, the last of the texts */
    size_t count; /* of headers */
    char *texts;  /* method, URL, name and value of each header, body */
} twl_asked;

/* 0, or an error. */
int twl_world_create(twl_world **world, const twl_world_config *config);
void twl_world_destroy(twl_world *world); /* NULL is allowed */

/* Frees what is kept of one world for the next. */
void twl_world_drop_spare(void);

/* Loads the script in all workers and starts them. 0, or an error and a report.
 * `script` is taken, also by a reload. */
int twl_world_start(twl_world *world, twl_test_script *script, char *report);

/* Switches all workers or none; `script` may be NULL: the same again. */
int twl_world_reload(twl_world *world, twl_test_script *script, char *report);

void twl_world_kill(twl_world *world, uint32_t slot);
/* A new incarnation; harmless when it runs. */
int twl_world_respawn(twl_world *world, uint32_t slot, char *report);

/* A client; NULL and *error. */
twl_peer *twl_world_connect(twl_world *world, uint32_t slot, const char *ip,
                            int *error);
twl_peer *twl_world_peer(const twl_world *world, uint32_t id);

/* The next to upgrade comes in as this user, once; NULL: nobody does. */
void twl_world_set_guest(twl_world *world, const tw_str *user,
                         const tw_str *info);

/* Calls to the Redis of that name end with the error; 0: they are made. 0 or
 * TW_ENOMEM. */
int twl_world_set_redis(twl_world *world, const char *name, int code);

/* How a run ended. */
typedef enum twl_run_result {
    TWL_RUN_DONE,    /* nothing is left to do until then */
    TWL_RUN_ASKED,   /* somebody waits for a stub, or something failed */
    TWL_RUN_RESTLESS /* far too many turns without coming to rest */
} twl_run_result;

/* Goes on until `until_ms` of the clock, until somebody asks, or until `waiter`
 * (may be NULL) has its answer; `check` is called now and then, and may not
 * return. */
twl_run_result twl_world_run(twl_world *world, uint64_t until_ms,
                             const twl_peer *waiter, void (*check)(void *arg),
                             void *arg);

/* A client's whole answer has come, or there will be none. */
bool twl_peer_has_answer(const twl_peer *peer);

/* Any value of conn.state that a reload would drop becomes a failure. */
void twl_world_check_states(twl_world *world);

tw_lab *twl_world_lab(const twl_world *world);
tw_server *twl_world_server(const twl_world *world, uint32_t slot);
uint32_t twl_world_generation(const twl_world *world);
uint32_t twl_world_workers(const twl_world *world);

/* Lists, for the bindings. */
twl_link *twl_world_notes(twl_world *world);
twl_link *twl_world_failures(twl_world *world); /* notes, too */
twl_link *twl_world_asked(twl_world *world);
twl_link *twl_world_peers(twl_world *world);
void twl_note_free(twl_note *note);
void twl_asked_free(twl_asked *asked);

#endif
