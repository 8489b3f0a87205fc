/* bridge_hooks_fake.h - a server without sockets, for tests of the bridge.
 *
 * Defines those functions of the public API that the bridge calls, so that a
 * test decides when a subscription is confirmed, a timer fires or a connection
 * goes, and reads what the bridge asked for. For test_bridge_hooks_*.c only:
 * each includes it once, into a program of its own.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TW_TESTS_BRIDGE_HOOKS_FAKE_H
#define TW_TESTS_BRIDGE_HOOKS_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <tidewire/lua.h>

#include "dict/dict.h"
#include "metric/metric.h"
#include "metric/text.h"

/* No test uses all of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

enum { FAKE_MAX = 64, FAKE_TEXT = 512, FAKE_ROWS = 1024 };

typedef struct fake_bytes {
    char text[FAKE_TEXT];
    size_t len;
    bool binary;
} fake_bytes;

struct tw_timer {
    tw_timer *next;
    tw_server *server;
    uint64_t due;
    void (*cb)(tw_timer *timer, void *arg);
    void *arg;
};

struct tw_route {
    tw_route_kind kind;
    char method[16], pattern[64];
    void *data;
    tw_route_config config;
    bool is_retired;
};

typedef struct fake_publication {
    char channel[64], key[64];
    fake_bytes data;
    tw_conn *except;
    uint64_t ttl_ms;
    char id[64];
    bool no_history;
} fake_publication;

struct tw_conn {
    tw_conn *next;
    tw_server *server;
    tw_route *route;
    uint64_t handle;
    char id[TW_ID_TEXT];
    char user[64], info[256];
    bool has_user, has_info, is_open, is_gone;
    int close_code;
    char close_reason[128];
    fake_bytes sent[FAKE_MAX];
    size_t sent_count;
    char channels[8][64];
    size_t channel_count;
    char pending[64]; /* a subscribe under way */
    tw_subscribe_cb pending_cb;
    void *pending_arg;
    tw_subscribe_options asked; /* its options, less info */
    char asked_info[256];
    tw_subscribed subscribed; /* what it will be answered */
    int done_count;
    int subscribe_error; /* what the next subscribe answers at once */
    tw_rate limit;
    int limit_count; /* tw_conn_limit was called so often */
    char alarm[72];
    uint64_t alarm_ms;
    void *data;
};

struct tw_req {
    tw_server *server;
    tw_route *route;
    int refs;
    const char *method, *path, *body;
    const char *(*pairs)[3]; /* kind letter, name, value; ends with NULL */
    bool is_accepted, is_refused, is_answered;
    int failures; /* so many responses find no memory */
    int status;
    fake_bytes body_out;
    char reason[128], user[64], info[256], subprotocol[64];
    uint32_t expires_ms;
    char headers[FAKE_TEXT];
};

typedef struct fake_post {
    void (*cb)(tw_server *server, void *arg);
    void *arg;
} fake_post;

/* A subscription of the host's. */
struct tw_subscription {
    tw_subscription *next;
    tw_server *server;
    char channel[64];
    void (*cb)(tw_server *server, const tw_publication *publication, void *arg);
    void *arg;
};

/* What was asked and is not answered yet, and how; see bridge_hooks_asked.h. */
typedef struct fake_asked {
    char name[256], key[64];
    tw_history_options history;
    uint32_t limit;
    tw_publish_cb publish_cb;
    tw_history_cb history_cb;
    tw_presence_cb presence_cb;
    tw_user_cb user_cb;
    void *arg;
    int error; /* what the next one answers at once */
} fake_asked;

struct tw_server {
    uint64_t now;
    tw_timer *timers;
    fake_post posts[FAKE_MAX];
    size_t post_count;
    bool (*idle)(tw_server *server, void *arg);
    void *idle_arg;
    int frozen;
    tw_route *routes[FAKE_MAX];
    size_t route_count;
    char classes[FAKE_TEXT];
    tw_class_config class_list[FAKE_MAX];
    size_t class_count;
    int classes_error; /* what setting them answers */
    fake_asked asked;
    char acts[FAKE_TEXT]; /* what was done to users and connections */
    tw_subscription *subscriptions;
    int subscribed_count; /* tw_subscribe was called so often */
    uint64_t counters[TW_COUNTER_COUNT];
    uint64_t gauges[TW_GAUGE_COUNT];
    tw_hook_row rows[FAKE_ROWS]; /* of all generations */
    uint32_t row_generations[FAKE_ROWS];
    fake_publication published[FAKE_MAX];
    size_t published_count;
    int publish_error; /* what the next publish answers */
    tw_conn *conns;
    uint64_t last_handle;
    uint32_t slot, slots;
    tw_count_cb count_cb;
    void *count_arg;
    int stopped_count;
    tw__dicts dicts;               /* see bridge_hooks_dict.h */
    int dict_error;                /* what opening one answers */
    struct tw_http_call *requests; /* see bridge_hooks_http.h */
    int requested_count;           /* tw_http_request was called so often */
    tw__metrics metrics;           /* see bridge_hooks_metric.h */
    int metric_error;              /* what opening one answers */
    tw_lua *lua;
    tw_hooks hooks;
};

