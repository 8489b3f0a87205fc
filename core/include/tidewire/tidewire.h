/* tidewire/tidewire.h - the C library behind Tidewire.
 *
 * A server owns sockets, WebSocket framing, channels, heartbeats and the link
 * to its sibling workers; the host gives it routes and hooks. Everything here
 * belongs to one thread, the one that runs the loop; only tw_post may be called
 * from others.
 *
 *   *Borrowed*  yours until the call or callback returns.
 *   *Taken*     the callee releases it, also when it fails.
 *   *Given*     the caller releases it.
 *
 * Hooks may call anything here at any moment: close their connection or
 * another, subscribe, publish, replace the routes. Closing is deferred: a
 * tw_conn stays valid until its on_gone returned.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TIDEWIRE_TIDEWIRE_H
#define TIDEWIRE_TIDEWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tidewire/errors.h"
#include "tidewire/log.h"
#include "tidewire/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TW_API __attribute__((visibility("default")))
#else
#define TW_API
#endif

struct uv_loop_s;

typedef struct tw_server tw_server;
typedef struct tw_conn tw_conn; /* a WebSocket connection */
typedef struct tw_req tw_req;   /* an HTTP request, or the one of an upgrade */
typedef struct tw_route tw_route; /* what answers a path */
typedef struct tw_timer tw_timer;

/* in tidewire/channels.h */
typedef struct tw_position tw_position;
typedef struct tw_presence_change tw_presence_change;

/* Bytes with a length; `data` is NULL only when absent. Text that the library
 * gives is also followed by a NUL. */
typedef struct tw_str {
    const char *data;
    size_t len;
} tw_str;

/* ---- hooks ------------------------------------------------------------ */

/* The answer of a connection hook. TW_LATER: the hook goes on after it
 * returned, until tw_conn_done; meanwhile no other hook of this connection
 * starts, its socket is not read, control frames that were parsed already are
 * answered and the silence timer rests. */
enum tw_hook_result { TW_DONE = 0, TW_LATER = 1 };

/* A whole message, borrowed; a hook that answers TW_LATER copies what it needs
 * before it returns. Text is valid UTF-8. */
typedef struct tw_msg {
    const void *data;
    size_t len;
    bool binary;
    uint8_t colour; /* the connection's */
} tw_msg;

/* What a slow policy did since the last report. */
typedef struct tw_slow {
    tw_str channel;
    size_t queued_bytes;
    uint64_t dropped; /* dropped or conflated deliveries */
} tw_slow;

/* Which hooks a route wants; absent ones cost nothing. */
enum tw_hook {
    TW_HOOK_UPGRADE = 1,
    TW_HOOK_OPEN = 2,
    TW_HOOK_MESSAGE = 4,
    TW_HOOK_CLOSE = 8,
    TW_HOOK_SLOW = 16,
    TW_HOOK_ALARM = 32,
    TW_HOOK_RECOVER_FAIL = 64,
    TW_HOOK_UNSUBSCRIBE = 128,
    TW_HOOK_ALL = 255
};

