/* SPDX-License-Identifier: MIT */
#include "server/req.h"

#include <string.h>

#include "base/alloc.h"

/* Both are name, length, value, length: a handshake reads the parser's array.
 */
_Static_assert(sizeof(tw__ws_header) == sizeof(tw__http_field) &&
                   offsetof(tw__ws_header, value) ==
                       offsetof(tw__http_field, value),
               "header views differ");

static tw_str str(tw__http_text text) {
    return (tw_str){text.data, text.len};
}

tw_req *tw__req_create(tw_conn *conn, tw__http_request *http) {
    tw_req *req = tw__calloc(1, sizeof *req);
    if (req == NULL) {
        return NULL;
    }
    tw_str ip = tw_conn_ip(conn);
    req->refs = 1;
    req->server = conn->server;
    req->conn = conn;
    req->http = tw__http_request_ref(http);
    memcpy(req->ip, ip.data, ip.len + 1);
    if ((conn->flags & TW__TLS) && tw__req_note_tls(req, conn) != 0) {
        tw_req_unref(req);
        return NULL;
    }
    return req;
}

int tw__req_set_match(tw_req *req, const tw__http_match *match) {
    size_t bytes = 0;
    for (size_t i = 0; i < match->param_count; i++) {
        bytes += match->params[i].name_len + match->params[i].value_len + 2;
    }
    char *place = tw__malloc(bytes);
    if (place == NULL) {
        return TW_ENOMEM;
    }
    req->params = place;
    for (size_t i = 0; i < match->param_count; i++) {
        const tw__http_field *field = &match->params[i];
        req->names[i] = (tw_str){place, field->name_len};
        memcpy(place, field->name, field->name_len);
        place[field->name_len] = '\0';
        place += field->name_len + 1;
        req->values[i] = (tw_str){place, field->value_len};
        memcpy(place, field->value, field->value_len);
        place[field->value_len] = '\0';
        place += field->value_len + 1;
    }
    req->param_count = match->param_count;
    req->route = tw__route_of(match);
    req->route->refs++;
    return 0;
}

tw__ws_request tw__req_view(const tw_req *req) {
    const tw__http_request *http = req->http;
    return (tw__ws_request){http->method.data,
                            http->method.len,
                            1,
                            http->minor,
                            (const tw__ws_header *)http->headers,
                            http->header_count};
}

tw_req *tw_req_ref(tw_req *req) {
    req->refs++;
    return req;
}

void tw_req_unref(tw_req *req) {
    if (req == NULL || --req->refs > 0) {
        return;
    }
    while (req->joined != NULL) {
        tw__joined *next = req->joined->next;
        tw__free(req->joined);
        req->joined = next;
    }
    if (req->route != NULL) {
        tw__route_unref(req->route);
    }
    tw__http_request_unref(req->http);
    tw__req_drop_tls(req);
    tw__free(req->params);
    tw__free(req);
}

tw_server *tw_req_server(tw_req *req) {
    return req->server;
}

tw_route *tw_req_route(tw_req *req) {
    return req->route;
}

tw_str tw_req_method(const tw_req *req) {
    return str(req->http->method);
}

tw_str tw_req_path(const tw_req *req) {
    return str(req->http->path);
}

tw_str tw_req_ip(const tw_req *req) {
    return (tw_str){req->ip, strlen(req->ip)};
}

tw_str tw_req_body(const tw_req *req) {
    return str(tw__http_request_body(req->http));
}

static size_t count_lines(const tw_req *req, const char *name, size_t len,
                          const tw__http_field **first) {
    size_t count = 0;
    for (size_t i = 0; i < req->http->header_count; i++) {
        const tw__http_field *field = &req->http->headers[i];
        if (field->name_len == len && memcmp(field->name, name, len) == 0) {
            *first = count == 0 ? field : *first;
            count++;
        }
    }
    return count;
}

