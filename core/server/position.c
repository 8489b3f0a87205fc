/* position.c - keeps what goes into a channel on this worker without holes.
 *
 * Where the home keeps a channel its publications are numbered. One that does
 * not follow the last shows a hole: it is held with all that comes behind it,
 * what is missing is asked for, and then all go on in order. What cannot be had
 * any more, and a home that begins to count anew, is told to the subscribers
 * (lapse.c), when the channel has been walked: they have by then all that came
 * before. A channel in which too much has gathered takes nothing either until
 * it has been walked, so that nothing has to be dropped.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "server/interest.h"
#include "server/server.h"

#define PUB(place) TW__CONTAINER(place, tw__pub, node)

static bool is_waiting(const tw__channel_interest *interest) {
    return interest->is_filling || interest->is_lapsing || interest->is_pausing;
}

bool tw__position_is_waiting(const tw__channel_interest *interest) {
    return is_waiting(interest);
}

static void enter(tw__channel_interest *interest, tw__pub *pub) {
    if (pub->header.offset != 0 && tw__is_positioned(&interest->position)) {
        interest->position.offset = pub->header.offset;
    }
    tw__server_enter_pub(interest->server, interest->channel, pub);
}

/* ---- until the channel is walked ---- */

static bool is_quiet(const tw__channel *channel) {
    return channel->pending_count == 0 && channel->walk_count == 0;
}

static void wait_for_walk(tw__channel_interest *interest) {
    tw_server *server = interest->server;
    if (tw__list_is_empty(&interest->lapsing)) {
        tw__list_push(&server->lapsing, &interest->lapsing);
    }
    if (!is_quiet(interest->channel)) {
        tw__channel_set_due(interest->channel); /* a batch may wait for more */
    }
    tw__loop_wake_for(&server->loop, TW__TURN_HUB);
}

static void rest(tw__channel_interest *interest) {
    interest->is_pausing = true;
    wait_for_walk(interest);
}

/* Nothing enters the channel until this is done. */
static void begin_lapse(tw__channel_interest *interest,
                        const tw__position *since) {
    if (!interest->is_lapsing) { /* else the older position tells of both */
        interest->lapsed = *since;
        interest->is_lapsing = true;
        wait_for_walk(interest);
    }
}

/* A member that leaves while we walk makes the last take its place, which was
 * walked already: from the end to the front. */
static void lapse_all(tw__channel_interest *interest) {
    tw__channel *channel = interest->channel;
    tw__count(interest->server, TW_COUNTER_GAPS_TOLD, 1);
    for (uint32_t i = channel->count; i-- > 0;) {
        tw__sub *sub = channel->members[i].sub;
        if (sub != NULL) {
            tw__conn_lapse(sub->owner, sub, &interest->lapsed, false);
        }
    }
}

static void go_on(tw__channel_interest *interest);

/* Who cannot be told for want of memory is closed, and may be the last one. */
static void end_wait(tw__channel_interest *interest) {
    tw__channel *channel = interest->channel;
    bool is_lapsing = interest->is_lapsing;
    interest->is_lapsing = interest->is_pausing = false;
    channel->refs++;
    if (is_lapsing) {
        lapse_all(interest);
    }
    if (channel->user == interest) {
        go_on(interest);
    }
    tw__channel_close(channel);
}

void tw__position_run(tw_server *server) {
    tw__list now, *node;
    tw__list_init(&now);
    tw__list_move_all(&now, &server->lapsing);
    while ((node = tw__list_shift(&now)) != NULL) {
        tw__channel_interest *interest =
            TW__CONTAINER(node, tw__channel_interest, lapsing);
        if (is_quiet(interest->channel)) {
            end_wait(interest);
        } else {
            tw__list_push(&server->lapsing, node);
        }
    }
}

/* ---- what is held ---- */

static void hold(tw__channel_interest *interest, tw__pub *pub) {
    tw__list_push(&interest->held, &pub->node);
    interest->held_bytes += tw__pub_size(pub);
}

static tw__pub *shift_held(tw__channel_interest *interest) {
    tw__list *node = tw__list_shift(&interest->held);
    if (node == NULL) {
        return NULL;
    }
    interest->held_bytes -= tw__pub_size(PUB(node));
    return PUB(node);
}