/* `user` is the config's hook_user. Hooks of one connection never overlap. */
typedef struct tw_hooks {
    /* Before the answer 101. Answers with tw_req_accept or tw_req_refuse, in
     * the hook or later. Without it every upgrade is accepted. */
    void (*on_upgrade)(tw_req *req, void *user);
    /* A plain request for a TW_ROUTE_HTTP. Answers with tw_req_respond, in the
     * hook or later. */
    void (*on_request)(tw_req *req, void *user);
    /* The connection is open for its wire. `req` is valid until the hook ends.
     */
    int (*on_open)(tw_conn *conn, tw_req *req, void *user);
    /* Also for what a peer had said before it hung up while a hook waited: the
     * connection is not open any more then, and tw_conn_close drops the rest.
     */
    int (*on_message)(tw_conn *conn, const tw_msg *msg, void *user);
    /* Once per on_open, after any running hook. 1006: lost without a close. */
    int (*on_close)(tw_conn *conn, int code, tw_str reason, void *user);
    int (*on_slow)(tw_conn *conn, const tw_slow *slow, void *user);
    int (*on_alarm)(tw_conn *conn, tw_str name, void *user);
    /* Publications behind `since` (offset 0 in an empty epoch: a channel without
     * history) did not and will not reach the connection. What the hook sends
     * before it waits leaves before what follows of the channel. */
    int (*on_recover_fail)(tw_conn *conn, tw_str channel,
                           const tw_position *since, void *user);
    /* A subscription ended, for what `reason` says: "unsubscribed" (by the
     * script), "remote" (from elsewhere), "failed" (it could not be kept),
     * "closed" (the connection did; then before on_close). */
    int (*on_unsubscribe)(tw_conn *conn, tw_str channel, tw_str reason,
                          void *user);
    /* Who came to and left a channel with TW_PRESENCE_EVENTS. Of no connection;
     * not while frozen, then later. What it tells with tw_channel_tell reaches
     * this worker's subscribers. */
    void (*on_presence)(tw_server *server,
                        const tw_presence_change *change, void *user);
    /* The last call for a connection for which on_open was called or that has
     * data: its memory goes after it. */
    void (*on_gone)(tw_conn *conn, void *user);
    /* An HTTP or upgrade request will not be answered any more (the peer left,
     * or a time limit passed): a later answer does nothing. `req` stays valid
     * until tw_req_unref. */
    void (*on_abandon)(tw_req *req, void *user);
} tw_hooks;

/* ---- routes ----------------------------------------------------------- */

typedef enum tw_route_kind {
    TW_ROUTE_SOCKET, /* WebSocket upgrades */
    TW_ROUTE_HTTP,   /* on_request */
    TW_ROUTE_STATIC  /* files of a folder; the rest of a "*" pattern is the path
                      */
} tw_route_kind;

typedef enum tw_rate_over {
    TW_RATE_CLOSE, /* 1008 */
    TW_RATE_DROP,
    TW_RATE_WAIT /* the socket is not read until there is a token */
} tw_rate_over;

/* What one connection may send in a second; 0 = unlimited. */
typedef struct tw_rate {
    double messages;
    double bytes;
    double burst; /* seconds of it that may come at once; 0 = 1 */
    tw_rate_over over;
} tw_rate;

/* permessage-deflate, RFC 7692. */
typedef enum tw_deflate {
    TW_DEFLATE_SHARED, /* offered by the client: no context takeover */
    TW_DEFLATE_OFF     /* never */
} tw_deflate;

/* All of it is copied. 0 takes the default in brackets. */
typedef struct tw_route_config {
    tw_route_kind kind;
    const char *method;  /* HTTP: "GET", "POST", ...; NULL = any */
    const char *pattern; /* "/chat", "/doc/:id", "/files/" + "*" */
    void *data;          /* the host's, see tw_route_data */

    /* TW_ROUTE_STATIC */
    const char *folder;

    /* TW_ROUTE_HTTP */
    size_t max_body_bytes; /* [1 MiB]; more is answered with 413 */

    /* TW_ROUTE_SOCKET */
    unsigned hooks;             /* set of tw_hook */
    const char *wire;           /* ["raw"] */
    uint32_t ping_ms;           /* [30000] silence before a ping */
    uint32_t idle_ms;           /* [60000] silence before a close */
    size_t max_message_bytes;   /* [65536] more is closed with 1009 */
    const char *const *origins; /* patterns; none = same origin */
    size_t origin_count;
    tw_rate rate;
    uint32_t drain_spread_ms; /* [5000] a drain closes connections over this */
    uint16_t drain_code;      /* [1012] */
    /* [0 = unlimited] Connections that a user may have, of all routes, when one
     * comes to this route. */
    uint32_t user_connections;
    bool closes_newest; /* the new one is closed when there are too many; else
                           the oldest. With 3006 */
    tw_deflate deflate;       /* [TW_DEFLATE_SHARED] */
} tw_route_config;