static tw_str join(tw_req *req, const char *name, size_t len) {
    tw__bytes bytes = {0};
    tw_str none = {NULL, 0};
    tw__joined *joined = NULL;
    if (tw__http_request_join(req->http, name, len, &bytes) == 0) {
        joined = tw__malloc(sizeof *joined + tw__bytes_len(&bytes) + 1);
    }
    if (joined != NULL) {
        joined->len = tw__bytes_len(&bytes);
        memcpy(joined->text, tw__bytes_data(&bytes), joined->len);
        joined->text[joined->len] = '\0';
        joined->next = req->joined;
        req->joined = joined;
    }
    tw__bytes_deinit(&bytes);
    return joined == NULL ? none : (tw_str){joined->text, joined->len};
}

static tw_str header(tw_req *req, const char *name, size_t len) {
    const tw__http_field *first = NULL;
    size_t count = count_lines(req, name, len, &first);
    if (count > 1) {
        return join(req, name, len);
    }
    return count == 1 ? (tw_str){first->value, first->value_len}
                      : (tw_str){NULL, 0};
}

tw_str tw_req_header(tw_req *req, const char *name) {
    return header(req, name, strlen(name));
}

tw_str tw_req_param(tw_req *req, const char *name) {
    for (size_t i = 0; i < req->param_count; i++) {
        if (strcmp(req->names[i].data, name) == 0) {
            return req->values[i];
        }
    }
    return (tw_str){NULL, 0};
}

tw_str tw_req_query(tw_req *req, const char *name) {
    tw__http_text text = {NULL, 0};
    tw__http_request_param(req->http, name, strlen(name), &text);
    return str(text);
}

tw_str tw_req_cookie(tw_req *req, const char *name) {
    tw__http_text text = {NULL, 0};
    tw__http_request_cookie(req->http, name, strlen(name), &text);
    return str(text);
}

static bool field_at(const tw__http_field *fields, size_t count, size_t i,
                     tw_str *name, tw_str *value) {
    if (i >= count) {
        return false;
    }
    *name = (tw_str){fields[i].name, fields[i].name_len};
    *value = (tw_str){fields[i].value, fields[i].value_len};
    return true;
}

/* Every name once, with its lines joined. */
static bool header_at(tw_req *req, size_t i, tw_str *name, tw_str *value) {
    for (size_t line = 0; line < req->http->header_count; line++) {
        if (tw__http_request_is_first(req->http, line) && i-- == 0) {
            const tw__http_field *field = &req->http->headers[line];
            *name = (tw_str){field->name, field->name_len};
            *value = header(req, field->name, field->name_len);
            return true;
        }
    }
    return false;
}

static bool protocol_at(tw_req *req, size_t i, tw_str *name) {
    tw__ws_request view = tw__req_view(req);
    tw__ws_list list;
    tw__ws_protocols_init(&list, &view);
    while (tw__ws_list_next(&list, &name->data, &name->len)) {
        if (i-- == 0) {
            return true;
        }
    }
    return false;
}

bool tw_req_at(tw_req *req, tw_req_part part, size_t i, tw_str *name,
               tw_str *value) {
    const tw__http_field *fields = NULL;
    size_t count = 0;
    switch (part) {
    case TW_REQ_HEADERS:
        return header_at(req, i, name, value);
    case TW_REQ_PARAMS:
        if (i < req->param_count) {
            *name = req->names[i];
            *value = req->values[i];
        }
        return i < req->param_count;
    case TW_REQ_QUERY:
        tw__http_request_query(req->http, &fields, &count);
        return field_at(fields, count, i, name, value);
    case TW_REQ_COOKIES:
        /* From last to first: filling a table then keeps the first. */
        tw__http_request_cookies(req->http, &fields, &count);
        return i < count && field_at(fields, count, count - 1 - i, name, value);
    case TW_REQ_PROTOCOLS:
        return protocol_at(req, i, name);
    }
    return false;
}
