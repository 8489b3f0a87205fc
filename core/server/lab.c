/* lab.c - a machine that is simulated: see tidewire/testing.h.
 *
 * All servers stand on one uv loop, each as on a host's. Whoever has work left
 * keeps the loop from waiting, and what has arrived can be read from the
 * loop's descriptor at once, since both ends of every socket are in this
 * process: so it is known when nothing is left, without waiting for anything.
 *
 * Each server's clock is held at the lab's time. Only when all of them are at
 * rest do they move, all to the same next deadline.
 *
 * SPDX-License-Identifier: MIT */
#include "server/lab.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/socket.h"
#include "server/place.h"
#include "server/server.h"

enum {
    BEGIN_MS = 3600000, /* of the monotonic clock */
    DIR_SIZE = 64,
    BACKLOG = 128,
    SLOTS_MAX = 1024,
    CONNECTIONS = 10000, /* of a server, where nothing else is said */
    /* What the kernel takes for a client that does not read: little, so that
     * one is slow after a few messages. */
    SOCKET_BYTES = 8192
};

typedef struct member {
    tw_server *server;
    uint32_t incarnation;
    int bus_fd; /* listens for it, also while it is dead; -1: no link */
} member;

struct tw_lab {
    tw__lab world; /* what its servers know */
    uv_loop_t uv;
    tw_lab_config config;
    uint32_t slots;
    tw__page *page_array;
    tw__page **pages;
    char dir[DIR_SIZE]; /* "": none, there is one slot */
    unsigned closing;   /* servers that are not freed yet */
    member members[];
};

/* ---- the link ---- */

static void path_of(const tw_lab *lab, uint32_t slot, char *out, size_t size) {
    snprintf(out, size, "unix:%s/bus.%u", lab->dir, (unsigned)slot);
}

static int listen_for(tw_lab *lab, uint32_t slot) {
    char text[DIR_SIZE + 32];
    tw__address address;
    path_of(lab, slot, text, sizeof text);
    int err = tw__address_parse(&address, text);
    return err != 0 ? err
                    : tw__socket_listen(&address, BACKLOG, 0,
                                        &lab->members[slot].bus_fd);
}

static int open_link(tw_lab *lab) {
    if (lab->slots == 1) {
        return 0;
    }
    snprintf(lab->dir, sizeof lab->dir, "%s/tidewire-lab-XXXXXX", P_tmpdir);
    if (mkdtemp(lab->dir) == NULL) {
        lab->dir[0] = '\0';
        return TW_EIO;
    }
    int err = 0;
    for (uint32_t slot = 0; err == 0 && slot < lab->slots; slot++) {
        err = listen_for(lab, slot);
    }
    return err;
}

static void close_link(tw_lab *lab) {
    for (uint32_t slot = 0; slot < lab->slots; slot++) {
        char text[DIR_SIZE + 32];
        if (lab->members[slot].bus_fd >= 0) {
            close(lab->members[slot].bus_fd);
            path_of(lab, slot, text, sizeof text);
            unlink(text + strlen("unix:"));
        }
    }
    if (lab->dir[0] != '\0') {
        rmdir(lab->dir);
    }
}

/* ---- what servers ask ---- */

static void ask(tw__lab *world, uint32_t slot, const tw_lab_request *request) {
    tw_lab *lab = TW__CONTAINER(world, tw_lab, world);
    if (lab->config.on_request != NULL) {
        lab->config.on_request(slot, request, lab->config.user);
    }
}

static int dial(tw__lab *world, uint32_t slot, const char *name, int *fd) {
    tw_lab *lab = TW__CONTAINER(world, tw_lab, world);
    int end = lab->config.on_redis == NULL
                  ? -1
                  : lab->config.on_redis(slot, name, lab->config.user);
    if (end < 0) {
        errno = ECONNREFUSED;
        return TW_EIO;
    }
    *fd = end;
    return 0;
}

static int fault(tw__lab *world, uint32_t slot, const char *name) {
    tw_lab *lab = TW__CONTAINER(world, tw_lab, world);
    return lab->config.on_redis_call == NULL
               ? 0
               : lab->config.on_redis_call(slot, name, lab->config.user);
}

/* ---- create and destroy ---- */

static int64_t machine_wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int open_pages(tw_lab *lab) {
    lab->page_array = tw__calloc(lab->slots, sizeof *lab->page_array);
    lab->pages = tw__calloc(lab->slots, sizeof *lab->pages);
    if (lab->page_array == NULL || lab->pages == NULL) {
        return TW_ENOMEM;
    }
    for (uint32_t slot = 0; slot < lab->slots; slot++) {
        lab->pages[slot] = &lab->page_array[slot];
    }
    return 0;
}

