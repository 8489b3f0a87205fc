/* tidewire/testing.h - a simulated machine: a whole server in one process,
 * without a network, in a time that is moved by hand.
 *
 * A lab has slots as a master has. In each of them a real server can be started
 * (loop, hub, link, limits, framing), killed as by a crash, and started again.
 * What is simulated is the world around them: connections are ends of socket
 * pairs; requests to others (tw_http_request) and connections to Redis are
 * handed to the host; the clock of all servers is one, and stands still.
 *
 * Nothing happens but inside of tw_lab_run, which returns when nothing is left
 * to do at this time. Belongs to one thread. The hooks of the servers must not
 * call what is declared here.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TIDEWIRE_TESTING_H
#define TIDEWIRE_TESTING_H

#include "tidewire/tidewire.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tw_lab tw_lab;

/* A request that passed the server's checks and has its turn; borrowed. */
typedef struct tw_lab_request {
    uint64_t number; /* in its server; for tw_lab_reply */
    tw_str method, url;
    const tw_header *headers;
    size_t header_count;
    tw_str body;
} tw_lab_request;

/* Zero-initialise; 0 takes the default in brackets. */
typedef struct tw_lab_config {
    uint32_t slots;           /* [1] */
    size_t dict_memory_bytes; /* [32 MiB] of all dictionaries */
    int64_t wall_ms; /* [the machine's] since 1970, when the lab is made */
    /* Called from a turn of the server of `slot`; none may call into it.
     * NULL: nobody answers requests, and no Redis can be reached. */
    void (*on_request)(uint32_t slot, const tw_lab_request *request,
                       void *user);
    /* `slot` connects to the Redis of that name; every name is known. Gives a
     * connected non-blocking descriptor, or -1: it cannot be reached. */
    int (*on_redis)(uint32_t slot, const char *name, void *user);
    /* `slot` is about to call it: 0, or the error that the call ends with,
     * TW_EUNAVAILABLE, TW_ETIMEOUT or TW_EOVERLOADED. NULL: 0. */
    int (*on_redis_call)(uint32_t slot, const char *name, void *user);
    void *user;
} tw_lab_config;

/* 0, TW_EINVALID (slots), TW_ENOMEM or TW_EIO. *lab is given. */
TW_API int tw_lab_create(tw_lab **lab, const tw_lab_config *config);

/* Kills what still runs; then all is as if the lab had just been made, with the
 * same slots. */
TW_API void tw_lab_reset(tw_lab *lab, const tw_lab_config *config);

/* Kills what still runs and frees. NULL is allowed. */
TW_API void tw_lab_destroy(tw_lab *lab);

/* Starts a server in a free slot, as a new incarnation, and begins to accept;
 * `loop` and `listen` of the config are not looked at. Errors as of
 * tw_server_create, and TW_EEXISTS: one runs there. */
TW_API int tw_lab_start(tw_lab *lab, uint32_t slot, const tw_config *config,
                        tw_server **server, char *detail, size_t detail_size);

/* Ends the server of a slot as a crash ends a process, as far as others can
 * see: nothing that is queued leaves. Its own hooks are called as by
 * tw_server_destroy. Harmless where none runs. */
TW_API void tw_lab_kill(tw_lab *lab, uint32_t slot);

/* NULL: none runs. */
TW_API tw_server *tw_lab_server(const tw_lab *lab, uint32_t slot);

/* A client connects from `ip`, "127.0.0.1". Its end, a non-blocking descriptor,
 * is given. 0, TW_EINVALID (the address), TW_EUNAVAILABLE (no server runs
 * there), TW_EIO. */
TW_API int tw_lab_connect(tw_lab *lab, uint32_t slot, const char *ip, int *fd);

/* What becomes of a request of on_request. With an error `response` is NULL.
 * 0, TW_ENOT_FOUND (nobody waits for it any more), TW_EUNAVAILABLE. */
TW_API int tw_lab_reply(tw_lab *lab, uint32_t slot, uint64_t number, int error,
                        const tw_http_response *response);

/* Lets the servers do what there is to do at this time, at most `turns` turns.
 * True when nothing is left. */
TW_API bool tw_lab_run(tw_lab *lab, unsigned turns);

/* Milliseconds of the clock, monotonic and since 1970. */
TW_API uint64_t tw_lab_now(const tw_lab *lab);
TW_API int64_t tw_lab_wall(const tw_lab *lab);

/* Moves the clock to the next deadline of any server, or to `until_ms` if that
 * is earlier; what is due is done by tw_lab_run. False: it is there already. */
TW_API bool tw_lab_step(tw_lab *lab, uint64_t until_ms);

#ifdef __cplusplus
}
#endif
#endif
