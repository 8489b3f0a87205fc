/* One request as libcurl knows it: what it is told, and the end.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "http/client_parts.h"

/* Connected, TLS agreed on: from here on only the whole time is limited. */
static int on_connected(void *arg, char *to, char *from, int to_port,
                        int from_port) {
    tw_http_call *call = arg;
    (void)to, (void)from, (void)to_port, (void)from_port;
    tw__clockwork_clear(call->client->ground.clockwork, &call->connecting);
    return CURL_PREREQFUNC_OK;
}

static int set_method(CURL *easy, tw_http_call *call) {
    const char *method = call->method;
    int bad = 0;
    if (call->body != NULL || strcmp(method, "POST") == 0 ||
        strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0) {
        const char *body = call->body != NULL ? (char *)call->body : "";
        bad |= (int)curl_easy_setopt(easy, CURLOPT_POST, 1L);
        bad |= (int)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
        bad |= (int)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                     (curl_off_t)call->len);
    }
    if (strcmp(method, "HEAD") == 0 && call->body == NULL) {
        bad |= (int)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else {
        bad |= (int)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    }
    return bad;
}

/* Nothing comes from the environment: no proxy, no .netrc. The limits of time
 * are ours, which libcurl's own must not undercut. With QUICK_EXIT it does not
 * wait for a name that is still looked up when a request is called off; without
 * it the loop would. */
static int set_manners(CURL *easy, tw_http_call *call) {
    const tw__http_client *client = call->client;
    int bad = 0;
    bad |= (int)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 86400000L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                                 (long)CURL_HTTP_VERSION_1_1);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                                 (long)CURL_SSLVERSION_TLSv1_2);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PROXY,
                                 client->proxy != NULL ? client->proxy : "");
    bad |= (int)curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    if (client->ca_file != NULL) {
        bad |= (int)curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
        bad |= (int)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    return bad;
}

static int set_callbacks(CURL *easy, tw_http_call *call) {
    int bad = 0;
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_why);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION,
                                 tw__http_call_on_body);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION,
                                 tw__http_call_on_header);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
    return bad;
}

int tw__http_call_start(tw_http_call *call) {
    if (call->client->ground.ask != NULL) {
        return tw__http_call_ask(call);
    }
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return TW_ENOMEM;
    }
    int bad = set_manners(easy, call) | set_callbacks(easy, call) |
              set_method(easy, call);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CURLU, call->url);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE,
                                 (curl_off_t)call->max_body);
    call->curl_why[0] = '\0';
    call->easy = easy;
    if (bad != 0 || curl_multi_add_handle(call->client->multi, easy) != 0) {
        call->easy = NULL;
        curl_easy_cleanup(easy);
        return TW_ENOMEM;
    }
    return 0;
}

void tw__http_call_stop(tw_http_call *call) {
    if (call->easy != NULL) {
        curl_multi_remove_handle(call->client->multi, call->easy);
        curl_easy_cleanup(call->easy);
        call->easy = NULL;
    }
}

static int error_of(CURLcode code) {
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return TW_ETIMEOUT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return TW_EDENIED;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_TOO_MANY_REDIRECTS:
        return TW_EINVALID;
    case CURLE_FILESIZE_EXCEEDED:
        return TW_ELIMIT;
    case CURLE_OUT_OF_MEMORY:
        return TW_ENOMEM;
    default:
        return TW_EUNAVAILABLE;
    }
}

void tw__http_call_done(tw_http_call *call, CURLcode code) {
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    call->status = (int)status;
    tw__http_call_over(call, code);
}

void tw__http_call_over(tw_http_call *call, CURLcode code) {
    const char *key = call->host->key;
    if (call->error != 0) {
        char why[128];
        snprintf(why, sizeof why, "%.*s", (int)sizeof why - 1, call->why);
        int error = call->error;
        call->error = 0;
        tw__http_end(call, error, "%s: %s", key, why);
    } else if (code != CURLE_OK) {
        tw__http_end(call, error_of(code), "%s: %s", key,
                     call->curl_why[0] != '\0' ? call->curl_why
                                               : curl_easy_strerror(code));
    } else if (call->status < 200 || !call->is_head_over) {
        tw__http_end(call, TW_EINVALID, "%s: the answer is no HTTP", key);
    } else if (!tw__http_call_redirect(call)) {
        tw__http_end(call, 0, "%s", "");
    }
}