static void fake_copy(char *to, size_t size, tw_str from) {
    size_t len = from.len < size - 1 ? from.len : size - 1;
    if (from.data) {
        memcpy(to, from.data, len);
    }
    to[from.data ? len : 0] = '\0';
}

static void fake_fill(fake_bytes *to, const void *data, size_t len,
                      bool binary) {
    to->len = len;
    to->binary = binary;
    fake_copy(to->text, sizeof to->text, (tw_str){data, len});
}

static bool fake_is_text(const char *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)data[i] >= 0xf8) {
            return false; /* enough for these tests */
        }
    }
    return true;
}

static tw_str fake_str(const char *text) {
    return (tw_str){text, text ? strlen(text) : 0};
}

/* ---- server ------------------------------------------------------------- */

static tw_route *fake_route(tw_server *server, const char *pattern) {
    for (size_t i = 0; i < server->route_count; i++) {
        tw_route *route = server->routes[i];
        if (!route->is_retired && strcmp(route->pattern, pattern) == 0) {
            return route;
        }
    }
    return NULL;
}

/* What a table was made of, kept as it was given: the bridge's own texts, which
 * live as long as their generation. */
struct tw_routes {
    size_t count;
    tw_route_config configs[64];
};

int tw_routes_create(tw_routes **routes, const tw_route_config *configs,
                     size_t count, size_t *bad, char *detail,
                     size_t detail_size) {
    *bad = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < configs[i].origin_count; j++) {
            if (strcmp(configs[i].origins[j], "bad origin") == 0) {
                *bad = i;
                snprintf(detail, detail_size, "'bad origin' is no origin");
                return TW_EINVALID;
            }
        }
    }
    *routes = calloc(1, sizeof **routes);
    (*routes)->count = count;
    memcpy((*routes)->configs, configs, count * sizeof *configs);
    return 0;
}

void tw_routes_destroy(tw_routes *routes) {
    free(routes);
}

void tw_server_use_routes(tw_server *server, tw_routes *routes) {
    const tw_route_config *configs = routes->configs;
    for (size_t i = 0; i < server->route_count; i++) {
        server->routes[i]->is_retired = true;
        server->routes[i]->data = NULL;
    }
    for (size_t i = 0; i < routes->count; i++) {
        tw_route *route = NULL;
        for (size_t j = 0; j < server->route_count && !route; j++) {
            tw_route *at = server->routes[j];
            if (strcmp(at->pattern, configs[i].pattern) == 0 &&
                at->kind == configs[i].kind) {
                route = at;
            }
        }
        if (!route) {
            route = calloc(1, sizeof *route);
            server->routes[server->route_count++] = route;
        }
        snprintf(route->pattern, sizeof route->pattern, "%s",
                 configs[i].pattern);
        snprintf(route->method, sizeof route->method, "%s",
                 configs[i].method ? configs[i].method : "");
        route->kind = configs[i].kind;
        route->config = configs[i];
        route->data = configs[i].data;
        route->is_retired = false;
    }
    free(routes);
}

void *tw_route_data(const tw_route *route) {
    return route->data;
}

int tw_server_set_classes(tw_server *server, const tw_class_config *classes,
                          size_t count, size_t *bad) {
    (void)bad;
    if (server->classes_error) {
        return server->classes_error;
    }
    server->classes[0] = '\0';
    server->class_count = count;
    for (size_t i = 0; i < count; i++) {
        server->class_list[i] = classes[i];
        size_t len = strlen(server->classes);
        snprintf(server->classes + len, sizeof server->classes - len,
                 "%s=%d/%u;", classes[i].pattern, (int)classes[i].slow,
                 classes[i].batch_ms);
    }
    return 0;
}

