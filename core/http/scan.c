/* SPDX-License-Identifier: MIT */
#include "http/scan.h"

#include <string.h>

#include "http/chars.h"

/* No registered method is longer than 17 bytes; whoever sends more speaks
 * something else. */
#define MAX_METHOD 32

enum {
    START,    /* nothing but an empty line has come */
    START_LF, /* in that empty line */
    METHOD,
    TARGET,
    VERSION,
    LINE_LF, /* of the request line */
    LINE,    /* first byte of a header line */
    NAME,
    VALUE,
    VALUE_LF,
    END_LF,
    DONE
};

static int refuse(tw__http_scan *scan, int status, const char *reason) {
    scan->error = (tw__http_error){status, reason};
    return -1;
}

static int in_start(tw__http_scan *scan, unsigned char c) {
    /* RFC 9112 2.2: an empty line before a request is forgiven, once; the
     * version's place remembers that it came. */
    if (c == '\r' && scan->_version[0] == '\0') {
        scan->_version[0] = c;
        return START_LF;
    }
    if (!tw__http_is_tchar(c)) {
        return refuse(scan, 400, "not an HTTP request");
    }
    scan->_at = 1;
    return METHOD;
}

static int in_method(tw__http_scan *scan, unsigned char c) {
    if (c == ' ') {
        scan->_at = 0;
        return TARGET;
    }
    if (!tw__http_is_tchar(c)) {
        return refuse(scan, 400, "malformed request line");
    }
    if (++scan->_at > MAX_METHOD) {
        return refuse(scan, 501, "unknown method");
    }
    return METHOD;
}

static int in_target(tw__http_scan *scan, unsigned char c) {
    if (c == ' ' && scan->target > 0) {
        return VERSION;
    }
    if (c <= ' ' || c >= 0x7F) {
        return refuse(scan, 400, "malformed request line");
    }
    if (c == '#') {
        return refuse(scan, 400, "fragment in the target");
    }
    if (c == '\\') {
        return refuse(scan, 400, "backslash in the target");
    }
    if (++scan->target > scan->max_target) {
        return refuse(scan, 414, "target too long");
    }
    return TARGET;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int in_version(tw__http_scan *scan, unsigned char c) {
    if (c != '\r') {
        if (scan->_at == sizeof scan->_version) {
            return refuse(scan, 400, "malformed request line");
        }
        scan->_version[scan->_at++] = (char)c;
        return VERSION;
    }
    const char *version = scan->_version;
    if (scan->_at != sizeof scan->_version ||
        memcmp(version, "HTTP/", 5) != 0 || !is_digit(version[5]) ||
        version[6] != '.' || !is_digit(version[7])) {
        return refuse(scan, 400, "malformed request line");
    }
    if (version[5] != '1' || version[7] > '1') {
        return refuse(scan, 505, "HTTP/1.0 or 1.1 only");
    }
    return LINE_LF;
}

static int in_line(tw__http_scan *scan, unsigned char c) {
    if (c == '\r') {
        return END_LF;
    }
    if (c == ' ' || c == '\t') {
        return refuse(scan, 400, "folded header line");
    }
    if (!tw__http_is_tchar(c)) {
        return refuse(scan, 400, "malformed header name");
    }
    if (++scan->lines > scan->max_lines) {
        return refuse(scan, 431, "too many header lines");
    }
    return NAME;
}

static int in_name(tw__http_scan *scan, unsigned char c) {
    if (c == ':') {
        return VALUE;
    }
    if (c == ' ' || c == '\t') {
        return refuse(scan, 400, "blank before a colon");
    }
    return tw__http_is_tchar(c) ? NAME
                                : refuse(scan, 400, "malformed header name");
}

static int in_value(tw__http_scan *scan, unsigned char c) {
    if (c == '\r') {
        return VALUE_LF;
    }
    return tw__http_is_value_char(c)
               ? VALUE
               : refuse(scan, 400, "control byte in a header value");
}

static int line_feed(tw__http_scan *scan, unsigned char c, int next) {
    return c == '\n' ? next : refuse(scan, 400, "bare CR");
}

static int step(tw__http_scan *scan, unsigned char c) {
    switch (scan->_state) {
    case START:
        return in_start(scan, c);
    case START_LF:
        return line_feed(scan, c, START);
    case METHOD:
        return in_method(scan, c);
    case TARGET:
        return in_target(scan, c);
    case VERSION:
        return in_version(scan, c);
    case LINE_LF:
        return line_feed(scan, c, LINE);
    case LINE:
        return in_line(scan, c);
    case NAME:
        return in_name(scan, c);
    case VALUE:
        return in_value(scan, c);
    case VALUE_LF:
        return line_feed(scan, c, LINE);
    default:
        return line_feed(scan, c, DONE);
    }
}

static int too_long(tw__http_scan *scan) {
    return scan->_state == TARGET ? refuse(scan, 414, "target too long")
                                  : refuse(scan, 431, "header too long");
}

tw__http_event tw__http_scan_feed(tw__http_scan *scan, const char *data,
                                  size_t len, size_t *consumed) {
    for (size_t i = 0; i < len; i++) {
        int next = step(scan, (unsigned char)data[i]);
        if (next >= 0 && next != START && next != START_LF &&
            ++scan->bytes >= scan->max_bytes && next != DONE) {
            next = too_long(scan);
        }
        if (next < 0) {
            return TW__HTTP_ERROR;
        }
        scan->_state = (uint8_t)next;
        if (next == DONE) {
            *consumed = i + 1;
            return TW__HTTP_HEAD;
        }
    }
    *consumed = len;
    return TW__HTTP_MORE;
}

static void init(tw__http_scan *scan, const tw__http_limits *limits,
                 uint8_t state) {
    memset(scan, 0, sizeof *scan);
    scan->max_bytes = limits->max_head_bytes;
    scan->max_target = limits->max_target_bytes;
    scan->max_lines = limits->max_headers;
    scan->_state = state;
}

void tw__http_scan_init_head(tw__http_scan *scan,
                             const tw__http_limits *limits) {
    init(scan, limits, START);
}

void tw__http_scan_init_trailers(tw__http_scan *scan,
                                 const tw__http_limits *limits) {
    init(scan, limits, LINE);
}
