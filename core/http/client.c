/* Requests from their beginning to their end.
 *
 * A request waits with its host until there is room, runs, and ends; its
 * callback is called from the turn's hook, so never from inside of libcurl nor
 * of the call that began it. Whatever it is, that is the one place where a
 * request becomes an answer.
 *
 * SPDX-License-Identifier: MIT */
#include "http/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/client_parts.h"

enum {
    ANSWERS_A_TURN = 64, /* each may run a script */
    WINDOW_MS = 60000,
    LONGEST_PAUSE_MS = 60000
};

/* ---- what is counted ---- */

static void count(tw__http_client *client, tw_counter counter, uint64_t n) {
    client->ground.count(client->ground.arg, counter, n);
}

static void count_end(tw_http_call *call) {
    tw__http_client *client = call->client;
    switch (call->error) {
    case 0:
        break;
    case TW_ETIMEOUT:
        count(client, TW_COUNTER_HTTP_OUT_TIMEOUT, 1);
        break;
    case TW_EUNAVAILABLE:
        count(client, TW_COUNTER_HTTP_OUT_UNAVAILABLE, 1);
        break;
    case TW_EDENIED:
        count(client, TW_COUNTER_HTTP_OUT_DENIED, 1);
        break;
    case TW_EINVALID:
        count(client, TW_COUNTER_HTTP_OUT_INVALID, 1);
        break;
    case TW_ELIMIT:
        count(client, TW_COUNTER_HTTP_OUT_LIMIT, 1);
        break;
    default:
        count(client, TW_COUNTER_HTTP_OUT_OVERLOADED, 1);
    }
}

bool tw__http_hold(tw_http_call *call, size_t bytes) {
    tw__http_client *client = call->client;
    if (bytes > client->config.memory_bytes - client->held) {
        return false;
    }
    client->held += bytes;
    call->held += bytes;
    return true;
}

/* ---- the end of one ---- */

static bool is_overload(int status) {
    return status == 502 || status == 503 || status == 504;
}

/* What the end says about the host. */
static enum tw__http_verdict verdict_of(const tw_http_call *call, int error) {
    switch (error) {
    case 0:
        return is_overload(call->status) ? TW__HTTP_BAD : TW__HTTP_GOOD;
    case TW_ELIMIT:
        return TW__HTTP_GOOD;
    case TW_EDENIED: /* a redirect came from a host that answered */
        return call->is_head_over ? TW__HTTP_GOOD : TW__HTTP_BAD;
    case TW_ETIMEOUT:
    case TW_EUNAVAILABLE:
    case TW_EINVALID:
        return TW__HTTP_BAD;
    default:
        return TW__HTTP_UNKNOWN;
    }
}

/* Takes it out of wherever it is. */
static void leave(tw_http_call *call, enum tw__http_verdict verdict) {
    tw__http_client *client = call->client;
    tw__clockwork_clear(client->ground.clockwork, &call->deadline);
    tw__clockwork_clear(client->ground.clockwork, &call->connecting);
    if (call->state == TW__HTTP_RUNNING) {
        tw__http_call_stop(call);
        client->active--;
        if (call->host != NULL) {
            tw__http_host_leave(call, verdict);
        }
    } else if (call->host != NULL) {
        tw__http_host_unqueue(call);
    }
    tw__list_remove(&call->queue);
    client->has_news = true;
    tw__loop_wake_for(client->ground.loop, TW__TURN_BUS);
}

void tw__http_end(tw_http_call *call, int error, const char *why, ...) {
    va_list args;
    va_start(args, why);
    vsnprintf(call->why, sizeof call->why, why, args);
    va_end(args);
    leave(call, verdict_of(call, error));
    call->error = error;
    call->state = TW__HTTP_ENDED;
    tw__list_push(&call->client->ended, &call->queue);
}

