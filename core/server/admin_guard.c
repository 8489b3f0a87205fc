/* SPDX-License-Identifier: MIT */
#include "server/admin_guard.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <string.h>

#include "http/chars.h"

/* The host of "host:port", "[v6]:port" or "host", without brackets and port. */
static tw__http_text host_of(const char *text, size_t len) {
    if (len > 0 && text[0] == '[') {
        const char *end = memchr(text, ']', len);
        size_t inner = end != NULL ? (size_t)(end - text) - 1 : 0;
        return (tw__http_text){text + 1, inner};
    }
    const char *colon = memchr(text, ':', len);
    return (tw__http_text){text, colon != NULL ? (size_t)(colon - text) : len};
}

static bool is_same(tw__http_text a, const char *b, size_t b_len) {
    return tw__http_same(a.data, a.len, b, b_len);
}

static bool is_loopback(tw__http_text host) {
    char text[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    if (is_same(host, "localhost", 9)) {
        return true;
    }
    if (host.len == 0 || host.len >= sizeof text) {
        return false;
    }
    memcpy(text, host.data, host.len);
    text[host.len] = '\0';
    return (inet_pton(AF_INET, text, &v4) == 1 &&
            ntohl(v4.s_addr) >> 24 == 127) ||
           (inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6));
}

static bool is_known_host(const tw__admin_caller *caller, tw__http_text host) {
    if (is_loopback(host)) {
        return true;
    }
    if (caller->local_ip != NULL &&
        is_same(host, caller->local_ip, strlen(caller->local_ip))) {
        return true;
    }
    if (caller->configured == NULL) {
        return false;
    }
    tw__http_text own = host_of(caller->configured, strlen(caller->configured));
    return own.len > 0 && is_same(host, own.data, own.len);
}

/* Browsers send the origin of the page; one of our own would be the Host. */
static bool is_foreign(const tw__http_request *request) {
    static const char scheme[] = "http://";
    size_t len, skip = sizeof scheme - 1;
    const char *origin = tw__http_request_header(request, "origin", &len);
    if (origin == NULL) {
        return false;
    }
    return len <= skip || !tw__http_same(origin, skip, scheme, skip) ||
           !is_same(request->host, origin + skip, len - skip);
}

static bool has_token(const tw__admin_caller *caller,
                      const tw__http_request *request) {
    static const char scheme[] = "bearer ";
    size_t len, skip = sizeof scheme - 1;
    const char *value = tw__http_request_header(request, "authorization", &len);
    if (value == NULL || caller->token == NULL || *caller->token == '\0') {
        return false;
    }
    /* A wrong token takes as long as a right one of its length: how much of it
     * was right cannot be told from the time. */
    return len == skip + strlen(caller->token) &&
           tw__http_same(value, skip, scheme, skip) &&
           CRYPTO_memcmp(value + skip, caller->token, len - skip) == 0;
}

int tw__admin_guard(const tw__admin_caller *caller,
                    const tw__http_request *request, bool needs_right,
                    const char **why) {
    if (caller->is_unix) {
        *why = "the socket belongs to another user";
        return caller->is_owner ? 0 : 403;
    }
    if (is_foreign(request)) {
        *why = "a foreign Origin";
        return 403;
    }
    if (has_token(caller, request)) {
        return 0;
    }
    tw__http_text host = host_of(request->host.data, request->host.len);
    if (!is_known_host(caller, host)) {
        *why = "Host does not name this server";
        return 421;
    }
    *why = "this needs the Unix socket of the runtime folder or a token";
    return needs_right ? 403 : 0;
}
