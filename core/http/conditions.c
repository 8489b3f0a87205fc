/* SPDX-License-Identifier: MIT */
#include "http/conditions.h"

#include <string.h>

#include "http/chars.h"
#include "http/response.h"

static bool is_same_etag(const char *tag, size_t len, const char *etag,
                         bool weak_counts) {
    if (weak_counts && len > 2 && tag[0] == 'W' && tag[1] == '/') {
        tag += 2;
        len -= 2;
    }
    return len == strlen(etag) && memcmp(tag, etag, len) == 0;
}

/* Whether a line of `name` lists the tag, or is "*". */
static bool lists_etag(const tw__http_request *request, const char *name,
                       const char *etag, bool weak_counts) {
    for (size_t i = 0; i < request->header_count; i++) {
        const tw__http_field *field = &request->headers[i];
        if (strcmp(field->name, name) != 0) {
            continue;
        }
        const char *rest = field->value, *tag;
        size_t left = field->value_len, len;
        while (tw__http_list_next(&rest, &left, &tag, &len)) {
            if ((len == 1 && tag[0] == '*') ||
                is_same_etag(tag, len, etag, weak_counts)) {
                return true;
            }
        }
    }
    return false;
}

static bool has_date(const tw__http_request *request, const char *name,
                     int64_t *unix_s) {
    size_t len;
    const char *value = tw__http_request_header(request, name, &len);
    return value != NULL && tw__http_date_parse(value, len, unix_s);
}

static bool has(const tw__http_request *request, const char *name) {
    return tw__http_request_header(request, name, NULL) != NULL;
}

int tw__http_precondition(const tw__http_request *request,
                          const tw__http_validators *validators) {
    const char *etag = validators->etag;
    int64_t date;
    if (has(request, "if-match")) {
        if (!lists_etag(request, "if-match", etag, false)) {
            return 412;
        }
    } else if (has_date(request, "if-unmodified-since", &date) &&
               validators->modified_s > date) {
        return 412;
    }
    if (has(request, "if-none-match")) {
        return lists_etag(request, "if-none-match", etag, true) ? 304 : 0;
    }
    bool is_fresh = has_date(request, "if-modified-since", &date) &&
                    validators->modified_s <= date;
    return is_fresh ? 304 : 0;
}

/* RFC 9110 13.1.5: a tag compares strongly; a date must be exactly ours. */
static bool wants_range(const tw__http_request *request,
                        const tw__http_validators *validators) {
    size_t len;
    const char *value = tw__http_request_header(request, "if-range", &len);
    int64_t date;
    return value == NULL || is_same_etag(value, len, validators->etag, false) ||
           (tw__http_date_parse(value, len, &date) &&
            date == validators->modified_s);
}

static int suffix_range(uint64_t suffix, uint64_t size, uint64_t *offset,
                        uint64_t *length) {
    if (suffix == 0 || size == 0) {
        return 416;
    }
    *length = suffix < size ? suffix : size;
    *offset = size - *length;
    return 206;
}

static int read_range(const char *spec, size_t len, uint64_t size,
                      uint64_t *offset, uint64_t *length) {
    const char *dash = memchr(spec, '-', len);
    if (dash == NULL) {
        return 200;
    }
    size_t first_len = (size_t)(dash - spec), last_len = len - first_len - 1;
    uint64_t first = 0, last = UINT64_MAX;
    if (last_len > 0 && !tw__http_decimal(dash + 1, last_len, &last)) {
        return 200;
    }
    if (first_len == 0) {
        return last_len > 0 ? suffix_range(last, size, offset, length) : 200;
    }
    if (!tw__http_decimal(spec, first_len, &first) || first > last) {
        return 200;
    }
    if (first >= size) {
        return 416;
    }
    last = last < size ? last : size - 1;
    *offset = first;
    *length = last - first + 1;
    return 206;
}

int tw__http_range(const tw__http_request *request,
                   const tw__http_validators *validators, uint64_t size,
                   uint64_t *offset, uint64_t *length) {
    size_t len;
    const char *value = tw__http_request_header(request, "range", &len);
    if (value == NULL || len < 6 || !tw__http_same(value, 6, "bytes=", 6) ||
        !wants_range(request, validators)) {
        return 200;
    }
    value += 6;
    len -= 6;
    tw__http_trim(&value, &len);
    return read_range(value, len, size, offset, length);
}
