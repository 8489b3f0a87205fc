/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "server/admin_ask.h"
#include "server/admin_state.h"
#include "server/metrics.h"

#define JSON "application/json"

typedef void (*handler)(tw__admin_conn *conn, tw__admin_answer *answer);
typedef void (*asker)(tw__admin_conn *conn, tw__http_request *request,
                      tw__admin_answer *answer);

typedef struct route {
    const char *pattern;
    handler handle;
    asker ask;        /* in its place: what the workers answer */
    bool needs_right; /* it changes something, or shows what not all may see */
} route;

static void refuse(tw__admin_answer *answer, int status, const char *code,
                   const char *message) {
    answer->status = status;
    answer->code = code;
    answer->message = message;
}

static void finish(tw__admin_answer *answer, int error, int status,
                   const char *type) {
    if (error != 0) {
        refuse(answer, 503, "nomem", tw_strerror(error));
    } else {
        answer->status = status;
        answer->type = type;
    }
}

static void get_metrics(tw__admin_conn *conn, tw__admin_answer *answer) {
    const tw__job *job = conn->admin->job;
    int error =
        tw__metrics_render(&answer->body, job->board, job->config.version);
    finish(answer, error, 200, TW__METRICS_TYPE);
}

static void get_health(tw__admin_conn *conn, tw__admin_answer *answer) {
    (void)conn;
    int error = tw__bytes_printf(&answer->body, "{\"status\":\"ok\"}\n");
    finish(answer, error, 200, JSON);
}

static void get_ready(tw__admin_conn *conn, tw__admin_answer *answer) {
    const tw__admin *admin = conn->admin;
    uint32_t returned =
        admin->canary != NULL ? tw__canary_returned(admin->canary) : 0;
    bool is_ready = false;
    int error =
        tw__admin_ready(&answer->body, admin->job->board, returned, &is_ready);
    finish(answer, error, is_ready ? 200 : 503, JSON);
}

static void get_status(tw__admin_conn *conn, tw__admin_answer *answer) {
    int error = tw__admin_status(&answer->body, conn->admin->job,
                                 tw__loop_now(&conn->admin->loop));
    finish(answer, error, 200, JSON);
}

static bool tell_master(tw__admin *admin, tw__control_kind kind, uint64_t id,
                        tw__admin_answer *answer) {
    tw__control_msg msg = {.kind = (uint32_t)kind, .id = id};
    int error = tw__control_send(admin->control.fd, &msg);
    if (error != 0) {
        refuse(answer, 503, "unavailable", "the master does not listen");
    }
    return error == 0;
}

/* Answered when the master says how it went. */
static void post_reload(tw__admin_conn *conn, tw__admin_answer *answer) {
    uint64_t id = ++conn->admin->reload_id;
    if (tell_master(conn->admin, TW__CONTROL_WANT_RELOAD, id, answer)) {
        conn->reload_id = id;
    }
}

static void post_drain(tw__admin_conn *conn, tw__admin_answer *answer) {
    if (tell_master(conn->admin, TW__CONTROL_WANT_DRAIN, 0, answer)) {
        int error = tw__bytes_printf(&answer->body, "{\"draining\":true}\n");
        finish(answer, error, 202, JSON);
    }
}

static route routes[] = {
    {"GET /metrics", get_metrics, NULL, false},
    {"GET /health", get_health, NULL, false},
    {"GET /ready", get_ready, NULL, false},
    {"GET /api/status", get_status, NULL, false},
    {"GET /api/top", NULL, tw__admin_top, true},
    {"POST /api/reload", post_reload, NULL, true},
    {"POST /api/drain", post_drain, NULL, true},
    {"POST /api/console", NULL, tw__admin_console, true},
    {"POST /api/profile", NULL, tw__admin_profile, true},
};

int tw__admin_add_routes(tw__http_router *router) {
    int error = 0;
    for (size_t i = 0; error == 0 && i < sizeof routes / sizeof *routes; i++) {
        const char *pattern = routes[i].pattern;
        error = tw__http_router_add(router, pattern, strlen(pattern),
                                    &routes[i], NULL);
    }
    return error;
}

/* A result is what the hooks say (422), or what happened to the server. */
void tw__admin_reload_answer(tw__admin_answer *answer,
                             const tw__control_msg *result) {
    if (result->status != 0) {
        refuse(answer, result->status == TW_EINVALID ? 422 : 409,
               tw_err_name(result->status), result->text);
        return;
    }
    int error = tw__bytes_printf(&answer->body, "{\"generation\":%u}\n",
                                 (unsigned)result->generation);
    finish(answer, error, 200, JSON);
}

static tw__admin_caller caller_of(const tw__admin_conn *conn) {
    const tw_master_config *config = &conn->admin->job->config;
    return (tw__admin_caller){.is_unix = conn->is_unix,
                              .is_owner = conn->is_owner,
                              .local_ip = conn->local_ip,
                              .configured = config->admin,
                              .token = config->admin_token};
}

void tw__admin_dispatch(tw__admin_conn *conn, tw__http_request *request,
                        tw__admin_answer *answer) {
    tw__http_match match;
    tw__http_found found = tw__http_router_match(
        conn->admin->router, request->method.data, request->method.len,
        request->path.data, request->path.len, &match);
    const route *at = found == TW__HTTP_FOUND ? match.value : NULL;
    tw__admin_caller caller = caller_of(conn);
    const char *why;
    int refusal =
        tw__admin_guard(&caller, request, at != NULL && at->needs_right, &why);
    if (refusal != 0) {
        refuse(answer, refusal, "denied", why);
    } else if (at != NULL && at->ask != NULL) {
        at->ask(conn, request, answer);
    } else if (at != NULL) {
        at->handle(conn, answer);
    } else if (found == TW__HTTP_BAD_METHOD) {
        refuse(answer, 405, "invalid", "the path has other methods");
        answer->allow = match.allow;
    } else {
        refuse(answer, 404, "not_found", "there is no such path");
    }
}
