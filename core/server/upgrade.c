/* upgrade.c - from a request to a WebSocket connection.
 *
 * The order of refusals: draining, path, handshake, origin, connections of the
 * address, handshakes in a second, then the host. What
 * follows a refused upgrade is never read as a request: the answer says close.
 *
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "server/http_conn.h"
#include "server/people.h"
#include "server/req.h"
#include "ws/extension.h"
#include "ws/origin.h"

static bool find_route(tw_conn *conn) {
    tw_req *req = conn->http->req;
    const tw__http_request *http = req->http;
    const tw_routes *routes = conn->server->routes;
    tw__http_match found;
    if (routes == NULL ||
        tw__http_router_match(routes->sockets, "GET", 3, http->path.data,
                              http->path.len, &found) != TW__HTTP_FOUND) {
        tw__http_conn_error(conn, 404, "no WebSocket is served here", NULL);
        return false;
    }
    if (tw__req_set_match(req, &found) != 0) {
        tw__conn_cut(conn);
        return false;
    }
    return true;
}

static bool check_handshake(tw_conn *conn) {
    tw_req *req = conn->http->req;
    tw__ws_request view = tw__req_view(req);
    tw__ws_refusal refusal;
    if (tw__ws_handshake_check(&view, req->accept, &refusal)) {
        return true;
    }
    tw__http_field header = {refusal.header_name, 0, refusal.header_value, 0};
    if (refusal.header_name != NULL) {
        header.name_len = strlen(refusal.header_name);
        header.value_len = strlen(refusal.header_value);
    }
    tw__http_conn_error(conn, refusal.status, refusal.reason,
                        refusal.header_name != NULL ? &header : NULL);
    return false;
}

static bool check_origin(tw_conn *conn) {
    tw_req *req = conn->http->req;
    const tw_route_config *config = &req->route->config;
    tw__ws_request view = tw__req_view(req);
    if (tw__ws_origin_is_allowed(&view, config->origins,
                                 config->origin_count)) {
        return true;
    }
    tw__http_conn_error(conn, 403, "this origin is not allowed", NULL);
    return false;
}

/* Connections that came from a trusted proxy are their clients' from here on;
 * the others were counted when they came. */
static bool check_address(tw_conn *conn) {
    if (tw__conn_count_address(conn)) {
        return true;
    }
    tw__http_conn_error(conn, 429, "too many connections of this address",
                        NULL);
    return false;
}

/* The last check: whoever is refused for another reason takes nobody's place.
 */
static bool check_rate(tw_conn *conn) {
    tw_server *server = conn->server;
    unsigned retry_s;
    char text[16];
    if (tw__admission_take(&server->admission, tw__now(server), &retry_s)) {
        return true;
    }
    int len = snprintf(text, sizeof text, "%u", retry_s);
    tw__http_field retry = {"Retry-After", 11, text, (size_t)len};
    tw__count(server, TW_COUNTER_HANDSHAKES_LIMITED, 1);
    tw__http_conn_error(conn, 503, "too many handshakes", &retry);
    return false;
}

static void ask_host(tw_conn *conn) {
    tw_server *server = conn->server;
    tw_req *req = conn->http->req;
    bool wants = (req->route->config.hooks & TW_HOOK_UPGRADE) != 0 &&
                 server->config.hooks.on_upgrade != NULL;
    conn->http->phase = TW__HTTP_HANDLING;
    conn->http->since_ms = tw__now(server);
    req->is_asked = true;
    tw__conn_set_timer(conn);
    if (!wants) {
        tw_req_accept(req, NULL);
        return;
    }
    tw_req_ref(req);
    server->config.hooks.on_upgrade(req, server->config.hook_user);
    tw_req_unref(req);
}

void tw__http_conn_upgrade(tw_conn *conn) {
    static const tw__http_field retry = TW__HTTP_FIELD("Retry-After", "1");
    if (conn->server->draining) {
        tw__http_conn_error(conn, 503, "the server is restarting", &retry);
    } else if (find_route(conn) && check_handshake(conn) &&
               check_origin(conn) && check_address(conn) && check_rate(conn)) {
        ask_host(conn);
    }
}

static size_t put(char **place, tw_str *to, tw_str from) {
    if (from.data == NULL) {
        return 0;
    }
    memcpy(*place, from.data, from.len);
    (*place)[from.len] = '\0';
    *to = (tw_str){*place, from.len};
    *place += from.len + 1;
    return from.len + 1;
}

