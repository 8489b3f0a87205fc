/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bus/engine.h"
#include "tidewire/errors.h"

/* An old stream of a member that has opened a new one is read to its end; it
 * holds no more than the kernel does. */
enum { MAX_DRAIN_READS = 64 };

void tw__inlet_close(tw__inlet *inlet) {
    tw__bus *bus = inlet->bus;
    tw__peer *peer = inlet->peer;
    if (inlet->is_closed) {
        return;
    }
    inlet->is_closed = true;
    tw__poller_remove(bus->config.poller, &inlet->io);
    close(inlet->io.fd);
    inlet->io.fd = -1;
    tw__list_remove(&inlet->node);
    tw__list_push(&bus->dead_inlets, &inlet->node);
    if (peer != NULL && peer->inlet == inlet) {
        peer->inlet = NULL;
        tw__want_forget(peer);
    }
}

void tw__inlet_free_dead(tw__bus *bus) {
    tw__list *node;
    while ((node = tw__list_shift(&bus->dead_inlets)) != NULL) {
        tw__inlet *inlet = TW__CONTAINER(node, tw__inlet, node);
        tw__bytes_deinit(&inlet->partial);
        tw__free(inlet);
    }
}

/* The greeting is only noted here: what follows from it may read another
 * stream, and needs the buffer that this one was read into. */
static int note_greeting(tw__inlet *inlet, const tw__record *record) {
    const tw__bus *bus = inlet->bus;
    const tw__origin *origin = &record->header.origin;
    if (record->type != TW__RECORD_HELLO || record->header.offset == 0 ||
        origin->node != bus->config.node || origin->slot >= bus->members ||
        origin->slot == bus->config.slot) {
        return TW_EINVALID;
    }
    inlet->slot = origin->slot;
    inlet->incarnation = origin->incarnation;
    inlet->number = record->header.offset;
    return 0;
}

/* Handles the records at the front of `data`, none behind a greeting. 0 with
 * *taken the bytes that are done with, or what ends the stream. */
static int feed(tw__inlet *inlet, uint8_t *data, size_t len, size_t *taken) {
    int err = 0;
    size_t pos = 0, size;
    bool is_greeting = inlet->peer == NULL;
    while (err == 0 && !inlet->is_closed) {
        tw__record record;
        err = tw__record_parse(data + pos, len - pos, &record, &size);
        if (err != 0 || size == 0) {
            break;
        }
        inlet->bus->stats.link_records_received++;
        if (is_greeting) {
            err = note_greeting(inlet, &record);
            pos += size;
            break;
        }
        err = tw__dispatch(inlet->peer, &record, data + pos, size);
        pos += size;
    }
    *taken = pos;
    return err;
}

static int feed_and_keep(tw__inlet *inlet, uint8_t *data, size_t len) {
    size_t taken;
    int err = feed(inlet, data, len, &taken);
    if (err == 0 && !inlet->is_closed) {
        err = tw__bytes_append(&inlet->partial, data + taken, len - taken);
    }
    return err;
}

static bool answer(const tw__inlet *inlet) {
    const tw__bus_config *config = &inlet->bus->config;
    uint8_t bytes[TW__RECORD_HEADER];
    tw__record ack = {
        .type = TW__RECORD_HELLO_ACK,
        .header.origin = {config->node, config->incarnation, config->slot}};
    tw__record_write(bytes, &ack);
    return send(inlet->io.fd, bytes, sizeof bytes, MSG_NOSIGNAL) ==
           sizeof bytes;
}

static bool read_once(tw__inlet *inlet);

/* A stream that its sender gave up ends before the next begins; what the sender
 * had written on it still counts. */
static void drain(tw__inlet *old) {
    for (int i = 0; i < MAX_DRAIN_READS && read_once(old); i++) {
    }
    tw__inlet_close(old);
}

/* The sender of a noted greeting becomes known. */
static int enter(tw__inlet *inlet) {
    tw__peer *peer = &inlet->bus->peers[inlet->slot];
    if (peer->is_known && inlet->incarnation < peer->incarnation) {
        return TW_ECLOSED; /* what a dead one had left in the accept queue */
    }
    if (peer->inlet != NULL && peer->inlet->incarnation == inlet->incarnation) {
        drain(peer->inlet);
    }
    if (inlet->is_closed) {
        return 0;
    }
    tw__peer_learn(peer, inlet->incarnation);
    if (!answer(inlet)) {
        return TW_EIO;
    }
    inlet->peer = peer;
    peer->inlet = inlet;
    if (inlet->number > 1) {
        tw__interest_suspect(peer);
    }
    return 0;
}

