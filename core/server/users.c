/* users.c - users: their connections, wherever those are.
 *
 * A user's home knows the ids of its connections. It is told when a connection
 * gets its user and when that connection is not open any more; what is done to
 * a user goes to the home and from there to the members that the ids name.
 *
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "server/act.h"
#include "server/conn_id.h"
#include "server/people.h"
#include "server/server.h"

bool tw__user_is_fine(tw_str user) {
    return user.len > 0 && user.len <= TW__USER_MAX;
}

/* ---- being known ---- */

int tw__user_tell(tw_conn *conn) {
    tw__locator *locator = conn->server->locator;
    const tw_route_config *config = &conn->route->config;
    tw_str user = tw_conn_user(conn);
    return locator->ops->user_enter(
        locator, user.data, user.len, conn->id, conn->identity->since_ms,
        config->user_connections, config->closes_newest);
}

void tw__user_enter(tw_conn *conn) {
    if (tw_conn_user(conn).data == NULL) {
        return;
    }
    conn->flags |= TW__USER_ENTERED;
    tw__renew_if(conn, tw__user_tell(conn), tw_conn_user(conn));
}

void tw__user_leave(tw_conn *conn) {
    tw__locator *locator = conn->server->locator;
    tw_str user = tw_conn_user(conn);
    if (!(conn->flags & TW__USER_ENTERED)) {
        return;
    }
    conn->flags &= ~(uint32_t)TW__USER_ENTERED;
    if (!conn->server->destroying) { /* homes see the end of all at once */
        tw__renew_note_left(
            conn->server,
            locator->ops->user_leave(locator, user.data, user.len, conn->id));
    }
}

/* ---- the user's channel ---- */

typedef struct channel_name {
    char text[TW__CHANNEL_MAX + 1];
    size_t len;
} channel_name;

/* The channel of a user; false when there is no class for it. */
static bool find_channel(const tw_server *server, tw_str user,
                         channel_name *channel) {
    static const char prefix[] = "user:";
    size_t prefix_len = sizeof prefix - 1;
    if (prefix_len + user.len > TW__CHANNEL_MAX) {
        return false;
    }
    memcpy(channel->text, prefix, prefix_len);
    memcpy(channel->text + prefix_len, user.data, user.len);
    channel->len = prefix_len + user.len;
    channel->text[channel->len] = '\0';
    return tw__classes_find(server->hub.classes, channel->text, channel->len)
        .is_for_users;
}

static tw_str text_of(const channel_name *name) {
    return (tw_str){name->text, name->len};
}

static void note_failure(const tw_conn *conn, int status) {
    if (status != 0 && status != TW_ECLOSED && status != TW_EEXISTS) {
        tw__log_write(&conn->server->log, TW_LOG_WARN,
                      "a connection is not subscribed to its user's channel",
                      "user", tw_conn_user(conn).data, "error",
                      tw_err_name(status), NULL);
    }
}

static void on_welcomed(tw_conn *conn, int status, const tw_subscribed *result,
                        void *arg) {
    (void)result;
    (void)arg;
    note_failure(conn, status);
}

/* Once for each class that comes: who has unsubscribed since then is not
 * subscribed again. */
void tw__user_welcome(tw_conn *conn) {
    channel_name channel;
    tw_str user = tw_conn_user(conn);
    if (user.data == NULL || conn->state != TW__CONN_OPEN) {
        return;
    }
    if (!find_channel(conn->server, user, &channel)) {
        conn->flags &= ~(uint32_t)TW__USER_CHANNEL;
    } else if (!(conn->flags & TW__USER_CHANNEL)) {
        conn->flags |= TW__USER_CHANNEL;
        note_failure(conn, tw_conn_subscribe(conn, text_of(&channel), NULL,
                                             on_welcomed, NULL));
    }
}

/* ---- what is done to users ---- */

static int act_on(tw_server *server, tw_str user, const tw__act *act) {
    return server->locator->ops->user_act(server->locator, user.data, user.len,
                                          act);
}

int tw_user_send(tw_server *server, tw_str user, const void *data, size_t len,
                 const tw_publish_options *options) {
    channel_name channel;
    tw__act act;
    if (!tw__user_is_fine(user)) {
        return TW_EINVALID;
    }
    if (find_channel(server, user, &channel)) {
        return tw_publish(server, text_of(&channel), data, len, options);
    }
    int err = tw__act_send(&act, data, len, options != NULL && options->binary,
                           options != NULL && options->is_utf8);
    return err != 0 ? err : act_on(server, user, &act);
}

int tw_user_send_wait(tw_server *server, tw_str user, const void *data,
                      size_t len, const tw_publish_options *options,
                      tw_publish_cb cb, void *arg) {
    channel_name channel;
    if (!tw__user_is_fine(user) || !find_channel(server, user, &channel)) {
        return TW_EINVALID;
    }
    return tw_publish_wait(server, text_of(&channel), data, len, options, cb,
                           arg);
}

static int move(tw_server *server, tw_str user, enum tw__act_what what,
                tw_str channel) {
    tw__act act;
    int err = tw__user_is_fine(user) ? tw__act_channel(&act, what, channel)
                                     : TW_EINVALID;
    return err != 0 ? err : act_on(server, user, &act);
}

int tw_user_subscribe(tw_server *server, tw_str user, tw_str channel) {
    return move(server, user, TW__ACT_SUBSCRIBE, channel);
}

int tw_user_unsubscribe(tw_server *server, tw_str user, tw_str channel) {
    return move(server, user, TW__ACT_UNSUBSCRIBE, channel);
}

int tw_user_disconnect(tw_server *server, tw_str user, int code,
                       tw_str reason) {
    tw__act act;
    int err = tw__user_is_fine(user) ? tw__act_close(&act, code, reason)
                                     : TW_EINVALID;
    return err != 0 ? err : act_on(server, user, &act);
}

/* ---- the connections of a user ---- */

typedef struct question {
    tw_user_cb cb;
    void *arg;
} question;

static int by_age(const void *a, const void *b) {
    const tw_user_conn *x = a, *y = b;
    if (x->opened_ms != y->opened_ms) {
        return x->opened_ms < y->opened_ms ? -1 : 1;
    }
    return strcmp(x->id, y->id);
}

static void on_conns(int status, const tw__conn_facts *conns, size_t count,
                     void *arg) {
    question asked = *(question *)arg;
    tw__free(arg);
    tw_user_conn *items =
        status == 0 ? tw__calloc(count + 1, sizeof *items) : NULL;
    if (items == NULL) {
        asked.cb(status != 0 ? status : TW_ENOMEM, NULL, 0, asked.arg);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        tw__conn_id_write(conns[i].id, items[i].id);
        items[i].slot = conns[i].slot;
        items[i].ip = (tw_str){conns[i].ip, strlen(conns[i].ip)};
        items[i].opened_ms = conns[i].opened_ms;
        items[i].idle_ms = conns[i].idle_ms;
    }
    qsort(items, count, sizeof *items, by_age);
    asked.cb(0, items, count, asked.arg);
    tw__free(items);
}

int tw_user_connections(tw_server *server, tw_str user, tw_user_cb cb,
                        void *arg) {
    if (!tw__user_is_fine(user)) {
        return TW_EINVALID;
    }
    question *asked = tw__malloc(sizeof *asked);
    if (asked == NULL) {
        return TW_ENOMEM;
    }
    *asked = (question){cb, arg};
    int err = server->locator->ops->user_conns(server->locator, user.data,
                                               user.len, on_conns, asked);
    if (err != 0) {
        tw__free(asked);
    }
    return err;
}
