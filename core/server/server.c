/* server.c - a server put together and taken apart.
 * SPDX-License-Identifier: MIT */
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ticks.h"
#include "server/redis.h"
#include "server/tls.h"

/* ---- parts ---- */

/* Address space only: a page of it costs memory when a connection is there. */
static int open_slab(tw_server *server) {
    size_t cap = server->config.max_connections + 1024;
    void *slab = mmap(NULL, cap * sizeof(tw_conn), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slab == MAP_FAILED) {
        return TW_ENOMEM;
    }
    server->conns = slab;
    server->conn_cap = (uint32_t)cap;
    return 0;
}

static int open_page(tw_server *server, const tw__place *place) {
    server->lab = place != NULL ? place->lab : NULL;
    tw__server_init_dicts(server, place != NULL ? place->dicts : NULL);
    tw__server_init_metrics(server, place);
    if (place != NULL) {
        server->pages = place->pages;
        server->slot = place->slot;
        server->slots = place->slots;
        server->incarnation = place->incarnation;
        server->page = place->pages[place->slot];
        memset((void *)server->page->gauges, 0, sizeof server->page->gauges);
        return 0;
    }
    server->page = tw__calloc(1, sizeof *server->page);
    server->own_pages[0] = server->page;
    server->pages = server->own_pages;
    server->slots = 1;
    server->incarnation = 1;
    return server->page == NULL ? TW_ENOMEM : 0;
}

/* Every worker admits its part. */
static void open_admission(tw_server *server) {
    const tw_config *config = &server->config;
    double per_second = config->handshakes_per_second;
    double burst =
        config->handshake_burst > 0 ? config->handshake_burst : per_second;
    tw__admission_init(&server->admission, per_second / server->slots,
                       burst / server->slots, tw__now(server));
}

static void start_page(tw_server *server) {
    tw__page *page = server->page;
    server->pins.rows = page->fates;
    page->started_ms = server->started_ms;
    page->incarnation = server->incarnation;
    page->pid = getpid();
}

static void open_hub(tw_server *server) {
    tw__hub_events events = {tw__server_deliver, tw__server_lost, server};
    tw__hub_init(&server->hub, &events);
    for (int i = 0; i < TW__CODECS; i++) {
        tw__encoder *encoder = &server->encoders[i];
        *encoder = tw__codecs[i]->publication;
        if (tw__codecs[i]->deflates) {
            encoder->pack = tw__codec_pack;
            encoder->arg = server;
        }
        server->hub.encoders[i] = encoder;
    }
}

static void free_server(void *arg);

/* When it fails the server is freed, on a host's loop in a later turn: what was
 * opened lives in its memory until then. */
static int open_net(tw_server *server, uv_loop_t *host) {
    int err = tw__loop_init(&server->loop, host);
    if (err != 0) {
        free_server(server);
        return err;
    }
    if (server->lab != NULL) {
        const tw__lab *lab = server->lab;
        tw__clock_hold_from(&server->loop.clock, lab->now_ms,
                            (int64_t)lab->now_ms + lab->wall_ahead_ms);
    }
    if ((err = tw__poller_init(&server->edge, &server->loop)) != 0) {
        goto close_loop;
    }
    if ((err = tw__poller_init(&server->link, &server->loop)) != 0) {
        goto close_edge;
    }
    if ((err = tw__clockwork_init(&server->edge_clock, &server->loop)) != 0) {
        goto close_link;
    }
    if ((err = tw__clockwork_init(&server->conn_clock, &server->loop)) != 0) {
        goto close_edge_clock;
    }
    server->conn_clock.wheel.on_due = tw__conn_on_timer;
    if ((err = tw__clockwork_init(&server->link_clock, &server->loop)) != 0) {
        goto close_conn_clock;
    }
    if ((err = tw__mailbox_init(&server->mailbox, &server->loop)) != 0) {
        goto close_link_clock;
    }
    return 0;
close_link_clock:
    tw__clockwork_close(&server->link_clock);
close_conn_clock:
    tw__clockwork_close(&server->conn_clock);
close_edge_clock:
    tw__clockwork_close(&server->edge_clock);
close_link:
    tw__poller_close(&server->link);
close_edge:
    tw__poller_close(&server->edge);
close_loop:
    tw__loop_close(&server->loop, free_server, server);
    return err;
}

static void close_net(tw_server *server) {
    tw__clockwork_close(&server->link_clock);
    tw__clockwork_close(&server->conn_clock);
    tw__clockwork_close(&server->edge_clock);
    tw__poller_close(&server->link);
    tw__poller_close(&server->edge);
}

