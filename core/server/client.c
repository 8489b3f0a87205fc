/* SPDX-License-Identifier: MIT */
#include "server/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/forwarded.h"
#include "server/http_conn.h"

/* ---- whom to believe ---- */

static bool expects_proxy(const tw_config *config, size_t listener) {
    return config->listen_options != NULL &&
           config->listen_options[listener].proxy;
}

static int complain(char *detail, size_t size, const char *format,
                    const char *what) {
    if (detail != NULL) {
        snprintf(detail, size, format, what);
    }
    return TW_EINVALID;
}

int tw__clients_check(const tw_config *config, char *detail, size_t size) {
    for (size_t i = 0; i < config->trusted_proxy_count; i++) {
        tw__network network;
        const char *text = config->trusted_proxies[i];
        if (tw__network_parse(&network, text) != 0) {
            return complain(detail, size, "'%s' is not a network", text);
        }
    }
    for (size_t i = 0; i < config->listen_count; i++) {
        if (expects_proxy(config, i) && config->trusted_proxy_count == 0) {
            return complain(detail, size,
                            "'%s' expects the PROXY protocol, but no proxy is "
                            "trusted",
                            config->listen[i]);
        }
    }
    return 0;
}

int tw__clients_open(tw_server *server, const tw_config *config, char *detail,
                     size_t size) {
    size_t count = config->trusted_proxy_count;
    int err = tw__clients_check(config, detail, size);
    if (err != 0) {
        return err;
    }
    server->trusted = tw__calloc(count + 1, sizeof *server->trusted);
    server->is_proxied = tw__calloc(config->listen_count + 1, sizeof(bool));
    if (server->trusted == NULL || server->is_proxied == NULL) {
        return TW_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        tw__network_parse(&server->trusted[i], config->trusted_proxies[i]);
    }
    server->trusted_count = count;
    for (size_t i = 0; i < config->listen_count; i++) {
        server->is_proxied[i] = expects_proxy(config, i);
    }
    return 0;
}

void tw__clients_close(tw_server *server) {
    tw__free(server->trusted);
    tw__free(server->is_proxied);
    server->trusted = NULL;
    server->is_proxied = NULL;
    server->trusted_count = 0;
}

static bool is_trusted(const tw_server *server, const tw__ip *ip) {
    return tw__networks_have(server->trusted, server->trusted_count, ip);
}

/* ---- who is it ---- */

static void set_client(tw_conn *conn, const tw__ip *ip) {
    conn->family = ip->family;
    memcpy(conn->ip, ip->bytes, sizeof conn->ip);
}

/* `ip` is what is known for sure: the peer, or what a balancer said. */
static bool believe(tw_conn *conn, const tw__ip *ip) {
    tw__http_conn *http = conn->http;
    set_client(conn, ip);
    http->sender = *ip;
    http->is_trusted = is_trusted(conn->server, ip);
    return http->is_trusted || tw__conn_count_address(conn);
}

static bool expect_header(tw_conn *conn, const tw__ip *ip) {
    tw__http_conn *http = conn->http;
    set_client(conn, ip);
    http->sender = *ip;
    if (!is_trusted(conn->server, ip)) {
        tw__count(conn->server, TW_COUNTER_PROXY_REFUSED, 1);
        tw__server_note_refused(conn->server, "from no trusted proxy");
        return false;
    }
    http->proxy = tw__calloc(1, sizeof *http->proxy);
    conn->flags |= http->proxy != NULL ? TW__GREETING : 0;
    return http->proxy != NULL;
}

bool tw__conn_meet(tw_conn *conn, const tw__address *peer, size_t listener) {
    tw__ip ip;
    tw__ip_of(&ip, peer);
    return conn->server->is_proxied[listener] ? expect_header(conn, &ip)
                                              : believe(conn, &ip);
}

void tw__conn_find_client(tw_conn *conn, const tw__http_request *request) {
    const tw_server *server = conn->server;
    const tw__http_conn *http = conn->http;
    tw__ip client;
    if (http->is_trusted) {
        tw__forwarded_client(request, server->trusted, server->trusted_count,
                             &http->sender, &client);
        set_client(conn, &client);
    }
}

/* ---- the header of the PROXY protocol ---- */

static void refuse(tw_conn *conn, tw_counter counter) {
    tw__count(conn->server, counter, 1);
    tw__conn_cut(conn);
}

static void end_greeting(tw_conn *conn) {
    tw__http_conn *http = conn->http;
    tw__ip ip = http->sender;
    tw__proxy_client(http->proxy, &ip);
    tw__free(http->proxy);
    http->proxy = NULL;
    conn->flags &= ~(uint32_t)TW__GREETING;
    if (!believe(conn, &ip)) {
        refuse(conn, TW_COUNTER_ACCEPT_REFUSED);
    }
}

/* True when there may be more of it. */
static bool greet_once(tw_conn *conn) {
    tw_server *server = conn->server;
    tw__proxy *proxy = conn->http->proxy;
    size_t want = tw__proxy_want(proxy);
    size_t room = want < TW__READ_BYTES ? want : TW__READ_BYTES;
    ssize_t got = recv(conn->io.fd, server->read_buffer, room, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got <= 0) {
        tw__conn_lost(conn); /* as those do that only look whether we live */
        return false;
    }
    tw__count(server, TW_COUNTER_BYTES_IN, (uint64_t)got);
    switch (tw__proxy_feed(proxy, server->read_buffer, (size_t)got)) {
    case TW__PROXY_MORE:
        return (size_t)got == room;
    case TW__PROXY_DONE:
        end_greeting(conn);
        return false;
    default:
        tw__server_note_refused(server, "no PROXY header");
        refuse(conn, TW_COUNTER_PROXY_REFUSED);
        return false;
    }
}

void tw__conn_greet(tw_conn *conn) {
    while (greet_once(conn)) {
    }
}
