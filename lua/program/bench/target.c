/* SPDX-License-Identifier: MIT */
#include "target.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *parse_port(tw__bench_target *target, const char *text,
                              size_t len) {
    char *end;
    if (len == 0 || len > 5) {
        return "the URL's port is not a number from 1 to 65535";
    }
    memcpy(target->port, text, len);
    target->port[len] = 0;
    long port = strtol(target->port, &end, 10);
    if (*end != 0 || port < 1 || port > 65535) {
        return "the URL's port is not a number from 1 to 65535";
    }
    return NULL;
}

/* host, host:port, [v6] or [v6]:port */
static const char *parse_authority(tw__bench_target *target, const char *text,
                                   size_t len) {
    const char *end = text + len;
    const char *name = text, *name_end = memchr(text, ':', len);
    const char *rest;
    if (len > 0 && text[0] == '[') {
        name++;
        name_end = memchr(text, ']', len);
        if (name_end == NULL) {
            return "the URL's address lacks its ]";
        }
        rest = name_end + 1;
    } else {
        name_end = name_end != NULL ? name_end : end;
        rest = name_end;
    }
    if (name_end == name) {
        return "the URL names no host";
    }
    memcpy(target->name, name, (size_t)(name_end - name));
    strcpy(target->port, target->is_secure ? "443" : "80");
    if (rest == end) {
        return NULL;
    }
    return *rest == ':' ? parse_port(target, rest + 1, (size_t)(end - rest - 1))
                        : "the URL's host is malformed";
}

const char *tw__bench_target_parse(tw__bench_target *target, const char *url) {
    memset(target, 0, sizeof *target);
    target->is_secure = strncmp(url, "wss://", 6) == 0;
    if (!target->is_secure && strncmp(url, "ws://", 5) != 0) {
        return "the URL does not start with ws:// or wss://";
    }
    const char *authority = url + (target->is_secure ? 6 : 5);
    size_t len = strcspn(authority, "/?#");
    const char *path = authority + len;
    if (len >= sizeof target->host || strlen(path) + 2 > sizeof target->path) {
        return "the URL is too long";
    }
    for (const char *at = url; *at != 0; at++) {
        if (*at <= ' ' || *at > '~' || *at == '#') {
            return "the URL holds a character that must be escaped";
        }
    }
    memcpy(target->host, authority, len);
    snprintf(target->path, sizeof target->path, "%s%s", *path == '/' ? "" : "/",
             path);
    return parse_authority(target, authority, len);
}

static bool is_loopback(const struct sockaddr *address) {
    const struct sockaddr_in *v4 = (const void *)address;
    return address->sa_family == AF_INET &&
           ntohl(v4->sin_addr.s_addr) >> 24 == 127;
}

const char *tw__bench_target_resolve(tw__bench_target *target) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    int rc = getaddrinfo(target->name, target->port, &hints, &list);
    if (rc != 0) {
        return gai_strerror(rc);
    }
    memcpy(&target->address, list->ai_addr, list->ai_addrlen);
    target->address_len = list->ai_addrlen;
    target->is_loopback = is_loopback(list->ai_addr);
    freeaddrinfo(list);
    return NULL;
}

void tw__bench_source(struct sockaddr_storage *address, uint32_t index) {
    struct sockaddr_in *v4 = (void *)address;
    memset(address, 0, sizeof *address);
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = htonl(0x7f000002U + index);
}
