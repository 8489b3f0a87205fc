/* Users, presence and connections by id over several workers: servers in one
 * process, each a slot of its own, linked as the master links them. One dies
 * and is replaced while the others go on.
 *
 * Their clocks go on as the machine's: everything is waited for.
 *
 * SPDX-License-Identifier: MIT */
#include "server_probe.h"

#include <dirent.h>
#include <stdlib.h>

#include "server/conn_id.h"
#include "server/people.h"

enum { SLOTS = 3 };

typedef struct town {
    world w[SLOTS];
    tw__page *pages[SLOTS];
    int bus_fds[SLOTS]; /* the master's */
    uint32_t incarnations[SLOTS];
    char dir[64];
    int status; /* of the last answer */
    bool is_answered;
    uint64_t members, connections;
    size_t count;
    tw_user_conn conns[8];
    int resets, joined; /* that the hook was told of */
} town;

/* ---- turns ---- */

static void turn(town *t) {
    for (int i = 0; i < SLOTS; i++) {
        world *w = &t->w[i];
        if (w->server != NULL) {
            tw__loop_run_once(tw__server_loop(w->server), 1);
        }
        for (int k = 0; k < WORLD_CLIENTS; k++) {
            if (w->clients[k] != NULL) {
                client_read(w->clients[k]);
            }
        }
    }
}