/* A table of routes, complete and ready to be used. */
typedef struct tw_routes tw_routes;

/* Makes one; everything that can fail happens here. 0, TW_EINVALID (a bad or
 * double pattern, an origin, a folder that cannot be served) or TW_ENOMEM; *bad
 * (may be NULL) is the index of the route, `detail` (may be NULL) gets a
 * sentence. The result is given. */
TW_API int tw_routes_create(tw_routes **routes, const tw_route_config *configs,
                            size_t count, size_t *bad, char *detail,
                            size_t detail_size);
TW_API void tw_routes_destroy(tw_routes *routes); /* NULL is allowed */

/* Replaces the server's table at once; `routes` is taken. A route whose kind,
 * method and pattern were there before keeps its tw_route and gets the new
 * settings and data, also for the connections that are open; the others are
 * retired but stay valid while a connection refers to them (their data becomes
 * NULL). */
TW_API void tw_server_use_routes(tw_server *server, tw_routes *routes);

/* Both in one; on failure the old table stays. */
TW_API int tw_server_set_routes(tw_server *server,
                                const tw_route_config *configs, size_t count,
                                size_t *bad);

/* The host's data of the route in the present table; NULL when retired. */
TW_API void *tw_route_data(const tw_route *route);

/* ---- TLS ---------------------------------------------------------------- */

/* A certificate and its key, PEM files. */
typedef struct tw_tls_pair {
    const char *cert; /* the certificate, then the chain up to a known CA */
    const char *key;  /* NULL: in the same file. Not readable by everybody */
} tw_tls_pair;

typedef enum tw_tls_client {
    TW_TLS_CLIENT_NONE,
    TW_TLS_CLIENT_REQUEST, /* may show a certificate, a valid one then */
    TW_TLS_CLIENT_REQUIRE  /* has to */
} tw_tls_client;

/* TLS 1.2 and 1.3. Of several certificates the first that fits the name which
 * the client asks for is used, else the first of all. Where there are several
 * for one name, with keys of different kinds (ECDSA, RSA), it is the one whose
 * signatures the client knows; ECDSA, when it knows both. */
typedef struct tw_tls_config {
    const tw_tls_pair *pairs;
    size_t pair_count;
    tw_tls_client client;  /* [none] are certificates asked of clients */
    const char *client_ca; /* PEM file of those who may have signed them */
    /* DER files with OCSP responses about the certificates. While one is valid
     * the certificate is shown with it to clients that ask for it. */
    const char *const *ocsp;
    size_t ocsp_count;
} tw_tls_config;

/* How one address is served. */
typedef struct tw_listen_options {
    const tw_tls_config *tls; /* NULL: not encrypted */
    /* Connections begin with a PROXY header of version 2 and come from trusted
     * proxies; others are closed. */
    bool proxy;
    /* Who may connect to a Unix socket: the mode of its file [0600; with a
     * group 0660], and the file's group by name or number [the process's]. */
    unsigned mode;
    const char *group;
} tw_listen_options;

/* ---- server ------------------------------------------------------------ */

/* Requests to other servers, see tidewire/http.h; of each worker. 0 takes the
 * default in brackets. */
typedef struct tw_http_config {
    uint32_t concurrent;   /* [100] under way at once; as many connections kept */
    uint32_t per_host;     /* [20] of them to one host */
    uint32_t queue;        /* [1000] that wait for their turn */
    uint32_t failures;     /* [5] in a row, each within 60 s of the one before,
                              then the host is left alone ... */
    uint32_t pause_ms;     /* [1000] ... for so long; twice as long after each
                              probe that failed, up to 60 s */
    size_t max_body_bytes; /* [16 MiB] that a request may ask to be answered */
    size_t memory_bytes;   /* [64 MiB] of bodies and answers held */
    const char *ca_file;   /* [the system's] PEM file of those who are trusted
                              to sign certificates */
    const char *proxy;     /* [none] "http://proxy:3128" */
} tw_http_config;

