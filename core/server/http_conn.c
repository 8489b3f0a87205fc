/* SPDX-License-Identifier: MIT */
#include "server/http_conn.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "server/client.h"
#include "server/req.h"
#include "ws/handshake.h"

int tw__http_conn_create(tw_conn *conn) {
    tw_server *server = conn->server;
    tw__http_limits limits = {.max_head_bytes = server->config.max_head_bytes,
                              .max_headers = server->config.max_headers};
    tw__http_conn *http = tw__calloc(1, sizeof *http);
    if (http == NULL) {
        return TW_ENOMEM;
    }
    http->parser = tw__http_parser_create(&limits);
    if (http->parser == NULL) {
        tw__free(http);
        return TW_ENOMEM;
    }
    http->file_fd = -1;
    http->since_ms = tw__now(server);
    http->has_begun = true; /* the first head counts from acceptance */
    conn->http = http;
    return 0;
}

static void drop_req(tw__http_conn *http) {
    if (http->req != NULL) {
        http->req->conn = NULL;
        tw_req_unref(http->req);
        http->req = NULL;
    }
}

static void close_file(tw__http_conn *http) {
    if (http->file_fd >= 0) {
        close(http->file_fd);
        http->file_fd = -1;
    }
}

void tw__http_conn_destroy(tw_conn *conn) {
    tw__http_conn *http = conn->http;
    if (http != NULL) {
        conn->http = NULL;
        close_file(http);
        drop_req(http);
        tw__free(http->proxy);
        tw__http_parser_destroy(http->parser);
        tw__free(http);
    }
}

tw_req *tw__http_conn_req(const tw_conn *conn) {
    return conn->http != NULL ? conn->http->req : NULL;
}

bool tw__http_conn_may_read(const tw_conn *conn) {
    uint8_t phase = conn->http->phase;
    return (phase == TW__HTTP_READING || phase == TW__HTTP_BODY) &&
           conn->server->frozen == 0;
}

/* ---- answering ---- */

static int queue_bytes(tw_conn *conn, const tw__bytes *bytes) {
    tw__outq *queue = tw__conn_out(conn);
    size_t len = tw__bytes_len(bytes);
    uint8_t *place = queue ? tw__outq_reserve(queue, len) : NULL;
    if (place == NULL) {
        return TW_ENOMEM;
    }
    memcpy(place, tw__bytes_data(bytes), len);
    return 0;
}

static void enter(tw_conn *conn, enum tw__http_phase phase) {
    conn->http->phase = phase;
    conn->http->since_ms = tw__now(conn->server);
    tw__conn_set_timer(conn);
}

/* The last of those that one connection may ask. */
static bool is_last_request(const tw_conn *conn) {
    return conn->http->requests >= conn->server->config.max_requests;
}

/* But for the limit of requests it would go on. */
static bool may_go_on(const tw_conn *conn) {
    const tw__http_conn *http = conn->http;
    const tw_req *req = http->req;
    return req != NULL && req->http->keep_alive && req->http->is_complete &&
           !req->is_upgrade && !conn->server->draining && !http->peer_ended;
}

/* Connection and Date, as this connection stands. */
static void fill_framing(tw_conn *conn, tw__http_response *response) {
    tw_server *server = conn->server;
    tw__http_conn *http = conn->http;
    const tw_req *req = http->req;
    http->keep_alive = may_go_on(conn) && !is_last_request(conn);
    response->keep_alive = http->keep_alive;
    response->is_head = req != NULL && req->http->is_head;
    response->date =
        tw__http_date_at(&server->date, tw__loop_wall(&server->loop) / 1000);
}

