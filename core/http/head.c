/* SPDX-License-Identifier: MIT */
#include "http/head.h"

#include <assert.h>
#include <llhttp.h>
#include <string.h>

#include "base/alloc.h"
#include "http/chars.h"
#include "http/rules.h"
#include "http/uri.h"

/* A request is one block: the struct, its header fields, then the text: the
 * head as it came, which the fields point into, and the decoded path. llhttp
 * reads the head in one piece from that copy, so each of its spans comes
 * whole; afterwards names are lowered and zeros written where a colon or a
 * line's end was. */
typedef struct building {
    tw__http_request *request;
    tw__http_field *fields;
    size_t count, max;
    bool has_value; /* the last field has begun its value */
} building;

static const tw__http_error ok = {0, NULL};

static tw__http_error refuse(int status, const char *reason) {
    return (tw__http_error){status, reason};
}

static tw__http_error bad(const char *reason) {
    return refuse(400, reason);
}

/* Adds a span to a text. Pieces of one text must touch, which they do, since
 * llhttp gets the head whole: anything else would be a misreading. */
static int extend(const char **data, size_t *len, const char *at, size_t add) {
    if (*len == 0) {
        *data = at;
    } else if (*data + *len != at) {
        return -1;
    }
    *len += add;
    return 0;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t len) {
    building *b = llhttp->data;
    tw__http_text *target = &b->request->target;
    return extend(&target->data, &target->len, at, len);
}

static int on_field(llhttp_t *llhttp, const char *at, size_t len) {
    building *b = llhttp->data;
    if (b->count == 0 || b->has_value) {
        if (b->count == b->max) {
            return -1;
        }
        b->fields[b->count++] = (tw__http_field){at, 0, NULL, 0};
        b->has_value = false;
    }
    tw__http_field *field = &b->fields[b->count - 1];
    return extend(&field->name, &field->name_len, at, len);
}

static int on_value(llhttp_t *llhttp, const char *at, size_t len) {
    building *b = llhttp->data;
    if (b->count == 0) {
        return -1;
    }
    tw__http_field *field = &b->fields[b->count - 1];
    b->has_value = true;
    return extend(&field->value, &field->value_len, at, len);
}

/* An empty value may come without a span. */
static int on_value_complete(llhttp_t *llhttp) {
    building *b = llhttp->data;
    b->has_value = true;
    return 0;
}

/* The body is not llhttp's business (chunked.h says why). */
static int on_headers_complete(llhttp_t *llhttp) {
    (void)llhttp;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
};

static tw__http_error run_llhttp(building *b, const char *text, size_t len) {
    llhttp_t llhttp;
    llhttp_init(&llhttp, HTTP_REQUEST, &settings);
    llhttp.data = b;
    llhttp_errno_t err = llhttp_execute(&llhttp, text, len);
    if (err == HPE_INVALID_METHOD) {
        return refuse(501, "unknown method");
    }
    if (err != HPE_PAUSED) {
        const char *reason = llhttp_get_error_reason(&llhttp);
        return bad(reason != NULL && *reason ? reason : "malformed request");
    }
    b->request->minor = llhttp.http_minor;
    bool whole = llhttp.http_major == 1 && b->request->target.len > 0 &&
                 b->count == b->max;
    return whole ? ok : bad("malformed request");
}

/* Makes strings of the spans. The bytes are the request's own block. */
static void finish_fields(building *b) {
    for (size_t i = 0; i < b->count; i++) {
        tw__http_field *field = &b->fields[i];
        char *name = (char *)field->name;
        for (size_t k = 0; k < field->name_len; k++) {
            name[k] = tw__http_lower(name[k]);
        }
        if (field->value_len == 0) {
            field->value = name + field->name_len + 1;
        }
        tw__http_trim(&field->value, &field->value_len);
        name[field->name_len] = '\0';
        ((char *)field->value)[field->value_len] = '\0';
    }
    b->request->header_count = b->count;
}

/* Takes "http://authority" off an absolute target, which RFC 9112 3.2.2 has
 * servers understand; `authority` stays empty for any other target. */
static void cut_authority(tw__http_text *target, tw__http_text *authority) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t skip = strlen(schemes[i]);
        if (target->len <= skip ||
            !tw__http_same(target->data, skip, schemes[i], skip)) {
            continue;
        }
        const char *host = target->data + skip;
        size_t len = strcspn(host, "/?");
        if (len > 0) {
            *authority = (tw__http_text){host, len};
            target->data = host + len;
            target->len -= skip + len;
        }
        break;
    }
    if (authority->len > 0 && target->len == 0) {
        *target = (tw__http_text){"/", 1};
    }
}

static tw__http_error finish_target(tw__http_request *request,
                                    tw__http_text *authority, char *path) {
    tw__http_text *target = &request->target;
    ((char *)target->data)[target->len] = '\0';
    cut_authority(target, authority);
    request->path = (tw__http_text){path, 0};
    request->query = (tw__http_text){target->data + target->len, 0};
    if (strcmp(request->method.data, "CONNECT") == 0) {
        return refuse(501, "CONNECT is not served");
    }
    if (strcmp(target->data, "*") == 0 &&
        strcmp(request->method.data, "OPTIONS") == 0) {
        memcpy(path, "*", 2);
        request->path.len = 1;
        return ok;
    }
    if (target->data[0] != '/') {
        return bad("target is not a path");
    }
    const char *mark = memchr(target->data, '?', target->len);
    size_t raw_len = mark ? (size_t)(mark - target->data) : target->len;
    if (mark != NULL) {
        request->query = (tw__http_text){mark + 1, target->len - raw_len - 1};
    }
    const char *why =
        tw__http_path_decode(target->data, raw_len, path, &request->path.len);
    return why != NULL ? bad(why) : ok;
}

static tw__http_error build(building *b, char *text, size_t len) {
    tw__http_error error = run_llhttp(b, text, len);
    if (error.status != 0) {
        return error;
    }
    tw__http_request *request = b->request;
    char *blank = memchr(text, ' ', len);
    assert(blank != NULL); /* the scan saw a request line */
    *blank = '\0';
    request->method = (tw__http_text){text, (size_t)(blank - text)};
    request->is_head = strcmp(text, "HEAD") == 0;
    finish_fields(b);
    tw__http_text authority = {"", 0};
    error = finish_target(request, &authority, text + len);
    if (error.status == 0) {
        error = tw__http_rules_check(request);
    }
    /* A client says the same in both (RFC 9112 3.2); where they differ, others
     * on the way might have gone by the other one. */
    bool is_same = authority.len == 0 ||
                   tw__http_same(authority.data, authority.len,
                                 request->host.data, request->host.len);
    if (error.status == 0 && !is_same) {
        error = bad("target and Host differ");
    }
    return error;
}

tw__http_error tw__http_head_parse(const char *head, size_t len, size_t lines,
                                   tw__http_request **out) {
    /* The decoded path is shorter than the head it came from. */
    size_t fixed = sizeof(tw__http_request) + lines * sizeof(tw__http_field);
    tw__http_request *request = tw__malloc(fixed + 2 * len);
    if (request == NULL) {
        return refuse(503, "out of memory");
    }
    memset(request, 0, sizeof *request);
    request->_refs = 1;
    building b = {.request = request,
                  .fields = (tw__http_field *)(void *)(request + 1),
                  .max = lines};
    request->headers = b.fields;
    char *text = (char *)request + fixed;
    memcpy(text, head, len);
    tw__http_error error = build(&b, text, len);
    if (error.status != 0) {
        tw__http_request_unref(request);
        return error;
    }
    *out = request;
    return ok;
}
