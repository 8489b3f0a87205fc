/* dispatch.c - which route a plain request belongs to, and its answer.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "http/static.h"
#include "server/http_conn.h"
#include "server/req.h"

enum { FILE_PART_BYTES = 65536 };

static tw__http_found match(const tw_req *req, bool is_socket,
                            tw__http_match *found) {
    const tw__http_request *http = req->http;
    const tw_routes *routes = req->server->routes;
    if (routes == NULL) {
        return TW__HTTP_NOT_FOUND;
    }
    return tw__http_router_match(is_socket ? routes->sockets : routes->pages,
                                 http->method.data, http->method.len,
                                 http->path.data, http->path.len, found);
}

/* At the head: the route decides how much body is welcome. Where there is no
 * route the body is read all the same, within the default limit, so that the
 * connection can be used again. */
void tw__http_conn_route(tw_conn *conn) {
    tw__http_conn *http = conn->http;
    tw__http_match found;
    if (match(http->req, false, &found) != TW__HTTP_FOUND) {
        return;
    }
    if (tw__req_set_match(http->req, &found) != 0) {
        tw__conn_cut(conn);
        return;
    }
    const tw_route *route = http->req->route;
    if (route->config.kind == TW_ROUTE_HTTP) {
        tw__http_parser_set_body_limit(http->parser,
                                       route->config.max_body_bytes);
    }
}

static void answer_no_route(tw_conn *conn) {
    static const tw__http_field upgrade =
        TW__HTTP_FIELD("Upgrade", "websocket");
    const tw_req *req = conn->http->req;
    tw__http_match found;
    if (match(req, false, &found) == TW__HTTP_BAD_METHOD) {
        tw__http_field allow = {"Allow", 5, found.allow, strlen(found.allow)};
        tw__http_conn_error(conn, 405, "method not allowed here", &allow);
    } else if (match(req, true, &found) == TW__HTTP_FOUND) {
        tw__http_conn_error(conn, 426, "a WebSocket is served here", &upgrade);
    } else {
        tw__http_conn_error(conn, 404, "nothing is served here", NULL);
    }
}

static tw_str rest_of(const tw_req *req) {
    for (size_t i = 0; i < req->param_count; i++) {
        if (strcmp(req->names[i].data, "*") == 0) {
            return req->values[i];
        }
    }
    return (tw_str){"", 0};
}

static void answer_file(tw_conn *conn) {
    tw__http_conn *http = conn->http;
    tw_req *req = http->req;
    tw_str rest = rest_of(req);
    tw__http_file file;
    tw__http_static_open(req->route->folder, req->http, rest.data, rest.len,
                         &file);
    tw__http_response response = tw__http_file_response(&file, req->http);
    if (file.status >= 400) {
        tw__http_conn_error_with(conn, file.status,
                                 tw__http_reason(file.status), file.headers,
                                 file.header_count);
    } else if (tw__http_conn_respond(conn, &response) != 0) {
        tw__conn_cut(conn);
    } else {
        http->file_fd = file.fd;
        http->file_off = file.offset;
        http->file_left = file.length;
        file.fd = -1;
    }
    tw__http_file_deinit(&file);
}

void tw__http_conn_send_file(tw_conn *conn) {
    tw__http_conn *http = conn->http;
    size_t want = http->file_left < FILE_PART_BYTES ? (size_t)http->file_left
                                                    : FILE_PART_BYTES;
    tw__outq *queue = tw__conn_out(conn);
    uint8_t *place = queue ? tw__outq_reserve(queue, want) : NULL;
    ssize_t got = place == NULL ? -1
                                : pread(http->file_fd, place, want,
                                        (off_t)http->file_off);
    if (got <= 0) {
        tw__conn_cut(conn); /* shorter than promised: the peer must see it */
        return;
    }
    tw__outq_trim(queue, want - (size_t)got);
    http->file_off += (uint64_t)got;
    http->file_left -= (uint64_t)got;
    if (http->file_left == 0) {
        close(http->file_fd);
        http->file_fd = -1;
    }
}

static void ask_host(tw_conn *conn) {
    tw_server *server = conn->server;
    tw_req *req = conn->http->req;
    if (server->config.hooks.on_request == NULL) {
        tw__http_conn_error(conn, 404, "nothing is served here", NULL);
        return;
    }
    req->is_asked = true;
    tw_req_ref(req);
    server->config.hooks.on_request(req, server->config.hook_user);
    tw_req_unref(req);
}

void tw__http_conn_dispatch(tw_conn *conn) {
    const tw_req *req = conn->http->req;
    if (req->route == NULL || req->route->is_retired) {
        answer_no_route(conn);
    } else if (req->route->config.kind == TW_ROUTE_STATIC) {
        answer_file(conn);
    } else {
        ask_host(conn);
    }
}

int tw_req_respond(tw_req *req, int status, const tw_header *headers,
                   size_t count, const void *body, size_t len) {
    _Static_assert(sizeof(tw_header) == sizeof(tw__http_field),
                   "header views differ");
    if (req->conn == NULL || !req->is_asked || req->is_upgrade) {
        return TW_ECLOSED;
    }
    tw__http_response response = {
        .status = status,
        .content_type = "text/plain; charset=utf-8",
        .headers = (const tw__http_field *)headers,
        .header_count = count,
        .body = len > 0 ? body : "",
        .body_len = len,
    };
    int err = tw__http_conn_respond(req->conn, &response);
    if (err == 0) {
        req->is_asked = false;
    }
    return err;
}