static int commit(tw_conn *conn, int status, tw__bytes *bytes, int err) {
    if (err == 0) {
        err = queue_bytes(conn, bytes);
    }
    tw__bytes_deinit(bytes);
    if (err != 0) {
        return err;
    }
    const tw_req *req = conn->http->req;
    bool is_upgrade = req != NULL && req->is_upgrade;
    /* Here, as an answer that could not be made is followed by another. */
    tw__count(conn->server, TW_COUNTER_HTTP_KEPT_LIMIT,
              may_go_on(conn) && is_last_request(conn));
    if (is_upgrade) {
        tw__count(conn->server, TW_COUNTER_HANDSHAKES_REFUSED, 1);
    } else {
        tw__count(conn->server, TW_COUNTER_HTTP_REQUESTS, 1);
        tw__count(conn->server, TW_COUNTER_HTTP_ERRORS, status >= 400);
    }
    enter(conn, TW__HTTP_WRITING);
    return 0;
}

int tw__http_conn_respond(tw_conn *conn, tw__http_response *response) {
    tw__bytes bytes = {0};
    fill_framing(conn, response);
    int err = tw__http_response_write(&bytes, response);
    return commit(conn, response->status, &bytes, err);
}

static const char *code_of(int status) {
    switch (status) {
    case 403:
        return tw_err_name(TW_EDENIED);
    case 404:
        return tw_err_name(TW_ENOT_FOUND);
    case 413:
    case 414:
    case 431:
        return tw_err_name(TW_ELIMIT);
    case 408:
    case 504:
        return tw_err_name(TW_ETIMEOUT);
    case 429:
        return tw_err_name(TW_EOVERLOADED);
    default:
        return tw_err_name(status >= 500 ? TW_EUNAVAILABLE : TW_EINVALID);
    }
}

void tw__http_conn_error(tw_conn *conn, int status, const char *message,
                         const tw__http_field *header) {
    tw__http_conn_error_with(conn, status, message, header, header != NULL);
}

void tw__http_conn_error_with(tw_conn *conn, int status, const char *message,
                              const tw__http_field *headers, size_t count) {
    tw__http_response response = {
        .status = status, .headers = headers, .header_count = count};
    tw__bytes bytes = {0};
    fill_framing(conn, &response);
    int err = tw__http_error_json(&bytes, &response, code_of(status), message);
    if (commit(conn, status, &bytes, err) != 0) {
        tw__conn_cut(conn);
    }
}

/* ---- reading ---- */

static void on_head(tw_conn *conn) {
    tw__http_conn *http = conn->http;
    tw__http_request *request = tw__http_parser_request(http->parser);
    http->requests++;
    tw__conn_find_client(conn, request);
    http->req = tw__req_create(conn, request);
    if (http->req == NULL) {
        tw__conn_cut(conn);
        return;
    }
    tw__ws_request view = tw__req_view(http->req);
    if (request->is_upgrade || tw__ws_is_upgrade(&view)) {
        http->req->is_upgrade = true;
        tw__http_conn_upgrade(conn);
    } else {
        enter(conn, TW__HTTP_BODY);
        tw__http_conn_route(conn);
    }
}

static void on_more(tw_conn *conn) {
    tw__http_conn *http = conn->http;
    if (tw__http_parser_take_continue(http->parser)) {
        tw__bytes bytes = {0};
        tw__bytes_append(&bytes, TW__HTTP_CONTINUE,
                         sizeof TW__HTTP_CONTINUE - 1);
        queue_bytes(conn, &bytes);
        tw__bytes_deinit(&bytes);
    }
    if (!http->has_begun && !tw__http_parser_is_idle(http->parser)) {
        http->has_begun = true;
        http->since_ms = tw__now(conn->server);
        tw__conn_set_timer(conn);
    }
}

static void on_error(tw_conn *conn) {
    tw__http_error error = tw__http_parser_error(conn->http->parser);
    bool is_too_long = error.status == 414 || error.status == 431;
    tw__count(conn->server, TW_COUNTER_HTTP_TOO_LONG, is_too_long);
    tw__count(conn->server, TW_COUNTER_HTTP_MALFORMED, error.status == 400);
    tw__http_conn_error(conn, error.status, error.reason, NULL);
}

