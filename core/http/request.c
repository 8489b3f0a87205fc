/* SPDX-License-Identifier: MIT */
#include "http/request.h"

#include <string.h>

#include "base/alloc.h"
#include "http/chars.h"
#include "http/uri.h"
#include "tidewire/errors.h"

tw__http_request *tw__http_request_ref(tw__http_request *request) {
    request->_refs++;
    return request;
}

void tw__http_request_unref(tw__http_request *request) {
    if (request == NULL || --request->_refs > 0) {
        return;
    }
    tw__bytes_deinit(&request->_body);
    tw__free(request->_query);
    tw__free(request->_cookies);
    tw__free(request);
}

tw__http_text tw__http_request_body(const tw__http_request *request) {
    size_t len = tw__bytes_len(&request->_body);
    if (len == 0) {
        return (tw__http_text){"", 0};
    }
    return (tw__http_text){(const char *)tw__bytes_data(&request->_body), len};
}

/* The index of the next line called `name` at or after `from`, or the count. */
static size_t find_line(const tw__http_request *request, const char *name,
                        size_t len, size_t from) {
    while (from < request->header_count) {
        const tw__http_field *field = &request->headers[from];
        if (tw__http_same(field->name, field->name_len, name, len)) {
            break;
        }
        from++;
    }
    return from;
}

const char *tw__http_request_header(const tw__http_request *request,
                                    const char *name, size_t *len) {
    size_t at = find_line(request, name, strlen(name), 0);
    if (at == request->header_count) {
        return NULL;
    }
    if (len != NULL) {
        *len = request->headers[at].value_len;
    }
    return request->headers[at].value;
}

bool tw__http_request_has_token(const tw__http_request *request,
                                const char *name, const char *token) {
    size_t len = strlen(name);
    size_t at = find_line(request, name, len, 0);
    while (at < request->header_count) {
        const tw__http_field *field = &request->headers[at];
        if (tw__http_list_has(field->value, field->value_len, token)) {
            return true;
        }
        at = find_line(request, name, len, at + 1);
    }
    return false;
}

int tw__http_request_join(const tw__http_request *request, const char *name,
                          size_t len, tw__bytes *out) {
    const char *separator = tw__http_same(name, len, "cookie", 6) ? "; " : ", ";
    size_t first = find_line(request, name, len, 0), total = 0;
    if (first == request->header_count) {
        return TW_ENOT_FOUND;
    }
    size_t at;
    for (at = first; at < request->header_count;
         at = find_line(request, name, len, at + 1)) {
        total += request->headers[at].value_len + 2;
    }
    uint8_t *place;
    if (tw__bytes_reserve(out, total, &place) != 0) {
        return TW_ENOMEM;
    }
    for (at = first; at < request->header_count;
         at = find_line(request, name, len, at + 1)) {
        const tw__http_field *field = &request->headers[at];
        size_t gap = at == first ? 0 : 2;
        memcpy(place, separator, gap);
        memcpy(place + gap, field->value, field->value_len);
        place += gap + field->value_len;
    }
    tw__bytes_commit(out, total - 2);
    return 0;
}

bool tw__http_request_is_first(const tw__http_request *request, size_t index) {
    const tw__http_field *field = &request->headers[index];
    return find_line(request, field->name, field->name_len, 0) == index;
}

int tw__http_request_query(tw__http_request *request,
                           const tw__http_field **fields, size_t *count) {
    if (request->_query == NULL) {
        request->_query =
            tw__http_query_parse(request->query.data, request->query.len);
    }
    if (request->_query == NULL) {
        return TW_ENOMEM;
    }
    *fields = request->_query->fields;
    *count = request->_query->count;
    return 0;
}

int tw__http_request_cookies(tw__http_request *request,
                             const tw__http_field **fields, size_t *count) {
    if (request->_cookies == NULL) {
        tw__bytes line = {0};
        int err = tw__http_request_join(request, "cookie", 6, &line);
        if (err != TW_ENOMEM) {
            const char *raw =
                err == 0 ? (const char *)tw__bytes_data(&line) : "";
            request->_cookies =
                tw__http_cookies_parse(raw, tw__bytes_len(&line));
        }
        tw__bytes_deinit(&line);
    }
    if (request->_cookies == NULL) {
        return TW_ENOMEM;
    }
    *fields = request->_cookies->fields;
    *count = request->_cookies->count;
    return 0;
}

static bool is_named(const tw__http_field *field, const char *name,
                     size_t len) {
    return field->name_len == len && memcmp(field->name, name, len) == 0;
}

int tw__http_request_param(tw__http_request *request, const char *name,
                           size_t len, tw__http_text *out) {
    const tw__http_field *fields;
    size_t count;
    int err = tw__http_request_query(request, &fields, &count);
    while (err == 0 && count-- > 0) {
        if (is_named(&fields[count], name, len)) {
            *out =
                (tw__http_text){fields[count].value, fields[count].value_len};
            return 0;
        }
    }
    return err != 0 ? err : TW_ENOT_FOUND;
}

int tw__http_request_cookie(tw__http_request *request, const char *name,
                            size_t len, tw__http_text *out) {
    const tw__http_field *fields;
    size_t count;
    int err = tw__http_request_cookies(request, &fields, &count);
    for (size_t i = 0; err == 0 && i < count; i++) {
        if (is_named(&fields[i], name, len)) {
            *out = (tw__http_text){fields[i].value, fields[i].value_len};
            return 0;
        }
    }
    return err != 0 ? err : TW_ENOT_FOUND;
}