static void free_memory(tw_lab *lab) {
    tw__dict_region_destroy(lab->world.dicts);
    tw__free(lab->pages);
    tw__free(lab->page_array);
    tw__free(lab);
}

static void begin(tw_lab *lab, const tw_lab_config *config) {
    int64_t wall = config->wall_ms != 0 ? config->wall_ms : machine_wall_ms();
    lab->config = *config;
    lab->world.now_ms = BEGIN_MS;
    lab->world.wall_ahead_ms = wall - BEGIN_MS;
    lab->world.ask = ask;
    lab->world.dial = dial;
    lab->world.fault = fault;
}

int tw_lab_create(tw_lab **out, const tw_lab_config *config) {
    uint32_t slots = config->slots != 0 ? config->slots : 1;
    if (slots > SLOTS_MAX) {
        return TW_EINVALID;
    }
    tw_lab *lab = tw__calloc(1, sizeof *lab + slots * sizeof *lab->members);
    if (lab == NULL) {
        return TW_ENOMEM;
    }
    lab->slots = slots;
    begin(lab, config);
    for (uint32_t slot = 0; slot < slots; slot++) {
        lab->members[slot].bus_fd = -1;
    }
    int err = open_pages(lab);
    if (err == 0 && uv_loop_init(&lab->uv) != 0) {
        err = TW_EIO;
    }
    if (err != 0) {
        free_memory(lab);
        return err;
    }
    err = open_link(lab);
    if (err != 0) {
        tw_lab_destroy(lab);
        return err;
    }
    *out = lab;
    return 0;
}

void tw_lab_destroy(tw_lab *lab) {
    if (lab == NULL) {
        return;
    }
    for (uint32_t slot = 0; slot < lab->slots; slot++) {
        tw_lab_kill(lab, slot);
    }
    close_link(lab);
    /* What a server that could not be made had opened closes in a turn. */
    while (uv_loop_alive(&lab->uv)) {
        uv_run(&lab->uv, UV_RUN_NOWAIT);
    }
    int err = uv_loop_close(&lab->uv);
    assert(err == 0); /* else a server left a handle of its own in it */
    (void)err;
    free_memory(lab);
}

/* Who connected to one that was killed at that moment. */
static void drop_queued(const member *m) {
    int fd;
    while (m->bus_fd >= 0 && (fd = tw__socket_accept(m->bus_fd, NULL)) >= 0) {
        close(fd);
    }
}

void tw_lab_reset(tw_lab *lab, const tw_lab_config *config) {
    for (uint32_t slot = 0; slot < lab->slots; slot++) {
        tw_lab_kill(lab, slot);
    }
    for (uint32_t slot = 0; slot < lab->slots; slot++) {
        drop_queued(&lab->members[slot]);
        lab->members[slot].incarnation = 0;
    }
    memset(lab->page_array, 0, lab->slots * sizeof *lab->page_array);
    tw__dict_region_destroy(lab->world.dicts);
    lab->world.dicts = NULL;
    begin(lab, config);
}

/* ---- servers ---- */

static tw_server *server_at(const tw_lab *lab, uint32_t slot) {
    return slot < lab->slots ? lab->members[slot].server : NULL;
}

tw_server *tw_lab_server(const tw_lab *lab, uint32_t slot) {
    return server_at(lab, slot);
}

static int create_server(tw_lab *lab, uint32_t slot, const tw_config *config,
                         char *detail, size_t size) {
    member *m = &lab->members[slot];
    tw_config copy = *config;
    copy.loop = &lab->uv;
    copy.listen = NULL;
    copy.listen_options = NULL;
    copy.listen_count = 0;
    copy.dict_memory_bytes = lab->config.dict_memory_bytes;
    if (copy.max_connections == 0) {
        copy.max_connections = CONNECTIONS;
    }
    int bus_fd = m->bus_fd;
    if (bus_fd >= 0 && (bus_fd = fcntl(bus_fd, F_DUPFD_CLOEXEC, 0)) < 0) {
        return TW_EIO;
    }
    tw__place place = {.slot = (uint16_t)slot,
                       .slots = (uint16_t)lab->slots,
                       .incarnation = ++m->incarnation,
                       .pages = lab->pages,
                       .dir = lab->dir[0] != '\0' ? lab->dir : NULL,
                       .bus_fd = bus_fd,
                       .lab = &lab->world};
    return tw__server_create(&m->server, &copy, &place, detail, size);
}

