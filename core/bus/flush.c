/* flush.c - what waits for a peer, written in its turn: interests first, then
 * publications and what is ordered with them, questions, which may be about
 * them, and what this slot as a home owes it.
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/socket.h>

#include "bus/engine.h"

enum {
    /* What one peer may take of a turn, so that the others get theirs. */
    WRITE_TURN_BYTES = 1024 * 1024,
    RETRY_MS = 10, /* without memory */
};

/* Without memory the rest stays where it is, and a later turn tries again. */
static void fill(tw__peer *peer) {
    const tw__bus_config *config = &peer->bus->config;
    if (peer->outbox.level[TW__OUTBOX_DELIVERY] <=
        config->delivery_budget_bytes / 2) {
        peer->is_congested = false;
    }
    if (tw__interest_tell(peer) != 0 || tw__publish_tell(peer) != 0 ||
        tw__ask_tell(peer) != 0 || tw__deliver_tell(peer) != 0) {
        tw__clockwork_set(config->clockwork, &peer->retry, RETRY_MS);
    }
}

static void block(tw__peer *peer) {
    peer->is_blocked = true;
    if (tw__poller_modify(peer->bus->config.poller, &peer->io,
                          TW__READ | TW__WRITE) != 0) {
        tw__peer_reset(peer);
    }
}

/* Bytes written; 0 when there is nothing, the kernel is full or the stream
 * broke. */
static size_t write_some(tw__peer *peer) {
    tw__bus_stats *stats = &peer->bus->stats;
    size_t len;
    const uint8_t *data = tw__outbox_unsent(&peer->outbox, &len);
    if (len == 0) {
        return 0;
    }
    ssize_t sent;
    do {
        sent = send(peer->io.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        if (errno == EAGAIN) {
            block(peer);
        } else {
            tw__peer_reset(peer);
        }
        return 0;
    }
    stats->link_bytes_sent += (size_t)sent;
    stats->link_records_sent += tw__outbox_sent(&peer->outbox, (size_t)sent);
    if ((size_t)sent < len) {
        block(peer);
    }
    return (size_t)sent;
}

bool tw__peer_has_something(const tw__peer *peer) {
    return !tw__outbox_is_empty(&peer->outbox) ||
           !tw__list_is_empty(&peer->due) ||
           !tw__list_is_empty(&peer->asks_due) ||
           !tw__list_is_empty(&peer->confirms) ||
           !tw__list_is_empty(&peer->gaps) ||
           !tw__list_is_empty(&peer->questions) ||
           !tw__list_is_empty(&peer->publications);
}

bool tw__peer_flush(tw__peer *peer) {
    size_t written = 0;
    if (peer->state == TW__PEER_OFF) {
        tw__peer_open(peer);
    }
    while (peer->state == TW__PEER_OPEN && !peer->is_blocked &&
           written < WRITE_TURN_BYTES) {
        fill(peer);
        size_t len = write_some(peer);
        if (len == 0) {
            return false;
        }
        written += len;
    }
    return peer->state == TW__PEER_OPEN && !peer->is_blocked &&
           tw__peer_has_something(peer);
}
