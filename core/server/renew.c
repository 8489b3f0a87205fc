/* renew.c - what homes have to be told again.
 *
 * A home that was replaced has forgotten who is there; a home that had no room
 * was not told; a new class wants, or does not want any more, to know who is in
 * a channel. Each of these walks over the connections in slices and tells what
 * is so then. Who comes meanwhile tells it itself, so a walk may end at the
 * highest place there is; to be told twice does a home no harm.
 *
 * SPDX-License-Identifier: MIT */
#include "base/alloc.h"
#include "server/people.h"
#include "server/server.h"

enum {
    /* A turn's work: places in the slab cost one, those that tell something
     * TOLD_COST, about 250 a turn. */
    TURN_COST = 4096,
    TOLD_COST = 16,
    REST_MS = 20
};

/* ---- beginning ---- */

static tw__renewal *of_classes(tw_server *server) {
    return &server->folk.renewals[server->slots];
}

static void begin(tw_server *server, tw__renewal *renewal) {
    server->folk.renewing += renewal->place == 0;
    *renewal = (tw__renewal){.place = 1, .subs = UINT32_MAX};
    tw__loop_wake(&server->loop);
}

static void end(tw_server *server, tw__renewal *renewal) {
    *renewal = (tw__renewal){0};
    server->folk.renewing--;
}

static void on_rested(tw__wheel_entry *entry) {
    tw_server *server = TW__CONTAINER(entry, tw_server, folk.retry);
    for (uint32_t i = 0; i <= server->slots; i++) {
        server->folk.renewals[i].rests = false;
    }
    tw__loop_wake(&server->loop);
}

static void rest(tw_server *server, tw__renewal *renewal) {
    renewal->rests = true;
    if (!tw__wheel_is_set(&server->folk.retry)) {
        server->folk.retry.cb = on_rested;
        tw__clockwork_set(&server->link_clock, &server->folk.retry, REST_MS);
    }
}

void tw__server_on_fresh(void *arg, uint16_t slot) {
    tw_server *server = arg;
    if (slot < server->slots) {
        begin(server, &server->folk.renewals[slot]);
    }
}

void tw__renew_for_classes(tw_server *server) {
    begin(server, of_classes(server));
}

/* A walk that has still to come by the connection will tell it. */
void tw__renew_if(tw_conn *conn, int err, tw_str name) {
    tw_server *server = conn->server;
    if (err == 0 || err == TW_ECLOSED) {
        return;
    }
    uint16_t home =
        server->locator->ops->home(server->locator, name.data, name.len);
    tw__renewal *renewal = &server->folk.renewals[home];
    if (renewal->place == 0 || renewal->place >= tw__conn_index(conn)) {
        begin(server, renewal);
    }
    rest(server, renewal);
}

/* A home that is away forgets who was there. */
void tw__renew_note_left(tw_server *server, int err) {
    if (err != 0 && err != TW_ECLOSED && err != TW_EUNAVAILABLE) {
        tw__log_write(&server->log, TW_LOG_WARN,
                      "a home was not told that somebody left", "error",
                      tw_err_name(err), NULL);
    }
}

/* ---- one connection ---- */

/* A walk; `home` is the only one that it tells, or `slots`: all. */
typedef struct walk {
    tw_server *server;
    tw__renewal *renewal;
    uint32_t home;
    uint32_t *budget;
} walk;

/* Whether this is to be told to the home of a name. TW_EOVERLOADED: later. */
static int may_tell(const walk *w, tw_str name, bool *is_due) {
    tw__locator *locator = w->server->locator;
    uint16_t home = locator->ops->home(locator, name.data, name.len);
    *is_due = w->home == w->server->slots || home == w->home;
    return *is_due && !locator->ops->has_room(locator, home) ? TW_EOVERLOADED
                                                             : 0;
}