static void drop_held(tw__channel_interest *interest) {
    tw__pub *pub;
    while ((pub = shift_held(interest)) != NULL) {
        tw__pub_unref(pub);
    }
}

static bool may_hold(const tw__channel_interest *interest, const tw__pub *pub) {
    return interest->held_bytes + tw__pub_size(pub) <=
           interest->server->config.delivery_budget_bytes;
}

/* What has an offset becomes a hole, which is looked for afterwards. */
static void refuse(tw__channel_interest *interest, tw__pub *pub) {
    if (pub->header.offset != 0) {
        interest->is_doubtful = true;
    } else {
        tw__server_drop_pub(interest->server, interest->channel);
    }
    tw__pub_unref(pub);
}

/* ---- a hole ---- */

/* The home has less than is missing, or does not answer: what there is goes on
 * behind the gap, which ends at `last`. */
static void give_up_to(tw__channel_interest *interest, uint64_t last) {
    tw__position since = interest->position;
    if (last > interest->position.offset) {
        interest->position.offset = last;
    }
    begin_lapse(interest, &since);
}

/* ... at the first that has come from behind it. */
static void give_up(tw__channel_interest *interest) {
    tw__list *node = interest->held.next;
    while (node != &interest->held && PUB(node)->header.offset == 0) {
        node = node->next;
    }
    give_up_to(interest, node != &interest->held ? PUB(node)->header.offset - 1
                                                 : interest->position.offset);
}

static void on_missing(int status, const tw__kept *kept, void *arg);

static void fill(tw__channel_interest *interest) {
    tw_server *server = interest->server;
    tw__broker *broker = server->broker;
    const tw__channel *channel = interest->channel;
    bool has_log = channel->class.history > 0;
    tw__kept_query query = {
        .what = TW__KEPT_SINCE | (has_log ? TW__KEPT_LOG : TW__KEPT_RETAINED),
        .limit_bytes = server->config.recover_limit_bytes,
        .since = interest->position};
    tw__count(server, TW_COUNTER_HOLES, 1);
    interest->is_doubtful = false;
    if (broker->ops->kept(broker, channel->name, channel->name_len, &query,
                          on_missing, interest) == 0) {
        interest->is_filling = true;
        interest->callbacks++;
    } else {
        give_up(interest);
    }
}

/* Before what is held; what is there twice is dropped when it comes up. */
static void put_before(tw__channel_interest *interest, tw__pub *const *pubs,
                       size_t count) {
    tw__list behind;
    tw__list_init(&behind);
    tw__list_move_all(&behind, &interest->held);
    for (size_t i = 0; i < count; i++) {
        hold(interest, tw__pub_ref(pubs[i]));
    }
    tw__list_move_all(&interest->held, &behind);
}

/* All that came, or was lost, before the answer lies up to its position. */
static void take_missing(tw__channel_interest *interest, const tw__kept *kept) {
    bool has_log = interest->channel->class.history > 0;
    bool is_gone = kept->floor > interest->position.offset;
    if (is_gone) {
        give_up_to(interest, has_log ? kept->floor : kept->position.offset);
    }
    if (has_log) {
        put_before(interest, kept->log, kept->log_count);
    } else if (!is_gone) {
        put_before(interest, kept->retained, kept->retained_count);
    }
    interest->known = kept->position.offset;
    interest->is_doubtful = false;
}

static void take_answer(tw__channel_interest *interest, int status,
                        const tw__kept *kept) {
    if (interest->is_fill_stale) {
        interest->is_fill_stale = false; /* it was about another epoch */
    } else if (status != 0) {
        give_up(interest);
    } else if (strcmp(kept->position.epoch, interest->position.epoch) == 0) {
        take_missing(interest, kept);
    } else {
        tw__position_set(interest, &kept->position);
    }
}

static void on_missing(int status, const tw__kept *kept, void *arg) {
    tw__channel_interest *interest = arg;
    interest->callbacks--;
    if (tw__channel_interest_is_over(interest)) {
        return;
    }
    interest->is_filling = false;
    if (status == TW_ECLOSED) {
        tw__recover_run(interest);
        return;
    }
    take_answer(interest, status, kept);
    go_on(interest);
}

/* ---- what comes ---- */

enum step { OLD, NEXT, FULL, HOLE };

