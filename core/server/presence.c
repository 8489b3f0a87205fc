/* presence.c - who is in a channel: told to its home, asked of it.
 *
 * Where the channel's class has presence a subscriber is told to the home when
 * it has joined, and again when it leaves, by the id of its connection.
 *
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "server/conn_id.h"
#include "server/people.h"
#include "server/server.h"

/* ---- the info of subscribers ----
 *
 * Few have some, so it has no place in the subscription, and is found by the
 * connection and the channel. */

typedef struct info_key {
    uint64_t conn, channel;
} info_key;

typedef struct info {
    info_key key;
    uint16_t len;
    char text[];
} info;

static info_key key_of(const tw_conn *conn, const tw__channel *channel) {
    return (info_key){tw_conn_handle(conn), channel->number};
}

static const info *find_info(const tw_conn *conn, const tw__channel *channel) {
    info_key key = key_of(conn, channel);
    return tw__map_find(&conn->server->folk.infos, (const char *)&key,
                        sizeof key);
}

void tw__presence_drop_info(tw_conn *conn, const tw__channel *channel) {
    tw__map *infos = &conn->server->folk.infos;
    info_key key = key_of(conn, channel);
    if (tw__map_len(infos) > 0) {
        tw__free(tw__map_remove(infos, (const char *)&key, sizeof key));
    }
}

int tw__presence_keep_info(tw_conn *conn, const tw__channel *channel,
                           tw_str text) {
    if (text.len == 0) {
        return 0;
    }
    info *made = tw__malloc(sizeof *made + text.len);
    if (made == NULL) {
        return TW_ENOMEM;
    }
    made->key = key_of(conn, channel);
    made->len = (uint16_t)text.len;
    memcpy(made->text, text.data, text.len);
    int err = tw__map_add(&conn->server->folk.infos, (const char *)&made->key,
                          sizeof made->key, made);
    if (err != 0) {
        tw__free(made);
    }
    return err;
}

/* ---- telling ---- */

static int enter(tw_conn *conn, tw__sub *sub, bool is_renewal) {
    tw__locator *locator = conn->server->locator;
    const tw__channel *channel = sub->channel;
    const info *about = find_info(conn, channel);
    tw_str user = tw_conn_user(conn);
    sub->mark |= TW__SUB_PRESENT;
    return locator->ops->enter(locator, channel->name, channel->name_len,
                               conn->id, user.data != NULL ? user.data : "",
                               user.len, about != NULL ? about->text : "",
                               about != NULL ? about->len : 0, is_renewal);
}

static void leave(tw_conn *conn, tw__sub *sub) {
    tw__locator *locator = conn->server->locator;
    const tw__channel *channel = sub->channel;
    sub->mark &= ~TW__SUB_PRESENT;
    if (!conn->server->destroying) { /* homes see the end of all at once */
        tw__renew_note_left(conn->server,
                            locator->ops->leave(locator, channel->name,
                                                channel->name_len, conn->id));
    }
}

static tw_str name_of(const tw__channel *channel) {
    return (tw_str){channel->name, channel->name_len};
}

void tw__presence_joined(tw_conn *conn, tw__sub *sub) {
    if (tw__class_has_persons(&sub->channel->class)) {
        tw__renew_if(conn, enter(conn, sub, false), name_of(sub->channel));
    }
}

void tw__presence_left(tw_conn *conn, tw__sub *sub) {
    if (sub->mark & TW__SUB_PRESENT) {
        leave(conn, sub);
    }
    tw__presence_drop_info(conn, sub->channel);
}

void tw__presence_rename(tw_conn *conn) {
    for (uint16_t i = 0; i < conn->sub_count; i++) {
        tw__sub *sub = &tw__conn_subs(conn)[i];
        if (sub->mark & TW__SUB_PRESENT) {
            leave(conn, sub);
            tw__renew_if(conn, enter(conn, sub, false), name_of(sub->channel));
        }
    }
}

