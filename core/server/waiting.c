/* waiting.c - those who wait for their subscription: they join, and are told.
 *
 * Callbacks start at the end of a turn, never inside of a call from a hook.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "server/codec.h"
#include "server/interest.h"
#include "server/people.h"
#include "server/server.h"

static int join(tw_conn *conn, tw__sub *sub) {
    int err = tw__channel_join(sub, -1, tw__conn_codec(conn)->number);
    if (err == 0) {
        sub->mark |= TW__SUB_CONFIRMED;
        tw__conn_refresh_fast(conn);
        tw__presence_joined(conn, sub);
    }
    return err;
}

static tw__sub *sub_of(const tw__waiter *waiter) {
    const tw_conn *conn = waiter->conn;
    tw__sub *subs = tw__conn_subs(conn);
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        if (tw__sub_waiter(&subs[i]) == waiter->number) {
            return &subs[i];
        }
    }
    return NULL;
}

int tw__waiter_join(tw__waiter *waiter) {
    tw__sub *sub = sub_of(waiter);
    if (sub == NULL || tw__sub_is_confirmed(sub)) {
        return 0;
    }
    const tw__channel_interest *interest = sub->channel->user;
    tw_position *position = &waiter->result.position;
    position->offset = interest->position.offset;
    memcpy(position->epoch, interest->position.epoch, sizeof position->epoch);
    return join(waiter->conn, sub);
}

static void count_recovery(const tw__waiter *waiter) {
    tw_server *server = waiter->conn->server;
    if (waiter->has_since) {
        tw__count(server, TW_COUNTER_RECOVERIES, 1);
        tw__count(server,
                  waiter->result.recovered ? TW_COUNTER_RECOVERED
                                           : TW_COUNTER_RECOVER_FAILED,
                  1);
    }
}

static void call_back(tw__waiter *waiter, int status) {
    if (waiter->cb != NULL) {
        waiter->cb(waiter->conn, status, status == 0 ? &waiter->result : NULL,
                   waiter->arg);
    }
}

/* What the callback sends leaves before what was missed. It may also end the
 * subscription, and begin another. */
static void call_and_replay(tw__waiter *waiter, tw__channel *channel) {
    channel->refs++;
    call_back(waiter, 0);
    const tw__sub *sub = tw__conn_find_sub(waiter->conn, channel);
    if (sub != NULL && sub->index != TW__NOT_JOINED) {
        tw__recover_replay(waiter, channel);
    }
    tw__channel_close(channel);
}

static void finish(tw__waiter *waiter) {
    tw_conn *conn = waiter->conn;
    tw__sub *sub = sub_of(waiter);
    int status = waiter->status == 0 ? tw__waiter_join(waiter) : waiter->status;
    if (sub != NULL) {
        tw__sub_forget_waiter(sub);
    }
    if (sub != NULL && status != 0) {
        tw__conn_end_sub(conn, sub);
    }
    if (sub != NULL && status == 0) {
        count_recovery(waiter);
        call_and_replay(waiter, sub->channel);
    } else {
        call_back(waiter, status);
    }
    tw__recovery_unref(waiter->recovery);
    tw__waiters_remove(&conn->server->all_waiters, waiter);
}

/* ---- while frozen ----
 *
 * No script can be told then, but deliveries go on: who has joined and is not
 * told leaves again, and joins anew after the thaw, where the channel stands
 * then. */

static void postpone(tw__waiter *waiter) {
    tw_server *server = waiter->conn->server;
    tw__sub *sub = sub_of(waiter);
    if (sub->index != TW__NOT_JOINED) {
        tw__count_fate(server, sub->channel->class.row, TW__CLOSED,
                       tw__channel_leave(sub));
    }
    sub->mark &= ~TW__SUB_CONFIRMED;
    tw__recovery_unref(waiter->recovery);
    waiter->recovery = NULL;
    waiter->result = (tw_subscribed){0};
    tw__list_push(&server->postponed, &waiter->node);
}

static void resume(tw__waiter *waiter) {
    tw__channel_interest *interest = sub_of(waiter)->channel->user;
    if (tw__recover_is_due(interest, waiter)) {
        tw__recover_join(interest, waiter);
        tw__recover_run(interest);
    } else {
        tw__channel_interest_answer(interest->server, waiter, 0);
    }
}

static void resume_all(tw_server *server) {
    tw__list todo, *node;
    tw__list_init(&todo);
    tw__list_move_all(&todo, &server->postponed);
    while ((node = tw__list_shift(&todo)) != NULL) {
        resume(TW__CONTAINER(node, tw__waiter, node));
    }
}

/* A connection with a waiter is not freed: its death answers the waiter, and
 * waiters run before the dead are swept. */
void tw__server_run_waiters(tw_server *server) {
    tw__list todo, *node;
    tw__list_init(&todo);
    if (server->frozen == 0) {
        resume_all(server);
    }
    tw__list_move_all(&todo, &server->waiters);
    while ((node = tw__list_shift(&todo)) != NULL) {
        tw__waiter *waiter = TW__CONTAINER(node, tw__waiter, node);
        if (server->frozen > 0 && waiter->status == 0) {
            postpone(waiter);
        } else {
            finish(waiter);
        }
    }
}