int tw_post(tw_server *server, void (*cb)(tw_server *, void *), void *arg) {
    assert_true(server->post_count < FAKE_MAX);
    server->posts[server->post_count++] = (fake_post){cb, arg};
    return 0;
}

void tw_server_freeze(tw_server *server) {
    server->frozen++;
}

void tw_server_thaw(tw_server *server) {
    server->frozen--;
}

uint64_t tw_server_now(const tw_server *server) {
    return server->now;
}

uint64_t tw_server_clock_us(const tw_server *server) {
    return server->now * 1000 + 1;
}

int64_t tw_server_wall_us(const tw_server *server) {
    return 1700000000000000 + (int64_t)server->now * 1000;
}

void tw_server_count(tw_server *server, tw_counter counter, uint64_t n) {
    server->counters[counter] += n;
}

volatile uint64_t *tw_server_counter(tw_server *server, tw_counter counter) {
    return &server->counters[counter];
}

tw_hook_row *tw_server_hook_row(tw_server *server, const char *name,
                                uint32_t generation) {
    size_t i = 0;
    while (server->row_generations[i] != 0 &&
           (server->row_generations[i] != generation ||
            strcmp(server->rows[i].name, name) != 0)) {
        i++;
        assert_true(i < FAKE_ROWS - 1);
    }
    server->row_generations[i] = generation;
    fake_copy(server->rows[i].name, sizeof server->rows[i].name,
              (tw_str){name, strlen(name)});
    return &server->rows[i];
}

void tw_server_gauge(tw_server *server, tw_gauge gauge, uint64_t value) {
    server->gauges[gauge] = value;
}

uint32_t tw_server_slot(const tw_server *server) {
    return server->slot;
}

uint32_t tw_server_slots(const tw_server *server) {
    return server->slots;
}

int tw_server_stats(tw_server *server, uint32_t slot, tw_slot_stats *stats) {
    memset(stats, 0, sizeof *stats);
    memcpy(stats->counters, server->counters, sizeof stats->counters);
    stats->slot = slot;
    stats->pid = 100 + (int)slot;
    stats->gauges[TW_GAUGE_CONNECTIONS] = 3;
    stats->uptime_ms = 2500;
    return 0;
}

tw_timer *tw_timer_start(tw_server *server, uint64_t ms,
                         void (*cb)(tw_timer *, void *), void *arg) {
    tw_timer *timer = calloc(1, sizeof *timer);
    timer->server = server;
    timer->due = server->now + ms;
    timer->cb = cb;
    timer->arg = arg;
    timer->next = server->timers;
    server->timers = timer;
    return timer;
}

static void fake_unlink(tw_timer *timer) {
    tw_timer **at = &timer->server->timers;
    while (*at && *at != timer) {
        at = &(*at)->next;
    }
    assert_non_null(*at);
    *at = timer->next;
}

void tw_timer_stop(tw_timer *timer) {
    fake_unlink(timer);
    free(timer);
}

void tw_server_set_idle(tw_server *server, bool (*cb)(tw_server *, void *),
                        void *arg) {
    server->idle = cb;
    server->idle_arg = arg;
}

void tw_member_stopped(tw_server *server) {
    server->stopped_count++;
}

/* A question of the operator; its test reads the answer. */
struct tw_question {
    tw_asked asked;
    void (*on_gone)(void *arg);
    void *gone_arg;
    unsigned answers;
    char outcome[16];
    char text[100 << 10];
    size_t len;
};

const tw_asked *tw_question_asked(const tw_question *question) {
    return &question->asked;
}

void tw_question_on_gone(tw_question *question, void (*cb)(void *arg),
                         void *arg) {
    question->on_gone = cb;
    question->gone_arg = arg;
}

void tw_question_answer(tw_question *question, const char *outcome,
                        const char *text, size_t len) {
    question->answers++;
    question->len =
        len < sizeof question->text ? len : sizeof question->text - 1;
    snprintf(question->outcome, sizeof question->outcome, "%s", outcome);
    memcpy(question->text, text, question->len);
    question->text[question->len] = '\0';
}

/* One turn of the loop: what was posted before it. */
static void fake_turn(tw_server *server) {
    fake_post posts[FAKE_MAX];
    size_t count = server->post_count;
    memcpy(posts, server->posts, sizeof posts);
    server->post_count = 0;
    for (size_t i = 0; i < count; i++) {
        posts[i].cb(server, posts[i].arg);
    }
    if (server->idle && !server->idle(server, server->idle_arg)) {
        server->idle = NULL;
    }
}

