/* deliver.c - publications on their way to subscribers of this worker.
 *
 * Most subscribers take the whole batch with one send from the channel's array,
 * without their connection being touched. All others get references to frames
 * in their queue, where the class of the channel decides when it is full.
 *
 * SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "server/interest.h"
#include "server/people.h"
#include "server/server.h"

enum { GATHER_MAX_BYTES = 262144 }; /* a batch is not made to wait longer */

/* ---- arrival ---- */

static tw__sub *find_excepted(tw_server *server, const tw__pub *pub,
                              const tw__channel *channel) {
    const tw__pub_header *header = &pub->header;
    if (header->except == 0 || header->origin.slot != server->slot ||
        header->origin.incarnation != server->incarnation) {
        return NULL;
    }
    tw_conn *conn = tw_server_find(server, header->except);
    tw__sub *sub = conn != NULL ? tw__conn_find_sub(conn, channel) : NULL;
    return sub != NULL && sub->index != TW__NOT_JOINED ? sub : NULL;
}

void tw__channel_make_due(tw_server *server, tw__channel *channel,
                          bool was_empty) {
    tw__channel_interest *interest = channel->user;
    if (channel->class.batch_ms == 0 || interest == NULL ||
        channel->pending_bytes > GATHER_MAX_BYTES) {
        tw__channel_set_due(channel);
        tw__loop_wake_for(&server->loop, TW__TURN_HUB);
    } else if (was_empty) {
        tw__clockwork_set(&server->link_clock, &interest->batch,
                          channel->class.batch_ms);
    }
}

bool tw__server_is_full(const tw_server *server, const tw__channel *channel,
                        const tw__pub *pub) {
    return channel->pending_count > 0 &&
           channel->pending_bytes + pub->len >
               server->config.delivery_budget_bytes;
}

void tw__server_drop_pub(tw_server *server, const tw__channel *channel) {
    uint64_t lost = tw__channel_len(channel);
    tw__count_fate(server, channel->class.row, TW__INTENDED, lost);
    tw__count_fate(server, channel->class.row, TW__DROPPED, lost);
}

void tw__server_enter_pub(tw_server *server, tw__channel *channel,
                          tw__pub *pub) {
    bool was_empty = channel->pending_count == 0;
    if (!tw__list_is_empty(&server->folk.subscriptions)) {
        tw__subscriptions_hear(server, pub);
    }
    if (tw__server_is_full(server, channel, pub)) {
        tw__server_drop_pub(server, channel);
        tw__pub_unref(pub);
        return;
    }
    tw__sub *except = find_excepted(server, pub, channel);
    tw__count_fate(server, channel->class.row, TW__INTENDED,
                   tw__channel_publish(channel, pub, except));
    if (channel->pending_count > 0) {
        tw__channel_make_due(server, channel, was_empty);
    }
}

void tw__server_on_publication(void *arg, tw__pub *pub) {
    tw_server *server = arg;
    tw__channel *channel =
        tw__hub_find(&server->hub, tw__pub_channel(pub), pub->channel_len);
    tw__count(server, TW_COUNTER_RECEIVED, 1);
    if (channel == NULL || channel->user == NULL) {
        tw__pub_unref(pub);
    } else {
        tw__position_take(channel->user, pub);
    }
}

static tw__channel_interest *find_interest(tw_server *server, const char *name,
                                           size_t len) {
    tw__channel *channel = tw__hub_find(&server->hub, name, len);
    return channel != NULL ? channel->user : NULL;
}

/* Where nothing is kept a wire that has no word for a gap is not told; it is
 * counted by the engine. */
void tw__server_on_gap(void *arg, const char *name, size_t len, uint64_t lost) {
    tw_server *server = arg;
    tw__channel_interest *interest = find_interest(server, name, len);
    tw__log_printf(&server->log, TW_LOG_DEBUG, "gap of %llu in channel %.*s",
                   (unsigned long long)lost, (int)len, name);
    if (interest != NULL) {
        tw__position_doubt(interest);
        tw__presence_lost_news(server, interest->channel);
    }
}

void tw__server_on_position(void *arg, const char *name, size_t len,
                            const tw__position *position) {
    tw__channel_interest *interest = find_interest(arg, name, len);
    if (interest != NULL) {
        tw__position_set(interest, position);
    }
}

/* ---- the slow path ----
 *
 * Frames that leave a queue are counted by their class there (outq.c) and in
 * all by who took them out. */

static void note_slow(tw_conn *conn, const tw__channel *channel,
                      uint64_t dropped) {
    tw_server *server = conn->server;
    tw__count(server, TW_COUNTER_SLOW_EVENTS, 1);
    tw__extra *extra = tw__conn_extra(conn);
    if (extra == NULL || !(conn->route->config.hooks & TW_HOOK_SLOW)) {
        return;
    }
    if (!(conn->flags & TW__DUE_SLOW)) {
        extra->slow_len = channel->name_len;
        memcpy(extra->slow_channel, channel->name, channel->name_len + 1u);
    }
    extra->slow_dropped += dropped;
    conn->flags |= TW__DUE_SLOW;
    tw__conn_schedule(conn);
}

