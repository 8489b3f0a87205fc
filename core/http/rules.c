/* SPDX-License-Identifier: MIT */
#include "http/rules.h"

#include <string.h>

#include "http/chars.h"

static const tw__http_error ok = {0, NULL};

static tw__http_error refuse(int status, const char *reason) {
    return (tw__http_error){status, reason};
}

static tw__http_error bad(const char *reason) {
    return refuse(400, reason);
}

static bool is_port(const char *data, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (data[i] < '0' || data[i] > '9') {
            return false;
        }
    }
    return len <= 5;
}

static bool is_host_char(char c, bool is_literal) {
    if (tw__http_hex(c) >= 0) {
        return true;
    }
    char lower = tw__http_lower(c);
    return is_literal ? c == ':' || c == '.'
                      : (lower >= 'a' && lower <= 'z') ||
                            (c != '\0' && strchr("-._~%!$&'()*+;=", c) != NULL);
}

/* uri-host [ ":" port ] of RFC 9110 7.2, but for the comma: it is more likely
 * two hosts that somebody joined. */
static bool is_host(const char *data, size_t len) {
    bool is_literal = len > 0 && data[0] == '[';
    size_t start = is_literal, i = start;
    while (i < len && is_host_char(data[i], is_literal)) {
        i++;
    }
    if (i == start || (is_literal && (i == len || data[i++] != ']'))) {
        return false;
    }
    return i == len || (data[i] == ':' && is_port(data + i + 1, len - i - 1));
}

static size_t count_lines(const tw__http_request *request, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        count += strcmp(request->headers[i].name, name) == 0;
    }
    return count;
}

static tw__http_error check_host(tw__http_request *request) {
    size_t lines = count_lines(request, "host");
    if (lines == 0) {
        request->host = (tw__http_text){"", 0};
        return request->minor == 0 ? ok : bad("no Host line");
    }
    if (lines > 1) {
        return bad("two Host lines");
    }
    request->host.data =
        tw__http_request_header(request, "host", &request->host.len);
    return is_host(request->host.data, request->host.len)
               ? ok
               : bad("malformed Host");
}

/* Exactly one coding, and that chunked, or the body cannot be delimited. */
static tw__http_error check_codings(tw__http_request *request) {
    size_t codings = 0, chunked = 0;
    bool is_last = false;
    for (size_t i = 0; i < request->header_count; i++) {
        const tw__http_field *field = &request->headers[i];
        if (strcmp(field->name, "transfer-encoding") != 0) {
            continue;
        }
        const char *rest = field->value, *item;
        size_t left = field->value_len, len;
        while (tw__http_list_next(&rest, &left, &item, &len)) {
            is_last = tw__http_same(item, len, "chunked", 7);
            chunked += is_last;
            codings++;
        }
    }
    if (!is_last || chunked > 1) {
        return bad("Transfer-Encoding does not end in one chunked");
    }
    return codings == 1 ? ok : refuse(501, "transfer coding not implemented");
}

/* RFC 9112 6.3, without its leniencies. */
static tw__http_error check_framing(tw__http_request *request) {
    size_t lengths = count_lines(request, "content-length");
    if (count_lines(request, "transfer-encoding") > 0) {
        if (request->minor == 0) {
            return bad("Transfer-Encoding in HTTP/1.0");
        }
        if (lengths > 0) {
            return bad("Content-Length with Transfer-Encoding");
        }
        request->has_body = request->is_chunked = true;
        return check_codings(request);
    }
    if (lengths > 1) {
        return bad("two Content-Length lines");
    }
    if (lengths == 1) {
        size_t len;
        const char *value =
            tw__http_request_header(request, "content-length", &len);
        if (!tw__http_decimal(value, len, &request->content_length)) {
            return bad("malformed Content-Length");
        }
        request->has_body = request->content_length > 0;
    }
    return ok;
}

static tw__http_error check_expect(tw__http_request *request) {
    size_t len;
    const char *value = tw__http_request_header(request, "expect", &len);
    if (value == NULL || request->minor == 0) {
        return ok;
    }
    if (count_lines(request, "expect") > 1 ||
        !tw__http_same(value, len, "100-continue", 12)) {
        return refuse(417, "expectation not understood");
    }
    request->expect_continue = request->has_body;
    return ok;
}

static tw__http_error check_connection(tw__http_request *request) {
    request->is_upgrade =
        tw__http_request_has_token(request, "upgrade", "websocket") ||
        count_lines(request, "sec-websocket-key") > 0;
    if (request->is_upgrade && request->has_body) {
        return bad("upgrade request with a body");
    }
    bool keep = request->minor == 1 ||
                tw__http_request_has_token(request, "connection", "keep-alive");
    request->keep_alive =
        keep && !request->is_upgrade &&
        !tw__http_request_has_token(request, "connection", "close");
    return ok;
}

tw__http_error tw__http_rules_check(tw__http_request *request) {
    tw__http_error (*const rules[])(tw__http_request *) = {
        check_host, check_framing, check_expect, check_connection};
    tw__http_error error = ok;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        error = rules[i](request);
        if (error.status != 0) {
            break;
        }
    }
    return error;
}
