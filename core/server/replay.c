/* replay.c - what was missed, on its way to those who missed it.
 *
 * One answer is shared by all who were asked for together: its frames are made
 * once for each wire, and each connection's queue refers to those that it
 * missed.
 *
 * SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "server/codec.h"
#include "server/recover.h"
#include "server/server.h"

/* An answer, shared by those it is for; batches are made on first need. */
struct tw__recovery {
    uint32_t refs;
    uint32_t log_count, retained_count;
    tw__batch *log[TW__CODECS_MAX], *retained[TW__CODECS_MAX];
    tw__pub *pubs[]; /* the log, then the retained */
};

void tw__recovery_unref(tw__recovery *recovery) {
    if (recovery == NULL || --recovery->refs > 0) {
        return;
    }
    for (uint32_t i = 0; i < recovery->log_count + recovery->retained_count;
         i++) {
        tw__pub_unref(recovery->pubs[i]);
    }
    for (int i = 0; i < TW__CODECS_MAX; i++) {
        tw__batch_unref(recovery->log[i]);
        tw__batch_unref(recovery->retained[i]);
    }
    tw__free(recovery);
}

static uint32_t put_pubs(tw__recovery *recovery, uint32_t at,
                         tw__pub *const *pubs, size_t count,
                         uint64_t last_offset) {
    for (size_t i = 0; i < count && pubs[i]->header.offset <= last_offset;
         i++) {
        recovery->pubs[at++] = tw__pub_ref(pubs[i]);
    }
    return at;
}

tw__recovery *tw__recovery_create(const tw__kept *kept, uint64_t last_offset) {
    size_t count = kept->log_count + kept->retained_count;
    tw__recovery *recovery =
        tw__calloc(1, sizeof *recovery + count * sizeof recovery->pubs[0]);
    if (recovery != NULL) {
        recovery->refs = 1;
        recovery->log_count =
            put_pubs(recovery, 0, kept->log, kept->log_count, last_offset);
        recovery->retained_count =
            put_pubs(recovery, recovery->log_count, kept->retained,
                     kept->retained_count, last_offset) -
            recovery->log_count;
    }
    return recovery;
}

/* ---- what is whose ---- */

static uint32_t first_behind(tw__pub *const *pubs, uint32_t count,
                             uint64_t offset) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (pubs[middle]->header.offset <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Without a log the retained ones behind a position are all that there is to
 * know. */
static uint32_t first_retained(const tw__channel_interest *interest,
                               const tw__waiter *waiter,
                               const tw__recovery *recovery) {
    uint32_t count = recovery->retained_count;
    if (tw__recover_is_here(interest, waiter)) {
        return first_behind(recovery->pubs + recovery->log_count, count,
                            waiter->since.offset);
    }
    return waiter->last > 0 && waiter->last < count ? count - waiter->last : 0;
}

/* Not what was published on condition that this connection does not get it,
 * nor what is past its time. */
static bool is_for(const tw__waiter *waiter, const tw__pub *pub) {
    const tw_server *server = waiter->conn->server;
    const tw__pub_header *header = &pub->header;
    if (header->deadline_ms != 0 && header->deadline_ms <= tw__now(server)) {
        return false;
    }
    return header->except == 0 || header->origin.slot != server->slot ||
           header->origin.incarnation != server->incarnation ||
           header->except != tw_conn_handle(waiter->conn);
}

static uint32_t count_for(const tw__waiter *waiter, tw__pub *const *pubs,
                          uint32_t from, uint32_t count) {
    uint32_t n = 0;
    while (from < count) {
        n += is_for(waiter, pubs[from++]);
    }
    return n;
}

/* Who has no use for the log gets the newest of each key. */
void tw__recovery_choose(tw__recovery *recovery,
                         const tw__channel_interest *interest,
                         tw__waiter *waiter, uint64_t floor) {
    bool is_known = tw__recover_is_here(interest, waiter);
    uint64_t since = is_known ? waiter->since.offset
                              : tw__recover_since_of_last(interest, waiter);
    waiter->log_from = recovery->log_count;
    waiter->retained_from = recovery->retained_count;
    if (tw__recover_has_log(interest) && (is_known || waiter->last > 0)) {
        waiter->log_from =
            first_behind(recovery->pubs, recovery->log_count, since);
    } else {
        waiter->retained_from = first_retained(interest, waiter, recovery);
    }
    waiter->result.recovered = is_known && since >= floor;
    waiter->result.count =
        count_for(waiter, recovery->pubs, waiter->log_from,
                  recovery->log_count) +
        count_for(waiter, recovery->pubs + recovery->log_count,
                  waiter->retained_from, recovery->retained_count);
    waiter->recovery = recovery;
    recovery->refs++;
}

/* ---- sending ---- */

static tw__batch *batch_of(tw__recovery *recovery, tw_conn *conn,
                           const tw__channel *channel, bool is_log) {
    uint8_t codec = tw__conn_codec(conn)->number;
    tw__batch **place =
        is_log ? &recovery->log[codec] : &recovery->retained[codec];
    if (*place == NULL) {
        *place = tw__batch_create_of(
            channel->hub->encoders[codec],
            recovery->pubs + (is_log ? 0 : recovery->log_count),
            is_log ? recovery->log_count : recovery->retained_count,
            channel->number);
        if (*place != NULL) {
            (*place)->row = channel->class.row;
        }
    }
    return *place;
}

/* Beyond the budget: it is bounded, and who just came is not slow. */
static bool push(tw_conn *conn, tw__batch *batch, uint32_t i) {
    tw_server *server = conn->server;
    tw__count_fate(server, batch->row, TW__INTENDED, 1);
    if (conn->state != TW__CONN_OPEN || tw__conn_out(conn) == NULL) {
        tw__count_fate(server, batch->row, TW__CLOSED, 1);
        return false;
    }
    if (tw__outq_push_frame(conn->out, &server->pins, batch, i, 0) != 0) {
        tw__count_fate(server, batch->row, TW__DROPPED, 1);
        return false;
    }
    conn->out->allowed_bytes += batch->frames[i].len;
    return true;
}

/* `pubs` are those of the batch. */
static bool replay(const tw__waiter *waiter, tw__batch *batch,
                   tw__pub *const *pubs, uint32_t from, uint32_t count) {
    bool is_fine = from == count || batch != NULL;
    for (uint32_t i = from; is_fine && i < count; i++) {
        is_fine = !is_for(waiter, pubs[i]) || push(waiter->conn, batch, i);
    }
    return is_fine;
}

/* What cannot be sent for want of memory must not be missed without a word. */
void tw__recover_replay(tw__waiter *waiter, const tw__channel *channel) {
    tw_conn *conn = waiter->conn;
    tw__recovery *all = waiter->recovery;
    if (all == NULL || conn->state != TW__CONN_OPEN) {
        return;
    }
    bool has_logged = waiter->log_from < all->log_count;
    bool has_retained = waiter->retained_from < all->retained_count;
    bool is_fine =
        replay(waiter, has_logged ? batch_of(all, conn, channel, true) : NULL,
               all->pubs, waiter->log_from, all->log_count) &&
        replay(waiter,
               has_retained ? batch_of(all, conn, channel, false) : NULL,
               all->pubs + all->log_count, waiter->retained_from,
               all->retained_count);
    if (!is_fine && conn->state == TW__CONN_OPEN) {
        tw__conn_close(conn, TW__WS_CLOSE_TRY_LATER, "out of memory", 13);
    }
}
