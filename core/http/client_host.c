/* Hosts: who waits for one, and whether it is asked at all.
 *
 * Hosts that have both waiting requests and room for another stand in a ring,
 * so that one with a thousand waiting requests delays another's by one only.
 * One without any request is forgotten at once when its last answer was good;
 * of those that failed a bounded number is remembered.
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/chars.h"
#include "http/client_parts.h"

/* ---- names ---- */

/* "https://name:port"; 0 when it does not fit or is none. */
static size_t write_key(CURLU *url, char key[TW__HTTP_HOST_MAX]) {
    char *scheme = NULL, *host = NULL, *port = NULL;
    int len = 0;
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
            CURLUE_OK) {
        len =
            snprintf(key, TW__HTTP_HOST_MAX, "%s://%s:%s", scheme, host, port);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    if (len <= 0 || len >= TW__HTTP_HOST_MAX) {
        return 0;
    }
    for (int i = 0; i < len; i++) {
        key[i] = tw__http_lower(key[i]);
    }
    return (size_t)len;
}

tw__http_host *tw__http_host_get(tw__http_client *client, CURLU *url) {
    char key[TW__HTTP_HOST_MAX];
    size_t len = write_key(url, key);
    errno = EINVAL;
    if (len == 0) {
        return NULL;
    }
    tw__http_host *host = tw__map_find(&client->hosts, key, len);
    if (host != NULL) {
        return host;
    }
    errno = ENOMEM;
    host = tw__calloc(1, sizeof *host + len + 1);
    if (host == NULL) {
        return NULL;
    }
    memcpy(host->key, key, len);
    host->len = len;
    tw__list_init(&host->ready);
    tw__list_init(&host->failed);
    tw__list_init(&host->waiting);
    if (tw__map_add(&client->hosts, host->key, len, host) != 0) {
        tw__free(host);
        return NULL;
    }
    return host;
}

bool tw__http_host_is(const tw__http_host *host, CURLU *url) {
    char key[TW__HTTP_HOST_MAX];
    size_t len = write_key(url, key);
    return len == host->len && memcmp(key, host->key, len) == 0;
}

/* ---- coming and going ---- */

static void forget(tw__http_client *client, tw__http_host *host) {
    if (tw__breaker_is_open(&host->breaker)) {
        client->open_breakers--;
    }
    if (!tw__list_is_empty(&host->failed)) {
        tw__list_remove(&host->failed);
        client->failed_count--;
    }
    tw__map_remove(&client->hosts, host->key, host->len);
    tw__free(host);
}

void tw__http_host_settle(tw__http_client *client, tw__http_host *host) {
    if (host->active > 0 || !tw__list_is_empty(&host->waiting) ||
        !tw__list_is_empty(&host->failed)) {
        return;
    }
    if (tw__breaker_is_clean(&host->breaker)) {
        forget(client, host);
        return;
    }
    tw__list_push(&client->failed, &host->failed);
    if (++client->failed_count > TW__HTTP_FAILED_MAX) {
        forget(client,
               TW__CONTAINER(client->failed.next, tw__http_host, failed));
    }
}

static void unsettle(tw__http_client *client, tw__http_host *host) {
    if (!tw__list_is_empty(&host->failed)) {
        tw__list_remove(&host->failed);
        client->failed_count--;
    }
}

void tw__http_hosts_deinit(tw__http_client *client) {
    size_t pos = 0;
    tw__http_host *host;
    while ((host = tw__map_next(&client->hosts, &pos)) != NULL) {
        forget(client, host);
    }
    tw__map_deinit(&client->hosts);
}

/* ---- turns ---- */

static void get_ready(tw__http_client *client, tw__http_host *host) {
    bool has_turn = !tw__list_is_empty(&host->waiting) &&
                    host->active < client->config.per_host;
    tw__list_remove(&host->ready);
    if (has_turn) {
        tw__list_push(&client->ready, &host->ready);
    }
}

void tw__http_host_queue(tw__http_host *host, tw_http_call *call) {
    tw__http_client *client = call->client;
    unsettle(client, host);
    call->host = host;
    tw__list_push(&host->waiting, &call->queue);
    client->waiting++;
    if (tw__list_is_empty(&host->ready)) {
        get_ready(client, host);
    }
}

void tw__http_host_unqueue(tw_http_call *call) {
    tw__http_host *host = call->host;
    tw__list_remove(&call->queue);
    call->client->waiting--;
    call->host = NULL;
    if (tw__list_is_empty(&host->waiting)) {
        tw__list_remove(&host->ready);
    }
    tw__http_host_settle(call->client, host);
}

tw_http_call *tw__http_host_next(tw__http_client *client) {
    if (tw__list_is_empty(&client->ready)) {
        return NULL;
    }
    tw__http_host *host =
        TW__CONTAINER(client->ready.next, tw__http_host, ready);
    return TW__CONTAINER(host->waiting.next, tw_http_call, queue);
}

bool tw__http_host_enter(tw__http_host *host, tw_http_call *call) {
    tw__http_client *client = call->client;
    bool is_probe;
    if (!tw__breaker_pass(&host->breaker, tw__loop_now(client->ground.loop),
                          &is_probe)) {
        return false;
    }
    unsettle(client, host);
    call->host = host;
    call->is_probe = is_probe;
    host->active++;
    return true;
}

bool tw__http_host_admit(tw_http_call *call) {
    tw__http_client *client = call->client;
    tw__http_host *host = call->host;
    tw__list_remove(&call->queue);
    client->waiting--;
    bool is_in = tw__http_host_enter(host, call);
    if (!is_in) {
        call->host = NULL;
    }
    get_ready(client, host);
    tw__http_host_settle(client, host);
    return is_in;
}

void tw__http_host_leave(tw_http_call *call, enum tw__http_verdict verdict) {
    tw__http_client *client = call->client;
    tw__http_host *host = call->host;
    bool was_open = tw__breaker_is_open(&host->breaker);
    call->host = NULL;
    host->active--;
    if (verdict == TW__HTTP_GOOD) {
        tw__breaker_succeed(&host->breaker);
    } else if (verdict == TW__HTTP_BAD) {
        tw__breaker_fail(&host->breaker, &client->rule,
                         tw__loop_now(client->ground.loop), call->is_probe);
    } else if (call->is_probe) {
        tw__breaker_drop_probe(&host->breaker);
    }
    bool is_open = tw__breaker_is_open(&host->breaker);
    client->open_breakers += (uint32_t)is_open - (uint32_t)was_open;
    get_ready(client, host);
    tw__http_host_settle(client, host);
}
