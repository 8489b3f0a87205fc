/* server_probe.h - for tests of the server: a real one on its own loop inside
 * the test, and raw clients in the same thread.
 *
 * A world is a server, the record of its hooks as text and its clients. Nothing
 * runs but in world_turn, which runs one turn of the loop, lets the clients
 * read (but for the lazy ones) and asserts that no delivery is unaccounted for.
 *
 * The server's clock is held at a whole second: its time passes in world_pass
 * and nowhere else, so that what is due in 30 s comes in 30,000 ms and not in
 * 29,999, on any machine. What comes through the kernel comes in real time and
 * is waited for, with much patience; how many turns that takes nobody knows.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_SERVER_PROBE_H
#define TW_TESTS_SERVER_PROBE_H

#include "ws_probe.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/server.h"
#include "tidewire/tidewire.h"

enum {
    WORLD_CLIENTS = 64,
    WORLD_ROUTES = 8,
    WORLD_LOG = 1 << 16,
    WORLD_PATIENCE_MS = 30000, /* for what must come; far above what it takes */
    /* Of its route; the others are for tests that ask for them. */
    WORLD_HOOKS = TW_HOOK_ALL & ~(TW_HOOK_UPGRADE | TW_HOOK_RECOVER_FAIL |
                                  TW_HOOK_UNSUBSCRIBE)
};

typedef struct world world;

typedef struct client {
    int fd;
    uint8_t *in; /* received and not taken */
    size_t len, cap;
    uint64_t sent;
    bool is_lazy;  /* does not read in world_turn */
    bool is_ended; /* the server's FIN came */
    int error;     /* of recv, 0: none */
    char head[4096];
} client;

struct world {
    tw_server *server;
    tw_config config;
    tw_route_config routes[WORLD_ROUTES];
    size_t route_count;
    size_t live_before;
    const char *listen[2];
    client *clients[WORLD_CLIENTS];

    /* What hooks do besides writing themselves down; NULL: nothing. */
    void (*on_upgrade)(world *w, tw_req *req);
    void (*on_request)(world *w, tw_req *req);
    int (*on_open)(world *w, tw_conn *conn, tw_req *req);
    int (*on_message)(world *w, tw_conn *conn, const tw_msg *msg);
    int (*on_close)(world *w, tw_conn *conn);
    int (*on_slow)(world *w, tw_conn *conn, const tw_slow *slow);
    int (*on_alarm)(world *w, tw_conn *conn, tw_str name);
    int (*on_unsubscribe)(world *w, tw_conn *conn, tw_str channel);
    void (*on_gone)(world *w, tw_conn *conn);
    void (*on_abandon)(world *w, tw_req *req);
    bool is_silent; /* hooks are not written down */

    tw_conn *conns[WORLD_CLIENTS]; /* by number, from 1; NULL when gone */
    int opened, gone;
    int in_hook;          /* hooks on the stack */
    int answered, status; /* of subscribes: how many, and the last one's */
    char log[WORLD_LOG];
    size_t log_len;
};

/* ---- the record ---- */