static void fake_turns(tw_server *server, int count) {
    for (int i = 0; i < count; i++) {
        fake_turn(server);
    }
}

/* Time passes; timers fire in order, with turns between them. */
static void fake_advance(tw_server *server, uint64_t ms) {
    uint64_t end = server->now + ms;
    for (;;) {
        tw_timer *first = NULL;
        for (tw_timer *at = server->timers; at; at = at->next) {
            if (at->due <= end && (!first || at->due <= first->due)) {
                first = at;
            }
        }
        if (!first || server->frozen) {
            break;
        }
        server->now = first->due > server->now ? first->due : server->now;
        fake_unlink(first);
        first->cb(first, first->arg);
        free(first);
        fake_turns(server, 3);
    }
    server->now = end;
}

/* ---- connections -------------------------------------------------------- */

static tw_conn *fake_connect(tw_server *server, const char *pattern) {
    tw_conn *conn = calloc(1, sizeof *conn);
    conn->server = server;
    conn->route = fake_route(server, pattern);
    assert_non_null(conn->route);
    conn->handle = ++server->last_handle;
    snprintf(conn->id, sizeof conn->id, "id-%llu",
             (unsigned long long)conn->handle);
    conn->is_open = true;
    conn->next = server->conns;
    server->conns = conn;
    return conn;
}

static bool fake_wants(const tw_conn *conn, unsigned hook) {
    return !conn->route->is_retired && (conn->route->config.hooks & hook);
}

static int fake_message(tw_conn *conn, const char *text) {
    tw_server *server = conn->server;
    char *copy = strdup(text); /* ASan shows who keeps it */
    tw_msg msg = {copy, strlen(copy), false, 0};
    int result = fake_wants(conn, TW_HOOK_MESSAGE)
                     ? server->hooks.on_message(conn, &msg, server->lua)
                     : TW_DONE;
    free(copy);
    return result;
}

static int fake_close(tw_conn *conn, int code, const char *reason) {
    tw_server *server = conn->server;
    conn->is_open = false;
    return fake_wants(conn, TW_HOOK_CLOSE)
               ? server->hooks.on_close(conn, code, fake_str(reason),
                                        server->lua)
               : TW_DONE;
}

/* The connection's memory goes. */
static void fake_gone(tw_conn *conn) {
    conn->server->hooks.on_gone(conn, conn->server->lua);
    assert_null(conn->data);
    conn->is_gone = true;
}

static const char *fake_last_sent(const tw_conn *conn) {
    return conn->sent_count ? conn->sent[conn->sent_count - 1].text : "";
}

void tw_conn_id(const tw_conn *conn, char out[TW_ID_TEXT]) {
    memcpy(out, conn->id, TW_ID_TEXT);
}

tw_route *tw_conn_route(const tw_conn *conn) {
    return conn->route;
}

tw_str tw_conn_user(const tw_conn *conn) {
    return fake_str(conn->has_user ? conn->user : NULL);
}

tw_str tw_conn_info(const tw_conn *conn) {
    return fake_str(conn->has_info ? conn->info : NULL);
}

tw_str tw_conn_ip(const tw_conn *conn) {
    (void)conn;
    return fake_str("127.0.0.1");
}

tw_str tw_conn_subprotocol(const tw_conn *conn) {
    (void)conn;
    return fake_str(NULL);
}

uint8_t tw_conn_colour(const tw_conn *conn) {
    (void)conn;
    return 0;
}

bool tw_conn_is_open(const tw_conn *conn) {
    return conn->is_open;
}

size_t tw_conn_queued(const tw_conn *conn) {
    (void)conn;
    return 17;
}

uint64_t tw_conn_handle(const tw_conn *conn) {
    return conn->handle;
}

tw_conn *tw_server_find(tw_server *server, uint64_t handle) {
    for (tw_conn *at = server->conns; at; at = at->next) {
        if (at->handle == handle) {
            return at->is_gone ? NULL : at;
        }
    }
    return NULL;
}

void tw_conn_set_data(tw_conn *conn, void *data) {
    conn->data = data;
}

void *tw_conn_data(const tw_conn *conn) {
    return conn->data;
}

