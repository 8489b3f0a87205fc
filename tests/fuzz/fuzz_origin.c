/* Which pages may open a connection, ws/origin.h. Small: a quarter of the time.
 * The input is the Host, the Origin and then patterns, one a line.
 *
 * SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <strings.h>

#include "fuzz.h"
#include "ws/origin.h"

enum { MAX_PATTERNS = 8 };

static bool is_allowed(fuzz_span host, fuzz_span origin,
                       const char *const *patterns, size_t count) {
    tw__ws_header headers[] = {
        {"Host", 4, (const char *)host.data, host.len},
        {"oRIGIN", 6, (const char *)origin.data, origin.len}};
    tw__ws_request req = {.method = "GET",
                          .method_len = 3,
                          .http_major = 1,
                          .http_minor = 1,
                          .headers = headers,
                          .header_count = 2};
    return tw__ws_origin_is_allowed(&req, patterns, count);
}

/* A header's value is what is between the blanks. */
static fuzz_span trim(fuzz_span text) {
    while (text.len != 0 && isblank(text.data[text.len - 1])) {
        text.len--;
    }
    while (text.len != 0 && isblank(text.data[0])) {
        text.data++;
        text.len--;
    }
    return text;
}

/* The part between "://" and the port: as a browser would read it. */
static fuzz_span host_in(fuzz_span origin) {
    const uint8_t *start = memmem(origin.data, origin.len, "://", 3);
    if (start == NULL) {
        return (fuzz_span){origin.data, 0};
    }
    fuzz_span host = {start + 3,
                      origin.len - (size_t)(start + 3 - origin.data)};
    const uint8_t *port = memrchr(host.data, ':', host.len);
    if (port != NULL &&
        memchr(port, ']', host.len - (size_t)(port - host.data)) == NULL) {
        host.len = (size_t)(port - host.data);
    }
    return host;
}

/* A pattern with a star must never let in what is not below the rest of it. */
static void check_below(fuzz_span origin, const char *pattern) {
    const char *star = strstr(pattern, "://*.");
    if (star == NULL) {
        return;
    }
    const char *suffix = star + 4; /* with its dot */
    const char *port = strrchr(suffix, ':');
    size_t len = port != NULL && strchr(port, ']') == NULL
                     ? (size_t)(port - suffix)
                     : strlen(suffix);
    fuzz_span host = host_in(trim(origin));
    FUZZ_CHECK(host.len > len);
    FUZZ_CHECK(strncasecmp((const char *)host.data + host.len - len, suffix,
                           len) == 0);
}

static void check_pattern(fuzz_span host, fuzz_span origin,
                          const char *pattern) {
    bool is_valid = tw__ws_origin_is_pattern(pattern, strlen(pattern));
    bool is_own = is_allowed(host, origin, NULL, 0);
    bool is_let_in = is_allowed(host, origin, &pattern, 1);
    FUZZ_CHECK(is_let_in || !is_own);
    if (is_let_in && !is_own) {
        FUZZ_CHECK(is_valid);
        check_below(origin, pattern);
    }
}

/* Scheme and host compare without case. */
static void check_case(fuzz_span host, fuzz_span origin, bool is_let_in,
                       const char *const *patterns, size_t count) {
    uint8_t *upper = fuzz_copy(origin.data, origin.len);
    for (size_t i = 0; i < origin.len; i++) {
        upper[i] = (uint8_t)toupper(upper[i]);
    }
    FUZZ_CHECK(is_allowed(host, (fuzz_span){upper, origin.len}, patterns,
                          count) == is_let_in);
    free(upper);
}

/* An origin that is a pattern without stars lets itself in. */
static void check_itself(fuzz_span host, fuzz_span origin) {
    char text[512];
    if (origin.len >= sizeof text ||
        memchr(origin.data, '*', origin.len) != NULL ||
        !tw__ws_origin_is_pattern((const char *)origin.data, origin.len)) {
        return;
    }
    memcpy(text, origin.data, origin.len);
    text[origin.len] = '\0';
    const char *pattern = text;
    FUZZ_CHECK(is_allowed(host, origin, &pattern, 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_span rest = {data, size};
    fuzz_span host = fuzz_line(&rest), origin = fuzz_line(&rest);
    const char *patterns[MAX_PATTERNS];
    size_t count = 0;
    bool any = is_allowed(host, origin, NULL, 0);
    while (rest.len != 0 && count < MAX_PATTERNS) {
        fuzz_span line = fuzz_line(&rest);
        char *copy = malloc(line.len + 1);
        FUZZ_CHECK(copy != NULL);
        memcpy(copy, line.data, line.len);
        copy[line.len] = '\0';
        patterns[count++] = copy;
        check_pattern(host, origin, copy);
        any = any || is_allowed(host, origin, &patterns[count - 1], 1);
    }
    bool is_let_in = is_allowed(host, origin, patterns, count);
    FUZZ_CHECK(is_let_in == any);
    check_case(host, origin, is_let_in, patterns, count);
    if (origin.len != 0) {
        check_itself(host, origin);
    }
    while (count > 0) {
        free((char *)patterns[--count]);
    }
    return 0;
}
