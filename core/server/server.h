/* server.h - what a server consists of. Inside of core/server only.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_SERVER_H
#define TW_SERVER_SERVER_H

#include "base/log.h"
#include "bus/bus.h"
#include "dict/dict.h"
#include "http/client.h"
#include "http/response.h"
#include "metric/metric.h"
#include "net/clockwork.h"
#include "net/listener.h"
#include "net/mailbox.h"
#include "net/network.h"
#include "server/admission.h"
#include "server/codec.h"
#include "server/conn.h"
#include "server/page.h"
#include "server/people.h"
#include "server/place.h"
#include "server/routes.h"
#include "server/waiter.h"
#include "ws/deflate.h"
#include "ws/pool.h"

enum {
    TW__READ_BYTES = 65536,
    TW__SPARE_QUEUES = 64,  /* emptied output queues kept for reuse */
    TW__WALK_BUDGET = 1000, /* members a turn: an 80 ms turn becomes 8 ms */
    TW__OWN_FDS = 64,       /* kept for links, files and scripts */
    TW__RUN_BUDGET = 1000,  /* connections a turn, of those that are due */
    TW__ALARMS_MAX = 16,
    TW__ALARM_NAME_MAX = 64
};

typedef struct tw__conn_queue {
    uint32_t first, last;
} tw__conn_queue;

/* Connections of one address, for the limit. */
typedef struct tw__address_count {
    uint8_t key[16];
    uint32_t count;
} tw__address_count;

struct tw_timer {
    tw__list node;
    tw__wheel_entry entry;
    tw_server *server;
    void (*cb)(tw_timer *timer, void *arg);
    void *arg;
};

typedef struct tw__tls_edge tw__tls_edge;
typedef struct tw__server_redis tw__server_redis;

struct tw_server {
    tw__loop loop;
    tw__poller edge, link;    /* public descriptors; the others */
    tw__clockwork conn_clock; /* deadlines of connections; rests while frozen */
    tw__clockwork edge_clock, link_clock; /* the first rests while frozen */
    tw__mailbox mailbox;
    tw__lab *lab; /* a simulated world; NULL: the real one */
    tw__turn_hook run_hook, walk_hook, write_hook, close_hook;

    tw_config config; /* with defaults filled in; `listen` is not kept */
    tw__log log;
    tw__page *page;
    tw__page *const *pages;
    tw__page *own_pages[1]; /* when there is no master */
    uint16_t slot, slots;
    uint32_t incarnation;
    uint64_t started_ms;

    tw__listener *listeners;
    int *listen_fds;
    char (*addresses)[TW__ADDRESS_TEXT];
    size_t listener_count;
    bool is_listening;
    tw__tls_edge *tls;    /* NULL: no listener speaks TLS */
    tw__network *trusted; /* proxies */
    size_t trusted_count;
    bool *is_proxied; /* listeners that expect the PROXY protocol */
    int fd_end;       /* descriptors from this number on are kept */
    uint64_t refused, refused_log_ms;
    tw__admission admission; /* of handshakes */

    tw_conn *conns; /* the slab; index 0 is nobody */
    uint32_t conn_cap, conn_high, conn_free, conn_live;
    uint32_t serial;
    tw__conn_queue queues[TW__QUEUES];
    tw__outq *spare[TW__SPARE_QUEUES];
    uint32_t spare_count;
    tw__pins pins;
    uint8_t *read_buffer;
    tw__ws_pool ws_pool;
    tw__map by_address; /* only with a limit per address */

    tw__hub hub;
    tw__encoder encoders[TW__CODECS]; /* the hub's */
    tw__deflater deflater;
    size_t deflated_now; /* bytes, of direct sends since input was taken */
    tw__inflater inflater;
    tw__pub_store pubs;
    tw__bus *bus;
    tw__broker *broker;
    tw__locator *locator;
    tw__folk folk;
    tw__dicts dicts;
    tw__metrics metrics; /* of the host */
    tw__http_client *http;
    tw__server_redis *redis; /* NULL: none is known */
    tw__list waiters; /* subscribes whose channel is confirmed already */
    tw__list postponed; /* the same, until the thaw */
    tw__waiters all_waiters;
    tw__list lapsing; /* interests whose subscribers missed something */

    tw_routes *routes; /* NULL before the first table */
    tw__http_date date;

    tw__list timers;
    bool (*idle)(tw_server *server, void *arg);
    void *idle_arg;

