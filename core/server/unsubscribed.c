/* unsubscribed.c - the hook that tells of subscriptions that ended.
 *
 * Those that end one by one are noted with their names. When the connection
 * closes its list of subscriptions stays as it was until it is gone, and only
 * the place in it is kept.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "server/people.h"
#include "server/server.h"

typedef struct ended {
    tw__list node;
    uint8_t why; /* enum tw__unsubscribed_why */
    uint8_t len;
    char channel[];
} ended;

#define ENDED(place) TW__CONTAINER(place, ended, node)

/* Whoever was never told of the connection is not told of this either. */
static bool is_wanted(const tw_conn *conn) {
    return (conn->flags & TW__OPENED) != 0 && conn->route != NULL &&
           (conn->route->config.hooks & TW_HOOK_UNSUBSCRIBE) != 0 &&
           conn->server->config.hooks.on_unsubscribe != NULL;
}

static void make_due(tw_conn *conn) {
    conn->flags |= TW__DUE_UNSUBSCRIBE;
    tw__conn_schedule(conn);
}

/* ---- noting ---- */

/* While a hook waits others may subscribe and unsubscribe the connection as
 * often as they like; so many are told. */
static bool has_room(const tw_conn *conn, const tw__extra *extra) {
    return extra->unsubscribed_count <
           2 * conn->server->config.max_subscriptions;
}

void tw__conn_note_unsubscribed(tw_conn *conn, const tw__channel *channel,
                                enum tw__unsubscribed_why why) {
    if (!is_wanted(conn)) {
        return;
    }
    tw__extra *extra = tw__conn_extra(conn);
    ended *made = extra != NULL && has_room(conn, extra)
                      ? tw__malloc(sizeof *made + channel->name_len)
                      : NULL;
    if (made == NULL) {
        tw__log_write(&conn->server->log, TW_LOG_WARN,
                      "on_unsubscribe is not called: too many wait, or there "
                      "is no memory",
                      "channel", channel->name, NULL);
        return;
    }
    made->why = (uint8_t)why;
    made->len = channel->name_len;
    memcpy(made->channel, channel->name, channel->name_len);
    tw__list_init(&made->node);
    tw__list_push(&extra->unsubscribed, &made->node);
    extra->unsubscribed_count++;
    make_due(conn);
}

static bool is_confirmed(const tw_conn *conn, uint16_t i) {
    return (tw__conn_subs(conn)[i].mark & TW__SUB_CONFIRMED) != 0;
}

/* The place of the next that the close has ended; sub_count: there is none. */
static uint16_t next_closed(const tw_conn *conn) {
    uint16_t i = conn->state == TW__CONN_OPEN ? conn->sub_count
                                              : conn->extra->closed_next;
    while (i < conn->sub_count && !is_confirmed(conn, i)) {
        i++;
    }
    return i;
}

void tw__conn_note_closed_subs(tw_conn *conn) {
    if (conn->sub_count == 0 || !is_wanted(conn)) {
        return;
    }
    tw__extra *extra = tw__conn_extra(conn);
    if (extra == NULL) {
        tw__log_write(&conn->server->log, TW_LOG_WARN,
                      "on_unsubscribe is not called: no memory", NULL);
        return;
    }
    extra->closed_next = 0;
    if (next_closed(conn) < conn->sub_count) {
        make_due(conn);
    }
}

/* ---- telling ---- */

static void copy(tw_str *channel, char *text, const char *name, size_t len) {
    memcpy(text, name, len);
    text[len] = '\0';
    *channel = (tw_str){text, len};
}

static void take_ended(tw_conn *conn, tw_str *channel, char *text,
                       enum tw__unsubscribed_why *why) {
    tw__extra *extra = conn->extra;
    ended *first = ENDED(tw__list_shift(&extra->unsubscribed));
    extra->unsubscribed_count--;
    *why = (enum tw__unsubscribed_why)first->why;
    copy(channel, text, first->channel, first->len);
    tw__free(first);
}

static void take_closed(tw_conn *conn, tw_str *channel, char *text,
                        enum tw__unsubscribed_why *why) {
    uint16_t place = next_closed(conn);
    const tw__channel *from = tw__conn_subs(conn)[place].channel;
    conn->extra->closed_next = (uint16_t)(place + 1);
    *why = TW__BY_CLOSE;
    copy(channel, text, from->name, from->name_len);
}

static bool has_ended(const tw_conn *conn) {
    return !tw__list_is_empty(&conn->extra->unsubscribed);
}

static bool has_closed(const tw_conn *conn) {
    return next_closed(conn) < conn->sub_count;
}

int tw__conn_run_unsubscribed(tw_conn *conn) {
    static const char *const reasons[] = {[TW__BY_SCRIPT] = "unsubscribed",
                                          [TW__BY_REMOTE] = "remote",
                                          [TW__BY_FAILURE] = "failed",
                                          [TW__BY_CLOSE] = "closed"};
    tw_server *server = conn->server;
    enum tw__unsubscribed_why why;
    char text[TW__CHANNEL_MAX + 1];
    tw_str channel;
    if (has_ended(conn)) {
        take_ended(conn, &channel, text, &why);
    } else if (has_closed(conn)) {
        take_closed(conn, &channel, text, &why);
    } else {
        return TW_DONE;
    }
    if (has_ended(conn) || has_closed(conn)) {
        conn->flags |= TW__DUE_UNSUBSCRIBE;
    }
    if (!is_wanted(conn)) {
        return TW_DONE; /* the route has another script than it had */
    }
    return server->config.hooks.on_unsubscribe(
        conn, channel, (tw_str){reasons[why], strlen(reasons[why])},
        server->config.hook_user);
}

void tw__conn_drop_unsubscribed(tw_conn *conn) {
    tw__list *node;
    while (conn->extra != NULL &&
           (node = tw__list_shift(&conn->extra->unsubscribed)) != NULL) {
        tw__free(ENDED(node));
    }
}
