/* client_parts.h - what the files of the client share.
 *
 *   client.c        requests: begun, waiting for their turn, ended
 *   client_host.c   hosts, each with its breaker and those who wait for it
 *   client_call.c   one request as libcurl knows it
 *   client_answer.c, client_redirect.c  what comes of it
 *   client_check.c  what may be asked for at all
 *   client_loop.c   libcurl's descriptors and timer on our loop
 *   client_asked.c  what stands in for libcurl where there is no network
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_CLIENT_PARTS_H
#define TW_HTTP_CLIENT_PARTS_H

#include <curl/curl.h>

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "http/breaker.h"
#include "http/client.h"

enum {
    TW__HTTP_HOST_MAX = 300,          /* bytes of "https://name:port" */
    TW__HTTP_FAILED_MAX = 1024,       /* hosts whose failures are remembered */
    TW__HTTP_ANSWER_HEAD_MAX = 65536, /* bytes, of all lines */
    TW__HTTP_ANSWER_LINES_MAX = 256,
    TW__HTTP_WHY_MAX = 512
};

typedef struct tw__http_host {
    tw__list ready;   /* client->ready: it has waiting ones, and room */
    tw__list failed;  /* client->failed: idle, remembered for its failures */
    tw__list waiting; /* calls */
    uint32_t active;
    tw__breaker breaker;
    size_t len;
    char key[];
} tw__http_host;

enum tw__http_state { TW__HTTP_WAITING, TW__HTTP_RUNNING, TW__HTTP_ENDED };

struct tw_http_call {
    tw__http_client *client;
    tw__list node;  /* client->calls */
    tw__list queue; /* host->waiting, or client->ended */
    enum tw__http_state state;
    tw__http_host *host; /* while it waits or runs */
    bool is_probe;
    tw_http_cb cb;
    void *arg;
    tw__wheel_entry deadline, connecting;

    /* what is asked for */
    uint32_t timeout_ms, connect_ms, redirects, redirects_most;
    size_t max_body;
    char *method;
    uint8_t *body; /* NULL: none */
    size_t len;
    CURLU *url;
    bool is_https;
    struct curl_slist *headers;
    size_t held; /* bytes of client->held */

    /* the answer */
    CURL *easy;      /* while it runs */
    uint64_t number; /* as it was asked for, where there is no network */
    char curl_why[CURL_ERROR_SIZE];
    int status;
    tw__bytes head;    /* "name\0value\0", names in lower case */
    size_t head_bytes; /* of all lines, interim answers' too */
    size_t lines;
    bool is_head_over;
    tw__bytes answer;
    int error;
    char why[TW__HTTP_WHY_MAX];
};

struct tw__http_client {
    tw__http_ground ground;
    tw_http_config config;
    char *ca_file, *proxy;
    tw__breaker_rule rule;
    CURLM *multi; /* NULL before the first request */
    bool is_open; /* its hooks are there */
    bool is_closed;
    uint64_t asked; /* requests, where there is no network */
    bool is_due;    /* libcurl wants to be called in this turn */
    bool has_news;  /* something ended, or there is room */
    tw__list calls, ended, ready, failed;
    tw__map hosts;
    size_t failed_count;
    uint32_t active, waiting, open_breakers;
    size_t held; /* bytes of requests and answers */
    uv_timer_t timer;
    bool has_timer;
    tw__turn_hook turn, sweep;
    tw__list swept; /* descriptors not watched any more */
    tw__list watched;
};

/* ---- client.c ---- */

/* Ends a call: its callback comes at the turn's end. `why` is a format. */
void tw__http_end(tw_http_call *call, int error, const char *why, ...)
    __attribute__((format(printf, 3, 4)));
/* The same because the breaker of that host refuses it. */
void tw__http_end_broken(tw_http_call *call, const char *key);
/* Takes bytes of the budget; false when there are not as many. */
bool tw__http_hold(tw_http_call *call, size_t bytes);

/* ---- client_host.c ---- */

/* The host of the call's URL, made if need be; NULL without memory, or, with
 * errno EINVAL, when the URL has no such. */
tw__http_host *tw__http_host_get(tw__http_client *client, CURLU *url);
/* Whether two URLs lead to the same. */
bool tw__http_host_is(const tw__http_host *host, CURLU *url);
/* The call waits for its turn; one that cannot wait any more. */
void tw__http_host_queue(tw__http_host *host, tw_http_call *call);
void tw__http_host_unqueue(tw_http_call *call);
/* The next whose turn it is; NULL when there is none. */
tw_http_call *tw__http_host_next(tw__http_client *client);
/* A waiting call's turn has come. False when the breaker refuses it: then it
 * belongs to no host. */
bool tw__http_host_admit(tw_http_call *call);
/* The same for one under way that is redirected to here. */
bool tw__http_host_enter(tw__http_host *host, tw_http_call *call);
/* It is not under way any more, which says something about the host, or not. */
enum tw__http_verdict { TW__HTTP_GOOD, TW__HTTP_BAD, TW__HTTP_UNKNOWN };
void tw__http_host_leave(tw_http_call *call, enum tw__http_verdict verdict);
/* Frees it, unless somebody needs it or its failures are remembered. */
void tw__http_host_settle(tw__http_client *client, tw__http_host *host);
void tw__http_hosts_deinit(tw__http_client *client);

/* ---- client_check.c ---- */

/* Copies what is asked for into the call. 0, TW_EINVALID or TW_EOVERLOADED with
 * *why, a static sentence; TW_ENOMEM. */
int tw__http_check(tw_http_call *call, const tw_http_options *options,
                   const char **why);
/* Parses a URL; NULL with *why, or without memory. */
CURLU *tw__http_url_parse(const char *text, size_t len, bool *is_https,
                          const char **why);

/* ---- client_call.c ---- */

/* Gives it to libcurl; 0 or TW_ENOMEM. */
int tw__http_call_start(tw_http_call *call);
/* Takes it back; harmless when it has not started. */
void tw__http_call_stop(tw_http_call *call);
/* libcurl is done with it: ends it, or goes on with a redirect. */
void tw__http_call_done(tw_http_call *call, CURLcode code);

/* ---- client_answer.c ---- */

/* libcurl's callbacks. */
size_t tw__http_call_on_header(char *data, size_t size, size_t count,
                               void *arg);
size_t tw__http_call_on_body(char *data, size_t size, size_t count, void *arg);
/* The same once its status is known. */
void tw__http_call_over(tw_http_call *call, CURLcode code);
/* Calls the callback with the answer. */
void tw__http_call_answer(tw_http_call *call);

/* ---- client_redirect.c ---- */

/* Follows one; false when there is none to be followed. */
bool tw__http_call_redirect(tw_http_call *call);
/* A request under way goes on at another URL, which is taken. */
void tw__http_call_move(tw_http_call *call, CURLU *url, bool is_https);

/* ---- client_asked.c ---- */

/* Asks the ground in place of libcurl; 0 or TW_ENOMEM. */
int tw__http_call_ask(tw_http_call *call);
/* Where a redirect leads to; curl_free it, NULL: nowhere. */
char *tw__http_call_location(const tw_http_call *call);

/* ---- client_loop.c ---- */

/* 0, TW_ENOMEM or TW_EIO; harmless when open. */
int tw__http_loop_open(tw__http_client *client,
                       bool (*on_turn)(tw__turn_hook *hook));
void tw__http_loop_close(tw__http_client *client);
/* Calls libcurl when its time has come. */
void tw__http_loop_kick(tw__http_client *client);
void tw__http_loop_free(tw__http_client *client);

#endif