int tw_conn_login(tw_conn *conn, tw_str user, tw_str info) {
    if (conn->has_user) {
        return TW_EEXISTS;
    }
    fake_copy(conn->user, sizeof conn->user, user);
    fake_copy(conn->info, sizeof conn->info, info);
    conn->has_user = true;
    conn->has_info = info.data != NULL;
    return 0;
}

int tw_conn_send(tw_conn *conn, const void *data, size_t len, bool binary) {
    if (!conn->is_open) {
        return TW_ECLOSED;
    }
    if (!binary && !fake_is_text(data, len)) {
        return TW_EINVALID;
    }
    assert_true(conn->sent_count < FAKE_MAX);
    fake_fill(&conn->sent[conn->sent_count++], data, len, binary);
    return 0;
}

int tw_conn_forward(tw_conn *conn, const tw_msg *msg) {
    assert_true(msg->binary || fake_is_text(msg->data, msg->len));
    return tw_conn_send(conn, msg->data, msg->len, msg->binary);
}

int tw_conn_close(tw_conn *conn, int code, tw_str reason) {
    if (!conn->is_open) {
        return TW_ECLOSED;
    }
    conn->is_open = false;
    conn->close_code = code;
    fake_copy(conn->close_reason, sizeof conn->close_reason, reason);
    return 0;
}

void tw_conn_done(tw_conn *conn) {
    conn->done_count++;
}

int tw_conn_alarm(tw_conn *conn, tw_str name, uint64_t ms) {
    fake_copy(conn->alarm, sizeof conn->alarm, name);
    conn->alarm_ms = ms;
    return 0;
}

/* ---- channels ----------------------------------------------------------- */

int tw_conn_subscribe(tw_conn *conn, tw_str channel,
                      const tw_subscribe_options *options, tw_subscribe_cb cb,
                      void *arg) {
    if (!conn->is_open) {
        return TW_ECLOSED;
    }
    if (conn->subscribe_error) {
        return conn->subscribe_error;
    }
    assert_null(conn->pending_cb);
    fake_copy(conn->pending, sizeof conn->pending, channel);
    conn->asked = *options;
    conn->asked.info = (tw_str){NULL, 0};
    fake_copy(conn->asked_info, sizeof conn->asked_info, options->info);
    conn->pending_cb = cb;
    conn->pending_arg = arg;
    return 0;
}

/* The channel's home answers. */
static void fake_confirm(tw_conn *conn, int status) {
    tw_subscribe_cb cb = conn->pending_cb;
    assert_non_null(cb);
    conn->pending_cb = NULL;
    if (status == 0) {
        memcpy(conn->channels[conn->channel_count++], conn->pending, 64);
    }
    cb(conn, status, status ? NULL : &conn->subscribed, conn->pending_arg);
}

int tw_conn_unsubscribe(tw_conn *conn, tw_str channel) {
    char name[64];
    fake_copy(name, sizeof name, channel);
    if (conn->pending_cb && strcmp(conn->pending, name) == 0) {
        fake_confirm(conn, TW_ECLOSED);
        return 0;
    }
    for (size_t i = 0; i < conn->channel_count; i++) {
        if (strcmp(conn->channels[i], name) == 0) {
            memcpy(conn->channels[i], conn->channels[--conn->channel_count],
                   64);
            return 0;
        }
    }
    return TW_ENOT_FOUND;
}

bool tw_conn_is_subscribed(const tw_conn *conn, tw_str channel) {
    for (size_t i = 0; i < conn->channel_count; i++) {
        if (strncmp(conn->channels[i], channel.data, 64) == 0) {
            return true;
        }
    }
    return false;
}

bool tw_conn_channel(const tw_conn *conn, size_t i, tw_str *channel) {
    if (i >= conn->channel_count) {
        return false;
    }
    *channel = fake_str(conn->channels[i]);
    return true;
}

int tw_publish(tw_server *server, tw_str channel, const void *data, size_t len,
               const tw_publish_options *options) {
    if (server->publish_error) {
        return server->publish_error;
    }
    if (!options->binary && !fake_is_text(data, len)) {
        assert_false(options->is_utf8);
        return TW_EINVALID;
    }
    assert_true(server->published_count < FAKE_MAX);
    fake_publication *pub = &server->published[server->published_count++];
    fake_copy(pub->channel, sizeof pub->channel, channel);
    fake_copy(pub->key, sizeof pub->key, options->key);
    fake_fill(&pub->data, data, len, options->binary);
    pub->except = options->except;
    pub->ttl_ms = options->ttl_ms;
    pub->no_history = options->no_history;
    fake_copy(pub->id, sizeof pub->id, options->id);
    return 0;
}

