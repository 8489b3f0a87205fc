/* routes.h - routes and the table they stand in.
 *
 * A route is known by kind, method and pattern. A new table is made complete,
 * with everything that can fail, before it replaces the old one: using it
 * cannot fail. A route that stays keeps its tw_route, so that open connections
 * live by its new settings; one that goes is retired and freed with its last
 * connection.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_ROUTES_H
#define TW_SERVER_ROUTES_H

#include "http/router.h"
#include "tidewire/tidewire.h"

struct tw_route {
    uint32_t refs; /* the table, connections and requests */
    bool is_retired;
    tw_route_config config; /* owns its strings */
    struct tw__http_static *folder;
};

/* The values of the routers are places in `list`: what they lead to is
 * exchanged for the route that was there before. */
struct tw_routes {
    tw__http_router *sockets, *pages; /* upgrades; plain requests */
    size_t count;
    tw_route *list[];
};

/* Where a sentence about a failure goes; size 0: nowhere. */
typedef struct tw__detail {
    char *text;
    size_t size;
} tw__detail;

/* A copy that owns its texts; on failure nothing is left of it. 0, TW_EINVALID
 * (an origin) or TW_ENOMEM. */
int tw__route_config_copy(tw_route_config *to, const tw_route_config *from,
                          tw__detail detail);
void tw__route_config_deinit(tw_route_config *config);

/* Drops a reference; the last one frees. */
void tw__route_unref(tw_route *route);

/* The route of a match in one of the table's routers. */
static inline tw_route *tw__route_of(const tw__http_match *match) {
    return *(tw_route **)match->value;
}

#endif