static inline void world_note(world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void world_note(world *w, const char *format, ...) {
    va_list args;
    if (w->is_silent) {
        return;
    }
    va_start(args, format);
    int n = vsnprintf(w->log + w->log_len, sizeof w->log - w->log_len, format,
                      args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof w->log - w->log_len);
    w->log_len += (size_t)n;
}

static inline void world_forget(world *w) {
    w->log_len = 0;
    w->log[0] = '\0';
}

#define assert_log(w, text)                                                    \
    do {                                                                       \
        assert_string_equal((w)->log, (text));                                 \
        world_forget(w);                                                       \
    } while (0)

/* ---- small things ---- */

static inline tw_str str_of(const char *text) {
    return (tw_str){text, strlen(text)};
}

static inline int number_of(const tw_conn *conn) {
    return (int)(intptr_t)tw_conn_data(conn);
}

/* Of the machine; only to give up by, and for what must take long. */
static inline uint64_t real_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline uint64_t counter(world *w, tw_counter which) {
    return w->server->page->counters[which];
}

/* ---- hooks ---- */

static inline void world_begin(world *w) {
    assert_int_equal(w->in_hook++, 0);
}

static inline int world_end(world *w, int result) {
    w->in_hook--;
    return result;
}

static inline void world_hook_upgrade(tw_req *req, void *user) {
    world *w = user;
    world_note(w, "upgrade ");
    if (w->on_upgrade != NULL) {
        w->on_upgrade(w, req);
    } else {
        tw_req_accept(req, NULL);
    }
}

static inline void world_hook_request(tw_req *req, void *user) {
    world *w = user;
    world_note(w, "request:%s ", tw_req_path(req).data);
    if (w->on_request != NULL) {
        w->on_request(w, req);
    } else {
        tw_req_respond(req, 200, NULL, 0, "fine", 4);
    }
}

static inline int world_hook_open(tw_conn *conn, tw_req *req, void *user) {
    world *w = user;
    world_begin(w);
    int number = ++w->opened;
    tw_conn_set_data(conn, (void *)(intptr_t)number);
    if (number < WORLD_CLIENTS) {
        w->conns[number] = conn;
    }
    assert_non_null(req);
    world_note(w, "open:%d ", number);
    return world_end(w, w->on_open ? w->on_open(w, conn, req) : TW_DONE);
}

static inline int world_hook_message(tw_conn *conn, const tw_msg *msg,
                                     void *user) {
    world *w = user;
    world_begin(w);
    if (msg->len <= 64) {
        world_note(w, "%s:%d:%.*s ", msg->binary ? "bin" : "msg",
                   number_of(conn), (int)msg->len, (const char *)msg->data);
    } else {
        world_note(w, "%s:%d:#%zu ", msg->binary ? "bin" : "msg",
                   number_of(conn), msg->len);
    }
    return world_end(w, w->on_message ? w->on_message(w, conn, msg) : TW_DONE);
}

static inline int world_hook_close(tw_conn *conn, int code, tw_str reason,
                                   void *user) {
    world *w = user;
    world_begin(w);
    world_note(w, "close:%d:%d:%s ", number_of(conn), code, reason.data);
    assert_false(tw_conn_is_open(conn));
    assert_int_equal(tw_conn_send(conn, "x", 1, false), TW_ECLOSED);
    return world_end(w, w->on_close ? w->on_close(w, conn) : TW_DONE);
}

static inline int world_hook_slow(tw_conn *conn, const tw_slow *slow,
                                  void *user) {
    world *w = user;
    world_begin(w);
    world_note(w, "slow:%d:%s ", number_of(conn), slow->channel.data);
    return world_end(w, w->on_slow ? w->on_slow(w, conn, slow) : TW_DONE);
}

static inline int world_hook_alarm(tw_conn *conn, tw_str name, void *user) {
    world *w = user;
    world_begin(w);
    world_note(w, "alarm:%d:%s ", number_of(conn), name.data);
    return world_end(w, w->on_alarm ? w->on_alarm(w, conn, name) : TW_DONE);
}

static inline int world_hook_unsubscribe(tw_conn *conn, tw_str channel,
                                         tw_str reason, void *user) {
    world *w = user;
    world_begin(w);
    world_note(w, "left:%d:%s:%s ", number_of(conn), channel.data, reason.data);
    return world_end(w, w->on_unsubscribe ? w->on_unsubscribe(w, conn, channel)
                                          : TW_DONE);
}

static inline void world_hook_gone(tw_conn *conn, void *user) {
    world *w = user;
    int number = number_of(conn);
    w->gone++;
    world_note(w, "gone:%d ", number);
    if (w->on_gone != NULL) {
        w->on_gone(w, conn);
    }
    if (number > 0 && number < WORLD_CLIENTS) {
        w->conns[number] = NULL;
    }
}

static inline void world_hook_abandon(tw_req *req, void *user) {
    world *w = user;
    world_note(w, "abandon ");
    if (w->on_abandon != NULL) {
        w->on_abandon(w, req);
    }
}

static inline void world_on_log(tw_log_level level, const char *message,
                                const tw_log_field *fields, size_t count,
                                void *arg) {
    (void)level;
    (void)message;
    (void)fields;
    (void)count;
    (void)arg;
}

/* ---- beginning ---- */

/* Fills in what a test then changes: one socket route "/chat" with WORLD_HOOKS.
 */
static inline void world_init(world *w) {
    memset(w, 0, sizeof *w);
    w->live_before = tw__alloc_live();
    w->listen[0] = "127.0.0.1:0";
    w->config = (tw_config){
        .listen = w->listen,
        .listen_count = 1,
        .hooks = {.on_upgrade = world_hook_upgrade,
                  .on_request = world_hook_request,
                  .on_open = world_hook_open,
                  .on_message = world_hook_message,
                  .on_close = world_hook_close,
                  .on_slow = world_hook_slow,
                  .on_alarm = world_hook_alarm,
                  .on_unsubscribe = world_hook_unsubscribe,
                  .on_gone = world_hook_gone,
                  .on_abandon = world_hook_abandon},
        .hook_user = w,
        .log = world_on_log,
    };
    w->routes[0] = (tw_route_config){
        .kind = TW_ROUTE_SOCKET,
        .pattern = "/chat",
        .hooks = WORLD_HOOKS,
    };
    w->route_count = 1;
}

static inline void world_set_routes(world *w) {
    assert_int_equal(
        tw_server_set_routes(w->server, w->routes, w->route_count, NULL), 0);
}

static inline void world_start(world *w) {
    char detail[256] = "";
    int err = tw_server_create(&w->server, &w->config, detail, sizeof detail);
    if (err != 0) {
        fail_msg("%s: %s", tw_err_name(err), detail);
    }
    tw__loop *loop = tw__server_loop(w->server);
    tw__loop_hold(loop, (tw__loop_now(loop) / 1000 + 1) * 1000);
    world_set_routes(w);
    assert_int_equal(tw_server_listen(w->server), 0);
}

static inline void world_open(world *w) {
    world_init(w);
    world_start(w);
}

static inline void world_set_class(world *w, const char *pattern,
                                   tw_slow_policy slow, uint32_t batch_ms) {
    tw_class_config config = {
        .pattern = pattern, .slow = slow, .batch_ms = batch_ms};
    assert_int_equal(tw_server_set_classes(w->server, &config, 1, NULL), 0);
}

/* Connections accepted from now on have a small send buffer. */
static inline void world_narrow(world *w, int bytes) {
    assert_int_equal(setsockopt(w->server->listeners[0]._io.fd, SOL_SOCKET,
                                SO_SNDBUF, &bytes, sizeof bytes),
                     0);
}

/* ---- clients ---- */

static inline void client_append(client *c, const void *data, size_t len) {
    if (c->len + len > c->cap) {
        c->cap = (c->len + len) * 2;
        c->in = realloc(c->in, c->cap);
        assert_non_null(c->in);
    }
    memcpy(c->in + c->len, data, len);
    c->len += len;
}

/* Reads what there is, at most `most` bytes. */
static inline size_t client_read_some(client *c, size_t most) {
    uint8_t block[16384];
    size_t total = 0;
    while (c->fd >= 0 && !c->is_ended && c->error == 0 && total < most) {
        size_t want = most - total < sizeof block ? most - total : sizeof block;
        ssize_t got = recv(c->fd, block, want, MSG_DONTWAIT);
        if (got > 0) {
            client_append(c, block, (size_t)got);
            total += (size_t)got;
        } else if (got == 0) {
            c->is_ended = true;
        } else if (errno == EAGAIN) {
            break;
        } else {
            c->error = errno;
        }
    }
    return total;
}

static inline void client_read(client *c) {
    client_read_some(c, SIZE_MAX);
}

static inline void client_take(client *c, size_t len) {
    assert_true(len <= c->len);
    memmove(c->in, c->in + len, c->len - len);
    c->len -= len;
}

static inline struct sockaddr_in world_address(world *w) {
    struct sockaddr_in sin = {.sin_family = AF_INET};
    tw_str text = tw_server_address(w->server, 0);
    const char *colon = strrchr(text.data, ':');
    assert_non_null(colon);
    sin.sin_port = htons((uint16_t)atoi(colon + 1));
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sin;
}

/* `rcvbuf` 0: the system's. */
static inline client *client_connect(world *w, int rcvbuf) {
    client *c = calloc(1, sizeof *c);
    struct sockaddr_in sin = world_address(w);
    assert_non_null(c);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(c->fd >= 0);
    int on =
        1; /* else what is said waits for the ack of what was said before */
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (rcvbuf > 0) {
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
    }
    if (connect(c->fd, (struct sockaddr *)&sin, sizeof sin) != 0) {
        assert_int_equal(errno, EINPROGRESS);
    }
    for (int i = 0; i < WORLD_CLIENTS; i++) {
        if (w->clients[i] == NULL) {
            w->clients[i] = c;
            return c;
        }
    }
    fail_msg("too many clients");
    return NULL;
}

static inline void client_close(client *c) {
    if (c->fd >= 0) {
        close(c->fd);
        c->fd = -1;
    }
}

/* Vanishes with an RST. */
static inline void client_reset(client *c) {
    struct linger linger = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    client_close(c);
}

static inline void client_free(world *w, client *c) {
    for (int i = 0; i < WORLD_CLIENTS; i++) {
        if (w->clients[i] == c) {
            w->clients[i] = NULL;
        }
    }
    client_close(c);
    free(c->in);
    free(c);
}

/* ---- turns ---- */

/* DESIGN 3.6, from what everybody can see. */
static inline void world_check(world *w) {
    tw_slot_stats s;
    assert_int_equal(tw_server_stats(w->server, 0, &s), 0);
    const uint64_t *n = s.counters;
    uint64_t accounted = n[TW_COUNTER_DELIVERED] + n[TW_COUNTER_CONFLATED] +
                         n[TW_COUNTER_DROPPED] + n[TW_COUNTER_EXPIRED] +
                         n[TW_COUNTER_CLOSED_LOSS] + s.gauges[TW_GAUGE_QUEUED];
    if (n[TW_COUNTER_INTENDED] != accounted) {
        fail_msg("intended %llu, delivered %llu conflated %llu dropped %llu "
                 "expired %llu closed %llu queued %llu",
                 (unsigned long long)n[TW_COUNTER_INTENDED],
                 (unsigned long long)n[TW_COUNTER_DELIVERED],
                 (unsigned long long)n[TW_COUNTER_CONFLATED],
                 (unsigned long long)n[TW_COUNTER_DROPPED],
                 (unsigned long long)n[TW_COUNTER_EXPIRED],
                 (unsigned long long)n[TW_COUNTER_CLOSED_LOSS],
                 (unsigned long long)s.gauges[TW_GAUGE_QUEUED]);
    }
}

/* The same by class: the rows add up to the whole. */
static inline void world_check_classes(world *w) {
    static const tw_counter counters[TW__FATES] = {
        TW_COUNTER_INTENDED, TW_COUNTER_DELIVERED, TW_COUNTER_CONFLATED,
        TW_COUNTER_DROPPED,  TW_COUNTER_EXPIRED,   TW_COUNTER_CLOSED_LOSS};
    const tw__page *page = w->server->page;
    for (int fate = 0; fate < TW__FATES; fate++) {
        uint64_t sum = 0;
        for (int row = 0; row < TW__FATE_ROWS; row++) {
            sum += page->fates[row].counts[fate];
        }
        assert_int_equal(sum, page->counters[counters[fate]]);
    }
}

static inline void world_turn(world *w) {
    tw__loop_run_once(tw__server_loop(w->server), 1);
    for (int i = 0; i < WORLD_CLIENTS; i++) {
        if (w->clients[i] != NULL && !w->clients[i]->is_lazy) {
            client_read(w->clients[i]);
        }
    }
    world_check(w);
    world_check_classes(w);
}

static inline void world_turns(world *w, int count) {
    while (count-- > 0) {
        world_turn(w);
    }
}

/* Turns until `condition`, which must come. */
#define world_until(w, condition)                                              \
    do {                                                                       \
        uint64_t until_ = real_ms() + WORLD_PATIENCE_MS;                       \
        while (!(condition)) {                                                 \
            if (real_ms() > until_) {                                          \
                fail_msg("waited in vain for: %s; log: %s", #condition,        \
                         (w)->log);                                            \
            }                                                                  \
            world_turn(w);                                                     \
        }                                                                      \
    } while (0)

/* Lets time pass. At the end all that fell due has been seen to and nothing is
 * left for the loop to do; what was written may still be on its way. */
static inline void world_pass(world *w, uint64_t ms) {
    tw__loop *loop = tw__server_loop(w->server);
    tw__loop_advance(loop, ms);
    while (tw__loop_is_advancing(loop)) {
        world_turn(w);
    }
}

/* The same without time: turns until one leaves no work. */
static inline void world_rest(world *w) {
    world_pass(w, 0);
}

/* `condition` must come when so much time has passed, and not before. */
#define expect_in(w, ms, condition)                                            \
    do {                                                                       \
        world_pass((w), (ms)-1);                                               \
        assert_false(condition);                                               \
        world_pass((w), 1);                                                    \
        assert_true(condition);                                                \
    } while (0)

/* ---- speaking ---- */

/* Sends all, turning the world when the kernel is full. */
static inline void client_send(world *w, client *c, const void *data,
                               size_t len) {
    const uint8_t *at = data;
    uint64_t until = real_ms() + WORLD_PATIENCE_MS;
    while (len > 0) {
        ssize_t sent = send(c->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            at += sent;
            len -= (size_t)sent;
            c->sent += (uint64_t)sent;
            continue;
        }
        if (errno != EAGAIN && errno != ENOTCONN) {
            return; /* the server has closed: what the test looks at next */
        }
        assert_true(real_ms() < until);
        world_turn(w);
    }
}

static inline void client_send_frame(world *w, client *c, int first,
                                     const void *data, size_t len) {
    wire out = {0};
    wire_frame(&out, first, data, len);
    client_send(w, c, out.data, out.len);
    wire_free(&out);
}

static inline void client_say(world *w, client *c, const char *text) {
    client_send_frame(w, c, FIN | TW__WS_TEXT, text, strlen(text));
}

/* Waits until the server has read all that its clients, who are all there
 * still, have sent. */
static inline void world_heard(world *w) {
    uint64_t sent = 0;
    for (int i = 0; i < WORLD_CLIENTS; i++) {
        sent += w->clients[i] != NULL ? w->clients[i]->sent : 0;
    }
    world_until(w, counter(w, TW_COUNTER_BYTES_IN) >= sent);
    world_rest(w);
}

/* True when connection `number` has nothing queued and its client has read
 * everything. */
static inline bool client_has_all(world *w, client *c, int number) {
    tw_conn *conn = w->conns[number];
    int unacknowledged = 1;
    if (conn == NULL || conn->io.fd < 0 || tw_conn_queued(conn) > 0 ||
        ioctl(conn->io.fd, SIOCOUTQ, &unacknowledged) != 0 ||
        unacknowledged > 0) {
        return false;
    }
    client_read(c);
    return true;
}

static inline void client_say_close(world *w, client *c, int code) {
    uint8_t body[2] = {(uint8_t)(code >> 8), (uint8_t)code};
    client_send_frame(w, c, FIN | TW__WS_CLOSE, body, code ? 2 : 0);
}

#define HANDSHAKE(path)                                                        \
    "GET " path " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"               \
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"   \
    "Sec-WebSocket-Version: 13\r\n\r\n"

/* The size of the response head that has come, 0 when it is not whole. */
static inline size_t client_head(const client *c) {
    for (size_t i = 4; i <= c->len; i++) {
        if (memcmp(c->in + i - 4, "\r\n\r\n", 4) == 0) {
            return i;
        }
    }
    return 0;
}

/* Waits for a response head, keeps it in c->head and gives its status. */
static inline int client_status(world *w, client *c) {
    world_until(w, client_head(c) > 0 || c->is_ended || c->error != 0);
    size_t len = client_head(c);
    assert_true(len > 0 && len < sizeof c->head);
    memcpy(c->head, c->in, len);
    c->head[len] = '\0';
    client_take(c, len);
    assert_int_equal(strncmp(c->head, "HTTP/1.1 ", 9), 0);
    return atoi(c->head + 9);
}

/* Waits for `len` bytes and takes them as text. */
static inline void client_body(world *w, client *c, char *out, size_t len) {
    world_until(w, c->len >= len);
    memcpy(out, c->in, len);
    out[len] = '\0';
    client_take(c, len);
}

/* A whole frame of the server at the front: its size, or 0. */
static inline size_t client_peek(const client *c, int *opcode,
                                 const uint8_t **payload, size_t *len) {
    if (c->len < 2) {
        return 0;
    }
    size_t extra = c->in[1] < 126 ? 0 : c->in[1] == 126 ? 2 : 8;
    size_t length = extra == 0 ? c->in[1] : 0;
    assert_true(c->in[0] & FIN);
    assert_false(c->in[1] & 0x80);
    if (c->len < 2 + extra) {
        return 0;
    }
    for (size_t i = 0; i < extra; i++) {
        length = length << 8 | c->in[2 + i];
    }
    if (c->len - 2 - extra < length) {
        return 0;
    }
    *opcode = c->in[0] & 0x0F;
    *payload = c->in + 2 + extra;
    *len = length;
    return 2 + extra + length;
}

static inline bool client_has_frame(const client *c) {
    int opcode = 0;
    const uint8_t *payload = NULL;
    size_t len;
    return client_peek(c, &opcode, &payload, &len) > 0;
}

/* The next frame must be this one. */
static inline void expect_frame(world *w, client *c, int opcode,
                                const void *data, size_t len) {
    int got = 0;
    const uint8_t *payload = NULL;
    size_t got_len = 0, size;
    world_until(w, client_has_frame(c) || c->is_ended || c->error != 0);
    size = client_peek(c, &got, &payload, &got_len);
    if (size == 0) {
        fail_msg("no frame, but the end; log: %s", w->log);
    }
    if (got != opcode || got_len != len ||
        (len > 0 && memcmp(payload, data, len) != 0)) {
        fail_msg("expected %d '%.*s', got %d '%.*s'", opcode,
                 len < 100 ? (int)len : 100, (const char *)data, got,
                 got_len < 100 ? (int)got_len : 100, (const char *)payload);
    }
    client_take(c, size);
}

static inline void expect_text(world *w, client *c, const char *text) {
    expect_frame(w, c, TW__WS_TEXT, text, strlen(text));
}

static inline void expect_close(world *w, client *c, int code,
                                const char *reason) {
    uint8_t body[TW__WS_CLOSE_BODY_MAX];
    size_t len = strlen(reason);
    body[0] = (uint8_t)(code >> 8);
    body[1] = (uint8_t)code;
    memcpy(body + 2, reason, len);
    expect_frame(w, c, TW__WS_CLOSE, body, code ? len + 2 : 0);
}

/* Nothing more but a FIN. */
static inline void expect_end(world *w, client *c) {
    world_until(w, c->is_ended || c->error != 0);
    assert_int_equal(c->error, 0);
    assert_int_equal(c->len, 0);
}

static inline void expect_nothing(world *w, client *c) {
    world_turns(w, 5);
    assert_int_equal(c->len, 0);
}

/* An upgraded connection, its on_open over or waiting. */
static inline client *client_open_with(world *w, int rcvbuf) {
    client *c = client_connect(w, rcvbuf);
    int before = w->opened;
    client_send(w, c, HANDSHAKE("/chat"), sizeof HANDSHAKE("/chat") - 1);
    assert_int_equal(client_status(w, c), 101);
    world_until(w, w->opened > before);
    return c;
}

static inline client *client_open(world *w) {
    return client_open_with(w, 0);
}

/* ---- channels ---- */

static inline void world_on_subscribed(tw_conn *conn, int status,
                                       const tw_subscribed *result, void *arg) {
    (void)result;
    world *w = arg;
    (void)conn;
    w->answered++;
    w->status = status;
}

/* Subscribes connection `number` and waits for the answer. */
static inline void world_subscribe(world *w, int number, const char *channel) {
    int before = w->answered;
    assert_int_equal(tw_conn_subscribe(w->conns[number], str_of(channel), NULL,
                                       world_on_subscribed, w),
                     0);
    assert_int_equal(w->answered, before);
    world_until(w, w->answered > before);
    assert_int_equal(w->status, 0);
}

static inline void world_publish(world *w, const char *channel,
                                 const char *text) {
    assert_int_equal(
        tw_publish(w->server, str_of(channel), text, strlen(text), NULL), 0);
}

/* ---- the end ---- */

/* Destroys it all and checks that nothing is left. */
static inline void world_close(world *w) {
    for (int i = 0; i < WORLD_CLIENTS; i++) {
        if (w->clients[i] != NULL) {
            client_free(w, w->clients[i]);
        }
    }
    if (w->server != NULL) {
        tw_server_destroy(w->server, NULL, NULL);
        w->server = NULL;
    }
    assert_int_equal(w->opened, w->gone);
    assert_int_equal(tw__alloc_live(), w->live_before);
}

#endif