static bool fits(const tw_conn *conn, size_t len) {
    const tw__outq *queue = conn->out;
    return queue->frame_bytes == 0 ||
           queue->frame_bytes + len <=
               conn->server->config.publication_budget_bytes +
                   queue->allowed_bytes;
}

static void close_slow(tw_conn *conn, const tw__channel *channel) {
    tw_server *server = conn->server;
    uint64_t dropped = tw__outq_drop_frames(conn->out, &server->pins, 0);
    tw__count(server, TW_COUNTER_CLOSED_LOSS, dropped);
    tw__count_fate(server, channel->class.row, TW__CLOSED, 1);
    tw__count(server, TW_COUNTER_CLOSED_SLOW, 1);
    tw__conn_close(conn, TW__WS_CLOSE_TRY_LATER, "too slow", 8);
}

/* Makes room by giving up older frames of the same channel. False: there is
 * none to give up. */
static bool make_room(tw_conn *conn, const tw__channel *channel, size_t len,
                      uint64_t *dropped) {
    tw_server *server = conn->server;
    if (channel->class.slow == TW_SLOW_CONFLATE) {
        uint32_t merged =
            tw__outq_conflate(conn->out, &server->pins, channel->number);
        tw__count(server, TW_COUNTER_CONFLATED, merged);
        *dropped += merged;
    }
    while (!fits(conn, len)) {
        if (!tw__outq_drop_oldest(conn->out, &server->pins, channel->number)) {
            return false;
        }
        tw__count(server, TW_COUNTER_DROPPED, 1);
        ++*dropped;
    }
    return true;
}

/* The first offset behind `i` in the batch, or else of what has gathered; 0:
 * there is none. */
static uint64_t first_from(const tw__channel *channel, const tw__batch *batch,
                           uint32_t i) {
    for (; i < batch->count; i++) {
        if (batch->frames[i].offset != 0) {
            return batch->frames[i].offset;
        }
    }
    for (const tw__list *node = channel->pending.next;
         node != &channel->pending; node = node->next) {
        uint64_t offset = TW__CONTAINER(node, tw__pub, node)->header.offset;
        if (offset != 0) {
            return offset;
        }
    }
    return 0;
}

/* Up to where the connection has all, when what is queued is given up and frame
 * `i` does not come. Frames of an older epoch may be queued: the lowest offset
 * is never too high in the newer one, either. */
static tw__position position_before(const tw_conn *conn,
                                    const tw__channel *channel,
                                    const tw__batch *batch, uint32_t i) {
    const tw__channel_interest *interest = channel->user;
    const uint64_t firsts[] = {
        tw__outq_first_offset(conn->out, channel->number),
        first_from(channel, batch, i)};
    tw__position since = {0};
    if (interest == NULL || !tw__is_positioned(&interest->position)) {
        return since;
    }
    since = interest->is_lapsing ? interest->lapsed : interest->position;
    for (int n = 0; n < 2; n++) {
        if (firsts[n] != 0 && firsts[n] <= since.offset) {
            since.offset = firsts[n] - 1;
        }
    }
    return since;
}

/* Gives up what is queued of the channel, and frame `i` of the batch with it.
 */
static void resync(tw_conn *conn, const tw__channel *channel,
                   const tw__batch *batch, uint32_t i) {
    tw_server *server = conn->server;
    tw__position since = position_before(conn, channel, batch, i);
    uint64_t dropped =
        tw__outq_give_up(conn->out, &server->pins, channel->number);
    tw__count(server, TW_COUNTER_DROPPED, dropped);
    note_slow(conn, channel, dropped + 1);
    tw__conn_lapse(conn, tw__conn_find_sub(conn, channel), &since, true);
}

/* The queue is full. True: the frame may be queued now. */
static bool answer_full(tw_conn *conn, const tw__channel *channel,
                        const tw__batch *batch, uint32_t i) {
    uint64_t dropped = 0;
    size_t len = batch->frames[i].len;
    bool has_room = false;
    if (channel->class.slow == TW_SLOW_RESYNC) {
        tw__count_fate(conn->server, channel->class.row, TW__DROPPED, 1);
        resync(conn, channel, batch, i);
        return false;
    }
    if (channel->class.slow == TW_SLOW_CLOSE) {
        note_slow(conn, channel, 1);
        close_slow(conn, channel);
        return false;
    }
    if (channel->class.slow != TW_SLOW_DROP_NEW) {
        has_room = make_room(conn, channel, len, &dropped);
    }
    if (!has_room) {
        tw__count_fate(conn->server, channel->class.row, TW__DROPPED, 1);
        dropped++;
    }
    note_slow(conn, channel, dropped);
    return has_room;
}

/* With an earlier frame of the batch that is walked. */
static bool has_lapsed(const tw_conn *conn, const tw__channel *channel) {
    if (channel->class.slow != TW_SLOW_RESYNC) {
        return false;
    }
    const tw__sub *sub = tw__conn_find_sub(conn, channel);
    return sub == NULL || sub->index == TW__NOT_JOINED;
}

