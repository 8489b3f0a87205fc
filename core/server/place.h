/* place.h - a server as one slot among others: what the master hands to it.
 *
 * tw_server_create makes a server that is alone (slot 0 of 1, private page);
 * tw__server_create makes one at a place.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_PLACE_H
#define TW_SERVER_PLACE_H

#include "base/log.h"
#include "dict/region.h"
#include "metric/region.h"
#include "net/clockwork.h"
#include "net/poller.h"
#include "net/tls_tickets.h"
#include "server/lab.h"
#include "server/page.h"
#include "server/tls_files.h"
#include "tidewire/tidewire.h"

typedef struct tw__place {
    uint16_t slot, slots;
    uint32_t incarnation;
    tw__page *const *pages; /* of every slot, `slots` many; they outlive the
                               server */
    tw__dict_region *dicts; /* of the server; borrowed */
    const tw__metric_regions *metrics; /* likewise */
    const char *dir;                   /* runtime folder with the bus sockets */
    int bus_fd;            /* the slot's listening bus socket; taken */
    const int *listen_fds; /* one listening socket per config.listen; taken */
    /* The contents of the files of config.listen_options, as they are in force,
     * and the ticket keys of all slots; NULL: no TLS. Borrowed. */
    const tw__tls_vault *vault;
    const tw__tls_tickets *tickets;
    tw__lab *lab; /* where it stands in one; else NULL */
} tw__place;

int tw__server_create(tw_server **server, const tw_config *config,
                      const tw__place *place, char *detail, size_t detail_size);

/* The loop, and the poller for descriptors that are not public connections
 * (link, control): it goes on while the server is frozen. */
tw__loop *tw__server_loop(tw_server *server);
tw__poller *tw__server_link_poller(tw_server *server);
tw__clockwork *tw__server_link_clockwork(tw_server *server); /* never paused */

/* The library's own log, from the config. */
const tw__log *tw__server_log(const tw_server *server);

#endif
