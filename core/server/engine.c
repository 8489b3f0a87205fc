/* engine.c - starts the broker's engine and hears what it tells.
 * SPDX-License-Identifier: MIT */
#include "server/people.h"
#include "server/server.h"

/* Where a week passes in a moment, each deadline costs as much as any other. */
enum { LAB_SWEEP_MS = 60000 };

static void on_lost(void *arg, const tw__pub *pub, int error) {
    tw_server *server = arg;
    tw__log_write(&server->log, TW_LOG_WARN, "a publication was lost",
                  "channel", tw__pub_channel(pub), "error", tw_err_name(error),
                  NULL);
}

static void class_of(void *arg, const char *channel, size_t len,
                     tw__channel_class *class) {
    const tw_server *server = arg;
    tw__class found = tw__classes_find(server->hub.classes, channel, len);
    *class = (tw__channel_class){
        .history = {found.history, found.retain, found.ttl_ms},
        .has_presence = found.presence >= TW_PRESENCE_LIST,
        .tells = found.presence == TW_PRESENCE_EVENTS,
    };
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
        .history_budget_bytes = server->config.history_budget_bytes,
        .presence_grace_ms = server->config.presence_grace_ms,
        .presence_told_max = server->config.presence_told_max,
        .sweep_ms = server->lab != NULL ? LAB_SWEEP_MS : 0,
        .events = {.on_publication = tw__server_on_publication,
                   .on_gap = tw__server_on_gap,
                   .on_lost = on_lost,
                   .on_position = tw__server_on_position,
                   .class_of = class_of,
                   .arg = server},
        .locator_events = {.on_act = tw__server_on_act,
                           .describe = tw__server_describe,
                           .on_presence = tw__server_on_presence,
                           .on_fresh = tw__server_on_fresh,
                           .arg = server},
    };
    int err = tw__bus_create(&server->bus, &config);
    if (err == 0) {
        server->broker = tw__bus_broker(server->bus);
        server->locator = tw__bus_locator(server->bus);
    }
    return err;
}
