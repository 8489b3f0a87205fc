/* SPDX-License-Identifier: MIT */
#include "http/forwarded.h"

#include <string.h>

#include "http/chars.h"

typedef struct search {
    const tw__network *trusted;
    size_t count;
    tw__ip found;
} search;

static bool is_port(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
    }
    return len >= 1 && len <= 5;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" or with a port
 * behind the bracket. */
static bool read_element(const char *text, size_t len, tw__ip *ip) {
    if (text[0] == '[') {
        const char *end = memchr(text, ']', len);
        if (end == NULL) {
            return false;
        }
        size_t inner = (size_t)(end - text) - 1, rest = len - inner - 2;
        bool has_port = rest > 0;
        return memchr(text + 1, ':', inner) != NULL &&
               (!has_port || (end[1] == ':' && is_port(end + 2, rest - 1))) &&
               tw__ip_parse(ip, text + 1, inner) == 0;
    }
    const char *colon = memchr(text, ':', len);
    if (colon != NULL && memchr(text, '.', (size_t)(colon - text)) != NULL) {
        size_t host = (size_t)(colon - text);
        if (!is_port(colon + 1, len - host - 1)) {
            return false;
        }
        len = host;
    }
    return tw__ip_parse(ip, text, len) == 0;
}

/* Whether the search goes on to the left of it. */
static bool take_element(search *s, const char *text, size_t len) {
    tw__http_trim(&text, &len);
    if (len == 0) {
        return true;
    }
    return read_element(text, len, &s->found) &&
           tw__networks_have(s->trusted, s->count, &s->found);
}

static bool take_line(search *s, const char *text, size_t len) {
    size_t end = len;
    for (size_t i = len; i-- > 0;) {
        if (text[i] == ',') {
            if (!take_element(s, text + i + 1, end - i - 1)) {
                return false;
            }
            end = i;
        }
    }
    return take_element(s, text, end);
}

void tw__forwarded_client(const tw__http_request *request,
                          const tw__network *trusted, size_t count,
                          const tw__ip *peer, tw__ip *client) {
    search s = {trusted, count, *peer};
    for (size_t i = request->header_count; i-- > 0;) {
        const tw__http_field *field = &request->headers[i];
        if (strcmp(field->name, "x-forwarded-for") == 0 &&
            !take_line(&s, field->value, field->value_len)) {
            break;
        }
    }
    *client = s.found;
}
