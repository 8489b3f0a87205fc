/* recover.c - what a subscriber missed: asked of the channel's home.
 *
 * Those who ask at the same time are asked for together, from the oldest of
 * their positions on, so that ten thousand who come back cost the home a few
 * questions. The answer says where the channel stood; what this worker has
 * delivered stands at the interest's position: each gets of the answer what
 * lies between its own position and that, and joins there. Nothing is missed
 * or doubled, whatever is published meanwhile.
 *
 * SPDX-License-Identifier: MIT */
#include "server/recover.h"

#include "server/server.h"

enum { ASK_AT_ONCE = 1000 }; /* as many hooks go on in one turn */

/* ---- joining ---- */

static void join(tw__channel_interest *interest, tw__waiter *waiter,
                 int status) {
    tw__channel_interest_answer(interest->server, waiter,
                                status == 0 ? tw__waiter_join(waiter) : status);
}

/* It has all that has come here. */
static bool is_up_to_date(const tw__channel_interest *interest,
                          const tw__waiter *waiter) {
    return tw__recover_is_ours(interest, waiter) &&
           waiter->since.offset == interest->position.offset;
}

/* Whether what is kept can be of use. */
static bool needs_kept(const tw__channel_interest *interest,
                       const tw__waiter *waiter) {
    if (tw__recover_is_ours(interest, waiter)) {
        return !is_up_to_date(interest, waiter);
    }
    return tw__is_positioned(&interest->position) &&
           (interest->channel->class.retain > 0 || waiter->last > 0);
}

/* While subscribers are to be told of a gap nobody joins who was not there: it
 * is none of his. */
bool tw__recover_is_due(const tw__channel_interest *interest,
                        const tw__waiter *waiter) {
    return interest->is_lapsing || tw__recover_is_ours(interest, waiter) ||
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
    if (!tw__recover_is_ours(interest, waiter) ||
        tw__recover_is_here(interest, waiter)) {
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
        status == 0 ? tw__recovery_create(kept, interest->position.offset)
                    : NULL;
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
            tw__recovery_choose(recovery, interest, waiter, kept->floor);
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
    bool is_other = status == 0 &&
                    strcmp(kept->position.epoch, interest->position.epoch) != 0;
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
    return !tw__recover_is_ours(interest, waiter) &&
           (waiter->last == 0 || !tw__recover_has_log(interest));
}

/* From where on it has to be told; the home may be ahead of this worker. */
static uint64_t since_of(const tw__channel_interest *interest,
                         const tw__waiter *waiter) {
    if (tw__recover_is_here(interest, waiter)) {
        return waiter->since.offset;
    }
    return tw__recover_is_ours(interest, waiter)
               ? interest->position.offset
               : tw__recover_since_of_last(interest, waiter);
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
