/* access.c - small public functions on servers and connections.
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "server/server.h"
#include "ws/utf8.h"

/* ---- server ---- */

uint64_t tw_server_now(const tw_server *server) {
    return tw__now(server);
}

static int64_t machine_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint64_t tw_server_clock_us(const tw_server *server) {
    return server->lab != NULL ? tw__now(server) * 1000
                               : (uint64_t)machine_us(CLOCK_MONOTONIC);
}

int64_t tw_server_wall_us(const tw_server *server) {
    return server->lab != NULL ? tw__loop_wall(&server->loop) * 1000
                               : machine_us(CLOCK_REALTIME);
}

struct uv_loop_s *tw_server_loop(tw_server *server) {
    return server->loop.uv;
}

uint32_t tw_server_slot(const tw_server *server) {
    return server->slot;
}

uint32_t tw_server_slots(const tw_server *server) {
    return server->slots;
}

tw__loop *tw__server_loop(tw_server *server) {
    return &server->loop;
}

tw__poller *tw__server_link_poller(tw_server *server) {
    return &server->link;
}

tw__clockwork *tw__server_link_clockwork(tw_server *server) {
    return &server->link_clock;
}

const tw__log *tw__server_log(const tw_server *server) {
    return &server->log;
}

int tw_server_set_classes(tw_server *server, const tw_class_config *classes,
                          size_t count, size_t *bad) {
    tw__classes *made;
    size_t ignored;
    int err = tw__classes_create(&made, classes, count, server->page->fates,
                                 bad ? bad : &ignored);
    if (err == 0) {
        tw__hub_set_classes(&server->hub, made);
        server->broker->ops->reclass(server->broker);
        tw__renew_for_classes(server);
    }
    return err;
}

/* ---- connections: who ---- */

tw_server *tw_conn_server(const tw_conn *conn) {
    return conn->server;
}

tw_route *tw_conn_route(const tw_conn *conn) {
    return conn->route;
}

static tw_str none(void) {
    return (tw_str){NULL, 0};
}

tw_str tw_conn_user(const tw_conn *conn) {
    return conn->identity != NULL ? conn->identity->user : none();
}

tw_str tw_conn_info(const tw_conn *conn) {
    return conn->identity != NULL ? conn->identity->info : none();
}

tw_str tw_conn_subprotocol(const tw_conn *conn) {
    return conn->identity != NULL ? conn->identity->subprotocol : none();
}

static bool is_mapped(const uint8_t ip[16]) {
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};
    return memcmp(ip, prefix, sizeof prefix) == 0;
}

/* Made when asked for, in one place for all: good until the next call. */
tw_str tw_conn_ip(const tw_conn *conn) {
    char *text = conn->server->ip_text;
    if (conn->family == AF_INET) {
        inet_ntop(AF_INET, conn->ip, text, TW__ADDRESS_TEXT);
    } else if (conn->family == AF_INET6 && is_mapped(conn->ip)) {
        inet_ntop(AF_INET, conn->ip + 12, text, TW__ADDRESS_TEXT);
    } else if (conn->family == AF_INET6) {
        inet_ntop(AF_INET6, conn->ip, text, TW__ADDRESS_TEXT);
    } else {
        strcpy(text, "unix");
    }
    return (tw_str){text, strlen(text)};
}

uint8_t tw_conn_colour(const tw_conn *conn) {
    return conn->colour;
}

bool tw_conn_is_open(const tw_conn *conn) {
    return conn->state == TW__CONN_OPEN;
}

size_t tw_conn_queued(const tw_conn *conn) {
    return conn->out != NULL ? conn->out->reply_bytes + conn->out->frame_bytes
                             : 0;
}

uint64_t tw_conn_handle(const tw_conn *conn) {
    return (uint64_t)conn->serial << 32 | tw__conn_index(conn);
}

tw_conn *tw_server_find(tw_server *server, uint64_t handle) {
    uint32_t index = (uint32_t)handle;
    if (index == 0 || index > server->conn_high) {
        return NULL;
    }
    tw_conn *conn = &server->conns[index];
    bool is_it = conn->state != TW__CONN_FREE &&
                 conn->serial == (uint32_t)(handle >> 32);
    return is_it ? conn : NULL;
}

tw_conn *tw_server_next(tw_server *server, uint32_t *cursor) {
    while (*cursor < server->conn_high) {
        tw_conn *conn = &server->conns[++*cursor];
        if (conn->state != TW__CONN_FREE && conn->codec != 0) {
            return conn;
        }
    }
    return NULL;
}

void tw_conn_set_data(tw_conn *conn, void *data) {
    conn->data = data;
}

void *tw_conn_data(const tw_conn *conn) {
    return conn->data;
}

/* ---- connections: what ---- */

static bool has_room(const tw_conn *conn, size_t len) {
    const tw__outq *queue = conn->out;
    return queue == NULL || queue->reply_bytes == 0 ||
           queue->reply_bytes + len <= conn->server->config.reply_budget_bytes;
}

static inline int queue_message(tw_conn *conn, const void *data, size_t len,
                                bool binary) {
    tw_server *server = conn->server;
    if (!has_room(conn, len) && !(conn->flags & TW__WANT_WRITE)) {
        tw__conn_flush(conn);
    }
    if (!has_room(conn, len)) {
        tw__count(server, TW_COUNTER_REPLIES_REFUSED, 1);
        return TW_EOVERLOADED;
    }
    tw__outq *queue = tw__conn_out(conn);
    if (queue == NULL) {
        return conn->state == TW__CONN_OPEN ? TW_ENOMEM : TW_ECLOSED;
    }
    tw__count(server, TW_COUNTER_REPLIES, 1);
    return tw__conn_codec(conn)->send(conn, queue, data, len, binary);
}

int tw_conn_send(tw_conn *conn, const void *data, size_t len, bool binary) {
    if (conn->state != TW__CONN_OPEN) {
        return TW_ECLOSED;
    }
    if (!binary && !tw__utf8_valid(data, len)) {
        return TW_EINVALID;
    }
    return queue_message(conn, data, len, binary);
}

int tw_conn_forward(tw_conn *conn, const tw_msg *msg) {
    if (conn->state != TW__CONN_OPEN) {
        return TW_ECLOSED;
    }
    return queue_message(conn, msg->data, msg->len, msg->binary);
}

int tw_conn_close(tw_conn *conn, int code, tw_str reason) {
    if (conn->state == TW__CONN_ENDED) {
        tw__conn_cut(conn); /* what its peer left is not wanted any more */
    }
    if (conn->state != TW__CONN_OPEN) {
        return TW_ECLOSED;
    }
    if (!tw__ws_close_is_sendable(code) ||
        !tw__utf8_valid((const uint8_t *)reason.data, reason.len)) {
        return TW_EINVALID;
    }
    tw__conn_close(conn, code, reason.data != NULL ? reason.data : "",
                   reason.len);
    return 0;
}
