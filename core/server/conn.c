/* conn.c - connections in their slab, from acceptance to their end.
 * SPDX-License-Identifier: MIT */
#include "server/conn.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "server/client.h"
#include "server/conn_id.h"
#include "server/http_conn.h"
#include "server/people.h"
#include "server/server.h"
#include "server/tls.h"

/* ---- intrusive queues ---- */

static tw_conn *at(tw_server *server, uint32_t index) {
    return &server->conns[index];
}

void tw__conn_enqueue(tw_conn *conn, int queue) {
    tw_server *server = conn->server;
    tw__conn_queue *ends = &server->queues[queue];
    if (conn->in_queue & (1u << queue)) {
        return;
    }
    conn->in_queue |= (uint8_t)(1u << queue);
    conn->next[queue] = 0;
    if (ends->last == 0) {
        ends->first = tw__conn_index(conn);
    } else {
        at(server, ends->last)->next[queue] = tw__conn_index(conn);
    }
    ends->last = tw__conn_index(conn);
}

tw_conn *tw__conn_dequeue(tw_server *server, int queue) {
    tw__conn_queue *ends = &server->queues[queue];
    if (ends->first == 0) {
        return NULL;
    }
    tw_conn *conn = at(server, ends->first);
    ends->first = conn->next[queue];
    if (ends->first == 0) {
        ends->last = 0;
    }
    conn->in_queue &= (uint8_t) ~(1u << queue);
    return conn;
}

void tw__conn_schedule(tw_conn *conn) {
    tw__conn_enqueue(conn, TW__QUEUE_RUN);
    tw__loop_wake(&conn->server->loop);
}

/* ---- the slab ---- */

static tw_conn *take_slot(tw_server *server) {
    uint32_t index = server->conn_free;
    if (index != 0) {
        server->conn_free = at(server, index)->next[0];
    } else if (server->conn_high + 1 < server->conn_cap) {
        index = ++server->conn_high;
    } else {
        return NULL;
    }
    tw_conn *conn = at(server, index);
    memset(conn, 0, sizeof *conn);
    conn->server = server;
    conn->serial = ++server->serial ? server->serial : ++server->serial;
    server->conn_live++;
    return conn;
}

static void give_slot(tw_conn *conn) {
    tw_server *server = conn->server;
    conn->state = TW__CONN_FREE;
    conn->serial = 0;
    conn->next[0] = server->conn_free;
    server->conn_free = tw__conn_index(conn);
    server->conn_live--;
}

static void drop_slot(tw_conn *conn, int fd) {
    close(fd);
    tw__http_conn_destroy(conn);
    give_slot(conn);
}

tw_conn *tw__conn_create(tw_server *server, int fd, const tw__address *peer,
                         size_t listener) {
    tw_conn *conn = take_slot(server);
    if (conn == NULL) {
        close(fd);
        return NULL;
    }
    conn->state = TW__CONN_HTTP;
    conn->io = (tw__io){tw__conn_on_io, fd};
    tw__ws_input_init(&conn->input);
    if (tw__http_conn_create(conn) != 0 || !tw__server_admit(server)) {
        drop_slot(conn, fd);
        return NULL;
    }
    if (!tw__conn_meet(conn, peer, listener) ||
        tw__poller_add(&server->edge, &conn->io, TW__READ) != 0) {
        tw__conn_uncount_address(conn);
        tw__server_dismiss(server);
        drop_slot(conn, fd);
        return NULL;
    }
    tw__socket_no_delay(fd);
    tw__conn_heard(conn);
    tw__conn_set_timer(conn);
    return conn;
}

tw__extra *tw__conn_extra(tw_conn *conn) {
    if (conn->extra == NULL) {
        conn->extra = tw__calloc(1, sizeof *conn->extra);
        if (conn->extra != NULL) {
            tw__list_init(&conn->extra->alarms);
            tw__list_init(&conn->extra->lapses);
            tw__list_init(&conn->extra->unsubscribed);
        }
    }
    return conn->extra;
}

/* ---- opening ---- */

void tw__conn_upgrade(tw_conn *conn, tw_route *route, bool deflates) {
    tw_server *server = conn->server;
    conn->route = route;
    route->refs++;
    conn->codec = 1 + tw__codec_find(route->config.wire, deflates)->number;
    conn->state = TW__CONN_OPEN;
    tw__conn_id_make(conn->id, server->slot, tw__conn_index(conn));
    tw__user_enter(conn);
    tw__count(server, TW_COUNTER_HANDSHAKES, 1);
    server->page->gauges[TW_GAUGE_CONNECTIONS]++;
    conn->flags |= TW__MANY;
    tw__conn_heard(conn);
    tw__conn_set_timer(conn);
    if (tw__conn_codec(conn)->opens_at_once) {
        tw__conn_opened(conn);
    }
    if (conn->flags & TW__NO_READ) {
        tw__conn_watch(conn); /* from now on a hang-up matters */
    }
}

void tw__conn_opened(tw_conn *conn) {
    conn->flags |= TW__OPENED | TW__DUE_OPEN;
    tw__conn_schedule(conn);
}

/* ---- the end ---- */

static void free_conn(tw_conn *conn) {
    tw_server *server = conn->server;
    bool was_known = (conn->flags & TW__OPENED) || conn->data != NULL;
    if (was_known && server->config.hooks.on_gone != NULL) {
        server->config.hooks.on_gone(conn, server->config.hook_user);
    }
    tw__clockwork_clear_node(&server->conn_clock, &conn->timer);
    tw__conn_drop_alarms(conn);
    tw__conn_drop_unsubscribed(conn);
    tw__conn_drop_subs(conn);
    if (conn->flags & TW__TLS) {
        tw__conn_drop_tls(conn);
    }
    tw__http_conn_destroy(conn);
    tw__ws_input_deinit(&conn->input, &server->ws_pool);
    if (conn->extra != NULL) {
        tw__bytes_deinit(&conn->extra->stash);
        tw__free(conn->extra);
    }
    tw__free(conn->identity);
    if (conn->route != NULL) {
        tw__route_unref(conn->route);
    }
    tw__conn_uncount_address(conn);
    tw__server_dismiss(server);
    give_slot(conn);
}

void tw__conn_settle(tw_conn *conn) {
    uint32_t unfinished =
        TW__BUSY | TW__DUE_CLOSE | TW__DUE_OPEN | TW__DUE_UNSUBSCRIBE;
    if (conn->state == TW__CONN_GONE && !(conn->flags & unfinished)) {
        tw__conn_enqueue(conn, TW__QUEUE_DEAD);
        tw__loop_wake(&conn->server->loop);
    }
}

/* A dead connection may still stand in another queue; those skip it, so it
 * waits until they have. */
void tw__conn_free_dead(tw_server *server) {
    tw__conn_queue waiting = {0, 0};
    tw_conn *conn;
    while ((conn = tw__conn_dequeue(server, TW__QUEUE_DEAD)) != NULL) {
        if (conn->in_queue == 0) {
            free_conn(conn);
            continue;
        }
        conn->next[TW__QUEUE_DEAD] = waiting.first;
        waiting.first = tw__conn_index(conn);
        waiting.last = waiting.last ? waiting.last : tw__conn_index(conn);
    }
    for (uint32_t i = waiting.first; i != 0;) {
        uint32_t next = at(server, i)->next[TW__QUEUE_DEAD];
        tw__conn_enqueue(at(server, i), TW__QUEUE_DEAD);
        i = next;
    }
    if (waiting.first != 0 && server->frozen == 0) {
        tw__loop_wake(&server->loop);
    }
}
