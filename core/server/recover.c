/* recover.c - what a subscriber missed: asked of the channel's home, and sent
 * before what is live.
 *
 * Those who ask at the same time are asked for together, from the oldest of
 * their positions on, so that ten thousand who come back cost the home a few
 * questions. The answer says where the channel stood; what this worker has
 * delivered stands at the interest's position: each gets of the answer what
 * lies between its own position and that, and joins there. Nothing is missed
 * or doubled, whatever is published meanwhile.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "server/codec.h"
#include "server/interest.h"
#include "server/server.h"

enum { ASK_AT_ONCE = 1000 }; /* as many hooks go on in one turn */

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

/* What lies behind `last_offset` will come live. */
static tw__recovery *create(const tw__kept *kept, uint64_t last_offset) {
    size_t count = kept->log_count + kept->retained_count;
    tw__recovery *recovery =
        tw__calloc(1, sizeof *recovery + count * sizeof recovery->pubs[0]);
    if (recovery != NULL) {
        recovery->refs = 1;
        recovery->log_count = put_pubs(recovery, 0, kept->log, kept->log_count,
                                       last_offset);
        recovery->retained_count =
            put_pubs(recovery, recovery->log_count, kept->retained,
                     kept->retained_count, last_offset) -
            recovery->log_count;
    }
    return recovery;
}

/* ---- what is whose ---- */

/* A position of another epoch is none of this channel's. */
static bool is_ours(const tw__channel_interest *interest,
                    const tw__waiter *waiter) {
    return waiter->has_since && tw__is_positioned(&interest->position) &&
           strcmp(waiter->since.epoch, interest->position.epoch) == 0;
}

/* One that is ahead of this worker is of the future, or of a worker that is
 * quicker. */
static bool is_here(const tw__channel_interest *interest,
                    const tw__waiter *waiter) {
    return is_ours(interest, waiter) &&
           waiter->since.offset <= interest->position.offset;
}

static bool has_log(const tw__channel_interest *interest) {
    return interest->channel->class.history > 0;
}

