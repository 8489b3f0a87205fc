/* proxy.h - the header of the PROXY protocol, version 2: what a balancer says
 * of a connection's client before the client's own bytes.
 *
 * Bytes in, address out; no I/O and nothing allocated. What is extended into
 * the header (TLVs) is skipped. What follows the header belongs to somebody
 * else, so the reader is never given more than it wants.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_PROXY_H
#define TW_NET_PROXY_H

#include "net/network.h"

/* The part that all have, and of the rest a source's address. */
enum { TW__PROXY_FIXED = 16, TW__PROXY_SOURCE = 16 };

/* Zero is a reader at its start. */
typedef struct tw__proxy {
    uint8_t _bytes[TW__PROXY_FIXED + TW__PROXY_SOURCE];
    uint32_t _have; /* of the whole header */
} tw__proxy;

typedef enum tw__proxy_status {
    TW__PROXY_MORE,
    TW__PROXY_DONE, /* tw__proxy_client tells */
    TW__PROXY_BAD   /* is no such header: nothing behind it can be believed */
} tw__proxy_status;

/* How many bytes it takes at once at most: those up to the next length that it
 * has to know. 0 when it is DONE; never BAD by itself. */
size_t tw__proxy_want(const tw__proxy *proxy);

/* Takes all of `data`, at most as much as it wants. BAD is final: do not feed
 * on. Bad are another signature or version than 2, a command other than LOCAL
 * and PROXY and, of a PROXY command, a family that does not exist, another
 * transport than a stream, and addresses that are cut. */
tw__proxy_status tw__proxy_feed(tw__proxy *proxy, const void *data, size_t len);

/* After DONE: whether the header names a client. It does not for connections
 * of the balancer's own and for those it knows nothing of: the socket's peer
 * is the client then. Clients of Unix sockets are AF_UNIX. */
bool tw__proxy_client(const tw__proxy *proxy, tw__ip *client);

#endif
