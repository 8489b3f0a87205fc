/* http_conn.h - the HTTP phase of a connection: requests one after another,
 * until one upgrades or the connection ends.
 *
 * Exists from acceptance until on_open has ended. One request at a time: what a
 * peer pipelines waits in the stash.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_HTTP_CONN_H
#define TW_SERVER_HTTP_CONN_H

#include "http/parser.h"
#include "http/response.h"
#include "net/proxy.h"
#include "server/conn.h"

enum tw__http_phase {
    TW__HTTP_READING,  /* idle, or a head is arriving */
    TW__HTTP_BODY,     /* a body is arriving */
    TW__HTTP_HANDLING, /* the host, or on_upgrade, has it */
    TW__HTTP_WRITING,  /* the answer leaves */
    TW__HTTP_UPGRADED
};

struct tw__http_conn {
    tw__http_parser *parser;
    tw_req *req;       /* being read, answered, or of the upgrade */
    uint64_t since_ms; /* when the phase, or a head, began */
    uint8_t phase;
    bool has_begun;  /* something of a head has come */
    bool is_trusted; /* the sender is a proxy that names its clients */
    bool keep_alive;
    bool peer_ended;
    tw__ip sender;     /* the peer, or who a PROXY header named */
    tw__proxy *proxy;  /* while that has not come */
    uint32_t requests; /* whose heads have come */
    int file_fd;       /* the rest of a file that is sent; -1: none */
    uint64_t file_off, file_left;
};

int tw__http_conn_create(tw_conn *conn);   /* 0 or TW_ENOMEM */
void tw__http_conn_destroy(tw_conn *conn); /* also when there is none */

bool tw__http_conn_may_read(const tw_conn *conn);
/* Returns how many bytes were used; the rest waits. */
size_t tw__http_conn_feed(tw_conn *conn, const uint8_t *data, size_t len);

/* The peer sends nothing more. True: an answer is still due. */
bool tw__http_conn_peer_ended(tw_conn *conn);
/* All that was queued is written. */
void tw__http_conn_drained(tw_conn *conn);
/* The connection is gone: whoever has the request is told. */
void tw__http_conn_abandon(tw_conn *conn);

tw_req *tw__http_conn_req(const tw_conn *conn); /* borrowed, or NULL */

/* When the present phase is over at the latest, and what then. */
uint64_t tw__http_conn_deadline(const tw_conn *conn);
void tw__http_conn_timeout(tw_conn *conn);

/* Queues a response whose framing fields are filled in here, and goes to
 * WRITING. 0, TW_EINVALID (a header that may not be) or TW_ENOMEM. */
int tw__http_conn_respond(tw_conn *conn, tw__http_response *response);
/* The same with a JSON error. */
void tw__http_conn_error(tw_conn *conn, int status, const char *message,
                         const tw__http_field *header);
/* The same with several headers of its own. */
void tw__http_conn_error_with(tw_conn *conn, int status, const char *message,
                              const tw__http_field *headers, size_t count);

/* upgrade.c: a request that wants to become a WebSocket, its head complete. */
void tw__http_conn_upgrade(tw_conn *conn);
/* dispatch.c: chooses the route at the head; answers a complete request. */
void tw__http_conn_route(tw_conn *conn);
void tw__http_conn_dispatch(tw_conn *conn);
/* dispatch.c: the next part of a file into the queue. */
void tw__http_conn_send_file(tw_conn *conn);

#endif