/* Where it is kept nobody misses a publication without a word. */
static void close_unsent(tw_conn *conn, const tw__channel *channel) {
    const tw__channel_interest *interest = channel->user;
    if (conn->state == TW__CONN_OPEN && interest != NULL &&
        tw__is_positioned(&interest->position)) {
        tw__conn_close(conn, TW__WS_CLOSE_TRY_LATER, "out of memory", 13);
    }
}

/* False: the connection takes no more. */
static bool queue_frame(tw_conn *conn, const tw__channel *channel,
                        tw__batch *batch, uint32_t i) {
    tw_server *server = conn->server;
    const tw__frame *frame = &batch->frames[i];
    if (conn->state != TW__CONN_OPEN || tw__conn_out(conn) == NULL) {
        return false;
    }
    if (has_lapsed(conn, channel)) {
        tw__count_fate(server, batch->row, TW__DROPPED, 1);
        return true;
    }
    if (frame->deadline_ms != 0 && frame->deadline_ms <= tw__now(server)) {
        tw__count_fate(server, batch->row, TW__EXPIRED, 1);
        return true;
    }
    if (!fits(conn, frame->len) && !(conn->flags & TW__WANT_WRITE)) {
        tw__conn_flush(conn); /* not slow, only much in one turn */
        if (conn->state != TW__CONN_OPEN || tw__conn_out(conn) == NULL) {
            return false;
        }
    }
    if (!fits(conn, frame->len) && !answer_full(conn, channel, batch, i)) {
        return true;
    }
    if (tw__outq_push_frame(conn->out, &server->pins, batch, i, 0) != 0) {
        tw__count_fate(server, batch->row, TW__DROPPED, 1);
        close_unsent(conn, channel);
    }
    return true;
}

/* What a connection that closes does not get any more counts as closed; the
 * frame that closed it has been counted. */
static void queue_run(tw_conn *conn, const tw__channel *channel,
                      tw__batch *batch, uint32_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (!queue_frame(conn, channel, batch, first + i)) {
            tw__count_fate(conn->server, batch->row, TW__CLOSED, count - i);
            close_unsent(conn, channel);
            return;
        }
    }
}

/* ---- the fast path ---- */

/* The kernel took `sent` bytes of a whole batch: the frames behind that place
 * are queued, the first perhaps in part. */
static void queue_rest(tw_conn *conn, const tw__channel *channel,
                       tw__batch *batch, size_t sent) {
    tw_server *server = conn->server;
    uint32_t i = 0;
    while (i < batch->count &&
           batch->frames[i].off + batch->frames[i].len <= sent) {
        i++;
    }
    tw__count_fate(server, batch->row, TW__DELIVERED, i);
    tw__count(server, TW_COUNTER_BYTES_OUT, sent);
    uint32_t skip = (uint32_t)sent - batch->frames[i].off;
    if (tw__conn_out(conn) == NULL ||
        tw__outq_push_frame(conn->out, &server->pins, batch, i, skip) != 0) {
        tw__count_fate(server, batch->row, TW__CLOSED, batch->count - i);
        tw__conn_cut(conn); /* a frame begun cannot be taken back */
        return;
    }
    if (i + 1 < batch->count) {
        queue_run(conn, channel, batch, i + 1, batch->count - i - 1);
    }
}

/* Some frame must not be sent any more: it expired while the batch gathered, or
 * while a large channel is walked. The slow path looks at each. */
static bool has_expired(const tw_server *server, const tw__batch *batch) {
    return batch->deadline_ms != 0 && batch->deadline_ms <= tw__now(server);
}

void tw__server_deliver(void *arg, tw__sub *sub, int fd, tw__channel *channel,
                        tw__batch *batch, uint32_t first, uint32_t count) {
    tw_server *server = arg;
    if (fd >= 0 && !has_expired(server, batch)) {
        ssize_t sent =
            send(fd, batch->data, batch->len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent == (ssize_t)batch->len) {
            tw__count(server, TW_COUNTER_WRITES, 1);
            tw__count_fate(server, batch->row, TW__DELIVERED, count);
            tw__count(server, TW_COUNTER_BYTES_OUT, batch->len);
            return;
        }
        if (sent > 0) {
            queue_rest(sub->owner, channel, batch, (size_t)sent);
            return;
        }
        if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
            tw__count_fate(server, batch->row, TW__CLOSED, count);
            tw__conn_lost(sub->owner);
            return;
        }
    }
    queue_run(sub->owner, channel, batch, first, count);
}

void tw__server_lost(void *arg, tw__channel *channel, uint64_t lost) {
    tw_server *server = arg;
    if (channel->user != NULL) {
        tw__position_lost(channel->user);
    }
    tw__count_fate(server, channel->class.row, TW__DROPPED, lost);
    tw__log_write(&server->log, TW_LOG_ERROR,
                  "no memory to deliver a publication", "channel",
                  channel->name, NULL);
}
