/* tls.h - TLS at the edge of a server: the certificates of its listeners and
 * the TLS states of its connections.
 *
 * A connection is told by TW__TLS in its flags; its state stands in a table
 * beside the slab, at the same index, so that those without pay nothing for it.
 * SHAKING lasts from acceptance to the end of the handshake, within the time
 * for the first request head. Sending goes through the queue always, never the
 * hub's fast path.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_TLS_H
#define TW_SERVER_TLS_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "net/tls.h"
#include "server/place.h"
#include "server/server.h"

struct tw__tls_edge {
    size_t count;         /* of listeners */
    tw__tls **sets;       /* one per listener; NULL: not encrypted */
    tw__tls **next;       /* the same, when a reload has prepared them */
    tw__tls_conn **conns; /* by the index of their connection */
    tw__tls_tickets tickets;
    uint8_t *record; /* plain bytes of one that are gathered */
    uint64_t turn;   /* of the loop, in which `steps` were done */
    unsigned steps;
    bool has_next;
};

/* ---- the server (tls.c) -------------------------------------------------- */

/* Makes server->tls when some listener of the config wants it. 0, or an error
 * (`detail` gets a sentence) after which tw__server_close_tls cleans up. */
int tw__server_open_tls(tw_server *server, const tw_config *config,
                        const tw__place *place, char *detail, size_t size);
void tw__server_close_tls(tw_server *server);

/* Makes what is in the vault ready beside what is in use; nothing when it has
 * nothing new. 0, or an error with its sentence. Then one of the others. */
int tw__server_prepare_tls(tw_server *server, const tw_config *config,
                           const tw__tls_vault *vault, char *detail,
                           size_t size);
void tw__server_commit_tls(tw_server *server);
void tw__server_abort_tls(tw_server *server);

/* ---- connections (tls_io.c) ---------------------------------------------- */

/* The connection is of that listener: begins, if it speaks TLS. */
void tw__conn_start_tls(tw_conn *conn, size_t listener);

/* SHAKING or CROSSED, and ready: goes on. True: there may be data now. */
bool tw__conn_tls_step(tw_conn *conn);

/* Nothing more will be written: says so. */
void tw__conn_end_tls(tw_conn *conn);
void tw__conn_drop_tls(tw_conn *conn);

ssize_t tw__conn_recv_tls(tw_conn *conn, uint8_t *data, size_t room);

/* As recv(MSG_DONTWAIT). */
static inline ssize_t tw__conn_recv(tw_conn *conn, uint8_t *data, size_t room) {
    return conn->flags & TW__TLS ? tw__conn_recv_tls(conn, data, room)
                                 : recv(conn->io.fd, data, room, MSG_DONTWAIT);
}

/* Sends the front of the queue, gathered in `vectors`, as one record. Answers
 * as send does; *total becomes what was tried. */
ssize_t tw__conn_send_record(tw_conn *conn, const struct iovec *vectors,
                             int count, size_t *total);

static inline tw__tls_conn *tw__conn_tls(const tw_conn *conn) {
    return conn->server->tls->conns[tw__conn_index(conn)];
}

#endif