static void destroy(tw_http_call *call) {
    call->client->held -= call->held;
    tw__list_remove(&call->node);
    curl_url_cleanup(call->url);
    curl_slist_free_all(call->headers);
    tw__bytes_deinit(&call->head);
    tw__bytes_deinit(&call->answer);
    tw__free(call->body);
    tw__free(call->method);
    tw__free(call);
}

static void answer(tw_http_call *call) {
    tw__list_remove(&call->queue);
    count_end(call);
    tw__http_call_answer(call);
    destroy(call);
}

void tw__http_client_cancel(tw_http_call *call) {
    leave(call, TW__HTTP_UNKNOWN);
    count(call->client, TW_COUNTER_HTTP_OUT_CANCELLED, 1);
    destroy(call);
}

/* ---- limits of time ---- */

static void on_deadline(tw__wheel_entry *entry) {
    tw_http_call *call = TW__CONTAINER(entry, tw_http_call, deadline);
    tw__http_end(call, TW_ETIMEOUT, "%s: no whole answer within %u ms",
                 call->host->key, (unsigned)call->timeout_ms);
}

static void on_connect_deadline(tw__wheel_entry *entry) {
    tw_http_call *call = TW__CONTAINER(entry, tw_http_call, connecting);
    tw__http_end(call, TW_ETIMEOUT, "%s: no connection within %u ms",
                 call->host->key, (unsigned)call->connect_ms);
}

/* ---- a turn ---- */

static void collect(tw__http_client *client) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
        char *private;
        CURLcode code = message->data.result;
        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
                              &private) == CURLE_OK) {
            tw__http_call_done((tw_http_call *)(void *)private, code);
        }
    }
}

void tw__http_end_broken(tw_http_call *call, const char *key) {
    count(call->client, TW_COUNTER_HTTP_OUT_BROKEN, 1);
    tw__http_end(call, TW_EUNAVAILABLE, "%s failed before and is left alone",
                 key);
}

static void start(tw_http_call *call) {
    tw__http_client *client = call->client;
    char key[TW__HTTP_HOST_MAX];
    snprintf(key, sizeof key, "%s", call->host->key);
    if (!tw__http_host_admit(call)) {
        tw__http_end_broken(call, key);
        return;
    }
    call->state = TW__HTTP_RUNNING;
    client->active++;
    tw__clockwork_set(client->ground.clockwork, &call->connecting,
                      call->connect_ms);
    if (tw__http_call_start(call) != 0) {
        tw__http_end(call, TW_ENOMEM, "%s", tw_strerror(TW_ENOMEM));
    }
}

static void start_waiting(tw__http_client *client) {
    tw_http_call *call;
    while (client->active < client->config.concurrent &&
           (call = tw__http_host_next(client)) != NULL) {
        start(call);
    }
}

static bool on_turn(tw__turn_hook *hook) {
    tw__http_client *client = TW__CONTAINER(hook, tw__http_client, turn);
    tw__http_loop_kick(client);
    if (client->has_news) {
        client->has_news = false;
        if (client->multi != NULL) {
            collect(client);
        }
        start_waiting(client);
    }
    for (int i = 0; i < ANSWERS_A_TURN && !tw__list_is_empty(&client->ended);
         i++) {
        answer(TW__CONTAINER(client->ended.next, tw_http_call, queue));
    }
    return client->is_due || client->has_news ||
           !tw__list_is_empty(&client->ended);
}

/* ---- the beginning of one ---- */

