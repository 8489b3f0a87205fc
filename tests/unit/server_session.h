/* server_session.h - a short session in which a server does all that it does,
 * for tests that make the nth thing of it fail.
 *
 * Whatever fails, every step of the session has one of two ends: what was to
 * come has come, or the client that it was for has been closed or told so.
 * Nobody may be left to wait, and what is closed was that client's own. After
 * the session, with nothing failing any more, somebody new is served in full.
 *
 * What fails fails in the server only: `hold` and `go_on` of the fault are
 * called where the clients act and where the server does.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_SERVER_SESSION_H
#define TW_TESTS_SERVER_SESSION_H

#include "server_probe.h"

#include <dirent.h>
#include <uv.h>

enum {
    SESSION_LONG = 40000,       /* bytes of a long message */
    SESSION_STEP_MS = 5,        /* of held time, in a turn without an end */
    SESSION_PATIENCE_MS = 20000 /* of held time; below all idle limits */
};

typedef struct session_fault {
    void (*go_on)(void *arg);
    void (*hold)(void *arg);
    void *arg;
} session_fault;

/* How bytes travel between the clients and the server. A function that is NULL
 * leaves them as they are. */
typedef struct session_way {
    void (*fill_in)(world *w); /* what the server needs for it */
    /* A client has connected: what it says first goes to `out`. */
    void (*meet)(client *c, wire *out);
    bool (*has_met)(const client *c);
    void (*seal)(client *c, const void *data, size_t len, wire *out);
    /* From `from` on c->in is as it came: becomes what it means; what the way
     * itself has to answer goes to `out`. */
    void (*unseal)(client *c, size_t from, wire *out);
    void (*leave)(void); /* after the last client */
} session_way;

typedef struct session {
    world w;
    const session_fault *fault;
    const session_way *way;
    const char *folder; /* with the file that is served */
    int fence;
    int timers, counts; /* that came */
    int drained;
    uint64_t got; /* bytes that came to clients, as they came */
    size_t cut;   /* clients whose connection ended before its time */
} session;

static char session_long[SESSION_LONG + 1];

static inline void session_no_fault(void *arg) {
    (void)arg;
}