/* All texts in one block; NULL when there are none is fine. */
static int set_identity(tw_conn *conn, tw_str user, tw_str info,
                        tw_str subprotocol) {
    if (user.data == NULL && info.data == NULL && subprotocol.data == NULL) {
        return 0;
    }
    tw__identity *identity = tw__calloc(1, sizeof *identity + user.len +
                                               info.len + subprotocol.len + 3);
    if (identity == NULL) {
        return TW_ENOMEM;
    }
    char *place = identity->bytes;
    put(&place, &identity->user, user);
    put(&place, &identity->info, info);
    put(&place, &identity->subprotocol, subprotocol);
    identity->since_ms = tw__loop_wall(&conn->server->loop);
    tw__free(conn->identity);
    conn->identity = identity;
    return 0;
}

/* It is its user's from here on, under the id that it has had. */
static void become(tw_conn *conn) {
    tw__user_enter(conn);
    if (tw_conn_user(conn).data == NULL) {
        return;
    }
    tw__presence_rename(conn);
    if (conn->http == NULL) { /* else when its on_open has ended */
        tw__user_welcome(conn);
    }
}

int tw_conn_login(tw_conn *conn, tw_str user, tw_str info) {
    tw_str subprotocol = tw_conn_subprotocol(conn);
    if (conn->state != TW__CONN_OPEN) {
        return TW_ECLOSED;
    }
    if (tw_conn_user(conn).data != NULL) {
        return TW_EEXISTS;
    }
    if (user.data != NULL && !tw__user_is_fine(user)) {
        return TW_EINVALID;
    }
    tw__identity *old = conn->identity;
    conn->identity = NULL;
    int err = set_identity(conn, user, info, subprotocol);
    if (err != 0) {
        conn->identity = old;
        return err;
    }
    tw__free(old);
    become(conn);
    return 0;
}

/* What is granted of the extensions offered, or NULL. */
static const char *choose_extensions(const tw_req *req) {
    tw__ws_request view = tw__req_view(req);
    return req->route->config.deflate == TW_DEFLATE_SHARED
               ? tw__ws_extensions_answer(&view)
               : NULL;
}

static int queue_answer(tw_conn *conn, const tw_accept *accept,
                        const char *extensions) {
    tw__bytes bytes = {0};
    int err = tw__ws_accept_write(&bytes, conn->http->req->accept,
                                  accept->subprotocol.data,
                                  accept->subprotocol.len, extensions);
    tw__outq *queue = err == 0 ? tw__conn_out(conn) : NULL;
    uint8_t *place =
        queue ? tw__outq_reserve(queue, tw__bytes_len(&bytes)) : NULL;
    if (place != NULL) {
        memcpy(place, tw__bytes_data(&bytes), tw__bytes_len(&bytes));
    } else if (err == 0) {
        err = TW_ENOMEM;
    }
    tw__bytes_deinit(&bytes);
    return err;
}

static int set_expiry(tw_conn *conn, uint32_t ms) {
    tw__extra *extra = ms > 0 ? tw__conn_extra(conn) : NULL;
    if (extra != NULL) {
        extra->expires_ms = tw__now(conn->server) + ms;
    }
    return ms > 0 && extra == NULL ? TW_ENOMEM : 0;
}

static bool is_offered(const tw_req *req, tw_str protocol) {
    tw__ws_request view = tw__req_view(req);
    return protocol.data == NULL ||
           tw__ws_protocol_is_offered(&view, protocol.data, protocol.len);
}

int tw_req_accept(tw_req *req, const tw_accept *accept) {
    static const tw_accept plain;
    tw_conn *conn = req->conn;
    accept = accept != NULL ? accept : &plain;
    if (conn == NULL || !req->is_asked || !req->is_upgrade) {
        return TW_ECLOSED;
    }
    if (!is_offered(req, accept->subprotocol) ||
        (accept->user.data != NULL && !tw__user_is_fine(accept->user))) {
        return TW_EINVALID;
    }
    req->is_asked = false;
    const char *extensions = choose_extensions(req);
    int err =
        set_identity(conn, accept->user, accept->info, accept->subprotocol);
    if (err == 0) {
        err = set_expiry(conn, accept->expires_ms);
    }
    if (err == 0) {
        err = queue_answer(conn, accept, extensions);
    }
    if (err != 0) {
        tw__conn_cut(conn);
        return err;
    }
    conn->colour = accept->colour;
    conn->http->phase = TW__HTTP_UPGRADED;
    tw__conn_upgrade(conn, req->route, extensions != NULL);
    return 0;
}

int tw_req_refuse(tw_req *req, int status, tw_str reason) {
    tw_conn *conn = req->conn;
    if (conn == NULL || !req->is_asked || !req->is_upgrade) {
        return TW_ECLOSED;
    }
    req->is_asked = false;
    char text[256] = "refused";
    if (reason.data != NULL) {
        size_t len = reason.len < sizeof text ? reason.len : sizeof text - 1;
        memcpy(text, reason.data, len);
        text[len] = '\0';
    }
    tw__http_conn_error(conn, status >= 400 && status < 600 ? status : 403,
                        text, NULL);
    return 0;
}