static void begin(tw_http_call *call, const tw_http_options *options) {
    tw__http_client *client = call->client;
    const char *why = NULL;
    int err = tw__http_check(call, options, &why);
    if (err != 0) {
        tw__http_end(call, err, "%s", why != NULL ? why : tw_strerror(err));
        return;
    }
    tw__http_host *host = tw__http_host_get(client, call->url);
    if (host == NULL) {
        err = errno == ENOMEM ? TW_ENOMEM : TW_EINVALID;
        tw__http_end(call, err, "%s",
                     err == TW_ENOMEM ? tw_strerror(err)
                                      : "the URL's host is too long");
        return;
    }
    uint64_t now = tw__loop_now(client->ground.loop);
    if (!tw__breaker_would_pass(&host->breaker, now)) {
        tw__http_end_broken(call, host->key);
        tw__http_host_settle(client, host);
        return;
    }
    if (client->waiting >= client->config.queue) {
        tw__http_end(call, TW_EOVERLOADED, "%u requests wait already",
                     (unsigned)client->waiting);
        tw__http_host_settle(client, host);
        return;
    }
    tw__http_host_queue(host, call);
    tw__clockwork_set(client->ground.clockwork, &call->deadline,
                      call->timeout_ms);
}

tw_http_call *tw__http_client_request(tw__http_client *client,
                                      const tw_http_options *options,
                                      tw_http_cb cb, void *arg) {
    if (client->is_closed || tw__http_loop_open(client, on_turn) != 0) {
        return NULL;
    }
    tw_http_call *call = tw__calloc(1, sizeof *call);
    if (call == NULL) {
        return NULL;
    }
    call->client = client;
    call->cb = cb;
    call->arg = arg;
    call->deadline.cb = on_deadline;
    call->connecting.cb = on_connect_deadline;
    tw__list_init(&call->queue);
    tw__list_push(&client->calls, &call->node);
    count(client, TW_COUNTER_HTTP_OUT, 1);
    begin(call, options);
    client->has_news = true;
    tw__loop_wake_for(client->ground.loop, TW__TURN_BUS);
    return call;
}

/* ---- all of them ---- */

int tw__http_client_create(tw__http_client **out, const tw__http_ground *ground,
                           const tw_http_config *config) {
    tw__http_client *client = tw__calloc(1, sizeof *client);
    if (client == NULL) {
        return TW_ENOMEM;
    }
    client->ground = *ground;
    client->config = *config;
    client->rule = (tw__breaker_rule){config->failures, WINDOW_MS,
                                      config->pause_ms, LONGEST_PAUSE_MS};
    tw__list_init(&client->calls);
    tw__list_init(&client->ended);
    tw__list_init(&client->ready);
    tw__list_init(&client->failed);
    tw__list_init(&client->swept);
    tw__list_init(&client->watched);
    tw__map_init(&client->hosts);
    const char *ca = config->ca_file, *proxy = config->proxy;
    client->ca_file = ca != NULL ? tw__strndup(ca, strlen(ca)) : NULL;
    client->proxy = proxy != NULL ? tw__strndup(proxy, strlen(proxy)) : NULL;
    client->config.ca_file = client->config.proxy = NULL;
    if ((ca != NULL && client->ca_file == NULL) ||
        (proxy != NULL && client->proxy == NULL)) {
        tw__http_client_destroy(client);
        return TW_ENOMEM;
    }
    *out = client;
    return 0;
}

void tw__http_client_close(tw__http_client *client) {
    client->is_closed = true;
    for (tw__list *at = client->calls.next; at != &client->calls;
         at = at->next) {
        tw_http_call *call = TW__CONTAINER(at, tw_http_call, node);
        if (call->state != TW__HTTP_ENDED) {
            tw__http_end(call, TW_ECLOSED, "%s", tw_strerror(TW_ECLOSED));
        }
    }
    while (!tw__list_is_empty(&client->ended)) {
        answer(TW__CONTAINER(client->ended.next, tw_http_call, queue));
    }
    tw__http_loop_close(client);
    tw__http_hosts_deinit(client);
}

void tw__http_client_destroy(tw__http_client *client) {
    if (client != NULL) {
        tw__http_loop_free(client);
        tw__free(client->ca_file);
        tw__free(client->proxy);
        tw__free(client);
    }
}

tw__http_figures tw__http_client_figures(const tw__http_client *client) {
    return (tw__http_figures){client->active, client->waiting,
                              client->open_breakers};
}
