/* SPDX-License-Identifier: MIT */
#include "net/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "tidewire/errors.h"

/* Reads a whole decimal number of at most 65535. */
static bool parse_port(const char *text, uint16_t *port) {
    unsigned value = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(*text - '0');
        if (value > UINT16_MAX) {
            return false;
        }
    }
    *port = htons((uint16_t)value);
    return true;
}

static bool parse_unix(tw__address *address, const char *path) {
    struct sockaddr_un *un = (struct sockaddr_un *)&address->_storage;
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof un->sun_path) {
        return false;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, len + 1);
    address->_len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return true;
}

static bool parse_ipv6(tw__address *address, const char *host, uint16_t port) {
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address->_storage;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = port;
    address->_len = sizeof *in6;
    return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1;
}

static bool parse_ipv4(tw__address *address, const char *host, uint16_t port) {
    struct sockaddr_in *in = (struct sockaddr_in *)&address->_storage;
    in->sin_family = AF_INET;
    in->sin_port = port;
    address->_len = sizeof *in;
    return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

static bool parse_ip(tw__address *address, const char *text) {
    char host[INET6_ADDRSTRLEN + 2]; /* with brackets */
    uint16_t port;
    const char *colon = strrchr(text, ':');
    if (!parse_port(colon != NULL ? colon + 1 : text, &port)) {
        return false;
    }
    if (colon == NULL) {
        return parse_ipv4(address, "127.0.0.1", port);
    }
    size_t len = (size_t)(colon - text);
    if (len == 0) {
        return parse_ipv4(address, "0.0.0.0", port);
    }
    if (len >= sizeof host) {
        return false;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        return parse_ipv6(address, host + 1, port);
    }
    return parse_ipv4(address, host, port);
}

int tw__address_parse(tw__address *address, const char *text) {
    tw__address parsed;
    memset(&parsed, 0, sizeof parsed);
    bool is_valid = strncmp(text, "unix:", 5) == 0
                        ? parse_unix(&parsed, text + 5)
                        : parse_ip(&parsed, text);
    if (!is_valid) {
        return TW_EINVALID;
    }
    *address = parsed;
    return 0;
}

/* Peers are unnamed as a rule; a leading zero byte marks the abstract names. */
static void format_unix(const tw__address *address,
                        char out[TW__ADDRESS_TEXT]) {
    const struct sockaddr_un *un =
        (const struct sockaddr_un *)&address->_storage;
    size_t len = address->_len - offsetof(struct sockaddr_un, sun_path);
    bool is_abstract = len > 1 && un->sun_path[0] == '\0';
    if (is_abstract) {
        snprintf(out, TW__ADDRESS_TEXT, "unix:@%.*s", (int)len - 1,
                 un->sun_path + 1);
    } else {
        snprintf(out, TW__ADDRESS_TEXT, "unix:%.*s", (int)len, un->sun_path);
    }
}

void tw__address_format_ip(const tw__address *address,
                           char out[TW__ADDRESS_TEXT]) {
    const struct sockaddr_storage *storage = &address->_storage;
    const struct in6_addr *in6 =
        &((const struct sockaddr_in6 *)storage)->sin6_addr;
    out[0] = '\0';
    if (storage->ss_family == AF_UNIX) {
        format_unix(address, out);
    } else if (storage->ss_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)storage)->sin_addr,
                  out, TW__ADDRESS_TEXT);
    } else if (storage->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(in6)) {
        inet_ntop(AF_INET, in6->s6_addr + 12, out, TW__ADDRESS_TEXT);
    } else if (storage->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, in6, out, TW__ADDRESS_TEXT);
    }
}

void tw__address_format(const tw__address *address,
                        char out[TW__ADDRESS_TEXT]) {
    const struct sockaddr_storage *storage = &address->_storage;
    char ip[INET6_ADDRSTRLEN];
    if (storage->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)storage;
        inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip);
        snprintf(out, TW__ADDRESS_TEXT, "[%s]:%u", ip, ntohs(in6->sin6_port));
    } else if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)storage;
        inet_ntop(AF_INET, &in->sin_addr, ip, sizeof ip);
        snprintf(out, TW__ADDRESS_TEXT, "%s:%u", ip, ntohs(in->sin_port));
    } else {
        tw__address_format_ip(address, out);
    }
}
