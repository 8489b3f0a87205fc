/* client.h - HTTP requests to other servers, on libcurl and our loop.
 *
 * Belongs to the loop's thread. libcurl tells which descriptors it waits for
 * and when it wants to be called; its own times are those of the real world,
 * while the limits of a request follow the loop's clock. Callbacks of requests
 * are called from a turn's end only, never from inside of libcurl.
 *
 * libcurl allocates with malloc, in threads too: not through base/alloc.h.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_CLIENT_H
#define TW_HTTP_CLIENT_H

#include "net/clockwork.h"
#include "net/poller.h"
#include "tidewire/http.h"
#include "tidewire/testing.h"

typedef struct tw__http_client tw__http_client;

/* What a client stands on; all of it outlives it. */
typedef struct tw__http_ground {
    tw__loop *loop;
    tw__poller *poller;
    tw__clockwork *clockwork;
    void (*count)(void *arg, tw_counter counter, uint64_t n);
    void *arg;
    /* In place of libcurl, where the network is simulated: gets each request
     * when its turn has come. NULL as a rule. */
    void (*ask)(void *arg, const tw_lab_request *request);
} tw__http_ground;

/* 0 or TW_ENOMEM. `config` has its defaults and is copied. Does nothing with
 * the loop or libcurl before the first request. */
int tw__http_client_create(tw__http_client **client,
                           const tw__http_ground *ground,
                           const tw_http_config *config);

/* Every request ends with TW_ECLOSED, within the call; new ones are answered
 * with NULL. Before the poller and the clockwork are closed. */
void tw__http_client_close(tw__http_client *client);

/* Frees a closed one once the loop is closed, or one without any request. NULL
 * is allowed. */
void tw__http_client_destroy(tw__http_client *client);

/* As tw_http_request and tw_http_cancel. */
tw_http_call *tw__http_client_request(tw__http_client *client,
                                      const tw_http_options *options,
                                      tw_http_cb cb, void *arg);
void tw__http_client_cancel(tw_http_call *call);

/* Where the ground has `ask`: what becomes of the request of that number. With
 * an error `response` is NULL. 0, or TW_ENOT_FOUND: nobody waits for it. */
int tw__http_client_reply(tw__http_client *client, uint64_t number, int error,
                          const tw_http_response *response);

/* For the gauges. */
typedef struct tw__http_figures {
    uint64_t active, waiting, open_breakers;
} tw__http_figures;
tw__http_figures tw__http_client_figures(const tw__http_client *client);

#endif