static bool is_reading(const tw_conn *conn) {
    return conn->state == TW__CONN_HTTP && conn->http != NULL &&
           tw__http_conn_may_read(conn);
}

size_t tw__http_conn_feed(tw_conn *conn, const uint8_t *data, size_t len) {
    size_t total = 0;
    while (is_reading(conn)) {
        size_t used = 0;
        switch (tw__http_parser_feed(conn->http->parser, data + total,
                                     len - total, &used)) {
        case TW__HTTP_MORE:
            on_more(conn);
            return len;
        case TW__HTTP_ERROR:
            on_error(conn);
            return len;
        case TW__HTTP_HEAD:
            total += used;
            on_head(conn);
            break;
        case TW__HTTP_COMPLETE:
            total += used;
            enter(conn, TW__HTTP_HANDLING);
            tw__http_conn_dispatch(conn);
            break;
        }
    }
    return conn->io.fd < 0 ? len : total;
}

bool tw__http_conn_peer_ended(tw_conn *conn) {
    uint8_t phase = conn->http->phase;
    conn->http->peer_ended = true;
    return phase == TW__HTTP_HANDLING || phase == TW__HTTP_WRITING;
}

/* ---- after the answer ---- */

static void next_request(tw_conn *conn) {
    tw__http_conn *http = conn->http;
    drop_req(http);
    tw__http_parser_reset(http->parser);
    http->has_begun = false;
    enter(conn, TW__HTTP_READING);
    tw__conn_schedule(conn);
}

void tw__http_conn_drained(tw_conn *conn) {
    tw__http_conn *http = conn->http;
    if (http->phase != TW__HTTP_WRITING) {
        return;
    }
    if (http->file_fd >= 0) {
        tw__http_conn_send_file(conn);
    } else if (http->keep_alive) {
        next_request(conn);
    } else {
        tw__conn_finish(conn);
    }
}

void tw__http_conn_abandon(tw_conn *conn) {
    tw_server *server = conn->server;
    tw__http_conn *http = conn->http;
    if (http == NULL || http->req == NULL) {
        return;
    }
    tw_req *req = http->req;
    if (req->is_asked && server->config.hooks.on_abandon != NULL) {
        req->is_asked = false;
        req->conn = NULL;
        server->config.hooks.on_abandon(req, server->config.hook_user);
    }
}

/* ---- time ---- */

uint64_t tw__http_conn_deadline(const tw_conn *conn) {
    const tw__http_conn *http = conn->http;
    const tw_config *config = &conn->server->config;
    switch (http->phase) {
    case TW__HTTP_READING:
        return http->since_ms +
               (http->has_begun ? config->handshake_ms : config->http_idle_ms);
    case TW__HTTP_WRITING:
        return (conn->out != NULL ? conn->out->progress_ms : http->since_ms) +
               config->stall_ms;
    default:
        return http->since_ms + config->http_handler_ms;
    }
}

void tw__http_conn_timeout(tw_conn *conn) {
    tw__http_conn *http = conn->http;
    switch (http->phase) {
    case TW__HTTP_READING:
        if (http->has_begun && !tw__http_parser_is_idle(http->parser)) {
            tw__count(conn->server, TW_COUNTER_HANDSHAKE_TIMEOUTS, 1);
            tw__http_conn_error(conn, 408, "the request took too long", NULL);
            return;
        }
        tw__count(conn->server, TW_COUNTER_HANDSHAKE_TIMEOUTS, http->has_begun);
        tw__count(conn->server, TW_COUNTER_HTTP_IDLE, !http->has_begun);
        tw__conn_finish(conn);
        return;
    case TW__HTTP_BODY:
        tw__http_conn_error(conn, 408, "the request took too long", NULL);
        return;
    case TW__HTTP_HANDLING:
        tw__http_conn_abandon(conn);
        tw__http_conn_error(conn, 503, "no answer in time", NULL);
        return;
    default:
        tw__conn_cut(conn);
    }
}