int tw_lab_start(tw_lab *lab, uint32_t slot, const tw_config *config,
                 tw_server **server, char *detail, size_t detail_size) {
    if (slot >= lab->slots) {
        return TW_EINVALID;
    }
    if (lab->members[slot].server != NULL) {
        return TW_EEXISTS;
    }
    int err = create_server(lab, slot, config, detail, detail_size);
    if (err == 0 && (err = tw_server_listen(lab->members[slot].server)) != 0) {
        tw_lab_kill(lab, slot);
    }
    if (err == 0) {
        *server = lab->members[slot].server;
    }
    return err;
}

static void on_closed(void *arg) {
    tw_lab *lab = arg;
    lab->closing--;
}

/* The server's memory goes in turns of the loop, in which others live on. */
void tw_lab_kill(tw_lab *lab, uint32_t slot) {
    tw_server *server = server_at(lab, slot);
    if (server == NULL) {
        return;
    }
    lab->members[slot].server = NULL;
    lab->closing++;
    tw_server_destroy(server, on_closed, lab);
    while (lab->closing > 0) {
        uv_run(&lab->uv, UV_RUN_NOWAIT);
    }
}

/* ---- the world ---- */

int tw_lab_connect(tw_lab *lab, uint32_t slot, const char *ip, int *fd) {
    tw_server *server = server_at(lab, slot);
    char text[TW__ADDRESS_TEXT];
    tw__address peer;
    int ends[2], bytes = SOCKET_BYTES;
    snprintf(text, sizeof text, strchr(ip, ':') != NULL ? "[%s]:1" : "%s:1",
             ip);
    if (tw__address_parse(&peer, text) != 0) {
        return TW_EINVALID;
    }
    if (server == NULL) {
        return TW_EUNAVAILABLE;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   ends) != 0) {
        return TW_EIO;
    }
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    tw__server_accept(server, ends[0], &peer, 0);
    *fd = ends[1];
    return 0;
}

int tw_lab_reply(tw_lab *lab, uint32_t slot, uint64_t number, int error,
                 const tw_http_response *response) {
    tw_server *server = server_at(lab, slot);
    return server == NULL
               ? TW_EUNAVAILABLE
               : tw__http_client_reply(server->http, number, error, response);
}

/* ---- time ---- */

uint64_t tw_lab_now(const tw_lab *lab) {
    return lab->world.now_ms;
}

int64_t tw_lab_wall(const tw_lab *lab) {
    return (int64_t)lab->world.now_ms + lab->world.wall_ahead_ms;
}

static bool has_events(tw_lab *lab) {
    struct pollfd backend = {.fd = uv_backend_fd(&lab->uv), .events = POLLIN};
    return poll(&backend, 1, 0) > 0;
}

static bool is_moving(const tw_lab *lab) {
    for (uint32_t slot = 0; slot < lab->slots; slot++) {
        const tw_server *server = lab->members[slot].server;
        if (server != NULL && tw__loop_is_advancing(&server->loop)) {
            return true;
        }
    }
    return false;
}

/* libuv's time out is 0 while a loop has work left, or a deadline is due. */
static bool is_at_rest(tw_lab *lab) {
    return !is_moving(lab) && uv_backend_timeout(&lab->uv) != 0 &&
           !has_events(lab);
}

static bool is_dead(const tw_lab *lab) {
    for (uint32_t slot = 0; slot < lab->slots; slot++) {
        if (lab->members[slot].server != NULL) {
            return false;
        }
    }
    return true;
}

bool tw_lab_run(tw_lab *lab, unsigned turns) {
    if (is_dead(lab)) {
        return true;
    }
    for (unsigned i = 0; i < turns; i++) {
        uv_run(&lab->uv, UV_RUN_NOWAIT);
        if (is_at_rest(lab)) {
            return true;
        }
    }
    return false;
}

bool tw_lab_step(tw_lab *lab, uint64_t until_ms) {
    uint64_t next_ms = until_ms;
    if (until_ms <= lab->world.now_ms) {
        return false;
    }
    for (uint32_t slot = 0; slot < lab->slots; slot++) {
        const tw_server *server = lab->members[slot].server;
        uint64_t due_ms = server != NULL
                              ? tw__clock_next_ms(&server->loop.clock)
                              : UINT64_MAX;
        next_ms = due_ms < next_ms ? due_ms : next_ms;
    }
    if (next_ms <= lab->world.now_ms) {
        next_ms = lab->world.now_ms + 1;
    }
    for (uint32_t slot = 0; slot < lab->slots; slot++) {
        tw_server *server = lab->members[slot].server;
        if (server != NULL) {
            tw__loop_advance(&server->loop, next_ms - lab->world.now_ms);
        }
    }
    lab->world.now_ms = next_ms;
    return true;
}