/* The newest `last` of the log. */
static uint64_t since_of_last(const tw__channel_interest *interest,
                              const tw__waiter *waiter) {
    uint64_t top = interest->position.offset;
    return waiter->last < top ? top - waiter->last : 0;
}

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
    if (is_here(interest, waiter)) {
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
static void choose(tw__channel_interest *interest, tw__waiter *waiter,
                   tw__recovery *recovery, uint64_t floor) {
    bool is_known = is_here(interest, waiter);
    uint64_t since =
        is_known ? waiter->since.offset : since_of_last(interest, waiter);
    waiter->log_from = recovery->log_count;
    waiter->retained_from = recovery->retained_count;
    if (has_log(interest) && (is_known || waiter->last > 0)) {
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

/* ---- joining ---- */

static void join(tw__channel_interest *interest, tw__waiter *waiter,
                 int status) {
    tw__channel_interest_answer(interest->server, waiter,
                                status == 0 ? tw__waiter_join(waiter) : status);
}

/* It has all that has come here. */
static bool is_up_to_date(const tw__channel_interest *interest,
                          const tw__waiter *waiter) {
    return is_ours(interest, waiter) &&
           waiter->since.offset == interest->position.offset;
}

/* Whether what is kept can be of use. */
static bool needs_kept(const tw__channel_interest *interest,
                       const tw__waiter *waiter) {
    if (is_ours(interest, waiter)) {
        return !is_up_to_date(interest, waiter);
    }
    return tw__is_positioned(&interest->position) &&
           (interest->channel->class.retain > 0 || waiter->last > 0);
}

/* While subscribers are to be told of a gap nobody joins who was not there: it
 * is none of his. */
bool tw__recover_is_due(const tw__channel_interest *interest,
                        const tw__waiter *waiter) {
    return interest->is_lapsing || is_ours(interest, waiter) ||
           needs_kept(interest, waiter);
}

void tw__recover_join(tw__channel_interest *interest, tw__waiter *waiter) {
    tw__list_remove(&waiter->node);
    if (interest->is_lapsing || needs_kept(interest, waiter)) {
        tw__list_push(&interest->recovering, &waiter->node);
        return;
    }
    waiter->result.recovered = is_up_to_date(interest, waiter);
    join(interest, waiter, 0);
}

/* ---- asking ---- */

/* Those who were asked for are the first to be asked for again. */
static void put_back_asked(tw__channel_interest *interest) {
    tw__list_move_all(&interest->asked, &interest->recovering);
    tw__list_move_all(&interest->recovering, &interest->asked);
}

/* False: it cannot be told yet what it misses. A position that even the home
 * has not reached is of no use, and then there may be others that are. */
static bool is_ready(tw__channel_interest *interest, tw__waiter *waiter,
                     const tw__kept *kept) {
    if (!is_ours(interest, waiter) || is_here(interest, waiter)) {
        return true;
    }
    if (waiter->since.offset > kept->position.offset) {
        waiter->since.epoch[0] = '\0';
        return !needs_kept(interest, waiter);
    }
    return false;
}

static void answer(tw__channel_interest *interest, int status,
                   const tw__kept *kept) {
    tw__recovery *recovery =
        status == 0 ? create(kept, interest->position.offset) : NULL;
    tw__list now, *node;
    tw__list_init(&now);
    tw__list_move_all(&now, &interest->asked);
    while ((node = tw__list_shift(&now)) != NULL) {
        tw__waiter *waiter = TW__CONTAINER(node, tw__waiter, node);
        if (recovery != NULL && !is_ready(interest, waiter, kept)) {
            tw__list_push(&interest->recovering, node);
            continue;
        }
        if (recovery != NULL) {
            choose(interest, waiter, recovery, kept->floor);
        }
        join(interest, waiter, status == TW_ECLOSED ? status : 0);
    }
    tw__recovery_unref(recovery);
}

/* An engine may answer from before this worker's position: then it is asked
 * again. So it is when there is another epoch than when it was asked, and while
 * those who were there are to be told of a gap. */
static bool is_of_no_use(tw__channel_interest *interest, int status,
                         const tw__kept *kept) {
    bool is_stale = interest->is_recovery_stale;
    interest->is_recovery_stale = false;
    if (status == TW_ECLOSED) {
        return false;
    }
    return is_stale || interest->is_lapsing ||
           (status == 0 &&
            strcmp(kept->position.epoch, interest->position.epoch) == 0 &&
            kept->position.offset < interest->position.offset);
}

static void take_answer(tw__channel_interest *interest, int status,
                        const tw__kept *kept) {
    bool is_other = status == 0 && strcmp(kept->position.epoch,
                                          interest->position.epoch) != 0;
    if (is_other) {
        answer(interest, TW_EUNAVAILABLE, NULL);
        return;
    }
    if (status == 0 && kept->position.offset > interest->position.offset) {
        tw__position_doubt(interest);
    }
    answer(interest, status, kept);
}

static void on_kept(int status, const tw__kept *kept, void *arg) {
    tw__channel_interest *interest = arg;
    interest->callbacks--;
    if (tw__channel_interest_is_over(interest)) {
        return;
    }
    interest->is_recovering = false;
    if (is_of_no_use(interest, status, kept)) {
        put_back_asked(interest);
    } else {
        take_answer(interest, status, kept);
    }
    tw__recover_run(interest);
}

/* Those who have a position are not asked for together with those who want all
 * that is retained: the older would be sent for nothing. */
static bool wants_all(const tw__channel_interest *interest,
                      const tw__waiter *waiter) {
    return !is_ours(interest, waiter) &&
           (waiter->last == 0 || !has_log(interest));
}

/* From where on it has to be told; the home may be ahead of this worker. */
static uint64_t since_of(const tw__channel_interest *interest,
                         const tw__waiter *waiter) {
    if (is_here(interest, waiter)) {
        return waiter->since.offset;
    }
    return is_ours(interest, waiter) ? interest->position.offset
                                     : since_of_last(interest, waiter);
}

/* Takes the first of those who wait, and those who want the same. Who needs
 * nothing any more joins. */
static void choose_asked(tw__channel_interest *interest,
                         tw__kept_query *query) {
    tw__list all, *node;
    unsigned count = 0;
    bool is_all = false;
    tw__list_init(&all);
    tw__list_move_all(&all, &interest->recovering);
    query->since.offset = UINT64_MAX;
    while ((node = tw__list_shift(&all)) != NULL) {
        tw__waiter *waiter = TW__CONTAINER(node, tw__waiter, node);
        if (!needs_kept(interest, waiter)) {
            tw__recover_join(interest, waiter);
            continue;
        }
        is_all = count == 0 ? wants_all(interest, waiter) : is_all;
        if (count >= ASK_AT_ONCE || wants_all(interest, waiter) != is_all) {
            tw__list_push(&interest->recovering, node);
            continue;
        }
        uint64_t since = since_of(interest, waiter);
        if (since < query->since.offset) {
            query->since.offset = since;
        }
        tw__list_push(&interest->asked, node);
        count++;
    }
    query->what = is_all ? TW__KEPT_RETAINED
                         : TW__KEPT_LOG | TW__KEPT_RETAINED | TW__KEPT_SINCE;
    if (is_all) {
        query->since = (tw__position){0};
    }
}

static void ask(tw__channel_interest *interest) {
    tw_server *server = interest->server;
    tw__broker *broker = server->broker;
    const tw__channel *channel = interest->channel;
    tw__kept_query query = {.limit_bytes = server->config.recover_limit_bytes,
                            .since = interest->position};
    choose_asked(interest, &query);
    if (tw__list_is_empty(&interest->asked)) {
        return;
    }
    int err = broker->ops->kept(broker, channel->name, channel->name_len,
                                &query, on_kept, interest);
    if (err == 0) {
        interest->is_recovering = true;
        interest->callbacks++;
    } else {
        answer(interest, err, NULL);
    }
}

/* Not while the channel has a hole: who asks for what is behind it would have
 * to ask again. */
void tw__recover_run(tw__channel_interest *interest) {
    while (!interest->is_recovering &&
           !tw__list_is_empty(&interest->recovering) &&
           !tw__position_is_waiting(interest)) {
        ask(interest);
    }
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