static void free_server(void *arg) {
    tw_server *server = arg;
    void (*on_closed)(void *) = server->on_closed;
    void *closed_arg = server->closed_arg;
    for (uint32_t i = 0; i < server->spare_count; i++) {
        tw__outq_destroy(server->spare[i], &server->pins);
    }
    tw__ws_pool_deinit(&server->ws_pool);
    tw__deflater_deinit(&server->deflater);
    tw__inflater_deinit(&server->inflater);
    tw__waiters_deinit(&server->all_waiters);
    tw__server_free_people(server);
    tw__map_deinit(&server->by_address);
    if (server->conns != NULL) {
        munmap(server->conns, server->conn_cap * sizeof(tw_conn));
    }
    tw__server_close_tls(server);
    tw__dicts_deinit(&server->dicts);
    tw__metrics_deinit(&server->metrics);
    tw__server_free_redis(server);
    tw__http_client_destroy(server->http);
    tw__free(server->own_pages[0]);
    tw__free(server->read_buffer);
    tw__free(server);
    if (on_closed != NULL) {
        on_closed(closed_arg);
    }
}

static void init_plain(tw_server *server, const tw_config *config) {
    server->config = *config;
    server->config.listen = NULL;
    server->config.trusted_proxies = NULL;
    server->config.listen_options = NULL;
    tw__server_fill_defaults(&server->config);
    server->log = (tw__log){config->log, config->log_arg, config->log_level};
    server->pins.limit = server->config.pinned_limit_bytes;
    tw__list_init(&server->waiters);
    tw__list_init(&server->postponed);
    tw__list_init(&server->lapsing);
    tw__list_init(&server->timers);
    tw__map_init(&server->by_address);
    tw__ws_pool_init(&server->ws_pool, 65536, 64);
}

static void close_listen_fds(const tw__place *place, size_t count) {
    for (size_t i = 0; place != NULL && i < count; i++) {
        close(place->listen_fds[i]);
    }
}

static void close_bus_fd(const tw__place *place) {
    if (place != NULL && place->bus_fd >= 0) {
        close(place->bus_fd);
    }
}

static void say(char *detail, size_t size, int err) {
    if (detail != NULL && size > 0) {
        snprintf(detail, size, "%s", tw_strerror(err));
    }
}

int tw__server_create(tw_server **out, const tw_config *config,
                      const tw__place *place, char *detail, size_t size) {
    int err = TW_ENOMEM;
    say(detail, size, err);
    tw_server *server = tw__calloc(1, sizeof *server);
    if (server == NULL) {
        goto close_fds;
    }
    tw__ticks_init();
    init_plain(server, config);
    server->read_buffer = tw__malloc(TW__READ_BYTES);
    if (server->read_buffer == NULL || open_slab(server) != 0 ||
        open_page(server, place) != 0 || tw__server_open_people(server) != 0) {
        goto free_server;
    }
    if (tw__server_open_http(server) != 0) {
        goto free_server;
    }
    if ((err = tw__server_open_tls(server, config, place, detail, size)) != 0) {
        goto free_server;
    }
    if ((err = open_net(server, config->loop)) != 0) {
        say(detail, size, err);
        goto close_fds;
    }
    server->started_ms = tw__now(server);
    open_admission(server);
    start_page(server);
    tw__server_add_hooks(server);
    open_hub(server);
    if ((err = tw__server_start_bus(server, place)) != 0) {
        say(detail, size, err);
        goto close_net; /* the bus took its descriptor */
    }
    err = tw__server_open_listeners(
        server, config, place ? place->listen_fds : NULL, detail, size);
    if (err != 0) {
        tw_server_destroy(server, NULL, NULL);
        return err;
    }
    *out = server;
    return 0;
close_net:
    tw__hub_deinit(&server->hub);
    tw__mailbox_close(&server->mailbox);
    close_net(server);
    close_listen_fds(place, config->listen_count);
    tw__loop_close(&server->loop, free_server, server);
    return err;
free_server:
    free_server(server);
close_fds:
    close_listen_fds(place, config->listen_count);
    close_bus_fd(place);
    return err;
}

int tw_server_create(tw_server **server, const tw_config *config, char *detail,
                     size_t detail_size) {
    return tw__server_create(server, config, NULL, detail, detail_size);
}

/* ---- running ---- */

void tw_server_run(tw_server *server) {
    tw__loop_run(&server->loop);
}

void tw_server_stop(tw_server *server) {
    tw__loop_stop(&server->loop);
}

/* ---- destruction ---- */

/* One whose on_open was still due has no on_close either. */
static void end_connection(tw_conn *conn) {
    if (conn->flags & TW__DUE_OPEN) {
        conn->flags &= ~(uint32_t)(TW__DUE_OPEN | TW__OPENED);
    }
    conn->flags &= ~(uint32_t)TW__BUSY;
    tw__conn_cut(conn);
    conn->state = TW__CONN_GONE;
    do { /* one that answers "later" does not keep the next from its turn */
        conn->flags &= ~(uint32_t)TW__BUSY;
        tw__conn_run(conn);
    } while (conn->flags & (TW__DUE_UNSUBSCRIBE | TW__DUE_CLOSE));
    conn->flags &= ~(uint32_t)TW__BUSY;
    tw__conn_settle(conn);
}