/* Zero-initialise; 0 takes the default in brackets. Everything is copied but
 * the hooks' functions and the user pointers. */
typedef struct tw_config {
    struct uv_loop_s *loop;    /* NULL: an own loop, see tw_server_run */
    const char *const *listen; /* "127.0.0.1:8080", "[::1]:80", "unix:/path" */
    size_t listen_count;
    const tw_listen_options *listen_options; /* as many; NULL: all zero */
    tw_hooks hooks;
    void *hook_user;
    tw_log_cb log;
    void *log_arg;
    tw_log_level log_level;

    /* Networks of proxies which are believed when they name their client, by
     * X-Forwarded-For or a PROXY header: "10.0.0.0/8", "::1"; "unix" is who
     * comes by a Unix socket. None: nobody is. */
    const char *const *trusted_proxies;
    size_t trusted_proxy_count;

    size_t max_connections;             /* [1,000,000] */
    size_t max_connections_per_address; /* [0 = unlimited], per worker */
    size_t max_subscriptions;           /* [1000] per connection */
    size_t max_head_bytes;              /* [16 KiB] of a request */
    size_t max_headers;                 /* [100] lines of a request */
    uint32_t max_requests;              /* [1000] of one connection */
    /* Upgrades, each worker its part: more are answered with 503. */
    uint32_t handshakes_per_second;  /* [0 = unlimited] */
    uint32_t handshake_burst;        /* [those of a second] at once */
    uint32_t handshake_ms;           /* [10000] for a whole request head */
    uint32_t http_idle_ms;           /* [15000] between requests */
    uint32_t http_handler_ms;        /* [60000] for an answer: then 503 */
    uint32_t frame_ms;               /* [30000] for a frame or message begun */
    uint32_t close_ms;               /* [5000] for the closing handshake */
    uint32_t stall_ms;               /* [30000] without write progress closes */
    size_t reply_budget_bytes;       /* [1 MiB] per connection */
    size_t publication_budget_bytes; /* [1 MiB] per connection */
    size_t pinned_limit_bytes;       /* [64 MiB] batches held by the slow */
    size_t publish_budget_bytes;     /* [16 MiB] to one home */
    size_t delivery_budget_bytes;    /* [16 MiB] from a home to one worker */
    size_t history_budget_bytes;     /* [256 MiB] kept by this worker as home */
    size_t recover_limit_bytes;      /* [4 MiB] sent for one recovery */
    size_t dict_memory_bytes;        /* [32 MiB] of all dictionaries */
    size_t metric_memory_bytes;      /* [1 MiB] of the host's metrics, in each
                                        worker */
    uint32_t presence_grace_ms;      /* [5000] in which coming back is no event */
    uint32_t presence_told_max;      /* [100] members up to which events are
                                        told; in larger channels only numbers */
    size_t read_turn_bytes;          /* [64 KiB] of one connection in a turn */
    uint32_t read_turn_frames;       /* [128] the same in frames */
    tw_http_config http;             /* requests to others */
} tw_config;

/* 0, TW_EINVALID (a listen address), TW_EEXISTS (address in use), TW_EDENIED,
 * TW_EIO, TW_ENOMEM; `detail` (may be NULL) gets a sentence. */
TW_API int tw_server_create(tw_server **server, const tw_config *config,
                            char *detail, size_t detail_size);

/* Begins to accept. Routes and classes are best set before. 0 or TW_EIO. */
TW_API int tw_server_listen(tw_server *server);

/* The address bound for listen[i], with the real port. "" when there is none.
 */
TW_API tw_str tw_server_address(const tw_server *server, size_t i);

/* Runs an own loop until tw_server_stop. Not for a host's loop. */
TW_API void tw_server_run(tw_server *server);
TW_API void tw_server_stop(tw_server *server);

/* Stops accepting, closes connections with the routes' drain codes, spread
 * over the routes' spread, after what was queued; `done` is called once when
 * none is left or `limit_ms` passed. */
TW_API void tw_server_drain(tw_server *server, uint32_t limit_ms,
                            void (*done)(tw_server *server, void *arg),
                            void *arg);

