/* The answer to a request: taken in as it comes, and handed over.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/chars.h"
#include "http/client_parts.h"

/* The transfer ends with this error, as soon as the callback says so. */
static size_t refuse(tw_http_call *call, int error, const char *why) {
    if (call->error == 0) {
        call->error = error;
        snprintf(call->why, sizeof call->why, "%s", why);
    }
    return 0;
}

size_t tw__http_call_on_body(char *data, size_t size, size_t count, void *arg) {
    tw_http_call *call = arg;
    size_t len = size * count;
    if (len > call->max_body - tw__bytes_len(&call->answer)) {
        return refuse(call, TW_ELIMIT, "the answer is longer than max_body");
    }
    if (!tw__http_hold(call, len)) {
        return refuse(call, TW_EOVERLOADED,
                      "too many bytes of requests and answers are held");
    }
    if (tw__bytes_append(&call->answer, data, len) != 0) {
        return refuse(call, TW_ENOMEM, tw_strerror(TW_ENOMEM));
    }
    return len;
}

static bool is_value(const char *value, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (!tw__http_is_value_char((unsigned char)value[i])) {
            return false;
        }
    }
    return true;
}

static bool is_name(const char *name, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (!tw__http_is_tchar((unsigned char)name[i])) {
            return false;
        }
    }
    return len > 0;
}

static int keep_line(tw_http_call *call, const char *name, size_t name_len,
                     const char *value, size_t value_len) {
    uint8_t *out;
    size_t len = name_len + value_len + 2;
    if (tw__bytes_reserve(&call->head, len, &out) != 0) {
        return TW_ENOMEM;
    }
    for (size_t i = 0; i < name_len; i++) {
        *out++ = (uint8_t)tw__http_lower(name[i]);
    }
    *out++ = '\0';
    if (value_len > 0) {
        memcpy(out, value, value_len);
    }
    out[value_len] = '\0';
    tw__bytes_commit(&call->head, len);
    call->lines++;
    return 0;
}

/* The empty line: the end of a head, perhaps of an interim answer's. */
static void end_head(tw_http_call *call) {
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    call->is_head_over = status >= 200;
    if (!call->is_head_over) {
        tw__bytes_consume(&call->head, tw__bytes_len(&call->head));
        call->lines = 0;
    }
}

size_t tw__http_call_on_header(char *data, size_t size, size_t count,
                               void *arg) {
    tw_http_call *call = arg;
    size_t given = size * count, len = given;
    call->head_bytes += given;
    if (call->head_bytes > TW__HTTP_ANSWER_HEAD_MAX ||
        call->lines == TW__HTTP_ANSWER_LINES_MAX) {
        return refuse(call, TW_ELIMIT, "the answer's head is too long");
    }
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r')) {
        len--;
    }
    if (call->is_head_over) {
        return given; /* a trailer */
    }
    if (len == 0) {
        end_head(call);
        return given;
    }
    const char *colon = memchr(data, ':', len);
    if (len > 5 && memcmp(data, "HTTP/", 5) == 0) {
        return given;
    }
    size_t name_len = colon != NULL ? (size_t)(colon - data) : 0;
    const char *value = colon != NULL ? colon + 1 : data;
    size_t value_len = colon != NULL ? len - name_len - 1 : len;
    tw__http_trim(&value, &value_len);
    if (!is_name(data, name_len) || !is_value(value, value_len)) {
        return refuse(call, TW_EINVALID, "the answer has a malformed header");
    }
    if (keep_line(call, data, name_len, value, value_len) != 0) {
        return refuse(call, TW_ENOMEM, tw_strerror(TW_ENOMEM));
    }
    return given;
}

/* ---- handing it over ---- */

typedef struct head {
    tw_header *list;
    size_t count;
    char *text; /* joined values */
} head;

static const char *next_text(const char *text) {
    return text + strlen(text) + 1;
}

/* Quadratic in at most TW__HTTP_ANSWER_LINES_MAX lines. Each value is at most
 * once in the joined text, with 2 bytes more. */
static void join(const char *lines, size_t count, head *out) {
    char *at = out->text;
    const char *line = lines;
    for (size_t i = 0; i < count; i++) {
        const char *name = line, *other = line;
        size_t known = 0;
        line = next_text(next_text(line));
        while (known < out->count &&
               strcmp(out->list[known].name.data, name) != 0) {
            known++;
        }
        if (known < out->count) {
            continue;
        }
        tw_header *header = &out->list[out->count++];
        header->name = (tw_str){name, strlen(name)};
        header->value.data = at;
        for (size_t j = i; j < count; j++) {
            const char *value = next_text(other);
            if (strcmp(other, name) == 0) {
                at += sprintf(at, "%s%s", at == header->value.data ? "" : ", ",
                              value);
            }
            other = next_text(value);
        }
        header->value.len = (size_t)(at - header->value.data);
        *at++ = '\0';
    }
}

/* All in one block; false without memory. */
static bool make_head(tw_http_call *call, head *out) {
    size_t bytes = tw__bytes_len(&call->head) + 3 * call->lines + 1;
    size_t table = call->lines * sizeof(tw_header);
    char *block = tw__malloc(table + bytes);
    if (block == NULL) {
        return false;
    }
    *out = (head){.list = (tw_header *)(void *)block, .text = block + table};
    if (call->lines > 0) {
        join((const char *)tw__bytes_data(&call->head), call->lines, out);
    }
    return true;
}

void tw__http_call_answer(tw_http_call *call) {
    head all;
    size_t len = tw__bytes_len(&call->answer);
    if (call->error != 0) {
        call->cb(call->error, NULL, call->why, call->arg);
        return;
    }
    if (tw__bytes_append(&call->answer, "", 1) != 0 || !make_head(call, &all)) {
        call->cb(TW_ENOMEM, NULL, tw_strerror(TW_ENOMEM), call->arg);
        return;
    }
    const tw_http_response response = {
        .status = call->status,
        .headers = all.list,
        .header_count = all.count,
        .body = {(const char *)tw__bytes_data(&call->answer), len}};
    call->cb(0, &response, "", call->arg);
    tw__free(all.list);
}
