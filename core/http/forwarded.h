/* forwarded.h - the client that proxies name in X-Forwarded-For.
 *
 * Pure. Each proxy adds the address it was spoken to from at the right; only
 * what trusted ones added can be believed.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_HTTP_FORWARDED_H
#define TW_HTTP_FORWARDED_H

#include "http/request.h"
#include "net/network.h"

/* The client of a request whose sender, `peer`, is trusted itself: from the
 * right the first address that no trusted network has; when there is none the
 * leftmost, and without any the peer. Lines of the header are one list, empty
 * elements are none, ports are allowed. At an element that is no address the
 * search ends: what stands left of it was not written by a trusted proxy. */
void tw__forwarded_client(const tw__http_request *request,
                          const tw__network *trusted, size_t count,
                          const tw__ip *peer, tw__ip *client);

#endif