/* Closes everything at once and frees. An own loop is run until all is closed;
 * on a host's loop `closed` (may be NULL) is called from a later turn. Hooks
 * are called for what still closes (on_close, on_gone), then never again. Not
 * from inside a hook. */
TW_API void tw_server_destroy(tw_server *server, void (*closed)(void *arg),
                              void *arg);

/* Reads the certificates and keys of config->listen_options again, which is as
 * it was when the server was created but for the names of the files, and uses
 * them for those who connect from now on; nobody is closed. 0; TW_EINVALID,
 * TW_EDENIED, TW_EIO or TW_ENOMEM leave all as it was, and `detail` (may be
 * NULL) gets a sentence. Members of a master do this with every reload by
 * themselves. */
TW_API int tw_server_use_certificates(tw_server *server,
                                      const tw_config *config, char *detail,
                                      size_t detail_size);

/* From any thread: runs `cb(server, arg)` on the loop. 0, TW_ECLOSED or
 * TW_ENOMEM. A post that did not run before the server's end is dropped. */
TW_API int tw_post(tw_server *server, void (*cb)(tw_server *server, void *arg),
                   void *arg);

/* While frozen no hook starts: public sockets are not read or accepted, alarms
 * and timers wait, and so does the callback of a subscribe that succeeds, which
 * begins after the thaw; deliveries and the writing of what is queued go on, and
 * on_abandon and on_gone still tell of ends. Costs nothing per connection.
 * Counted: thaw as often as frozen. */
TW_API void tw_server_freeze(tw_server *server);
TW_API void tw_server_thaw(tw_server *server);

TW_API uint64_t tw_server_now(const tw_server *server); /* monotonic ms */
/* Microseconds, monotonic and since 1970, read anew with each call; in a lab
 * (tidewire/testing.h) those of its clock. */
TW_API uint64_t tw_server_clock_us(const tw_server *server);
TW_API int64_t tw_server_wall_us(const tw_server *server);
TW_API struct uv_loop_s *tw_server_loop(tw_server *server);
TW_API void tw_server_count(tw_server *server, tw_counter counter, uint64_t n);
/* The counter itself, for who counts very often; valid as long as the server.
 */
TW_API volatile uint64_t *tw_server_counter(tw_server *server,
                                            tw_counter counter);
TW_API void tw_server_gauge(tw_server *server, tw_gauge gauge, uint64_t value);

/* Facts of one slot; the slots of this server are 0 .. tw_server_slots - 1. */
typedef struct tw_slot_stats {
    uint64_t counters[TW_COUNTER_COUNT];
    uint64_t gauges[TW_GAUGE_COUNT];
    uint32_t slot, incarnation, generation;
    int pid; /* 0: not running */
    uint64_t uptime_ms;
    uint64_t cpu_ms;       /* user and system time of the process */
    uint64_t memory_bytes; /* resident */
} tw_slot_stats;

TW_API uint32_t tw_server_slot(const tw_server *server);
TW_API uint32_t tw_server_slots(const tw_server *server);
TW_API int tw_server_stats(tw_server *server, uint32_t slot,
                           tw_slot_stats *stats);

/* ---- requests ----------------------------------------------------------- */

/* A request is counted: the library holds it while it can be answered (and, for
 * an upgrade, until on_open ended); a host that answers later takes a
 * reference. All text is borrowed and valid as long as the request. */
TW_API tw_req *tw_req_ref(tw_req *req);
TW_API void tw_req_unref(tw_req *req);

TW_API tw_server *tw_req_server(tw_req *req);
TW_API tw_route *tw_req_route(tw_req *req);
TW_API tw_str tw_req_method(const tw_req *req);
TW_API tw_str tw_req_path(const tw_req *req); /* percent-decoded */
TW_API tw_str tw_req_ip(const tw_req *req);
TW_API tw_str tw_req_body(const tw_req *req);
/* Lines of one header joined with ", "; .data is NULL when absent. The name in
 * lower case. */
