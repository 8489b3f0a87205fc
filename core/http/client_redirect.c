/* Redirects are ours and not libcurl's: where one may lead, what it may carry
 * and whether that host is asked at all is decided like for any request.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "http/chars.h"
#include "http/client_parts.h"

/* The name of a line as tw__http_check made it. */
static bool is_line(const char *line, const char *name) {
    return tw__http_same(line, strcspn(line, ":;"), name, strlen(name));
}

/* What one host was told in confidence is not for another; and without its
 * body a request has no type. */
static int drop_headers(tw_http_call *call, bool is_elsewhere, bool is_bare) {
    struct curl_slist *kept = NULL;
    for (const struct curl_slist *at = call->headers; at; at = at->next) {
        const char *line = at->data;
        bool is_secret = is_line(line, "authorization") ||
                         is_line(line, "cookie") || is_line(line, "host");
        if ((is_elsewhere && is_secret) ||
            (is_bare && is_line(line, "content-type"))) {
            continue;
        }
        struct curl_slist *longer = curl_slist_append(kept, line);
        if (longer == NULL) {
            curl_slist_free_all(kept);
            return TW_ENOMEM;
        }
        kept = longer;
    }
    curl_slist_free_all(call->headers);
    call->headers = kept;
    return 0;
}

/* Whether the body stays behind; then the method becomes GET. RFC 9110 15.4. */
static bool becomes_get(const tw_http_call *call) {
    bool is_head = strcmp(call->method, "HEAD") == 0;
    bool is_post = strcmp(call->method, "POST") == 0;
    return call->status == 303 ? !is_head : call->status <= 302 && is_post;
}

static void forget_answer(tw_http_call *call) {
    tw__bytes_deinit(&call->head);
    tw__bytes_deinit(&call->answer);
    call->head_bytes = call->lines = 0;
    call->is_head_over = false;
    call->status = 0;
}

void tw__http_call_move(tw_http_call *call, CURLU *url, bool is_https) {
    tw__http_client *client = call->client;
    bool is_elsewhere = !tw__http_host_is(call->host, url);
    bool is_bare = becomes_get(call);
    tw__http_host_leave(call, TW__HTTP_GOOD);
    curl_url_cleanup(call->url);
    call->url = url;
    call->is_https = is_https;
    if (is_bare) {
        char *get = tw__strndup("GET", 3);
        tw__free(call->body);
        call->body = NULL;
        call->len = 0;
        tw__free(call->method);
        call->method = get;
    }
    forget_answer(call);
    if (call->method == NULL ||
        drop_headers(call, is_elsewhere, is_bare) != 0) {
        tw__http_end(call, TW_ENOMEM, "%s", tw_strerror(TW_ENOMEM));
        return;
    }
    tw__http_host *host = tw__http_host_get(client, url);
    if (host == NULL) {
        tw__http_end(call, TW_EDENIED, "the redirect leads to no host");
        return;
    }
    if (!tw__http_host_enter(host, call)) {
        tw__http_end_broken(call, host->key);
        tw__http_host_settle(client, host);
        return;
    }
    tw__clockwork_set(client->ground.clockwork, &call->connecting,
                      call->connect_ms);
    if (tw__http_call_start(call) != 0) {
        tw__http_end(call, TW_ENOMEM, "%s", tw_strerror(TW_ENOMEM));
    }
}

static bool is_redirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 ||
           status == 308;
}

/* `own` is to be freed: libcurl's text is its own. */
static const char *target_of(tw_http_call *call, char **own) {
    char *to = NULL;
    *own = NULL;
    if (call->easy == NULL) {
        return *own = tw__http_call_location(call);
    }
    return curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &to) == 0
               ? to
               : NULL;
}

bool tw__http_call_redirect(tw_http_call *call) {
    const char *to;
    char *own;
    if (!is_redirect(call->status) || call->redirects_most == 0 ||
        (to = target_of(call, &own)) == NULL) {
        return false;
    }
    bool is_https;
    const char *why;
    if (call->redirects++ == call->redirects_most) {
        tw__http_end(call, TW_ELIMIT, "%s: more than %u redirects",
                     call->host->key, (unsigned)call->redirects_most);
        curl_free(own);
        return true;
    }
    CURLU *url = tw__http_url_parse(to, strlen(to), &is_https, &why);
    curl_free(own);
    if (url == NULL) {
        tw__http_end(call, why != NULL ? TW_EDENIED : TW_ENOMEM,
                     "%s: a redirect that is not followed: %s", call->host->key,
                     why != NULL ? why : tw_strerror(TW_ENOMEM));
        return true;
    }
    if (call->is_https && !is_https) {
        curl_url_cleanup(url);
        tw__http_end(call, TW_EDENIED,
                     "%s: a redirect from https to http is not followed",
                     call->host->key);
        return true;
    }
    tw__http_call_stop(call);
    tw__http_call_move(call, url, is_https);
    return true;
}
