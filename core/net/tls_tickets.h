/* tls_tickets.h - the keys that session tickets are sealed with.
 *
 * All workers of a server derive the same keys from one secret, so that a
 * session begun with one is resumed by any other, and nothing is kept per
 * session. The secret belongs to an epoch of twelve hours and steps on by a
 * hash that cannot be run backwards: what is found in memory today does not
 * open the tickets of the day before yesterday. Tickets are taken for the
 * epoch they were made in and the next.
 *
 * Every process has its own copy and steps by itself; the epochs are of the
 * machine's monotonic clock, which they share. Never logged.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_NET_TLS_TICKETS_H
#define TW_NET_TLS_TICKETS_H

#include <stdint.h>

enum { TW__TLS_EPOCH_MS = 12 * 3600 * 1000 };

typedef struct tw__tls_ticket_key {
    uint8_t name[16], aes[32], mac[32];
} tw__tls_ticket_key;

typedef struct tw__tls_tickets {
    uint64_t _epoch; /* of the secret; one before the present one */
    uint8_t _secret[32];
    tw__tls_ticket_key _old, _present;
} tw__tls_tickets;

/* A new secret. */
void tw__tls_tickets_init(tw__tls_tickets *tickets, uint64_t now_ms);

/* Steps on when it is time. Cheap when not. */
void tw__tls_tickets_at(tw__tls_tickets *tickets, uint64_t now_ms);

void tw__tls_tickets_wipe(tw__tls_tickets *tickets);

#endif
