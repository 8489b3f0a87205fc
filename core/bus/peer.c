/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus/engine.h"
#include "tidewire/errors.h"

/* A stream that lasted so long shows that connecting is worth trying at once
 * again; one that did not keeps the pauses growing. */
enum { BACKOFF_MIN_MS = 10, BACKOFF_MAX_MS = 200, LASTED_MS = 1000 };

static bool is_home(const tw__peer *peer) {
    return peer->slot < peer->bus->config.slots;
}

static void close_stream(tw__peer *peer) {
    if (peer->io.fd >= 0) {
        tw__poller_remove(peer->bus->config.poller, &peer->io);
        close(peer->io.fd);
        peer->io.fd = -1;
    }
    peer->is_blocked = false;
}

/* A home always comes back, so its stream is opened again at once: that is how
 * interests get to the replacement. An extra member may be gone for good and
 * is called on only when something waits for it. */
static bool is_needed(const tw__peer *peer) {
    return is_home(peer) || peer->has_lost_answers ||
           tw__peer_has_something(peer) || !tw__list_is_empty(&peer->wants);
}

/* What waits for one that stays away fails, whoever it is; but only a home is
 * known to come back, and is not called on for what is new meanwhile. */
static void start_away(tw__peer *peer) {
    if (!peer->is_unavailable && !tw__wheel_is_set(&peer->away)) {
        tw__clockwork_set(peer->bus->config.clockwork, &peer->away,
                          peer->bus->config.away_ms);
    }
}

static void rest(tw__peer *peer) {
    close_stream(peer);
    if (!is_needed(peer)) {
        peer->state = TW__PEER_OFF;
        tw__clockwork_clear(peer->bus->config.clockwork, &peer->retry);
        return;
    }
    peer->state = TW__PEER_RESTING;
    start_away(peer);
    tw__clockwork_set(peer->bus->config.clockwork, &peer->retry,
                      peer->backoff_ms);
    peer->backoff_ms = peer->backoff_ms * 2 < BACKOFF_MAX_MS
                           ? peer->backoff_ms * 2
                           : BACKOFF_MAX_MS;
}

void tw__peer_give_up(tw__peer *peer, const char *why) {
    peer->bus->stats.link_resets++;
    tw__log_printf(peer->bus->config.log, TW_LOG_WARN,
                   "bus: stream to member %u is opened anew: %s", peer->slot,
                   why);
    tw__peer_reset(peer);
}

void tw__peer_reset(tw__peer *peer) {
    uint64_t now_ms = tw__loop_now(peer->bus->config.loop);
    if (peer->state == TW__PEER_OPEN && now_ms - peer->opened_ms >= LASTED_MS) {
        peer->backoff_ms = BACKOFF_MIN_MS;
    }
    if (peer->streams == 0 && !tw__outbox_is_empty(&peer->outbox)) {
        peer->streams++; /* what was for the first is lost */
    }
    tw__publish_recover(peer);
    tw__deliver_untell(peer);
    tw__interest_untell(peer);
    tw__ask_untell(peer);
    peer->is_congested = false;
    rest(peer);
}

static void fail_protocol(tw__peer *peer) {
    peer->bus->stats.link_protocol_errors++;
    tw__log_printf(peer->bus->config.log, TW_LOG_WARN,
                   "bus: member %u answers wrongly", peer->slot);
    tw__peer_reset(peer);
}

/* The first record of a stream. A fresh socket takes it whole. */
static bool greet(tw__peer *peer, int fd) {
    const tw__bus_config *config = &peer->bus->config;
    uint8_t bytes[TW__RECORD_HEADER];
    tw__record hello = {
        .type = TW__RECORD_HELLO,
        .header = {.origin = {config->node, config->incarnation, config->slot},
                   .offset = ++peer->streams}};
    tw__record_write(bytes, &hello);
    if (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) != sizeof bytes) {
        return false;
    }
    peer->bus->stats.link_records_sent++;
    peer->bus->stats.link_bytes_sent += sizeof bytes;
    return true;
}

static int connect_to(const tw__peer *peer, int *fd) {
    tw__address address;
    char text[sizeof address._storage + 16];
    if (peer->bus->dir == NULL) {
        return TW_EUNAVAILABLE;
    }
    snprintf(text, sizeof text, "unix:%s/bus.%u", peer->bus->dir, peer->slot);
    int err = tw__address_parse(&address, text);
    return err != 0 ? err : tw__socket_connect(&address, fd);
}

void tw__peer_open(tw__peer *peer) {
    int fd;
    if (connect_to(peer, &fd) != 0) {
        rest(peer);
        return;
    }
    peer->io.fd = fd;
    peer->answer_len = 0;
    if (!greet(peer, fd) ||
        tw__poller_add(peer->bus->config.poller, &peer->io, TW__READ) != 0) {
        rest(peer);
        return;
    }
    peer->state = TW__PEER_GREETING;
    start_away(peer);
}

static void on_opened(tw__peer *peer, uint32_t incarnation) {
    if (peer->is_known && incarnation < peer->incarnation) {
        tw__peer_reset(peer); /* the dead one's last word */
        return;
    }
    tw__peer_learn(peer, incarnation);
    tw__log_printf(peer->bus->config.log, TW_LOG_DEBUG,
                   "bus: linked to member %u, incarnation %u", peer->slot,
                   incarnation);
    peer->state = TW__PEER_OPEN;
    peer->opened_ms = tw__loop_now(peer->bus->config.loop);
    peer->is_unavailable = false;
    peer->has_lost_answers = false;
    tw__clockwork_clear(peer->bus->config.clockwork, &peer->away);
    peer->bus->stats.link_connects++;
    if (peer->streams > 1 && is_home(peer)) {
        peer->is_fresh = true;
        peer->bus->has_fresh = true;
        tw__bus_wake(peer->bus);
    }
    tw__peer_use(peer);
}

