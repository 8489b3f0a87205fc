/* conn_parts.h - what conn.c and conn_io.c have between them.
 * SPDX-License-Identifier: MIT */
#ifndef TW_BENCH_CONN_PARTS_H
#define TW_BENCH_CONN_PARTS_H

#include "conn.h"

/* conn.c: enters or takes back a deadline of the state it is in. */
void tw__bench_conn_await(tw__bench_conn *conn, uint64_t deadline);
void tw__bench_conn_unwait(tw__bench_conn *conn);

/* Tells epoll what is wanted now. */
void tw__bench_conn_rewatch(tw__bench_conn *conn);

/* The attempt to open has failed. */
void tw__bench_conn_fail(tw__bench_conn *conn, const char *why);

/* The other side is gone, or must be given up; `why` is for one that was never
 * open. */
void tw__bench_conn_end(tw__bench_conn *conn, const char *why);

/* conn_io.c: sends bytes as they are; what does not go now goes later. */
void tw__bench_conn_send(tw__bench_conn *conn, const uint8_t *data, size_t len);
void tw__bench_conn_send_rest(tw__bench_conn *conn);

/* Reads until there is no more, or `limit` bytes. The connection may be closed
 * afterwards, or another one. */
void tw__bench_conn_read(tw__bench_conn *conn, size_t limit);

#endif