/* Everything ends now: no linger, no waiting for hooks; what still waits is
 * told by on_close and on_gone. */
static void end_connections(tw_server *server) {
    for (uint32_t i = 1; i <= server->conn_high; i++) {
        tw_conn *conn = &server->conns[i];
        if (conn->state != TW__CONN_FREE) {
            end_connection(conn);
        }
    }
    tw__server_run_waiters(server);
    do {
        while (tw__conn_dequeue(server, TW__QUEUE_DIRTY) != NULL ||
               tw__conn_dequeue(server, TW__QUEUE_RUN) != NULL) {
        }
        tw__conn_free_dead(server); /* on_gone may schedule others */
    } while (server->queues[TW__QUEUE_DEAD].first != 0);
}

static void end_timers(tw_server *server) {
    while (!tw__list_is_empty(&server->timers)) {
        tw_timer_stop(TW__CONTAINER(server->timers.next, tw_timer, node));
    }
}

static void on_swept(tw__turn_hook *hook) {
    tw_server *server = TW__CONTAINER(hook, tw_server, close_hook);
    tw__loop_remove_hook(hook);
    tw__server_run_waiters(server);
    tw__hub_deinit(&server->hub);
    tw__pub_store_deinit(&server->pubs);
    close_net(server);
    tw__loop_close(&server->loop, free_server, server);
}

/* In the turn after the bus ended its own. On a loop of ours tw__loop_close
 * runs the loop, which cannot happen inside of one of its turns. */
static bool on_sweep_turn(tw__turn_hook *hook) {
    tw_server *server = TW__CONTAINER(hook, tw_server, close_hook);
    if (!server->loop._is_own) {
        on_swept(hook);
    }
    return false;
}

void tw_server_destroy(tw_server *server, void (*closed)(void *arg),
                       void *arg) {
    server->destroying = true;
    server->on_closed = closed;
    server->closed_arg = arg;
    tw__mailbox_close(&server->mailbox); /* no post runs any more */
    tw__server_close_listeners(server);
    end_connections(server);
    end_timers(server);
    tw__server_close_redis(server);
    tw__http_client_close(server->http);
    tw__server_close_people(server);
    server->idle = NULL;
    tw__clockwork_clear(&server->link_clock, &server->drain_timer);
    tw__clockwork_clear(&server->link_clock, &server->figures_timer);
    tw__server_drop_routes(server);
    tw__bus_destroy(server->bus);
    tw__loop_remove_hook(&server->run_hook);
    tw__loop_remove_hook(&server->walk_hook);
    tw__loop_remove_hook(&server->write_hook);
    tw__loop_remove_hook(&server->close_hook);
    server->loop.on_turn = NULL;
    tw__loop_add_hook(&server->loop, &server->close_hook, on_sweep_turn,
                      TW__TURN_CLOSE);
    tw__loop_wake(&server->loop);
    server->page->pid = 0;
    if (server->loop._is_own) {
        tw__loop_run_once(&server->loop, 0);
        on_swept(&server->close_hook);
    }
}

/* ---- posting, freezing ---- */

typedef struct post {
    tw_server *server;
    void (*cb)(tw_server *server, void *arg);
    void *arg;
} post;

static void on_post(int status, void *arg) {
    post copy = *(post *)arg;
    free(arg);
    if (status == 0) {
        copy.cb(copy.server, copy.arg);
    }
}

int tw_post(tw_server *server, void (*cb)(tw_server *server, void *arg),
            void *arg) {
    post *made = malloc(sizeof *made); /* of a foreign thread: not tw__malloc */
    if (made == NULL) {
        return TW_ENOMEM;
    }
    *made = (post){server, cb, arg};
    int err = tw__mailbox_post(&server->mailbox, on_post, made);
    if (err != 0) {
        free(made);
    }
    return err;
}

/* Nobody is touched here or at the thaw but those who have something to say or
 * due meanwhile: they wait in the run queue. */
void tw_server_freeze(tw_server *server) {
    if (server->frozen++ == 0) {
        tw__server_pause_listening(server, true);
        tw__clockwork_pause(&server->conn_clock);
        tw__clockwork_pause(&server->edge_clock);
    }
}

void tw_server_thaw(tw_server *server) {
    if (server->frozen > 0 && --server->frozen == 0) {
        tw__server_pause_listening(server, false);
        tw__clockwork_resume(&server->conn_clock);
        tw__clockwork_resume(&server->edge_clock);
        tw__loop_wake(&server->loop);
        tw__loop_wake_for(&server->loop, TW__TURN_HUB);
    }
}

void tw_server_set_idle(tw_server *server,
                        bool (*cb)(tw_server *server, void *arg), void *arg) {
    server->idle = cb;
    server->idle_arg = arg;
    tw__loop_wake(&server->loop);
}
