/* walk.c - hands gathered batches to subscribers, in slices.
 * SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "hub/exception.h"
#include "hub/hub.h"

void tw__channel_set_due(tw__channel *channel) {
    if (tw__list_is_empty(&channel->due)) {
        tw__list_push(&channel->hub->due, &channel->due);
    }
}

static void begin(tw__channel *channel) {
    tw__exceptions swap = channel->walk_except;
    channel->walk_except = channel->pending_except;
    channel->pending_except = swap;
    tw__exceptions_clear(&channel->pending_except);
    tw__list_move_all(&channel->walk, &channel->pending);
    channel->walk_count = channel->pending_count;
    channel->pending_count = 0;
    channel->pending_bytes = 0;
    channel->walk_next = 0;
    channel->walk_end = channel->count;
}

static void close_holes(tw__channel *channel) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < channel->count; i++) {
        tw__member *member = &channel->members[i];
        if (member->sub != NULL) {
            member->sub->index = kept;
            channel->members[kept++] = *member;
        }
    }
    channel->count = kept;
    channel->holes = 0;
}

/* Marks of exceptions belong to the batch that has gathered meanwhile, if any;
 * the others are taken back. */
static void reset_marks(tw__channel *channel) {
    if (channel->walk_except.count == 0) {
        return;
    }
    for (uint32_t i = 0; i < channel->count; i++) {
        tw__member *member = &channel->members[i];
        if (member->has_exception) {
            member->has_exception =
                tw__exceptions_allow(&channel->pending_except,
                                     member->sub->owner,
                                     UINT32_MAX) != UINT32_MAX;
        }
    }
}

static void finish(tw__channel *channel) {
    tw__list *node;
    channel->walk_count = channel->walk_next = 0;
    if (channel->holes > 0) {
        close_holes(channel);
    }
    reset_marks(channel);
    tw__exceptions_clear(&channel->walk_except);
    while ((node = tw__list_shift(&channel->walk)) != NULL) {
        tw__pub_unref(TW__CONTAINER(node, tw__pub, node));
    }
    for (int i = 0; i < TW__CODECS_MAX; i++) {
        tw__batch_unref(channel->batches[i]);
        channel->batches[i] = NULL;
    }
}

static tw__batch *batch_for(tw__channel *channel, uint8_t codec) {
    tw__batch *batch = channel->batches[codec];
    if (batch == NULL) {
        batch = tw__batch_create(channel->hub->encoders[codec], &channel->walk,
                                 channel->walk_count, channel->number);
        if (batch != NULL) {
            batch->row = channel->class.row;
        }
        channel->batches[codec] = batch;
    }
    return batch;
}

/* Several runs of frames; the visitor may end the subscription after any, and
 * then nothing is owed any more. */
static void visit_exception(tw__channel *channel, uint32_t index,
                            tw__batch *batch, uint32_t owed) {
    const tw__hub_events *events = &channel->hub->events;
    tw__run run = {0};
    channel->visit_owed = owed;
    while (channel->visit_owed > 0 &&
           tw__exceptions_next_run(&channel->walk_except,
                                   channel->members[index].sub->owner,
                                   channel->walk_count, &run)) {
        channel->visit_owed -= run.len;
        channel->hub->pending_deliveries -= run.len;
        events->deliver(events->arg, channel->members[index].sub, -1, channel,
                        batch, run.first, run.len);
    }
    assert(channel->visit_owed == 0);
}

static void visit(tw__channel *channel, uint32_t index) {
    const tw__hub_events *events = &channel->hub->events;
    tw__member member = channel->members[index];
    if (member.sub == NULL) {
        return;
    }
    uint32_t owed = channel->walk_count;
    if (member.has_exception) {
        owed = tw__exceptions_allow(&channel->walk_except, member.sub->owner,
                                    owed);
    }
    if (owed == 0) {
        return; /* who alone would need a batch and is excepted needs none */
    }
    tw__batch *batch = batch_for(channel, member.codec);
    if (batch == NULL) {
        channel->hub->pending_deliveries -= owed;
        events->lost(events->arg, channel, owed);
    } else if (owed == channel->walk_count) {
        channel->hub->pending_deliveries -= owed;
        events->deliver(events->arg, member.sub, member.fd, channel, batch, 0,
                        owed);
    } else {
        visit_exception(channel, index, batch, owed);
    }
}

/* The visitor may end subscriptions, the last one too: the channel is held by a
 * reference of the walk. */
static bool walk_channel(tw__channel *channel, uint32_t *budget) {
    if (channel->walk_count == 0) {
        if (channel->pending_count == 0) {
            return false;
        }
        begin(channel);
    }
    while (channel->walk_next<channel->walk_end && * budget> 0) {
        (*budget)--;
        visit(channel, channel->walk_next++);
    }
    if (channel->walk_next < channel->walk_end) {
        return true;
    }
    finish(channel);
    return channel->pending_count > 0;
}

/* A channel that needs more goes behind all others: large channels take turns,
 * and one that is always busy holds nobody up. */
bool tw__hub_walk(tw__hub *hub, uint32_t budget) {
    tw__list todo, again, *node;
    tw__list_init(&todo);
    tw__list_init(&again);
    tw__list_move_all(&todo, &hub->due);
    while (budget > 0 && (node = tw__list_shift(&todo)) != NULL) {
        tw__channel *channel = TW__CONTAINER(node, tw__channel, due);
        channel->refs++;
        if (walk_channel(channel, &budget)) {
            tw__list_remove(node); /* the visitor may have made it due, too */
            tw__list_push(&again, node);
        }
        tw__channel_close(channel);
    }
    tw__list_move_all(&todo, &hub->due);
    tw__list_move_all(&todo, &again);
    tw__list_move_all(&hub->due, &todo);
    return !tw__list_is_empty(&hub->due);
}