TW_API tw_str tw_req_header(tw_req *req, const char *name);
TW_API tw_str tw_req_param(tw_req *req, const char *name);
TW_API tw_str tw_req_query(tw_req *req, const char *name);
TW_API tw_str tw_req_cookie(tw_req *req, const char *name);
/* A name that a certificate has besides its subject. */
typedef enum tw_tls_name_kind {
    TW_TLS_NAME_DNS,
    TW_TLS_NAME_IP, /* as text */
    TW_TLS_NAME_EMAIL,
    TW_TLS_NAME_URI,
    TW_TLS_NAME_KINDS
} tw_tls_name_kind;

typedef struct tw_tls_name {
    tw_tls_name_kind kind;
    tw_str text; /* printable ASCII; others are left out */
} tw_tls_name;

/* The certificate that a client showed: one that the listener's CA signed. */
typedef struct tw_tls_peer {
    tw_str subject, issuer; /* as in RFC 2253: "CN=Ann,O=Example" */
    tw_str common_name;     /* of the subject; .data is NULL when absent */
    tw_str serial;          /* hexadecimal, lower case */
    tw_str fingerprint;     /* SHA-256 of the certificate, in the same way */
    int64_t not_before, not_after; /* seconds since 1970 */
    const tw_tls_name *names;      /* in the certificate's order */
    size_t name_count;
} tw_tls_peer;

typedef struct tw_tls_info {
    tw_str version;     /* "TLSv1.3" */
    tw_str cipher;      /* "TLS_AES_256_GCM_SHA384" */
    tw_str server_name; /* that was asked for; .data is NULL when absent */
    bool is_resumed;    /* of an earlier session */
    bool has_client;    /* `client` is filled in */
    tw_tls_peer client;
} tw_tls_info;

/* False: the request came unencrypted. */
TW_API bool tw_req_tls(const tw_req *req, tw_tls_info *info);

/* Walks all of one kind: the ith name and value; false at the end. */
typedef enum tw_req_part {
    TW_REQ_HEADERS,
    TW_REQ_PARAMS,
    TW_REQ_QUERY,
    TW_REQ_COOKIES,
    TW_REQ_PROTOCOLS /* offered subprotocols, in `name` */
} tw_req_part;
TW_API bool tw_req_at(tw_req *req, tw_req_part part, size_t i, tw_str *name,
                      tw_str *value);

typedef struct tw_accept {
    tw_str user;        /* absent: none yet */
    tw_str info;        /* the host's bytes about the user; absent: none */
    tw_str subprotocol; /* one of those offered; absent: none */
    uint8_t colour;
    uint32_t expires_ms; /* from now; 0: never. Then closed with 3005 */
} tw_accept;

/* Answers an upgrade with 101; `accept` may be NULL. 0, TW_ECLOSED (gone or
 * answered before), TW_EINVALID (the subprotocol was not offered, or a user of 0
 * or over 255 bytes; nothing done). */
TW_API int tw_req_accept(tw_req *req, const tw_accept *accept);
/* Answers an upgrade with `status` (400..599) and a JSON error. */
TW_API int tw_req_refuse(tw_req *req, int status, tw_str reason);

typedef struct tw_header {
    tw_str name, value;
} tw_header;

/* Answers a plain request. Content-Length, Date and Connection are added.
 * 0, TW_ECLOSED; TW_EINVALID (a bad status, or a header that may not be) and
 * TW_ENOMEM leave it unanswered. */
TW_API int tw_req_respond(tw_req *req, int status, const tw_header *headers,
                          size_t count, const void *body, size_t len);

/* ---- connections -------------------------------------------------------- */

enum { TW_ID_TEXT = 23 }; /* 22 characters (base64url of 128 bits) and NUL */

