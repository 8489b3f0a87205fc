/* Where there is no network: requests are told to whoever simulates it, whose
 * answers take the way of real ones from there on.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "http/client_parts.h"

/* ---- asking ---- */

/* What libcurl would be told: "Name: value"; "Name;" is an empty one, "Name:"
 * none. */
static size_t list_headers(const tw_http_call *call, tw_header *list) {
    size_t count = 0;
    for (struct curl_slist *at = call->headers; at != NULL; at = at->next) {
        size_t len = strlen(at->data), name_len = strcspn(at->data, ":;");
        if (name_len == len ||
            (at->data[name_len] == ':' && name_len + 1 == len)) {
            continue;
        }
        const char *value = at->data + name_len + 1;
        value += strspn(value, " ");
        list[count++] =
            (tw_header){{at->data, name_len}, {value, strlen(value)}};
    }
    return count;
}

int tw__http_call_ask(tw_http_call *call) {
    tw__http_client *client = call->client;
    tw_header headers[TW_HTTP_HEADERS_MAX + 4];
    char *url;
    if (curl_url_get(call->url, CURLUPART_URL, &url, 0) != CURLUE_OK) {
        return TW_ENOMEM;
    }
    tw__clockwork_clear(client->ground.clockwork, &call->connecting);
    call->number = ++client->asked;
    tw_lab_request request = {
        .number = call->number,
        .method = {call->method, strlen(call->method)},
        .url = {url, strlen(url)},
        .headers = headers,
        .header_count = list_headers(call, headers),
        .body = {call->body != NULL ? (const char *)call->body : "", call->len},
    };
    client->ground.ask(client->ground.arg, &request);
    curl_free(url);
    return 0;
}

/* ---- being answered ---- */

static tw_http_call *find(tw__http_client *client, uint64_t number) {
    for (tw__list *at = client->calls.next; at != &client->calls;
         at = at->next) {
        tw_http_call *call = TW__CONTAINER(at, tw_http_call, node);
        if (call->number == number && call->state == TW__HTTP_RUNNING) {
            return call;
        }
    }
    return NULL;
}

static bool add_line(tw_http_call *call, const tw_header *header) {
    tw__bytes line = {0};
    bool is_good =
        tw__bytes_append(&line, header->name.data, header->name.len) == 0 &&
        tw__bytes_append(&line, ": ", 2) == 0 &&
        tw__bytes_append(&line, header->value.data, header->value.len) == 0 &&
        tw__http_call_on_header((char *)tw__bytes_data(&line), 1,
                                tw__bytes_len(&line), call) > 0;
    tw__bytes_deinit(&line);
    return is_good;
}

static void take(tw_http_call *call, const tw_http_response *response) {
    bool is_good = true;
    call->status = response->status;
    for (size_t i = 0; is_good && i < response->header_count; i++) {
        is_good = add_line(call, &response->headers[i]);
    }
    call->is_head_over = true;
    if (is_good && response->body.len > 0) {
        tw__http_call_on_body((char *)response->body.data, 1,
                              response->body.len, call);
    }
    tw__http_call_over(call, CURLE_OK);
}

int tw__http_client_reply(tw__http_client *client, uint64_t number, int error,
                          const tw_http_response *response) {
    tw_http_call *call = find(client, number);
    if (call == NULL) {
        return TW_ENOT_FOUND;
    }
    if (error != 0) {
        tw__http_end(call, error, "%s: %s", call->host->key,
                     tw_strerror(error));
    } else {
        take(call, response);
    }
    return 0;
}

/* ---- redirects ---- */

static const char *header_of(const tw_http_call *call, const char *name) {
    const char *at = (const char *)tw__bytes_data(&call->head);
    for (size_t i = 0; i < call->lines; i++) {
        const char *value = at + strlen(at) + 1;
        if (strcmp(at, name) == 0) {
            return value;
        }
        at = value + strlen(value) + 1;
    }
    return NULL;
}

/* What stands in the header may be relative to where it comes from. */
char *tw__http_call_location(const tw_http_call *call) {
    const char *value = header_of(call, "location");
    CURLU *url = value != NULL ? curl_url_dup(call->url) : NULL;
    char *text = NULL;
    if (url != NULL &&
        curl_url_set(url, CURLUPART_URL, value, 0) == CURLUE_OK) {
        curl_url_get(url, CURLUPART_URL, &text, 0);
    }
    curl_url_cleanup(url);
    return text;
}