static const char *fake_last_published(const tw_server *server) {
    return server->published_count
               ? server->published[server->published_count - 1].data.text
               : "";
}

int tw_channel_count(tw_server *server, tw_str channel, tw_count_cb cb,
                     void *arg) {
    (void)channel;
    server->count_cb = cb;
    server->count_arg = arg;
    return 0;
}

#include "bridge_hooks_asked.h"
#include "bridge_hooks_dict.h"
#include "bridge_hooks_http.h"
#include "bridge_hooks_metric.h"

/* ---- requests ----------------------------------------------------------- */

tw_req *tw_req_ref(tw_req *req) {
    req->refs++;
    return req;
}

void tw_req_unref(tw_req *req) {
    assert_true(req->refs > 0);
    req->refs--;
}

tw_route *tw_req_route(tw_req *req) {
    return req->route;
}

tw_str tw_req_method(const tw_req *req) {
    return fake_str(req->method ? req->method : "GET");
}

tw_str tw_req_path(const tw_req *req) {
    return fake_str(req->path ? req->path : "/");
}

tw_str tw_req_ip(const tw_req *req) {
    (void)req;
    return fake_str("127.0.0.1");
}

bool tw_req_tls(const tw_req *req, tw_tls_info *info) {
    (void)req;
    (void)info;
    return false;
}

tw_str tw_req_body(const tw_req *req) {
    return fake_str(req->body ? req->body : "");
}

static tw_str fake_pair(tw_req *req, char kind, const char *name) {
    for (size_t i = 0; req->pairs && req->pairs[i][0]; i++) {
        if (req->pairs[i][0][0] == kind &&
            strcmp(req->pairs[i][1], name) == 0) {
            return fake_str(req->pairs[i][2]);
        }
    }
    return fake_str(NULL);
}

tw_str tw_req_header(tw_req *req, const char *name) {
    return fake_pair(req, 'H', name);
}

bool tw_req_at(tw_req *req, tw_req_part part, size_t i, tw_str *name,
               tw_str *value) {
    static const char kinds[] = "hpqcs";
    for (size_t j = 0; req->pairs && req->pairs[j][0]; j++) {
        if (req->pairs[j][0][0] == kinds[part] && i-- == 0) {
            *name = fake_str(req->pairs[j][1]);
            *value = fake_str(req->pairs[j][2]);
            return true;
        }
    }
    return false;
}

int tw_req_accept(tw_req *req, const tw_accept *accept) {
    if (req->is_answered) {
        return TW_ECLOSED;
    }
    if (accept) {
        if (accept->subprotocol.data &&
            !fake_pair(req, 's', accept->subprotocol.data).data) {
            return TW_EINVALID;
        }
        fake_copy(req->user, sizeof req->user, accept->user);
        fake_copy(req->info, sizeof req->info, accept->info);
        fake_copy(req->subprotocol, sizeof req->subprotocol,
                  accept->subprotocol);
        req->expires_ms = accept->expires_ms;
    }
    req->is_answered = req->is_accepted = true;
    return 0;
}

int tw_req_refuse(tw_req *req, int status, tw_str reason) {
    if (req->is_answered) {
        return TW_ECLOSED;
    }
    req->is_answered = req->is_refused = true;
    req->status = status;
    fake_copy(req->reason, sizeof req->reason, reason);
    return 0;
}

int tw_req_respond(tw_req *req, int status, const tw_header *headers,
                   size_t count, const void *body, size_t len) {
    if (req->is_answered) {
        return TW_ECLOSED;
    }
    if (req->failures > 0) {
        req->failures--;
        return TW_ENOMEM;
    }
    req->is_answered = true;
    req->status = status;
    fake_fill(&req->body_out, body, len, true);
    for (size_t i = 0; i < count; i++) {
        size_t at = strlen(req->headers);
        snprintf(req->headers + at, sizeof req->headers - at, "%.*s: %.*s\n",
                 (int)headers[i].name.len, headers[i].name.data,
                 (int)headers[i].value.len, headers[i].value.data);
    }
    return 0;
}

/* ---- a bridge with a script ---------------------------------------------- */

