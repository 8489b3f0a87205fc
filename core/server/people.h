/* people.h - users, presence and actions from elsewhere, as the member has them
 * that holds the connections.
 *
 * The homes of users and channels know who is there only from those who tell
 * them (bus/locator.h). What is told here: a connection's user while it is open
 * (users.c), and a subscriber while it is joined, where the channel's class has
 * presence (presence.c). What cannot be told at the moment, what a home has
 * forgotten and what a new class asks for is told later, by a walk over the
 * connections in slices (renew.c).
 *
 * Inside of core/server only. SPDX-License-Identifier: MIT */
#ifndef TW_SERVER_PEOPLE_H
#define TW_SERVER_PEOPLE_H

#include "base/map.h"
#include "bus/locator.h"
#include "hub/hub.h"
#include "net/wheel.h"
#include "tidewire/tidewire.h"

enum { TW__CLOSE_USER_LIMIT = 3006 }; /* too many connections of this user */

/* A walk over the connections, from the first place in the slab to the last.
 * Within a connection it goes from its last subscription to the first: when one
 * is removed meanwhile the last takes its place, which was walked already. */
typedef struct tw__renewal {
    uint32_t place; /* of the connection that is next; 0: no walk */
    uint32_t subs;  /* so many of its subscriptions are left, at most */
    bool rests;     /* until the home has room */
} tw__renewal;

typedef struct tw__folk {
    tw__map infos;         /* of subscribers that have some */
    tw__renewal *renewals; /* by home; behind those, that of new classes */
    uint32_t renewing;     /* how many walk */
    tw__wheel_entry retry; /* when homes had no room */

    /* What hooks are to be told when they may run again. */
    tw__list news; /* of channels, in order */
    size_t news_bytes;
    tw__list lost_news; /* interests in channels of which some were dropped */

    tw__list subscriptions; /* of the host */
    tw__list heard;         /* publications for them */
    size_t heard_bytes;
    bool is_deaf; /* some were dropped since the list was empty */
} tw__folk;

/* 0 or TW_ENOMEM. */
int tw__server_open_people(tw_server *server);
/* Connections have gone; the host's subscriptions end here. While the broker is
 * still there. */
void tw__server_close_people(tw_server *server);
void tw__server_free_people(tw_server *server);

/* In each turn: what hooks missed, and a slice of what is to be told to homes.
 * True: there is more that can be done now. */
bool tw__server_run_people(tw_server *server);

/* ---- what the locator tells --------------------------------------------- */

void tw__server_on_act(void *arg, const uint8_t id[TW__CONN_ID_BYTES],
                       const tw__act *act);
bool tw__server_describe(void *arg, const uint8_t id[TW__CONN_ID_BYTES],
                         tw__conn_facts *facts);
void tw__server_on_presence(void *arg, const tw__presence_news *news);
void tw__server_on_fresh(void *arg, uint16_t slot);

/* ---- users (users.c) ----------------------------------------------------- */

/* A name that a user can have. */
bool tw__user_is_fine(tw_str user);

/* The connection has got its user, or is one without. */
void tw__user_enter(tw_conn *conn);
/* Tells the home again. 0 or the locator's error. */
int tw__user_tell(tw_conn *conn);
void tw__user_leave(tw_conn *conn);

/* Its on_open has ended, or it has logged in, or classes have changed: it is
 * subscribed to its user's channel where there is a class for that. */
void tw__user_welcome(tw_conn *conn);

/* ---- presence (presence.c) ----------------------------------------------- */

/* Keeps the info of a subscriber, as long as it is one. 0 or TW_ENOMEM. */
int tw__presence_keep_info(tw_conn *conn, const tw__channel *channel,
                           tw_str info);
void tw__presence_drop_info(tw_conn *conn, const tw__channel *channel);
/* The subscription has joined its channel. */
void tw__presence_joined(tw_conn *conn, tw__sub *sub);
/* The subscription ends, joined or not. */
void tw__presence_left(tw_conn *conn, tw__sub *sub);
/* The connection has another user than it had. */
void tw__presence_rename(tw_conn *conn);
/* The subscription is told of as its class wants it now; `is_renewal`: even
 * when it was told before. 0 or the locator's error. */
int tw__presence_settle(tw_conn *conn, tw__sub *sub, bool is_renewal);

/* Persons as the host sees them, in one block for tw__free. NULL without
 * memory. */
tw_presence_member *tw__members_of(const tw__person *persons, size_t count);

/* News that could not be told while the server was frozen. True: more can be
 * told now. */
bool tw__presence_run_news(tw_server *server);
/* Some news of the channel did not reach this member. */
void tw__presence_lost_news(tw_server *server, const tw__channel *channel);
void tw__presence_drop_news(tw_server *server);

/* ---- telling it again (renew.c) ---- */

/* Of the connection something was told to the home of a name; unless that went
 * well it will be told again. */
void tw__renew_if(tw_conn *conn, int err, tw_str name);
/* The same of an end; nothing can be done about one that could not be told. */
void tw__renew_note_left(tw_server *server, int err);
/* The server has other classes than before. */
void tw__renew_for_classes(tw_server *server);
/* A slice of all walks. True: there is more that can be done now. */
bool tw__renew_run(tw_server *server);

/* ---- subscriptions of the host (subscription.c) ---- */

/* A sequenced publication came, which is borrowed: it is told in the run. */
void tw__subscriptions_hear(tw_server *server, tw__pub *pub);
/* Calls out. True: more can be told now. */
bool tw__subscriptions_run(tw_server *server);
void tw__subscriptions_close(tw_server *server);

/* ---- on_unsubscribe (unsubscribed.c) ---- */

enum tw__unsubscribed_why {
    TW__BY_SCRIPT,
    TW__BY_REMOTE,
    TW__BY_FAILURE,
    TW__BY_CLOSE
};

/* A confirmed subscription to the channel has ended; the hook is due. */
void tw__conn_note_unsubscribed(tw_conn *conn, const tw__channel *channel,
                                enum tw__unsubscribed_why why);
/* All have, as the connection is not open any more. */
void tw__conn_note_closed_subs(tw_conn *conn);
/* Calls the next hook; its result. */
int tw__conn_run_unsubscribed(tw_conn *conn);
void tw__conn_drop_unsubscribed(tw_conn *conn);

/* subscribe.c: as tw_conn_unsubscribe. */
int tw__conn_unsubscribe(tw_conn *conn, tw_str channel,
                         enum tw__unsubscribed_why why);

#endif