TW_API void tw_conn_id(const tw_conn *conn, char out[TW_ID_TEXT]);
TW_API tw_server *tw_conn_server(const tw_conn *conn);
TW_API tw_route *tw_conn_route(const tw_conn *conn);
TW_API tw_str tw_conn_user(const tw_conn *conn);
TW_API tw_str tw_conn_info(const tw_conn *conn);
TW_API tw_str tw_conn_ip(const tw_conn *conn);
TW_API tw_str tw_conn_subprotocol(const tw_conn *conn);
TW_API uint8_t tw_conn_colour(const tw_conn *conn);
TW_API bool tw_conn_is_open(const tw_conn *conn);  /* sends are possible */
TW_API size_t tw_conn_queued(const tw_conn *conn); /* bytes not yet written */

/* A number that names the connection on this worker and is never used again;
 * not 0. Find answers NULL once on_gone was called. */
TW_API uint64_t tw_conn_handle(const tw_conn *conn);
TW_API tw_conn *tw_server_find(tw_server *server, uint64_t handle);
/* Walks the connections in slices: start with 0; NULL at the end. Connections
 * may come and go between calls. */
TW_API tw_conn *tw_server_next(tw_server *server, uint32_t *cursor);

TW_API void tw_conn_set_data(tw_conn *conn, void *data);
TW_API void *tw_conn_data(const tw_conn *conn);

/* Sets the user once. 0, TW_EEXISTS, TW_EINVALID (a user of 0 or over 255
 * bytes), TW_ECLOSED, TW_ENOMEM. */
TW_API int tw_conn_login(tw_conn *conn, tw_str user, tw_str info);

/* Queues a message; it leaves at the end of the turn. 0, TW_ECLOSED,
 * TW_EOVERLOADED (the reply budget is full), TW_EINVALID (text that is not
 * UTF-8), TW_ENOMEM. */
TW_API int tw_conn_send(tw_conn *conn, const void *data, size_t len,
                        bool binary);
/* Queues a message that has arrived, here or on another connection, or a copy
 * of one: text is not looked at again, it must be UTF-8. 0, TW_ECLOSED,
 * TW_EOVERLOADED, TW_ENOMEM. */
TW_API int tw_conn_forward(tw_conn *conn, const tw_msg *msg);

/* Begins the closing handshake; what was sent before leaves before. `reason` is
 * cut to 123 bytes at a character. 0, TW_ECLOSED, TW_EINVALID (the code may not
 * be sent). */
TW_API int tw_conn_close(tw_conn *conn, int code, tw_str reason);

/* Ends a hook that answered TW_LATER. */
TW_API void tw_conn_done(tw_conn *conn);

/* on_alarm after `ms` with this name; again moves it; 0 drops it. At most 16
 * names a connection, of at most 64 bytes. 0, TW_ECLOSED, TW_ELIMIT,
 * TW_ENOMEM. */
TW_API int tw_conn_alarm(tw_conn *conn, tw_str name, uint64_t ms);

/* In place of the route's rate for this connection from now on; NULL: the
 * route's again. What it may send at the moment gets no more by it. 0,
 * TW_ECLOSED, TW_EINVALID (not a number, or below 0), TW_ENOMEM. */
TW_API int tw_conn_limit(tw_conn *conn, const tw_rate *rate);

/* ---- timers ------------------------------------------------------------- */

/* `cb` after `ms` once; not while frozen. NULL without memory. The timer is
 * freed after its callback or by tw_timer_stop (not both). */
TW_API tw_timer *tw_timer_start(tw_server *server, uint64_t ms,
                                void (*cb)(tw_timer *timer, void *arg),
                                void *arg);
TW_API void tw_timer_stop(tw_timer *timer);

/* Called in every turn of the loop in which `cb` answered true before, or once
 * after tw_idle_start: for work in slices. One per server. NULL stops. */
TW_API void tw_server_set_idle(tw_server *server,
                               bool (*cb)(tw_server *server, void *arg),
                               void *arg);

#ifdef __cplusplus
}
#endif

#include "tidewire/channels.h"
#include "tidewire/dict.h"
#include "tidewire/hook_stats.h"
#include "tidewire/http.h"
#include "tidewire/metric.h"
#include "tidewire/users.h"
#endif
