/* bridge_hooks_http.h - the part of bridge_hooks_fake.h that is about requests
 * to other servers: a test answers them.
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_BRIDGE_HOOKS_HTTP_H
#define TW_TESTS_BRIDGE_HOOKS_HTTP_H

struct tw_http_call {
    tw_http_call *next;
    tw_server *server;
    char url[128];
    size_t max_body_bytes;
    uint32_t timeout_ms, redirects;
    tw_http_cb cb;
    void *arg;
};

tw_http_call *tw_http_request(tw_server *server, const tw_http_options *options,
                              tw_http_cb cb, void *arg) {
    tw_http_call *call = calloc(1, sizeof *call);
    *call = (tw_http_call){.next = server->requests,
                           .server = server,
                           .max_body_bytes = options->max_body_bytes,
                           .timeout_ms = options->timeout_ms,
                           .redirects = options->redirects,
                           .cb = cb,
                           .arg = arg};
    fake_copy(call->url, sizeof call->url, options->url);
    server->requests = call;
    server->requested_count++;
    return call;
}

void tw_http_cancel(tw_http_call *call) {
    tw_http_call **at = &call->server->requests;
    while (*at != call) {
        at = &(*at)->next;
    }
    *at = call->next;
    free(call);
}

/* Answers the one request under way. */
static void fake_answer(tw_server *server, int status,
                        const tw_http_response *response, const char *why) {
    tw_http_call *call = server->requests;
    assert_non_null(call);
    assert_null(call->next);
    server->requests = NULL;
    call->cb(status, response, why, call->arg);
    free(call);
}

/* With a body and a header cache-control (may be NULL). */
static void fake_respond(tw_server *server, int status, const char *body,
                         const char *control) {
    tw_header header = {fake_str("cache-control"), fake_str(control)};
    tw_http_response response = {.status = status,
                                 .headers = &header,
                                 .header_count = control != NULL,
                                 .body = fake_str(body)};
    fake_answer(server, 0, &response, NULL);
}

#endif
