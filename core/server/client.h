/* client.h - whose a connection is: the peer of its socket, or the one that a
 * trusted proxy names in front of it (PROXY protocol) or in its requests
 * (X-Forwarded-For).
 *
 * What a proxy's connection carries may be of many clients; it belongs to one
 * of them once it is upgraded. So the limit of connections of one address
 * counts others when they come, and a proxy's when they are upgraded.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_CLIENT_H
#define TW_SERVER_CLIENT_H

#include "http/request.h"
#include "server/server.h"

/* Whether the trusted networks of a config are networks, and there are some
 * when a listener expects the PROXY protocol. 0, or TW_EINVALID and a sentence
 * in `detail` (may be NULL). */
int tw__clients_check(const tw_config *config, char *detail, size_t size);

/* Copies those of the config into the server. 0, or an error as above, or
 * TW_ENOMEM. */
int tw__clients_open(tw_server *server, const tw_config *config, char *detail,
                     size_t size);
void tw__clients_close(tw_server *server);

/* The connection came from `peer` to that listener. False: it is refused. */
bool tw__conn_meet(tw_conn *conn, const tw__address *peer, size_t listener);

/* In GREETING, when there is input: reads the header of the PROXY protocol and
 * nothing behind it. */
void tw__conn_greet(tw_conn *conn);

/* Of a request whose head is there: the client is who it says, if its sender is
 * to be believed. */
void tw__conn_find_client(tw_conn *conn, const tw__http_request *request);

#endif
