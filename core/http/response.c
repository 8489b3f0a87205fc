/* SPDX-License-Identifier: MIT */
#include "http/response.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "http/chars.h"
#include "tidewire/errors.h"

/* Status line, Date, Content-Length and Connection together, generously. */
#define MAX_FIXED 256

bool tw__http_field_is_valid(const tw__http_field *field) {
    for (size_t i = 0; i < field->name_len; i++) {
        if (!tw__http_is_tchar((unsigned char)field->name[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < field->value_len; i++) {
        if (!tw__http_is_value_char((unsigned char)field->value[i])) {
            return false;
        }
    }
    return field->name_len > 0;
}

static bool is_named(const tw__http_field *field, const char *name) {
    return tw__http_same(field->name, field->name_len, name, strlen(name));
}

static bool is_ours(const tw__http_field *field) {
    static const char *const names[] = {"date",       "content-length",
                                        "connection", "transfer-encoding",
                                        "keep-alive", "te",
                                        "trailer"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (is_named(field, names[i])) {
            return true;
        }
    }
    return false;
}

static bool has_header(const tw__http_response *response, const char *name) {
    for (size_t i = 0; i < response->header_count; i++) {
        if (is_named(&response->headers[i], name)) {
            return true;
        }
    }
    return false;
}

/* The headers that will be written, checked; adds up what they need. */
static int measure(const tw__http_response *response, size_t *size) {
    for (size_t i = 0; i < response->header_count; i++) {
        const tw__http_field *field = &response->headers[i];
        if (!tw__http_field_is_valid(field)) {
            return TW_EINVALID;
        }
        *size += field->name_len + field->value_len + 4;
    }
    return 0;
}

static char *put(char *at, const char *data, size_t len) {
    memcpy(at, data, len);
    return at + len;
}

static char *put_text(char *at, const char *text) {
    return put(at, text, strlen(text));
}

static char *put_field(char *at, const char *name, size_t name_len,
                       const char *value, size_t value_len) {
    at = put(at, name, name_len);
    at = put(at, ": ", 2);
    at = put(at, value, value_len);
    return put(at, "\r\n", 2);
}

static char *put_line(char *at, const char *name, const char *value) {
    return put_field(at, name, strlen(name), value, strlen(value));
}

static char *put_head(char *at, const tw__http_response *response,
                      const char *type, bool has_length, uint64_t length) {
    at += sprintf(at, "HTTP/1.1 %d %s\r\n", response->status,
                  tw__http_reason(response->status));
    if (response->date != NULL) {
        at = put_line(at, "Date", response->date);
    }
    if (has_length) {
        at += sprintf(at, "Content-Length: %" PRIu64 "\r\n", length);
    }
    /* RFC 9110 7.8: whoever sends Upgrade names it here. */
    at += sprintf(at, "Connection: %s%s\r\n",
                  response->keep_alive ? "keep-alive" : "close",
                  has_header(response, "upgrade") ? ", Upgrade" : "");
    if (type != NULL) {
        at = put_line(at, "Content-Type", type);
    }
    for (size_t i = 0; i < response->header_count; i++) {
        const tw__http_field *field = &response->headers[i];
        if (!is_ours(field)) {
            at = put_field(at, field->name, field->name_len, field->value,
                           field->value_len);
        }
    }
    return put_text(at, "\r\n");
}

int tw__http_response_write(tw__bytes *out, const tw__http_response *response) {
    int status = response->status;
    bool has_length = status != 204 && status != 304;
    uint64_t length = status == 205 ? 0 : response->body_len;
    size_t body = has_length && response->body != NULL && !response->is_head
                      ? (size_t)length
                      : 0;
    const char *type =
        has_length && length > 0 && !has_header(response, "content-type")
            ? response->content_type
            : NULL;
    tw__http_field typed = {"content-type", 12, type, type ? strlen(type) : 0};
    size_t size = MAX_FIXED + typed.value_len + body;
    if (status < 200 || status > 599 || !tw__http_field_is_valid(&typed) ||
        (response->date != NULL && strlen(response->date) != 29) ||
        measure(response, &size) != 0) {
        return TW_EINVALID;
    }
    uint8_t *place;
    if (tw__bytes_reserve(out, size, &place) != 0) {
        return TW_ENOMEM;
    }
    char *end = put_head((char *)place, response, type, has_length, length);
    if (body > 0) {
        end = put(end, response->body, body);
    }
    tw__bytes_commit(out, (size_t)((uint8_t *)end - place));
    return 0;
}
