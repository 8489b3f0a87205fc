/* http.c - requests of the host to other servers.
 *
 * Their descriptors and times are the link's: a request goes on while the
 * server is frozen, as what it asks does not know of that.
 *
 * SPDX-License-Identifier: MIT */
#include "server/server.h"

static void on_count(void *arg, tw_counter counter, uint64_t n) {
    tw__count(arg, counter, n);
}

static void on_ask(void *arg, const tw_lab_request *request) {
    tw_server *server = arg;
    server->lab->ask(server->lab, server->slot, request);
}

int tw__server_open_http(tw_server *server) {
    const tw__http_ground ground = {.loop = &server->loop,
                                    .poller = &server->link,
                                    .clockwork = &server->link_clock,
                                    .count = on_count,
                                    .arg = server,
                                    .ask = server->lab ? on_ask : NULL};
    int err =
        tw__http_client_create(&server->http, &ground, &server->config.http);
    server->config.http.ca_file = server->config.http.proxy = NULL;
    return err;
}

tw_http_call *tw_http_request(tw_server *server, const tw_http_options *options,
                              tw_http_cb cb, void *arg) {
    return tw__http_client_request(server->http, options, cb, arg);
}

void tw_http_cancel(tw_http_call *call) {
    tw__http_client_cancel(call);
}