static int tell_user(const walk *w, tw_conn *conn) {
    bool is_due;
    if (w->home == w->server->slots) {
        if (conn->http == NULL) { /* else when its on_open has ended */
            tw__user_welcome(conn);
        }
        return 0;
    }
    if (!(conn->flags & TW__USER_ENTERED)) {
        return 0;
    }
    int err = may_tell(w, tw_conn_user(conn), &is_due);
    return err == 0 && is_due ? tw__user_tell(conn) : err;
}

static int tell_sub(const walk *w, tw_conn *conn, tw__sub *sub) {
    const tw__channel *channel = sub->channel;
    bool is_due;
    bool is_renewal = w->home != w->server->slots;
    if (!(sub->mark & TW__SUB_PRESENT) &&
        !tw__class_has_persons(&channel->class)) {
        return 0;
    }
    int err = may_tell(w, (tw_str){channel->name, channel->name_len}, &is_due);
    return err == 0 && is_due ? tw__presence_settle(conn, sub, is_renewal)
                              : err;
}

static void spend(const walk *w) {
    *w->budget -= *w->budget < TOLD_COST ? *w->budget : TOLD_COST;
}

/* 0: all of it is told. */
static int tell_conn(const walk *w, tw_conn *conn) {
    tw__renewal *renewal = w->renewal;
    int err = 0;
    spend(w);
    if (renewal->subs == UINT32_MAX) {
        if ((err = tell_user(w, conn)) != 0) {
            return err;
        }
        renewal->subs = conn->sub_count;
    }
    if (renewal->subs > conn->sub_count) {
        renewal->subs = conn->sub_count;
    }
    while (renewal->subs > 0) {
        tw__sub *sub = &tw__conn_subs(conn)[renewal->subs - 1];
        if ((err = tell_sub(w, conn, sub)) != 0) {
            return err;
        }
        renewal->subs--;
        spend(w);
    }
    return 0;
}

/* ---- slices ---- */

static void run(const walk *w) {
    tw_server *server = w->server;
    tw__renewal *renewal = w->renewal;
    while (*w->budget > 0) {
        if (renewal->place > server->conn_high) {
            end(server, renewal);
            return;
        }
        tw_conn *conn = &server->conns[renewal->place];
        bool is_open = conn->state == TW__CONN_OPEN;
        int err = is_open ? tell_conn(w, conn) : 0;
        if (err != 0 && err != TW_ECLOSED) {
            rest(server, renewal);
            return;
        }
        renewal->place++;
        renewal->subs = UINT32_MAX;
        *w->budget -= *w->budget > 0;
    }
}

bool tw__renew_run(tw_server *server) {
    tw__folk *folk = &server->folk;
    uint32_t budget = TURN_COST;
    bool is_left = false;
    if (folk->renewing == 0) {
        return false;
    }
    for (uint32_t i = 0; i <= server->slots; i++) {
        tw__renewal *renewal = &folk->renewals[i];
        walk w = {server, renewal, i, &budget};
        if (renewal->place != 0 && !renewal->rests) {
            run(&w);
            is_left = is_left || (renewal->place != 0 && !renewal->rests);
        }
    }
    return is_left;
}

/* ---- the whole of it ---- */

int tw__server_open_people(tw_server *server) {
    tw__folk *folk = &server->folk;
    tw__map_init(&folk->infos);
    tw__list_init(&folk->news);
    tw__list_init(&folk->lost_news);
    tw__list_init(&folk->subscriptions);
    tw__list_init(&folk->heard);
    folk->renewals = tw__calloc(server->slots + 1u, sizeof *folk->renewals);
    return folk->renewals == NULL ? TW_ENOMEM : 0;
}

void tw__server_close_people(tw_server *server) {
    tw__clockwork_clear(&server->link_clock, &server->folk.retry);
    tw__subscriptions_close(server);
    tw__presence_drop_news(server);
}

void tw__server_free_people(tw_server *server) {
    tw__map_deinit(&server->folk.infos);
    tw__free(server->folk.renewals);
}

bool tw__server_run_people(tw_server *server) {
    bool is_told = !tw__renew_run(server);
    bool is_heard = !tw__subscriptions_run(server);
    return tw__presence_run_news(server) || !is_told || !is_heard;
}
