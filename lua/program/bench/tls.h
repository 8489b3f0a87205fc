/* tls.h - wss:// for the load generator.
 *
 * Whoever measures knows whom: certificates are not checked.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_TLS_H
#define TW_BENCH_TLS_H

#include <sys/types.h>

#include "conn.h"

/* Begins with a connected descriptor, or goes on: 0 when the connection is
 * ready, epoll's events to wait for, or -1 and the reason, static. */
int tw__bench_tls_shake(tw__bench_conn *conn, const char **why);
void tw__bench_tls_drop(tw__bench_conn *conn); /* also when there is none */

/* As send and recv, with errno; after EAGAIN the same bytes come again, and
 * perhaps more behind them. */
ssize_t tw__bench_tls_send(tw__bench_conn *conn, const void *data, size_t len);
ssize_t tw__bench_tls_recv(tw__bench_conn *conn, void *data, size_t room);

/* Something was decrypted and not read, of which epoll knows nothing. */
bool tw__bench_tls_has_more(const tw__bench_conn *conn);

#endif
