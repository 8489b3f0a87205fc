/* req.h - a request as the host sees it.
 *
 * Counted; outlives its connection. `conn` is NULL once nobody can be answered.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_REQ_H
#define TW_SERVER_REQ_H

#include "http/request.h"
#include "http/router.h"
#include "server/server.h"
#include "ws/handshake.h"

typedef struct tw__joined {
    struct tw__joined *next;
    size_t len;
    char text[];
} tw__joined;

struct tw_req {
    uint32_t refs;
    bool is_upgrade;
    bool is_asked; /* the host has it and owes an answer */
    tw_server *server;
    tw_conn *conn;
    tw_route *route;
    tw__http_request *http;
    tw__joined *joined; /* headers of several lines, made when asked for */
    char *params;       /* values of the parameters, ended by NUL each */
    tw_str names[TW__HTTP_MAX_PARAMS], values[TW__HTTP_MAX_PARAMS];
    size_t param_count;
    char accept[TW__WS_ACCEPT_SIZE];
    char ip[TW__ADDRESS_TEXT];
    struct tw__req_tls *tls; /* NULL: it came unencrypted */
};

/* Takes references to the parsed request; NULL without memory. */
tw_req *tw__req_create(tw_conn *conn, tw__http_request *http);

/* Notes the route (may be NULL) and copies the parameters. 0 or TW_ENOMEM. */
int tw__req_set_match(tw_req *req, const tw__http_match *match);

/* tls_req.c: notes what is known of the connection's TLS. 0 or TW_ENOMEM. */
int tw__req_note_tls(tw_req *req, const tw_conn *conn);
void tw__req_drop_tls(tw_req *req);

/* The view that ws/handshake.h wants. */
tw__ws_request tw__req_view(const tw_req *req);

#endif