static char fake_dir[] = "/tmp/tw-bridge-XXXXXX";
static char fake_script[64];
static char fake_log_text[8192];

static void fake_log(tw_log_level level, const char *message,
                     const tw_log_field *fields, size_t count, void *arg) {
    (void)arg;
    size_t at = strlen(fake_log_text);
    size_t room = sizeof fake_log_text - at;
    int n = snprintf(fake_log_text + at, room, "%d %s", (int)level, message);
    for (size_t i = 0; n > 0 && (size_t)n < room && i < count; i++) {
        n += snprintf(fake_log_text + at + n, room - (size_t)n, " %s=%s",
                      fields[i].key, fields[i].value);
    }
    if (n > 0 && (size_t)n + 1 < room) {
        strcat(fake_log_text, "\n");
    }
}

static void fake_write(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", fake_dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* The Lua side of the library, from where this file is. */
static const char *fake_library(void) {
    static char path[512];
    const char *slash = strrchr(__FILE__, '/');
    int len = slash ? (int)(slash - __FILE__) : 1;
    snprintf(path, sizeof path, "%.*s/../../lua", len, slash ? __FILE__ : ".");
    return path;
}

static tw_lua_config fake_config(void) {
    tw_lua_config config = {
        .script = fake_script,
        .library_dir = fake_library(),
        .node_id = "node-1",
        .log = fake_log,
    };
    return config;
}

static const char fake_prologue[] = "local tw = require 'tidewire'\n";

/* Writes the script; the prologue is its first line. */
static void fake_source(const char *text) {
    char whole[16384];
    snprintf(whole, sizeof whole, "%s%s", fake_prologue, text);
    fake_write("app.lua", whole);
}

static tw_server *fake_server_with(const tw_lua_config *config,
                                   const char *text) {
    tw_server *server = calloc(1, sizeof *server);
    server->now = 1000;
    server->slots = 1;
    fake_log_text[0] = '\0';
    fake_source(text);
    assert_int_equal(tw_lua_create(&server->lua, config), 0);
    server->hooks = tw_lua_hooks(server->lua);
    return server;
}

/* A server that runs the script. */
static tw_server *fake_start(const char *text) {
    tw_lua_config config = fake_config();
    tw_server *server = fake_server_with(&config, text);
    char report[TW_REPORT_MAX] = "";
    if (tw_lua_start(server->lua, server, report)) {
        fail_msg("the script does not start: %s", report);
    }
    fake_turn(server);
    return server;
}

/* What starting the script says; it must fail. */
static const char *fake_refusal(const char *text) {
    static char report[TW_REPORT_MAX];
    tw_lua_config config = fake_config();
    fake_source(text);
    report[0] = '\0';
    assert_int_equal(tw_lua_check(&config, report), TW_EINVALID);
    return report;
}

static void fake_reload(tw_server *server, const char *text) {
    char report[TW_REPORT_MAX] = "";
    fake_source(text);
    if (tw_lua_reload(server->lua, report)) {
        fail_msg("the script does not reload: %s", report);
    }
    assert_int_equal(server->frozen, 0);
}

static void fake_free(tw_server *server) {
    for (tw_conn *conn = server->conns; conn; conn = conn->next) {
        if (conn->pending_cb) {
            fake_confirm(conn, TW_ECLOSED);
        }
    }
    if (server->count_cb) {
        server->count_cb(TW_ECLOSED, 0, server->count_arg);
    }
    fake_answer_closed(server);
    tw_lua_stop(server->lua);
    assert_null(server->timers); /* nothing of the bridge's is left */
    assert_null(server->subscriptions);
    tw_lua_destroy(server->lua);
    tw__dicts_deinit(&server->dicts);
    tw__metrics_deinit(&server->metrics);
    while (server->conns) {
        tw_conn *conn = server->conns;
        server->conns = conn->next;
        assert_null(conn->data);
        free(conn);
    }
    for (size_t i = 0; i < server->route_count; i++) {
        free(server->routes[i]);
    }
    free(server);
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part)) {
        fail_msg("\"%s\" does not contain \"%s\"", text, part);
    }
}

static int fake_setup(void **state) {
    (void)state;
    if (!mkdtemp(fake_dir)) {
        return -1;
    }
    snprintf(fake_script, sizeof fake_script, "%s/app.lua", fake_dir);
    return 0;
}

static int fake_teardown(void **state) {
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", fake_dir);
    return system(command);
}

#endif
