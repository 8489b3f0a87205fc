/* SPDX-License-Identifier: MIT */
#include "http/route.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "http/chars.h"
#include "tidewire/errors.h"

#define MAX_METHOD 32

void tw__http_routes_destroy(tw__http_route *list, void (*release)(void *)) {
    while (list != NULL) {
        tw__http_route *next = list->next;
        if (release != NULL) {
            release(list->value);
        }
        tw__free(list->pattern);
        tw__free(list);
        list = next;
    }
}

tw__http_text tw__http_next_segment(tw__http_text *path) {
    const char *start = path->data + 1;
    size_t left = path->len - 1;
    const char *slash = memchr(start, '/', left);
    tw__http_text segment = {start, slash ? (size_t)(slash - start) : left};
    path->data += segment.len + 1;
    path->len -= segment.len + 1;
    return segment;
}

static bool is_param_name(const char *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        char c = tw__http_lower(data[i]);
        bool fits = (c >= 'a' && c <= 'z') || c == '_' ||
                    (i > 0 && c >= '0' && c <= '9');
        if (!fits) {
            return false;
        }
    }
    return len > 0;
}

static const char *take_method(const char *pattern, size_t len,
                               tw__http_route *r) {
    if (len == 0 || pattern[0] == '/') {
        return NULL;
    }
    const char *blank = memchr(pattern, ' ', len);
    r->method_len = blank != NULL ? (size_t)(blank - pattern) : 0;
    if (r->method_len == 0 || r->method_len > MAX_METHOD) {
        return "neither a path nor a method and a path";
    }
    for (size_t i = 0; i < r->method_len; i++) {
        if ((pattern[i] < 'A' || pattern[i] > 'Z') && pattern[i] != '-') {
            return "malformed method";
        }
    }
    return NULL;
}

/* Adds the name of a parameter; a pattern has each name once. */
static const char *add_name(tw__http_route *r, const char *name, size_t len) {
    if (r->name_count == TW__HTTP_MAX_PARAMS) {
        return "too many parameters";
    }
    for (size_t i = 0; i < r->name_count; i++) {
        if (r->names[i].len == len &&
            memcmp(r->names[i].data, name, len) == 0) {
            return "two parameters of one name";
        }
    }
    r->names[r->name_count++] = (tw__http_text){name, len};
    return NULL;
}

static const char *check_segment(tw__http_route *r, tw__http_text segment,
                                 bool is_last) {
    if (segment.len == 0) {
        return is_last ? NULL : "empty segment";
    }
    if (segment.data[0] == ':') {
        return is_param_name(segment.data + 1, segment.len - 1)
                   ? add_name(r, segment.data + 1, segment.len - 1)
                   : "malformed parameter name";
    }
    if (memchr(segment.data, '*', segment.len) != NULL) {
        return segment.len == 1 && is_last ? add_name(r, segment.data, 1)
                                           : "'*' is not the last segment";
    }
    for (size_t i = 0; i < segment.len; i++) {
        unsigned char c = (unsigned char)segment.data[i];
        if (c < 0x20 || c == 0x7F || c == '?' || c == '#' || c == '\\') {
            return "a character that no path has";
        }
    }
    bool dots =
        segment.data[0] == '.' &&
        (segment.len == 1 || (segment.len == 2 && segment.data[1] == '.'));
    return dots ? "dot segment" : NULL;
}

static const char *check(tw__http_route *r, size_t len) {
    const char *why = memchr(r->pattern, '\0', len) != NULL
                          ? "zero byte"
                          : take_method(r->pattern, len, r);
    if (why != NULL) {
        return why;
    }
    size_t skip = r->method_len > 0 ? r->method_len + 1 : 0;
    r->path = (tw__http_text){r->pattern + skip, len - skip};
    tw__http_text path = r->path;
    if (path.len == 0 || path.data[0] != '/') {
        return "does not begin with '/'";
    }
    size_t count = 0;
    while (why == NULL && path.len > 0) {
        if (++count > TW__HTTP_MAX_SEGMENTS) {
            return "too many segments";
        }
        tw__http_text segment = tw__http_next_segment(&path);
        why = check_segment(r, segment, path.len == 0);
    }
    return why;
}

int tw__http_route_create(const char *pattern, size_t len, void *value,
                          tw__http_route **out, const char **why) {
    tw__http_route *r = tw__calloc(1, sizeof *r);
    if (r == NULL) {
        return TW_ENOMEM;
    }
    r->value = value;
    r->pattern = tw__strndup(pattern, len);
    if (r->pattern == NULL) {
        tw__free(r);
        return TW_ENOMEM;
    }
    const char *reason = check(r, len);
    if (reason != NULL) {
        tw__http_routes_destroy(r, NULL);
        *why = reason;
        return TW_EINVALID;
    }
    *out = r;
    return 0;
}

tw__http_route *tw__http_route_find(tw__http_route *list, const char *method,
                                    size_t len) {
    while (list != NULL && (list->method_len != len ||
                            memcmp(list->pattern, method, len) != 0)) {
        list = list->next;
    }
    return list;
}

static char *put_method(char *at, const char *start, const char *method,
                        size_t len) {
    if (at != start) {
        memcpy(at, ", ", 2);
        at += 2;
    }
    memcpy(at, method, len);
    return at + len;
}

char *tw__http_route_allow(tw__http_route *list) {
    size_t size = sizeof ", HEAD";
    for (const tw__http_route *r = list; r != NULL; r = r->next) {
        size += r->method_len + 2;
    }
    char *allow = tw__malloc(size), *at = allow;
    if (allow == NULL) {
        return NULL;
    }
    for (const tw__http_route *r = list; r != NULL; r = r->next) {
        if (r->method_len > 0) {
            at = put_method(at, allow, r->pattern, r->method_len);
        }
    }
    if (tw__http_route_find(list, "GET", 3) &&
        !tw__http_route_find(list, "HEAD", 4)) {
        at = put_method(at, allow, "HEAD", 4);
    }
    *at = '\0';
    return allow;
}
