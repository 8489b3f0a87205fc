/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include <string.h>

enum { MAX_PARAMS = 16, MAX_SEGMENTS = 32, MAX_CHANNEL = 255 };

bool twl_pattern_method_is_valid(const char *method) {
    if (!method || !*method || strlen(method) > 32) {
        return false;
    }
    return strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == strlen(method);
}

static bool fail(const char **why, const char *text) {
    *why = text;
    return false;
}

static bool segment_is_valid(const char *segment, size_t len, bool is_last,
                             const char **why) {
    if (segment[0] == ':') {
        return len > 1 || fail(why, "a ':' needs a name");
    }
    if (memchr(segment, '*', len)) {
        return (len == 1 && is_last) ||
               fail(why, "'*' must be the last segment, alone");
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)segment[i];
        if (c <= ' ' || c == 127 || c == '?' || c == '#') {
            return fail(why, "it holds a character that no path has");
        }
    }
    if ((len == 1 && segment[0] == '.') ||
        (len == 2 && memcmp(segment, "..", 2) == 0)) {
        return fail(why, "'.' and '..' never arrive in a path");
    }
    return true;
}

bool twl_pattern_is_valid(const char *pattern, const char **why) {
    if (pattern[0] != '/') {
        return fail(why, "it must begin with '/'");
    }
    int segments = 0, params = 0;
    for (const char *at = pattern; at;) {
        const char *segment = at + 1;
        at = strchr(segment, '/');
        size_t len = at ? (size_t)(at - segment) : strlen(segment);
        if (len && !segment_is_valid(segment, len, !at, why)) {
            return false;
        }
        params += len && (segment[0] == ':' || segment[0] == '*');
        if (++segments > MAX_SEGMENTS || params > MAX_PARAMS) {
            return fail(why, "it has too many segments");
        }
    }
    return true;
}

bool twl_pattern_is_same(const char *a, const char *b) {
    while (*a && *b) {
        if (*a != *b) {
            return false;
        }
        bool is_segment = *a == '/';
        a++;
        b++;
        if (is_segment && *a == ':' && *b == ':') {
            a += strcspn(a, "/");
            b += strcspn(b, "/");
        }
    }
    return *a == *b;
}

bool twl_pattern_channel_is_valid(const char *pattern, const char **why) {
    size_t len = strlen(pattern);
    if (len == 0 || len > MAX_CHANNEL) {
        return fail(why, "a channel's name has 1 to 255 bytes");
    }
    const char *star = strchr(pattern, '*');
    if (star && star != pattern + len - 1) {
        return fail(why, "'*' may only stand at the end");
    }
    return true;
}