int tw__presence_settle(tw_conn *conn, tw__sub *sub, bool is_renewal) {
    bool is_present = (sub->mark & TW__SUB_PRESENT) != 0;
    bool is_wanted = (sub->mark & TW__SUB_CONFIRMED) != 0 &&
                     tw__class_has_persons(&sub->channel->class);
    int err = 0;
    if (is_wanted && (is_renewal || !is_present)) {
        err = enter(conn, sub, true);
    } else if (is_present && !is_wanted) {
        leave(conn, sub);
    }
    if (err != 0 && !is_present) {
        sub->mark &= ~TW__SUB_PRESENT; /* still to be told */
    }
    return err;
}

/* ---- asking ---- */

enum { LIMIT = 100, LIMIT_MAX = 1000 };

static char *put(char *place, tw_str *to, const char *text, size_t len) {
    if (len == 0) {
        return place;
    }
    memcpy(place, text, len);
    place[len] = '\0';
    *to = (tw_str){place, len};
    return place + len + 1;
}

tw_presence_member *tw__members_of(const tw__person *persons, size_t count) {
    size_t bytes = 1;
    for (size_t i = 0; i < count; i++) {
        bytes += sizeof(tw_presence_member) + persons[i].user_len +
                 persons[i].info_len + 2u;
    }
    tw_presence_member *members = tw__calloc(1, bytes);
    char *place = members != NULL ? (char *)(members + count) : NULL;
    for (size_t i = 0; members != NULL && i < count; i++) {
        tw_presence_member *member = &members[i];
        tw__conn_id_write(persons[i].id, member->id);
        place = put(place, &member->user, persons[i].user, persons[i].user_len);
        place = put(place, &member->info, persons[i].info, persons[i].info_len);
        member->connections = persons[i].connections;
    }
    return members;
}

typedef struct question {
    tw_presence_cb cb;
    void *arg;
} question;

static void on_count(int status, uint64_t count, void *arg) {
    question asked = *(question *)arg;
    tw_presence_list list = {.connections = count};
    tw__free(arg);
    asked.cb(status, status == 0 ? &list : NULL, asked.arg);
}

static void on_persons(int status, const tw__persons *persons, void *arg) {
    question asked = *(question *)arg;
    tw__free(arg);
    tw_presence_member *members =
        status == 0 ? tw__members_of(persons->items, persons->count) : NULL;
    if (members == NULL) {
        asked.cb(status != 0 ? status : TW_ENOMEM, NULL, asked.arg);
        return;
    }
    tw_presence_list list = {persons->persons, persons->connections, members,
                             persons->count};
    asked.cb(0, &list, asked.arg);
    tw__free(members);
}

static int ask(tw_server *server, tw_str channel, const tw__class *class,
               uint32_t limit, question *asked) {
    tw__locator *locator = server->locator;
    tw__broker *broker = server->broker;
    limit = limit == 0 ? LIMIT : limit;
    if (!tw__class_has_persons(class)) {
        return broker->ops->count(broker, channel.data, channel.len, on_count,
                                  asked);
    }
    return locator->ops->persons(locator, channel.data, channel.len,
                                 limit < LIMIT_MAX ? limit : LIMIT_MAX,
                                 on_persons, asked);
}

int tw_channel_presence(tw_server *server, tw_str channel, uint32_t limit,
                        tw_presence_cb cb, void *arg) {
    if (channel.len == 0 || channel.len > TW__CHANNEL_MAX) {
        return TW_EINVALID;
    }
    tw__class class =
        tw__classes_find(server->hub.classes, channel.data, channel.len);
    if (class.presence == TW_PRESENCE_NONE) {
        return TW_EINVALID;
    }
    question *asked = tw__malloc(sizeof *asked);
    if (asked == NULL) {
        return TW_ENOMEM;
    }
    *asked = (question){cb, arg};
    int err = ask(server, channel, &class, limit, asked);
    if (err != 0) {
        tw__free(asked);
    }
    return err;
}