/* Handles what has come, which stands in the shared buffer. */
static int take(tw__inlet *inlet, size_t len) {
    uint8_t *buffer = inlet->bus->read_buffer;
    int err = feed_and_keep(inlet, buffer, len);
    if (err != 0 || inlet->peer != NULL || inlet->number == 0) {
        return err;
    }
    err = enter(inlet);
    if (err != 0 || inlet->is_closed) {
        return err;
    }
    len = tw__bytes_len(&inlet->partial);
    if (len > 0) {
        memcpy(buffer, tw__bytes_data(&inlet->partial), len);
        tw__bytes_consume(&inlet->partial, len);
    }
    return feed_and_keep(inlet, buffer, len);
}

/* Closes the stream when `err` is not 0; returns whether it lives. */
static bool lives_after(tw__inlet *inlet, int err) {
    tw__bus_stats *stats = &inlet->bus->stats;
    if (err == TW_EINVALID) {
        stats->link_protocol_errors++;
        tw__log_printf(inlet->bus->config.log, TW_LOG_WARN,
                       "bus: malformed records from member %d",
                       inlet->peer != NULL ? (int)inlet->slot : -1);
    } else if (err == TW_ENOMEM) {
        stats->link_resets++;
    }
    if (err != 0) {
        tw__inlet_close(inlet);
    }
    return !inlet->is_closed;
}

/* As recv, but 0 also stands for an error, and -1 for "nothing there". */
static ssize_t receive(tw__inlet *inlet, uint8_t *place, size_t len) {
    ssize_t count;
    do {
        count = recv(inlet->io.fd, place, len, MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        inlet->bus->stats.link_bytes_received += (size_t)count;
    } else if (count < 0 && errno != EAGAIN) {
        count = 0;
    }
    return count;
}

static bool read_many(tw__inlet *inlet) {
    uint8_t *buffer = inlet->bus->read_buffer;
    size_t have = tw__bytes_len(&inlet->partial);
    ssize_t count = receive(inlet, buffer + have, TW__INLET_READ_BYTES - have);
    if (count < 0) {
        return false;
    }
    if (count == 0) {
        return lives_after(inlet, TW_ECLOSED);
    }
    if (have > 0) {
        memcpy(buffer, tw__bytes_data(&inlet->partial), have);
        tw__bytes_consume(&inlet->partial, have);
    }
    return lives_after(inlet, take(inlet, have + (size_t)count));
}

/* A part of a record that is longer than the buffer. */
static bool read_long(tw__inlet *inlet, size_t size) {
    tw__bytes *partial = &inlet->partial;
    size_t missing = size - tw__bytes_len(partial);
    uint8_t *place;
    if (inlet->peer == NULL) {
        return lives_after(inlet, TW_EINVALID);
    }
    if (tw__bytes_reserve(partial, missing, &place) != 0) {
        return lives_after(inlet, TW_ENOMEM);
    }
    ssize_t count = receive(inlet, place, missing);
    if (count <= 0) {
        return count == 0 ? lives_after(inlet, TW_ECLOSED) : false;
    }
    tw__bytes_commit(partial, (size_t)count);
    if ((size_t)count < missing) {
        return true;
    }
    size_t taken;
    int err = feed(inlet, tw__bytes_data(partial), size, &taken);
    tw__bytes_deinit(partial);
    return lives_after(inlet, err);
}

/* True when something was read and there may be more. */
static bool read_once(tw__inlet *inlet) {
    size_t size = tw__record_claimed(tw__bytes_data(&inlet->partial),
                                     tw__bytes_len(&inlet->partial));
    return size > TW__INLET_READ_BYTES ? read_long(inlet, size)
                                       : read_many(inlet);
}

static void on_io(tw__io *io, unsigned events) {
    (void)events; /* whatever it is, reading tells */
    read_once(TW__CONTAINER(io, tw__inlet, io));
}

void tw__inlet_accept(tw__bus *bus, int fd) {
    tw__inlet *inlet = tw__calloc(1, sizeof *inlet);
    if (inlet == NULL) {
        close(fd);
        return;
    }
    inlet->bus = bus;
    inlet->io = (tw__io){on_io, fd};
    tw__bytes_init(&inlet->partial);
    tw__list_init(&inlet->node);
    tw__list_push(&bus->inlets, &inlet->node);
    if (tw__poller_add(bus->config.poller, &inlet->io, TW__READ) != 0) {
        tw__inlet_close(inlet);
    }
}