/* Up to what the home has told there are no holes, only what has expired. */
static enum step step_of(const tw__channel_interest *interest,
                         const tw__pub *pub) {
    uint64_t offset = pub->header.offset, at = interest->position.offset;
    if (offset == 0 || !tw__is_positioned(&interest->position)) {
        return NEXT;
    }
    if (offset <= at) {
        return OLD;
    }
    if (offset > (at > interest->known ? at : interest->known) + 1) {
        return HOLE;
    }
    return tw__server_is_full(interest->server, interest->channel, pub) ? FULL
                                                                        : NEXT;
}

/* One that is held and may go on, out of the list. */
static void pass(tw__channel_interest *interest, enum step step) {
    tw__pub *pub = shift_held(interest);
    if (step == OLD) {
        tw__pub_unref(pub);
    } else {
        enter(interest, pub);
    }
}

/* Those that are held, as far as they follow. A hole behind is the next one. */
static void pass_held(tw__channel_interest *interest) {
    while (!is_waiting(interest) && !tw__list_is_empty(&interest->held)) {
        enum step step = step_of(interest, PUB(interest->held.next));
        if (step == HOLE) {
            fill(interest);
        } else if (step == FULL) {
            rest(interest);
        } else {
            pass(interest, step);
        }
    }
}

static void go_on(tw__channel_interest *interest) {
    pass_held(interest);
    if (is_waiting(interest)) {
        return;
    }
    if (interest->known > interest->position.offset) {
        interest->position.offset = interest->known;
    }
    if (interest->is_doubtful) {
        fill(interest);
    } else {
        tw__recover_run(interest);
    }
}

/* Nothing is held while nothing is waited for. */
void tw__position_take(tw__channel_interest *interest, tw__pub *pub) {
    if (!is_waiting(interest) && step_of(interest, pub) == NEXT) {
        enter(interest, pub);
    } else if (may_hold(interest, pub)) {
        hold(interest, pub);
        pass_held(interest);
    } else {
        refuse(interest, pub);
        go_on(interest);
    }
}

static uint64_t first_offset(const tw__list *pubs) {
    for (const tw__list *node = pubs->next; node != pubs; node = node->next) {
        uint64_t offset = PUB(node)->header.offset;
        if (offset != 0) {
            return offset;
        }
    }
    return 0;
}

/* What is walked is the oldest of what may be lost; an older gap that is still
 * to be told begins where this one does. */
void tw__position_lost(tw__channel_interest *interest) {
    const tw__channel *channel = interest->channel;
    tw__position since =
        interest->is_lapsing ? interest->lapsed : interest->position;
    uint64_t first = first_offset(&channel->walk);
    first = first != 0 ? first : first_offset(&channel->pending);
    first = first != 0 ? first : since.offset;
    if (!tw__is_positioned(&since)) {
        return;
    }
    if (first <= since.offset && first > 0) {
        since.offset = first - 1;
    }
    begin_lapse(interest, &since);
    interest->lapsed = since;
}

void tw__position_doubt(tw__channel_interest *interest) {
    if (!tw__is_positioned(&interest->position)) {
        return;
    }
    if (is_waiting(interest)) {
        interest->is_doubtful = true;
    } else {
        fill(interest);
    }
}

/* A channel that ceases to be kept has lost nothing by that. What was held of
 * another epoch is behind the gap that is told, and what was asked is of no use
 * any more. */
static void begin_anew(tw__channel_interest *interest,
                       const tw__position *position) {
    tw__position old = interest->position;
    bool is_whole = !is_waiting(interest) && !interest->is_doubtful &&
                    !tw__is_positioned(position);
    drop_held(interest);
    interest->is_fill_stale = interest->is_filling;
    interest->is_recovery_stale = interest->is_recovering;
    interest->is_doubtful = false;
    interest->known = 0;
    interest->position = *position;
    if (tw__is_positioned(&old) && !is_whole) {
        begin_lapse(interest, &old);
    }
}

void tw__position_set(tw__channel_interest *interest,
                      const tw__position *position) {
    if (strcmp(interest->position.epoch, position->epoch) != 0) {
        begin_anew(interest, position);
    } else if (position->offset > interest->position.offset) {
        tw__position_doubt(interest);
    }
}

void tw__position_drop(tw__channel_interest *interest) {
    drop_held(interest);
    tw__list_remove(&interest->lapsing);
    interest->is_filling = interest->is_lapsing = interest->is_pausing = false;
}