static void on_answer(tw__peer *peer) {
    tw__record record;
    size_t taken;
    if (tw__record_parse(peer->answer, peer->answer_len, &record, &taken) !=
            0 ||
        (taken != 0 && (record.type != TW__RECORD_HELLO_ACK ||
                        record.header.origin.node != peer->bus->config.node ||
                        record.header.origin.slot != peer->slot)) ||
        (taken == 0 && peer->answer_len == sizeof peer->answer)) {
        fail_protocol(peer);
    } else if (taken != 0) {
        on_opened(peer, record.header.origin.incarnation);
    }
}

/* Nothing but the answer is to be read; anything more is a mistake of the
 * other, and the end of the stream the end of the other. */
static void on_readable(tw__peer *peer) {
    uint8_t surplus;
    bool is_greeting = peer->state == TW__PEER_GREETING;
    ssize_t len = is_greeting
                      ? recv(peer->io.fd, peer->answer + peer->answer_len,
                             sizeof peer->answer - peer->answer_len, 0)
                      : recv(peer->io.fd, &surplus, sizeof surplus, 0);
    if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (len <= 0) {
        tw__peer_reset(peer);
    } else if (is_greeting) {
        peer->answer_len += (size_t)len;
        on_answer(peer);
    } else {
        fail_protocol(peer);
    }
}

static void on_io(tw__io *io, unsigned events) {
    tw__peer *peer = TW__CONTAINER(io, tw__peer, io);
    if (events & TW__WRITE && peer->is_blocked) {
        peer->is_blocked = false;
        tw__poller_modify(peer->bus->config.poller, io, TW__READ);
        tw__peer_use(peer);
    }
    if (events & TW__READ) {
        on_readable(peer);
    }
}

static void on_retry(tw__wheel_entry *entry) {
    tw__peer *peer = TW__CONTAINER(entry, tw__peer, retry);
    if (peer->state == TW__PEER_RESTING) {
        tw__peer_open(peer);
    } else {
        tw__peer_use(peer);
    }
}

static void on_away(tw__wheel_entry *entry) {
    tw__peer *peer = TW__CONTAINER(entry, tw__peer, away);
    peer->is_unavailable = is_home(peer);
    peer->has_lost_answers = false;
    tw__log_printf(peer->bus->config.log, TW_LOG_WARN,
                   "bus: member %u has been away for %u ms", peer->slot,
                   peer->bus->config.away_ms);
    tw__publish_fail(peer, TW_EUNAVAILABLE);
    if (!peer->bus->is_closing) {
        tw__ask_fail(peer, TW_EUNAVAILABLE);
    }
    if (!peer->bus->is_closing && peer->state == TW__PEER_RESTING &&
        !is_needed(peer)) {
        peer->state = TW__PEER_OFF;
        tw__clockwork_clear(peer->bus->config.clockwork, &peer->retry);
    }
}

void tw__peer_init(tw__peer *peer, tw__bus *bus, uint16_t slot) {
    memset(peer, 0, sizeof *peer);
    peer->bus = bus;
    peer->slot = slot;
    peer->io = (tw__io){on_io, -1};
    peer->retry.cb = on_retry;
    peer->away.cb = on_away;
    peer->backoff_ms = BACKOFF_MIN_MS;
    tw__outbox_init(&peer->outbox);
    tw__list_init(&peer->active);
    tw__list_init(&peer->interests);
    tw__list_init(&peer->due);
    tw__list_init(&peer->asks_due);
    tw__list_init(&peer->asks_sent);
    tw__list_init(&peer->questions);
    tw__list_init(&peer->waits);
    tw__list_init(&peer->publications);
    tw__list_init(&peer->wants);
    tw__list_init(&peer->confirms);
    tw__list_init(&peer->gaps);
}

void tw__peer_close(tw__peer *peer) {
    close_stream(peer);
    peer->state = TW__PEER_OFF;
    tw__clockwork_clear(peer->bus->config.clockwork, &peer->retry);
    tw__clockwork_clear(peer->bus->config.clockwork, &peer->away);
    tw__list_remove(&peer->active);
    tw__publish_recover(peer);
    tw__outbox_deinit(&peer->outbox);
}

void tw__peer_use(tw__peer *peer) {
    if (tw__list_is_empty(&peer->active)) {
        tw__list_push(&peer->bus->active, &peer->active);
        tw__loop_wake_for(peer->bus->config.loop, TW__TURN_LINK);
    }
}

void tw__peer_learn(tw__peer *peer, uint32_t incarnation) {
    if (peer->is_known && incarnation <= peer->incarnation) {
        return;
    }
    bool is_replaced = peer->is_known;
    peer->is_known = true;
    peer->incarnation = incarnation;
    if (!is_replaced) {
        return;
    }
    if (peer->inlet != NULL && peer->inlet->incarnation < incarnation) {
        tw__inlet_close(peer->inlet);
    }
    if (peer->state == TW__PEER_OPEN) {
        tw__peer_reset(peer);
    } else {
        tw__publish_recover(peer);
    }
}
