/* limits.c - how many connections there may be: in all, of one address, and as
 * the descriptors of the process allow. SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "server/server.h"

/* ---- in all ---- */

/* Public descriptors of the whole server: every slot shows its own. */
static uint64_t count_all(const tw_server *server) {
    uint64_t total = 0;
    for (uint16_t i = 0; i < server->slots; i++) {
        total += server->pages[i]->gauges[TW_GAUGE_SOCKETS];
    }
    return total;
}

bool tw__server_admit(tw_server *server) {
    if (count_all(server) >= server->config.max_connections) {
        tw__count(server, TW_COUNTER_ACCEPT_REFUSED_LIMIT, 1);
        return false;
    }
    server->page->gauges[TW_GAUGE_SOCKETS]++;
    return true;
}

void tw__server_dismiss(tw_server *server) {
    server->page->gauges[TW_GAUGE_SOCKETS]--;
}

/* ---- descriptors ---- */

/* The newest descriptor is the lowest that was free, so its number tells how
 * many there are, whoever opened them. */
void tw__server_find_room(tw_server *server) {
    struct rlimit limit;
    server->fd_end = INT_MAX;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= INT_MAX) {
        return;
    }
    int all = (int)limit.rlim_cur;
    int own = TW__OWN_FDS + 2 * server->slots;
    server->fd_end = all - (own < all / 8 ? own : all / 8);
}

bool tw__server_has_room(const tw_server *server, int fd) {
    return fd < server->fd_end;
}

/* ---- the log of refusals ---- */

/* One line a second: a flood of newcomers shall not become one of lines. */
void tw__server_note_refused(tw_server *server, const char *why) {
    uint64_t now = tw__now(server);
    char count[24];
    server->refused++;
    if (now < server->refused_log_ms) {
        return;
    }
    snprintf(count, sizeof count, "%llu", (unsigned long long)server->refused);
    tw__log_write(&server->log, TW_LOG_WARN, "connections were refused",
                  "error", why, "count", count, NULL);
    server->refused = 0;
    server->refused_log_ms = now + 1000;
}

/* ---- of one address ---- */

/* Whoever has one IPv6 address has all of its network of 64 bits. The mapped
 * form keeps IPv4 apart from those. */
static void address_key(const tw_conn *conn, uint8_t key[16]) {
    static const uint8_t mapped[12] = {[10] = 255, [11] = 255};
    memset(key, 0, 16);
    if (conn->family == AF_INET6) {
        memcpy(key, conn->ip, 8);
    } else {
        memcpy(key, mapped, sizeof mapped);
        memcpy(key + sizeof mapped, conn->ip, 4);
    }
}

static tw__address_count *find_row(tw_server *server, const uint8_t key[16]) {
    return tw__map_find(&server->by_address, (const char *)key, 16);
}

static tw__address_count *make_row(tw_server *server, const uint8_t key[16]) {
    tw__address_count *row = tw__calloc(1, sizeof *row);
    if (row == NULL) {
        return NULL;
    }
    memcpy(row->key, key, 16);
    if (tw__map_add(&server->by_address, (const char *)row->key, 16, row) !=
        0) {
        tw__free(row);
        return NULL;
    }
    return row;
}

bool tw__conn_count_address(tw_conn *conn) {
    tw_server *server = conn->server;
    size_t most = server->config.max_connections_per_address;
    uint8_t key[16];
    if (most == 0 || (conn->flags & TW__ADDRESS_COUNTED) ||
        conn->family == AF_UNIX) {
        return true;
    }
    address_key(conn, key);
    tw__address_count *row = find_row(server, key);
    if (row == NULL) {
        row = make_row(server, key);
    }
    if (row == NULL || row->count >= most) {
        tw__count(server, TW_COUNTER_ADDRESS_REFUSED, 1);
        return false;
    }
    row->count++;
    conn->flags |= TW__ADDRESS_COUNTED;
    return true;
}

void tw__conn_uncount_address(tw_conn *conn) {
    tw_server *server = conn->server;
    uint8_t key[16];
    if (!(conn->flags & TW__ADDRESS_COUNTED)) {
        return;
    }
    conn->flags &= ~(uint32_t)TW__ADDRESS_COUNTED;
    address_key(conn, key);
    tw__address_count *row = find_row(server, key);
    if (--row->count == 0) {
        tw__map_remove(&server->by_address, (const char *)key, 16);
        tw__free(row);
    }
}