static inline int session_descriptors(void) {
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

/* The server's own doing stands between these two. */
#define SERVER_DOES(s, ...)                                                    \
    do {                                                                       \
        (s)->fault->go_on((s)->fault->arg);                                    \
        __VA_ARGS__;                                                           \
        (s)->fault->hold((s)->fault->arg);                                     \
    } while (0)

/* ---- turns ---- */

/* Small things that the kernel has room for. */
static inline void session_reply(client *c, wire *out) {
    if (out->len > 0 && c->fd >= 0 && c->error == 0) {
        ssize_t sent =
            send(c->fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
        assert_true(sent < 0 || (size_t)sent == out->len);
        if (sent < 0) {
            assert_true(errno != EAGAIN);
            c->error = errno;
        }
    }
    wire_free(out);
}

static inline void session_read(session *s, client *c) {
    size_t before = c->len;
    client_read(c);
    s->got += c->len - before;
    if (s->way->unseal != NULL && c->len > before) {
        wire out = {0};
        s->way->unseal(c, before, &out);
        session_reply(c, &out);
    }
}

static inline void session_turn(session *s, uint64_t wait_ms) {
    world *w = &s->w;
    SERVER_DOES(s, tw__loop_run_once(tw__server_loop(w->server), wait_ms));
    for (int i = 0; i < WORLD_CLIENTS; i++) {
        if (w->clients[i] != NULL && !w->clients[i]->is_lazy) {
            session_read(s, w->clients[i]);
        }
    }
    world_check(w);
    world_check_classes(w);
}

/* Any byte that went anywhere; the server counts those of a record when all of
 * it is gone. */
static inline uint64_t session_moved(session *s) {
    world *w = &s->w;
    return counter(w, TW_COUNTER_BYTES_IN) + counter(w, TW_COUNTER_BYTES_OUT) +
           s->got;
}

/* A turn of waiting. The first do not sleep, as mostly all is there; when
 * nothing moves time goes on in small steps, for what is put off. */
static inline void session_wait(session *s, unsigned turn, uint64_t *held) {
    world *w = &s->w;
    uint64_t before = session_moved(s);
    session_turn(s, turn < 20 ? 0 : 1);
    bool has_moved = session_moved(s) != before;
    if (turn >= 20 && !has_moved && *held < SESSION_PATIENCE_MS) {
        tw__loop_advance(tw__server_loop(w->server), SESSION_STEP_MS);
        *held += SESSION_STEP_MS;
    }
}

/* Turns until `condition`, which must come. */
#define session_until(s, condition)                                            \
    do {                                                                       \
        uint64_t until_ = real_ms() + WORLD_PATIENCE_MS, held_ = 0;            \
        for (unsigned turn_ = 0; !(condition); turn_++) {                      \
            if (held_ >= SESSION_PATIENCE_MS && real_ms() > until_) {          \
                fail_msg("%s:%d: in vain: %s", __FILE__, __LINE__,             \
                         #condition);                                          \
            }                                                                  \
            session_wait((s), turn_, &held_);                                  \
        }                                                                      \
    } while (0)

static inline void session_pass(session *s, uint64_t ms) {
    tw__loop *loop = tw__server_loop(s->w.server);
    tw__loop_advance(loop, ms);
    while (tw__loop_is_advancing(loop)) {
        session_turn(s, 1);
    }
}

/* ---- clients ---- */

static inline bool has_ended(const client *c) {
    return c->fd < 0 || c->is_ended || c->error != 0;
}

/* Whoever has ended is closed and left alone from now on. */
static inline bool is_there(session *s, client *c) {
    if (c->fd >= 0 && has_ended(c)) {
        client_close(c);
        s->cut++;
    }
    return c->fd >= 0;
}

static inline void session_send_raw(session *s, client *c, const void *data,
                                    size_t len) {
    const uint8_t *at = data;
    uint64_t until = real_ms() + WORLD_PATIENCE_MS;
    while (len > 0 && is_there(s, c)) {
        ssize_t sent = send(c->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            at += sent;
            len -= (size_t)sent;
        } else if (errno != EAGAIN && errno != ENOTCONN) {
            c->error = errno;
        } else {
            assert_true(real_ms() < until);
            session_turn(s, 1);
        }
    }
}

static inline void session_send(session *s, client *c, const void *data,
                                size_t len) {
    if (s->way->seal == NULL) {
        session_send_raw(s, c, data, len);
    } else if (is_there(s, c)) {
        wire out = {0};
        s->way->seal(c, data, len, &out);
        session_send_raw(s, c, out.data, out.len);
        wire_free(&out);
    }
}

static inline void session_say_frame(session *s, client *c, int first,
                                     const void *data, size_t len) {
    wire out = {0};
    wire_frame(&out, first, data, len);
    session_send(s, c, out.data, out.len);
    wire_free(&out);
}

static inline void session_say(session *s, client *c, const char *text) {
    session_say_frame(s, c, FIN | TW__WS_TEXT, text, strlen(text));
}

/* Takes what has come, up to and with the text frame `text`. False: it is not
 * there yet. A close frame is an end, too. */
static inline bool session_takes(client *c, const char *text) {
    int opcode = 0;
    const uint8_t *payload = NULL;
    size_t len = 0, size;
    while ((size = client_peek(c, &opcode, &payload, &len)) > 0) {
        bool is_it = opcode == TW__WS_TEXT && len == strlen(text) &&
                     memcmp(payload, text, len) == 0;
        bool is_end = opcode == TW__WS_CLOSE;
        client_take(c, size);
        if (is_end) {
            c->is_ended = true;
            return false;
        }
        if (is_it) {
            return true;
        }
    }
    return false;
}

/* Waits until `text` has come, or the end of the connection. */
static inline bool session_hears(session *s, client *c, const char *text) {
    bool is_heard = false;
    if (!is_there(s, c)) {
        return false;
    }
    session_until(s, (is_heard = session_takes(c, text)) || has_ended(c));
    return is_heard && is_there(s, c);
}

/* Says something that is answered: what was said before has been heard then. */
static inline bool session_fence(session *s, client *c) {
    char text[32];
    snprintf(text, sizeof text, "fence %d", ++s->fence);
    session_say(s, c, text);
    return session_hears(s, c, text);
}

static inline client *session_connect(session *s, int rcvbuf) {
    client *c = client_connect(&s->w, rcvbuf);
    if (s->way->meet != NULL) {
        wire out = {0};
        s->way->meet(c, &out);
        session_send_raw(s, c, out.data, out.len);
        wire_free(&out);
        session_until(s, s->way->has_met(c) || has_ended(c));
    }
    return c;
}

/* The status of an answer, 0 when there was none. */
static inline int session_status(session *s, client *c) {
    if (!is_there(s, c)) {
        return 0;
    }
    session_until(s, client_head(c) > 0 || has_ended(c));
    size_t len = client_head(c);
    if (len == 0) {
        is_there(s, c);
        return 0;
    }
    assert_true(len < sizeof c->head);
    memcpy(c->head, c->in, len);
    c->head[len] = '\0';
    client_take(c, len);
    return atoi(c->head + 9);
}

#define SESSION_HANDSHAKE                                                      \
    "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"                  \
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"   \
    "Sec-WebSocket-Version: 13\r\nCookie: a=b\r\n%s\r\n"

#define SESSION_DEFLATE "Sec-WebSocket-Extensions: permessage-deflate\r\n"

/* A WebSocket whose on_open has greeted it; or one that was told of the
 * failure, or closed. */
static inline client *session_open(session *s, int rcvbuf, const char *more) {
    char request[600];
    client *c = session_connect(s, rcvbuf);
    int len = snprintf(request, sizeof request, SESSION_HANDSHAKE, more);
    session_send(s, c, request, (size_t)len);
    int status = session_status(s, c);
    if (status != 101) {
        assert_true(status == 0 || status >= 500);
        c->is_ended = true;
    } else {
        session_hears(s, c, "welcome");
    }
    is_there(s, c);
    return c;
}

/* ---- hooks ----
 *
 * A host that sees a failure says so: it closes with 1011, answers with 500. */

static inline void session_failed(tw_conn *conn) {
    tw_conn_close(conn, 1011, str_of("failed"));
}

static inline void session_on_upgrade(world *w, tw_req *req) {
    (void)w;
    (void)tw_req_cookie(req, "a");
    (void)tw_req_query(req, "b");
    if (tw_req_accept(req, &(tw_accept){.user = str_of("ann"),
                                        .info = str_of("info")}) != 0) {
        tw_req_refuse(req, 500, str_of("failed"));
    }
}

static inline int session_on_open(world *w, tw_conn *conn, tw_req *req) {
    (void)w;
    (void)req;
    if (tw_conn_send(conn, "welcome", 7, false) != 0) {
        session_failed(conn);
    }
    return TW_DONE;
}

static inline void session_on_subscribed(tw_conn *conn, int status,
        const tw_subscribed *result, void *arg) {
    (void)result;
    (void)arg;
    if (status != 0 || tw_conn_send(conn, "joined", 6, false) != 0) {
        session_failed(conn);
    }
}

static inline void session_answer_count(int status, uint64_t count, void *arg) {
    session *s = arg;
    (void)status;
    (void)count;
    s->counts++;
}

static inline void session_end_hook(tw_timer *timer, void *arg) {
    (void)timer;
    tw_conn_done(arg);
}

/* "+name" subscribes, "-name" unsubscribes, "!name" publishes a long text,
 * "?name" asks for the count, "@" sets an alarm, "*" ends later; anything else
 * is echoed. */
static inline int session_on_message(world *w, tw_conn *conn,
                                     const tw_msg *msg) {
    const char *text = msg->data;
    tw_str name = {text + 1, msg->len - 1};
    int err = 0;
    switch (msg->len > 0 && !msg->binary ? text[0] : 0) {
    case '+':
        err = tw_conn_subscribe(conn, name, NULL, session_on_subscribed, w);
        break;
    case '-':
        err = tw_conn_unsubscribe(conn, name);
        break;
    case '!':
        err = tw_publish(
            w->server, name, session_long, SESSION_LONG,
            &(tw_publish_options){.key = str_of("k"), .except = conn});
        break;
    case '?':
        err = tw_channel_count(w->server, name, session_answer_count, w);
        break;
    case '@':
        err = tw_conn_alarm(conn, name, 50);
        break;
    case '*':
        if (tw_timer_start(w->server, 5, session_end_hook, conn) != NULL) {
            return TW_LATER;
        }
        err = TW_ENOMEM;
        break;
    default:
        err = tw_conn_forward(conn, msg);
    }
    if (err != 0) {
        session_failed(conn);
    }
    return TW_DONE;
}

static inline int session_on_alarm(world *w, tw_conn *conn, tw_str name) {
    (void)w;
    if (tw_conn_send(conn, name.data, name.len, false) != 0) {
        session_failed(conn);
    }
    return TW_DONE;
}

static inline void session_on_request(world *w, tw_req *req) {
    tw_header header = {str_of("x-a"), str_of("b")};
    tw_str body = tw_req_body(req);
    (void)w;
    (void)tw_req_query(req, "q");
    if (tw_req_respond(req, 200, &header, 1, body.len > 0 ? body.data : "fine",
                       body.len > 0 ? body.len : 4) != 0) {
        tw_req_respond(req, 500, NULL, 0, NULL, 0);
    }
}

static inline void session_on_timer(tw_timer *timer, void *arg) {
    session *s = arg;
    (void)timer;
    s->timers++;
}

static inline void session_on_post(tw_server *server, void *arg) {
    session *s = arg;
    (void)server;
    s->timers++;
}

static inline void session_on_drained(tw_server *server, void *arg) {
    session *s = arg;
    (void)server;
    s->drained++;
}

/* ---- beginning ---- */

/* Also has libuv open what it keeps for the whole process. */
static inline const char *session_write_file(char folder[64]) {
    char path[128];
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    memset(session_long, 'x', SESSION_LONG);
    snprintf(folder, 64, "%s/tw-session-XXXXXX", P_tmpdir);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/page.txt", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(session_long, 1, SESSION_LONG, file), SESSION_LONG);
    assert_int_equal(fclose(file), 0);
    return folder;
}

static inline void session_remove_file(const char *folder) {
    char path[128];
    snprintf(path, sizeof path, "%s/page.txt", folder);
    unlink(path);
    rmdir(folder);
}

static inline void session_fill_in(session *s) {
    world *w = &s->w;
    w->is_silent = true;
    w->on_upgrade = session_on_upgrade;
    w->on_open = session_on_open;
    w->on_message = session_on_message;
    w->on_alarm = session_on_alarm;
    w->on_request = session_on_request;
    w->config.publication_budget_bytes = 3 * SESSION_LONG;
    w->config.handshake_ms = 5 * SESSION_PATIENCE_MS; /* no way out */
    w->config.http_idle_ms = 5 * SESSION_PATIENCE_MS;
    w->routes[0].hooks = TW_HOOK_ALL;
    w->routes[1] = (tw_route_config){.kind = TW_ROUTE_HTTP, .pattern = "/page"};
    w->routes[2] = (tw_route_config){
        .kind = TW_ROUTE_STATIC, .pattern = "/*", .folder = s->folder};
    w->route_count = 3;
}

static inline int session_begin(session *s) {
    static const tw_class_config classes[] = {
        {.pattern = "old:*", .slow = TW_SLOW_DROP_OLD, .batch_ms = 0},
        {.pattern = "late:*", .slow = TW_SLOW_CONFLATE, .batch_ms = 20},
    };
    world *w = &s->w;
    int err = 0;
    SERVER_DOES(s, err = tw_server_create(&w->server, &w->config, NULL, 0));
    if (err != 0) {
        w->server = NULL;
        return err;
    }
    tw__loop *loop = tw__server_loop(w->server);
    tw__loop_hold(loop, (tw__loop_now(loop) / 1000 + 1) * 1000);
    SERVER_DOES(s, {
        err = tw_server_set_routes(w->server, w->routes, w->route_count, NULL);
        err = err ? err : tw_server_set_classes(w->server, classes, 2, NULL);
        err = err ? err : tw_server_listen(w->server);
    });
    return err;
}

/* ---- the steps ---- */

static inline void session_talks(session *s, client *c) {
    session_fence(s, c);
    session_say_frame(s, c, TW__WS_TEXT, "in ", 3);
    session_say_frame(s, c, FIN | TW__WS_PING, "ping", 4);
    session_say_frame(s, c, FIN | TW__WS_CONTINUATION, "two", 3);
    session_hears(s, c, "in two");
    session_say_frame(s, c, FIN | TW__WS_BINARY, session_long, SESSION_LONG);
    session_fence(s, c);
}

/* "hello" as RFC 7692 has it, in a block that is not compressed. */
static inline void session_talks_deflated(session *s, client *c) {
    static const uint8_t hello[] = {0,   5,   0,   0xfa, 0xff, 'h',
                                    'e', 'l', 'l', 'o',  0};
    if (strstr(c->head, "permessage-deflate") != NULL) {
        session_say_frame(s, c, FIN | 0x40 | TW__WS_TEXT, hello, sizeof hello);
        session_hears(s, c, "hello");
    }
    session_fence(s, c);
}

/* What comes in one piece with a message whose hook goes on waits for it. */
static inline void session_talks_on(session *s, client *c) {
    wire out = {0};
    wire_text(&out, FIN | TW__WS_TEXT, "*");
    wire_text(&out, FIN | TW__WS_TEXT, "behind it");
    session_send(s, c, out.data, out.len);
    wire_free(&out);
    session_hears(s, c, "behind it");
}

static inline bool session_joins(session *s, client *c, const char *name) {
    char text[64];
    snprintf(text, sizeof text, "+%s", name);
    session_say(s, c, text);
    return session_hears(s, c, "joined");
}

/* What a publication is worth is in the ledger, which every turn is looked at:
 * who has none of it may have lost it, and is still answered. */
static inline void session_publishes(session *s, client *a, client *b) {
    static const char *const names[] = {"room", "old:1", "late:1"};
    for (size_t i = 0; i < 3; i++) {
        SERVER_DOES(s, tw_publish(s->w.server, str_of(names[i]), "news", 4,
                                  &(tw_publish_options){.ttl_ms = 1000}));
        SERVER_DOES(s,
                    tw_publish(s->w.server, str_of(names[i]), "more", 4, NULL));
    }
    session_pass(s, 20);
    session_fence(s, a);
    session_fence(s, b);
    session_say(s, b, "?room");
    session_say(s, b, "-room");
    if (session_fence(s, b)) {
        session_until(s, s->counts == 1);
    }
}

/* One who does not read while much is published, and reads then; first in one
 * channel alone, whose batch the kernel takes in part. */
static inline void session_is_slow(session *s, client *a, client *slow) {
    slow->is_lazy = true;
    session_say(s, a, "!old:1");
    session_fence(s, a);
    slow->is_lazy = false;
    session_fence(s, slow);
    session_joins(s, slow, "late:1");
    slow->is_lazy = true;
    for (int i = 0; i < 10; i++) {
        session_say(s, a, i < 5 ? "!late:1" : "!old:1");
        session_pass(s, 20);
    }
    session_fence(s, a);
    slow->is_lazy = false;
    session_fence(s, slow);
}

static inline void session_asks(session *s) {
    static const char text[] =
        "POST /page?q=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
        "GET /page.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    client *c = session_connect(s, 0);
    session_send(s, c, text, sizeof text - 1);
    int status = session_status(s, c);
    assert_true(status == 0 || status == 200 || status >= 400);
    session_until(s, has_ended(c));
    client_free(&s->w, c);
}

/* As a reload does it: new routes while nothing is read. */
static inline void session_reloads(session *s, client *a) {
    world *w = &s->w;
    int err = 0;
    tw_server_freeze(w->server);
    session_say(s, a, "frozen");
    session_turn(s, 1);
    w->routes[0].data = w;
    w->routes[0].idle_ms = 50000;
    SERVER_DOES(s, err = tw_server_set_routes(w->server, w->routes,
                                              w->route_count, NULL));
    assert_true(err == 0 || err == TW_ENOMEM || err == TW_EINVALID);
    SERVER_DOES(s, tw_publish(w->server, str_of("room"), "news", 4, NULL));
    session_turn(s, 1);
    SERVER_DOES(s, tw_server_thaw(w->server));
    session_hears(s, a, "frozen");
}

static inline void session_waits(session *s, client *a) {
    world *w = &s->w;
    int expected = s->timers;
    tw_timer *timer = NULL;
    SERVER_DOES(s, timer = tw_timer_start(w->server, 10, session_on_timer, s));
    expected += timer != NULL;
    SERVER_DOES(s, expected += tw_post(w->server, session_on_post, s) == 0);
    session_say(s, a, "@alarm");
    session_hears(s, a, "alarm");
    session_until(s, s->timers >= expected);
}

/* Each in its way. */
static inline void session_parts(session *s, client *a, client *b,
                                 client *slow) {
    world *w = &s->w;
    if (is_there(s, b)) {
        uint8_t body[2] = {1000 >> 8, 1000 & 0xFF};
        session_say_frame(s, b, FIN | TW__WS_CLOSE, body, 2);
        session_until(s, has_ended(b));
    }
    if (is_there(s, slow)) {
        client_reset(slow);
    }
    SERVER_DOES(s, tw_server_drain(w->server, 10000, session_on_drained, s));
    session_pass(s, 5000);
    if (is_there(s, a)) {
        session_until(s, session_takes(a, "") || has_ended(a));
        client_close(a);
    }
    session_until(s, s->drained == 1);
}

/* Nothing fails meanwhile: who comes now is served as ever. */
static inline void session_serves(session *s, const char *more) {
    static const session_fault none = {session_no_fault, session_no_fault,
                                       NULL};
    const session_fault *fault = s->fault;
    char request[600];
    size_t cut = s->cut;
    s->fault = &none;
    client *c = session_connect(s, 0);
    int len = snprintf(request, sizeof request, SESSION_HANDSHAKE, more);
    session_send(s, c, request, (size_t)len);
    assert_int_equal(session_status(s, c), 101);
    assert_true(session_hears(s, c, "welcome"));
    assert_true(session_joins(s, c, "room"));
    assert_true(session_joins(s, c, "old:2"));
    assert_int_equal(
        tw_publish(s->w.server, str_of("room"), "for you", 7, NULL), 0);
    assert_true(session_hears(s, c, "for you"));
    assert_true(session_fence(s, c));
    client_free(&s->w, c);
    assert_int_equal(s->cut, cut);
    s->fault = fault;
}

/* ---- all of it ---- */

static inline void session_play(session *s) {
    client *a = session_open(s, 0, "");
    client *b = session_open(s, 0, SESSION_DEFLATE);
    world_narrow(&s->w, 4096);
    client *slow = session_open(s, 4096, "");
    session_talks(s, a);
    session_talks_deflated(s, b);
    session_talks_on(s, b);
    session_joins(s, a, "room");
    session_joins(s, b, "room");
    session_joins(s, b, "late:1");
    session_joins(s, slow, "old:1");
    session_publishes(s, a, b);
    session_asks(s);
    session_is_slow(s, a, slow);
    session_reloads(s, a);
    session_waits(s, a);
    session_serves(s, "");
    session_parts(s, a, b, slow);
}

/* One server from its beginning to its end, with `fault`, and clients who come
 * by `way`. Nothing may be left of it. Gives how many clients it cost. */
static inline size_t session_run_by(const session_way *way,
                                    const session_fault *fault,
                                    const char *folder) {
    static session s;
    int descriptors = session_descriptors();
    memset(&s, 0, sizeof s);
    s.fault = fault;
    s.way = way;
    s.folder = folder;
    world_init(&s.w);
    session_fill_in(&s);
    if (way->fill_in != NULL) {
        way->fill_in(&s.w);
    }
    if (session_begin(&s) == 0) {
        session_play(&s);
    }
    world_close(&s.w);
    if (way->leave != NULL) {
        way->leave();
    }
    assert_int_equal(session_descriptors(), descriptors);
    return s.cut;
}

static inline size_t session_run(const session_fault *fault,
                                 const char *folder) {
    static const session_way plainly;
    return session_run_by(&plainly, fault, folder);
}

#endif
