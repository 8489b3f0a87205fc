/* limits.c - how many connections there may be. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "server/server.h"

/* Public descriptors of the whole server: every slot shows its own. */
static uint64_t count_all(const tw_server *server) {
    uint64_t total = 0;
    for (uint16_t i = 0; i < server->slots; i++) {
        total += server->pages[i]->gauges[TW_GAUGE_SOCKETS];
    }
    return total;
}

static tw__address_count *find(tw_server *server, const uint8_t ip[16]) {
    return tw__map_find(&server->by_address, (const char *)ip, 16);
}

static bool count_address(tw_server *server, const uint8_t ip[16]) {
    tw__address_count *row = find(server, ip);
    if (row == NULL) {
        row = tw__calloc(1, sizeof *row);
        if (row == NULL) {
            return false;
        }
        memcpy(row->ip, ip, 16);
        if (tw__map_add(&server->by_address, (const char *)row->ip, 16, row) !=
            0) {
            tw__free(row);
            return false;
        }
    }
    if (row->count >= server->config.max_connections_per_address) {
        return false;
    }
    row->count++;
    return true;
}

bool tw__server_admit(tw_server *server, const uint8_t ip[16], bool is_ip) {
    bool is_limited = is_ip && server->config.max_connections_per_address > 0;
    if (count_all(server) >= server->config.max_connections ||
        (is_limited && !count_address(server, ip))) {
        return false;
    }
    server->page->gauges[TW_GAUGE_SOCKETS]++;
    return true;
}

void tw__server_dismiss(tw_server *server, const uint8_t ip[16], bool is_ip) {
    server->page->gauges[TW_GAUGE_SOCKETS]--;
    if (!is_ip || server->config.max_connections_per_address == 0) {
        return;
    }
    tw__address_count *row = find(server, ip);
    if (row != NULL && --row->count == 0) {
        tw__map_remove(&server->by_address, (const char *)ip, 16);
        tw__free(row);
    }
}
