/* SPDX-License-Identifier: MIT */
#include "ws/origin.h"

#include <string.h>
#include <strings.h>

enum { PORT_NONE = -1, PORT_ANY = -2 };

/* A run of bytes inside a header or pattern. */
typedef struct span {
    const char *data;
    size_t len;
} span;

typedef struct origin {
    span scheme; /* empty for a Host header */
    span host;   /* with its brackets when it is an IPv6 address */
    int port;    /* or one of the above */
    /* In a pattern: the host began with a star, cut off before the dot. */
    bool is_below;
} origin;

static bool same(span a, span b) {
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

static bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

/* Whether `text` is of letters, digits and the characters of `others`. */
static bool is_made_of(span text, const char *others) {
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!is_alnum(c) && (c == '\0' || strchr(others, c) == NULL)) {
            return false;
        }
    }
    return text.len > 0;
}

static bool parse_port(span text, int *port) {
    int number = 0;
    if (text.len == 0 || text.len > 5) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (text.data[i] - '0');
    }
    *port = number;
    return number <= 65535;
}

/* The length of the host at the front of host[:port]. */
static size_t host_length(span text) {
    bool is_ipv6 = text.len > 0 && text.data[0] == '[';
    const char *stop = memchr(text.data, is_ipv6 ? ']' : ':', text.len);
    return stop == NULL ? text.len : (size_t)(stop - text.data) + is_ipv6;
}

static bool is_host(span host) {
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']') {
        return is_made_of((span){host.data + 1, host.len - 2}, ":.");
    }
    return is_made_of(host, "-._~%");
}

/* Reads host[:port], where nothing after the colon counts as no port. */
static bool parse_authority(span text, origin *out) {
    out->host = (span){text.data, host_length(text)};
    out->port = PORT_NONE;
    if (!is_host(out->host)) {
        return false;
    }
    span rest = {text.data + out->host.len, text.len - out->host.len};
    if (rest.len <= 1) {
        return rest.len == 0 || rest.data[0] == ':';
    }
    return rest.data[0] == ':' &&
           parse_port((span){rest.data + 1, rest.len - 1}, &out->port);
}

/* Reads and cuts off scheme://. */
static bool parse_scheme(span *text, origin *out) {
    const char *colon = memchr(text->data, ':', text->len);
    if (colon == NULL) {
        return false;
    }
    out->scheme = (span){text->data, (size_t)(colon - text->data)};
    size_t cut = out->scheme.len + 3;
    if (!is_made_of(out->scheme, "+-.") || text->len < cut ||
        memcmp(colon, "://", 3) != 0) {
        return false;
    }
    *text = (span){text->data + cut, text->len - cut};
    return true;
}

static bool parse_origin(span text, origin *out) {
    *out = (origin){0};
    return parse_scheme(&text, out) && parse_authority(text, out);
}

/* An origin with the two wildcards, which are taken off first. */
static bool parse_pattern(span text, origin *out) {
    bool any_port = false;
    *out = (origin){0};
    if (!parse_scheme(&text, out)) {
        return false;
    }
    if (text.len > 2 && memcmp(text.data, "*.", 2) == 0) {
        out->is_below = true;
        text = (span){text.data + 1, text.len - 1};
    }
    if (text.len > 2 && memcmp(text.data + text.len - 2, ":*", 2) == 0) {
        any_port = true;
        text.len -= 2;
    }
    if (!parse_authority(text, out) ||
        (any_port && out->host.len != text.len)) { /* two ports */
        return false;
    }
    out->port = any_port ? (int)PORT_ANY : out->port;
    return !out->is_below || out->host.len > 1;
}

static int default_port(span scheme) {
    if (tw__ws_equals(scheme.data, scheme.len, "http")) {
        return 80;
    }
    return tw__ws_equals(scheme.data, scheme.len, "https") ? 443 : PORT_NONE;
}

/* The port that `port` means under this scheme. */
static int effective_port(int port, span scheme) {
    return port == PORT_NONE ? default_port(scheme) : port;
}

static bool is_same_origin(const origin *page, span host_header) {
    origin self = {0};
    return default_port(page->scheme) != PORT_NONE &&
           parse_authority(host_header, &self) && same(page->host, self.host) &&
           effective_port(page->port, page->scheme) ==
               effective_port(self.port, page->scheme);
}

static bool host_matches(const origin *pattern, span host) {
    span suffix = pattern->host;
    if (!pattern->is_below) {
        return same(suffix, host);
    }
    return host.len > suffix.len &&
           same(suffix, (span){host.data + host.len - suffix.len, suffix.len});
}

static bool origin_matches(const origin *page, const origin *pattern) {
    return same(page->scheme, pattern->scheme) &&
           host_matches(pattern, page->host) &&
           (pattern->port == PORT_ANY ||
            effective_port(page->port, page->scheme) ==
                effective_port(pattern->port, pattern->scheme));
}

static bool is_any(span text) {
    return tw__ws_equals(text.data, text.len, "*");
}

static bool is_null(span text) {
    return tw__ws_equals(text.data, text.len, "null");
}

bool tw__ws_origin_is_pattern(const char *pattern, size_t len) {
    origin parsed;
    span text = {pattern, len};
    return is_any(text) || is_null(text) || parse_pattern(text, &parsed);
}

/* `page` is NULL when `text` is no scheme://host[:port]. */
static bool allows(span pattern, span text, const origin *page) {
    origin parsed;
    if (is_null(text)) {
        return is_null(pattern);
    }
    if (page == NULL) {
        return false;
    }
    return is_any(pattern) ||
           (parse_pattern(pattern, &parsed) && origin_matches(page, &parsed));
}

static bool is_from_host(const tw__ws_request *req, const origin *page) {
    span host;
    return tw__ws_request_count(req, "Host") == 1 &&
           tw__ws_request_find(req, "Host", &host.data, &host.len) &&
           is_same_origin(page, host);
}

bool tw__ws_origin_is_allowed(const tw__ws_request *req,
                              const char *const *patterns, size_t count) {
    span text;
    origin parsed;
    if (!tw__ws_request_find(req, "Origin", &text.data, &text.len)) {
        return true;
    }
    if (tw__ws_request_count(req, "Origin") > 1) {
        return false;
    }
    const origin *page = parse_origin(text, &parsed) ? &parsed : NULL;
    if (page != NULL && is_from_host(req, page)) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        span pattern = {patterns[i], strlen(patterns[i])};
        if (allows(pattern, text, page)) {
            return true;
        }
    }
    return false;
}