    unsigned frozen;
    bool draining, drained, destroying;
    void (*on_drained)(tw_server *server, void *arg);
    void *drain_arg;
    tw__wheel_entry drain_timer;
    uint64_t drain_since_ms, drain_deadline_ms;

    void (*on_closed)(void *arg);
    void *closed_arg;
    uint64_t bus_seen[13];
    uint64_t worked_us; /* of the thread, at the last turn's end */
    tw__wheel_entry figures_timer;
    bool figures_due;
    char ip_text[TW__ADDRESS_TEXT];
};

static inline void tw__count(tw_server *server, tw_counter counter,
                             uint64_t n) {
    server->page->counters[counter] += n;
}

/* The end of `n` deliveries of a class, or how many were intended. */
static inline void tw__count_fate(tw_server *server, uint8_t row,
                                  enum tw__fate fate, uint64_t n) {
    static const tw_counter counters[TW__FATES] = {
        [TW__INTENDED] = TW_COUNTER_INTENDED,
        [TW__DELIVERED] = TW_COUNTER_DELIVERED,
        [TW__CONFLATED] = TW_COUNTER_CONFLATED,
        [TW__DROPPED] = TW_COUNTER_DROPPED,
        [TW__EXPIRED] = TW_COUNTER_EXPIRED,
        [TW__CLOSED] = TW_COUNTER_CLOSED_LOSS,
    };
    tw__count(server, counters[fate], n);
    tw__fate_count(server->page->fates, row, fate, n);
}

static inline uint64_t tw__now(const tw_server *server) {
    return tw__loop_now(&server->loop);
}

/* The place of a connection in the slab. */
static inline uint32_t tw__conn_index(const tw_conn *conn) {
    return (uint32_t)(conn - conn->server->conns);
}

/* defaults.c: puts the defaults where 0 stands. */
void tw__server_fill_defaults(tw_config *config);

/* turn.c */
void tw__server_add_hooks(tw_server *server);

/* listen.c */
int tw__server_open_listeners(tw_server *server, const tw_config *config,
                              const int *fds, char *detail, size_t size);
void tw__server_stop_listening(tw_server *server);
/* A connected descriptor, taken, of the listener of that number. */
void tw__server_accept(tw_server *server, int fd, const tw__address *peer,
                       size_t listener);
/* Those who are in the kernel's queues become connections at once. */
void tw__server_accept_queued(tw_server *server);
void tw__server_pause_listening(tw_server *server, bool is_paused);
void tw__server_close_listeners(tw_server *server);

/* route.c */
void tw__server_drop_routes(tw_server *server);

/* dict.c: at the region of all members, or NULL. */
void tw__server_init_dicts(tw_server *server, tw__dict_region *region);

/* metric.c */
void tw__server_init_metrics(tw_server *server, const tw__place *place);

/* http.c */
int tw__server_open_http(tw_server *server);

/* waiting.c */
void tw__server_run_waiters(tw_server *server);
int tw__server_start_bus(tw_server *server, const tw__place *place);

/* deliver.c */
void tw__server_deliver(void *arg, tw__sub *sub, int fd, tw__channel *channel,
                        tw__batch *batch, uint32_t first, uint32_t count);
void tw__server_lost(void *arg, tw__channel *channel, uint64_t lost);
void tw__server_on_publication(void *arg, tw__pub *pub);
void tw__server_on_gap(void *arg, const char *name, size_t len, uint64_t lost);
void tw__server_on_position(void *arg, const char *name, size_t len,
                            const tw__position *position);

/* drain.c */
void tw__server_check_drained(tw_server *server);

/* figures.c: gauges and turn times into the page, at each turn's end. */
void tw__server_note_turn(tw__loop *loop, void *arg);
void tw__server_begin_turns(tw_server *server);

/* limits.c */
bool tw__server_admit(tw_server *server);
void tw__server_dismiss(tw_server *server);

/* Some descriptors are kept for what is not a connection. Finds out how many
 * there may be; whether one with this number is still for connections. */
void tw__server_find_room(tw_server *server);
bool tw__server_has_room(const tw_server *server, int fd);

/* Logs it, but not more often than once a second. */
void tw__server_note_refused(tw_server *server, const char *why);

/* Counts the connection to its client's address, unless it is already. False:
 * there are as many as there may be, or there is no memory. */
bool tw__conn_count_address(tw_conn *conn);
void tw__conn_uncount_address(tw_conn *conn);

#endif
