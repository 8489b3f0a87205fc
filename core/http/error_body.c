/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "http/response.h"
#include "tidewire/errors.h"

/* Bytes of the UTF-8 character at `at`, or 0 when there is none: RFC 3629,
 * without surrogates, overlong forms and what lies beyond U+10FFFF. */
static size_t utf8_len(const unsigned char *at, size_t left) {
    static const struct {
        unsigned char first, last, low, high, len;
    } rows[] = {
        {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2},
        {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4},
        {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (at[0] < rows[i].first || at[0] > rows[i].last) {
            continue;
        }
        size_t len = rows[i].len;
        if (len > left ||
            (len > 1 && (at[1] < rows[i].low || at[1] > rows[i].high))) {
            return 0;
        }
        for (size_t k = 2; k < len; k++) {
            if (at[k] < 0x80 || at[k] > 0xBF) {
                return 0;
            }
        }
        return len;
    }
    return 0;
}

/* The escape for the character at `at`, or false when it stands for itself.
 * U+2028 and U+2029 end a line in old JavaScript. */
static bool escape(const unsigned char *at, size_t len, char out[8]) {
    if (len == 0) {
        strcpy(out, "\\ufffd");
    } else if (at[0] == '"' || at[0] == '\\') {
        snprintf(out, 8, "\\%c", at[0]);
    } else if (at[0] == '\n') {
        strcpy(out, "\\n");
    } else if (at[0] < 0x20 || at[0] == 0x7F) {
        snprintf(out, 8, "\\u%04x", at[0]);
    } else if (len == 3 && at[0] == 0xE2 && at[1] == 0x80 &&
               (at[2] == 0xA8 || at[2] == 0xA9)) {
        snprintf(out, 8, "\\u20%02x", at[2] - 0x80);
    } else {
        return false;
    }
    return true;
}

int tw__http_json_string(tw__bytes *out, const char *data, size_t len) {
    int err = tw__bytes_append(out, "\"", 1);
    size_t start = 0, i = 0; /* what stands for itself is copied in runs */
    while (err == 0 && i < len) {
        const unsigned char *at = (const unsigned char *)data + i;
        size_t width = utf8_len(at, len - i);
        char escaped[8];
        if (escape(at, width, escaped)) {
            err = tw__bytes_append(out, data + start, i - start);
            if (err == 0) {
                err = tw__bytes_append(out, escaped, strlen(escaped));
            }
            start = i + (width ? width : 1);
        }
        i += width ? width : 1;
    }
    if (err == 0) {
        err = tw__bytes_append(out, data + start, len - start);
    }
    return err != 0 ? err : tw__bytes_append(out, "\"", 1);
}

static int write_with(tw__bytes *out, const tw__http_response *response,
                      const char *type, const tw__bytes *body) {
    tw__http_response full = *response;
    full.content_type = type;
    full.body = tw__bytes_data(body);
    full.body_len = tw__bytes_len(body);
    return tw__http_response_write(out, &full);
}

int tw__http_error_text(tw__bytes *out, const tw__http_response *response,
                        const char *detail) {
    tw__bytes body = {0};
    int err = tw__bytes_printf(&body, "%d %s%s%s\n", response->status,
                               tw__http_reason(response->status),
                               detail ? ": " : "", detail ? detail : "");
    if (err == 0) {
        err = write_with(out, response, "text/plain; charset=utf-8", &body);
    }
    tw__bytes_deinit(&body);
    return err;
}

static int json_error(tw__bytes *body, const char *code, const char *message) {
    int err = tw__bytes_printf(body, "{\"error\":{\"code\":");
    if (err == 0) {
        err = tw__http_json_string(body, code, strlen(code));
    }
    if (err == 0) {
        err = tw__bytes_printf(body, ",\"message\":");
    }
    if (err == 0) {
        err = tw__http_json_string(body, message, strlen(message));
    }
    return err != 0 ? err : tw__bytes_append(body, "}}", 2);
}

int tw__http_error_json(tw__bytes *out, const tw__http_response *response,
                        const char *code, const char *message) {
    tw__bytes body = {0};
    int err = json_error(&body, code, message);
    if (err == 0) {
        err = write_with(out, response, "application/json", &body);
    }
    tw__bytes_deinit(&body);
    return err;
}
