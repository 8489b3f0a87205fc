/* lapse.c - subscribers that missed something, until they are told.
 *
 * One that is to be told gets nothing of the channel meanwhile, so that the
 * hook's words come before what follows. It joins again when the hook begins.
 * Who has no such hook is not told, and goes on at once.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "server/interest.h"
#include "server/people.h"
#include "server/server.h"

typedef struct tw__lapse {
    tw__list node;
    const tw__channel *channel; /* the subscription keeps it */
    tw__position since;
    bool is_drained; /* waits for an empty queue */
} tw__lapse;

#define LAPSE(place) TW__CONTAINER(place, tw__lapse, node)

static tw__lapse *find(const tw_conn *conn, const tw__channel *channel) {
    if (conn->extra == NULL) {
        return NULL;
    }
    for (tw__list *node = conn->extra->lapses.next;
         node != &conn->extra->lapses; node = node->next) {
        if (LAPSE(node)->channel == channel) {
            return LAPSE(node);
        }
    }
    return NULL;
}

static bool is_told(const tw_conn *conn) {
    return conn->route != NULL &&
           (conn->route->config.hooks & TW_HOOK_RECOVER_FAIL) != 0;
}

static tw__lapse *add(tw_conn *conn, const tw__channel *channel) {
    tw__extra *extra = tw__conn_extra(conn);
    tw__lapse *lapse = extra != NULL ? tw__calloc(1, sizeof *lapse) : NULL;
    if (lapse != NULL) {
        lapse->channel = channel;
        tw__list_init(&lapse->node);
        tw__list_push(&extra->lapses, &lapse->node);
    }
    return lapse;
}

static void make_due(tw_conn *conn) {
    conn->flags |= TW__DUE_LAPSE;
    tw__conn_schedule(conn);
}

static void leave(tw_conn *conn, tw__sub *sub) {
    if (sub->index != TW__NOT_JOINED) {
        tw__count_fate(conn->server, sub->channel->class.row, TW__DROPPED,
                       tw__channel_leave(sub));
    }
}

/* Who cannot be kept waiting for want of memory must not go on as if nothing
 * had happened. */
static void fail(tw_conn *conn) {
    tw__conn_close(conn, TW__WS_CLOSE_TRY_LATER, "out of memory", 13);
}

void tw__conn_lapse(tw_conn *conn, tw__sub *sub, const tw__position *since,
                    bool is_drained) {
    tw__lapse *lapse = find(conn, sub->channel);
    if (conn->state != TW__CONN_OPEN || (!is_told(conn) && !is_drained)) {
        return;
    }
    if (lapse != NULL) {
        lapse->is_drained = lapse->is_drained && is_drained;
    } else {
        lapse = add(conn, sub->channel);
        if (lapse == NULL) {
            fail(conn);
            return;
        }
        lapse->since = *since;
        lapse->is_drained = is_drained;
    }
    leave(conn, sub);
    if (!lapse->is_drained) {
        make_due(conn);
    }
}

static void drop(tw__lapse *lapse) {
    tw__list_remove(&lapse->node);
    tw__free(lapse);
}

void tw__conn_drop_lapse(tw_conn *conn, const tw__channel *channel) {
    tw__lapse *lapse = find(conn, channel);
    if (lapse != NULL) {
        drop(lapse);
    }
}

void tw__conn_drop_lapses(tw_conn *conn) {
    while (conn->extra != NULL && !tw__list_is_empty(&conn->extra->lapses)) {
        drop(LAPSE(conn->extra->lapses.next));
    }
    conn->flags &= ~(uint32_t)TW__DUE_LAPSE;
}

void tw__conn_lapses_drained(tw_conn *conn) {
    for (tw__list *node = conn->extra->lapses.next;
         node != &conn->extra->lapses; node = node->next) {
        LAPSE(node)->is_drained = false;
        make_due(conn);
    }
}

static tw__lapse *next_due(const tw_conn *conn) {
    for (tw__list *node = conn->extra->lapses.next;
         node != &conn->extra->lapses; node = node->next) {
        if (!LAPSE(node)->is_drained) {
            return LAPSE(node);
        }
    }
    return NULL;
}

static void join(tw_conn *conn, tw__sub *sub) {
    if (sub->index != TW__NOT_JOINED) {
        return;
    }
    if (tw__channel_join(sub, -1, tw__conn_codec(conn)->number) != 0) {
        fail(conn);
    }
    tw__conn_refresh_fast(conn);
}

static int tell(tw_conn *conn, const tw__channel *channel,
                const tw__position *since) {
    const tw_config *config = &conn->server->config;
    tw_position position = {.offset = since->offset};
    memcpy(position.epoch, since->epoch, sizeof position.epoch);
    return config->hooks.on_recover_fail(
        conn, (tw_str){channel->name, channel->name_len}, &position,
        config->hook_user);
}

/* The flag stands while one is left. */
int tw__conn_run_lapse(tw_conn *conn) {
    tw__lapse *lapse = next_due(conn);
    if (lapse == NULL) {
        return TW_DONE;
    }
    const tw__channel *channel = lapse->channel;
    tw__position since = lapse->since;
    tw__sub *sub = tw__conn_find_sub(conn, channel);
    drop(lapse);
    if (next_due(conn) != NULL) {
        make_due(conn);
    }
    if (sub == NULL || conn->state != TW__CONN_OPEN) {
        return TW_DONE;
    }
    join(conn, sub);
    return is_told(conn) && conn->state == TW__CONN_OPEN
               ? tell(conn, channel, &since)
               : TW_DONE;
}