#define UNTIL(t, condition)                                                    \
    do {                                                                       \
        uint64_t until_ = real_ms() + WORLD_PATIENCE_MS;                       \
        while (!(condition)) {                                                 \
            if (real_ms() > until_) {                                          \
                fail_msg("waited in vain for: %s", #condition);                \
            }                                                                  \
            turn(t);                                                           \
        }                                                                      \
    } while (0)

/* ---- the town ---- */

static void accept_user(world *w, tw_req *req) {
    tw_str name, value;
    tw_accept accept = {.user = {NULL, 0}};
    (void)w;
    if (tw_req_at(req, TW_REQ_QUERY, 0, &name, &value)) {
        accept.user = name;
    }
    assert_int_equal(tw_req_accept(req, &accept), 0);
}

static int listen_at(const char *text) {
    tw__address address;
    int fd = -1;
    assert_int_equal(tw__address_parse(&address, text), 0);
    assert_int_equal(tw__socket_listen(&address, 128, 0, &fd), 0);
    return fd;
}

static town *the_town;

static void on_presence(tw_server *server, const tw_presence_change *change,
                        void *user) {
    (void)server;
    (void)user;
    the_town->resets += change->is_reset;
    the_town->joined += (int)change->joined_count;
}

static void start(town *t, uint16_t slot) {
    static const tw_class_config classes[] = {
        {.pattern = "room:*", .presence = TW_PRESENCE_LIST},
        {.pattern = "live:*", .presence = TW_PRESENCE_EVENTS}};
    char detail[256] = "";
    world *w = &t->w[slot];
    int listen_fd = listen_at("127.0.0.1:0");
    const tw__place place = {
        .slot = slot,
        .slots = SLOTS,
        .incarnation = ++t->incarnations[slot],
        .pages = t->pages,
        .dir = t->dir,
        .bus_fd = fcntl(t->bus_fds[slot], F_DUPFD_CLOEXEC, 0),
        .listen_fds = &listen_fd,
    };
    int err = tw__server_create(&w->server, &w->config, &place, detail,
                                sizeof detail);
    if (err != 0) {
        fail_msg("%s: %s", tw_err_name(err), detail);
    }
    world_set_routes(w);
    assert_int_equal(tw_server_set_classes(w->server, classes, 2, NULL), 0);
    assert_int_equal(tw_server_listen(w->server), 0);
}

static void stop(town *t, uint16_t slot) {
    world *w = &t->w[slot];
    for (int i = 0; i < WORLD_CLIENTS; i++) {
        if (w->clients[i] != NULL) {
            client_free(w, w->clients[i]);
        }
    }
    tw_server_destroy(w->server, NULL, NULL);
    w->server = NULL;
    assert_int_equal(w->opened, w->gone);
}

static void open_town(town *t, uint32_t user_connections) {
    char text[128];
    memset(t, 0, sizeof *t);
    the_town = t;
    snprintf(t->dir, sizeof t->dir, "/tmp/tw-people-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    for (int i = 0; i < SLOTS; i++) {
        world *w = &t->w[i];
        world_init(w);
        w->is_silent = true;
        w->on_upgrade = accept_user;
        w->routes[0].hooks |= TW_HOOK_UPGRADE;
        w->routes[0].user_connections = user_connections;
        w->config.presence_grace_ms = 1;
        w->config.hooks.on_presence = on_presence;
        t->pages[i] = calloc(1, sizeof *t->pages[i]);
        snprintf(text, sizeof text, "unix:%s/bus.%d", t->dir, i);
        t->bus_fds[i] = listen_at(text);
    }
    for (uint16_t i = 0; i < SLOTS; i++) {
        start(t, i);
    }
}

static void close_town(town *t) {
    char path[128];
    size_t live = t->w[0].live_before;
    for (uint16_t i = 0; i < SLOTS; i++) {
        if (t->w[i].server != NULL) {
            stop(t, i);
        }
        close(t->bus_fds[i]);
        free(t->pages[i]);
        snprintf(path, sizeof path, "%s/bus.%d", t->dir, i);
        unlink(path);
    }
    assert_int_equal(rmdir(t->dir), 0);
    assert_int_equal(tw__alloc_live(), live);
}

/* ---- clients ---- */

static client *open_at(town *t, int slot, const char *user) {
    char request[256];
    world *w = &t->w[slot];
    client *c = client_connect(w, 0);
    int before = w->opened;
    int len = snprintf(request, sizeof request, HANDSHAKE("/chat%s%s"),
                       user[0] != '\0' ? "?" : "", user);
    UNTIL(t, send(c->fd, request, (size_t)len, MSG_NOSIGNAL) == len);
    UNTIL(t, client_head(c) > 0);
    assert_int_equal(client_status(w, c), 101);
    UNTIL(t, w->opened > before);
    return c;
}

static void join(town *t, int slot, int number, const char *channel) {
    world *w = &t->w[slot];
    int before = w->answered;
    assert_int_equal(tw_conn_subscribe(w->conns[number], str_of(channel), NULL,
                                       world_on_subscribed, w),
                     0);
    UNTIL(t, w->answered > before);
    assert_int_equal(w->status, 0);
}

static void hear(town *t, world *w, client *c, const char *text) {
    UNTIL(t, client_has_frame(c));
    expect_text(w, c, text);
}

/* A name whose home is that slot. */
static const char *homed_in(uint16_t slot, const char *prefix, char name[32]) {
    for (int i = 0;; i++) {
        int len = snprintf(name, 32, "%s%d", prefix, i);
        if (tw__bus_home(name, (size_t)len, SLOTS) == slot) {
            return name;
        }
    }
}

/* ---- questions ---- */

static void on_list(int status, const tw_presence_list *list, void *arg) {
    town *t = arg;
    t->is_answered = true;
    t->status = status;
    t->members = status == 0 ? list->members : 0;
    t->connections = status == 0 ? list->connections : 0;
}

static void ask_presence(town *t, int slot, const char *channel) {
    t->is_answered = false;
    t->members = 0;
    if (tw_channel_presence(t->w[slot].server, str_of(channel), 0, on_list,
                            t) == 0) {
        UNTIL(t, t->is_answered);
    } else {
        turn(t); /* its home is away */
    }
}

static void on_conns(int status, const tw_user_conn *conns, size_t count,
                     void *arg) {
    town *t = arg;
    t->is_answered = true;
    t->status = status;
    t->count = count;
    assert_true(count <= sizeof t->conns / sizeof t->conns[0]);
    for (size_t i = 0; i < count; i++) {
        t->conns[i] = conns[i];
    }
}

static void ask_conns(town *t, int slot, const char *user) {
    t->is_answered = false;
    t->count = 0;
    if (tw_user_connections(t->w[slot].server, str_of(user), on_conns, t) ==
        0) {
        UNTIL(t, t->is_answered);
    } else {
        turn(t);
    }
}

#define UNTIL_CONNS(t, slot, user, wanted)                                     \
    UNTIL((t), (ask_conns((t), (slot), (user)), (t)->count == (wanted)))
#define UNTIL_MEMBERS(t, slot, channel, wanted)                                \
    UNTIL((t), (ask_presence((t), (slot), (channel)), (t)->members == (wanted)))

/* ---- everywhere ---- */

static void a_user_is_reached_on_all_workers(void **state) {
    static town t;
    client *c[SLOTS];
    char user[32];
    (void)state;
    open_town(&t, 0);
    for (uint16_t home = 0; home < SLOTS; home++) {
        homed_in(home, "u", user);
        for (int i = 0; i < SLOTS; i++) {
            c[i] = open_at(&t, i, user);
        }
        UNTIL_CONNS(&t, home, user, SLOTS);
        for (int i = 0; i < SLOTS; i++) {
            char text[32];
            snprintf(text, sizeof text, "from %d", i);
            assert_int_equal(tw_user_send(t.w[i].server, str_of(user), text,
                                          strlen(text), NULL),
                             0);
            for (int k = 0; k < SLOTS; k++) {
                hear(&t, &t.w[k], c[k], text);
            }
        }
    }
    close_town(&t);
}

static void its_connections_are_listed_wherever_they_are(void **state) {
    static town t;
    bool is_seen[SLOTS] = {false};
    (void)state;
    open_town(&t, 0);
    for (int i = 0; i < SLOTS; i++) {
        open_at(&t, i, "ann");
    }
    UNTIL_CONNS(&t, 0, "ann", SLOTS);
    for (int i = 0; i < SLOTS; i++) {
        uint8_t id[TW__CONN_ID_BYTES];
        assert_int_equal(tw__conn_id_parse(id, str_of(t.conns[i].id)), 0);
        assert_int_equal(tw__conn_id_slot(id), t.conns[i].slot);
        is_seen[t.conns[i].slot] = true;
    }
    assert_true(is_seen[0] && is_seen[1] && is_seen[2]);
    close_town(&t);
}

static void a_connection_is_reached_from_every_worker(void **state) {
    static town t;
    char id[TW_ID_TEXT];
    (void)state;
    open_town(&t, 0);
    client *c = open_at(&t, 1, "");
    tw_conn_id(t.w[1].conns[1], id);
    for (int i = 0; i < SLOTS; i++) {
        assert_int_equal(
            tw_remote_send(t.w[i].server, str_of(id), "hello", 5, false), 0);
        hear(&t, &t.w[1], c, "hello");
    }
    assert_int_equal(
        tw_remote_subscribe(t.w[2].server, str_of(id), str_of("news")), 0);
    UNTIL(&t, tw_conn_is_subscribed(t.w[1].conns[1], str_of("news")));
    assert_int_equal(
        tw_remote_close(t.w[0].server, str_of(id), 4000, str_of("bye")), 0);
    UNTIL(&t, client_has_frame(c));
    expect_close(&t.w[1], c, 4000, "bye");
    close_town(&t);
}

static void the_limit_of_a_user_holds_over_workers(void **state) {
    static town t;
    (void)state;
    open_town(&t, 1);
    client *a = open_at(&t, 0, "ann");
    UNTIL_CONNS(&t, 1, "ann", 1);
    uint64_t opened = real_ms();
    UNTIL(&t, real_ms() > opened + 2); /* or nobody is the oldest */
    client *b = open_at(&t, 1, "ann");
    UNTIL(&t, client_has_frame(a));
    expect_close(&t.w[0], a, 3006, "too many connections of this user");
    UNTIL_CONNS(&t, 2, "ann", 1);
    assert_int_equal(t.conns[0].slot, 1);
    assert_int_equal(b->len, 0);
    close_town(&t);
}

static void who_is_in_a_channel_is_known_everywhere(void **state) {
    static town t;
    char room[32];
    (void)state;
    open_town(&t, 0);
    for (int i = 0; i < SLOTS; i++) {
        open_at(&t, i, i < 2 ? "ann" : "bob");
    }
    for (uint16_t home = 0; home < SLOTS; home++) {
        homed_in(home, "room:", room);
        for (int i = 0; i < SLOTS; i++) {
            join(&t, i, 1, room);
        }
        for (int i = 0; i < SLOTS; i++) {
            UNTIL_MEMBERS(&t, i, room, 2);
            assert_int_equal(t.connections, 3);
        }
        tw_conn_unsubscribe(t.w[2].conns[1], str_of(room));
        UNTIL_MEMBERS(&t, 0, room, 1);
    }
    close_town(&t);
}

/* ---- deaths ---- */

static void a_home_that_is_replaced_is_told_who_is_there(void **state) {
    static town t;
    char room[32], user[32];
    (void)state;
    open_town(&t, 0);
    homed_in(2, "room:", room);
    homed_in(2, "u", user);
    for (int i = 0; i < SLOTS; i++) {
        open_at(&t, i, user);
        open_at(&t, i, "");
        join(&t, i, 1, room);
        join(&t, i, 2, room);
    }
    UNTIL_MEMBERS(&t, 0, room, 4);
    UNTIL_CONNS(&t, 0, user, 3);
    stop(&t, 2);
    turn(&t);
    start(&t, 2);
    UNTIL_MEMBERS(&t, 2, room, 3);
    UNTIL_CONNS(&t, 2, user, 2);
    /* And once more; from another's view, too. */
    stop(&t, 2);
    start(&t, 2);
    UNTIL_CONNS(&t, 0, user, 2);
    UNTIL_MEMBERS(&t, 1, room, 3);
    assert_int_equal(t.w[0].gone, 0);
    assert_int_equal(t.w[1].gone, 0);
    close_town(&t);
}

static void the_hook_is_told_that_news_may_be_missing(void **state) {
    static town t;
    char room[32];
    (void)state;
    open_town(&t, 0);
    homed_in(2, "live:", room);
    open_at(&t, 0, "ann");
    join(&t, 0, 1, room);
    UNTIL(&t, t.joined == 1);
    assert_int_equal(t.resets, 0);
    stop(&t, 2);
    start(&t, 2);
    UNTIL(&t, t.resets > 0);
    UNTIL_MEMBERS(&t, 0, room, 1);
    assert_int_equal(t.joined, 1); /* who was there has not come */
    open_at(&t, 1, "bob");
    join(&t, 1, 1, room);
    UNTIL(&t, t.joined >= 2);
    close_town(&t);
}

static void who_was_on_a_worker_that_died_is_gone(void **state) {
    static town t;
    char room[32], user[32];
    (void)state;
    open_town(&t, 0);
    homed_in(0, "room:", room);
    homed_in(0, "u", user);
    for (int i = 0; i < SLOTS; i++) {
        open_at(&t, i, user);
        open_at(&t, i, "");
        join(&t, i, 1, room);
        join(&t, i, 2, room);
    }
    UNTIL_MEMBERS(&t, 1, room, 4);
    UNTIL_CONNS(&t, 1, user, 3);
    stop(&t, 2);
    UNTIL_MEMBERS(&t, 1, room, 3);
    UNTIL_CONNS(&t, 1, user, 2);
    start(&t, 2);
    open_at(&t, 2, user);
    UNTIL_CONNS(&t, 1, user, 3);
    close_town(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_is_reached_on_all_workers),
        cmocka_unit_test(its_connections_are_listed_wherever_they_are),
        cmocka_unit_test(a_connection_is_reached_from_every_worker),
        cmocka_unit_test(the_limit_of_a_user_holds_over_workers),
        cmocka_unit_test(who_is_in_a_channel_is_known_everywhere),
        cmocka_unit_test(a_home_that_is_replaced_is_told_who_is_there),
        cmocka_unit_test(the_hook_is_told_that_news_may_be_missing),
        cmocka_unit_test(who_was_on_a_worker_that_died_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
