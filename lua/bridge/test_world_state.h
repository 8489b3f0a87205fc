/* test_world_state.h - the inside of a world. For test_w*.c only.
 *
 *   test_world.c    its life, its time
 *   test_workers.c  workers: started, killed, reloaded
 *   test_wires.c    what is around them: clients, requests, Redis, notes
 *
 * SPDX-License-Identifier: MIT */
#ifndef TWL_TEST_WORLD_STATE_H
#define TWL_TEST_WORLD_STATE_H

#include "test_world.h"

typedef struct twl_worker {
    struct twl_world *world;
    uint32_t slot;
    tw_lua *lua; /* NULL: it is dead */
    twl_trial trial;
} twl_worker;

struct twl_world {
    tw_lab *lab;
    twl_test_script script;
    char *library_dir;
    twl_value *values;
    size_t value_count;
    char **files;
    size_t file_count;
    tw_config limits;
    /* The generation's files as they were read first: what a worker loads later
     * is the same, as it is from the master's snapshot. */
    twl_sources *sources;
    uint32_t generation, workers, last_id;
    size_t note_count; /* or more, when some were taken */
    bool has_guest;
    char *guest, *guest_info;
    size_t guest_len, guest_info_len;
    twl_link notes, failures, asked, peers, downs;
    twl_worker members[];
};

/* test_wires.c: the callbacks of the lab, whose `user` is the world, and of a
 * worker's bridge, whose `arg` is the worker. */
void twl_wires_request(uint32_t slot, const tw_lab_request *request,
                       void *user);
int twl_wires_redis(uint32_t slot, const char *name, void *user);
int twl_wires_redis_call(uint32_t slot, const char *name, void *user);
void twl_wires_log(tw_log_level level, const char *message,
                   const tw_log_field *fields, size_t count, void *arg);
void twl_wires_failure(const twl_failure *failure, void *arg);
bool twl_wires_upgrade(tw_req *req, void *arg);
void twl_wires_dropped(const char *path, const char *why, void *arg);
void twl_wires_free(twl_world *world);

#endif
