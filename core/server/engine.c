/* engine.c - starts the broker's engine and hears what it tells.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "server/server.h"

/* A wire that has no word for a gap is not told; it is counted by the engine.
 */
static void on_gap(void *arg, const char *channel, size_t len, uint64_t lost) {
    tw_server *server = arg;
    char name[TW__CHANNEL_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)len, channel);
    tw__log_printf(&server->log, TW_LOG_DEBUG, "gap of %llu in channel %s",
                   (unsigned long long)lost, name);
}

static void on_lost(void *arg, const tw__pub *pub, int error) {
    tw_server *server = arg;
    tw__log_write(&server->log, TW_LOG_WARN, "a publication was lost",
                  "channel", tw__pub_channel(pub), "error", tw_err_name(error),
                  NULL);
}

int tw__server_start_bus(tw_server *server, const tw__place *place) {
    tw__bus_config config = {
        .loop = &server->loop,
        .poller = &server->link,
        .clockwork = &server->link_clock,
        .log = &server->log,
        .pubs = &server->pubs,
        .dir = place != NULL ? place->dir : NULL,
        .listen_fd = place != NULL ? place->bus_fd : -1,
        .slot = server->slot,
        .slots = server->slots,
        .incarnation = server->incarnation,
        .publish_budget_bytes = server->config.publish_budget_bytes,
        .delivery_budget_bytes = server->config.delivery_budget_bytes,
        .events = {tw__server_on_publication, on_gap, on_lost, server},
    };
    int err = tw__bus_create(&server->bus, &config);
    if (err == 0) {
        server->broker = tw__bus_broker(server->bus);
    }
    return err;
}
